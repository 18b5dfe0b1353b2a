package action

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzMerge gathers parameters from whatever comes, in both ways, and checks what
// must hold of any result.
func FuzzMerge(f *testing.F) {
	f.Add("POST", "/ping/K/x=1", "a=1&b[]=2", "application/x-www-form-urlencoded", "c=%41+%zz&d")
	f.Add("GET", "//", "%", "", `{"action":"ping","key":1e5,"n":null,"l":[{}],"s":"\ud800"}`)
	f.Add("PUT", "/index.php/a/b", "&&=;", "multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--X--")
	f.Add("DELETE", "", "uid=2&uid=3", "application/json", `[[[[`)
	f.Fuzz(func(t *testing.T, method, path, query, contentType, body string) {
		r := &http.Request{Method: method, URL: &url.URL{RawQuery: query}, Header: http.Header{"Content-Type": {contentType}}}
		for _, merge := range []func(*call) error{
			func(c *call) error { return c.mergePHP(r, []byte(body)) },
			func(c *call) error { return c.mergePath(r, []byte(body), path) },
		} {
			var c call
			if err := merge(&c); err != nil {
				if !errors.Is(err, errTooMany) {
					t.Fatalf("error %v", err)
				}
				continue
			}
			if len(c.params) > maxParams {
				t.Fatalf("%d parameters", len(c.params))
			}
			for _, p := range c.params {
				checkParam(t, p)
			}
			for _, act := range table() { // no order of parameters may break the checks
				act.params = append(act.params, rule{name: "x", typ: typeFlag, optional: true})
				if act.validate(c.params) == nil {
					c.action = &act
					_ = c.person()
				}
			}
		}
		checkQueryWins(t, r, path, body)
	})
}

func checkParam(t *testing.T, p param) {
	t.Helper()
	if !utf8.ValidString(p.value) || strings.IndexByte(p.value, 0) >= 0 {
		t.Fatalf("value %q went in", p.value)
	}
	if p.kind == kindAbsent {
		t.Fatalf("an absent parameter %q was kept", p.name)
	}
	if id := p.id(); id != nobody && (id < 1 || id > maxID) {
		t.Fatalf("%q gives the id %d", p.value, id)
	}
	n, ok := p.number()
	if math.IsNaN(n) || ok && !p.scalar() {
		t.Fatalf("%q gives the number %v", p.value, n)
	}
}

// checkQueryWins: on api/ the query beats everything else.
func checkQueryWins(t *testing.T, r *http.Request, path, body string) {
	t.Helper()
	r.URL.RawQuery = "key=ours&action=ours"
	var c call
	if c.mergePath(r, []byte(body), path) != nil {
		return
	}
	if c.params.get("key").value != "ours" || c.params.get("action").value != "ours" {
		t.Fatalf("the query did not win: %v", c.params)
	}
}

// FuzzString holds the encoder against encoding/json.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\x00\x1f\x7f", "<>&", "Zoë", "\u2028\u2029", "\xff\xfe", "日本", "😀", "\n\r\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := appendString(nil, s)
		var back string
		if err := json.Unmarshal(encoded, &back); err != nil {
			t.Fatalf("%q: %v", encoded, err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); back != want && !sameReplaced(s, back) {
			t.Fatalf("%q became %q", s, back)
		}
		if strings.ContainsAny(string(encoded), "<>&\x00\n\u2028\u2029") {
			t.Fatalf("not escaped: %q", encoded)
		}
	})
}

// sameReplaced: every byte that is no UTF-8 may have become a mark of its own.
func sameReplaced(s, back string) bool {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String() == back
}

// FuzzNumeric holds the number rule against strconv.
func FuzzNumeric(f *testing.F) {
	for _, s := range []string{"1", "-1", "2.7", ".5", "5.", "1e3", "1e", "0x1", "1_0", "Inf", "NaN", " 2", "2 ", "+", "1e999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, ok := param{value: s, kind: kindText}.number()
		if !ok {
			return
		}
		if _, err := strconv.ParseFloat(strings.TrimLeft(s, " \t\n\r\v\f"), 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			t.Fatalf("%q is taken for a number", s)
		}
		if strings.ContainsAny(s, "xX_nNfFpP") {
			t.Fatalf("%q is taken for a number", s)
		}
	})
}
