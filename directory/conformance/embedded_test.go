package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/directory"
	"portico/directory/embedded"
	"portico/directory/mapping"
	"portico/directory/writer"
)

// TestEmbedded holds the embedded directory to what the real servers do.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	const suffix, service, secret = "dc=example,dc=com", "cn=portico,dc=example,dc=com", "portico-service"
	server, err := embedded.New(embedded.Config{
		Suffix: suffix, ServiceDN: service, ServicePassword: secret, DefaultPolicy: "cn=default,ou=policies," + suffix, MemberOf: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	base := "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n" +
		"dn: ou=policies,dc=example,dc=com\nobjectClass: organizationalUnit\nou: policies\n\n" +
		"dn: cn=default,ou=policies,dc=example,dc=com\nobjectClass: applicationProcess\nobjectClass: pwdPolicy\ncn: default\n" +
		"pwdAttribute: userPassword\npwdLockout: TRUE\npwdLockoutDuration: 900\npwdMaxFailure: 5\npwdMustChange: TRUE\n\n"
	if err := errors.Join(server.LoadLDIF(strings.NewReader(base)), server.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	admin := func() (*ldap.Conn, error) {
		conn, err := ldap.DialURL(server.URL())
		if err != nil {
			return nil, err
		}
		if err := conn.Bind(service, secret); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
	where, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		config: configs.DefaultDirectory(), life: embeddedLife{server}, addr: where.Host, admin: admin,
		layout: layout{
			root: suffix, prepare: peopleAndGroups, person: inetOrgPerson, group: groupOf("groupOfNames"), container: organizationalUnit,
			personRDN: "uid", groupRDN: "cn", containerRDN: "ou", member: "member", placeholder: true,
		},
		traits: traits{
			syncrepl: true, nested: true, dangling: true, managers: true, twoUIDs: true, refint: true, silentRefint: true,
			failedBinds: 5,
			unlock:      func(dn string) error { return unlockEmbedded(admin, dn) },
			foreign:     []string{"rid=000,csn=20380101000000.000000Z#000000#001#000000", "rid=000,csn=20000101000000.000000Z#000000#001#000000"},
		},
		states:  statesEmbedded(server, admin),
		writing: &writing{lock: writer.LockPPolicy, emptyGroup: mapping.EmptyGroupDN},
	}
	f.config.Preset, f.config.PasswordPolicy = "openldap", "cn=default,ou=policies,"+suffix
	f.config.URLs, f.config.BindDN, f.config.BindPassword = []string{server.URL()}, service, configs.NewSecret(secret)
	run(t, f)
}

// embeddedLife ends and starts it; it knows one way to end.
type embeddedLife struct{ server *embedded.Server }

func (l embeddedLife) Kill()                       { _ = l.server.Close() }
func (l embeddedLife) Stop()                       { _ = l.server.Close() }
func (l embeddedLife) Start(context.Context) error { return l.server.Start() }

// unlockEmbedded sets the password anew, which ends a lock.
func unlockEmbedded(admin func() (*ldap.Conn, error), dn string) error {
	conn, err := admin()
	if err != nil {
		return err
	}
	defer conn.Close()
	req := ldap.NewModifyRequest(dn, []ldap.Control{ldap.NewControlString("1.3.6.1.4.1.4203.666.5.12", false, "")})
	req.Replace("pwdAccountLockedTime", nil)
	return conn.Modify(req)
}

// statesEmbedded are those of ppolicy under the default policy: the person is
// loaded anew with operational attributes.
func statesEmbedded(server *embedded.Server, admin func() (*ldap.Conn, error)) []accountState {
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format("20060102150405Z") }
	loaded := func(lines func() string) func(t testing.TB, dn, password string) {
		return func(t testing.TB, dn, secret string) {
			t.Helper()
			conn, err := admin()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Del(ldap.NewDelRequest(dn, nil)); err != nil {
				t.Fatal(err)
			}
			uid, _, _ := strings.Cut(strings.TrimPrefix(dn, "uid="), ",")
			ldif := fmt.Sprintf("dn: %s\nobjectClass: inetOrgPerson\nuid: %s\ncn: Person %s\nsn: Family\nuserPassword: %s\n%s\n", dn, uid, uid, secret, lines())
			if err := server.LoadLDIF(strings.NewReader(ldif)); err != nil {
				t.Fatal(err)
			}
		}
	}
	locked, wrong := directory.VerdictLocked, directory.VerdictWrong
	return []accountState{
		{name: "normal", prepare: func(testing.TB, string, string) {}, right: directory.VerdictSignedIn, wrong: wrong, proof: true},
		{
			name: "disabled", want: "disabled", attribute: "pwdAccountLockedTime", value: "000001010000Z", right: locked, wrong: locked,
			prepare: loaded(func() string { return "pwdAccountLockedTime: 000001010000Z\n" }),
		},
		{
			name: "lock runs out", want: "locked", attribute: "pwdAccountLockedTime", right: locked, wrong: locked, passes: true,
			prepare: loaded(func() string { return "pwdAccountLockedTime: " + ago(898*time.Second) + "\n" }),
		},
		{
			name: "must change", want: "change", attribute: "pwdReset", value: "TRUE", right: directory.VerdictMustChange, wrong: wrong, proof: true,
			prepare: loaded(func() string { return "pwdReset: TRUE\n" }),
		},
		{
			name: "disabled and must change", want: "disabled+change", attribute: "pwdAccountLockedTime", right: locked, wrong: locked,
			prepare: loaded(func() string { return "pwdReset: TRUE\npwdAccountLockedTime: 000001010000Z\n" }),
		},
	}
}
