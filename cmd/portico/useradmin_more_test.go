package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
)

// Keys of the configuration can be taken away and added without a restart; a file
// that cannot be used keeps the old ones.
func TestIntegrationKeysAreReloaded(t *testing.T) {
	server := startOpenLDAP(t)
	keys := filepath.Join(t.TempDir(), "keys")
	write := func(text string) { must(t, os.WriteFile(keys, []byte(text), 0o600)) }
	write("first-key\nsecond-key\n")
	c := serveChild(t, writeConfig(t, server, setup{top: fmt.Sprintf("apis: {integration: {keys_file: %q}}", keys)}))
	c.waitReady()
	ask := func(key string) int {
		resp, err := http.Post(c.url+"/$intapi/teams/", "application/x-www-form-urlencoded", strings.NewReader("key="+key))
		must(t, err)
		_ = readAll(resp)
		return resp.StatusCode
	}
	if a, b := ask("first-key"), ask("third-key"); a != 200 || b != 403 {
		t.Fatalf("before: %d %d", a, b)
	}
	write("{new}third-key\n")
	c.signal(syscall.SIGHUP)
	eventually(t, 20*time.Second, "the new key is good", func() bool { return ask("third-key") == 200 })
	if status := ask("first-key"); status != 403 {
		t.Errorf("a key that is gone: %d", status)
	}
	write("{new; only=everything}third-key\n")
	c.signal(syscall.SIGHUP)
	eventually(t, 20*time.Second, "the fault is told", func() bool { return strings.Contains(c.log.String(), "the old ones stay") })
	if status := ask("third-key"); status != 200 {
		t.Errorf("after a bad file: %d", status)
	}
	if log := c.log.String(); strings.Contains(log, "third-key") || strings.Contains(log, "first-key") {
		t.Error("a key is in the log")
	}
}

// The curl commands that the demo prints, typed as they are, the dollar sign too.
func TestDemoByCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("curl is missing; install it with: apt-get install curl")
	}
	address := freePort(t)
	c := startChild(t, "demo", "--listen", address)
	eventually(t, time.Minute, "the demo tells what to try", func() bool { return strings.Contains(c.out.String(), "/api/organisations/v1") })
	typed := func(command string) string {
		out, err := exec.Command("sh", "-c", command).CombinedOutput()
		must(t, err)
		return string(out)
	}
	wants := map[string]string{
		"/$intapi/members/": "[\n  \"ada\",", "/$intapi/member/": `"username": "ada"`, "/$intapi/teams/": `"survey"`, "/$intapi/team/": `"leaders": [`,
		"/profile": "<username>ada</username>", "/users.json": `[{"user":{"company":`, "/roles": `<roles type="array">`, "/projects": `<projects type="array">`,
		"/users ": `<username nil="true"></username>`,
	}
	seen := 0
	key := ""
	for line := range strings.Lines(c.out.String()) {
		for path, want := range wants {
			if strings.HasPrefix(line, "  curl ") && (strings.Contains(line, path+"'") || strings.Contains(line, address+path) && !strings.Contains(line, "$")) {
				seen++
				if got := typed(line); !strings.Contains(got, want) {
					t.Errorf("%s\n%s", line, got)
				}
			}
		}
		if _, rest, ok := strings.Cut(line, "/$intapi/teams/' --data-urlencode key="); ok {
			key = strings.TrimSpace(rest)
		}
	}
	if seen != len(wants) {
		t.Errorf("%d commands were typed of %d", seen, len(wants))
	}
	base := "curl -s -w ' %{http_code}' 'http://" + address
	for command, want := range map[string]string{
		"/$intapi/members/' -d email=yes -d key=" + key:          ` 501`, // off by default
		"/$intapi/teams/' -F key=" + key:                         `"survey"`,
		"/$intapi/'":                                             "<h1>Integration</h1>",
		"/%24intapi/team' -d teamname=Survey -d key=" + key:      "There is no team Survey. 404",
		"/$intapi/team' -H 'Content-Type: text/x' -d key=" + key: " 400",
		"/$intapi/team?key=" + key + "' -X POST":                 " 400",
		"/$intapi/team'":                                         " 405",
	} {
		if got := typed(base + command); !strings.Contains(got, want) {
			t.Errorf("%s: %s", command, got)
		}
	}
}

// Members of a project are replaced in a real directory, all or nothing, and
// accounts are disabled and enabled there.
func TestUsersWrittenToOpenLDAP(t *testing.T) {
	o := openOffice(t, "")
	var projects []struct {
		Project struct{ Permalink, Name string }
	}
	_, body := o.as("GET", "/projects", "")
	must(t, json.Unmarshal([]byte(body), &projects))
	if len(projects) == 0 {
		t.Fatal(body)
	}
	slug, name := "sales", "Sales"
	ids := map[string]int64{}
	for _, who := range []string{"jdoe", "jadoe", "admin"} {
		p, err := o.app.adapter.Person(t.Context(), adapter.ByUsername(who))
		must(t, err)
		ids[who] = p.UID
	}
	members := func() string {
		r, err := o.ldap.Admin(t).Search(ldap.NewSearchRequest("cn="+name+",ou=groups,"+o.ldap.BaseDN, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
		must(t, err)
		var list []string
		for _, dn := range append(r.Entries[0].GetAttributeValues("member"), r.Entries[0].GetAttributeValues("uniqueMember")...) {
			list = append(list, strings.TrimPrefix(strings.ToLower(strings.Split(dn, ",")[0]), "uid="))
		}
		return strings.Join(list, " ")
	}
	post := func(body string) (int, string) { return o.as("POST", "/"+slug+"/assignments", body) }
	if status, answer := post(fmt.Sprintf(`{"users":{"user":[{"id":%d},{"id":%d}]}}`, ids["jadoe"], ids["admin"])); status != 200 ||
		strings.Count(answer, `"id":`) != 2 || !strings.Contains(answer, `"username":"jadoe"`) {
		t.Fatalf("%d %s", status, answer)
	}
	if got := members(); !strings.Contains(got, "jadoe") || !strings.Contains(got, "admin") || strings.Contains(got, "jdoe") {
		t.Errorf("members are %q", got)
	}
	before := members()
	if status, answer := post(`{"users":[{"id":4711},{"id":1}]}`); status != 422 || members() != before {
		t.Errorf("an unknown id: %d %s, members %q", status, answer, members())
	}
	if status, answer := post(`{"users":[]}`); status != 200 || answer != "[]" {
		t.Errorf("nobody: %d %s", status, answer)
	}
	if got := members(); strings.Contains(got, "jadoe") || strings.Contains(got, "admin") {
		t.Errorf("after clearing: %q", got)
	}
	o.disabledThere(t)
}

func (o *office) disabledThere(t *testing.T) {
	key, err := o.app.adapter.AddPersonalKey(t.Context(), adapter.ByUsername("jadoe"), "hers", adapter.Client{})
	must(t, err)
	locked := func() bool {
		r, err := o.ldap.Admin(t).Search(ldap.NewSearchRequest("uid=jadoe,ou=people,"+o.ldap.BaseDN, ldap.ScopeBaseObject, 0, 0, 0, false,
			"(objectClass=*)", []string{"pwdAccountLockedTime"}, nil))
		must(t, err)
		return len(r.Entries[0].GetAttributeValues("pwdAccountLockedTime")) > 0
	}
	put := func(enabled string) {
		t.Helper()
		if status, answer := o.as("PUT", "/users/jadoe", `{"user":{"enabled":`+enabled+`}}`); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
		if _, answer := o.as("GET", "/users/jadoe", ""); !strings.Contains(answer, `"enabled":`+enabled) {
			t.Errorf("%s", answer)
		}
	}
	put("false")
	if !locked() {
		t.Error("not disabled in the directory")
	}
	if status, _ := o.um("example/jadoe", key, "GET", "/profile", ""); status != 401 {
		t.Errorf("her key opens: %d", status)
	}
	put("true")
	if locked() {
		t.Error("not enabled in the directory")
	}
	if answer := o.ok("auth", "username", "jadoe", "password", "jadoe-pw"); answer["status"] != "OK" {
		t.Errorf("auth = %v", answer)
	}
	if status, _ := o.as("DELETE", "/users/jadoe", ""); status != 200 || !locked() {
		t.Errorf("DELETE: %d", status)
	}
	if status, answer := o.as("PUT", "/users/jadoe", `{"user":{"first_name":"Janet"}}`); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	if _, answer := o.as("GET", "/users/jadoe", ""); !strings.Contains(answer, `"first_name":"Janet"`) {
		t.Errorf("%s", answer)
	}
}

// G05: no answer of these APIs allows a foreign page to read it, and no foreign
// page changes anything.
func TestAbuse_G05_ForeignPages(t *testing.T) {
	o := openOffice(t, "")
	for _, origin := range []string{"null", "https://id.example.org.evil.example", "https://evil.example", o.base + ".evil.example"} {
		for _, c := range [][2]string{{"GET", "/users"}, {"POST", "/users"}, {"OPTIONS", "/users"}, {"POST", "/$intapi/teams/"}, {"OPTIONS", "/$intapi/teams/"}, {"DELETE", "/users/jadoe"}} {
			req, err := http.NewRequestWithContext(t.Context(), c[0], o.url+c[1], strings.NewReader("key=password!"))
			must(t, err)
			req.SetBasicAuth("example/jdoe", o.key)
			req.Header.Set("Origin", origin)
			req.Header.Set("Sec-Fetch-Site", "cross-site")
			req.Header.Set("Access-Control-Request-Method", "POST")
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			_ = readAll(resp)
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s: %s", c[0], c[1], name)
				}
			}
			if (c[0] == "POST" && c[1] == "/users" || c[0] == "DELETE") && resp.StatusCode != 403 {
				t.Errorf("%s %s from %s: %d", c[0], c[1], origin, resp.StatusCode)
			}
		}
	}
}

// G09: what goes wrong tells nothing of the inside.
func TestAbuse_G09_ErrorsTellNothing(t *testing.T) {
	o := openOffice(t, "")
	inside := []string{"dc=example", "ou=people", "sqlite", "SELECT", "goroutine", ".go:", o.ldap.URL(), "/tmp/", "Server:", "go1."}
	look := func(what string, status int, body string) {
		for _, word := range inside {
			if strings.Contains(body, word) {
				t.Errorf("%s: %d %s", what, status, body)
			}
		}
	}
	all := func() {
		for _, c := range [][3]string{
			{"POST", "/users", "{"},
			{"POST", "/users", `{"user":{}}`},
			{"POST", "/users", `[]`},
			{"PUT", "/users/%00", `{"user":{"enabled":true}}`},
			{"GET", "/users/*)(uid=*", ""},
			{"GET", "/users/nobody", ""},
			{"PATCH", "/users", ""},
			{"GET", "/no-such-project", ""},
			{"POST", "/sales/assignments", `{"users":[{"id":"x"}]}`},
			{"POST", "/users/jdoe/public_keys", `{"public_key":{"key":"x"}}`},
			{"GET", "/users", ""},
			{"PUT", "/users/jadoe", `{"user":{"first_name":"x"}}`},
		} {
			status, body := o.as(c[0], c[1], c[2])
			look(c[0]+" "+c[1], status, body)
		}
		status, body, err := o.post("/$intapi/member/", map[string][]string{"key": {"password!"}, "username": {"jdoe"}, "password": {"jdoe-pw"}})
		must(t, err)
		look("member", status, string(body))
	}
	all()
	o.ldap.Stop()
	all()
}

// B02, G10: who may not come in learns nothing of who is there, and is slowed down.
func TestAbuse_B02_WhoIsThere(t *testing.T) {
	o := openOffice(t, "")
	first := ""
	for _, c := range [][2]string{
		{"example/jdoe", "wrong"}, {"example/nobody", "wrong"}, {"another/jdoe", o.key}, {"example/jadoe", o.key}, {"example/" + strings.Repeat("x", 500), "wrong"}, {"/jdoe", o.key},
	} {
		status, body := o.um(c[0], c[1], "GET", "/users/jadoe", "")
		if answer := fmt.Sprint(status, body); first == "" {
			first = answer
		} else if answer != first || status != 401 {
			t.Errorf("%s: %s, not %s", c[0], answer, first)
		}
	}
	last := 0
	for range 12 {
		last, _ = o.um("example/nobody", "wrong", "GET", "/users", "")
	}
	if last != 429 {
		t.Errorf("after twelve wrong keys: %d", last)
	}
	if status, _ := o.as("GET", "/profile", ""); status != 200 {
		t.Errorf("somebody else: %d", status)
	}
}

// G10: links to invitations that are guessed, many at once, open nothing and
// leave nothing behind.
func TestAbuse_G10_GuessedLinks(t *testing.T) {
	o := openOffice(t, "")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 25 {
				status, _ := get(t, fmt.Sprintf("%s/account/invitation?t=GUESS%dX%d", o.url, i, j))
				if status != http.StatusNotFound && status != http.StatusTooManyRequests {
					t.Errorf("guessed: %d", status)
				}
				if _, body := o.accept(fmt.Sprintf("?t=GUESS%dX%d", i, j), "mallory"); strings.Contains(body, "is ready") {
					t.Error("let in")
				}
			}
		})
	}
	all.Wait()
	if list, err := o.app.adapter.Invitations(t.Context(), true); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
}

// D14: a user name that looks like somebody else's number is taken for neither.
func TestAbuse_D14_NameLikeANumber(t *testing.T) {
	o := openOffice(t, "")
	victim, err := o.app.adapter.Person(t.Context(), adapter.ByUsername("jadoe"))
	must(t, err)
	number := fmt.Sprint(victim.UID)
	must(t, o.ldap.Load(strings.NewReader(fmt.Sprintf(`
dn: uid=%[1]s,ou=people,%[2]s
objectClass: inetOrgPerson
uid: %[1]s
cn: Number
sn: Number
mail: number@example.com
`, number, o.ldap.BaseDN))))
	eventually(t, 20*time.Second, "the person with the number is known", func() bool {
		ok, err := o.app.adapter.PersonExists(t.Context(), adapter.ByUsername(number))
		return err == nil && ok
	})
	for _, method := range []string{"GET", "DELETE"} {
		if status, body := o.as(method, "/users/"+number, ""); status != http.StatusConflict {
			t.Errorf("%s: %d %s", method, status, body)
		}
	}
	if _, body := o.as("GET", "/users/jadoe", ""); !strings.Contains(body, `"enabled":true`) {
		t.Error(body)
	}
	if status, _ := o.as("GET", "/users/"+number+"/public_keys", ""); status != http.StatusConflict {
		t.Errorf("keys: %d", status)
	}
}

// F16: what is listed for administrators is text or JSON, not a table for
// spreadsheets; a name that begins like a formula changes nothing in it.
func TestAbuse_F16_NamesLikeFormulas(t *testing.T) {
	o := openOffice(t, "")
	body := `{"user":{"first_name":"=HYPERLINK(\"http://evil\")","last_name":"@SUM(1+1)|<b>","email_address":"formula@example.org"}}`
	if status, answer := o.as("POST", "/users", body); status != 201 {
		t.Fatalf("%d %s", status, answer)
	}
	_, text, html := o.letter(1)
	if strings.Contains(html, "<b>") || !strings.Contains(html, "&lt;b&gt;") || !strings.Contains(text, "=HYPERLINK") {
		t.Errorf("%s\n%s", text, html)
	}
	link := invitationLink.FindString(text)
	if _, page := get(t, o.onPort(link)); strings.Contains(page, "<b>") || strings.Contains(page, `href="http://evil`) {
		t.Error(page)
	}
	if status, answer := o.as("POST", "/users", `{"user":{"first_name":"a\u0000b","last_name":"x\ny","email_address":"formula2@example.org"}}`); status != 422 {
		t.Errorf("control characters: %d %s", status, answer)
	}
}
