package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA is a certificate authority that exists for one test. It is not safe for concurrent use.
type CA struct {
	File        string            // the authority's own certificate, PEM
	Certificate *x509.Certificate // the same, parsed

	folder string
	key    *ecdsa.PrivateKey
	issued int
}

// CertificateRequest says what a certificate is for. The zero value is a server certificate for localhost, 127.0.0.1 and
// ::1 that is valid now.
type CertificateRequest struct {
	CommonName string    // subject; default: the first of the names
	Names      []string  // DNS names and IP addresses
	NotBefore  time.Time // default: an hour ago
	NotAfter   time.Time // default: in a day
	Client     bool      // for a client instead of a server; then Names may be empty
}

// Certificate is a certificate with its key, as files and for crypto/tls.
type Certificate struct {
	CertFile string // PEM
	KeyFile  string // PEM, readable by this user only
	TLS      tls.Certificate
}

// NewCA makes a certificate authority that keeps its files in the folder, which must exist.
func NewCA(folder string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of the test authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority", Organization: []string{"Portico tests"}},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("test authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("test authority: %w", err)
	}
	file := filepath.Join(folder, "ca.crt")
	if err := writePEM(file, "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return &CA{File: file, Certificate: certificate, folder: folder, key: key}, nil
}

// Certificates makes a certificate authority that lasts as long as the test. Two calls make two authorities that do not
// trust each other.
func Certificates(t testing.TB) *CA {
	t.Helper()
	ca, err := NewCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// Pool trusts this authority and nobody else.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	return pool
}

// Server makes a server certificate for names and IP addresses; with none it is for localhost, 127.0.0.1 and ::1.
func (ca *CA) Server(t testing.TB, names ...string) Certificate {
	t.Helper()
	return ca.must(t, CertificateRequest{Names: names})
}

// Expired makes a server certificate that ended an hour ago.
func (ca *CA) Expired(t testing.TB, names ...string) Certificate {
	t.Helper()
	return ca.must(t, CertificateRequest{
		Names: names, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	})
}

// WrongName makes a valid server certificate for a name that no test server has.
func (ca *CA) WrongName(t testing.TB) Certificate {
	t.Helper()
	return ca.must(t, CertificateRequest{Names: []string{"elsewhere.example.org"}})
}

// Client makes a client certificate with this common name.
func (ca *CA) Client(t testing.TB, commonName string) Certificate {
	t.Helper()
	return ca.must(t, CertificateRequest{CommonName: commonName, Client: true})
}

func (ca *CA) must(t testing.TB, request CertificateRequest) Certificate {
	t.Helper()
	certificate, err := ca.Issue(request)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// Issue makes a certificate and writes it into the authority's folder.
func (ca *CA) Issue(request CertificateRequest) (Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, fmt.Errorf("key of a test certificate: %w", err)
	}
	ca.issued++
	template := request.template(int64(ca.issued) + 1)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, key.Public(), ca.key)
	if err != nil {
		return Certificate{}, fmt.Errorf("test certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Certificate{}, fmt.Errorf("key of a test certificate: %w", err)
	}
	made := Certificate{
		CertFile: filepath.Join(ca.folder, fmt.Sprintf("certificate%d.crt", ca.issued)),
		KeyFile:  filepath.Join(ca.folder, fmt.Sprintf("certificate%d.key", ca.issued)),
	}
	if err := writePEM(made.CertFile, "CERTIFICATE", der); err != nil {
		return Certificate{}, err
	}
	if err := writePEM(made.KeyFile, "PRIVATE KEY", keyDER); err != nil {
		return Certificate{}, err
	}
	if made.TLS, err = tls.LoadX509KeyPair(made.CertFile, made.KeyFile); err != nil {
		return Certificate{}, fmt.Errorf("test certificate: %w", err)
	}
	return made, nil
}

// template fills in the defaults.
func (request CertificateRequest) template(serial int64) *x509.Certificate {
	names := request.Names
	if len(names) == 0 && !request.Client {
		names = []string{"localhost", "127.0.0.1", "::1"}
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: request.NotBefore, NotAfter: request.NotAfter,
		Subject:  pkix.Name{CommonName: request.CommonName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if request.Client {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(24 * time.Hour)
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	if template.Subject.CommonName == "" && len(names) > 0 {
		template.Subject.CommonName = names[0]
	}
	return template
}

// writePEM writes one block that only this user can read.
func writePEM(path, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("certificate file: %w", err)
	}
	return nil
}
