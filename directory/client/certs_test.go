package client

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// certs is a certificate authority in a folder: ca.crt, server.crt, server.key,
// client.crt and client.key.
type certs struct {
	t   testing.TB
	dir string
	ca  *x509.Certificate
	key crypto.Signer
}

func newCerts(t testing.TB, dir string) *certs {
	t.Helper()
	return newCertsWith(t, dir, ecKey(t))
}

func newCertsWith(t testing.TB, dir string, key crypto.Signer) *certs {
	t.Helper()
	c := &certs{t: t, dir: dir, key: key}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, c.key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	c.ca, _ = x509.ParseCertificate(der)
	c.save("ca.crt", "CERTIFICATE", der)
	c.issue("server", ecKey(t), nil)
	c.issue("client", ecKey(t), func(x *x509.Certificate) { x.Subject = pkix.Name{CommonName: "portico"} })
	return c
}

func ecKey(t testing.TB) crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (c *certs) path(name string) string { return filepath.Join(c.dir, name) }

func (c *certs) save(name, kind string, der []byte) {
	if err := os.WriteFile(c.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// issue writes name.crt and name.key, for 127.0.0.1 and localhost unless edit
// says otherwise.
func (c *certs) issue(name string, key crypto.Signer, edit func(*x509.Certificate)) {
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if edit != nil {
		edit(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.ca, key.Public(), c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.save(name+".crt", "CERTIFICATE", der)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.save(name+".key", "PRIVATE KEY", raw)
}

// issueSHA1 writes name.crt and name.key with a SHA-1 signature, which
// crypto/x509 no longer makes: it changes the algorithm and signs again. The
// authority's key must be RSA.
func (c *certs) issueSHA1(name string, key crypto.Signer) {
	c.issue(name, key, nil)
	raw, err := os.ReadFile(c.path(name + ".crt"))
	if err != nil {
		c.t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	var cert struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(block.Bytes, &cert); err != nil {
		c.t.Fatal(err)
	}
	// sha256WithRSAEncryption and sha1WithRSAEncryption differ in one byte.
	family := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01}
	cert.TBS.FullBytes = bytes.Replace(cert.TBS.FullBytes, append(slices.Clone(family), 11), append(slices.Clone(family), 5), 1)
	cert.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
	sum := sha1.Sum(cert.TBS.FullBytes)
	sig, err := c.key.Sign(rand.Reader, sum[:], crypto.SHA1)
	if err != nil {
		c.t.Fatal(err)
	}
	cert.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	der, err := asn1.Marshal(cert)
	if err != nil {
		c.t.Fatal(err)
	}
	c.save(name+".crt", "CERTIFICATE", der)
}
