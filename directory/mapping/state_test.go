package mapping

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

var testNow = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) string { return testNow.Add(d).Format("20060102150405Z") }

func fileTime(d time.Duration) string {
	return strconv.FormatInt((testNow.Add(d).Unix()+11644473600)*1e7, 10)
}

func day(d int) string { return strconv.FormatInt(testNow.Unix()/86400+int64(d), 10) }

// stateCase is one entry and what must be found: words of Reason.State, sorted.
type stateCase struct {
	name    string
	signals []string // name, value, ...
	policy  directory.Policy
	want    string
	until   time.Duration // end of the lock after testNow; 0: none
	grace   int           // 0 stands for "not known"; n+1 for n
}

func lockPolicy(d time.Duration) directory.Policy {
	return directory.Policy{DN: "cn=default", Lockout: true, LockoutDuration: d}
}

const hour = time.Hour

func TestDR02_PPolicy(t *testing.T) {
	day90 := directory.Policy{DN: "cn=default", MaxAge: 90 * 24 * hour, GraceLimit: 3, MustChange: true}
	runStates(t, RulesPPolicy, []stateCase{
		{name: "nothing"},
		{name: "disabled", signals: []string{"pwdAccountLockedTime", "000001010000Z"}, want: "disabled"},
		{name: "disabled, longer form", signals: []string{"pwdAccountLockedTime", "00000101000000Z"}, want: "disabled"},
		{name: "locked for a while", signals: []string{"pwdAccountLockedTime", at(-10 * time.Minute)}, policy: lockPolicy(15 * time.Minute), want: "locked", until: 5 * time.Minute, grace: 1},
		{name: "lock has run out", signals: []string{"pwdAccountLockedTime", at(-20 * time.Minute)}, policy: lockPolicy(15 * time.Minute), grace: 1},
		{name: "locked until somebody acts", signals: []string{"pwdAccountLockedTime", at(-1000 * hour)}, policy: lockPolicy(0), want: "locked", grace: 1},
		{name: "locked, policy unknown", signals: []string{"pwdAccountLockedTime", at(-1000 * hour)}, want: "locked"},
		{name: "lock-out switched off since", signals: []string{"pwdAccountLockedTime", at(-10 * time.Minute)}, policy: directory.Policy{DN: "cn=x", LockoutDuration: hour}, grace: 1},
		{name: "disabled, lock-out switched off", signals: []string{"pwdAccountLockedTime", "000001010000Z"}, policy: directory.Policy{DN: "cn=x"}, want: "disabled", grace: 1},
		{name: "lock that cannot be read", signals: []string{"pwdAccountLockedTime", "yesterday"}, policy: lockPolicy(hour), want: "locked", grace: 1},
		{name: "must change, policy unknown", signals: []string{"pwdReset", "TRUE"}, want: "must change"},
		{name: "must change", signals: []string{"pwdReset", "true"}, policy: day90, want: "must change", grace: 4},
		{name: "reset without must change", signals: []string{"pwdReset", "TRUE"}, policy: lockPolicy(0), grace: 1},
		{name: "not reset", signals: []string{"pwdReset", "FALSE"}, policy: day90, grace: 4},
		{name: "expired", signals: []string{"pwdChangedTime", at(-91 * 24 * hour)}, policy: day90, want: "password expired", grace: 4},
		{name: "not yet expired", signals: []string{"pwdChangedTime", at(-89 * 24 * hour)}, policy: day90, grace: 4},
		{name: "old, no age limit", signals: []string{"pwdChangedTime", at(-9000 * hour)}, policy: lockPolicy(0), grace: 1},
		{name: "older than the policy", policy: day90, grace: 4},
		{
			name: "grace used", signals: []string{"pwdChangedTime", at(-91 * 24 * hour), "pwdGraceUseTime", at(-2 * hour), "pwdGraceUseTime", at(-hour)},
			policy: day90, want: "password expired", grace: 2,
		},
		{
			name: "grace used up", signals: []string{"pwdGraceUseTime", at(-4 * hour), "pwdGraceUseTime", at(-3 * hour), "pwdGraceUseTime", at(-2 * hour), "pwdGraceUseTime", at(-hour)},
			policy: day90, grace: 1,
		},
		{name: "begins later", signals: []string{"pwdStartTime", at(hour)}, want: "outside period"},
		{name: "has begun", signals: []string{"pwdStartTime", at(-hour)}},
		{name: "is over", signals: []string{"pwdEndTime", at(-hour)}, want: "outside period"},
		{name: "ends later", signals: []string{"pwdEndTime", at(hour)}},
		{name: "disabled and must change", signals: []string{"pwdAccountLockedTime", "000001010000Z", "pwdReset", "TRUE"}, want: "disabled, must change"},
		{
			name: "locked and expired", signals: []string{"pwdAccountLockedTime", at(-time.Minute), "pwdChangedTime", at(-91 * 24 * hour)},
			policy: directory.Policy{DN: "cn=x", Lockout: true, LockoutDuration: hour, MaxAge: 24 * hour}, want: "locked, password expired", until: 59 * time.Minute, grace: 1,
		},
	})
}

func TestDR02_389DS(t *testing.T) {
	runStates(t, Rules389DS, []stateCase{
		{name: "nothing"},
		{name: "disabled", signals: []string{"nsAccountLock", "true"}, want: "disabled"},
		{name: "disabled, in capitals", signals: []string{"nsAccountLock", "TRUE"}, want: "disabled"},
		{name: "not disabled", signals: []string{"nsAccountLock", "false"}},
		{name: "locked for a while", signals: []string{"accountUnlockTime", at(5 * time.Minute)}, want: "locked", until: 5 * time.Minute},
		{name: "lock has run out", signals: []string{"accountUnlockTime", at(-time.Second)}},
		{name: "locked until somebody acts", signals: []string{"accountUnlockTime", "19700101000000Z"}, want: "locked"},
		{name: "expired", signals: []string{"passwordExpirationTime", at(-hour)}, want: "password expired"},
		{name: "expires later", signals: []string{"passwordExpirationTime", at(hour)}},
		{name: "expiry is off", signals: []string{"passwordExpirationTime", at(-hour)}, policy: lockPolicy(0), grace: 1},
		{name: "must change by the epoch", signals: []string{"passwordExpirationTime", "19700101000000Z"}, want: "must change"},
		{name: "must change", signals: []string{"pwdReset", "TRUE"}, want: "must change"},
		{
			name: "grace", signals: []string{"passwordExpirationTime", at(-hour), "passwordGraceUserTime", "2"},
			policy: directory.Policy{DN: "cn=config", MaxAge: hour, GraceLimit: 3}, want: "password expired", grace: 2,
		},
		{
			name: "disabled, locked, must change", signals: []string{"nsAccountLock", "true", "accountUnlockTime", at(hour), "pwdReset", "TRUE"},
			want: "disabled, locked, must change", until: hour,
		},
	})
}

func TestDR02_ActiveDirectory(t *testing.T) {
	const uac, computed, expiry = "userAccountControl", "msDS-User-Account-Control-Computed", "msDS-UserPasswordExpiryTimeComputed"
	const never = "9223372036854775807"
	domain := directory.Policy{DN: "dc=samdom", LockoutDuration: 30 * time.Minute, MaxAge: 42 * 24 * hour}
	last := fileTime(-hour)
	runStates(t, RulesActiveDirectory, []stateCase{
		{name: "nothing"},
		{name: "normal", signals: []string{uac, "512", computed, "0", "lockoutTime", "0", "pwdLastSet", last, "accountExpires", never, expiry, fileTime(hour)}},
		{name: "disabled", signals: []string{uac, "514"}, want: "disabled"},
		{name: "born disabled", signals: []string{uac, "546"}, want: "disabled"},
		{name: "locked, computed", signals: []string{uac, "512", computed, "16"}, want: "locked"},
		{name: "locked, by time", signals: []string{"lockoutTime", fileTime(-10 * time.Minute)}, policy: domain, want: "locked", until: 20 * time.Minute},
		{name: "lock has run out", signals: []string{"lockoutTime", fileTime(-40 * time.Minute)}, policy: domain},
		{name: "lock has run out since it was read", signals: []string{"lockoutTime", fileTime(-40 * time.Minute), computed, "16"}, policy: domain},
		{name: "computed says it has run out", signals: []string{"lockoutTime", fileTime(-40 * time.Minute), computed, "0"}},
		{name: "locked, nothing else known", signals: []string{"lockoutTime", fileTime(-40 * time.Minute)}, want: "locked"},
		{name: "own lock bit is not maintained", signals: []string{uac, "528"}},
		{name: "expired, by time", signals: []string{expiry, fileTime(-hour), "pwdLastSet", last}, want: "password expired"},
		{name: "expires later", signals: []string{expiry, fileTime(hour), "pwdLastSet", last, computed, "8388608"}},
		{name: "expired, computed", signals: []string{computed, "8388608", "pwdLastSet", last}, want: "password expired"},
		{name: "expired, by age", signals: []string{"pwdLastSet", fileTime(-43 * 24 * hour)}, policy: domain, want: "password expired"},
		{name: "not by age", signals: []string{"pwdLastSet", fileTime(-41 * 24 * hour)}, policy: domain},
		{name: "password never expires", signals: []string{uac, "66048", "pwdLastSet", fileTime(-9000 * 24 * hour), computed, "8388608"}, policy: domain},
		{name: "own expired bit is not maintained", signals: []string{uac, "8389120", "pwdLastSet", last}},
		{name: "must change", signals: []string{uac, "512", "pwdLastSet", "0", computed, "8388608", expiry, "0"}, want: "must change"},
		{name: "must change, but never expires", signals: []string{uac, "66048", "pwdLastSet", "0"}},
		{name: "account is over", signals: []string{"accountExpires", fileTime(-hour)}, want: "outside period"},
		{name: "account ends later", signals: []string{"accountExpires", fileTime(hour)}},
		{name: "account never ends", signals: []string{"accountExpires", "0"}},
		{name: "disabled and must change", signals: []string{uac, "514", "pwdLastSet", "0"}, want: "disabled, must change"},
		{name: "expired and locked", signals: []string{"lockoutTime", fileTime(-time.Minute), expiry, fileTime(-hour), "pwdLastSet", last}, policy: domain, want: "locked, password expired", until: 29 * time.Minute},
	}, func(c *stateCase) {
		if c.policy.DN != "" {
			c.grace = 0 // none on this server
		}
	})
}

func TestDR02_Shadow(t *testing.T) {
	runStates(t, RulesShadow, []stateCase{
		{name: "nothing"},
		{name: "off", signals: []string{"shadowExpire", "1"}, want: "disabled"},
		{name: "expired today", signals: []string{"shadowExpire", day(0)}, want: "disabled, outside period"},
		{name: "expired long ago", signals: []string{"shadowExpire", day(-100)}, want: "disabled, outside period"},
		{name: "expires tomorrow", signals: []string{"shadowExpire", day(1)}},
		{name: "never", signals: []string{"shadowExpire", "-1"}},
		{name: "cannot be read", signals: []string{"shadowExpire", "soon"}, want: "disabled"},
		{name: "must change", signals: []string{"shadowLastChange", "0", "shadowMax", "30"}, want: "must change"},
		{name: "expired", signals: []string{"shadowLastChange", day(-31), "shadowMax", "30"}, want: "password expired"},
		{name: "last day", signals: []string{"shadowLastChange", day(-30), "shadowMax", "30"}},
		{name: "no limit", signals: []string{"shadowLastChange", day(-3000)}},
		{name: "unlimited", signals: []string{"shadowLastChange", day(-3000), "shadowMax", "99999"}},
		{name: "limit off", signals: []string{"shadowLastChange", day(-3000), "shadowMax", "-1"}},
		{name: "absurd limit", signals: []string{"shadowLastChange", day(-3000), "shadowMax", "9223372036854775807"}},
		{name: "off and must change", signals: []string{"shadowExpire", "1", "shadowLastChange", "0"}, want: "disabled, must change"},
	})
}

func TestDR02_FreeIPA(t *testing.T) {
	p := directory.Policy{DN: "cn=global_policy", MaxFailures: 6, LockoutDuration: 10 * time.Minute}
	runStates(t, RulesFreeIPA, []stateCase{
		{name: "nothing"},
		{name: "disabled", signals: []string{"nsAccountLock", "TRUE"}, want: "disabled"},
		{name: "locked", signals: []string{"krbLoginFailedCount", "6", "krbLastFailedAuth", at(-4 * time.Minute)}, policy: p, want: "locked", until: 6 * time.Minute, grace: 1},
		{name: "lock has run out", signals: []string{"krbLoginFailedCount", "6", "krbLastFailedAuth", at(-11 * time.Minute)}, policy: p, grace: 1},
		{name: "too few", signals: []string{"krbLoginFailedCount", "5", "krbLastFailedAuth", at(-time.Minute)}, policy: p, grace: 1},
		{name: "policy unknown", signals: []string{"krbLoginFailedCount", "50", "krbLastFailedAuth", at(-time.Minute)}},
		{name: "expired", signals: []string{"krbPasswordExpiration", at(-hour)}, want: "must change, password expired"},
		{name: "reset just now", signals: []string{"krbPasswordExpiration", at(0)}, want: "must change"},
		{name: "expires later", signals: []string{"krbPasswordExpiration", at(hour)}},
		{name: "account is over", signals: []string{"krbPrincipalExpiration", at(-hour)}, want: "outside period"},
		{name: "account ends later", signals: []string{"krbPrincipalExpiration", at(hour)}},
	})
}

func runStates(t *testing.T, rules string, cases []stateCase, adjust ...func(*stateCase)) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, f := range adjust {
				f(&c)
			}
			e := &directory.Entry{Kind: directory.KindPerson, Signals: directory.Attributes{}}
			for i := 0; i < len(c.signals); i += 2 {
				name := strings.ToLower(c.signals[i])
				e.Signals[name] = append(e.Signals[name], c.signals[i+1])
				if !slices.ContainsFunc(DefaultSignals(rules), func(s string) bool { return strings.EqualFold(s, name) }) {
					t.Errorf("%s is no default signal of %s", name, rules)
				}
			}
			s := State(rules, e, c.policy, testNow)
			checkState(t, c, s)
		})
	}
}

func checkState(t *testing.T, c stateCase, s directory.AccountState) {
	t.Helper()
	var flags, reasons []string
	for name, set := range map[string]bool{
		"disabled": s.Disabled, "locked": s.Locked, "outside period": s.OutsidePeriod, "must change": s.MustChange, "password expired": s.PasswordExpired,
	} {
		if set {
			flags = append(flags, name)
		}
	}
	for _, r := range s.Reasons {
		reasons = append(reasons, r.State)
		if r.Attribute == "" || r.Value == "" || r.Detail == "" || !slices.Contains(c.signals, r.Attribute) || !slices.Contains(c.signals, r.Value) {
			t.Errorf("reason %+v", r)
		}
	}
	slices.Sort(flags)
	slices.Sort(reasons)
	if got := strings.Join(flags, ", "); got != c.want {
		t.Errorf("state %q, want %q", got, c.want)
	}
	if got := strings.Join(reasons, ", "); got != c.want {
		t.Errorf("reasons for %q, want %q", got, c.want)
	}
	until := time.Time{}
	if c.until != 0 {
		until = testNow.Add(c.until)
	}
	if !s.LockedUntil.Equal(until) {
		t.Errorf("locked until %v, want %v", s.LockedUntil, until)
	}
	if s.GraceLeft != c.grace-1 {
		t.Errorf("%d grace sign-ins left, want %d", s.GraceLeft, c.grace-1)
	}
}

// A timed lock ends without any event: the same entry, asked again later.
func TestDR03_TimedLockRunsOut(t *testing.T) {
	for _, c := range []struct {
		rules, signal, value string
		policy               directory.Policy
		ends                 time.Duration
	}{
		{RulesPPolicy, "pwdaccountlockedtime", at(0), lockPolicy(15 * time.Minute), 15 * time.Minute},
		{Rules389DS, "accountunlocktime", at(3 * time.Minute), directory.Policy{}, 3 * time.Minute},
		{RulesActiveDirectory, "lockouttime", fileTime(0), lockPolicy(30 * time.Minute), 30 * time.Minute},
	} {
		e := &directory.Entry{Kind: directory.KindPerson, Signals: directory.Attributes{c.signal: {c.value}}}
		if s := State(c.rules, e, c.policy, testNow.Add(c.ends-time.Second)); !s.Locked {
			t.Errorf("%s: not locked before the end", c.rules)
		}
		if s := State(c.rules, e, c.policy, testNow.Add(c.ends)); s.Locked || len(s.Reasons) > 0 {
			t.Errorf("%s: still locked at the end: %+v", c.rules, s)
		}
	}
}

func TestStateOfOthers(t *testing.T) {
	e := &directory.Entry{Kind: directory.KindGroup, Signals: directory.Attributes{"nsaccountlock": {"true"}}}
	if s := State(Rules389DS, e, directory.Policy{}, testNow); s.Disabled {
		t.Error("a group is no account")
	}
	e.Kind = directory.KindPerson
	if s := State("", e, directory.Policy{}, testNow); s.Disabled || s.GraceLeft != -1 {
		t.Error("no rules, no state")
	}
}

func TestPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		e    *ldap.Entry
		want directory.Policy
	}{
		"openldap": {
			entry("cn=default", "pwdLockout", "TRUE", "pwdLockoutDuration", "900", "pwdMaxAge", "7776000", "pwdMustChange", "TRUE", "pwdGraceAuthNLimit", "3", "pwdMaxFailure", "5"),
			directory.Policy{DN: "cn=default", Lockout: true, LockoutDuration: 15 * time.Minute, MaxAge: 90 * 24 * hour, MustChange: true, GraceLimit: 3, MaxFailures: 5},
		},
		"openldap, bare": {entry("cn=default", "objectClass", "pwdPolicy"), directory.Policy{DN: "cn=default"}},
		"389ds": {
			entry("cn=config", "passwordLockout", "on", "passwordLockoutDuration", "3600", "passwordUnlock", "on", "passwordExp", "on", "passwordMaxAge", "86400", "passwordMustChange", "on", "passwordGraceLimit", "1", "passwordMaxFailure", "3"),
			directory.Policy{DN: "cn=config", Lockout: true, LockoutDuration: hour, MaxAge: 24 * hour, MustChange: true, GraceLimit: 1, MaxFailures: 3},
		},
		"389ds, no expiry, no unlock": {
			entry("cn=config", "passwordLockout", "on", "passwordLockoutDuration", "3600", "passwordUnlock", "off", "passwordExp", "off", "passwordMaxAge", "86400"),
			directory.Policy{DN: "cn=config", Lockout: true},
		},
		"activedirectory": {
			entry("dc=samdom", "lockoutDuration", "-18000000000", "maxPwdAge", "-36288000000000", "lockoutThreshold", "3"),
			directory.Policy{DN: "dc=samdom", Lockout: true, LockoutDuration: 30 * time.Minute, MaxAge: 42 * 24 * hour, MaxFailures: 3},
		},
		"activedirectory, for ever": {
			entry("dc=samdom", "lockoutDuration", "-9223372036854775808", "maxPwdAge", "0", "lockoutThreshold", "0"),
			directory.Policy{DN: "dc=samdom"},
		},
		"freeipa": {
			entry("cn=global_policy", "krbMaxPwdLife", "7776000", "krbPwdMaxFailure", "6", "krbPwdLockoutDuration", "600"),
			directory.Policy{DN: "cn=global_policy", Lockout: true, LockoutDuration: 10 * time.Minute, MaxAge: 90 * 24 * hour, MaxFailures: 6},
		},
		"absurd numbers": {
			entry("cn=x", "pwdLockoutDuration", "99999999999999999999", "pwdMaxAge", "9223372036854775807", "pwdGraceAuthNLimit", "-4"),
			directory.Policy{DN: "cn=x"},
		},
	} {
		if got := Policy(c.e); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	e := &directory.Entry{Signals: directory.Attributes{"pwdpolicysubentry": {"cn=own"}}}
	if PolicyDN("", e, "cn=default") != "cn=own" || PolicyDN("", &directory.Entry{}, "cn=default") != "cn=default" ||
		PolicyDN(RulesActiveDirectory, &directory.Entry{DN: "CN=a,OU=b,DC=corp,DC=org"}, "") != "dc=corp,dc=org" || PolicyDN("", &directory.Entry{DN: "CN=a,DC=b"}, "") != "" {
		t.Error("PolicyDN")
	}
}
