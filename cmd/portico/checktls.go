package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"
)

// expirySoon is how long before its end a certificate is worth a warning.
const expirySoon = 30 * 24 * time.Hour

// certificates looks at what the servers of the directory show, and at the files
// of this side.
func (d *directoryCheck) certificates(ctx context.Context) bool {
	shown, err := d.client.Certificates(ctx)
	if err != nil {
		d.warn("see that every server in urls can be reached; the others serve meanwhile", "not every server answers: %v", err)
	}
	for _, s := range shown {
		for i, c := range s.Chain {
			what := "the certificate of " + s.URL
			if i > 0 {
				what = "an issuer of the certificate of " + s.URL
			}
			d.expiry(c, what, "renew it on the server; Portico needs no restart")
		}
	}
	d.expiryOfFile(d.cfg.TLS.CAFile, "tls.ca_file", "put the new authority into the file beside the old one; Portico reads it again by itself")
	d.expiryOfFile(d.cfg.TLS.CertFile, "tls.cert_file", "replace tls.cert_file and tls.key_file; Portico reads them again by itself")
	return true
}

// ownCertificate looks at the certificate of the service.
func (a *app) ownCertificate(r *report) {
	if a.cfg.TLS.CertFile == "" {
		return
	}
	r.expiryOfFile(a.cfg.TLS.CertFile, "tls.cert_file", "replace tls.cert_file and tls.key_file; Portico reads them again by itself")
}

// expiry judges the end of one certificate.
func (r *report) expiry(c *x509.Certificate, what, fix string) {
	left := time.Until(c.NotAfter)
	until := c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		r.fail(fix, "%s (%s) ran out on %s", what, c.Subject, until)
	case left < expirySoon:
		r.warn(fix, "%s (%s) runs out on %s, in %.0f days", what, c.Subject, until, left.Hours()/24)
	default:
		r.ok("%s is good until %s", what, until)
	}
}

// expiryOfFile judges all certificates of a PEM file; "" is none.
func (r *report) expiryOfFile(path, name, fix string) {
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		r.fail("see "+name, "%s cannot be read: %v", name, err)
		return
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			r.warn("see "+name, "%s holds a certificate that cannot be read: %v", name, err)
			continue
		}
		r.expiry(c, name, fix)
	}
}
