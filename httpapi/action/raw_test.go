package action

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func recordedText(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// rawTalk writes bytes and gives everything that comes back until the server
// closes or nothing more comes.
func rawTalk(t *testing.T, addr string, pieces ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, piece := range pieces {
		if _, err := io.WriteString(conn, piece); err != nil {
			break // the server may have had enough
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
	got, _ := io.ReadAll(conn)
	return string(got)
}

func TestRawRequests(t *testing.T) {
	s := startService(t, "/accounthub")
	const okEnd = "\r\n\r\n" + `{"status":"OK"}`
	body := `{"action":"ping","key":"K123"}`
	cases := map[string]struct{ request, begins, ends string }{
		"HTTP/1.0, connection closed": {
			"POST /accounthub/api/ HTTP/1.0\r\nContent-Length: 30\r\n\r\n" + body, "HTTP/1.0 200 OK\r\n", okEnd,
		},
		"HTTP/1.0 with Host": {
			"GET /accounthub/api/ping/K123 HTTP/1.0\r\nHost: x\r\n\r\n", "HTTP/1.0 200 OK\r\n", okEnd,
		},
		"absolute address": {
			"GET http://id.example.org/accounthub/api/ping/K123/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n", okEnd,
		},
		"chunked": {
			"POST /accounthub/api/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n" + body + "\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n", okEnd,
		},
		"100-continue": {
			"POST /accounthub/api/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n" + body, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", okEnd,
		},
		"line feeds only": {
			"GET /accounthub/api/ping/K123/ HTTP/1.1\nHost: x\n\n", "HTTP/1.1 200 OK\r\n", okEnd,
		},
		"body shorter than its length": {
			"POST /accounthub/api/ HTTP/1.0\r\nContent-Length: 30\r\n\r\n{", "", "",
		},
		"broken escape in the path": {
			"GET /accounthub/api/ping/K%zz/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "",
		},
		"no version": {"GET /accounthub/api/ping/K123/\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", ""},
	}
	for name, c := range cases {
		got := rawTalk(t, s.addr, c.request)
		if !strings.HasPrefix(got, c.begins) || !strings.HasSuffix(got, c.ends) {
			t.Errorf("%s: got %q", name, got)
		}
		if strings.HasPrefix(got, "HTTP/1.0") && strings.Contains(got, "chunked") {
			t.Errorf("%s: chunked answer to HTTP/1.0: %q", name, got)
		}
	}
}

// A request with both a length and chunks has one meaning, the chunks, and leaves
// nothing behind that could be taken for a second request.
func TestAbuse_F08_LengthAndChunks(t *testing.T) {
	s := startService(t, "")
	got := rawTalk(t, s.addr, "POST /api/ping/K123/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
		"GET /api/zzz/K123/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if n := strings.Count(got, "HTTP/1.1 "); n != 2 || !strings.Contains(got, "404 Action not defined") {
		t.Errorf("%d answers: %q", n, got)
	}
	for _, te := range []string{"chunked, identity", "gzip, chunked", "xchunked", "chunked\r\nTransfer-Encoding: chunked"} {
		got := rawTalk(t, s.addr, "POST /api/ping/K123/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "+te+"\r\n\r\n0\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 501 ") && !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%s: %q", te, got)
		}
	}
}

func TestAbuse_F17_OnePathOneMeaning(t *testing.T) {
	s := startService(t, "/accounthub")
	for path, want := range map[string]int{
		"/accounthub/api/ping/K123/":           200,
		"/accounthub/api/ping/K123":            200,
		"/accounthub/api/ping/K123//":          200,
		"/accounthub//api/ping/K123/":          404,
		"//accounthub/api/ping/K123/":          404,
		"/accounthub/api//ping/K123/":          403, // no action in the path; "ping" stands where the key does
		"/accounthub/api/../api/ping/K123/":    403, // ".." is an action, "api" the key
		"/accounthub/x/../api/ping/K123/":      404,
		"/accounthub/./api/ping/K123/":         404,
		"/accounthub%2Fapi/ping/K123/":         404,
		"/accounthub/api%2Fping/K123/":         404,
		"/accounthub/%61pi/ping/K123/":         404,
		"/accounthub/api/%70ing/K123/":         200, // inside of the API names are decoded once
		"/accounthub/api/ping%2FK123/":         403,
		"/accounthub/api/ping%00/K123/":        404,
		"/accounthub/api/ping/K123%00/":        403,
		"/accounthub/api/ping;x/K123/":         404,
		"/accounthub/api/ping/K123;x/":         403,
		"/accounthub/api.php;x?key=K123":       404,
		"/accounthub/api.php/":                 404,
		"/accounthub/API/ping/K123/":           404,
		"/Accounthub/api/ping/K123/":           404,
		"/accounthub/apiping/K123":             404,
		"/accounthub/api/ping/K123/..":         200,
		"/accounthub/api/ping/K123/%2e%2e/x":   200,
		"/accounthub/api/index.php/ping/K123/": 200,
	} {
		s.fake.set(func() { s.fake.now = s.fake.now.Add(3 * time.Second) })
		resp, body, err := s.send("GET", []byte("GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if resp.StatusCode != want || resp.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s, want %d", path, resp.StatusCode, body, want)
		}
	}
}

func TestManyRequestsOnOneConnection(t *testing.T) {
	s := startService(t, "")
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for i := range 50 {
		request, want := "GET /api/userinfo/K123/?uid=2 HTTP/1.1\r\nHost: x\r\n\r\n", `"username":"jdoe"`
		if i%2 == 1 {
			request, want = "POST /api.php HTTP/1.1\r\nHost: x\r\nContent-Length: 27\r\n"+formType+"\r\n\r\naction=getgroups&key=K123&x", `"groups":[`
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Fatalf("request %d: %s %v", i, body, err)
		}
	}
}
