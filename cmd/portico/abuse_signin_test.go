package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/testenv"
	"portico/testenv/sample"
)

// loginPaths are all ways in which a password comes in, in every form of URL.
func (s *service) loginPaths() map[string]func(form url.Values) (int, string) {
	send := func(method, target, contentType, body string) (int, string) {
		req, err := http.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		return resp.StatusCode, readAll(resp)
	}
	const formType = "application/x-www-form-urlencoded"
	paths := map[string]func(url.Values) (int, string){}
	for _, action := range []string{"auth", "login"} {
		with := func(form url.Values) url.Values {
			all := url.Values{"key": {s.key}, "action": {action}}
			maps.Copy(all, form)
			return all
		}
		paths[action+" form"] = func(f url.Values) (int, string) {
			return send(http.MethodPost, s.url+"/api.php", formType, with(f).Encode())
		}
		paths[action+" query"] = func(f url.Values) (int, string) {
			return send(http.MethodGet, s.url+"/api.php?"+with(f).Encode(), "", "")
		}
		paths[action+" path"] = func(f url.Values) (int, string) {
			return send(http.MethodPost, s.url+"/api/"+action+"/"+s.key+"/", formType, f.Encode())
		}
		paths[action+" path and query"] = func(f url.Values) (int, string) {
			return send(http.MethodGet, s.url+"/api/"+action+"/"+s.key+"/?"+f.Encode(), "", "")
		}
	}
	return paths
}

// quietProxy stands before the directory and counts what reaches it.
func quietProxy(t *testing.T, ldap *testenv.LDAPServer) *testenv.Proxy {
	t.Helper()
	return testenv.OpenProxy(t, ldap.Address())
}

// noLimits is a configuration in which no rate limit hides what a test looks for.
const noLimits = "apis: {action: {login_interval: 0s}}"

func TestAbuse_A01_A02_EmptyAndOddPasswords(t *testing.T) {
	testOddPasswords(t, startOpenLDAP(t))
}

// TestAbuse_A04: the same in front of a server that answers success to a bind
// without a password.
func TestAbuse_A04_ServerThatAcceptsEverything(t *testing.T) {
	server := startOpenLDAP(t, testenv.WithAnonymousBinds())
	conn, err := ldap.DialURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.UnauthenticatedBind("uid=jdoe,ou=people,dc=example,dc=com"); err != nil {
		t.Fatalf("the server does not do what this test is about: %v", err)
	}
	s := testOddPasswords(t, server)
	eventually(t, 20*time.Second, "a warning at the start", func() bool {
		return strings.Contains(s.log.String(), "a DN and no password")
	})
}

func testOddPasswords(t *testing.T, server *testenv.LDAPServer) *service {
	proxy := quietProxy(t, server)
	s := start(t, server, setup{urls: []string{proxy.URL("ldap")}, top: noLimits})
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	odd := map[string]url.Values{
		"empty":      {"username": {"jdoe"}, "password": {""}},
		"absent":     {"username": {"jdoe"}},
		"array":      {"username": {"jdoe"}, "password[]": {"jdoe-pw"}},
		"map":        {"username": {"jdoe"}, "password[a]": {"jdoe-pw"}},
		"then empty": {"username": {"jdoe"}, "password": {"jdoe-pw", ""}},
		"NUL":        {"username": {"jdoe"}, "password": {"\x00"}},
		"NUL after":  {"username": {"jdoe"}, "password": {"jdoe-pw\x00x"}},
		"nobody":     {"username": {"stranger"}, "password": {""}},
		"no user":    {"username": {""}, "password": {"jdoe-pw"}},
		"blank user": {"username": {"  "}, "password": {"jdoe-pw"}},
		"blank both": {"username": {"  "}, "password": {""}},
		"DN":         {"username": {"uid=jdoe,ou=people,dc=example,dc=com"}, "password": {"jdoe-pw"}},
		"star":       {"username": {"*"}, "password": {"jdoe-pw"}},
		"j star":     {"username": {"jdo*"}, "password": {"jdoe-pw"}},
		"filter":     {"username": {"*)(uid=*))(|(uid=*"}, "password": {"jdoe-pw"}},
		"closing":    {"username": {")(cn="}, "password": {"jdoe-pw"}},
		"escaped":    {"username": {`jdo\65`}, "password": {"jdoe-pw"}},
		"backslash":  {"username": {`\28`}, "password": {"jdoe-pw"}},
		"NUL user":   {"username": {"jdoe\x00"}, "password": {"jdoe-pw"}},
		"not UTF-8":  {"username": {"jdoe\xff\xfe"}, "password": {"jdoe-pw"}},
		"long user":  {"username": {strings.Repeat("j", 100_000)}, "password": {"jdoe-pw"}},
	}
	silent := map[string]bool{"empty": true, "absent": true, "array": true, "map": true, "then empty": true, "no user": true, "blank both": true}
	for path, send := range s.loginPaths() {
		for what, form := range odd {
			if what == "long user" && strings.Contains(path, "query") {
				continue // refused as a whole, for the length of its line
			}
			before := proxy.Sent()
			status, body := send(form)
			if strings.Contains(body, `"OK"`) || status == http.StatusInternalServerError || status == 0 {
				t.Errorf("%s, %s: %d %s", path, what, status, body)
			}
			if sent := proxy.Sent() - before; silent[what] && sent > 0 {
				t.Errorf("%s, %s: %d bytes went to the directory", path, what, sent)
			}
		}
		if status, body := send(url.Values{"username": {"jdoe"}, "password": {"jdoe-pw"}}); !strings.Contains(body, `"OK"`) {
			t.Errorf("%s, after all that, with the right password: %d %s", path, status, body)
		}
	}
	return s
}

// TestAbuse_A09: two entries with one name are nobody.
func TestAbuse_A09_TwoEntriesWithOneName(t *testing.T) {
	server := startOpenLDAP(t)
	s := start(t, server, setup{top: noLimits})
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	twin := "dn: cn=Twin,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: JDOE\ncn: Twin\nsn: Twin\nuserPassword: twin-pw\n"
	if err := server.Add(twin); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the twin is noticed", func() bool { return !s.signedIn("jdoe", "jdoe-pw") })
	for _, password := range []string{"jdoe-pw", "twin-pw"} {
		for _, action := range []string{"auth", "login"} {
			s.refused(action, "username", "jdoe", "password", password)
		}
	}
	if !strings.Contains(s.log.String(), "two entries have this login name") {
		t.Error("the log does not say so")
	}
	if err := server.Admin(t).Del(ldap.NewDelRequest("cn=Twin,ou=people,dc=example,dc=com", nil)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the name is unique again", func() bool { return s.signedIn("jdoe", "jdoe-pw") })
}

// TestAbuse_A12: 200 sign-ins at once, each with its own answer.
func TestAbuse_A12_ManyAtOnce(t *testing.T) {
	server, d := startSample(t, 300)
	s := start(t, server, setup{})
	s.waitReady()
	people := normalPeople(d, 200)
	var work sync.WaitGroup
	for i := range 200 {
		work.Go(func() {
			for round := range 3 {
				name, right := people[i].UID, (i+round)%2 == 0
				password := sample.Password(name)
				if !right {
					password = sample.Password(people[(i+1)%200].UID)
				}
				if got := s.signedIn(name, password); got != right {
					t.Errorf("%s with %s: %v", name, password, got)
				}
			}
		})
	}
	work.Wait()
}

// TestAbuse_A15: a directory that refuses for another reason is no wrong
// password, and feeds no lock-out.
func TestAbuse_A15_OutagesAreNoWrongPasswords(t *testing.T) {
	server := startOpenLDAP(t)
	s := start(t, server, setup{directory: "    pool: {timeout: 300ms, dial_timeout: 300ms}", top: noLimits})
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	for _, fault := range []func(){server.Pause, server.Kill} {
		fault()
		eventually(t, 10*time.Second, "the outage is there", func() bool {
			_, answer := s.call("auth", "username", "jdoe", "password", "jdoe-pw")
			return answer["msg"] == directoryError
		})
		for range 15 { // more than the lock-out would allow
			for _, password := range []string{"jdoe-pw", "wrong"} {
				if answer := s.refused("auth", "username", "jdoe", "password", password); answer["msg"] != directoryError {
					t.Fatalf("%v", answer)
				}
			}
		}
		server.Resume()
	}
	s.noWrongPasswords()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "sign-ins go on", func() bool { return s.signedIn("jdoe", "jdoe-pw") })
}

// TestAbuse_A16_A17: neither a success nor a failure is remembered.
func TestAbuse_A16_A17_NothingIsRemembered(t *testing.T) {
	server := startOpenLDAP(t)
	s := start(t, server, setup{top: noLimits})
	s.waitReady()
	must(t, server.SetPolicy(map[string]string{"pwdMustChange": "FALSE"})) // after an administrator's change
	admin := server.Admin(t)
	password := "jdoe-pw"
	for i := range 5 {
		s.ok("auth", "username", "jdoe", "password", password)
		s.refused("auth", "username", "jdoe", "password", "wrong")
		s.ok("login", "username", "jdoe", "password", password)
		next := fmt.Sprintf("another-%d", i)
		change := ldap.NewModifyRequest("uid=jdoe,ou=people,dc=example,dc=com", nil)
		change.Replace("userPassword", []string{next})
		if err := admin.Modify(change); err != nil {
			t.Fatal(err)
		}
		s.refused("auth", "username", "jdoe", "password", password)
		s.ok("auth", "username", "jdoe", "password", next)
		password = next
	}
}

// TestAbuse_A19: identity follows the permanent id of the entry, not its name.
func TestAbuse_A19_OldNameNewPerson(t *testing.T) {
	for _, mode := range []string{"syncrepl", "poll"} {
		t.Run(mode, func(t *testing.T) {
			server := startOpenLDAP(t)
			s := start(t, server, setup{sync: mode, top: noLimits})
			s.waitReady()
			uidOf := func(name string) any {
				data, _ := s.ok("userinfo", "username", name)["data"].(map[string]any)
				return data["uid"]
			}
			old := uidOf("jdoe")
			admin := server.Admin(t)
			must(t, admin.ModifyDN(ldap.NewModifyDNRequest("uid=jdoe,ou=people,dc=example,dc=com", "uid=johnny", true, "ou=groups,dc=example,dc=com")))
			must(t, admin.ModifyDN(ldap.NewModifyDNRequest("uid=johnny,ou=groups,dc=example,dc=com", "uid=johnny", true, "ou=people,dc=example,dc=com")))
			must(t, server.Add("dn: uid=jdoe,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: jdoe\ncn: Judy Doe\nsn: Doe\nuserPassword: judy-pw\n"))
			eventually(t, 15*time.Second, "the renamed person and the new one", func() bool {
				return s.signedIn("johnny", "jdoe-pw") && s.signedIn("jdoe", "judy-pw")
			})
			if now := uidOf("johnny"); now != old {
				t.Errorf("the renamed person had uid %v and has %v", old, now)
			}
			if now := uidOf("jdoe"); now == old {
				t.Errorf("the new person has uid %v of the old one", now)
			}
			s.refused("auth", "username", "jdoe", "password", "jdoe-pw")
			data, _ := s.ok("userinfo", "uid", old.(string))["data"].(map[string]any)
			if data["username"] != "johnny" {
				t.Errorf("uid %v is %v now", old, data["username"])
			}
		})
	}
}

// TestSecurityLogOfSignIns: one record for each, with its type.
func TestSecurityLogOfSignIns(t *testing.T) {
	s := start(t, startOpenLDAP(t), setup{top: noLimits})
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	s.ok("login", "username", "jdoe", "password", "jdoe-pw")
	s.refused("auth", "username", "jdoe", "password", "wrong")
	s.refused("login", "username", "stranger", "password", "wrong")
	want := map[adapter.EventType]int{
		adapter.EventAPIAuthOK: 1, adapter.EventAPILoginOK: 1, adapter.EventAPIAuthFailed: 1, adapter.EventAPILoginFailed: 1,
	}
	for event, n := range want {
		if got := s.records(event); len(got) != n {
			t.Errorf("%d records of type %d, want %d", len(got), event, n)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
