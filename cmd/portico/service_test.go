package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/configs"
	"portico/directory/client"
	"portico/testenv"
)

func TestMain(m *testing.M) {
	beWriter()
	beChild()
	client.LimitDecoder()
	os.Exit(m.Run())
}

// service is the whole program in this process, in front of a real directory.
type service struct {
	t    testing.TB
	app  *app
	url  string
	key  string // of the action API, level full
	log  *logBuffer
	stop func()
}

// setup is what a test may change before the service starts.
type setup struct {
	dataDir   string   // default: a new one
	storeURL  string   // default: SQLite in dataDir
	listen    string   // default: any free port
	urls      []string // default: the server's
	sync      string   // default: auto
	directory string   // more YAML lines of the directory, indented by four
	top       string   // more YAML lines at the top level
}

// configText is the configuration of a test in front of one OpenLDAP.
func configText(ldap *testenv.LDAPServer, s setup) string {
	urls := s.urls
	if urls == nil {
		urls = []string{ldap.URL()}
	}
	mode := s.sync
	if mode == "" {
		mode = "auto"
	}
	return fmt.Sprintf(`
listen: %q
data_dir: %q
store: {url: %q}
directories:
  - name: corp
    preset: openldap
    urls: [%s]
    bind_dn: %q
    bind_password: %q
    base_dn: %q
    password_policy: %q
    sync: {mode: %s, interval: 1s}
%s
%s
`, cmp.Or(s.listen, "127.0.0.1:0"), s.dataDir, s.storeURL, strings.Join(urls, ", "), ldap.ServiceDN, ldap.ServicePassword, ldap.BaseDN, ldap.PolicyDN,
		mode, s.directory, s.top)
}

// start runs the service until the test ends, or stop is called.
func start(t testing.TB, ldap *testenv.LDAPServer, s setup) *service {
	t.Helper()
	if s.dataDir == "" {
		s.dataDir = filepath.Join(t.TempDir(), "data")
	}
	cfg, err := configs.Parse("test.yaml", []byte(configText(ldap, s)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return startConfig(t, cfg)
}

func startConfig(t testing.TB, cfg *configs.Config) *service {
	t.Helper()
	svc := &service{t: t, log: &logBuffer{}}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := newApp(ctx, cfg, newLogger(cfg, svc.log), cfg.DataDir)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	if err := a.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	svc.app, svc.url = a, "http://"+a.server.Addr().String()
	_, svc.key, err = a.adapter.CreateKey(ctx, adapter.KeyRequest{API: "action", Label: "test"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	svc.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the service ended with %v", err)
		}
		a.Close()
	}
	t.Cleanup(func() {
		svc.stop()
		if t.Failed() {
			t.Logf("log of the service:\n%s", svc.log.String())
		}
	})
	return svc
}

// waitReady waits until the directory was read.
func (s *service) waitReady() {
	s.t.Helper()
	if err := s.app.waitReady(context.Background(), time.Minute); err != nil {
		s.t.Fatal(err)
	}
}

// call posts a form to api.php and gives status and decoded answer.
func (s *service) call(action string, fields ...string) (int, map[string]any) {
	s.t.Helper()
	form := url.Values{"key": {s.key}, "action": {action}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	status, body, err := s.post("/api.php", form)
	if err != nil {
		s.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		return status, map[string]any{"text": string(body)}
	}
	return status, answer
}

func (s *service) post(path string, form url.Values) (int, []byte, error) {
	resp, err := http.PostForm(s.url+path, form)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// ok calls an action that must answer 200 with status OK.
func (s *service) ok(action string, fields ...string) map[string]any {
	s.t.Helper()
	status, answer := s.call(action, fields...)
	if status != http.StatusOK || answer["status"] != "OK" {
		s.t.Fatalf("%s %v = %d %v, want OK", action, fields, status, answer)
	}
	return answer
}

// refused calls an action that must answer 200 with status ERROR.
func (s *service) refused(action string, fields ...string) map[string]any {
	s.t.Helper()
	status, answer := s.call(action, fields...)
	if status != http.StatusOK || answer["status"] != "ERROR" {
		s.t.Fatalf("%s %v = %d %v, want ERROR", action, fields, status, answer)
	}
	return answer
}

// eventually waits until what is so, checking often.
func eventually(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
