package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// ServerCertificate is what a server showed when a connection was made secure.
type ServerCertificate struct {
	URL   string
	Chain []*x509.Certificate // the server's own first
}

// Certificates connects to each configured server in turn and gives what those
// that answer show. Servers without TLS are left out. The error joins those of the
// servers that could not be reached; it is nil when all could.
func (c *Client) Certificates(ctx context.Context) ([]ServerCertificate, error) {
	var list []ServerCertificate
	var all error
	for _, s := range c.servers {
		if s.scheme != "ldaps" && !c.cfg.StartTLS {
			continue
		}
		k, err := c.dial(ctx, s, forBinds)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		if secure, ok := k.w.Conn.(*tls.Conn); ok {
			list = append(list, ServerCertificate{URL: s.raw, Chain: secure.ConnectionState().PeerCertificates})
		}
		k.kill()
	}
	return list, all
}
