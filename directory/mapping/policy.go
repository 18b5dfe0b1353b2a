package mapping

import (
	"math"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// PolicyAttributes are what Policy reads, to be asked for by name.
func PolicyAttributes() []string {
	return []string{
		"objectClass",
		"pwdLockout", "pwdLockoutDuration", "pwdMaxAge", "pwdMustChange", "pwdGraceAuthNLimit", "pwdGraceLoginLimit", "pwdMaxFailure",
		"passwordLockout", "passwordUnlock", "passwordLockoutDuration", "passwordExp", "passwordMaxAge", "passwordMustChange",
		"passwordGraceLimit", "passwordMaxFailure",
		"lockoutDuration", "maxPwdAge", "lockoutThreshold",
		"msDS-LockoutDuration", "msDS-MaximumPasswordAge", "msDS-LockoutThreshold",
		"krbMaxPwdLife", "krbPwdMaxFailure", "krbPwdLockoutDuration",
	}
}

// Policy reads the part of a password policy that State needs, from whichever
// entry the server keeps it in: OpenLDAP's pwdPolicy, 389 DS's cn=config or
// passwordPolicy, the domain of Active Directory, FreeIPA's krbPwdPolicy.
// Durations are seconds there, on Active Directory negative units of 100 ns.
func Policy(e *ldap.Entry) directory.Policy {
	get := func(name string) string { return strings.TrimSpace(e.GetEqualFoldAttributeValue(name)) }
	number := func(names ...string) int64 {
		for _, name := range names {
			if n, ok := parseInt(get(name)); ok {
				return n
			}
		}
		return 0
	}
	on := func(name string) bool {
		return isTrue(get(name)) || strings.EqualFold(get(name), "on") || get(name) == "1"
	}
	p := directory.Policy{
		DN:              e.DN,
		Lockout:         on("pwdLockout") || on("passwordLockout") || number("lockoutThreshold", "msDS-LockoutThreshold", "krbPwdMaxFailure") > 0,
		LockoutDuration: seconds(number("pwdLockoutDuration", "passwordLockoutDuration", "krbPwdLockoutDuration")),
		MaxAge:          seconds(number("pwdMaxAge", "passwordMaxAge", "krbMaxPwdLife")),
		MustChange:      on("pwdMustChange") || on("passwordMustChange"),
		GraceLimit:      int(min(max(number("pwdGraceAuthNLimit", "pwdGraceLoginLimit", "passwordGraceLimit"), 0), 1<<20)),
		MaxFailures:     int(min(max(number("pwdMaxFailure", "passwordMaxFailure", "lockoutThreshold", "msDS-LockoutThreshold", "krbPwdMaxFailure"), 0), 1<<20)),
	}
	if get("passwordExp") != "" && !on("passwordExp") {
		p.MaxAge = 0
	}
	if get("passwordUnlock") != "" && !on("passwordUnlock") {
		p.LockoutDuration = 0
	}
	for _, name := range []string{"lockoutDuration", "msDS-LockoutDuration"} {
		if v := get(name); v != "" {
			p.LockoutDuration = adDuration(v)
		}
	}
	for _, name := range []string{"maxPwdAge", "msDS-MaximumPasswordAge"} {
		if v := get(name); v != "" {
			p.MaxAge = adDuration(v)
		}
	}
	return p
}

// PolicyDN is the DN of the policy that applies to a person: the one named in the
// entry, else the directory's default, else on Active Directory the domain, which
// keeps its own; "" for unknown.
func PolicyDN(rules string, e *directory.Entry, defaultDN string) string {
	for _, name := range []string{"pwdpolicysubentry", "krbpwdpolicyreference", "msds-resultantpso"} {
		if dn := e.Signals.First(name); dn != "" {
			return dn
		}
	}
	if defaultDN == "" && rules == RulesActiveDirectory {
		return domainDN(e.DN)
	}
	return defaultDN
}

// domainDN is the end of a DN that consists of DC parts, "" where there is none.
func domainDN(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return ""
	}
	from := len(parsed.RDNs)
	for from > 0 && len(parsed.RDNs[from-1].Attributes) == 1 && strings.EqualFold(parsed.RDNs[from-1].Attributes[0].Type, "DC") {
		from--
	}
	return (&ldap.DN{RDNs: parsed.RDNs[from:]}).String()
}

func seconds(n int64) time.Duration {
	if n <= 0 || n > math.MaxInt64/int64(time.Second) {
		return 0
	}
	return time.Duration(n) * time.Second
}

// adDuration reads a negative number of 100 ns; 0 and the smallest number mean
// "never ends".
func adDuration(s string) time.Duration {
	n, ok := parseInt(s)
	if !ok || n >= 0 || n == math.MinInt64 {
		return 0
	}
	if -n > math.MaxInt64/100 {
		return math.MaxInt64
	}
	return time.Duration(-n) * 100
}
