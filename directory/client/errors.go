package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"unicode"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// ErrOutcomeUnknown is returned by Do, together with directory.ErrUnavailable,
// when a request left and no answer came: the server may have done it or not.
// Read back before trying again.
var ErrOutcomeUnknown = errors.New("the request was sent but its outcome is unknown")

// ReferralError says that the server holds not what was asked for and names
// another that does (RFC 4511 §4.1.10). It is not followed.
type ReferralError struct {
	URI string // as the server gave it; "" when it gave none
	Err error
}

// Error names the URI and the option to change.
func (e *ReferralError) Error() string {
	return fmt.Sprintf("the server refers to %q; referrals are not followed: put a server into urls that holds this part of the tree and accepts writes", e.URI)
}

// Unwrap gives the LDAP error.
func (e *ReferralError) Unwrap() error { return e.Err }

// refusal is a server that answers and does not let the service account in.
type refusal struct {
	account string
	result  directory.BindResult
}

// Error says which option to look at.
func (e *refusal) Error() string {
	hint := "look at bind_dn and bind_password"
	switch {
	case e.result.Code == ldap.LDAPResultStrongAuthRequired || e.result.Code == ldap.LDAPResultConfidentialityRequired:
		hint = "the server wants TLS: use an ldaps:// URL or start_tls: true"
	case e.result.Verdict == directory.VerdictLocked || e.result.Verdict == directory.VerdictDisabled:
		hint = "the account is locked or disabled"
	case e.result.Verdict == directory.VerdictPasswordExpired || e.result.Verdict == directory.VerdictMustChange:
		hint = "its password must be changed first; give it a password policy without expiry"
	case e.account == "SASL EXTERNAL":
		hint = "the server does not map our client certificate or local user to an identity; set bind_dn or extend its mapping"
	}
	return fmt.Sprintf("the service account %q was refused: %s; %s", e.account, e.result.Detail, hint)
}

func refused(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}

type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

type startTLSRefused struct{ err error }

func (e *startTLSRefused) Error() string {
	return "the server refused StartTLS (" + clean(e.err.Error()) +
		"): nothing was sent in clear; set up TLS on the server, use an ldaps:// URL, or remove start_tls"
}
func (e *startTLSRefused) Unwrap() error { return e.err }

// dialError explains why no connection came about. cut is why it was ended
// from our side, if it was.
func (c *Client) dialError(s *server, err, cut error) error {
	if errors.Is(cut, errNoAnswer) {
		return fmt.Errorf("no answer within %s (pool.dial_timeout)", c.cfg.DialTimeout)
	}
	if cut != nil {
		return cut
	}
	if refused(err) {
		return err
	}
	var (
		record    tls.RecordHeaderError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		shake     *handshakeError
	)
	hint := ""
	switch {
	case errors.As(err, &record), errors.As(err, &shake) && hungUp(err):
		hint = "is this the TLS port? A plain port is reached by ldap://, with start_tls: true for TLS"
	case errors.As(err, &authority):
		hint = "put the issuer's certificate into tls.ca_file"
	case errors.As(err, &name):
		hint = "use a host name of the certificate in urls, or set tls.server_name"
	case s.scheme == "ldap" && hungUp(err):
		hint = "the server hung up at the first request; is this the TLS port? That is reached by ldaps://"
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, hint)
}

// hungUp also knows the text of go-ldap, which does not wrap the cause.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "connection reset")
}

func noServer(faults []error) error {
	if len(faults) == 1 {
		return faults[0]
	}
	text := make([]string, len(faults))
	for i, err := range faults {
		text[i] = err.Error()
	}
	return errors.New("no server can be used: " + strings.Join(text, "; "))
}

// answered tells whether err is a result code that a server gave, and not a
// failure of the connection or of decoding.
func answered(err error) bool {
	var e *ldap.Error
	return errors.As(err, &e) && (e.ResultCode < ldap.ErrorNetwork || e.ResultCode == ldap.LDAPResultSyncRefreshRequired)
}

// unavailable wraps the failure of a request that has no answer.
func (c *Client) unavailable(what string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("directory %s: %s: %w", c.cfg.Name, what, err)
	}
	return fmt.Errorf("directory %s: %s: %w: %w", c.cfg.Name, what, directory.ErrUnavailable, err)
}

// wrap turns the failure of a request into an error of this package's promise.
// The *ldap.Error stays in the chain for callers that handle codes such as 32
// or 68.
func (c *Client) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	var e *ldap.Error
	if errors.Is(err, ldap.ErrSizeLimitExceeded) {
		return c.incomplete(what, err)
	}
	if !errors.As(err, &e) {
		return c.unavailable(what, err)
	}
	switch code := e.ResultCode; {
	case code == ldap.LDAPResultSizeLimitExceeded, code == ldap.LDAPResultTimeLimitExceeded, code == ldap.LDAPResultAdminLimitExceeded:
		return c.incomplete(what, err)
	case code == ldap.LDAPResultReferral:
		c.referrals.Add(1)
		err = &ReferralError{URI: referralURI(e), Err: err}
	case code == ldap.LDAPResultBusy, code == ldap.LDAPResultUnavailable, code == ldap.LDAPResultServerDown:
		return c.unavailable(what, err)
	case code == ldap.ErrorFilterCompile, code == ldap.ErrorFilterDecompile, code == ldap.ErrorEmptyPassword:
		// Refused by go-ldap before anything was sent: our own fault.
	case !answered(err):
		return c.unavailable(what, err)
	}
	return fmt.Errorf("directory %s: %s: %w", c.cfg.Name, what, err)
}

func (c *Client) incomplete(what string, err error) error {
	who := orElse(c.cfg.BindDN, "the anonymous user")
	return fmt.Errorf("directory %s: %s: %w: %w; raise the limits of %q: OpenLDAP: limits dn.exact=\"...\" size=unlimited time=unlimited; "+
		"389 DS: nsSizeLimit, nsLookThroughLimit and nsTimeLimit -1 in its entry; Active Directory: read in pages of 1000 or less",
		c.cfg.Name, what, directory.ErrIncomplete, err, who)
}

// referralURI finds the first URI of an answer with code 10. go-ldap reads it
// for two kinds of request only.
func referralURI(e *ldap.Error) string {
	list := referral(e.Packet)
	if list == nil || len(list.Children) == 0 {
		return ""
	}
	uri, _ := list.Children[0].Value.(string)
	return clean(uri)
}

// clean makes a text that came from a server fit for one line of a log.
func clean(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strings.TrimSpace(s)
}

// timeout tells whether err is the error of a caller's deadline or of a socket's.
func timeout(err error) bool {
	var ne net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout()
}
