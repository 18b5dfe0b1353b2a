package mapping

import (
	"fmt"
	"strings"
	"time"

	"portico/directory"
)

// The rule sets of State, one for each kind of server.
const (
	RulesPPolicy         = "ppolicy" // OpenLDAP with the ppolicy overlay
	Rules389DS           = "389ds"
	RulesActiveDirectory = "activedirectory"
	RulesShadow          = "shadow" // RFC 2307
	RulesFreeIPA         = "freeipa"
)

// RuleNames are the values that StatusRules may have, besides "" for a directory
// that tells nothing.
func RuleNames() []string {
	return []string{Rules389DS, RulesActiveDirectory, RulesFreeIPA, RulesPPolicy, RulesShadow}
}

// DefaultSignals are the LDAP attributes that the rules read, as servers spell them.
func DefaultSignals(rules string) []string {
	switch rules {
	case RulesPPolicy:
		return []string{
			"pwdAccountLockedTime", "pwdReset", "pwdChangedTime", "pwdGraceUseTime", "pwdStartTime", "pwdEndTime",
			"pwdPolicySubentry",
		}
	case Rules389DS:
		return []string{
			"nsAccountLock", "accountUnlockTime", "passwordExpirationTime", "pwdReset", "passwordGraceUserTime",
			"pwdPolicySubentry",
		}
	case RulesActiveDirectory:
		return []string{
			"userAccountControl", "msDS-User-Account-Control-Computed", "lockoutTime",
			"msDS-UserPasswordExpiryTimeComputed", "pwdLastSet", "accountExpires", "msDS-ResultantPSO",
		}
	case RulesShadow:
		return []string{"shadowExpire", "shadowLastChange", "shadowMax"}
	case RulesFreeIPA:
		return []string{
			"nsAccountLock", "krbLoginFailedCount", "krbLastFailedAuth", "krbPasswordExpiration",
			"krbPrincipalExpiration", "passwordGraceUserTime", "krbPwdPolicyReference",
		}
	}
	return nil
}

// State computes the state of an account at a moment from the signals that its
// entry keeps, by one of the rule sets. p is the policy that applies, the zero
// value where it is not known: a lock of unknown duration then counts as running.
//
// Times are compared with now because these attributes outlive what they tell. A
// signal that cannot be read counts as if it held. Every true member of the
// result has a Reason with attribute and value.
func State(rules string, e *directory.Entry, p directory.Policy, now time.Time) directory.AccountState {
	j := &judge{signals: e.Signals, p: p, now: now}
	j.state.GraceLeft = -1
	if e.Kind == directory.KindPerson {
		switch rules {
		case RulesPPolicy:
			j.ppolicy()
		case Rules389DS:
			j.ds389()
		case RulesActiveDirectory:
			j.activeDirectory()
		case RulesShadow:
			j.shadow()
		case RulesFreeIPA:
			j.freeipa()
		}
		if mark := e.Signals[signalDisabled]; len(mark) == 2 {
			j.disabled(mark[0], mark[1], "configured as the mark of a disabled account")
		}
	}
	return j.state
}

// judge collects the findings about one account.
type judge struct {
	signals directory.Attributes
	p       directory.Policy
	now     time.Time
	state   directory.AccountState
}

// get is the first value of a signal, by lower-case LDAP name.
func (j *judge) get(attribute string) string { return strings.TrimSpace(j.signals.First(attribute)) }

// set makes a member of the state true and says why.
func (j *judge) set(member *bool, name, attribute, value, detail string) {
	*member = true
	j.state.Reasons = append(j.state.Reasons, directory.Reason{State: name, Attribute: attribute, Value: value, Detail: detail})
}

func (j *judge) disabled(attribute, value, detail string) {
	j.set(&j.state.Disabled, "disabled", attribute, value, detail)
}

func (j *judge) outside(attribute, value, detail string) {
	j.set(&j.state.OutsidePeriod, "outside period", attribute, value, detail)
}

func (j *judge) mustChange(attribute, value, detail string) {
	j.set(&j.state.MustChange, "must change", attribute, value, detail)
}

func (j *judge) expired(attribute, value, detail string) {
	j.set(&j.state.PasswordExpired, "password expired", attribute, value, detail)
}

// locked tells of a running lock; until is zero where only an administrator ends it.
func (j *judge) locked(attribute, value string, until time.Time, detail string) {
	if !until.IsZero() {
		detail = "locked until " + stamp(until)
	}
	j.state.LockedUntil = until
	j.set(&j.state.Locked, "locked", attribute, value, detail)
}

const unreadable = "cannot be read, taken as if it held"

// lockSince judges a lock that began at a time and lasts as long as the policy
// says.
func (j *judge) lockSince(attribute, value string, since time.Time) {
	switch {
	case j.p.DN == "" && j.p.LockoutDuration == 0:
		j.locked(attribute, value, time.Time{}, "locked since "+stamp(since)+", for how long is not known (no policy known)")
	case j.p.LockoutDuration == 0:
		j.locked(attribute, value, time.Time{}, "locked since "+stamp(since)+" until an administrator acts")
	case since.Add(j.p.LockoutDuration).After(j.now):
		j.locked(attribute, value, since.Add(j.p.LockoutDuration), "")
	}
}

// period judges a moment at which the account's period begins or ends.
func (j *judge) period(attribute, value string, begins bool) {
	if value == "" {
		return
	}
	t, ok := Time(value)
	switch {
	case !ok:
		j.outside(attribute, value, unreadable)
	case begins && t.After(j.now):
		j.outside(attribute, value, "begins at "+stamp(t))
	case !begins && t.Before(j.now):
		j.outside(attribute, value, "over since "+stamp(t))
	}
}

// expiry judges a moment at which the password expires.
func (j *judge) expiry(attribute, value string) {
	t, ok := Time(value)
	switch {
	case !ok:
		j.expired(attribute, value, unreadable)
	case t.Before(j.now):
		j.expired(attribute, value, "since "+stamp(t))
	}
}

// grace is set where the policy is known: sign-ins left with an expired password.
func (j *judge) grace(used int64) {
	if j.p.DN != "" {
		j.state.GraceLeft = max(0, j.p.GraceLimit-int(min(used, 1<<20)))
	}
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ppolicy is OpenLDAP: draft-behera-ldap-password-policy as slapd's overlay reads
// it, and stricter in two points: an administrator's lock holds even where the
// policy has lock-outs switched off, and a lock that begins in the future (by
// clocks that differ) holds already.
func (j *judge) ppolicy() {
	if v := j.get("pwdaccountlockedtime"); v != "" {
		t, ok := Time(v)
		switch {
		case strings.HasPrefix(v, "0000"):
			j.disabled("pwdAccountLockedTime", v, "locked by an administrator, without end")
		case !ok:
			j.locked("pwdAccountLockedTime", v, time.Time{}, unreadable)
		case j.p.DN != "" && !j.p.Lockout: // left over from a time when the policy locked
		default:
			j.lockSince("pwdAccountLockedTime", v, t)
		}
	}
	j.period("pwdStartTime", j.get("pwdstarttime"), true)
	j.period("pwdEndTime", j.get("pwdendtime"), false)
	if v := j.get("pwdreset"); isTrue(v) && (j.p.DN == "" || j.p.MustChange) {
		j.mustChange("pwdReset", v, "the password was set by somebody else")
	}
	if v := j.get("pwdchangedtime"); v != "" && j.p.MaxAge > 0 {
		t, ok := Time(v)
		switch {
		case !ok:
			j.expired("pwdChangedTime", v, unreadable)
		case t.Add(j.p.MaxAge).Before(j.now):
			j.expired("pwdChangedTime", v, fmt.Sprintf("since %s (pwdMaxAge %s)", stamp(t.Add(j.p.MaxAge)), j.p.MaxAge))
		}
	}
	j.grace(int64(len(j.signals["pwdgraceusetime"])))
}

// epoch is 389 DS's mark for "until an administrator acts" and "must change".
const epoch = "19700101000000Z"

func (j *judge) ds389() {
	if v := j.get("nsaccountlock"); isTrue(v) {
		j.disabled("nsAccountLock", v, "inactivated by an administrator or a role")
	}
	if v := j.get("accountunlocktime"); v != "" {
		t, ok := Time(v)
		switch {
		case v == epoch && j.p.DN != "" && j.p.LockoutDuration > 0: // left over from a policy that locked for good
		case v == epoch:
			j.locked("accountUnlockTime", v, time.Time{}, "locked until an administrator acts")
		case !ok:
			j.locked("accountUnlockTime", v, time.Time{}, unreadable)
		case t.After(j.now):
			j.locked("accountUnlockTime", v, t, "")
		}
	}
	if v := j.get("pwdreset"); isTrue(v) {
		j.mustChange("pwdReset", v, "the password was set by somebody else")
	}
	switch v := j.get("passwordexpirationtime"); {
	case v == epoch:
		j.mustChange("passwordExpirationTime", v, "the password was set by somebody else")
	case v != "" && (j.p.DN == "" || j.p.MaxAge > 0): // passwordExp may be off
		j.expiry("passwordExpirationTime", v)
	}
	used, _ := parseInt(j.get("passwordgraceusertime"))
	j.grace(used)
}
