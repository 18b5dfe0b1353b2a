package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// target is one configured URL, taken apart.
type target struct {
	raw, scheme   string
	network, addr string
	host          string // for the verification of the certificate
}

func parseURL(raw string, cfg Config) (target, error) {
	t := target{raw: raw}
	scheme, rest, ok := strings.Cut(raw, "://")
	t.scheme = strings.ToLower(scheme)
	if !ok {
		return t, fmt.Errorf("urls: %q is not an ldap://, ldaps:// or ldapi:// URL", raw)
	}
	if t.scheme == "ldapi" {
		// The socket's path is percent-encoded where a host would stand.
		encoded, _, _ := strings.Cut(rest, "/")
		path, err := url.PathUnescape(encoded)
		if err != nil || path == "" {
			return t, fmt.Errorf("urls: %q: write the socket's path percent-encoded, as in ldapi://%%2Frun%%2Fslapd%%2Fldapi", raw)
		}
		if cfg.StartTLS {
			return t, fmt.Errorf("urls: %q: start_tls is of no use on a local socket", raw)
		}
		t.network, t.addr = "unix", path
		return t, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
		return t, fmt.Errorf("urls: %q: only scheme, host and port may be given", redact(raw))
	}
	t.network, t.host = "tcp", u.Hostname()
	port := u.Port()
	switch t.scheme {
	case "ldap":
		port = orElse(port, ldap.DefaultLdapPort)
	case "ldaps":
		port = orElse(port, ldap.DefaultLdapsPort)
		if cfg.StartTLS {
			return t, fmt.Errorf("urls: %q: ldaps:// is TLS from the beginning; remove start_tls or use ldap://", raw)
		}
	default:
		return t, fmt.Errorf("urls: %q: the scheme must be ldap, ldaps or ldapi", redact(raw))
	}
	t.addr = net.JoinHostPort(t.host, port)
	return t, nil
}

// redact drops what may be a password in a malformed URL.
func redact(raw string) string {
	if i := strings.LastIndexByte(raw, '@'); i >= 0 {
		return "..." + raw[i:]
	}
	return raw
}

func orElse(s, usual string) string {
	if s == "" {
		return usual
	}
	return s
}

// purpose is what a connection is made for.
type purpose uint8

const (
	forService   purpose = iota // go-ldap's connection, bound as the service account
	forBinds                    // user binds
	forStrangers                // go-ldap's connection without any bind
)

// dial connects to s, finishes TLS before anything else is said, and binds
// where the purpose asks for it. All of it together takes DialTimeout at most.
func (c *Client) dial(ctx context.Context, s *server, p purpose) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.DialTimeout, errNoAnswer)
	defer cancel()
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	nc, err := dialer.DialContext(ctx, s.network, s.addr)
	if err != nil {
		return nil, c.dialError(s, err, context.Cause(ctx))
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	k, err := c.greet(ctx, s, nc, p)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err == nil && !c.track(k) {
		err = errClosed
	}
	if err != nil {
		_ = nc.Close()
		return nil, c.dialError(s, err, context.Cause(ctx))
	}
	if k.l != nil {
		k.l.Start()
	}
	return k, nil
}

// greet makes a fresh socket ready for requests.
func (c *Client) greet(ctx context.Context, s *server, nc net.Conn, p purpose) (*conn, error) {
	stream, err := nc, error(nil)
	if s.scheme == "ldaps" || c.cfg.StartTLS {
		if stream, err = c.secure(ctx, s, nc); err != nil {
			return nil, err
		}
	}
	k := &conn{nc: nc, srv: s, born: time.Now()}
	k.w = &wire{Conn: stream, onClose: func() { c.forget(k) }}
	k.x = newExchange(k.w)
	if p == forService {
		if err := c.login(s, k.x); err != nil {
			return nil, err
		}
		if !k.x.quiet() {
			return nil, errors.New("the server sent more than the answer to the bind")
		}
	}
	if p != forBinds {
		k.l, k.x = ldap.NewConn(k.w, stream != nc), nil
	}
	return k, nil
}

func (c *Client) secure(ctx context.Context, s *server, nc net.Conn) (net.Conn, error) {
	cfg, err := c.tls.config(s.host)
	if err != nil {
		return nil, err
	}
	if c.cfg.StartTLS {
		if err := startTLS(nc); err != nil {
			return nil, err
		}
	}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, &handshakeError{err}
	}
	return tc, nil
}

// anonymous tells whether service connections to s are made without a bind.
func (c *Client) anonymous(s *server) bool { return c.cfg.BindDN == "" && !c.external(s) }

func (c *Client) external(s *server) bool {
	secure := s.scheme == "ldaps" || c.cfg.StartTLS
	return c.cfg.BindDN == "" && (s.network == "unix" || secure && c.cfg.TLS.CertFile != "")
}

// login binds as the service account.
func (c *Client) login(s *server, x *exchange) error {
	if c.anonymous(s) {
		return nil
	}
	var controls []ldap.Control
	var err error
	if c.external(s) {
		controls, err = x.externalBind()
	} else {
		controls, err = x.simpleBind(c.cfg.BindDN, c.cfg.BindPassword)
	}
	r := judge(controls, err)
	switch {
	case r.Verdict == directory.VerdictSignedIn:
		return nil
	case r.Verdict == directory.VerdictGrace:
		c.log.Warn("the service account's password has expired; sign-ins left before it stops working", "left", r.Grace)
		return nil
	case err != nil && !answered(err):
		return err
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultServerDown, ldap.LDAPResultOther):
		return fmt.Errorf("the server is not ready: %s", r.Detail)
	}
	return &refusal{account: orElse(c.cfg.BindDN, "SASL EXTERNAL"), result: r}
}
