package conformance

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/directory"
	"portico/testenv"
)

// TestFreeIPA runs the suite on the layout of FreeIPA. What FreeIPA's own password
// plug-in enforces at binds is not there: only nsAccountLock and the server's own
// lock are judged by a bind.
func TestFreeIPA(t *testing.T) {
	t.Parallel()
	// Without the plug-in USN the server gives no versions: they are made of the entries.
	server := testenv.DS389(t, policies389, testenv.WithFreeIPA(), testenv.With389Config("cn=USN,cn=plugins,cn=config", "nsslapd-pluginEnabled", "off"))
	f := freeIPAFor(server)
	t.Run("outside", func(t *testing.T) { testOutside(t, f, server) })
	run(t, f)
}

func freeIPAFor(server *testenv.DS389Server) *fixture {
	f := ds389For(server)
	f.config = configs.DefaultDirectory()
	f.config.Preset = "freeipa"
	f.config.PasswordPolicy = "cn=global_policy,cn=EXAMPLE.COM,cn=etc," + server.BaseDN
	reach389(&f.config, server)
	f.layout.prepare = func(t testing.TB, admin *ldap.Conn, base string, _ *configs.Directory) (people, groups string) {
		t.Helper()
		accounts := "cn=accounts," + base
		people, groups = "cn=users,"+accounts, "cn=groups,"+accounts
		for _, req := range []*ldap.AddRequest{organizationalUnit(base, ""), nsContainer(accounts, ""), nsContainer(people, ""), nsContainer(groups, "")} {
			if err := admin.Add(req); err != nil {
				t.Fatalf("add %s: %v", req.DN, err)
			}
		}
		return people, groups
	}
	f.layout.container, f.layout.containerRDN = nsContainer, "cn"
	f.layout.group = func(dn, name string) *ldap.AddRequest {
		req := groupOf("nestedGroup", "ipaUserGroup", "ipaObject")(dn, name)
		req.Attribute("ipaUniqueID", []string{"g-" + name})
		return req
	}
	f.layout.person = func(dn, login, password string) *ldap.AddRequest {
		req := inetOrgPerson(dn, login, password)
		number := fmt.Sprint(crc32.ChecksumIEEE([]byte(dn)) >> 1)
		req.Attribute("objectClass", []string{"posixAccount", "ipaObject", "krbPrincipalAux"})
		req.Attribute("uidNumber", []string{number})
		req.Attribute("gidNumber", []string{number})
		req.Attribute("homeDirectory", []string{"/home/" + number})
		req.Attribute("ipaUniqueID", []string{"p-" + number})
		return req
	}
	f.traits.failedBinds = 0 // the lock of the server below FreeIPA is not FreeIPA's
	f.states = statesFreeIPA(server)
	f.writing.defaults = posixDefaults()
	return f
}

func nsContainer(dn, _ string) *ldap.AddRequest {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"nsContainer"})
	if parsed, err := ldap.ParseDN(dn); err == nil {
		req.Attribute("cn", []string{parsed.RDNs[0].Attributes[0].Value})
	}
	return req
}

func statesFreeIPA(server *testenv.DS389Server) []accountState {
	set := func(t testing.TB, dn string, pairs ...string) {
		t.Helper()
		replaceValues(t, server.DialAdmin, dn, pairs...)
	}
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("20060102150405Z") }
	return []accountState{
		{name: "normal", prepare: func(testing.TB, string, string) {}, right: directory.VerdictSignedIn, wrong: directory.VerdictWrong, proof: true},
		{
			name: "disabled", prepare: func(t testing.TB, dn, _ string) { set(t, dn, "nsAccountLock", "TRUE") },
			want: "disabled", attribute: "nsAccountLock", value: "TRUE", right: directory.VerdictDisabled, wrong: directory.VerdictDisabled,
		},
		{
			name: "locked for a while", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "krbLoginFailedCount", "6", "krbLastFailedAuth", in(-time.Minute))
			},
			want: "locked", attribute: "krbLoginFailedCount", value: "6", silent: true,
		},
		{
			name: "lock runs out", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "krbLoginFailedCount", "7", "krbLastFailedAuth", in(-10*time.Minute+2*time.Second))
			},
			want: "locked", attribute: "krbLoginFailedCount", silent: true, passes: true,
		},
		{
			name: "old lock", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "krbLoginFailedCount", "6", "krbLastFailedAuth", in(-time.Hour))
			},
			right: directory.VerdictSignedIn, wrong: directory.VerdictWrong, proof: true,
		},
		{
			name: "failures below the limit", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "krbLoginFailedCount", "5", "krbLastFailedAuth", in(-time.Second))
			},
			right: directory.VerdictSignedIn, wrong: directory.VerdictWrong, proof: true,
		},
		{
			name: "expired or reset", prepare: func(t testing.TB, dn, _ string) { set(t, dn, "krbPasswordExpiration", in(-time.Hour)) },
			want: "change+expired", attribute: "krbPasswordExpiration", silent: true,
		},
		{
			name: "account over", prepare: func(t testing.TB, dn, _ string) { set(t, dn, "krbPrincipalExpiration", in(-time.Hour)) },
			want: "period", attribute: "krbPrincipalExpiration", silent: true,
		},
		{
			name: "disabled and expired", prepare: func(t testing.TB, dn, _ string) {
				set(t, dn, "krbPasswordExpiration", in(-time.Hour), "nsAccountLock", "TRUE")
			},
			want: "disabled+change+expired", attribute: "nsAccountLock", right: directory.VerdictDisabled, wrong: directory.VerdictDisabled,
		},
	}
}

// testOutside reads the whole suffix: the copies in cn=compat and the people who
// were deleted but kept are not seen.
func testOutside(t *testing.T, f *fixture, server *testenv.DS389Server) {
	w := newWorld(t, f)
	w.must(w.admin.Add(f.layout.person(below("uid", "real", server.PeopleDN), "real", password("real"))))
	w.cfg.BaseDN, w.people, w.groups = server.BaseDN, server.PeopleDN, server.GroupsDN
	w.join()
	w.following()
	if got := strings.Join(w.logins(), " "); got != "real" {
		t.Errorf("people: %s", got)
	}
	for _, name := range []string{"copy", "gone"} {
		if e, err := w.pop.PersonByLogin(t.Context(), name); err == nil {
			t.Errorf("%s is seen: %+v", name, e)
		}
	}
	groups, err := w.pop.AllGroups(t.Context())
	if err != nil || names(groups) != "" {
		t.Errorf("groups: %q, %v", names(groups), err)
	}
}
