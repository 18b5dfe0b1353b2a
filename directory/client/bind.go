package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// maxCredential bounds a DN and a password that are sent to a server.
const maxCredential = 64 << 10

// DummyDN is a DN below base that no entry has. Bind to it with the presented
// password where nobody has the presented name, so that the answer takes about
// as long as for a wrong password.
func DummyDN(base string) string { return "cn=portico-nobody-knows-this-name," + base }

// Bind checks a password by an LDAP bind as dn. It is made on a connection that
// does nothing but binds and serves one at a time, never on the service pool.
// Nothing is cached: each call asks the server.
//
// What no server may be asked is answered without a packet: an empty DN or
// password would be an anonymous success on some servers, and one with a NUL in
// it may be cut there. Failures of every sort are in the result; there is no
// error beside it.
func (c *Client) Bind(ctx context.Context, dn, password string) directory.BindResult {
	if !presentable(dn, password) {
		return directory.BindResult{Verdict: directory.VerdictWrong, Detail: "refused here: empty, too long, or with a NUL"}
	}
	for again := false; ; again = true {
		k, err := c.binds.acquire(ctx, again)
		if err != nil {
			return directory.BindResult{Detail: clean(err.Error())}
		}
		r, stale := c.bindOn(ctx, k, dn, password)
		if stale && !again {
			c.retries.Add(1)
			continue
		}
		if r.Verdict == directory.VerdictMisconfigured {
			c.complain(r)
		}
		return r
	}
}

// complain tells the administrator, once a minute at most, that the server
// refuses the way in which we bind.
func (c *Client) complain(r directory.BindResult) {
	now, last := time.Now().Unix(), c.complained.Load()
	if now-last >= 60 && c.complained.CompareAndSwap(last, now) {
		c.log.Warn("the server refuses user binds; does it want TLS (an ldaps:// URL or start_tls: true)?", "answer", r.Detail)
	}
}

// bindOn binds on k and gives it back. The second result is true when the
// connection turned out to have been dead before the bind reached anybody.
func (c *Client) bindOn(ctx context.Context, k *conn, dn, password string) (r directory.BindResult, stale bool) {
	keep := false
	defer func() { c.binds.release(k, keep) }()
	var controls []ldap.Control
	err, cut := k.within(ctx, c.cfg.Timeout, func() (err error) {
		controls, err = k.x.simpleBind(dn, password)
		return err
	})
	if err != nil && cut != nil {
		if errors.Is(cut, errNoAnswer) || timeout(cut) {
			k.srv.suspect()
		}
		return directory.BindResult{Detail: clean("bind: " + cut.Error())}, false
	}
	r = judge(controls, err)
	keep = cut == nil && (r.Verdict == directory.VerdictSignedIn || r.Verdict == directory.VerdictWrong)
	var nothing *noAnswerError
	return r, k.reused && errors.As(err, &nothing)
}

func presentable(dn, password string) bool {
	return strings.Contains(dn, "=") && password != "" &&
		len(dn) <= maxCredential && len(password) <= maxCredential &&
		!strings.ContainsRune(dn, 0) && !strings.ContainsRune(password, 0)
}
