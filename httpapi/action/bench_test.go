package action

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"portico/adapter"
	"portico/httpapi"
	"portico/testenv/replay"
)

// fixed is an adapter that knows one key and one person and costs nothing.
type fixed struct {
	Adapter
	caller adapter.Caller
	person adapter.Person
	groups []*adapter.Group
	notes  []adapter.Notification
}

func (f *fixed) KeyCaller(context.Context, string, string, adapter.Client) (*adapter.Caller, error) {
	return &f.caller, nil
}

func (f *fixed) Person(context.Context, adapter.PersonKey) (*adapter.Person, error) {
	return &f.person, nil
}

func (f *fixed) Permission(context.Context, adapter.PersonKey, string) (bool, error) {
	return true, nil
}

func (f *fixed) PersonExists(context.Context, adapter.PersonKey) (bool, error) { return true, nil }

func (f *fixed) GroupsOf(context.Context, adapter.PersonKey) ([]*adapter.Group, error) {
	return f.groups, nil
}

func (f *fixed) Notifications(context.Context, adapter.PersonKey, bool) ([]adapter.Notification, error) {
	return f.notes, nil
}

func newFixed() *fixed {
	note := adapter.Notification{
		ID: 7, Time: time.Date(2024, 5, 1, 9, 30, 0, 0, time.UTC), Title: "Shift", Content: "The shift of Monday has changed.", URL: "https://x.example.org/",
	}
	return &fixed{
		caller: adapter.Caller{KeyID: 1, Level: adapter.LevelFull, Enforced: true},
		person: adapter.Person{
			UID: 2, Username: "jdoe", Name: "John Doe", Mail: []string{"jdoe@example.com"},
			Phone: "1234567890", HasPIN: true,
		},
		groups: []*adapter.Group{{GID: 1, Name: "Sales"}, {GID: 2, Name: "Support"}, {GID: 3, Name: "Everybody"}},
		notes:  []adapter.Notification{note, note, note},
	}
}

// startBench serves the API over real HTTP with an access log to a file, and
// beside it a bare router whose one handler returns the bytes that the request gets.
func startBench(b *testing.B, request string) (portico, bare string) {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "access.log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	log := slog.New(slog.NewTextHandler(httpapi.NewLogWriter(file, 0), nil))
	api, err := New(Config{Mobile: true}, newFixed(), log)
	if err != nil {
		b.Fatal(err)
	}
	portico = serve(b, api, log)

	_, body, err := replay.Send(portico, http.MethodGet, []byte(request))
	if err != nil || !strings.HasPrefix(string(body), `{"status":"OK"`) {
		b.Fatalf("%v: %s", err, body)
	}
	router := mux.NewRouter()
	router.HandleFunc("/api/{action}/{key}/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: router, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { server.Close() })
	return portico, listener.Addr().String()
}

var benchRequests = map[string]string{
	"path": "GET /api/userinfo/K123/?username=jdoe HTTP/1.1\r\nHost: id.example.org\r\n\r\n",
	"json": "POST /api/userinfo/K123/ HTTP/1.1\r\nHost: id.example.org\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"username\":\"jdoe\"}",
}

// talk sends n requests on one kept connection, as cheaply as a client can.
func talk(addr, request string, n int) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	reader, message := bufio.NewReader(conn), []byte(request)
	for range n {
		if _, err := conn.Write(message); err != nil {
			return err
		}
		length := 0
		for {
			line, err := reader.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(line) == 2 {
				break
			}
			if text := string(line); strings.HasPrefix(text, "Content-Length: ") {
				for _, c := range text[len("Content-Length: ") : len(text)-2] {
					length = length*10 + int(c-'0')
				}
			}
		}
		if length == 0 {
			return io.ErrUnexpectedEOF
		}
		if _, err := reader.Discard(length); err != nil {
			return err
		}
	}
	return nil
}

// round gives the requests per second of some connections at once.
func round(b *testing.B, addr, request string, n int) float64 {
	b.Helper()
	const connections = 8
	start, done := time.Now(), make(chan error, connections)
	for range connections {
		go func() { done <- talk(addr, request, n/connections+1) }()
	}
	for range connections {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// cpuTime is what this process, clients included, has used: on a busy machine a
// steadier measure than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkUserinfo measures userinfo over real HTTP beside a bare gorilla/mux
// handler that returns the same bytes. The adapter costs nothing here: this is
// the price of server, middleware, access log, parameters, checks and encoding.
func BenchmarkUserinfo(b *testing.B) {
	for name, request := range benchRequests {
		b.Run(name, func(b *testing.B) { beside(b, request) })
	}
}

// BenchmarkReads measures other reads in the same way.
func BenchmarkReads(b *testing.B) {
	for _, query := range []string{
		"permission/K123/?username=jdoe&code=TASKFLOOR", "userexists/K123/?uid=2",
		"getgroupsbyuser/K123/?uid=2", "getnotifications/K123/?uid=2", "listapps/K123/",
	} {
		name, _, _ := strings.Cut(query, "/")
		b.Run(name, func(b *testing.B) {
			beside(b, "GET /api/"+query+" HTTP/1.1\r\nHost: id.example.org\r\n\r\n")
		})
	}
}

// beside measures one request at the API and at the bare handler, turn by turn in
// one run, and reports the middle of the ratios.
func beside(b *testing.B, request string) {
	portico, bare := startBench(b, request)
	const rounds = 31
	n := max(b.N/rounds, 200)
	round(b, portico, request, 200)
	round(b, bare, request, 200)
	var ratios, cpuRatios, ours, theirs []float64
	b.ResetTimer()
	for range rounds {
		began := cpuTime(b)
		theirs = append(theirs, round(b, bare, request, n))
		between := cpuTime(b)
		ours = append(ours, round(b, portico, request, n))
		ratios = append(ratios, ours[len(ours)-1]/theirs[len(theirs)-1])
		cpuRatios = append(cpuRatios, float64(between-began)/float64(cpuTime(b)-between))
	}
	middle := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
	b.ReportMetric(middle(ratios), "ratio")
	b.ReportMetric(middle(cpuRatios), "cpu-ratio")
	b.ReportMetric(middle(ours), "req/s")
	b.ReportMetric(middle(theirs), "bare-req/s")
}

// nothing is a response writer that throws away.
type nothing struct{ header http.Header }

func (w *nothing) Header() http.Header         { return w.header }
func (w *nothing) Write(p []byte) (int, error) { return len(p), nil }
func (w *nothing) WriteHeader(int)             {}

// BenchmarkUserinfoHandler measures the same without a network.
func BenchmarkUserinfoHandler(b *testing.B) {
	log := slog.New(httpapi.LogHandler(slog.DiscardHandler))
	api, err := New(Config{}, newFixed(), log)
	if err != nil {
		b.Fatal(err)
	}
	server, err := httpapi.New(httpapi.Config{}, httpapi.Deps{
		Log: log, Now: time.Now, Rand: strings.NewReader("12345678"), Dialects: []httpapi.Dialect{api},
	})
	if err != nil {
		b.Fatal(err)
	}
	handler := server.Handler()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/api/userinfo/K123/?username=jdoe", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RemoteAddr = "127.0.0.1:4711"
	w := &nothing{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}
