package client

import (
	"context"
	"errors"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// maxCredential bounds a DN and a password that are sent to a server.
const maxCredential = 64 << 10

// policyRequest asks for the password policy response control. Every server
// tolerates it; OpenLDAP and 389 DS answer it.
var policyRequest = []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}

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
	before := k.w.got.Load()
	var err error
	_, cut := k.within(ctx, c.cfg.Timeout, func() error {
		r, err = k.bind(dn, password)
		return err
	})
	if err != nil && cut != nil {
		if errors.Is(cut, errNoAnswer) || timeout(cut) {
			k.srv.suspect()
		}
		return directory.BindResult{Detail: clean("bind: " + cut.Error())}, false
	}
	stale = err != nil && k.reused && k.broken() && k.w.got.Load() == before
	keep = cut == nil && (r.Verdict == directory.VerdictSignedIn || r.Verdict == directory.VerdictWrong)
	return r, stale
}

func presentable(dn, password string) bool {
	return strings.Contains(dn, "=") && password != "" &&
		len(dn) <= maxCredential && len(password) <= maxCredential &&
		!strings.ContainsRune(dn, 0) && !strings.ContainsRune(password, 0)
}

// bind sends one simple bind and judges the answer.
func (k *conn) bind(dn, password string) (directory.BindResult, error) {
	k.w.record()
	result, err := k.l.SimpleBind(ldap.NewSimpleBindRequest(dn, password, policyRequest))
	var controls []ldap.Control
	if result != nil {
		controls = result.Controls
	}
	return k.verdict(judge(controls, err)), err
}

// bindExternal binds by what the server knows of the connection: our client
// certificate or, on a local socket, our user id.
func (k *conn) bindExternal() (directory.BindResult, error) {
	k.w.record()
	err := k.l.ExternalBind()
	return k.verdict(judge(nil, err)), err
}

// verdict takes a success back when the bytes that came are not those of one.
func (k *conn) verdict(r directory.BindResult) directory.BindResult {
	if answer := k.w.recorded(); r.SignedIn() && !plainBindAnswer(answer) {
		return directory.BindResult{Detail: "success, but the answer is not that of a bind, or refers to another server"}
	}
	return r
}

// plainBindAnswer looks again at the bytes of a success: go-ldap takes any
// answer with code 0 for one, and does not show a referral beside it. Neither
// may let anybody in.
func plainBindAnswer(answer []byte) bool {
	if len(answer) > maxKept {
		return false
	}
	packet, err := ber.DecodePacketErr(answer)
	if err != nil || len(packet.Children) < 2 {
		return false
	}
	op := packet.Children[1]
	if op.ClassType != ber.ClassApplication || op.Tag != ldap.ApplicationBindResponse {
		return false
	}
	const referral = 3
	for _, child := range op.Children[min(3, len(op.Children)):] {
		if child.ClassType == ber.ClassContext && child.Tag == referral {
			return false
		}
	}
	return true
}
