package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/configs"
	"portico/testenv"
)

// crew is a directory of its own: ann, a login that both directories have, and a
// group.
const crewPeople = `
dn: uid=ann,ou=people,%[1]s
objectClass: inetOrgPerson
uid: ann
cn: Ann of %[2]s
sn: Ann
userPassword: ann-%[2]s

dn: uid=only-%[2]s,ou=people,%[1]s
objectClass: inetOrgPerson
uid: only-%[2]s
cn: Only in %[2]s
sn: Only
userPassword: only-%[2]s

dn: cn=Crew,ou=groups,%[1]s
objectClass: groupOfNames
cn: Crew
member: uid=ann,ou=people,%[1]s
member: uid=only-%[2]s,ou=people,%[1]s
`

func startCrew(t *testing.T, name, base string) *testenv.LDAPServer {
	t.Helper()
	return testenv.OpenLDAP(t, testenv.WithBaseDN(base),
		testenv.WithLDIF(strings.NewReader(fmt.Sprintf(crewPeople, base, name))))
}

// startTwo runs the service in front of two directories; suffix is the second's.
func startTwo(t *testing.T, first, second *testenv.LDAPServer, suffix string) *service {
	t.Helper()
	text := configText(first, setup{
		dataDir:   filepath.Join(t.TempDir(), "data"),
		directory: "    pool: {timeout: 1s, dial_timeout: 500ms}",
	})
	text = strings.TrimRight(text, "\n ") + fmt.Sprintf(`
  - name: branch
    preset: openldap
    urls: [%s]
    bind_dn: %q
    bind_password: %q
    base_dn: %q
    suffix: %q
    pool: {timeout: 1s, dial_timeout: 500ms}
apis: {action: {login_interval: 0s}}
`, second.URL(), second.ServiceDN, second.ServicePassword, second.BaseDN, suffix)
	cfg, err := configs.Parse("two.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return startConfig(t, cfg)
}

func (s *service) nameOf(username string) string {
	s.t.Helper()
	data, _ := s.ok("userinfo", "username", username)["data"].(map[string]any)
	name, _ := data["name"].(string)
	return name
}

func (s *service) hits(text string) []any {
	s.t.Helper()
	hits, _ := s.ok("usersearch", "search", text)["result"].([]any)
	return hits
}

func TestTwoDirectoriesByPrecedence(t *testing.T) {
	first, second := startCrew(t, "head", "dc=example,dc=com"), startCrew(t, "branch", "dc=branch,dc=example,dc=org")
	s := startTwo(t, first, second, "")
	s.waitReady()
	if name := s.nameOf("ann"); name != "Ann of head" {
		t.Errorf("ann is %s", name)
	}
	s.ok("auth", "username", "ann", "password", "ann-head")
	s.refused("auth", "username", "ann", "password", "ann-branch") // never a second try elsewhere
	s.ok("auth", "username", "only-branch", "password", "only-branch")
	if hits := s.hits("ann of"); len(hits) != 1 {
		t.Errorf("search shows the hidden namesake: %v", hits)
	}
	if hits := s.hits("only in"); len(hits) != 2 {
		t.Errorf("search over both directories: %v", hits)
	}
	if groups, _ := s.ok("getgroups")["groups"].([]any); len(groups) != 2 {
		t.Errorf("groups of both directories: %v", groups)
	}

	// The second is down: the first serves, and what is known of the second is read.
	second.Kill()
	s.ok("auth", "username", "ann", "password", "ann-head")
	if answer := s.refused("auth", "username", "only-branch", "password", "only-branch"); answer["msg"] != directoryError {
		t.Errorf("a sign-in to the directory that is down: %v", answer)
	}
	if name := s.nameOf("only-branch"); name != "Only in branch" {
		t.Errorf("only-branch is %q", name)
	}
	if status, body := get(t, s.url+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz = %d %s, but reads go on", status, body)
	}

	// The first is down: its names are not taken over by namesakes of the second.
	if err := second.Restart(); err != nil {
		t.Fatal(err)
	}
	first.Kill()
	eventually(t, 20*time.Second, "the second serves again", func() bool { return s.signedIn("only-branch", "only-branch") })
	for _, password := range []string{"ann-head", "ann-branch"} {
		if answer := s.refused("auth", "username", "ann", "password", password); answer["msg"] != directoryError {
			t.Errorf("ann with %s, while her directory is down: %v", password, answer)
		}
	}
	if name := s.nameOf("ann"); name != "Ann of head" {
		t.Errorf("ann is %s", name)
	}
}

// TestTwoDirectoriesFirstDownAtStart: before the first was ever read, a name
// of the second might belong to somebody of the first.
func TestTwoDirectoriesFirstDownAtStart(t *testing.T) {
	first, second := startCrew(t, "head", "dc=example,dc=com"), startCrew(t, "branch", "dc=branch,dc=example,dc=org")
	first.Kill()
	s := startTwo(t, first, second, "")
	eventually(t, 20*time.Second, "the second is read", func() bool {
		return s.app.members[1].feed.Status().Complete
	})
	if status, body := get(t, s.url+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "directory corp") {
		t.Errorf("/readyz = %d %s", status, body)
	}
	if s.signedIn("ann", "ann-branch") {
		t.Error("a namesake came in while the directory that may own the name was down")
	}
	if answer := s.refused("userinfo", "username", "ann"); answer["msg"] != directoryError {
		t.Errorf("userinfo of a name that may be another's: %v", answer)
	}
	if err := first.Restart(); err != nil {
		t.Fatal(err)
	}
	s.waitReady()
	s.ok("auth", "username", "ann", "password", "ann-head")
	s.refused("auth", "username", "ann", "password", "ann-branch")
	s.ok("auth", "username", "only-branch", "password", "only-branch")
}

// TestTwoDirectoriesOneGroup: a group may have members of both directories, by
// DN and by login name; the same person counts once.
func TestTwoDirectoriesOneGroup(t *testing.T) {
	first, second := startCrew(t, "head", "dc=example,dc=com"), startCrew(t, "branch", "dc=branch,dc=example,dc=org")
	mixed := "dn: cn=Mixed,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: Mixed\n" +
		"member: uid=ann,ou=people,dc=example,dc=com\nmember: UID=only-branch, ou=people,dc=branch,dc=example,dc=org\n" +
		"member: uid=nobody,ou=people,dc=branch,dc=example,dc=org\n"
	if err := first.Add(mixed); err != nil {
		t.Fatal(err)
	}
	s := startTwo(t, first, second, "branch.example")
	s.waitReady()
	gid := ""
	for _, g := range s.ok("groupsearch", "search", "mixed")["result"].([]any) {
		gid = g.(map[string]any)["id"].(string)
	}
	members := func() string {
		return fmt.Sprint(s.ok("getusersbygroup", "gid", gid, "get", "username")["users"])
	}
	if got := members(); got != "[ann only-branch@branch.example]" {
		t.Errorf("members = %s", got)
	}
	groups, _ := s.ok("getgroupsbyuser", "username", "only-branch@branch.example")["groups"].([]any)
	if len(groups) != 2 {
		t.Errorf("groups of only-branch: %v", groups)
	}
	second.Kill()
	if got := members(); got != "[ann only-branch@branch.example]" {
		t.Errorf("members while the second is down = %s", got)
	}
}

func TestTwoDirectoriesBySuffix(t *testing.T) {
	first, second := startCrew(t, "head", "dc=example,dc=com"), startCrew(t, "branch", "dc=branch,dc=example,dc=org")
	s := startTwo(t, first, second, "branch.example")
	s.waitReady()
	for login, want := range map[string]string{"ann": "Ann of head", "ann@branch.example": "Ann of branch", "ANN@Branch.Example": "Ann of branch"} {
		if name := s.nameOf(login); name != want {
			t.Errorf("%s is %s, want %s", login, name, want)
		}
	}
	s.ok("auth", "username", "ann@branch.example", "password", "ann-branch")
	s.ok("auth", "username", "ann", "password", "ann-head")
	s.refused("auth", "username", "ann", "password", "ann-branch")
	s.refused("auth", "username", "ann@branch.example", "password", "ann-head")
	s.refused("auth", "username", "only-branch", "password", "only-branch")
	s.refused("auth", "username", "only-head@branch.example", "password", "only-head")
	if hits := s.hits("ann of"); len(hits) != 2 {
		t.Errorf("search = %v", hits)
	}
	groups, _ := s.ok("getgroupsbyuser", "username", "ann@branch.example")["groups"].([]any)
	if len(groups) != 1 {
		t.Fatalf("groups of ann@branch.example: %v", groups)
	}
	members := s.ok("getusersbygroup", "gid", groups[0].(map[string]any)["id"].(string), "get", "username")["users"]
	if fmt.Sprint(members) != "[ann@branch.example only-branch@branch.example]" {
		t.Errorf("members = %v", members)
	}
}
