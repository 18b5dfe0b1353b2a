package httpapi

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// writePair makes a self-signed certificate with a serial number.
func writePair(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestAbuse_H04_H05_H06_LiveListener(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writePair(t, dir, 1)
	s, log := newServer(t, Config{CertFile: certFile, KeyFile: keyFile}, routes{"/": say("secret")})
	s.cert.every = 0
	addr := start(t, s)
	serial := func(config *tls.Config) (int64, error) {
		config.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", addr, config)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			return 0, err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	expect := func(want int64) {
		t.Helper()
		if got, err := serial(&tls.Config{}); got != want || err != nil {
			t.Errorf("certificate %d, %v; want %d", got, err, want)
		}
	}
	expect(1)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	if resp, err := client.Get("https://" + addr + "/"); err != nil {
		t.Error(err)
	} else {
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
			t.Errorf("%s %s", resp.Proto, resp.Status)
		}
	}
	if _, err := serial(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	writePair(t, dir, 2)
	expect(2)
	if err := os.WriteFile(keyFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(2)
	if !strings.Contains(log.String(), "certificate not reloaded") {
		t.Errorf("the log does not say it:\n%s", log)
	}
	if err := s.ReloadCertificate(); err == nil {
		t.Error("no error from a broken key")
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	expect(2)
	writePair(t, dir, 3)
	var wait sync.WaitGroup // a storm of reloads
	for range 50 {
		wait.Go(func() { _ = s.ReloadCertificate() })
	}
	wait.Wait()
	expect(3)
	if _, err := serial(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted after the reload")
	}
	if got := talk(t, addr, "\x16\x03\x01\xff\xffgarbage\x00\r\n\r\n"); strings.Contains(got, "secret") {
		t.Errorf("answered to garbage: %q", got)
	}
	expect(3)
	if got := talk(t, addr, "GET / HTTP/1.0\r\n\r\n"); strings.Contains(got, "secret") {
		t.Errorf("answered without TLS: %q", got)
	}
}
