package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAbuse_B06_InventedAddresses(t *testing.T) {
	var client, id string
	note := routes{"/": func(_ http.ResponseWriter, r *http.Request) {
		client, id = FromContext(r.Context()).Client(), FromContext(r.Context()).RequestID()
	}}
	trusted := []string{"10.0.0.0/8", "192.168.1.1", "fd00::/8"}
	cases := []struct {
		name, peer, header string
		headers            []string
		want               string
	}{
		{"untrusted peer", "203.0.113.5:1", "", []string{"X-Forwarded-For", "1.2.3.4"}, "203.0.113.5"},
		{"untrusted peer, Forwarded", "203.0.113.5:1", "", []string{"Forwarded", "for=1.2.3.4"}, "203.0.113.5"},
		{"untrusted peer, IPv6", "[2001:db8::5]:1", "", []string{"X-Forwarded-For", "1.2.3.4"}, "2001:db8::5"},
		{"no header", "10.0.0.1:1", "", nil, "10.0.0.1"},
		{"X-Real-IP is never read", "10.0.0.1:1", "", []string{"X-Real-Ip", "1.2.3.4", "True-Client-Ip", "1.2.3.4", "Cf-Connecting-Ip", "1.2.3.4"}, "10.0.0.1"},
		{"one hop", "10.0.0.1:1", "", []string{"X-Forwarded-For", "1.2.3.4"}, "1.2.3.4"},
		{"invented on the left", "10.0.0.1:1", "", []string{"X-Forwarded-For", "9.9.9.9, 1.2.3.4"}, "1.2.3.4"},
		{"own proxies are passed", "10.0.0.1:1", "", []string{"X-Forwarded-For", "9.9.9.9, 1.2.3.4, 192.168.1.1,10.9.9.9"}, "1.2.3.4"},
		{"several lines", "10.0.0.1:1", "", []string{"X-Forwarded-For", "9.9.9.9", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-For", "10.2.2.2"}, "1.2.3.4"},
		{"only proxies", "10.0.0.1:1", "", []string{"X-Forwarded-For", "10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"not an address", "10.0.0.1:1", "", []string{"X-Forwarded-For", "1.2.3.4, unknown"}, "10.0.0.1"},
		{"not an address behind a proxy", "10.0.0.1:1", "", []string{"X-Forwarded-For", "1.2.3.4, '; DROP, 10.2.2.2"}, "10.2.2.2"},
		{"empty", "10.0.0.1:1", "", []string{"X-Forwarded-For", ""}, "10.0.0.1"},
		{"empty element", "10.0.0.1:1", "", []string{"X-Forwarded-For", "1.2.3.4,,"}, "10.0.0.1"},
		{"with port", "10.0.0.1:1", "", []string{"X-Forwarded-For", "1.2.3.4:567"}, "1.2.3.4"},
		{"IPv6", "[fd00::1]:1", "", []string{"X-Forwarded-For", "2001:DB8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", "[fd00::1]:1", "", []string{"X-Forwarded-For", "[2001:db8::1]"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", "", []string{"X-Forwarded-For", "::ffff:1.2.3.4"}, "1.2.3.4"},
		{"zone", "10.0.0.1:1", "", []string{"X-Forwarded-For", "fe80::1%eth0"}, "fe80::1"},
		{"Forwarded", "10.0.0.1:1", "", []string{"Forwarded", `for=9.9.9.9, proto=http;For="[2001:db8::1]:80";by=x, for=10.2.2.2`}, "2001:db8::1"},
		{"Forwarded, hidden", "10.0.0.1:1", "", []string{"Forwarded", `for=1.2.3.4, for=_hidden`}, "10.0.0.1"},
		{"Forwarded without for", "10.0.0.1:1", "", []string{"Forwarded", `proto=https`}, "10.0.0.1"},
		{"both agree", "10.0.0.1:1", "", []string{"X-Forwarded-For", "1.2.3.4", "Forwarded", "for=1.2.3.4"}, "1.2.3.4"},
		{"both differ: one is invented", "10.0.0.1:1", "", []string{"X-Forwarded-For", "1.2.3.4", "Forwarded", "for=9.9.9.9"}, "10.0.0.1"},
		{"both differ, chosen", "10.0.0.1:1", "x-forwarded-for", []string{"X-Forwarded-For", "1.2.3.4", "Forwarded", "for=9.9.9.9"}, "1.2.3.4"},
		{"both differ, the other chosen", "10.0.0.1:1", "Forwarded", []string{"X-Forwarded-For", "9.9.9.9", "Forwarded", "for=1.2.3.4"}, "1.2.3.4"},
		{"the other one alone", "10.0.0.1:1", "forwarded", []string{"X-Forwarded-For", "9.9.9.9"}, "10.0.0.1"},
	}
	for _, c := range cases {
		s, _ := newServer(t, Config{TrustedProxies: trusted, ForwardedHeader: c.header}, note)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		for i := 0; i+1 < len(c.headers); i += 2 {
			r.Header.Add(c.headers[i], c.headers[i+1])
		}
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if client != c.want {
			t.Errorf("%s: %s, want %s", c.name, client, c.want)
		}
	}

	s, _ := newServer(t, Config{TrustedProxies: trusted}, note)
	for _, c := range []struct {
		peer, given string
		taken       bool
	}{
		{"10.0.0.1:1", "abc-1.2_X", true},
		{"10.0.0.1:1", "a b", false},
		{"10.0.0.1:1", "a\nb", false},
		{"10.0.0.1:1", "", false},
		{"10.0.0.1:1", "a123456789b123456789c123456789d123456789e123456789f123456789g1234", false},
		{"203.0.113.5:1", "abc", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Request-Id"] = []string{c.given}
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if (id == c.given) != c.taken || id == "" {
			t.Errorf("%s %q: id %q", c.peer, c.given, id)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("1.2.3.4, 10.0.0.1", `for="[::1]:80";by=x`)
	f.Add(",,,", `for=`)
	p, err := newProxies([]string{"10.0.0.0/8"}, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, plain, forwarded string) {
		h := http.Header{"X-Forwarded-For": {plain}, "Forwarded": {forwarded}}
		if addr := p.client(peerAddr("10.0.0.9:1"), h); !addr.IsValid() {
			t.Fatal("no address")
		}
		delete(h, "Forwarded")
		if addr := p.client(peerAddr("10.0.0.9:1"), h); !addr.IsValid() {
			t.Fatal("no address")
		}
	})
}
