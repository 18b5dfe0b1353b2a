package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico/testenv"
)

// conformancePeople are the people of the AccountHub conformance vectors, in
// order of uid; each signs in with "<name>-pw".
const conformancePeople = `
dn: uid=admin,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: admin
cn: Ada Min
sn: Min
userPassword: admin-pw

dn: uid=jdoe,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: JDoe
cn: John Doe
sn: Doe
mail: jdoe@example.com
telephoneNumber: 1234567890
manager: uid=admin,ou=people,dc=example,dc=com
userPassword: jdoe-pw

dn: uid=locked,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: locked
cn: Lotte Ocked
sn: Ocked
userPassword: locked-pw

dn: uid=expired,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: expired
cn: Ex Pired
sn: Pired
userPassword: expired-pw

dn: uid=jadoe,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: jadoe
cn: Jane Doe
sn: Doe
manager: UID=Admin, OU=People, dc=example, dc=com
manager: uid=jdoe,ou=people,dc=example,dc=com
userPassword: jadoe-pw

dn: cn=Sales,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: Sales
member: uid=jdoe,ou=people,dc=example,dc=com
member: uid=expired,ou=people,dc=example,dc=com
member: uid=jadoe,ou=people,dc=example,dc=com

dn: cn=Support,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: Support
gidNumber: 2000
memberUid: jdoe
`

func startOpenLDAP(t testing.TB, options ...testenv.LDAPOption) *testenv.LDAPServer {
	t.Helper()
	server := testenv.OpenLDAP(t, append(options, testenv.WithLDIF(strings.NewReader(conformancePeople)))...)
	for dn, state := range map[string][2]string{
		"uid=locked,ou=people,dc=example,dc=com":  {"pwdAccountLockedTime", "000001010000Z"},
		"uid=expired,ou=people,dc=example,dc=com": {"pwdReset", "TRUE"},
	} {
		if err := server.SetOperational(dn, state[0], state[1]); err != nil {
			t.Fatal(err)
		}
	}
	return server
}

func TestOpenLDAP(t *testing.T) {
	ldap := startOpenLDAP(t)
	s := start(t, ldap, setup{})
	s.waitReady()
	uids := map[string]string{}
	for _, name := range []string{"admin", "jdoe", "locked", "expired", "jadoe"} {
		data := s.ok("userinfo", "username", name)["data"].(map[string]any)
		uids[name] = data["uid"].(string)
	}
	t.Run("people", func(t *testing.T) {
		want := map[string]any{
			"uid": uids["jdoe"], "username": "jdoe", "name": "John Doe", "email": "jdoe@example.com",
			"phone": map[string]any{"1": "1234567890", "2": ""}, "pin": false,
		}
		if diff := cmp.Diff(want, s.ok("userinfo", "uid", uids["jdoe"])["data"]); diff != "" {
			t.Error(diff)
		}
		if s.ok("userexists", "username", "nobody")["exists"] != false {
			t.Error("nobody exists")
		}
		if hits := s.ok("usersearch", "search", "doe")["result"].([]any); len(hits) != 2 {
			t.Errorf("usersearch doe = %v", hits)
		}
	})
	t.Run("sign-in and status", func(t *testing.T) {
		s.ok("auth", "username", "JDOE", "password", "jdoe-pw")
		s.refused("auth", "username", "jdoe", "password", "wrong")
		s.refused("auth", "username", "locked", "password", "locked-pw")
		s.refused("auth", "username", "expired", "password", "expired-pw")
		s.refused("auth", "username", "nobody", "password", "x")
		for name, want := range map[string]string{
			"admin": "NORMAL", "locked": "LOCKED_OR_DISABLED", "expired": "CHANGE_PASSWORD", "nobody": "OTHER_0",
		} {
			if got := s.ok("acctstatus", "username", name)["account"]; got != want {
				t.Errorf("acctstatus %s = %v, want %s", name, got, want)
			}
		}
	})
	t.Run("groups", func(t *testing.T) {
		groups := s.ok("getgroupsbyuser", "username", "jdoe")["groups"].([]any)
		if len(groups) != 2 {
			t.Fatalf("groups of jdoe: %v", groups)
		}
		for _, g := range groups {
			g := g.(map[string]any)
			want := []any{"jdoe"}
			if g["name"] == "Sales" {
				want = []any{"expired", "jadoe", "jdoe"}
			}
			got := s.ok("getusersbygroup", "gid", g["id"].(string), "get", "username")["users"]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v: %s", g, diff)
			}
		}
	})
	t.Run("managers", func(t *testing.T) {
		if s.ok("ismanagerof", "manager", "admin", "employee", "jadoe")["managerof"] != true {
			t.Error("a manager DN in another spelling was not understood")
		}
		if got := s.ok("getmanagers", "username", "jadoe")["managers"]; len(got.([]any)) != 2 {
			t.Errorf("managers of jadoe: %v", got)
		}
	})
}

func TestChangeIsVisible(t *testing.T) {
	for _, mode := range []string{"syncrepl", "poll"} {
		t.Run(mode, func(t *testing.T) {
			ldap := startOpenLDAP(t)
			s := start(t, ldap, setup{sync: mode})
			s.waitReady()
			if err := ldap.Add("dn: uid=new,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: new\ncn: New Comer\nsn: Comer\nuserPassword: new-pw\n"); err != nil {
				t.Fatal(err)
			}
			eventually(t, 10*time.Second, "the new person is found by search", func() bool {
				hits, ok := s.ok("usersearch", "search", "new comer")["result"].([]any)
				return ok && len(hits) == 1
			})
			s.ok("auth", "username", "new", "password", "new-pw")
		})
	}
}

func TestRestartResumes(t *testing.T) {
	ldap := startOpenLDAP(t)
	dir := t.TempDir()
	s := start(t, ldap, setup{dataDir: dir})
	s.waitReady()
	before := s.ok("userinfo", "username", "jdoe")["data"].(map[string]any)["uid"]
	s.stop()
	for i := range 3 {
		entry := fmt.Sprintf("dn: uid=late%d,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: late%d\ncn: Late %d\nsn: Late\n", i, i, i)
		if err := ldap.Add(entry); err != nil {
			t.Fatal(err)
		}
	}
	s = start(t, ldap, setup{dataDir: dir})
	s.waitReady()
	if after := s.ok("userinfo", "username", "jdoe")["data"].(map[string]any)["uid"]; after != before {
		t.Errorf("uid %v became %v", before, after)
	}
	eventually(t, 5*time.Second, "changes made meanwhile", func() bool {
		return len(s.ok("usersearch", "search", "late")["result"].([]any)) == 3
	})
}
