package embedded

import (
	"bufio"
	"crypto/tls"
	"encoding/base32"
	"io"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

func (c *conn) handleExtended(m *message, x *options) bool {
	r, err := decodeExtended(m.body)
	if err != nil {
		return c.refuseMalformed(m, err)
	}
	w := c.identity()
	switch r.oid {
	case oidStartTLS:
		return c.startTLS(m, r)
	case oidWhoAmI:
		if r.hasValue {
			return c.answer(m, refuse(resultProtocolError, "no request data expected"), nil)
		}
		id := ""
		if !w.anonymous() {
			id = "dn:" + w.dn.text
		}
		return c.answer(m, nil, x.replies, contextOctets(11, id))
	case oidPasswordModify:
		return c.passwordModify(m, r, w, x)
	case oidCancel:
		return c.answer(m, c.cancelOperation(r), x.replies)
	}
	return c.answer(m, refuse(resultProtocolError, "unsupported extended operation"), nil)
}

// startTLS is RFC 4511 §4.14. Bytes that came in clear behind the request are
// a trick or a mistake: the connection ends.
func (c *conn) startTLS(m *message, r extendedRequest) bool {
	fl, cfg := c.srv.faults(), c.store.cfg
	c.mu.Lock()
	secure, running := c.secure, len(c.ops)
	c.mu.Unlock()
	switch {
	case cfg.TLS == nil || fl.RefuseStartTLS:
		return c.answer(m, refuse(resultProtocolError, "unsupported extended operation"), nil)
	case r.hasValue:
		return c.answer(m, refuse(resultProtocolError, "no request data expected"), nil)
	case secure:
		return c.answer(m, refuse(resultOperationsError, "TLS already started"), nil)
	case running > 0:
		return c.answer(m, refuse(resultOperationsError, "cannot start TLS when operations are outstanding"), nil)
	case c.r.Buffered() > 0:
		return false
	}
	if !c.answer(m, nil, nil, contextOctets(10, oidStartTLS)) {
		return false
	}
	if len(fl.BeforeTLS) > 0 {
		c.wmu.Lock()
		err := c.write(fl.BeforeTLS)
		c.wmu.Unlock()
		if err != nil {
			return false
		}
	}
	t := tls.Server(c.nc, cfg.TLS)
	if err := c.nc.SetDeadline(time.Now().Add(cfg.ReadTimeout)); err != nil {
		return false
	}
	if err := t.HandshakeContext(c.ctx); err != nil {
		return false
	}
	c.wmu.Lock()
	c.mu.Lock()
	c.nc, c.secure, c.who = t, true, who{}
	c.mu.Unlock()
	c.wmu.Unlock()
	c.r = bufio.NewReader(t)
	return true
}

// cancelOperation is RFC 3909.
func (c *conn) cancelOperation(r extendedRequest) *fault {
	bad := refuse(resultProtocolError, "no operation named")
	if checkNesting([]byte(r.value), nestingInControl) != nil {
		return bad
	}
	p, err := ber.DecodePacketErr([]byte(r.value))
	if err != nil || !isSequence(p) || len(p.Children) != 1 {
		return bad
	}
	id, err := integerOf(p.Children[0], ber.TagInteger)
	switch {
	case err != nil:
		return bad
	case !c.abandon(id, true):
		return &fault{code: resultNoSuchOperation}
	}
	return nil
}

// passwordRequest is the value of the password modify operation, RFC 3062 §2.
type passwordRequest struct {
	identity, old, fresh          string
	hasIdentity, hasOld, hasFresh bool
}

func decodePasswordModify(r extendedRequest) (p passwordRequest, err error) {
	if !r.hasValue {
		return p, nil
	}
	if err := checkNesting([]byte(r.value), nestingInControl); err != nil {
		return p, err
	}
	seq, err := ber.DecodePacketErr([]byte(r.value))
	if err != nil || !isSequence(seq) {
		return p, malformed("password modify")
	}
	for _, c := range seq.Children {
		text, ok := contextText(c, c.Tag)
		switch {
		case !ok || c.Tag > 2:
			return p, malformed("password modify")
		case c.Tag == 0:
			p.identity, p.hasIdentity = text, true
		case c.Tag == 1:
			p.old, p.hasOld = text, true
		default:
			p.fresh, p.hasFresh = text, true
		}
	}
	return p, nil
}

func (c *conn) passwordModify(m *message, r extendedRequest, w who, x *options) bool {
	p, err := decodePasswordModify(r)
	if err != nil {
		return c.refuseMalformed(m, err)
	}
	generated, f := c.store.changePassword(w, p, x)
	if f != nil {
		return c.answer(m, f, x.replies)
	}
	if w.mustChange {
		w.mustChange = false
		c.setIdentity(w)
	}
	if generated == "" {
		return c.answer(m, nil, x.replies)
	}
	value := sequence(contextOctets(0, generated))
	return c.answer(m, nil, x.replies, contextOctets(11, string(value.Bytes())))
}

// changePassword carries the operation out. It gives the password where the
// client left that to the server.
func (st *store) changePassword(w who, p passwordRequest, x *options) (generated string, f *fault) {
	switch {
	case w.anonymous():
		return "", refuse(resultStrongerAuthRequired, "only authenticated users may change passwords")
	case p.hasIdentity && p.identity == "", p.hasOld && p.old == "", p.hasFresh && p.fresh == "":
		return "", refuse(resultUnwilling, "identity and passwords may not be empty")
	}
	d := w.dn
	if p.hasIdentity {
		var err error
		if d, err = st.schema.parseDN(p.identity); err != nil {
			return "", refuse(resultInvalidSyntax, "Invalid DN")
		}
		if !d.within(st.suffix) {
			return "", refuse(resultOther, "no such directory")
		}
	}
	if p.fresh == "" {
		raw := make([]byte, 10)
		if _, err := io.ReadFull(st.cfg.Rand, raw); err != nil {
			return "", refuse(resultOther, "password generation failed")
		}
		generated = strings.ToLower(base32.StdEncoding.EncodeToString(raw))
		p.fresh = generated
	}
	f = st.write(w, func() *fault { return st.replacePassword(w, d, p, x) })
	if f != nil {
		return "", f
	}
	return generated, nil
}

func (st *store) replacePassword(w who, d dname, p passwordRequest, x *options) *fault {
	old, f := st.target(d, false)
	if f != nil {
		f.matched = ""
		return f
	}
	if p.hasOld {
		if !anyPassword(old.get(st.schema.userPassword), p.old) {
			return refuse(resultUnwilling, "unwilling to verify old password")
		}
		x.oldVerified = true
	}
	if !w.service && w.dn.key != d.key {
		return errNoAccess
	}
	e := old.clone()
	set := mod{modReplace, attrDesc{typ: st.schema.userPassword}, []value{{p.fresh, p.fresh}}}
	if f := st.apply(e, []mod{set}, w, x); f != nil {
		return f
	}
	if _, f := st.schema.checkEntry(e); f != nil {
		return f
	}
	csn := st.stamp(e, w.dn)
	st.commit(change{old: old, now: e, csn: csn})
	return nil
}
