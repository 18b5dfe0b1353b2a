package client

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// mustSay checks that err wraps is and names every part.
func mustSay(t *testing.T, err, is error, parts ...string) {
	t.Helper()
	if err == nil || is != nil && !errors.Is(err, is) {
		t.Errorf("got %v, want an error that wraps %v", err, is)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("a secret in %q", err)
	}
}

func TestTLS_LDAPSAndStartTLS(t *testing.T) {
	s := startSlapd(t)
	for _, startTLS := range []bool{false, true} {
		cfg := s.cfg()
		cfg.TLS.CAFile = s.certs.path("ca.crt")
		cfg.StartTLS = startTLS
		if !startTLS {
			cfg.URLs = []string{s.tlsURL}
		}
		c := open(t, cfg)
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("ping, StartTLS %t: %v", startTLS, err)
		}
		if r := c.Bind(t.Context(), person("alice"), "pw-alice"); r.Verdict != directory.VerdictSignedIn {
			t.Errorf("bind, StartTLS %t: %+v", startTLS, r)
		}
	}
}

func TestTLS_External(t *testing.T) {
	s := startSlapd(t)
	cfg := s.cfg()
	cfg.BindDN, cfg.BindPassword = "", ""
	cfg.TLS = TLSConfig{CAFile: s.certs.path("ca.crt"), CertFile: s.certs.path("client.crt"), KeyFile: s.certs.path("client.key")}
	for _, url := range []string{s.tlsURL, s.socketURL} {
		cfg.URLs = []string{url}
		c := open(t, cfg)
		var id string
		if err := c.Do(t.Context(), func(l *ldap.Conn) error {
			who, err := l.WhoAmI(nil)
			if err == nil {
				id = who.AuthzID
			}
			return err
		}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if want := map[string]string{s.tlsURL: "cn=portico", s.socketURL: "cn=external,cn=auth"}[url]; !strings.Contains(id, want) {
			t.Errorf("%s: identity %q, want %q", url, id, want)
		}
	}
}

func TestAbuse_H04_FilesAreReadAgain(t *testing.T) {
	s := startSlapd(t)
	other := newCerts(t, t.TempDir())
	file := t.TempDir() + "/ca.crt"
	copyFile(t, other.path("ca.crt"), file)
	cfg := s.cfg()
	cfg.URLs, cfg.TLS.CAFile = []string{s.tlsURL}, file
	c := open(t, cfg)
	mustSay(t, c.Ping(t.Context()), directory.ErrUnavailable, "tls.ca_file")
	copyFile(t, s.certs.path("ca.crt"), file)
	eventually(t, patience, func() bool { return c.Ping(t.Context()) == nil })
	if err := os.WriteFile(file, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.service.flush()
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("a broken file took the good one out of force: %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// patience is how long a test waits for what must happen: on a busy machine all takes long.
const patience = 20 * time.Second

func eventually(t *testing.T, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > limit {
			t.Fatalf("not within %s", limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begin)
}

func TestAbuse_H01_StartTLSRefused(t *testing.T) {
	for name, reply := range map[string]func(id int64) []byte{
		"refused":  func(id int64) []byte { return result(id, ldap.ApplicationExtendedResponse, 2, "unsupported").Bytes() },
		"stripped": func(id int64) []byte { return result(id, ldap.ApplicationExtendedResponse, 80, "").Bytes() },
		"notice":   func(int64) []byte { return result(0, ldap.ApplicationExtendedResponse, 0, "").Bytes() },
		"garbage":  func(int64) []byte { return []byte("220 smtp.example.org ESMTP\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			f := listen(t, answer(func(_ *fake, id int64, op *ber.Packet) []byte {
				if op.Tag == ldap.ApplicationExtendedRequest {
					return reply(id)
				}
				return nil
			}))
			cfg := shortTimes(f.url)
			cfg.StartTLS = true
			c := open(t, cfg)
			err := c.Ping(t.Context())
			mustSay(t, err, directory.ErrUnavailable)
			if name == "refused" {
				mustSay(t, err, directory.ErrUnavailable, "start_tls")
			}
			if r := c.Bind(t.Context(), person("alice"), "x"); r.Verdict != directory.VerdictUnavailable {
				t.Errorf("%+v", r)
			}
			if n := f.binds.Load(); n != 0 {
				t.Errorf("%d binds in clear", n)
			}
		})
	}
}

func TestAbuse_H02_BytesBeforeTheHandshake(t *testing.T) {
	pair := serverPair(t, newCerts(t, t.TempDir()), "server")
	var after int
	f := listen(t, func(_ *fake, nc net.Conn) {
		if _, err := ber.ReadPacket(nc); err != nil {
			return
		}
		// The answer to StartTLS and, in the same packet, one to a bind to come.
		out := append(result(1, ldap.ApplicationExtendedResponse, 0, "").Bytes(), result(1, ldap.ApplicationBindResponse, 0, "").Bytes()...)
		_, _ = nc.Write(out)
		tc := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{pair}})
		buf := make([]byte, 100)
		after, _ = tc.Read(buf)
	})
	cfg := shortTimes(f.url)
	cfg.StartTLS, cfg.TLS.InsecureSkipVerify = true, true
	mustSay(t, open(t, cfg).Ping(t.Context()), directory.ErrUnavailable)
	f.stop()
	if after != 0 {
		t.Errorf("%d bytes were sent over a tainted connection", after)
	}
}

func serverPair(t *testing.T, c *certs, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(c.path(name+".crt"), c.path(name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestAbuse_H02_StartTLSThatNeverEnds(t *testing.T) {
	for name, serve := range map[string]func(*fake, net.Conn){
		"silent": hold,
		"silent handshake": func(f *fake, nc net.Conn) {
			_, _ = ber.ReadPacket(nc)
			_, _ = nc.Write(result(1, ldap.ApplicationExtendedResponse, 0, "").Bytes())
			hold(f, nc)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := listen(t, serve)
			cfg := shortTimes(f.url)
			cfg.StartTLS = true
			begin := time.Now()
			mustSay(t, open(t, cfg).Ping(t.Context()), directory.ErrUnavailable, "no answer within 1s")
			if took := time.Since(begin); took > slack+time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestAbuse_H03_DR22 shows every bad certificate to ldaps and StartTLS alike.
func TestAbuse_H03_DR22_BadCertificates(t *testing.T) {
	dir := t.TempDir()
	ca := newCerts(t, dir)
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ca.issue("expired", ecKey(t), func(x *x509.Certificate) { x.NotAfter = time.Now().Add(-time.Hour) })
	ca.issue("name", ecKey(t), func(x *x509.Certificate) { x.DNSNames, x.IPAddresses = []string{"other.example"}, nil })
	ca.issue("noip", ecKey(t), func(x *x509.Certificate) { x.IPAddresses = nil })
	ca.issue("weak", weak, nil)
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaCA := newCertsWith(t, t.TempDir(), strong)
	rsaCA.issueSHA1("sha1", ecKey(t))
	stranger := newCerts(t, t.TempDir())

	for _, c := range []struct {
		name   string
		server *tls.Config
		client TLSConfig
		says   string // "" means accepted
	}{
		{"good", &tls.Config{Certificates: []tls.Certificate{serverPair(t, ca, "server")}}, TLSConfig{}, ""},
		{"unknown issuer", &tls.Config{Certificates: []tls.Certificate{serverPair(t, stranger, "server")}}, TLSConfig{}, "tls.ca_file"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{serverPair(t, ca, "expired")}}, TLSConfig{}, "expired"},
		{"wrong name", &tls.Config{Certificates: []tls.Certificate{serverPair(t, ca, "name")}}, TLSConfig{}, "tls.server_name"},
		{"IP address not in it", &tls.Config{Certificates: []tls.Certificate{serverPair(t, ca, "noip")}}, TLSConfig{}, "tls.server_name"},
		{"IP address, name given", &tls.Config{Certificates: []tls.Certificate{serverPair(t, ca, "noip")}}, TLSConfig{ServerName: "localhost"}, ""},
		{"1024-bit RSA", &tls.Config{Certificates: []tls.Certificate{serverPair(t, ca, "weak")}}, TLSConfig{}, "RSA"},
		{"SHA-1", &tls.Config{Certificates: []tls.Certificate{serverPair(t, rsaCA, "sha1")}}, TLSConfig{CAFile: rsaCA.path("ca.crt")}, "SHA1"},
		{"RSA of 2048 bits and SHA-256", &tls.Config{Certificates: []tls.Certificate{serverPair(t, rsaCA, "server")}}, TLSConfig{CAFile: rsaCA.path("ca.crt")}, ""},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{serverPair(t, ca, "server")}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, TLSConfig{}, "version"},
		{"TLS 1.2", &tls.Config{Certificates: []tls.Certificate{serverPair(t, ca, "server")}, MaxVersion: tls.VersionTLS12}, TLSConfig{}, ""},
	} {
		for _, startTLS := range []bool{false, true} {
			t.Run(c.name+map[bool]string{false: ", ldaps", true: ", StartTLS"}[startTLS], func(t *testing.T) {
				f := listen(t, func(f *fake, nc net.Conn) {
					if startTLS {
						if _, err := ber.ReadPacket(nc); err != nil {
							return
						}
						_, _ = nc.Write(result(1, ldap.ApplicationExtendedResponse, 0, "").Bytes())
					}
					answer(nil)(f, tls.Server(nc, c.server))
				})
				cfg := shortTimes(f.url)
				if !startTLS {
					cfg.URLs = []string{strings.Replace(f.url, "ldap:", "ldaps:", 1)}
				}
				cfg.StartTLS, cfg.TLS = startTLS, c.client
				cfg.TLS.CAFile = orElse(c.client.CAFile, ca.path("ca.crt"))
				err := open(t, cfg).Ping(t.Context())
				if c.says == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mustSay(t, err, directory.ErrUnavailable, c.says)
				if f.binds.Load() != 0 {
					t.Error("a bind was sent")
				}
			})
		}
	}
}

func TestDR22_WrongPort(t *testing.T) {
	s := startSlapd(t)
	plain := s.cfg()
	plain.URLs = []string{strings.Replace(s.tlsURL, "ldaps:", "ldap:", 1)}
	mustSay(t, open(t, plain).Ping(t.Context()), directory.ErrUnavailable, "is this the TLS port?")
	secure := s.cfg()
	secure.URLs, secure.TLS.CAFile = []string{strings.Replace(s.url, "ldap:", "ldaps:", 1)}, s.certs.path("ca.crt")
	mustSay(t, open(t, secure).Ping(t.Context()), directory.ErrUnavailable, "is this the TLS port?")
}

func TestURLs(t *testing.T) {
	for raw, addr := range map[string]string{
		"ldap://ldap.example.org":            "ldap.example.org:389",
		"LDAPS://ldap.example.org/":          "ldap.example.org:636",
		"ldap://[::1]:1389":                  "[::1]:1389",
		"ldapi://%2Frun%2Fslapd%2Fldapi":     "/run/slapd/ldapi",
		"http://ldap.example.org":            "",
		"ldap.example.org":                   "",
		"ldap://":                            "",
		"ldapi://":                           "",
		"ldap://user:" + secret + "@host":    "",
		"ldap://host/dc=example?uid?sub":     "",
		"ftp://user:" + secret + "@host/%zz": "",
	} {
		got, err := parseURL(raw, Config{})
		if addr != "" && (err != nil || got.addr != addr) {
			t.Errorf("%s: %q, %v", raw, got.addr, err)
		}
		if addr == "" {
			mustSay(t, err, nil, "urls")
		}
	}
	if _, err := parseURL("ldaps://host", Config{StartTLS: true}); err == nil {
		t.Error("ldaps with start_tls was accepted")
	}
}

func TestConfigurationHidesItsPassword(t *testing.T) {
	cfg := Config{Name: "corp", BindDN: serviceDN, BindPassword: secret}
	if strings.Contains(cfg.String()+cfg.LogValue().String(), secret) {
		t.Error("the password shows")
	}
}

func TestAnonymousServiceConnections(t *testing.T) {
	s := startSlapd(t, withAnonymous())
	cfg := s.cfg()
	cfg.BindDN, cfg.BindPassword = "", ""
	res, err := open(t, cfg).Search(context.Background(), byName("alice"))
	if err != nil || len(res.Entries) != 1 {
		t.Error(res, err)
	}
	silent := listen(t, func(_ *fake, nc net.Conn) { _, _ = io.Copy(io.Discard, nc) })
	cfg.URLs = []string{silent.url, s.url}
	if err := open(t, cfg).Ping(context.Background()); err != nil {
		t.Errorf("a silent first server without a bind: %v", err)
	}
}
