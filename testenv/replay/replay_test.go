package replay

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const session = `# gives a code
! prefix /x
POST /give HTTP/1.1

name={{who}}&key=K1
----
200 application/json
X-Seen: name=ann&key=real
!X-Other

{"code":"{{code:number}}","text":"a","list":[1,{"b":null}]}
====
# takes it
! note {{code}}
GET /take?{{code}} HTTP/1.1
----
302 text/plain
Location: *

/take?7
`

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Request-Id", "1")
	w.Header().Set("X-Seen", string(body))
	if r.URL.Path == "/give" {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"list":[1,{"b":null}],"text":"a","code":7}`)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Location", "/")
	w.WriteHeader(http.StatusFound)
	fmt.Fprint(w, r.URL.RequestURI())
}

func TestPlay(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	list, err := Parse("session", session)
	if err != nil {
		t.Fatal(err)
	}
	if Prefix(list, "/y") != "/x" || Prefix(list[1:], "/y") != "/y" || Prefix(nil, "/y") != "/y" {
		t.Error("the prefix was not found")
	}
	var told []string
	target := &Target{
		Addr: server.Listener.Addr().String(), Replace: map[string]string{"K1": "real"},
		Var:    func(name string) (string, error) { return "ann", nil },
		Direct: func(d string) error { told = append(told, d); return nil },
	}
	target.Play(t, list)
	if len(told) != 1 || told[0] != "note 7" {
		t.Errorf("directives %q", told)
	}
}

// TestWrongAnswers: whatever differs is found.
func TestWrongAnswers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	for _, change := range [][2]string{
		{"200 app", "201 app"},
		{"200 application/json", "200 text/html"},
		{"key=real", "key=other"},
		{"!X-Other", "!X-Seen"},
		{`"a"`, `"b"`},
		{"[1,", "[2,"},
		{"null", "0"},
		{":number", ":string"},
		{`"text":"a",`, ""},
		{`"text"`, `"more":1,"text"`},
		{"[1,{", "[{"},
	} {
		list, err := Parse("session", strings.Replace(session, change[0], change[1], 1))
		if err != nil {
			t.Fatal(err)
		}
		target := &Target{
			Addr: server.Listener.Addr().String(), Replace: map[string]string{"K1": "real"},
			Var: func(string) (string, error) { return "ann", nil },
		}
		request, err := list[0].request(target.expand)
		if err != nil {
			t.Fatal(err)
		}
		resp, body, err := Send(target.Addr, list[0].Method, request)
		if err != nil {
			t.Fatal(err)
		}
		if len(target.compare(&list[0], resp, body)) == 0 {
			t.Errorf("%q for %q was not noticed", change[1], change[0])
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{"", "GET / HTTP/1.1\n", "GET /\n----\n200\n", "# only\n----\n200\n"} {
		if _, err := Parse("x", text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
