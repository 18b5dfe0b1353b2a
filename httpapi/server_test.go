package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"
)

// routes is a dialect made of handlers by path template.
type routes map[string]http.HandlerFunc

// Mount adds them.
func (d routes) Mount(r *mux.Router) {
	for path, handler := range d {
		r.HandleFunc(path, handler)
	}
}

// formed is a dialect with a form of failure of its own.
type formed struct{ routes }

// WriteFailure is that form.
func (formed) WriteFailure(w http.ResponseWriter, _ *http.Request, status int, requestID string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "formed "+requestID)
}

// safeBuffer may be written and read by several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newServer(t testing.TB, cfg Config, dialects ...Dialect) (*Server, *safeBuffer) {
	t.Helper()
	out := &safeBuffer{}
	s, err := New(cfg, Deps{
		Log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: time.Now, Rand: rand.Reader, Dialects: dialects,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, out
}

// start runs the server until the test ends and gives its address.
func start(t testing.TB, s *Server) string {
	t.Helper()
	s.cfg.Listen = "127.0.0.1:0"
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done //nolint:errcheck // it was cancelled
	})
	return s.Addr().String()
}

func ask(s *Server, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestRoutesAreTriedInOrder(t *testing.T) {
	s, _ := newServer(t, Config{}, routes{"/api/special/v1": say("special")}, routes{"/api/{action}/{key}": say("general")})
	if got := ask(s, "GET", "/api/special/v1").Body.String(); got != "special" {
		t.Errorf("got %q", got)
	}
	if got := ask(s, "GET", "/api/special/v2").Body.String(); got != "general" {
		t.Errorf("got %q", got)
	}
}

func TestAbuse_F17_PathsMeanWhatTheySay(t *testing.T) {
	var seen string
	s, log := newServer(t, Config{}, routes{
		"/x/{id}": func(w http.ResponseWriter, r *http.Request) { seen = mux.Vars(r)["id"] },
	})
	for target, want := range map[string]string{
		"/x/a":                  "a",
		"/x/a%2Fb":              "a%2Fb",
		"/x/a%00b":              "a%00b",
		"/x/a;b":                "a;b",
		"/x/..":                 "..",
		"/x/%2e%2e":             "%2e%2e",
		"/x/a/":                 "", // not matched
		"/x//a":                 "",
		"//x/a":                 "",
		"/X/a":                  "",
		"/y/../x/a":             "",
		"/x%2Fa":                "",
		"/x/a?_method=DELETE":   "a",
		"/x/":                   "",
		"http://other.host/x/a": "a",
	} {
		seen = ""
		w := ask(s, "GET", target, "X-HTTP-Method-Override", "DELETE", "X-Original-URL", "/healthz", "X-Rewrite-Url", "/healthz")
		if seen != want || (want == "") != (w.Code == 404) || w.Header().Get("Location") != "" {
			t.Errorf("%s: handler saw %q, status %d, want %q", target, seen, w.Code, want)
		}
	}
	if strings.Contains(log.String(), "DELETE") {
		t.Error("the overriding method is in the log")
	}
}

func TestEveryAnswerCarriesTheSameHeaders(t *testing.T) {
	s, log := newServer(t, Config{}, routes{"/x": say("x")})
	for target, status := range map[string]int{"/x": 200, "/nothing": 404, "/healthz": 200} {
		w := ask(s, "GET", target)
		if w.Code != status {
			t.Errorf("%s: %d", target, w.Code)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Server": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
		if id := w.Header().Get("X-Request-Id"); id == "" || !strings.Contains(log.String(), "request_id="+id) {
			t.Errorf("%s: request id %q is not in the log", target, id)
		}
	}
	if w := ask(s, "POST", "/healthz"); w.Code != 405 {
		t.Errorf("POST /healthz: %d", w.Code)
	}
	if n := strings.Count(log.String(), "msg=request"); n != 4 {
		t.Errorf("%d access lines:\n%s", n, log)
	}
}

func TestAccessLogShowsNoPath(t *testing.T) {
	s, log := newServer(t, Config{}, routes{"/api/{action}/{key}/": func(w http.ResponseWriter, r *http.Request) {
		e := FromContext(r.Context())
		e.SetOperation("ping")
		e.SetKey(12)
		slog.New(LogHandler(slog.DiscardHandler)).InfoContext(r.Context(), "unused")
	}})
	ask(s, "GET", "/api/ping/SECRET/?password=SECRET", "Referer", "http://x/SECRET")
	ask(s, "GET", "/other/api/ping/SECRET/")
	ask(s, "SECRET", "/"+strings.Repeat("SECRET/", 100))
	got := log.String()
	if strings.Contains(got, "SECRET") {
		t.Errorf("a secret is in the log:\n%s", got)
	}
	for _, want := range []string{
		"method=GET route=/api/{action}/{key}/ status=200", "operation=ping key=12", "client=192.0.2.1",
		"route=(none)/*/api/*/*/", "method=other", "/...",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %q:\n%s", want, got)
		}
	}
}

func TestAbuse_J13_PanicInAHandler(t *testing.T) {
	broken := func(http.ResponseWriter, *http.Request) { panic("broken\nlevel=FORGED") }
	s, log := newServer(t, Config{}, routes{"/plain": broken}, formed{routes{"/formed": broken}},
		routes{"/late": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half an answer")
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
			panic("too late")
		}, "/fine": say("fine")})
	addr := "http://" + start(t, s)
	get := func(path string) (int, string, error) {
		resp, err := http.Get(addr + path)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	if status, body, err := get("/plain"); status != 500 || !strings.HasPrefix(body, "500 Internal Server Error (request ") || err != nil {
		t.Errorf("%d %q %v", status, body, err)
	}
	if status, body, err := get("/formed"); status != 500 || !strings.HasPrefix(body, "formed ") || err != nil {
		t.Errorf("%d %q %v", status, body, err)
	}
	if _, body, err := get("/late"); err == nil {
		t.Errorf("a broken answer looks whole: %q", body)
	}
	if status, body, err := get("/fine"); status != 200 || body != "fine" || err != nil {
		t.Errorf("%d %q %v", status, body, err)
	}
	got := log.String()
	if strings.Count(got, "panic in a handler") != 3 || strings.Count(got, "status=500") != 3 || strings.Contains(got, "\nlevel=FORGED") {
		t.Errorf("log:\n%s", got)
	}
	w := httptest.NewRecorder()
	s.metricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(w.Body.String(), "portico_http_panics_total 3") {
		t.Error("the counter does not say 3")
	}
}

func TestReadiness(t *testing.T) {
	s, _ := newServer(t, Config{})
	checks := []Check{{Name: "store", Ready: true}, {Name: "mirror corp", Detail: "first read, 120 entries so far"}, {Name: "mail"}}
	s.readiness = func() []Check { return checks }
	w := ask(s, "GET", "/readyz")
	if want := "not ready: mirror corp: first read, 120 entries so far\nnot ready: mail\n"; w.Code != 503 || w.Body.String() != want {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	checks = checks[:1]
	if w = ask(s, "GET", "/readyz"); w.Code != 200 || w.Body.String() != "ready\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	s.draining.Store(true)
	if w = ask(s, "GET", "/readyz"); w.Code != 503 {
		t.Errorf("while shutting down: %d", w.Code)
	}
}

func TestAbuse_G08_NoMetricsOnThePublicListener(t *testing.T) {
	s, _ := newServer(t, Config{MetricsListen: ":0"}, routes{"/x/{id}": say("x")})
	addr := start(t, s)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/vars"} {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if resp, err := http.Get("http://" + addr + "/x/SECRET"); err == nil {
		resp.Body.Close()
	}
	private := s.MetricsAddr().String()
	if !strings.HasPrefix(private, "127.0.0.1:") {
		t.Errorf("metrics listen on %s", private)
	}
	resp, err := http.Get("http://" + private + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`portico_http_requests_total{operation="",route="(none)",status="404"} 3`,
		`portico_http_requests_total{operation="",route="/x/{id}",status="200"} 1`,
		`portico_http_request_seconds_count{operation="",route="/x/{id}"} 1`,
		"portico_http_connections ", "go_goroutines",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(string(body), "SECRET") {
		t.Error("a path is in the metrics")
	}
}

func TestLogHandler(t *testing.T) {
	out := &safeBuffer{}
	log := slog.New(LogHandler(LogHandler(slog.NewTextHandler(out, nil)))).With("part", "x")
	st := &state{Context: t.Context()}
	st.exchange.requestID, st.exchange.client = "r1", "192.0.2.7"
	ctx, cancel := context.WithCancel(st)
	defer cancel()
	log.InfoContext(ctx, "one")
	log.InfoContext(t.Context(), "two")
	lines := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(lines[0], "msg=one part=x request_id=r1 client=192.0.2.7") || !strings.HasSuffix(lines[1], "msg=two part=x") {
		t.Errorf("got %q", lines)
	}
}

func TestNewRefuses(t *testing.T) {
	deps := Deps{Log: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.Reader}
	for name, cfg := range map[string]Config{
		"half of TLS":  {CertFile: "x"},
		"no such file": {CertFile: "/nowhere/c", KeyFile: "/nowhere/k"},
		"proxy name":   {TrustedProxies: []string{"proxy.example.org"}},
		"header":       {ForwardedHeader: "X-Real-IP"},
	} {
		if _, err := New(cfg, deps); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	deps.Dialects = []Dialect{routes{"/{": say("")}}
	if _, err := New(Config{}, deps); err == nil {
		t.Error("a broken route was accepted")
	}
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("nothing to work with was accepted")
	}
}
