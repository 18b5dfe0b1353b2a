package action

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/httpapi"
)

// service is the API over the fake on a real socket.
type service struct {
	fake *fake
	addr string
	log  *bytes.Buffer // read it after the test's requests only
}

// startService serves the API below a prefix. Every text is its own id.
func startService(t testing.TB, prefix string) *service {
	t.Helper()
	s := &service{fake: newFake(), log: &bytes.Buffer{}}
	log := slog.New(httpapi.LogHandler(slog.NewTextHandler(&lockedWriter{w: s.log}, nil)))
	api, err := New(Config{Prefix: prefix, TextsFile: plainTexts(t)}, s.fake, log)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = serve(t, api, log)
	return s
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

func plainTexts(t testing.TB) string {
	english, err := loadTexts("en", "")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[texts.ID]texts.ID{}
	for id := range english.text {
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

// exchange is one recorded request with its expected answer.
type exchange struct {
	line       int // of its beginning in the file
	directives []string
	request    []byte
	method     string
	status     string
	mediaType  string
	headers    []string // "Name: value", or "!Name" for one that must be absent
	body       string
}

// parseExchanges reads a file of recorded exchanges; testdata/README.txt says how
// they are written.
func parseExchanges(text string) ([]exchange, error) {
	var list []exchange
	line := 1
	for block := range strings.SplitSeq(text, "\n====\n") {
		e := exchange{line: line}
		line += strings.Count(block, "\n") + 2
		request, answer, ok := strings.Cut(strings.Trim(block, "\n")+"\n", "\n----\n")
		if !ok {
			return nil, fmt.Errorf("line %d: no line of four dashes", e.line)
		}
		for strings.HasPrefix(request, "#") || strings.HasPrefix(request, "!") {
			var first string
			first, request, _ = strings.Cut(request, "\n")
			if directive, ok := strings.CutPrefix(first, "! "); ok {
				e.directives = append(e.directives, directive)
			}
		}
		if err := e.buildRequest(request); err != nil {
			return nil, fmt.Errorf("line %d: %w", e.line, err)
		}
		head, body, _ := strings.Cut(answer, "\n\n")
		lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
		e.status, e.mediaType, _ = strings.Cut(lines[0], " ")
		e.headers, e.body = lines[1:], strings.TrimRight(body, "\n")
		list = append(list, e)
	}
	return list, nil
}

func (e *exchange) buildRequest(text string) error {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	var ok bool
	if e.method, _, ok = strings.Cut(lines[0], " "); !ok || !strings.Contains(lines[0], " HTTP/1.") {
		return fmt.Errorf("no request line: %q", lines[0])
	}
	for _, d := range e.directives {
		if d == "crlf" {
			body = strings.ReplaceAll(body, "\n", "\r\n")
		}
	}
	has := func(name string) bool { return strings.Contains(strings.ToLower(head), "\n"+name+":") }
	if !has("host") && strings.HasSuffix(lines[0], "1.1") {
		lines = append(lines, "Host: id.example.org")
	}
	if body != "" && !has("content-length") && !has("transfer-encoding") {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	e.request = []byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
	return nil
}

// direct changes the fixture before a request.
func (s *service) direct(directive string) error {
	verb, arg, _ := strings.Cut(directive, " ")
	switch verb {
	case "crlf", "prefix":
		return nil
	case "wait":
		d, err := time.ParseDuration(arg)
		if err != nil {
			return err
		}
		s.fake.set(func() { s.fake.now = s.fake.now.Add(d) })
	case "adapter":
		faults := map[string]error{
			"up":        nil,
			"down":      &adapter.Error{Kind: adapter.Unavailable},
			"ambiguous": &adapter.Error{Kind: adapter.Ambiguous, Field: "user"},
			"broken":    fmt.Errorf("dial tcp 10.0.0.7:5432: secret detail"),
			"late":      fmt.Errorf("search: %w", context.DeadlineExceeded),
			"invalid":   &adapter.Error{Kind: adapter.Invalid, Field: "username"},
		}
		fault, ok := faults[arg]
		if !ok && arg != "panics" {
			return fmt.Errorf("no such fault: %q", arg)
		}
		s.fake.set(func() { s.fake.fault, s.fake.panics = fault, arg == "panics" })
	default:
		return fmt.Errorf("no such directive: %q", directive)
	}
	return nil
}

// send writes raw bytes on a connection of its own and reads one answer.
func (s *service) send(method string, request []byte) (*http.Response, []byte, error) {
	conn, err := net.DialTimeout("tcp", s.addr, 5*time.Second)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
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
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			list, err := parseExchanges(string(data))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			prefix := "/accounthub"
			for _, d := range list[0].directives {
				if p, ok := strings.CutPrefix(d+" ", "prefix "); ok {
					prefix = strings.TrimSpace(p)
				}
			}
			s := startService(t, prefix)
			for _, e := range list {
				s.replay(t, fmt.Sprintf("%s:%d", file, e.line), e)
			}
		})
	}
}

func (s *service) replay(t *testing.T, where string, e exchange) {
	t.Helper()
	for _, d := range e.directives {
		if err := s.direct(d); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
	}
	resp, body, err := s.send(e.method, e.request)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	line, _, _ := strings.Cut(string(e.request), "\r\n")
	complain := func(format string, args ...any) {
		t.Errorf("%s: %s: %s\ngot %d %q", where, line, fmt.Sprintf(format, args...), resp.StatusCode, body)
	}
	if got := fmt.Sprint(resp.StatusCode); got != e.status {
		complain("status %s, want %s", got, e.status)
	}
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, e.mediaType) || got != "" && e.mediaType == "" {
		complain("type %q, want %q", got, e.mediaType)
	}
	for _, h := range e.headers {
		name, value, present := strings.Cut(h, ": ")
		if unwanted, absent := strings.CutPrefix(h, "!"); absent {
			if got := resp.Header.Get(unwanted); got != "" {
				complain("there is a header %s: %s", unwanted, got)
			}
		} else if got := resp.Header.Get(name); !present || got != value {
			complain("header %s is %q, want %q", name, got, value)
		}
	}
	for _, never := range []string{"Location", "Set-Cookie", "Server"} {
		if got := resp.Header.Get(never); got != "" {
			complain("header %s: %s", never, got)
		}
	}
	if resp.Header.Get("X-Request-Id") == "" {
		complain("no request id")
	}
	if why := compareBodies(e, body); why != "" {
		complain("%s", why)
	}
}

func compareBodies(e exchange, body []byte) string {
	switch {
	case e.body == "*":
		return ""
	case e.mediaType == "application/json" && e.method != http.MethodHead:
		var got, want any
		if err := json.Unmarshal([]byte(e.body), &want); err != nil {
			return "the expected body is no JSON: " + err.Error()
		}
		if err := json.Unmarshal(body, &got); err != nil {
			return "the body is no JSON: " + err.Error()
		}
		if !reflect.DeepEqual(got, want) {
			return "want " + e.body
		}
	case string(body) != e.body:
		return fmt.Sprintf("want %q", e.body)
	}
	return ""
}
