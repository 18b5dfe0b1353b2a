package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/testenv"
)

// checked runs "portico check" in front of a server and gives what it says.
func checked(t *testing.T, preset, url, bindDN, password, base, caFile, more string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "portico.yaml")
	text := fmt.Sprintf("listen: 127.0.0.1:0\ndata_dir: %q\ndirectories:\n  - name: corp\n    preset: %s\n    urls: [%q]\n"+
		"    start_tls: %v\n    tls: {ca_file: %q}\n    bind_dn: %q\n    bind_password: %q\n    base_dn: %q\n%s",
		filepath.Join(dir, "data"), preset, url, strings.HasPrefix(url, "ldap:"), caFile, bindDN, password, base, more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, errOut := command(t, "check", "--config", path)
	return out + errOut
}

func wants(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Errorf("check does not say %q:\n%s", word, out)
		}
	}
}

// misspelt is a filter with an attribute that no server knows.
const misspelt = "    users: {filter: (&(objectClass=person)(emploeeType=*))}\n"

func ldifPeople(parent string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "dn: uid=p%d,%s\nobjectClass: inetOrgPerson\nuid: p%d\ncn: P %d\nsn: P\n\n", i, parent, i, i)
	}
	return b.String()
}

func TestDR30_CheckOpenLDAP(t *testing.T) {
	t.Parallel()
	ca := testenv.Certificates(t)
	soon, err := ca.Issue(testenv.CertificateRequest{NotAfter: time.Now().Add(5 * 24 * time.Hour)})
	must(t, err)
	s := testenv.OpenLDAP(t, testenv.WithServiceSizeLimit(20), testenv.WithoutSyncprov(), testenv.WithServerCertificate(soon),
		testenv.WithLDIF(strings.NewReader(ldifPeople("ou=people,dc=example,dc=com", 40))))
	run := func(preset, more string) string {
		return checked(t, preset, s.URL(), s.ServiceDN, s.ServicePassword, s.BaseDN, ca.File, more)
	}
	wants(t, run("openldap", ""), "limits dn.exact", "size=unlimited", "overlay syncprov", "runs out on", "password_policy: DN")
	wants(t, run("openldap", misspelt), "emploeeType")
	wants(t, run("389ds", ""), "preset: openldap", "the server is OpenLDAP")
}

func TestDR30_Check389(t *testing.T) {
	t.Parallel()
	s := testenv.DS389(t, testenv.With389ServiceSizeLimit(20), testenv.With389LDIF(ldifPeople("ou=people,dc=example,dc=com", 40)),
		testenv.With389Options(func(o *testenv.DS389Options) { o.NoContentSync = true }))
	run := func(preset, more string) string {
		return checked(t, preset, s.URL(), s.ServiceDN, s.ServicePassword, s.BaseDN, s.CAFile, more)
	}
	wants(t, run("389ds", ""), "nsSizeLimit: -1", "nsLookThroughLimit", "plugin contentsync enable")
	wants(t, run("389ds", misspelt), "emploeeType")
	wants(t, run("openldap", ""), "preset: 389ds", "the server is 389 DS")
}

func TestDR30_CheckFreeIPALayout(t *testing.T) {
	t.Parallel()
	s := testenv.DS389(t, testenv.WithFreeIPA(), testenv.With389LDIF("dn: uid=ann,cn=users,cn=accounts,dc=example,dc=com\n"+
		"objectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: ipaObject\nuid: ann\ncn: Ann\nsn: Ann\nuidNumber: 1\n"+
		"gidNumber: 1\nhomeDirectory: /home/ann\nipaUniqueID: 1\n"))
	wants(t, checked(t, "389ds", s.URL(), s.ServiceDN, s.ServicePassword, s.BaseDN, s.CAFile, ""), "preset: freeipa")
	wants(t, checked(t, "freeipa", s.URL(), s.ServiceDN, s.ServicePassword, s.BaseDN, s.CAFile, ""), "ok       directory corp: preset freeipa")
}

func TestDR30_CheckActiveDirectory(t *testing.T) {
	t.Parallel()
	s := testenv.Samba(t, testenv.WithWeakService())
	run := func(preset, more string) string {
		return checked(t, preset, s.LDAPSURL(), s.ServiceDN, s.ServicePassword, s.BaseDN, s.CAFile, more)
	}
	wants(t, run("activedirectory", "    write: {enabled: true, user_container: \"OU=People,"+s.BaseDN+"\"}\n"),
		"dsacls", "no deleted object", "could not be made", "the right to write below")
	wants(t, run("activedirectory", misspelt), "emploeeType")
	wants(t, run("openldap", ""), "preset: activedirectory")
}
