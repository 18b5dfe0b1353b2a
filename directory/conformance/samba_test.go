package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/directory"
	"portico/directory/writer"
	"portico/testenv"
)

func TestSamba(t *testing.T) {
	t.Parallel()
	// A login name is one in the whole domain: each case has a domain of its own.
	run(t, &fixture{each: sambaFixture})
}

// sambaFixture is Active Directory, played by Samba, over LDAPS.
func sambaFixture(t *testing.T) *fixture {
	t.Helper()
	server := testenv.Samba(t)
	f := &fixture{
		config: configs.DefaultDirectory(), life: server, admin: server.DialAdmin,
		layout: layout{
			root:    "OU=People," + server.BaseDN, // below it the service account may write
			prepare: branchOfDomain, person: adUser, group: adGroup, container: adUnit,
			personRDN: "CN", groupRDN: "CN", groupName: "sAMAccountName", containerRDN: "OU", member: "member",
		},
		traits: traits{
			nested: true, managers: true, refint: true, silentRefint: true, failedBinds: 3,
			unlock: func(dn string) error {
				admin, err := server.DialAdmin()
				if err != nil {
					return err
				}
				defer admin.Close()
				change := ldap.NewModifyRequest(dn, nil)
				change.Replace("lockoutTime", []string{"0"})
				return admin.Modify(change)
			},
			foreign: []string{"rid=000,csn=20260101120000.000000Z#000000#001#000000", "localhost:389#cn=x:dc=y:(objectClass=*)#5"},
		},
		states:  statesAD(server),
		writing: &writing{lock: writer.LockUAC, refs: true, ad: true},
	}
	f.config.Preset = "activedirectory"
	f.config.URLs, f.config.TLS.CAFile = []string{server.LDAPSURL()}, server.CAFile
	f.config.BindDN, f.config.BindPassword = server.ServiceDN, configs.NewSecret(server.ServicePassword)
	return f
}

// TestAbuse_A13_A18_ActiveDirectory: with the interval that a configuration has by
// default an account that is disabled, locked or deleted is so for everybody who
// asks within two seconds, and signs in nowhere.
func TestAbuse_A13_A18_ActiveDirectory(t *testing.T) {
	t.Parallel()
	f := sambaFixture(t)
	w := newWorld(t, f)
	w.feeds.Interval, w.feeds.Sweep = 0, 0
	w.addPerson("kept")
	w.remove(w.addPerson("early")) // so that deletions are seen
	ways := map[string]func(dn string){
		"disabled": func(dn string) { w.modify(dn, "userAccountControl", "514") },
		"over":     func(dn string) { w.modify(dn, "accountExpires", fileTime(time.Now().Add(-time.Minute))) },
		"locked":   func(dn string) { lockOut(t, f.life.(*testenv.SambaServer), dn) },
		"change":   func(dn string) { w.modify(dn, "pwdLastSet", "0") },
		"deleted":  w.remove,
	}
	for name := range ways {
		w.addPerson(name)
	}
	w.following()
	for name, end := range ways {
		e := w.somebody(name)
		if r, _ := w.pop.Authenticate(t.Context(), e, password(name)); !r.SignedIn() {
			t.Fatalf("%s cannot sign in at first: %+v", name, r)
		}
		began := time.Now()
		end(e.DN)
		w.eventually(name+" is known", func() bool {
			now := w.login(name)
			return now == nil || stateText(w.pop.State(t.Context(), now, time.Now())) != ""
		})
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s is known after %s", name, took)
		}
		if r, _ := w.pop.Authenticate(t.Context(), e, password(name)); r.SignedIn() {
			t.Errorf("%s signs in: %+v", name, r)
		}
	}
	if r, _ := w.pop.Authenticate(t.Context(), w.somebody("kept"), password("kept")); !r.SignedIn() {
		t.Errorf("who was left alone cannot sign in: %+v", r)
	}
}

// branchOfDomain is a unit with one for people and one for groups.
func branchOfDomain(t testing.TB, admin *ldap.Conn, base string, _ *configs.Directory) (people, groups string) {
	t.Helper()
	people, groups = "OU=People,"+base, "OU=Groups,"+base
	for _, dn := range []string{base, people, groups} {
		if err := admin.Add(adUnit(dn, "")); err != nil {
			t.Fatalf("add %s: %v", dn, err)
		}
	}
	return people, groups
}

func adUnit(dn, _ string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"organizationalUnit"})
	return req
}

func adUser(dn, login, password string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"user"})
	req.Attribute("sAMAccountName", []string{login})
	req.Attribute("unicodePwd", []string{testenv.UnicodePassword(password)})
	req.Attribute("userAccountControl", []string{"512"})
	return req
}

func adGroup(dn, name string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"group"})
	req.Attribute("sAMAccountName", []string{name})
	return req
}

// fileTime is a moment in Active Directory's units.
func fileTime(t time.Time) string { return fmt.Sprint((t.Unix() + 11644473600) * 10_000_000) }

// statesAD are the states of DR27 and the rest of them. Those which a right password
// proves are told by the sub-codes of the answer.
func statesAD(server *testenv.SambaServer) []accountState {
	set := func(pairs ...string) func(testing.TB, string, string) {
		return func(t testing.TB, dn, _ string) {
			t.Helper()
			replaceValues(t, server.DialAdmin, dn, pairs...)
		}
	}
	lock := func(t testing.TB, dn, _ string) { lockOut(t, server, dn) }
	hours := string(make([]byte, 21)) // no hour of the week
	disabled, wrong := directory.VerdictDisabled, directory.VerdictWrong
	return []accountState{
		{name: "normal", prepare: func(testing.TB, string, string) {}, right: directory.VerdictSignedIn, wrong: wrong, proof: true},
		{
			name: "disabled", prepare: set("userAccountControl", "514"),
			want: "disabled", attribute: "userAccountControl", value: "514", right: disabled, wrong: wrong, proof: true,
		},
		{
			name: "locked", prepare: lock,
			want: "locked", attribute: "lockoutTime", right: directory.VerdictLocked, wrong: directory.VerdictLocked,
		},
		{
			name: "must change", prepare: set("pwdLastSet", "0"),
			want: "change", attribute: "pwdLastSet", value: "0", right: directory.VerdictMustChange, wrong: wrong, proof: true,
		},
		{
			name: "over", prepare: set("accountExpires", fileTime(time.Now().Add(-time.Hour))),
			want: "period", attribute: "accountExpires", right: disabled, wrong: wrong, proof: true,
		},
		{name: "not over", prepare: set("accountExpires", fileTime(time.Now().Add(time.Hour))), right: directory.VerdictSignedIn, wrong: wrong, proof: true},
		{
			name: "expired", prepare: func(t testing.TB, dn, secret string) { expire(t, server, dn, secret) },
			want: "expired", attribute: "msDS-UserPasswordExpiryTimeComputed", right: directory.VerdictPasswordExpired, wrong: wrong, proof: true,
		},
		{
			name: "never expires", prepare: func(t testing.TB, dn, secret string) {
				expire(t, server, dn, secret)
				replaceValues(t, server.DialAdmin, dn, "userAccountControl", "66048")
			},
			right: directory.VerdictSignedIn, wrong: wrong, proof: true,
		},
		{name: "no hours", prepare: set("logonHours", hours), right: disabled, wrong: wrong, proof: true},
		{name: "other workstation", prepare: set("userWorkstations", "ELSEWHERE"), right: disabled, wrong: wrong, proof: true},
		{
			name: "disabled and must change", prepare: set("userAccountControl", "514", "pwdLastSet", "0"),
			want: "disabled+change", attribute: "userAccountControl", right: disabled, wrong: wrong, proof: true,
		},
		{
			name: "expired and locked", prepare: func(t testing.TB, dn, secret string) {
				expire(t, server, dn, secret)
				lockOut(t, server, dn)
			},
			want: "locked+expired", attribute: "lockoutTime", right: directory.VerdictLocked, wrong: directory.VerdictLocked,
		},
	}
}

// lockOut binds with wrong passwords until the account is locked.
func lockOut(t testing.TB, server *testenv.SambaServer, dn string) {
	t.Helper()
	conn, err := server.DialAdmin()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 3 {
		if err := conn.Bind(dn, "wrong"); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
			t.Fatalf("bind with a wrong password: %v", err)
		}
	}
}

// expire sets the password as if it had been done long ago.
func expire(t testing.TB, server *testenv.SambaServer, dn, secret string) {
	t.Helper()
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.SetPasswordAgo(parsed.RDNs[0].Attributes[0].Value, secret, "60 days ago"); err != nil {
		t.Fatal(err)
	}
}
