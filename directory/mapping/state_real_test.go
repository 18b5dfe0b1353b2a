package mapping

import (
	"maps"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

// What State makes of an entry is what the server does at a bind with the right
// password (DR02, DR03 on a real server).
func TestDR02_StateAgreesWithBind(t *testing.T) {
	server := testenv.OpenLDAP(t)
	conn := server.Admin(t)
	dn := "uid=jdoe,ou=people," + server.BaseDN
	if err := server.Add("dn: " + dn + "\nobjectClass: inetOrgPerson\ncn: J\nsn: Doe\nuserPassword: secret\n"); err != nil {
		t.Fatal(err)
	}
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format("20060102150405Z") }
	for _, c := range []struct {
		name   string
		policy map[string]string
		values map[string]string
	}{
		{name: "normal"},
		{name: "disabled", values: map[string]string{"pwdAccountLockedTime": "000001010000Z"}},
		{name: "locked for a while", values: map[string]string{"pwdAccountLockedTime": ago(time.Minute)}},
		{name: "lock has run out", values: map[string]string{"pwdAccountLockedTime": ago(2 * time.Hour)}},
		{
			name: "locked until somebody acts", policy: map[string]string{"pwdLockoutDuration": "0"},
			values: map[string]string{"pwdAccountLockedTime": ago(2000 * time.Hour)},
		},
		{
			name: "locked, lock-out switched off since", policy: map[string]string{"pwdLockout": "FALSE"},
			values: map[string]string{"pwdAccountLockedTime": ago(time.Minute)},
		},
		{name: "must change", values: map[string]string{"pwdReset": "TRUE"}},
		{name: "reset, but need not change", policy: map[string]string{"pwdMustChange": "FALSE"}, values: map[string]string{"pwdReset": "TRUE"}},
		{name: "expired", policy: map[string]string{"pwdMaxAge": "86400"}, values: map[string]string{"pwdChangedTime": ago(25 * time.Hour)}},
		{name: "not yet expired", policy: map[string]string{"pwdMaxAge": "86400"}, values: map[string]string{"pwdChangedTime": ago(23 * time.Hour)}},
		{
			name: "expired, grace left", policy: map[string]string{"pwdMaxAge": "86400", "pwdGraceAuthNLimit": "2"},
			values: map[string]string{"pwdChangedTime": ago(25 * time.Hour), "pwdGraceUseTime": ago(time.Hour)},
		},
		{name: "begins later", values: map[string]string{"pwdStartTime": ago(-time.Hour)}},
		{name: "is over", values: map[string]string{"pwdEndTime": ago(time.Hour)}},
		{name: "runs", values: map[string]string{"pwdStartTime": ago(time.Hour), "pwdEndTime": ago(-time.Hour)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := map[string]string{"pwdLockout": "TRUE", "pwdLockoutDuration": "900", "pwdMustChange": "TRUE", "pwdMaxAge": "", "pwdGraceAuthNLimit": ""}
			maps.Copy(policy, c.policy)
			if err := server.SetPolicy(policy); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"pwdAccountLockedTime", "pwdReset", "pwdChangedTime", "pwdGraceUseTime", "pwdStartTime", "pwdEndTime"} {
				var values []string
				if v := c.values[name]; v != "" {
					values = []string{v}
				}
				if err := server.SetOperational(dn, name, values...); err != nil {
					t.Fatal(err)
				}
			}
			compareWithBind(t, server, conn, dn)
		})
	}
}

func compareWithBind(t *testing.T, server *testenv.LDAPServer, conn *ldap.Conn, dn string) {
	t.Helper()
	m := mapper(t, func(c *Config) { c.BaseDN, c.UserBase, c.GroupBase = server.BaseDN, "", "" })
	read := func(req *ldap.SearchRequest) *ldap.Entry {
		t.Helper()
		res, err := conn.Search(req)
		if err != nil || len(res.Entries) != 1 {
			t.Fatalf("%v, %v", res, err)
		}
		return res.Entries[0]
	}
	req, err := m.ByDN(dn)
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Entry(read(req))
	if err != nil {
		t.Fatal(err)
	}
	p := Policy(read(ldap.NewSearchRequest(PolicyDN(RulesPPolicy, e, server.PolicyDN), ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", PolicyAttributes(), nil)))
	s := State(RulesPPolicy, e, p, time.Now())

	user, err := ldap.DialURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	res, err := user.SimpleBind(&ldap.SimpleBindRequest{Username: dn, Password: "secret", Controls: []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}})
	grace, code := int64(-1), int8(-1)
	if res != nil {
		if c, ok := ldap.FindControl(res.Controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy); ok {
			grace, code = c.Grace, c.Error
		}
	}
	blocked := s.Disabled || s.Locked || s.OutsidePeriod || s.PasswordExpired && s.GraceLeft <= 0
	if blocked != (err != nil) {
		t.Errorf("state %+v, bind %v", s, err)
	}
	if !blocked && s.MustChange != (code == 2) {
		t.Errorf("state %+v, control error %d", s, code)
	}
	if !blocked && s.PasswordExpired != (grace >= 0) {
		t.Errorf("state %+v, %d grace sign-ins left", s, grace)
	}
	if grace >= 0 && int64(s.GraceLeft) != grace+1 { // this bind used one
		t.Errorf("%d grace sign-ins left before a bind that left %d", s.GraceLeft, grace)
	}
}
