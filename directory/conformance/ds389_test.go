package conformance

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/directory"
	"portico/directory/writer"
	"portico/testenv"
)

func TestDS389(t *testing.T) {
	t.Parallel()
	run(t, ds389Fixture(t))
}

// ds389Fixture is 389 Directory Server with people as inetOrgPerson.
func ds389Fixture(t *testing.T) *fixture {
	t.Helper()
	return ds389For(testenv.DS389(t, policies389))
}

func ds389For(server *testenv.DS389Server) *fixture {
	f := &fixture{
		config: configs.DefaultDirectory(), life: server, addr: server.Address(), admin: server.DialAdmin,
		layout: layout{
			root: server.BaseDN, prepare: peopleAndGroups, person: inetOrgPerson, group: groupOf("groupOfNames"), container: organizationalUnit,
			personRDN: "uid", groupRDN: "cn", containerRDN: "ou", member: "member",
		},
		traits:  traits389(server),
		states:  states389(server),
		writing: &writing{lock: writer.LockNS},
	}
	f.config.Preset = "389ds"
	reach389(&f.config, server)
	return f
}

// reach389 is how to connect.
func reach389(d *configs.Directory, server *testenv.DS389Server) {
	d.URLs, d.StartTLS, d.TLS.CAFile = []string{server.URL()}, true, server.CAFile
	d.BindDN, d.BindPassword = server.ServiceDN, configs.NewSecret(server.ServicePassword)
}

// peopleAndGroups is the usual tree: a base with ou=people and ou=groups.
func peopleAndGroups(t testing.TB, admin *ldap.Conn, base string, _ *configs.Directory) (people, groups string) {
	t.Helper()
	people, groups = "ou=people,"+base, "ou=groups,"+base
	for _, dn := range []string{base, people, groups} {
		if err := admin.Add(organizationalUnit(dn, "")); err != nil {
			t.Fatalf("add %s: %v", dn, err)
		}
	}
	return people, groups
}

func organizationalUnit(dn, _ string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"organizationalUnit"})
	if parsed, err := ldap.ParseDN(dn); err == nil {
		req.Attribute("ou", []string{parsed.RDNs[0].Attributes[0].Value})
	}
	return req
}

func inetOrgPerson(dn, login, password string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"inetOrgPerson"})
	req.Attribute("uid", []string{login})
	req.Attribute("cn", []string{"Person " + login})
	req.Attribute("sn", []string{"Family"})
	req.Attribute("userPassword", []string{password})
	return req
}

func groupOf(classes ...string) func(dn, name string) *ldap.AddRequest {
	return func(dn, name string) *ldap.AddRequest {
		req := ldap.NewAddRequest(dn, nil)
		req.Attribute("objectClass", classes)
		req.Attribute("cn", []string{name})
		return req
	}
}

const config389 = "cn=config"

// policies389 is the password policy of all 389 servers of the suite. A policy of
// its own for an entry is found by nsslapd-pwpolicy-local.
func policies389(o *testenv.DS389Options) {
	o.Config = map[string]map[string]string{config389: {
		"passwordLockout": "on", "passwordMaxFailure": "3", "passwordLockoutDuration": "3600", "passwordUnlock": "on",
		"passwordExp": "on", "passwordMaxAge": "8640000", "passwordSendExpiringTime": "off",
		"nsslapd-pwpolicy-local": "on",
	}}
}

func traits389(server *testenv.DS389Server) traits {
	return traits{
		syncrepl: true, reconciles: true, nested: true, dangling: true, managers: true, twoUIDs: true, refint: true, sevenBit: true,
		failedBinds: 3,
		unlock: func(dn string) error {
			return errors.Join(server.Set(dn, "accountUnlockTime"), server.Set(dn, "passwordRetryCount", "0"))
		},
		sizeLimit: func(t testing.TB, entries int) {
			limit := []string{"-1"}
			if entries > 0 {
				limit = []string{fmt.Sprint(entries)}
			}
			if err := server.Set(server.ServiceDN, "nsSizeLimit", limit...); err != nil {
				t.Fatal(err)
			}
		},
		foreign: []string{
			"rid=000,csn=20260101120000.000000Z#000000#001#000000",
			"elsewhere:389#cn=portico,dc=example,dc=com:dc=example,dc=com:(objectClass=*)#5",
			"localhost:389#cn=portico,dc=example,dc=com:dc=example,dc=com:(objectClass=*)#99999999",
		},
		trim: func(t testing.TB) { trimChangelog(t, server) },
	}
}

// trimChangelog has the server forget all changes but the last.
func trimChangelog(t testing.TB, server *testenv.DS389Server) {
	t.Helper()
	const retro = "cn=Retro Changelog Plugin,cn=plugins,cn=config"
	replaceValues(t, server.DialAdmin, retro, "nsslapd-changelogmaxage", "1s", "nsslapd-changelog-trim-interval", "1")
	server.Kill()
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		conn, err := server.DialAdmin()
		if err != nil {
			t.Fatal(err)
		}
		found, err := conn.Search(ldap.NewSearchRequest("cn=changelog", ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false,
			"(changeNumber=*)", []string{"1.1"}, nil))
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		if len(found.Entries) < 2 {
			replaceValues(t, server.DialAdmin, retro, "nsslapd-changelogmaxage", "", "nsslapd-changelog-trim-interval", "")
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the change log is not trimmed")
}

// states389 are the states that 389 Directory Server itself enforces.
func states389(server *testenv.DS389Server) []accountState {
	set := func(t testing.TB, dn string, pairs ...string) {
		t.Helper()
		replaceValues(t, server.DialAdmin, dn, pairs...)
	}
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("20060102150405Z") }
	return []accountState{
		{name: "normal", prepare: func(testing.TB, string, string) {}, right: directory.VerdictSignedIn, wrong: directory.VerdictWrong, proof: true},
		{
			name: "disabled", prepare: func(t testing.TB, dn, _ string) { set(t, dn, "nsAccountLock", "true") },
			want: "disabled", attribute: "nsAccountLock", value: "true", right: directory.VerdictDisabled, wrong: directory.VerdictDisabled,
		},
		{
			name: "locked for a while", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "accountUnlockTime", in(time.Hour), "passwordRetryCount", "3")
			},
			want: "locked", attribute: "accountUnlockTime", right: directory.VerdictLocked, wrong: directory.VerdictLocked,
		},
		{
			name: "lock runs out", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "accountUnlockTime", in(2*time.Second), "passwordRetryCount", "3")
			},
			want: "locked", attribute: "accountUnlockTime", right: directory.VerdictLocked, wrong: directory.VerdictLocked, passes: true,
		},
		{
			name: "locked for good", prepare: func(t testing.TB, dn, _ string) {
				policy389(t, server, dn, "passwordLockout", "on", "passwordUnlock", "off", "passwordMaxFailure", "3")
				set(t, dn, "accountUnlockTime", "19700101000000Z", "passwordRetryCount", "3")
			},
			want: "locked", attribute: "accountUnlockTime", value: "19700101000000Z", right: directory.VerdictLocked, wrong: directory.VerdictLocked,
		},
		{
			name: "old lock", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "accountUnlockTime", in(-time.Hour), "passwordRetryCount", "3")
			},
			right: directory.VerdictSignedIn, wrong: directory.VerdictWrong, proof: true,
		},
		{
			name: "expired", prepare: func(t testing.TB, dn, _ string) { set(t, dn, "passwordExpirationTime", in(-time.Hour)) },
			want: "expired", attribute: "passwordExpirationTime", right: directory.VerdictPasswordExpired, wrong: directory.VerdictWrong, proof: true,
		},
		{
			name: "must change", prepare: func(t testing.TB, dn, secret string) { resetBy389(t, server, dn, secret) },
			want: "change", attribute: "passwordExpirationTime", right: directory.VerdictMustChange, wrong: directory.VerdictWrong, proof: true,
		},
		{
			name: "grace left", prepare: func(t testing.TB, dn, _ string) {
				policy389(t, server, dn, "passwordExp", "on", "passwordMaxAge", "8640000", "passwordGraceLimit", "3")
				set(t, dn, "passwordExpirationTime", in(-time.Hour))
			},
			want: "expired", attribute: "passwordExpirationTime", right: directory.VerdictGrace, wrong: directory.VerdictWrong, proof: true,
		},
		{
			name: "disabled and must change", prepare: func(t testing.TB, dn, secret string) {
				resetBy389(t, server, dn, secret)
				set(t, dn, "nsAccountLock", "true")
			},
			want: "disabled+change", attribute: "nsAccountLock", right: directory.VerdictDisabled, wrong: directory.VerdictDisabled,
		},
		{
			name: "expired and locked", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "passwordExpirationTime", in(-time.Hour), "accountUnlockTime", in(time.Hour), "passwordRetryCount", "3")
			},
			want: "locked+expired", attribute: "accountUnlockTime", right: directory.VerdictLocked, wrong: directory.VerdictLocked,
		},
	}
}

// policy389 gives a person a password policy of his own.
func policy389(t testing.TB, server *testenv.DS389Server, dn string, pairs ...string) {
	t.Helper()
	conn, err := server.DialAdmin()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		t.Fatal(err)
	}
	name := "cn=policy of " + ldap.EscapeDN(parsed.RDNs[0].Attributes[0].Value) + "," + server.BaseDN
	req := ldap.NewAddRequest(name, nil)
	req.Attribute("objectClass", []string{"ldapSubentry", "passwordPolicy"})
	for i := 0; i+1 < len(pairs); i += 2 {
		req.Attribute(pairs[i], []string{pairs[i+1]})
	}
	if err := conn.Add(req); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
		t.Fatal(err)
	}
	replaceValues(t, server.DialAdmin, dn, "pwdPolicySubentry", name)
}

// resetBy389 has an administrator set the password of somebody whose policy says
// that he must then change it.
func resetBy389(t testing.TB, server *testenv.DS389Server, dn, secret string) {
	t.Helper()
	policy389(t, server, dn, "passwordMustChange", "on", "passwordExp", "on", "passwordMaxAge", "8640000")
	replaceValues(t, server.DialAdmin, dn, "userPassword", secret)
}
