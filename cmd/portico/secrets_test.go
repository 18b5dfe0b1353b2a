package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/adapter"
)

// TestAbuse_K04_SecretsAreNowhere runs a session with marked secrets and then
// looks for them in the log, in every file of the data folder, in the metrics
// and in the answers.
func TestAbuse_K04_SecretsAreNowhere(t *testing.T) {
	server := startOpenLDAP(t)
	password := "Marked-Right-51cc"
	must(t, server.Add("dn: uid=marked,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: marked\ncn: Mark Ed\nsn: Ed\nuserPassword: "+password+"\n"))
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, server, setup{dataDir: dir, top: "log: {level: debug}\nmetrics: {listen: \"127.0.0.1:0\"}\n" + noLimits})
	s.waitReady()
	imported := "Marked-Imported-Key-9f27aa"
	_, _, err := s.app.adapter.CreateKey(t.Context(), adapter.KeyRequest{API: "action", Label: "taken over", Value: imported})
	must(t, err)
	secrets := []string{
		password, "Marked-Wrong-77ab", "Marked-Query-2b1d", "Marked-Path-8c8c", "Marked-Json-3d3d", "Marked-Stranger-4e4e",
		"Marked-Down-6f6f", "MarkedBadKey5a5a5a5a5a5a5a5a", imported, s.key, server.ServicePassword,
	}
	answers := markedSession(s, secrets, imported)
	server.Kill()
	answers += markedCall(s, url.Values{"key": {s.key}, "action": {"auth"}, "username": {"marked"}, "password": {"Marked-Down-6f6f"}})
	_, ready := get(t, s.url+"/readyz")
	_, metrics := get(t, "http://"+s.app.server.MetricsAddr().String()+"/metrics")
	if !strings.Contains(metrics, "portico_http_requests_total") {
		t.Fatalf("no metrics: %s", metrics)
	}
	redacted, err := s.app.cfg.Redacted()
	must(t, err)
	s.stop()
	places := map[string]string{
		"the log": s.log.String(), "the answers": answers, "/readyz": ready, "the metrics": metrics, "the shown configuration": string(redacted),
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(t, err)
		places["file "+f.Name()] = string(content)
	}
	if len(files) < 2 {
		t.Fatalf("files: %v", files)
	}
	for place, text := range places {
		for _, secret := range secrets {
			for _, form := range []string{secret, url.QueryEscape(secret)} {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s holds %q: ...%q...", place, secret, text[max(0, at-80):min(len(text), at+80)])
				}
			}
		}
		if strings.Contains(text, "{SSHA}") || strings.Contains(strings.ToLower(text), "userpassword:") {
			t.Errorf("%s holds a hash of a password", place)
		}
	}
}

// markedSession is every way in which a secret comes in, right and wrong.
func markedSession(s *service, secrets []string, imported string) string {
	var answers strings.Builder
	for _, action := range []string{"auth", "login"} {
		for _, password := range secrets {
			answers.WriteString(markedCall(s, url.Values{"key": {s.key}, "action": {action}, "username": {"marked"}, "password": {password}}))
		}
	}
	answers.WriteString(markedCall(s, url.Values{"key": {imported}, "action": {"ping"}}))
	answers.WriteString(markedCall(s, url.Values{"key": {"MarkedBadKey5a5a5a5a5a5a5a5a"}, "action": {"ping"}}))
	answers.WriteString(markedCall(s, url.Values{"key": {s.key}, "action": {"auth"}, "username": {"stranger"}, "password": {"Marked-Stranger-4e4e"}}))
	for _, path := range []string{
		"/api.php?key=" + s.key + "&action=auth&username=marked&password=Marked-Query-2b1d",
		"/api.php?key=" + s.key + "&action=nonsense&password=Marked-Query-2b1d",
		"/api/auth/" + s.key + "/?username=marked&password=Marked-Path-8c8c",
		"/api/auth/MarkedBadKey5a5a5a5a5a5a5a5a/?username=marked&password=Marked-Path-8c8c",
		"/nowhere/" + s.key + "?password=Marked-Path-8c8c",
		"/api/auth/" + s.key + "/Marked-Path-8c8c/x",
	} {
		_, body := get(s.t, s.url+path)
		answers.WriteString(body)
	}
	for _, body := range []string{
		`{"key":"` + s.key + `","action":"auth","username":"marked","password":"Marked-Json-3d3d"}`,
		`{"key":"` + s.key + `","action":"auth","username":"marked","password":["Marked-Json-3d3d"]}`,
		`{"key":"` + s.key + `","password":"Marked-Json-3d3d",`,
	} {
		resp, err := http.Post(s.url+"/api/", "application/json", strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		answers.WriteString(readAll(resp))
	}
	return answers.String()
}

func markedCall(s *service, form url.Values) string {
	s.t.Helper()
	_, body, err := s.post("/api.php", form)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}
