package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/testenv"
)

// hostileTexts are what LDAP filters, DNs, SQL and terminals react to.
func hostileTexts() []string {
	return []string{
		"*", "a*", "*)(uid=*))(|(uid=*", `\28`, `\2a`, ")(cn=", "(uid=*)", "jdoe\x00", "\x00", "%", "_", "' OR '1'='1", `"; DROP TABLE entry; --`,
		"doe' UNION SELECT value FROM meta --", "doe\nlevel=INFO msg=forged", "doe\x1b[31m", "\u202edoe", "\xff\xfe", strings.Repeat("(", 5000),
		"NEAR(doe)", `"doe`, "doe*", "^doe", "doe OR jane", "username:doe", "${x}", "../../etc/passwd", "{{.}}", "<script>alert(1)</script>",
	}
}

// TestAbuse_A06_A07_F18_F19_TextsAreTexts: text from outside is text in every
// filter, query and log line.
func TestAbuse_A06_A07_F18_F19_TextsAreTexts(t *testing.T) {
	s := start(t, startOpenLDAP(t), setup{top: noLimits})
	s.waitReady()
	for _, text := range hostileTexts() {
		for _, c := range [][]string{
			{"usersearch", "search"},
			{"groupsearch", "search"},
			{"userinfo", "username"},
			{"userexists", "username"},
			{"acctstatus", "username"},
			{"getgroupsbyuser", "username"},
			{"getmanaged", "username"},
			{"getmanagers", "username"},
			{"userinfo", "uid"},
			{"getusersbygroup", "gid"},
			{"auth", "username", "password", "x"},
			{"ismanagerof", "manager", "employee", "jdoe"},
			{"ismanagerof", "employee", "manager", "jdoe"},
		} {
			fields := append([]string{c[1], text}, c[2:]...)
			status, answer := s.call(c[0], fields...)
			if status >= 500 || status == 0 {
				t.Errorf("%s %q: %d %v", c[0], text, status, answer)
			}
			if hits, _ := answer["result"].([]any); len(hits) > 0 || answer["data"] != nil || answer["exists"] == true {
				t.Errorf("%s %q found somebody: %v", c[0], text, answer)
			}
			if c[0] == "auth" && answer["status"] == "OK" {
				t.Errorf("auth %q came in", text)
			}
		}
	}
	for line := range strings.Lines(s.log.String()) {
		if !strings.HasPrefix(line, "time=") || strings.ContainsAny(line, "\x1b\x00") {
			t.Errorf("a forged line in the log: %q", line)
		}
	}
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	if _, err := s.app.store.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAbuse_A08_A10_HostileDirectory: names in the directory that hold the
// syntax of DNs, filters and JSON.
func TestAbuse_A08_A10_HostileDirectory(t *testing.T) {
	server := startOpenLDAP(t)
	names := []string{"plus+sign", "comma, inside", `quote"back\slash`, "<angle>", "semi;colon", "#hash", "equals=sign", "star*", "(paren)", `o\28`, "ünïcode", "<script>alert(1)</script>"}
	for i, name := range names {
		dn := "cn=" + escapeRDN(name) + ",ou=people,dc=example,dc=com"
		must(t, server.Add(fmt.Sprintf("dn: %s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: x\nmanager: uid=admin,ou=people,dc=example,dc=com\nuserPassword: pw-%d\n", dn, name, name, i)))
		must(t, server.Add(fmt.Sprintf("dn: cn=%s,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: g %s\ncn: %s\nmember: %s\n", escapeRDN(name), name, name, dn)))
	}
	for _, mode := range []string{"syncrepl", "poll"} {
		t.Run(mode, func(t *testing.T) {
			s := start(t, server, setup{sync: mode, top: noLimits})
			s.waitReady()
			for i, name := range names {
				s.ok("auth", "username", name, "password", fmt.Sprintf("pw-%d", i))
				if got := s.nameOf(name); got != name {
					t.Errorf("%q is %q", name, got)
				}
				groups, _ := s.ok("getgroupsbyuser", "username", name)["groups"].([]any)
				if len(groups) != 1 {
					t.Errorf("groups of %q: %v", name, groups)
				}
				if hits := s.hits(name); len(hits) != 1 {
					t.Errorf("search for %q: %v", name, hits)
				}
				if s.ok("ismanagerof", "manager", "admin", "employee", name)["managerof"] != true {
					t.Errorf("the manager of %q is lost", name)
				}
			}
		})
	}
}

// escapeRDN escapes a value for an RDN (RFC 4514 §2.4).
func escapeRDN(value string) string {
	var b strings.Builder
	for i, r := range value {
		if strings.ContainsRune(`,+"\<>;=`, r) || i == 0 && (r == '#' || r == ' ') {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// TestAbuse_I07_LimitsAreNeverSilentlyShort: a directory that cuts its answers
// off is not taken for a small one.
func TestAbuse_I07_LimitsAreNeverSilentlyShort(t *testing.T) {
	for _, mode := range []string{"syncrepl", "poll"} {
		t.Run(mode, func(t *testing.T) {
			server, d := startSample(t, 700, testenv.WithServiceSizeLimit(100))
			s := start(t, server, setup{sync: mode})
			eventually(t, 30*time.Second, "the feed says that it is cut off", func() bool {
				return s.app.members[0].feed.Status().Err != ""
			})
			status, body := get(t, s.url+"/readyz")
			if status != http.StatusServiceUnavailable {
				t.Errorf("/readyz = %d %s, with a seventh of the people", status, body)
			}
			if !strings.Contains(s.log.String(), "limit") {
				t.Error("the log does not speak of a limit")
			}
			name := d.UID(699) // look-ups by key go on
			if data, _ := s.ok("userinfo", "username", name)["data"].(map[string]any); data["username"] != strings.ToLower(name) {
				t.Errorf("userinfo %s = %v", name, data)
			}
		})
	}
}

// TestAbuse_I09_NestedGroups: fifty levels and a circle come to an end, each
// group and person once.
func TestAbuse_I09_NestedGroups(t *testing.T) {
	server := startOpenLDAP(t)
	const depth = 50
	var ldif strings.Builder
	for i := range depth {
		member := fmt.Sprintf("cn=level%d,ou=groups,dc=example,dc=com", i+1)
		if i == depth-1 {
			member = "cn=level0,ou=groups,dc=example,dc=com" // a circle
		}
		fmt.Fprintf(&ldif, "dn: cn=level%d,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: level%d\nmember: %s\n", i, i, member)
		if i == depth-1 || i == depth/2 {
			fmt.Fprint(&ldif, "member: uid=jadoe,ou=people,dc=example,dc=com\n")
		}
		fmt.Fprintln(&ldif)
	}
	must(t, server.Add(ldif.String()))
	for _, nested := range []bool{true, false} {
		s := start(t, server, setup{directory: fmt.Sprintf("    groups: {nested: %v}", nested)})
		s.waitReady()
		groups, _ := s.ok("getgroupsbyuser", "username", "jadoe")["groups"].([]any)
		seen := map[any]int{}
		top := ""
		for _, g := range groups {
			seen[g.(map[string]any)["name"]]++
		}
		for _, g := range s.ok("getgroups")["groups"].([]any) {
			if g := g.(map[string]any); g["name"] == "level0" {
				top = g["id"].(string)
			}
		}
		members, _ := s.ok("getusersbygroup", "gid", top, "get", "username")["users"].([]any)
		want, wantMembers := depth+1, "[jadoe]" // and Sales
		if !nested {
			want, wantMembers = 3, "[]"
		}
		if len(groups) != want || len(seen) != want {
			t.Errorf("nested %v: %d groups, %d different, want %d", nested, len(groups), len(seen), want)
		}
		if got := fmt.Sprint(members); got != wantMembers {
			t.Errorf("nested %v: members of the top = %s, want %s", nested, got, wantMembers)
		}
		s.stop()
	}
}

// TestAbuse_F17_OnePathOneMeaning: odd spellings of a path reach no action
// without the check of the key, and never a 500.
func TestAbuse_F17_OnePathOneMeaning(t *testing.T) {
	s := start(t, startOpenLDAP(t), setup{})
	s.waitReady()
	k := s.key
	for _, path := range []string{
		"//api.php", "/./api.php", "/x/../api.php", "/api%2Ephp", "/api.php/", "/API.PHP", "/api.php;x", "/api.php%00", "/api.php%2F..",
		"/api//ping//" + k, "/api/ping/..%2f" + k, "/api/ping/%2e%2e/" + k, "/api/ping/" + k + "%00", "/api/PING/" + k, "/api/ping;x/" + k,
		"/api/../healthz", "/healthz/", "/readyz%2f", "/metrics", "/debug/pprof/", "/api/%2e%2e/%2e%2e/etc/passwd",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		must(t, err)
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\n", path)
		must(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		body, _ := io.ReadAll(resp.Body)
		_ = conn.Close()
		if resp.StatusCode >= 500 || strings.Contains(string(body), "goroutine") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		if strings.Contains(string(body), `"OK"`) && !strings.Contains(path, k) {
			t.Errorf("%s: an action without a key: %s", path, body)
		}
	}
	if strings.Contains(s.log.String(), k) {
		t.Error("the key is in the log")
	}
}

// TestAbuse_J03_ManyWritersTwoProcesses: the service and the command line write
// into one SQLite database; nobody hears of it.
func TestAbuse_J03_ManyWritersTwoProcesses(t *testing.T) {
	server, d := startSample(t, 300)
	path := writeConfig(t, server, setup{})
	key := makeKey(t, path)
	c := serveChild(t, path)
	c.waitReady()
	var work sync.WaitGroup
	for w := range 50 {
		work.Go(func() {
			for i := range 6 {
				name := d.UID((w*6 + i) % 300)
				form := url.Values{"key": {key}, "action": {"auth"}, "username": {name}, "password": {name + "-pw"}}
				if _, body, err := postForm(c.url, form); err != nil || !strings.Contains(body, `"OK"`) {
					t.Errorf("auth %s: %s %v", name, body, err)
				}
			}
		})
	}
	keys := make(chan string, 20)
	for range 2 {
		work.Go(func() {
			for range 5 {
				code, out, errOut := command(t, "key", "create", "--config", path, "--api", "action", "--label", "writer")
				if code != 0 {
					t.Errorf("key create: %d %s", code, errOut)
					continue
				}
				keys <- strings.TrimSpace(out)
			}
		})
	}
	work.Wait()
	close(keys)
	for made := range keys {
		c.as(made).ok("ping") // known to the running service at once
	}
	if strings.Contains(c.log.String(), "BUSY") || strings.Contains(c.log.String(), "locked (") {
		t.Error("the log speaks of a busy database")
	}
	code, out, errOut := command(t, "key", "list", "--config", path)
	if code != 0 || strings.Count(out, "writer") != 10 {
		t.Errorf("key list: %d %s %s", code, out, errOut)
	}
}
