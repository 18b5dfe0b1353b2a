package testenv_test

import (
	"crypto/x509"
	"testing"

	"portico/testenv"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	ca, other := testenv.Certificates(t), testenv.Certificates(t)
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for name, test := range map[string]struct {
		certificate testenv.Certificate
		options     x509.VerifyOptions
		valid       bool
	}{
		"default name":      {ca.Server(t), x509.VerifyOptions{Roots: ca.Pool(), DNSName: "localhost"}, true},
		"default address":   {ca.Server(t), x509.VerifyOptions{Roots: ca.Pool(), DNSName: "127.0.0.1"}, true},
		"given name":        {ca.Server(t, "a.example"), x509.VerifyOptions{Roots: ca.Pool(), DNSName: "a.example"}, true},
		"unknown authority": {ca.Server(t), x509.VerifyOptions{Roots: other.Pool(), DNSName: "localhost"}, false},
		"wrong name":        {ca.WrongName(t), x509.VerifyOptions{Roots: ca.Pool(), DNSName: "localhost"}, false},
		"expired":           {ca.Expired(t), x509.VerifyOptions{Roots: ca.Pool(), DNSName: "localhost"}, false},
		"client":            {ca.Client(t, "portico"), x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: client}, true},
		"server as client":  {ca.Server(t), x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: client}, false},
	} {
		parsed, err := x509.ParseCertificate(test.certificate.TLS.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Verify(test.options); (err == nil) != test.valid {
			t.Errorf("%s: %v, want valid %v", name, err, test.valid)
		}
	}
}
