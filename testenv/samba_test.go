package testenv_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

const sambaPerson = `
dn: CN=Jane Doe,OU=People,DC=samdom,DC=example,DC=com
objectClass: user
sAMAccountName: jdoe
userPrincipalName: jdoe@samdom.example.com
clearPassword: secret
`

// dialSamba connects over TLS and checks the certificate.
func dialSamba(t *testing.T, server *testenv.SambaServer) *ldap.Conn {
	t.Helper()
	return dial(t, server.LDAPSURL(), ldap.DialWithTLSConfig(&tls.Config{RootCAs: server.CA.Pool(), MinVersion: tls.VersionTLS12}))
}

func TestSamba(t *testing.T) {
	t.Parallel()
	server := testenv.Samba(t)
	if err := server.Add(sambaPerson); err != nil {
		t.Fatal(err)
	}
	conn := dialSamba(t, server)
	bind(t, conn, "jdoe@samdom.example.com", "secret", 0)
	bind(t, conn, "jdoe@samdom.example.com", "wrong", ldap.LDAPResultInvalidCredentials)
	bind(t, conn, server.ServiceDN, server.ServicePassword, 0)
	bind(t, dial(t, server.URL()), server.ServiceDN, server.ServicePassword, ldap.LDAPResultStrongAuthRequired)

	// The service account may write people and see what was deleted.
	const dn = "CN=Jane Doe,OU=People,DC=samdom,DC=example,DC=com"
	change := ldap.NewModifyRequest(dn, nil)
	change.Replace("displayName", []string{"Jane"})
	change.Replace("unicodePwd", []string{testenv.UnicodePassword("other")})
	if err := conn.Modify(change); err != nil {
		t.Errorf("the service account may not change a person: %v", err)
	}
	if err := conn.ModifyDN(ldap.NewModifyDNRequest(dn, "CN=Jane Roe", true, "")); err != nil {
		t.Errorf("the service account may not rename a person: %v", err)
	}
	if err := conn.Del(ldap.NewDelRequest("CN=Jane Roe,OU=People,DC=samdom,DC=example,DC=com", nil)); err != nil {
		t.Errorf("the service account may not delete a person: %v", err)
	}
	if n := tombstones(t, conn); n != 1 {
		t.Errorf("the service account sees %d deleted people, want 1", n)
	}

	// Expired by a false clock.
	if err := server.Add(sambaPerson); err != nil {
		t.Fatal(err)
	}
	if err := server.SetPasswordAgo("jdoe", "older", "60 days ago"); err != nil {
		t.Fatal(err)
	}
	err := conn.Bind("jdoe@samdom.example.com", "older")
	if err == nil || !strings.Contains(err.Error(), "data 532") {
		t.Errorf("bind with an expired password: %v", err)
	}
}

// tombstones counts the deleted users that a connection sees.
func tombstones(t *testing.T, conn *ldap.Conn) int {
	t.Helper()
	found, err := conn.Search(ldap.NewSearchRequest("CN=Deleted Objects,DC=samdom,DC=example,DC=com", ldap.ScopeSingleLevel,
		ldap.NeverDerefAliases, 0, 0, false, "(&(isDeleted=TRUE)(objectClass=user))", []string{"objectGUID"},
		[]ldap.Control{ldap.NewControlMicrosoftShowDeleted()}))
	if err != nil {
		t.Fatal(err)
	}
	return len(found.Entries)
}

func TestSamba_WeakService(t *testing.T) {
	t.Parallel()
	server := testenv.Samba(t, testenv.WithWeakService(), testenv.WithPlainBinds())
	if err := server.Add(sambaPerson); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, server.URL())
	bind(t, conn, server.ServiceDN, server.ServicePassword, 0)
	const dn = "CN=Jane Doe,OU=People,DC=samdom,DC=example,DC=com"
	if err := conn.Del(ldap.NewDelRequest(dn, nil)); !ldap.IsErrorWithCode(err, ldap.LDAPResultInsufficientAccessRights) {
		t.Errorf("a plain user deletes a person: %v", err)
	}
	if err := server.Admin(t).Del(ldap.NewDelRequest(dn, nil)); err != nil {
		t.Fatal(err)
	}
	if n := tombstones(t, conn); n != 0 {
		t.Errorf("a plain user sees %d deleted people", n)
	}
}

func TestSamba_KillRestartAndRestore(t *testing.T) {
	t.Parallel()
	server, other := testenv.Samba(t), testenv.Samba(t)
	if server.URL() == other.URL() {
		t.Fatal("two servers are one")
	}
	if err := server.Add(sambaPerson); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if _, err := ldap.DialURL(server.URL()); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	bind(t, dialSamba(t, server), "jdoe@samdom.example.com", "secret", 0)
	before := invocation(t, server)
	if err := server.Reincarnate(); err != nil {
		t.Fatal(err)
	}
	if after := invocation(t, server); after == before || after == "" {
		t.Errorf("invocation id %x after a restore, before it %x", after, before)
	}
	bind(t, dialSamba(t, other), "jdoe@samdom.example.com", "secret", ldap.LDAPResultInvalidCredentials)
}

// invocation reads the id of the domain controller's database.
func invocation(t *testing.T, server *testenv.SambaServer) string {
	t.Helper()
	conn := server.Admin(t)
	read := func(dn, attribute string) string {
		found, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{attribute}, nil))
		if err != nil {
			t.Fatal(err)
		}
		return found.Entries[0].GetAttributeValue(attribute)
	}
	return read(read("", "dsServiceName"), "invocationId")
}

func TestStartSamba_Faults(t *testing.T) {
	t.Parallel()
	broken := testenv.Certificate{CertFile: "/nowhere/c", KeyFile: "/nowhere/k"}
	server, err := testenv.StartSamba(t.Context(), testenv.SambaOptions{ServerCertificate: &broken})
	if err == nil {
		server.Close()
		t.Fatal("a server without a certificate started")
	}
	if missing, ok := errors.AsType[*testenv.MissingError](err); ok {
		t.Error(missing)
	}
}
