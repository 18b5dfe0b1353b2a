package replay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Target is a server that exchanges are played against, and what was learnt from
// its answers. It is used by one goroutine.
type Target struct {
	Addr string // host:port
	// Replace holds words of recorded requests with what is sent in their place,
	// such as the name of a key with the key.
	Replace map[string]string
	// Var gives variables that no answer gave; it may be nil.
	Var func(name string) (string, error)
	// Direct carries out a directive; nil when the files have none.
	Direct func(directive string) error

	kept map[string]string
}

// Play plays exchanges in order. Wrong answers are errors, what cannot be played
// ends the test.
func (t *Target) Play(tb testing.TB, list []Exchange) {
	tb.Helper()
	for i := range list {
		t.play(tb, &list[i])
	}
}

func (t *Target) play(tb testing.TB, e *Exchange) {
	tb.Helper()
	for _, d := range e.Directives {
		if err := t.direct(d); err != nil {
			tb.Fatalf("%s: %s: %v", e.Where, d, err)
		}
	}
	request, err := e.request(t.expand)
	if err != nil {
		tb.Fatalf("%s: %v", e.Where, err)
	}
	resp, body, err := Send(t.Addr, e.Method, request) //nolint:bodyclose // Send has read and closed it
	if err != nil {
		tb.Fatalf("%s: %v", e.Where, err)
	}
	for _, fault := range t.compare(e, resp, body) {
		tb.Errorf("%s: %s: %s\ngot %d %q", e.Where, e.head[0], fault, resp.StatusCode, body)
	}
}

func (t *Target) direct(directive string) error {
	if directive == "crlf" || strings.HasPrefix(directive+" ", "prefix ") {
		return nil
	}
	expanded, err := t.expand(directive)
	if err != nil {
		return err
	}
	if t.Direct == nil {
		return fmt.Errorf("no directives here")
	}
	return t.Direct(expanded)
}

var variable = regexp.MustCompile(`\{\{([^{}]+)\}\}`)

// expand fills in variables and replaces words.
func (t *Target) expand(text string) (string, error) {
	var failed error
	text = variable.ReplaceAllStringFunc(text, func(found string) string {
		value, err := t.value(found[2 : len(found)-2])
		if err != nil {
			failed = err
		}
		return value
	})
	for word, with := range t.Replace {
		text = strings.ReplaceAll(text, word, with)
	}
	return text, failed
}

func (t *Target) value(name string) (string, error) {
	if value, ok := t.kept[name]; ok {
		return value, nil
	}
	if t.Var == nil {
		return "", fmt.Errorf("no answer gave %q", name)
	}
	return t.Var(name)
}

func (t *Target) keep(name, value string) {
	if t.kept == nil {
		t.kept = map[string]string{}
	}
	t.kept[name] = value
}

// Send writes raw bytes on a connection of its own and reads one answer.
func Send(addr, method string, request []byte) (*http.Response, []byte, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
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

// compare gives what is wrong with an answer.
func (t *Target) compare(e *Exchange, resp *http.Response, body []byte) []string {
	var faults []string
	complain := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if got := fmt.Sprint(resp.StatusCode); got != e.Status {
		complain("status %s, want %s", got, e.Status)
	}
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, e.MediaType) || got != "" && e.MediaType == "" {
		complain("type %q, want %q", got, e.MediaType)
	}
	never := []string{"Location", "Set-Cookie", "Server"}
	for _, h := range e.Headers {
		name, value, _ := strings.Cut(h, ": ")
		got := resp.Header.Get(name)
		switch unwanted, absent := strings.CutPrefix(h, "!"); {
		case absent:
			if got := resp.Header.Get(unwanted); got != "" {
				complain("there is a header %s: %s", unwanted, got)
			}
		case got == "", value != "*" && got != value:
			complain("header %s is %q, want %q", name, got, value)
		}
		never = slices.DeleteFunc(never, func(n string) bool { return n == name })
	}
	for _, name := range never {
		if got := resp.Header.Get(name); got != "" {
			complain("header %s: %s", name, got)
		}
	}
	if resp.Header.Get("X-Request-Id") == "" {
		complain("no request id")
	}
	if why := t.compareBody(e, body); why != "" {
		complain("%s", why)
	}
	return faults
}
