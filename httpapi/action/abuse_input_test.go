package action

import (
	"strings"
	"testing"
	"time"
)

// The JSON rules of this API are lax where the API that it stands for is: what is
// not one object counts as no parameters, the last of repeated members wins, unknown
// members are passed over.
func TestAbuse_F04_OddJSON(t *testing.T) {
	s := startService(t, "")
	const found, nobodyThere = `"uid":"2"`, "login incorrect"
	for body, want := range map[string]string{
		`{"uid":9,"uid":2}`:           found,
		`{"UID":2}`:                   "variable uid",
		`{"uid":2,"other":{"uid":9}}`: found,
		`{"uid":2}{"uid":9}`:          "variable uid",
		`{"uid":2} x`:                 "variable uid",
		"\ufeff" + `{"uid":2}`:        "variable uid",
		`{"uid":NaN}`:                 "variable uid",
		`{"uid":1e308}`:               nobodyThere,
		`{"uid":1e99999}`:             nobodyThere,
		`{"uid":2,"x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`: "variable uid",
		strings.Repeat(`{"uid":`, 10000) + "2" + strings.Repeat("}", 10000):             "variable uid",
		strings.Repeat("[", 500_000): "variable uid",
	} {
		if _, got := s.ask(t, "POST /api/userinfo/K123/", "Content-Type: application/json", body); !strings.Contains(got, want) {
			t.Errorf("%.60s: %s, want %s", body, got, want)
		}
	}
}

// A form is read only as its Content-Type says; JSON whatever it says. Nothing is
// guessed: a body that could be both is JSON, and its form reading adds nothing.
func TestAbuse_F06_ContentType(t *testing.T) {
	s := startService(t, "")
	const form, object = "uid=2", `{"uid":2}`
	for _, c := range []struct {
		header, body string
		status       int
	}{
		{formType, form, 200},
		{formType + "; charset=utf-8", form, 200},
		{"", form, 400},
		{"Content-Type: text/plain", form, 400},
		{"Content-Type: application/json", form, 400},
		{"Content-Type: multipart/form-data", form, 400},
		{"Content-Type: multipart/form-data; boundary=" + strings.Repeat("x", 500), form, 400},
		{"", object, 200},
		{formType, object, 200},
		{"Content-Type: text/xml", object, 200},
		{formType, `{"uid":2,"x":"&uid=9&"}`, 200},
		{formType, `{"uid":2,"x":"&uid=9&`, 200}, // broken JSON, so it is the form uid=9
	} {
		status, got := s.ask(t, "POST /api/userinfo/K123/", c.header, c.body)
		if status != c.status {
			t.Errorf("%s %s: %d %s", c.header, c.body, status, got)
		}
		if strings.HasSuffix(c.body, "}") && !strings.Contains(got, `"uid":"2"`) {
			t.Errorf("%s %s: %s", c.header, c.body, got)
		}
	}
}

func TestAbuse_F09_CompressedBody(t *testing.T) {
	s := startService(t, "")
	for _, coding := range []string{"gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "gzip, identity"} {
		if status, got := s.ask(t, "POST /api/ping/K123/", "Content-Encoding: "+coding, "\x1f\x8b"); status != 415 {
			t.Errorf("%s: %d %s", coding, status, got)
		}
	}
}

// A slow body is cut off by the server's read time-out; until then it costs one
// connection and nothing else, and others are served.
func TestAbuse_G06_SlowBody(t *testing.T) {
	s := startService(t, "")
	done := make(chan string, 1)
	go func() {
		done <- rawTalk(t, s.addr, "POST /api/ping/K123/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	}()
	began := time.Now()
	if status, got := s.ask(t, "GET /api/ping/K123/", "", ""); status != 200 {
		t.Errorf("%d %s", status, got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := <-done; strings.Contains(got, "200 OK") {
		t.Errorf("half a body was answered: %q", got)
	}
}
