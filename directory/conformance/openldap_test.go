package conformance

import (
	"fmt"
	"hash/crc32"
	"maps"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/directory"
	"portico/directory/mapping"
	"portico/directory/writer"
	"portico/testenv"
)

// TestOpenLDAP is the layout of inetOrgPerson and groupOfNames.
func TestOpenLDAP(t *testing.T) {
	t.Parallel()
	run(t, openLDAPFixture(t))
}

// TestRFC2307 is the layout of posixAccount and posixGroup: groups name people.
func TestRFC2307(t *testing.T) {
	t.Parallel()
	f := openLDAPFixture(t)
	f.config.Preset, f.config.PasswordPolicy = "rfc2307", ""
	f.layout.person = func(dn, login, password string) *ldap.AddRequest {
		return posix(dn, login, password, "account", "posixAccount", "shadowAccount")
	}
	f.layout.group = posixGroup("posixGroup")
	f.layout.member, f.layout.names, f.layout.placeholder = "memberUid", true, false
	f.traits.nested, f.traits.managers, f.traits.noMail, f.traits.sevenBit = false, false, true, true
	f.traits.failedBinds, f.states = 0, statesShadow(f.admin)
	f.writing = &writing{lock: writer.LockShadow, defaults: posixDefaults()}
	run(t, f)
}

// posixDefaults are what posixAccount demands.
func posixDefaults() map[string][]string {
	return map[string][]string{"uidNumber": {"7001"}, "gidNumber": {"7001"}, "homeDirectory": {"/home/{name}"}}
}

// TestRFC2307bis has posixGroup as an auxiliary class of groups by DN, which may be
// empty and may be nested.
func TestRFC2307bis(t *testing.T) {
	t.Parallel()
	f := openLDAPFixture(t, testenv.WithRFC2307bis())
	f.config.Preset, f.config.PasswordPolicy = "rfc2307", ""
	f.layout.person = func(dn, login, password string) *ldap.AddRequest {
		req := posix(dn, login, password, "inetOrgPerson", "posixAccount", "shadowAccount")
		req.Attribute("sn", []string{"Family"})
		return req
	}
	f.layout.group = posixGroup("groupOfNames", "posixGroup")
	f.traits.failedBinds, f.states = 0, statesShadow(f.admin)
	f.writing = nil // the preset makes groups by the class of RFC 2307
	run(t, f)
}

func openLDAPFixture(t *testing.T, options ...testenv.LDAPOption) *fixture {
	t.Helper()
	// Sorted values make a change of a group of 10,000 cheap.
	server := testenv.OpenLDAP(t, append(options, testenv.WithGlobalConfig("sortvals member"))...)
	f := &fixture{
		config: configs.DefaultDirectory(), life: server, addr: server.Address(), admin: server.DialAdmin,
		layout: layout{
			root: server.BaseDN, prepare: peopleAndGroups, person: inetOrgPerson, group: groupOf("groupOfNames"), container: organizationalUnit,
			personRDN: "uid", groupRDN: "cn", containerRDN: "ou", member: "member", placeholder: true,
		},
		traits: traits{
			syncrepl: true, nested: true, dangling: true, managers: true, twoUIDs: true, refint: true, silentRefint: true,
			failedBinds: 5,
			unlock:      func(dn string) error { return server.SetOperational(dn, "pwdAccountLockedTime") },
			foreign: []string{
				"rid=000,csn=20380101000000.000000Z#000000#001#000000",
				"rid=000,csn=20000101000000.000000Z#000000#001#000000",
				"localhost:389#cn=portico,dc=example,dc=com:dc=example,dc=com:(objectClass=*)#5",
			},
		},
		states:  statesPPolicy(server),
		writing: &writing{lock: writer.LockPPolicy, emptyGroup: mapping.EmptyGroupDN},
	}
	f.config.Preset, f.config.PasswordPolicy = "openldap", server.PolicyDN
	f.config.URLs, f.config.StartTLS, f.config.TLS.CAFile = []string{server.URL()}, true, server.CAFile
	f.config.BindDN, f.config.BindPassword = server.ServiceDN, configs.NewSecret(server.ServicePassword)
	return f
}

func posix(dn, login, password string, classes ...string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	number := fmt.Sprint(crc32.ChecksumIEEE([]byte(dn)) >> 1)
	req.Attribute("objectClass", classes)
	req.Attribute("uid", []string{login})
	req.Attribute("cn", []string{"Person " + login})
	req.Attribute("uidNumber", []string{number})
	req.Attribute("gidNumber", []string{number})
	req.Attribute("homeDirectory", []string{"/home/" + number})
	req.Attribute("userPassword", []string{password})
	return req
}

func posixGroup(classes ...string) func(dn, name string) *ldap.AddRequest {
	return func(dn, name string) *ldap.AddRequest {
		req := groupOf(classes...)(dn, name)
		req.Attribute("gidNumber", []string{fmt.Sprint(crc32.ChecksumIEEE([]byte(dn)) >> 1)})
		return req
	}
}

// ppolicyState is a state that operational attributes make, under a policy of the
// person's own.
type ppolicyState struct {
	policy map[string]string
	values map[string]string
}

func statesPPolicy(server *testenv.LDAPServer) []accountState {
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format("20060102150405Z") }
	made := func(make func() ppolicyState) func(t testing.TB, dn, password string) {
		return func(t testing.TB, dn, _ string) { ppolicyOf(t, server, dn, make()) }
	}
	locked, wrong := directory.VerdictLocked, directory.VerdictWrong
	return []accountState{
		{name: "normal", prepare: func(testing.TB, string, string) {}, right: directory.VerdictSignedIn, wrong: wrong, proof: true},
		{
			name: "disabled", want: "disabled", attribute: "pwdAccountLockedTime", value: "000001010000Z", right: locked, wrong: locked,
			prepare: made(func() ppolicyState {
				return ppolicyState{values: map[string]string{"pwdAccountLockedTime": "000001010000Z"}}
			}),
		},
		{
			name: "locked for a while", want: "locked", attribute: "pwdAccountLockedTime", right: locked, wrong: locked,
			prepare: made(func() ppolicyState {
				return ppolicyState{values: map[string]string{"pwdAccountLockedTime": ago(time.Minute)}}
			}),
		},
		{
			name: "lock runs out", want: "locked", attribute: "pwdAccountLockedTime", right: locked, wrong: locked, passes: true,
			prepare: made(func() ppolicyState {
				return ppolicyState{values: map[string]string{"pwdAccountLockedTime": ago(898 * time.Second)}}
			}),
		},
		{
			name: "locked for good", want: "locked", attribute: "pwdAccountLockedTime", right: locked, wrong: locked,
			prepare: made(func() ppolicyState {
				return ppolicyState{
					policy: map[string]string{"pwdLockoutDuration": "0"}, values: map[string]string{"pwdAccountLockedTime": ago(2000 * time.Hour)},
				}
			}),
		},
		{
			name: "must change", want: "change", attribute: "pwdReset", value: "TRUE", right: directory.VerdictMustChange, wrong: wrong, proof: true,
			prepare: made(func() ppolicyState { return ppolicyState{values: map[string]string{"pwdReset": "TRUE"}} }),
		},
		{
			name: "expired", want: "expired", attribute: "pwdChangedTime", right: directory.VerdictPasswordExpired, wrong: wrong, proof: true,
			prepare: made(func() ppolicyState {
				return ppolicyState{policy: map[string]string{"pwdMaxAge": "86400"}, values: map[string]string{"pwdChangedTime": ago(25 * time.Hour)}}
			}),
		},
		{
			name: "grace left", want: "expired", attribute: "pwdChangedTime", right: directory.VerdictGrace, wrong: wrong, proof: true,
			prepare: made(func() ppolicyState {
				return ppolicyState{
					policy: map[string]string{"pwdMaxAge": "86400", "pwdGraceAuthNLimit": "3"},
					values: map[string]string{"pwdChangedTime": ago(25 * time.Hour)},
				}
			}),
		},
		{
			name: "not begun", want: "period", attribute: "pwdStartTime", right: locked, wrong: locked,
			prepare: made(func() ppolicyState { return ppolicyState{values: map[string]string{"pwdStartTime": ago(-time.Hour)}} }),
		},
		{
			name: "disabled and must change", want: "disabled+change", attribute: "pwdAccountLockedTime", right: locked, wrong: locked,
			prepare: made(func() ppolicyState {
				return ppolicyState{values: map[string]string{"pwdReset": "TRUE", "pwdAccountLockedTime": "000001010000Z"}}
			}),
		},
		{
			name: "expired and locked", want: "locked+expired", attribute: "pwdAccountLockedTime", right: locked, wrong: locked,
			prepare: made(func() ppolicyState {
				return ppolicyState{
					policy: map[string]string{"pwdMaxAge": "86400"},
					values: map[string]string{"pwdChangedTime": ago(25 * time.Hour), "pwdAccountLockedTime": ago(time.Minute)},
				}
			}),
		},
	}
}

// ppolicyOf gives a person a policy of his own and sets operational attributes.
func ppolicyOf(t testing.TB, server *testenv.LDAPServer, dn string, s ppolicyState) {
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
	policy := map[string]string{
		"pwdAttribute": "userPassword", "pwdLockout": "TRUE", "pwdLockoutDuration": "900", "pwdMaxFailure": "5", "pwdMustChange": "TRUE",
	}
	maps.Copy(policy, s.policy)
	req := ldap.NewAddRequest("cn=policy of "+ldap.EscapeDN(parsed.RDNs[0].Attributes[0].Value)+",ou=policies,"+server.BaseDN, nil)
	req.Attribute("objectClass", []string{"applicationProcess", "pwdPolicy"})
	for name, value := range policy {
		req.Attribute(name, []string{value})
	}
	if err := conn.Add(req); err != nil {
		t.Fatal(err)
	}
	if err := server.SetOperational(dn, "pwdPolicySubentry", req.DN); err != nil {
		t.Fatal(err)
	}
	for name, value := range s.values {
		if err := server.SetOperational(dn, name, value); err != nil {
			t.Fatal(err)
		}
	}
}

// statesShadow are RFC 2307's. A bind knows nothing of them.
func statesShadow(admin func() (*ldap.Conn, error)) []accountState {
	today := time.Now().Unix() / 86400
	state := func(name, want, attribute string, pairs ...string) accountState {
		return accountState{
			name: name, want: want, attribute: attribute, silent: true,
			prepare: func(t testing.TB, dn, _ string) { replaceValues(t, admin, dn, pairs...) },
		}
	}
	day := func(n int64) string { return fmt.Sprint(today + n) }
	return []accountState{
		state("normal", "", "", "shadowExpire", day(10), "shadowLastChange", day(-10), "shadowMax", "99"),
		state("disabled", "disabled", "shadowExpire", "shadowExpire", "1"),
		state("over", "disabled+period", "shadowExpire", "shadowExpire", day(-2)),
		state("must change", "change", "shadowLastChange", "shadowLastChange", "0"),
		state("expired", "expired", "shadowLastChange", "shadowLastChange", day(-10), "shadowMax", "5"),
		state("disabled and expired", "disabled+expired", "shadowExpire", "shadowExpire", "1", "shadowLastChange", day(-10), "shadowMax", "5"),
	}
}
