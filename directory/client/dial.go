package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
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

// dial connects to s, with TLS where configured, and binds as the service
// account if service is set. All of it together takes DialTimeout at most.
func (c *Client) dial(ctx context.Context, s *server, service bool) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.DialTimeout, errNoAnswer)
	defer cancel()
	k, err := c.connect(ctx, s)
	if err != nil {
		return nil, c.dialError(s, err, context.Cause(ctx))
	}
	if !service {
		return k, nil
	}
	if err := c.login(ctx, k); err != nil {
		k.kill()
		return nil, err
	}
	return k, nil
}

// connect opens the connection and finishes TLS before anything else is sent.
func (c *Client) connect(ctx context.Context, s *server) (*conn, error) {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	nc, err := dialer.DialContext(ctx, s.network, s.addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	stream, secure := nc, false
	if s.scheme == "ldaps" || c.cfg.StartTLS {
		secure = true
		if stream, err = c.secure(ctx, s, nc); err != nil {
			stop()
			_ = nc.Close()
			return nil, err
		}
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	k := &conn{nc: nc, srv: s, born: time.Now()}
	k.w = &wire{Conn: stream, onClose: func() { c.forget(k) }}
	if !c.track(k) {
		_ = nc.Close()
		return nil, errClosed
	}
	k.l = ldap.NewConn(k.w, secure)
	k.l.Start()
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

// startTLS asks for TLS on a bare connection (RFC 4511 §4.14). It is done here
// and not by go-ldap because it must be under the caller's deadline, and because
// it reads exactly one answer: whatever a server, or somebody on the way, adds
// in clear goes to the TLS handshake and ends it.
func startTLS(nc net.Conn) error {
	const oid = "1.3.6.1.4.1.1466.20037"
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "Start TLS")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, oid, "name"))
	packet := ber.NewSequence("LDAP Request")
	packet.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 1, "MessageID"))
	packet.AppendChild(request)
	if _, err := nc.Write(packet.Bytes()); err != nil {
		return err
	}
	answer, err := ber.ReadPacket(io.LimitReader(nc, maxKept))
	if err != nil {
		return err
	}
	if len(answer.Children) < 2 || answer.Children[0].Value != int64(1) ||
		answer.Children[1].Tag != ldap.ApplicationExtendedResponse {
		return errors.New("the answer to StartTLS is not one; is this an LDAP server?")
	}
	if err := ldap.GetLDAPError(answer); err != nil {
		return &startTLSRefused{err}
	}
	return nil
}

// anonymous tells whether service connections to s are made without a bind.
func (c *Client) anonymous(s *server) bool { return c.cfg.BindDN == "" && !c.external(s) }

func (c *Client) external(s *server) bool {
	secure := s.scheme == "ldaps" || c.cfg.StartTLS
	return c.cfg.BindDN == "" && (s.network == "unix" || secure && c.cfg.TLS.CertFile != "")
}

// login binds the connection as the service account.
func (c *Client) login(ctx context.Context, k *conn) error {
	if c.anonymous(k.srv) {
		return nil
	}
	var r directory.BindResult
	var bindErr error
	_, cut := k.within(ctx, c.cfg.DialTimeout, func() error {
		if c.external(k.srv) {
			r, bindErr = k.bindExternal()
		} else {
			r, bindErr = k.bind(c.cfg.BindDN, c.cfg.BindPassword)
		}
		return bindErr
	})
	if cut != nil && ctx.Err() != nil {
		cut = context.Cause(ctx)
	}
	switch {
	case cut != nil:
		return c.dialError(k.srv, bindErr, cut)
	case r.Verdict == directory.VerdictSignedIn:
		return nil
	case r.Verdict == directory.VerdictGrace:
		c.log.Warn("the service account's password has expired; sign-ins left before it stops working", "left", r.Grace)
		return nil
	case bindErr != nil && !answered(bindErr):
		return c.dialError(k.srv, bindErr, nil)
	case ldap.IsErrorAnyOf(bindErr, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultServerDown, ldap.LDAPResultOther):
		return fmt.Errorf("the server is not ready: %s", r.Detail)
	}
	return &refusal{account: orElse(c.cfg.BindDN, "SASL EXTERNAL"), result: r}
}
