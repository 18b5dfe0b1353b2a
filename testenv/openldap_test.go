package testenv_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

// dial connects without a bind and closes with the test.
func dial(t *testing.T, url string, options ...ldap.DialOpt) *ldap.Conn {
	t.Helper()
	conn, err := ldap.DialURL(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	conn.SetTimeout(10 * time.Second)
	return conn
}

// bind expects an LDAP result code.
func bind(t *testing.T, conn *ldap.Conn, dn, password string, code uint16) {
	t.Helper()
	err := conn.Bind(dn, password)
	if code == ldap.LDAPResultSuccess && err != nil {
		t.Fatalf("bind as %s: %v", dn, err)
	}
	if code != ldap.LDAPResultSuccess && !ldap.IsErrorWithCode(err, code) {
		t.Fatalf("bind as %s: %v, want code %d", dn, err, code)
	}
}

// count counts the entries that the connection sees below a base.
func count(t *testing.T, conn *ldap.Conn, base, filter string) int {
	t.Helper()
	found, err := conn.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		filter, []string{"1.1"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	return len(found.Entries)
}

const twoPeople = `
dn: uid=jdoe,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: jdoe
cn: Jane Doe
sn: Doe
userPassword: secret
# a comment
mail: jane@example.com
mail: jane.doe@exam
 ple.com

dn: uid=zoe,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: zoe
cn:: Wm/DqQ==
sn: Roe
manager: uid=jdoe,ou=people,dc=example,dc=com
`

func TestOpenLDAP_ServiceAccount(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t)
	conn := dial(t, server.URL())
	bind(t, conn, server.ServiceDN, server.ServicePassword, ldap.LDAPResultSuccess)
	if n := count(t, conn, server.BaseDN, "(objectClass=*)"); n != 7 {
		t.Errorf("a fresh server holds %d entries, want 7", n)
	}
}

func TestOpenLDAP_TLS(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t)
	trust := &tls.Config{RootCAs: server.CA.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	bind(t, dial(t, server.LDAPSURL(), ldap.DialWithTLSConfig(trust)), server.AdminDN, server.AdminPassword, 0)
	conn := dial(t, server.URL())
	if err := conn.StartTLS(trust); err != nil {
		t.Fatal(err)
	}
	bind(t, conn, server.AdminDN, server.AdminPassword, 0)
	other := testenv.Certificates(t)
	if _, err := ldap.DialURL(server.LDAPSURL(), ldap.DialWithTLSConfig(&tls.Config{RootCAs: other.Pool(), MinVersion: tls.VersionTLS12})); err == nil {
		t.Error("a certificate of an unknown authority was accepted")
	}
}

func TestOpenLDAP_ServerCertificates(t *testing.T) {
	t.Parallel()
	ca := testenv.Certificates(t)
	for name, certificate := range map[string]testenv.Certificate{
		"expired": ca.Expired(t, "127.0.0.1"), "doesn't contain any IP": ca.WrongName(t),
	} {
		server := testenv.OpenLDAP(t, testenv.WithServerCertificate(certificate))
		trust := &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}
		_, err := ldap.DialURL(server.LDAPSURL(), ldap.DialWithTLSConfig(trust))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s certificate: %v", name, err)
		}
	}
}

func TestOpenLDAP_RequiredTLS(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t, testenv.WithRequiredTLS())
	bind(t, dial(t, server.URL()), server.ServiceDN, server.ServicePassword, ldap.LDAPResultConfidentialityRequired)
	trust := &tls.Config{RootCAs: server.CA.Pool(), MinVersion: tls.VersionTLS12}
	bind(t, dial(t, server.LDAPSURL(), ldap.DialWithTLSConfig(trust)), server.ServiceDN, server.ServicePassword, 0)
	server.Admin(t)
}

func TestOpenLDAP_Overlays(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t)
	group := "\ndn: cn=staff,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: staff\n" +
		"member: uid=jdoe,ou=people,dc=example,dc=com\n"
	if err := server.Add(twoPeople + group); err != nil {
		t.Fatal(err)
	}
	admin := server.Admin(t)
	if n := count(t, admin, server.BaseDN, "(memberOf=cn=staff,ou=groups,dc=example,dc=com)"); n != 1 {
		t.Errorf("%d entries have memberOf, want 1", n)
	}
	if n := count(t, admin, server.BaseDN, "(&(cn=Zoé)(manager=*))"); n != 1 {
		t.Errorf("%d people found by a name in base64, want 1", n)
	}
	if err := admin.Del(ldap.NewDelRequest("uid=jdoe,ou=people,dc=example,dc=com", nil)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, admin, server.BaseDN, "(manager=uid=jdoe,ou=people,dc=example,dc=com)"); n != 0 {
		t.Error("the manager that was deleted is still referred to")
	}
}

func TestOpenLDAP_PasswordPolicy(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t, testenv.WithLDIF(strings.NewReader(twoPeople)))
	if err := server.SetPolicy(map[string]string{"pwdMaxFailure": "1"}); err != nil {
		t.Fatal(err)
	}
	const dn = "uid=jdoe,ou=people,dc=example,dc=com"
	conn := dial(t, server.URL())
	bind(t, conn, dn, "secret", 0)
	bind(t, conn, dn, "wrong", ldap.LDAPResultInvalidCredentials)
	bind(t, conn, dn, "secret", ldap.LDAPResultInvalidCredentials)
	if err := server.SetOperational(dn, "pwdAccountLockedTime"); err != nil {
		t.Fatal(err)
	}
	bind(t, conn, dn, "secret", 0)
	if err := server.SetOperational(dn, "pwdChangedTime", "20200101000000Z"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		bind(t, conn, server.ServiceDN, "wrong", ldap.LDAPResultInvalidCredentials)
	}
	bind(t, conn, server.ServiceDN, server.ServicePassword, 0)
}

func TestOpenLDAP_SizeLimitOfService(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t, testenv.WithServiceSizeLimit(3))
	conn := dial(t, server.URL())
	bind(t, conn, server.ServiceDN, server.ServicePassword, 0)
	_, err := conn.Search(ldap.NewSearchRequest(server.BaseDN, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)", nil, nil))
	if !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		t.Errorf("search: %v, want size limit exceeded", err)
	}
}

func TestOpenLDAP_AnonymousBinds(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t, testenv.WithAnonymousBinds())
	conn := dial(t, server.URL())
	bind(t, conn, "", "whatever", 0)
}

func TestOpenLDAP_KillAndRestart(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t)
	url := server.URL()
	if err := server.Add(twoPeople); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if _, err := ldap.DialURL(url); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, server.Admin(t), server.BaseDN, "(uid=*)"); n != 2 || server.URL() != url {
		t.Errorf("%d people at %s after the restart, want 2 at %s", n, server.URL(), url)
	}
	more := strings.NewReader("dn: ou=more,dc=example,dc=com\nobjectClass: organizationalUnit\nou: more\n")
	if err := server.Load(more); err != nil {
		t.Fatal(err)
	}
	if n := count(t, server.Admin(t), server.BaseDN, "(ou=more)"); n != 1 {
		t.Errorf("%d loaded entries, want 1", n)
	}
}

func TestOpenLDAP_Pause(t *testing.T) {
	t.Parallel()
	server := testenv.OpenLDAP(t)
	conn := dial(t, server.URL())
	server.Pause()
	conn.SetTimeout(50 * time.Millisecond)
	if err := conn.Bind(server.AdminDN, server.AdminPassword); !ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
		t.Errorf("bind to a paused server: %v", err)
	}
	server.Resume()
	bind(t, dial(t, server.URL()), server.AdminDN, server.AdminPassword, 0)
}

func TestOpenLDAP_SeveralAtOnce(t *testing.T) {
	t.Parallel()
	one, two := testenv.OpenLDAP(t), testenv.OpenLDAP(t, testenv.WithBaseDN("dc=branch,dc=example,dc=org"))
	bind(t, dial(t, one.URL()), one.ServiceDN, one.ServicePassword, 0)
	bind(t, dial(t, two.URL()), two.ServiceDN, two.ServicePassword, 0)
	if one.URL() == two.URL() || one.BaseDN == two.BaseDN {
		t.Error("two servers are one")
	}
}

func TestStartOpenLDAP_Faults(t *testing.T) {
	t.Parallel()
	_, err := testenv.StartOpenLDAP(t.Context(), testenv.LDAPOptions{GlobalConfig: []string{"nonsense"}})
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a faulty configuration: %v, want an error that shows what slapd says", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := testenv.StartOpenLDAP(ended, testenv.LDAPOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}
