package embedded

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// policy is a password policy entry as the draft behind OpenLDAP's ppolicy
// overlay (draft-behera-ldap-password-policy-10) defines it.
type policy struct {
	known          bool
	lockout        bool
	lockoutTime    time.Duration // 0: until an administrator acts
	maxFailure     int
	maxRecorded    int
	failureWindow  time.Duration // 0: failures are forgotten only by a success
	maxAge, minAge time.Duration
	expireWarning  time.Duration
	graceLimit     int
	mustChange     bool
	allowChange    bool
	safeModify     bool
	checkQuality   int
	minLength      int
	inHistory      int
}

// policyError is the error of the password policy response control.
type policyError int

const (
	policyExpired    policyError = 0
	policyLocked     policyError = 1
	policyMustChange policyError = 2
	policyNotAllowed policyError = 3
	policyNeedsOld   policyError = 4
	policyQuality    policyError = 5
	policyTooShort   policyError = 6
	policyTooYoung   policyError = 7
	policyInHistory  policyError = 8
	policyNoError    policyError = -1
)

const (
	oidPolicyControl   = "1.3.6.1.4.1.42.2.27.8.5.1"
	passwordHistoryOID = syntaxPrefix + "40" // of the values in pwdHistory
	disabledForEver    = "000001010000Z"     // in pwdAccountLockedTime
	recordedByDefault  = 5                   // pwdMaxRecordedFailure
)

// policyReply encodes the response control; negative numbers are left out.
func policyReply(expires, grace int, err policyError) reply {
	v := sequence()
	switch {
	case expires >= 0:
		v.AppendChild(constructed(ber.ClassContext, 0, contextInteger(0, expires)))
	case grace >= 0:
		v.AppendChild(constructed(ber.ClassContext, 0, contextInteger(1, grace)))
	}
	if err != policyNoError {
		v.AppendChild(contextInteger(1, int(err)))
	}
	return reply{oid: oidPolicyControl, value: v}
}

func contextInteger(tag ber.Tag, n int) *ber.Packet {
	return ber.NewInteger(ber.ClassContext, ber.TypePrimitive, tag, int64(n), "")
}

// policyOf finds the policy that holds for e: its own, else the default one.
// The lock is held.
func (st *store) policyOf(e *entry) policy {
	d := st.policy
	if own := e.first(st.schema.pwdPolicySubentry); own != "" {
		if p, err := st.schema.parseDN(own); err == nil {
			d = p
		}
	}
	pe := st.tree.at(d)
	if pe == nil {
		return policy{allowChange: true}
	}
	number := func(name string) int {
		n, err := strconv.Atoi(pe.first(st.schema.types[strings.ToLower(name)]))
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	seconds := func(name string) time.Duration { return time.Duration(number(name)) * time.Second }
	truth := func(name string) bool { return pe.first(st.schema.types[strings.ToLower(name)]) == "TRUE" }
	p := policy{
		known: true, lockout: truth("pwdLockout"), lockoutTime: seconds("pwdLockoutDuration"),
		maxFailure: number("pwdMaxFailure"), maxRecorded: number("pwdMaxRecordedFailure"),
		failureWindow: seconds("pwdFailureCountInterval"), maxAge: seconds("pwdMaxAge"), minAge: seconds("pwdMinAge"),
		expireWarning: seconds("pwdExpireWarning"), graceLimit: number("pwdGraceAuthNLimit"),
		mustChange: truth("pwdMustChange"), safeModify: truth("pwdSafeModify"),
		checkQuality: number("pwdCheckQuality"), minLength: number("pwdMinLength"), inHistory: number("pwdInHistory"),
	}
	p.allowChange = pe.first(st.schema.types["pwdallowuserchange"]) != "FALSE"
	if p.maxRecorded == 0 {
		p.maxRecorded = cmp.Or(p.maxFailure, recordedByDefault)
	}
	return p
}

// lockedOut tells whether the account may not be used now. expired is true
// where a timed lock has run out and its mark is to go.
func (st *store) lockedOut(e *entry, p policy, now time.Time) (locked, expired bool) {
	s := st.schema
	if t, ok := timeOf(e, s.pwdStartTime); ok && now.Before(t) {
		return true, false
	}
	if t, ok := timeOf(e, s.pwdEndTime); ok && !now.Before(t) {
		return true, false
	}
	mark := e.first(s.pwdAccountLockedTime)
	if !p.lockout || mark == "" {
		return false, false
	}
	since, _ := timeOf(e, s.pwdAccountLockedTime)
	if p.lockoutTime == 0 || since.IsZero() || now.Before(since.Add(p.lockoutTime)) {
		return true, false
	}
	return false, true
}

// timeOf reads the first value of a time attribute.
func timeOf(e *entry, t *attrType) (time.Time, bool) {
	v := e.first(t)
	if v == "" {
		return time.Time{}, false
	}
	at, err := parseTime(v)
	return at, err == nil
}
