package fetch

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestAbuse_F11_AddressesThatAreNotPublic(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
		"64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1", "2001:db8::1",
	} {
		if Public(netip.AddrPortFrom(netip.MustParseAddr(text), 80)) {
			t.Errorf("%s passes", text)
		}
	}
	for _, text := range []string{"1.1.1.1", "93.184.215.14", "2606:4700::1111"} {
		if !Public(netip.AddrPortFrom(netip.MustParseAddr(text), 443)) {
			t.Errorf("%s does not pass", text)
		}
	}
}

func TestAbuse_F11_RefusedAtDialTime(t *testing.T) {
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{
		server.URL, "http://localhost:" + port, "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0177.0.0.1/",
		"http://0x7f.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://localhost/", "http://user@127.0.0.1/",
		"ftp://127.0.0.1/", "file:///etc/passwd", "http:///", "http://127.0.0.1:22/", "http://169.254.169.254/latest/meta-data/",
	} {
		if _, err := New(100).Fetch(t.Context(), address); err == nil {
			t.Errorf("%s was read", address)
		}
	}
	if reached {
		t.Error("the server was reached")
	}
}

// TestAbuse_F11_Redirect: a public server that sends on to a private one gains nothing.
func TestAbuse_F11_Redirect(t *testing.T) {
	for _, to := range []string{"http://127.0.0.1/", "http://10.0.0.1/", "file:///etc/passwd", "http://x.example:8080/"} {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		c := New(10)
		checked := c.http.CheckRedirect(&http.Request{URL: u}, nil)
		allowed := Public(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 80))
		if checked == nil && !strings.HasPrefix(to, "http://1") || allowed {
			t.Errorf("%s: %v", to, checked)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(strings.Repeat("x", 100)))
	}))
	server.Start()
	defer server.Close()
	// The transport leads every name to the test server; the rest is as it is.
	read := func(most int64, path string) error {
		c := newClient(most, func(netip.AddrPort) bool { return true })
		c.http.Transport.(*http.Transport).Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(server.URL) }
		_, err := c.Fetch(t.Context(), "http://logo.example"+path)
		return err
	}
	if err := read(100, "/"); err != nil {
		t.Error(err)
	}
	if err := read(99, "/"); !errors.Is(err, ErrRefused) {
		t.Errorf("too much: %v", err)
	}
	if err := read(99, "/loop"); !errors.Is(err, ErrRefused) {
		t.Errorf("redirects: %v", err)
	}
}
