package client

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
)

// minRSABits is the shortest RSA key accepted anywhere in a server's chain.
const minRSABits = 2048

// tlsLoader builds TLS configurations from files and reads them again when they
// change on disk. A file that cannot be read later leaves the last good ones in
// force.
type tlsLoader struct {
	cfg TLSConfig
	log *slog.Logger

	mu    sync.Mutex
	stamp string // sizes and times of the files that base was made of
	tried string // the last stamp that could not be loaded
	base  *tls.Config
}

func newTLSLoader(cfg TLSConfig, log *slog.Logger) (*tlsLoader, error) {
	t := &tlsLoader{cfg: cfg, log: log, stamp: fileStamp(cfg)}
	base, err := loadTLS(cfg)
	if err != nil {
		return nil, err
	}
	t.base = base
	return t, nil
}

// config is for one host. go-ldap and crypto/tls do not take the name from
// anywhere when TLS begins by StartTLS, so it is always set.
func (t *tlsLoader) config(host string) (*tls.Config, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if stamp := fileStamp(t.cfg); stamp != t.stamp && stamp != t.tried {
		base, err := loadTLS(t.cfg)
		if err != nil {
			t.tried = stamp
			t.log.Warn("TLS files changed but cannot be loaded; the former ones stay in force", "error", err)
		} else {
			t.base, t.stamp, t.tried = base, stamp, ""
			t.log.Info("TLS files loaded again")
		}
	}
	cfg := t.base.Clone()
	cfg.ServerName = orElse(t.cfg.ServerName, host)
	return cfg, nil
}

func fileStamp(cfg TLSConfig) string {
	var b strings.Builder
	for _, name := range []string{cfg.CAFile, cfg.CertFile, cfg.KeyFile} {
		if name == "" {
			continue
		}
		if fi, err := os.Stat(name); err != nil {
			b.WriteString("missing;")
		} else {
			fmt.Fprintf(&b, "%d,%d;", fi.Size(), fi.ModTime().UnixNano())
		}
	}
	return b.String()
}

func loadTLS(cfg TLSConfig) (*tls.Config, error) {
	out := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: cfg.InsecureSkipVerify, //nolint:gosec // an option the administrator must name
	}
	if !cfg.InsecureSkipVerify {
		out.VerifyConnection = refuseWeakKeys
	}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no PEM certificate", cfg.CAFile)
		}
	}
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file and tls.key_file: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// refuseWeakKeys refuses a server none of whose chains has long enough RSA
// keys throughout. SHA-1 signatures are refused by crypto/x509 itself.
func refuseWeakKeys(cs tls.ConnectionState) error {
	for _, chain := range cs.VerifiedChains {
		if weakest(chain) >= minRSABits {
			return nil
		}
	}
	return fmt.Errorf("the server's certificate or its issuer has an RSA key of less than %d bits", minRSABits)
}

func weakest(chain []*x509.Certificate) int {
	bits := minRSABits
	for _, cert := range chain {
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
			bits = min(bits, key.N.BitLen())
		}
	}
	return bits
}
