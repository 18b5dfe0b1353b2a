// Package fetch reads something from an address that a stranger gave, without
// letting him reach what only this machine can: every address that a name stands
// for is looked at when it is dialled, after each redirect too, and only public
// ones pass. What is read is bounded in size and time.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// ErrRefused is wrapped by the errors for addresses that may not be reached.
var ErrRefused = errors.New("this address may not be reached")

const (
	maxRedirects = 3
	timeout      = 10 * time.Second
)

// Client reads from the public web.
type Client struct {
	http *http.Client
	most int64
}

// New makes a client that reads at most that many bytes.
func New(most int64) *Client { return newClient(most, Public) }

func newClient(most int64, allowed func(netip.AddrPort) bool) *Client {
	dialer := &net.Dialer{
		Timeout: 5 * time.Second,
		// Control sees the address that is really dialled: a name that answers
		// differently the second time gains nothing.
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !allowed(to) {
				return ErrRefused
			}
			return nil
		},
	}
	transport := &http.Transport{
		Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second,
		ResponseHeaderTimeout: 5 * time.Second, MaxResponseHeaderBytes: 32 << 10, DisableKeepAlives: true,
	}
	return &Client{most: most, http: &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("%w: too many redirects", ErrRefused)
			}
			return checkURL(r.URL)
		},
	}}
}

// Fetch reads what lies at an http or https address. Errors: ErrRefused, or what
// went wrong on the way.
func (c *Client) Fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, ErrRefused
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, ErrRefused
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %d", answer.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, c.most+1))
	if err == nil && int64(len(data)) > c.most {
		err = fmt.Errorf("%w: more than %d bytes", ErrRefused, c.most)
	}
	return data, err
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.User != nil:
		return ErrRefused
	case u.Port() != "" && u.Port() != "80" && u.Port() != "443":
		return fmt.Errorf("%w: port %s", ErrRefused, u.Port())
	}
	return nil
}

// notPublic are networks that netip does not tell by itself.
func notPublic() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fec0::/10",
	} {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// Public tells whether an address is one of the public internet: not of this
// machine, of a private network, or of a special purpose (RFC 6890).
func Public(to netip.AddrPort) bool {
	a := to.Addr().Unmap()
	if !a.IsValid() || a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range notPublic() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
