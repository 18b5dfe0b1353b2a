package action

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/httpapi"
	"portico/internal/texts"
	"portico/testenv/replay"
)

// service is the API over the fake on a real socket.
type service struct {
	fake *fake
	api  *API
	addr string
	log  *logBuffer
}

// startService serves the API below a prefix. Every text is its own id.
func startService(t testing.TB, prefix string) *service {
	t.Helper()
	return startWith(t, Config{Prefix: prefix, BaseURL: "https://id.example.org", Mobile: true})
}

// startWith serves the API as configured, with the texts, apps and parts of the tests.
func startWith(t testing.TB, cfg Config) *service {
	t.Helper()
	s := &service{fake: newFake(), log: &logBuffer{}}
	log := slog.New(httpapi.LogHandler(slog.NewTextHandler(s.log, nil)))
	cfg.TextsFile, cfg.Apps, cfg.ExemptKeys = plainTexts(t), testApps(), []string{"portal"}
	cfg.Alerts, cfg.Sessions = s.fake, s.fake
	var err error
	if s.api, err = New(cfg, s.fake, log); err != nil {
		t.Fatal(err)
	}
	s.addr = serve(t, s.api, log)
	return s
}

func testApps() []App {
	return []App{
		{"qwikclock", json.RawMessage(`{"url":"/qwikclock","mobileapi":"/mobile/index.php","icon":"/static/img/logo.svg",` +
			`"title":"QwikClock","station_features":["qwikclock_punchinout"],"card":{"color":"blue","string":"Punch in"}}`)},
		{"binstack", json.RawMessage(`{"title":"Bin<Stack>","url":"https://apps.example.org:8443/bin","mobileapi":"/m","icon":"https://x/i.svg","own":null}`)},
	}
}

// serve runs the whole server with one dialect until the test ends.
func serve(t testing.TB, d httpapi.Dialect, log *slog.Logger) string {
	t.Helper()
	server, err := httpapi.New(httpapi.Config{Listen: "127.0.0.1:0"}, httpapi.Deps{
		Log: log, Now: time.Now, Rand: rand.Reader, Dialects: []httpapi.Dialect{d},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := server.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server ended with %v", err)
		}
	})
	return server.Addr().String()
}

// plainTexts is a file of texts in which every text is its own id.
func plainTexts(t testing.TB) string {
	t.Helper()
	ids := map[texts.ID]texts.ID{}
	for _, id := range texts.All() {
		ids[id] = id
	}
	data, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "texts.json")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// direct changes the fixture before a request.
func (s *service) direct(directive string) error {
	verb, arg, _ := strings.Cut(directive, " ")
	switch verb {
	case "wait":
		d, err := time.ParseDuration(arg)
		if err != nil {
			return err
		}
		s.fake.set(func() { s.fake.now = s.fake.now.Add(d) })
	case "sign-in":
		code, uid, _ := strings.Cut(arg, " ")
		k := s.fake.loginKeys[code]
		n, err := strconv.ParseInt(uid, 10, 64)
		if k == nil || err != nil {
			return fmt.Errorf("no login key %q", code)
		}
		k.uid, k.expires = n, s.fake.now.Add(10*time.Minute)
	case "mobile":
		s.api.cfg.Mobile = arg == "on"
	case "pages":
		s.api.cfg.Sessions = nil
	case "mail":
		s.api.cfg.Alerts = nil
	case "adapter":
		return s.fail(arg)
	default:
		return fmt.Errorf("no such directive: %q", directive)
	}
	return nil
}

func (s *service) fail(fault string) error {
	faults := map[string]error{
		"up":        nil,
		"down":      &adapter.Error{Kind: adapter.Unavailable},
		"busy":      &adapter.Error{Kind: adapter.Throttled, RetryAfter: time.Second},
		"ambiguous": &adapter.Error{Kind: adapter.Ambiguous, Field: "user"},
		"broken":    fmt.Errorf("dial tcp 10.0.0.7:5432: secret detail"),
		"late":      fmt.Errorf("search: %w", context.DeadlineExceeded),
		"invalid":   &adapter.Error{Kind: adapter.Invalid, Field: "username"},
		"full":      &adapter.Error{Kind: adapter.Conflict, Field: "app password"},
	}
	err, ok := faults[fault]
	if !ok && fault != "panics" {
		return fmt.Errorf("no such fault: %q", fault)
	}
	s.fake.set(func() { s.fake.fault, s.fake.panics = err, fault == "panics" })
	return nil
}

// variable gives what files may ask for; testdata/README.txt says what.
func (s *service) variable(name string) (string, error) {
	verb, arg, _ := strings.Cut(name, " ")
	switch verb {
	case "totp":
		step, err := strconv.ParseInt(arg, 10, 64)
		return s.fake.totpCode(step), err
	case "sync", "sync-lower":
		for code, owner := range s.fake.syncCodes {
			if owner == arg && verb == "sync-lower" {
				return strings.ToLower(code), nil
			} else if owner == arg {
				return code, nil
			}
		}
	}
	return "", fmt.Errorf("no variable %q", name)
}

func (s *service) send(method string, request []byte) (*http.Response, []byte, error) {
	return replay.Send(s.addr, method, request)
}

// TestReplay sends every recorded exchange. A file is one session: its fixture is
// fresh, its exchanges follow each other.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files of exchanges, %v", len(files), err)
	}
	for _, file := range files {
		if filepath.Base(file) == "README.txt" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			list, err := replay.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := startService(t, replay.Prefix(list, "/accounthub"))
			target := replay.Target{Addr: s.addr, Var: s.variable, Direct: s.direct}
			target.Play(t, list)
		})
	}
}
