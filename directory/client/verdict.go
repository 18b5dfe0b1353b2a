package client

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// Errors of the password policy response control
// (draft-behera-ldap-password-policy-10 §6.2) that a bind can carry.
const (
	policyNone       = -1
	policyExpired    = 0
	policyLocked     = 1
	policyMustChange = 2
)

// signals are what the controls of a bind response say.
type signals struct {
	policy     int8  // error of the password policy control
	grace      int64 // sign-ins left; -1 when not told
	expire     int64 // seconds; -1 when not told
	mustChange bool  // 2.16.840.1.113730.3.4.4: expired, or to be changed
}

func readSignals(controls []ldap.Control) signals {
	s := signals{policy: policyNone, grace: -1, expire: -1}
	for _, control := range controls {
		switch c := control.(type) {
		case *ldap.ControlBeheraPasswordPolicy:
			s.policy, s.grace = c.Error, c.Grace
			if c.Expire >= 0 {
				s.expire = c.Expire
			}
		case *ldap.ControlVChuPasswordMustChange:
			s.mustChange = true
		case *ldap.ControlVChuPasswordWarning:
			if s.expire < 0 {
				s.expire = c.Expire
			}
		}
	}
	return s
}

// judge is the whole meaning of a bind's answer: the controls that came with
// it and the error that go-ldap made of its result code. It looks at nothing
// else. What it does not know is "unavailable", so that an outage or a server's
// whim is never counted as a wrong password.
func judge(controls []ldap.Control, err error) directory.BindResult {
	if err == nil {
		return success(readSignals(controls))
	}
	var e *ldap.Error
	if !answered(err) || !errors.As(err, &e) {
		return directory.BindResult{Detail: clean(err.Error())}
	}
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	r := failure(e.ResultCode, text, readSignals(controls))
	r.Code = e.ResultCode
	r.Detail = clean(fmt.Sprintf("%d %s: %s", e.ResultCode, ldap.LDAPResultCodeMap[e.ResultCode], text))
	return r
}

func success(s signals) directory.BindResult {
	switch {
	case s.policy == policyLocked:
		return directory.BindResult{Verdict: directory.VerdictLocked, Detail: "success, but with the policy error 'account locked'"}
	case s.policy == policyExpired:
		return right(directory.VerdictPasswordExpired, "success, but with the policy error 'password expired'")
	case s.policy == policyMustChange:
		return right(directory.VerdictMustChange, "the password must be changed")
	case s.policy != policyNone:
		return directory.BindResult{Detail: fmt.Sprintf("success, but with the policy error %d", s.policy)}
	case s.mustChange && s.grace < 0:
		return right(directory.VerdictMustChange, "the password must be changed")
	case s.grace >= 0:
		r := right(directory.VerdictGrace, "the password has expired")
		r.Grace = int(min(s.grace, math.MaxInt32))
		return r
	}
	r := right(directory.VerdictSignedIn, "")
	if s.expire > 0 {
		r.ExpiresIn = time.Duration(min(s.expire, int64(math.MaxInt64/time.Second))) * time.Second
	}
	return r
}

// failure judges a result code that is not success. The texts are those of 389
// Directory Server, which tells some states by nothing else.
func failure(code uint16, text string, s signals) directory.BindResult {
	says := func(part string) bool { return strings.Contains(strings.ToLower(text), part) }
	locked := directory.BindResult{Verdict: directory.VerdictLocked}
	disabled := directory.BindResult{Verdict: directory.VerdictDisabled}
	misconfigured := directory.BindResult{Verdict: directory.VerdictMisconfigured}

	switch code {
	case ldap.LDAPResultProtocolError, ldap.LDAPResultStrongAuthRequired,
		ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultInappropriateAuthentication:
		return misconfigured
	case ldap.LDAPResultUnwillingToPerform:
		switch {
		case says("unauthenticated"):
			return misconfigured
		case says("inactivated"): // comes with the policy error "locked" as well
			return disabled
		case s.policy == policyLocked:
			return locked
		}
	case ldap.LDAPResultConstraintViolation:
		switch {
		case says("inactivity"): // the account policy plugin: the account's period is over
			return disabled
		case says("retry limit"), s.policy == policyLocked:
			return locked
		}
	case ldap.LDAPResultInvalidCredentials:
		return invalidCredentials(text, s)
	case ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax:
		return directory.BindResult{Verdict: directory.VerdictWrong}
	}
	return directory.BindResult{}
}

func invalidCredentials(text string, s signals) directory.BindResult {
	sub := adSubCode(text)
	switch {
	case s.policy == policyLocked, sub == "775":
		return directory.BindResult{Verdict: directory.VerdictLocked}
	case sub == "533", sub == "701", sub == "530", sub == "531":
		return right(directory.VerdictDisabled, "")
	case s.policy == policyExpired, sub == "532", s.mustChange, strings.Contains(strings.ToLower(text), "password expired!"):
		return right(directory.VerdictPasswordExpired, "")
	case sub == "773":
		return right(directory.VerdictMustChange, "")
	}
	return directory.BindResult{Verdict: directory.VerdictWrong}
}

func right(v directory.Verdict, detail string) directory.BindResult {
	return directory.BindResult{Verdict: v, PasswordRight: true, Detail: detail}
}

// adSubCode is the hexadecimal word after "data " in the text that Active
// Directory gives with code 49, in lower case, or "".
func adSubCode(text string) string {
	_, rest, found := strings.Cut(text, "data ")
	if !found {
		return ""
	}
	end := 0
	for end < len(rest) && strings.IndexByte("0123456789abcdefABCDEF", rest[end]) >= 0 {
		end++
	}
	return strings.ToLower(rest[:end])
}
