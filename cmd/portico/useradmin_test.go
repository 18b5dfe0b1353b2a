package main

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"portico/adapter"
	"portico/httpapi/integration"
	"portico/httpapi/usermanagement"
	"portico/testenv"
	"portico/testenv/replay"
)

// teamPeople adds role titles, a hidden team and a birthday-less member.
const teamPeople = `
dn: cn=Captain,cn=Sales,ou=groups,dc=example,dc=com
objectClass: organizationalRole
cn: Captain
roleOccupant: UID=jdoe, ou=people, dc=example,dc=com
roleOccupant: uid=jadoe,ou=people,dc=example,dc=com

dn: cn=Zealot,cn=Sales,ou=groups,dc=example,dc=com
objectClass: organizationalRole
cn: Zealot
roleOccupant: uid=jdoe,ou=people,dc=example,dc=com

dn: cn=Secret,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: Secret
businessCategory: hidden
owner: uid=admin,ou=people,dc=example,dc=com
member: uid=jdoe,ou=people,dc=example,dc=com
`

func eachStore(t *testing.T, run func(t *testing.T, storeURL string)) {
	t.Run("SQLite", func(t *testing.T) { run(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { run(t, testenv.PostgreSQL(t)) })
}

// TestUserAdminVectors replays the recorded exchanges of the integration and the
// user management API on both stores, in front of a real OpenLDAP.
func TestUserAdminVectors(t *testing.T) {
	eachStore(t, func(t *testing.T, storeURL string) {
		ldap := startOpenLDAP(t)
		if err := ldap.Load(strings.NewReader(teamPeople)); err != nil {
			t.Fatal(err)
		}
		s := start(t, ldap, setup{storeURL: storeURL, top: `
base_url: https://id.example.org
apis: {action: {login_interval: 0s}, integration: {keys: ["{page}password!", "{app; only=teams; email=yes}only-teams"]}}`})
		s.waitReady()
		a := s.app.adapter
		basic := map[string]string{}
		for name, role := range map[string]string{"admin": "Account Administrators", "jdoe": "Users"} {
			if err := a.GiveRole(t.Context(), adapter.ByUsername(name), role, "test"); err != nil {
				t.Fatal(err)
			}
			key, err := a.AddPersonalKey(t.Context(), adapter.ByUsername(name), "test", adapter.Client{})
			if err != nil {
				t.Fatal(err)
			}
			basic["BASIC_"+name+"_"] = "Basic " + base64.StdEncoding.EncodeToString([]byte("example/"+name+":"+key))
		}
		for _, file := range []string{"integration.txt", "usermanagement.txt"} {
			list, err := replay.ReadFile("testdata/" + file)
			if err != nil {
				t.Fatal(err)
			}
			target := &replay.Target{Addr: strings.TrimPrefix(s.url, "http://"), Replace: basic}
			target.Play(t, list)
		}
	})
}

// The routes of both APIs by who calls: no key, a key of an ordinary user, a key
// of an administrator. D05: a route of the real router without a line fails.
func TestAbuse_D05_RoutesByRole(t *testing.T) {
	s := start(t, startOpenLDAP(t), setup{top: `apis: {integration: {keys: ["password!"]}}`})
	s.waitReady()
	a := s.app.adapter
	if err := a.GiveRole(t.Context(), adapter.ByUsername("admin"), "Account Administrators", "test"); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, name := range []string{"admin", "jadoe"} {
		var err error
		if keys[name], err = a.AddPersonalKey(t.Context(), adapter.ByUsername(name), "x", adapter.Client{}); err != nil {
			t.Fatal(err)
		}
	}
	// nobody, user, administrator
	matrix := map[string][3]int{
		"GET integration ":                                    {200, 200, 200},
		"POST integration members":                            {400, 400, 400},
		"POST integration member":                             {400, 400, 400},
		"POST integration teams":                              {400, 400, 400},
		"POST integration team":                               {400, 400, 400},
		"GET usermanagement /profile":                         {401, 200, 200},
		"GET usermanagement /users":                           {401, 200, 200},
		"POST usermanagement /users":                          {401, 403, 400},
		"GET usermanagement /users/{name}":                    {401, 200, 200},
		"PUT usermanagement /users/{name}":                    {401, 403, 400},
		"DELETE usermanagement /users/{name}":                 {401, 403, 200},
		"POST usermanagement /users/{name}/resend_invitation": {401, 403, 409},
		"GET usermanagement /users/{name}/public_keys":        {401, 200, 200},
		"GET usermanagement /users/{name}/public_keys.txt":    {401, 200, 200},
		"POST usermanagement /users/{name}/public_keys":       {401, 400, 400},
		"GET usermanagement /roles":                           {401, 200, 200},
		"GET usermanagement /projects":                        {401, 200, 200},
		"GET usermanagement /project_groups":                  {401, 200, 200},
		"GET usermanagement /{permalink}/assignments":         {401, 404, 200},
		"POST usermanagement /{permalink}/assignments":        {401, 403, 400},
		"GET usermanagement /{permalink}":                     {401, 404, 200},
	}
	for _, route := range mountedRoutes(t) {
		methods := 0
		for line, want := range matrix {
			method, name, _ := strings.Cut(line, " ")
			if name != route {
				continue
			}
			methods++
			path := "/$intapi/" + strings.TrimPrefix(name, "integration ")
			if p, ok := strings.CutPrefix(name, "usermanagement "); ok {
				path = strings.NewReplacer("{name}", "expired", "{permalink}", "support").Replace(p)
			}
			for i, who := range []string{"", "jadoe", "admin"} {
				if method == http.MethodDelete && who == "admin" {
					continue // asked last
				}
				if got := callAs(t, s, method, path, who, keys[who]); got != want[i] {
					t.Errorf("%s as %q: %d, want %d", line, who, got, want[i])
				}
			}
		}
		if methods == 0 {
			t.Errorf("the route %q has no line in the matrix", route)
		}
	}
	if got := callAs(t, s, "DELETE", "/users/expired", "admin", keys["admin"]); got != 200 {
		t.Errorf("DELETE as admin: %d", got)
	}
}

func callAs(t *testing.T, s *service, method, path, who, key string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if who != "" {
		req.SetBasicAuth("example/"+who, key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = readAll(resp)
	return resp.StatusCode
}

// mountedRoutes are the names of the routes as the router has them.
func mountedRoutes(t *testing.T) []string {
	t.Helper()
	router := mux.NewRouter()
	i, err := integration.New(integration.Config{Prefix: "/$intapi"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := usermanagement.New(usermanagement.Config{}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	i.Mount(router)
	u.Mount(router)
	var names []string
	if err := router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		names = append(names, route.GetName())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

// The five calls of a PHP page, as curl makes them, and the throttle by key and
// user name.
func TestIntegrationThrottle(t *testing.T) {
	s := start(t, startOpenLDAP(t), setup{top: `apis: {integration: {keys: ["password!"]}}`})
	s.waitReady()
	try := func(name, password string) (int, string) {
		status, body, err := s.post("/$intapi/member/", map[string][]string{"key": {"password!"}, "username": {name}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		return status, string(body)
	}
	last := 0
	for range 12 {
		last, _ = try("jdoe", "wrong")
	}
	if last != 429 {
		t.Errorf("after twelve wrong passwords: %d", last)
	}
	if status, body := try("jadoe", "jadoe-pw"); status != 200 {
		t.Errorf("somebody else: %d %s", status, body)
	}
	if status, body := try("jdoe@example.com", "jdoe-pw"); status == 200 {
		t.Errorf("by mail while the account is throttled: %d %s", status, body)
	}
}

// TestDirectoryDown: lists go on from the mirror, passwords cannot be checked.
func TestIntegrationDirectoryDown(t *testing.T) {
	ldap := startOpenLDAP(t)
	s := start(t, ldap, setup{top: `apis: {integration: {keys: ["password!"]}}`})
	s.waitReady()
	ldap.Stop()
	status, body, err := s.post("/$intapi/member/", map[string][]string{"key": {"password!"}, "username": {"jdoe"}, "password": {"jdoe-pw"}})
	if err != nil || status != 503 {
		t.Errorf("%d %s %v", status, body, err)
	}
	if status, body, err := s.post("/$intapi/members/", map[string][]string{"key": {"password!"}}); err != nil || status != 200 {
		t.Errorf("%d %s %v", status, body, err)
	}
}
