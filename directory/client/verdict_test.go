package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

func policyControl(code int8, grace, expire int64) *ldap.ControlBeheraPasswordPolicy {
	return &ldap.ControlBeheraPasswordPolicy{Error: code, Grace: grace, Expire: expire}
}

func coded(code uint16, text string) error { return ldap.NewError(code, errors.New(text)) }

func ad(data string) error {
	return coded(49, "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data "+data+", v1db1\x00")
}

func TestDR01_EveryVerdict(t *testing.T) {
	locked := policyControl(1, -1, -1)
	gone := policyControl(0, -1, -1)
	reset := policyControl(2, -1, -1)
	must := &ldap.ControlVChuPasswordMustChange{MustChange: true}
	soon := &ldap.ControlVChuPasswordWarning{Expire: 7200}
	type want struct {
		v     directory.Verdict
		right bool
	}
	signedIn := want{directory.VerdictSignedIn, true}
	wrong := want{directory.VerdictWrong, false}
	isLocked := want{directory.VerdictLocked, false}
	unavailable := want{directory.VerdictUnavailable, false}
	misconfigured := want{directory.VerdictMisconfigured, false}
	mustChange := want{directory.VerdictMustChange, true}
	expired := want{directory.VerdictPasswordExpired, true}
	for _, c := range []struct {
		name     string
		err      error
		controls []ldap.Control
		want     want
	}{
		{"right password", nil, nil, signedIn},
		{"right password, empty policy control", nil, []ldap.Control{policyControl(-1, -1, -1)}, signedIn},
		{"wrong password", coded(49, ""), nil, wrong},
		{"unknown user", coded(32, ""), nil, wrong},
		{"malformed DN", coded(34, "invalid DN"), nil, wrong},
		{"OpenLDAP locked or disabled", coded(49, ""), []ldap.Control{locked}, isLocked},
		{"389 locked for a while", coded(19, "Exceed password retry limit. Please try later."), []ldap.Control{locked}, isLocked},
		{"389 locked for a while, no control", coded(19, "Exceed password retry limit. Please try later."), nil, isLocked},
		{"389 locked for good", coded(19, "Exceed password retry limit. Contact system administrator to reset."), []ldap.Control{locked}, isLocked},
		{"389 disabled", coded(53, "Account inactivated. Contact system administrator."), []ldap.Control{locked}, want{directory.VerdictDisabled, false}},
		{"389 account period over", coded(19, "Account inactivity limit exceeded. Contact system administrator to reset."), nil, want{directory.VerdictDisabled, false}},
		{"OpenLDAP must change", nil, []ldap.Control{reset}, mustChange},
		{"389 must change", nil, []ldap.Control{must, reset}, mustChange},
		{"389 must change, old control only", nil, []ldap.Control{must}, mustChange},
		{"must change before grace", nil, []ldap.Control{policyControl(2, 3, -1)}, mustChange},
		{"OpenLDAP grace", nil, []ldap.Control{policyControl(-1, 2, -1)}, want{directory.VerdictGrace, true}},
		{"389 grace", nil, []ldap.Control{must, policyControl(-1, 0, -1)}, want{directory.VerdictGrace, true}},
		{"OpenLDAP expired", coded(49, ""), []ldap.Control{gone}, expired},
		{"389 expired", coded(49, "password expired!"), []ldap.Control{gone, must}, expired},
		{"389 expired, text only", coded(49, "password expired!"), nil, expired},
		{"A14 success with an expiry control", nil, []ldap.Control{gone}, expired},
		{"A14 success with a lock control", nil, []ldap.Control{locked}, isLocked},
		{"A14 success with an error of password changes", nil, []ldap.Control{policyControl(5, -1, -1)}, unavailable},
		{"A14 referral", coded(10, ""), nil, unavailable},
		{"AD wrong", ad("52e"), nil, wrong},
		{"AD unknown user", ad("525"), nil, wrong},
		{"AD locked", ad("775"), nil, isLocked},
		{"AD disabled", ad("533"), nil, want{directory.VerdictDisabled, true}},
		{"AD account expired", ad("701"), nil, want{directory.VerdictDisabled, true}},
		{"AD hours", ad("530"), nil, want{directory.VerdictDisabled, true}},
		{"AD workstation", ad("531"), nil, want{directory.VerdictDisabled, true}},
		{"AD expired", ad("532"), nil, expired},
		{"AD must change", ad("773"), nil, mustChange},
		{"AD upper case", ad("52E"), nil, wrong},
		{"AD longer word", ad("5330"), nil, wrong},
		{"TLS demanded", coded(13, ""), nil, misconfigured},
		{"TLS demanded by AD", coded(8, "00002028: LdapErr"), nil, misconfigured},
		{"method refused", coded(48, ""), nil, misconfigured},
		{"protocol error", coded(2, ""), nil, misconfigured},
		{"unauthenticated bind", coded(53, "unauthenticated bind (DN with no password) disallowed"), nil, misconfigured},
		{"A15 unwilling", coded(53, "server is unwilling"), nil, unavailable},
		{"A15 constraint without a word", coded(19, ""), nil, unavailable},
		{"A15 operations error", coded(1, ""), nil, unavailable},
		{"A15 busy", coded(51, ""), nil, unavailable},
		{"A15 busy with a lock control", coded(51, ""), []ldap.Control{locked}, unavailable},
		{"A15 unavailable", coded(52, ""), nil, unavailable},
		{"A15 time limit", coded(3, ""), nil, unavailable},
		{"A15 administrative limit", coded(11, ""), nil, unavailable},
		{"A15 other", coded(80, ""), nil, unavailable},
		{"A15 server down", coded(81, ""), nil, unavailable},
		{"unlisted", coded(7, ""), nil, unavailable},
		{"unlisted", coded(50, ""), nil, unavailable},
		{"network", ldap.NewError(ldap.ErrorNetwork, errors.New("EOF")), nil, unavailable},
		{"malformed", ldap.NewError(ldap.ErrorMalformedPacket, errors.New("data 533")), nil, unavailable},
		{"no LDAP error at all", errors.New("unable to read LDAP response packet: data 532"), nil, unavailable},
		{"about to expire, 389", nil, []ldap.Control{soon}, signedIn},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := judge(c.controls, c.err)
			if r.Verdict != c.want.v || r.PasswordRight != c.want.right {
				t.Errorf("got %s (password right: %t), want %s (%t)", r.Verdict, r.PasswordRight, c.want.v, c.want.right)
			}
			var e *ldap.Error
			if errors.As(c.err, &e) && e.ResultCode < 200 && (r.Code != e.ResultCode || r.Detail == "") {
				t.Errorf("code %d and detail %q for %v", r.Code, r.Detail, c.err)
			}
		})
	}
}

func TestDR01_ControlValues(t *testing.T) {
	if r := judge([]ldap.Control{policyControl(-1, 4, -1)}, nil); r.Grace != 4 || !r.SignedIn() {
		t.Errorf("grace: %+v", r)
	}
	if r := judge([]ldap.Control{policyControl(-1, -1, 3600)}, nil); r.ExpiresIn != time.Hour {
		t.Errorf("expire by the policy control: %+v", r)
	}
	if r := judge([]ldap.Control{&ldap.ControlVChuPasswordWarning{Expire: 60}}, nil); r.ExpiresIn != time.Minute {
		t.Errorf("expire by the older control: %+v", r)
	}
	if r := judge([]ldap.Control{policyControl(-1, -1, 1<<62)}, nil); r.ExpiresIn <= 0 {
		t.Errorf("a huge time overflows: %+v", r)
	}
	long := fmt.Sprintf("line one\nline two \x1b[31m %0500d", 1)
	if r := judge(nil, coded(49, long)); len(r.Detail) > 310 || r.Detail != clean(r.Detail) {
		t.Errorf("detail is not clean: %q", r.Detail)
	}
}
