package testenv_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

// trust389 trusts the server's own authority.
func trust389(t *testing.T, server *testenv.DS389Server) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(server.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no authority in the file")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

func TestDS389(t *testing.T) {
	t.Parallel()
	server := testenv.DS389(t, testenv.With389LDIF(twoPeople))
	trust := trust389(t, server)
	bind(t, dial(t, server.LDAPSURL(), ldap.DialWithTLSConfig(trust)), server.ServiceDN, server.ServicePassword, 0)
	conn := dial(t, server.URL())
	if err := conn.StartTLS(trust); err != nil {
		t.Fatal(err)
	}
	bind(t, conn, server.ServiceDN, server.ServicePassword, 0)
	if n := count(t, conn, server.BaseDN, "(objectClass=person)"); n != 2 {
		t.Errorf("%d people, want 2", n)
	}
	group := "dn: cn=staff,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: staff\n" +
		"member: uid=jdoe,ou=people,dc=example,dc=com\n"
	if err := server.Add(group); err != nil {
		t.Fatal(err)
	}
	if n := count(t, conn, server.BaseDN, "(memberOf=cn=staff,ou=groups,dc=example,dc=com)"); n != 1 {
		t.Errorf("%d entries have memberOf, want 1", n)
	}
	if n := count(t, conn, "", "(&(supportedControl=1.3.6.1.4.1.4203.1.9.1.1)(lastChangeNumber=*))"); n > 1 {
		t.Errorf("%d root entries", n)
	}
	server.Kill()
	if _, err := ldap.DialURL(server.URL()); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, server.Admin(t), server.BaseDN, "(uid=*)"); n != 2 {
		t.Errorf("%d people after a crash, want 2", n)
	}
}

func TestDS389_FreeIPAAndSeveralAtOnce(t *testing.T) {
	t.Parallel()
	servers := make([]*testenv.DS389Server, 2)
	var all sync.WaitGroup
	for i := range servers {
		all.Go(func() {
			var err error
			if servers[i], err = testenv.StartDS389(t.Context(), testenv.DS389Options{FreeIPA: true}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, server := range servers {
		if server == nil {
			t.FailNow()
		}
		defer server.Close()
	}
	if err := servers[0].Set(servers[0].BaseDN, "description", "mine"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, servers[1].Admin(t), servers[1].BaseDN, "(description=mine)"); n != 0 {
		t.Error("two servers share their data")
	}
	if n := count(t, servers[1].Admin(t), servers[1].PeopleDN, "(objectClass=*)"); n != 1 {
		t.Errorf("%d entries in %s, want the container alone", n, servers[1].PeopleDN)
	}
}

func TestStartDS389_Faults(t *testing.T) {
	t.Parallel()
	_, err := testenv.StartDS389(t.Context(), testenv.DS389Options{
		Config: map[string]map[string]string{"cn=config": {"nsslapd-listenhost": "192.0.2.1"}}, // an address of nobody
	})
	if err == nil || !strings.Contains(err.Error(), "PR_Bind") {
		t.Errorf("a faulty configuration: %v, want an error that shows what ns-slapd says", err)
	}
}
