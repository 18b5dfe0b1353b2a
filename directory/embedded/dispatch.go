package embedded

import (
	ber "github.com/go-asn1-ber/asn1-ber"
)

// handle carries out one request. It gives false where the connection is to end.
func (c *conn) handle(m *message) bool {
	if m.op == OpAbandon {
		if id, err := ber.ParseInt64(m.body.Data.Bytes()); err == nil {
			c.abandon(id, false)
		}
		return true
	}
	fl := c.srv.faults()
	if r, ok := fl.Results[m.op]; ok {
		return r.replace(c, m)
	}
	x, f := c.store.schema.readControls(m)
	if f != nil {
		if m.op == OpBind {
			c.setIdentity(who{})
		}
		return c.answer(m, f, nil)
	}
	if f := c.restricted(m, x); f != nil {
		return c.answer(m, f, x.replies)
	}
	switch m.op {
	case OpBind:
		return c.handleBind(m, x, fl)
	case OpSearch:
		return c.handleSearch(m, x)
	case OpExtended:
		return c.handleExtended(m, x)
	default:
		return c.handleWrite(m, x)
	}
}

// answer sends the final result of a request.
func (c *conn) answer(m *message, f *fault, controls []reply, extra ...*ber.Packet) bool {
	tag, ok := m.op.answer()
	if !ok {
		return true
	}
	return c.send(m.id, result(tag, f, extra...), controls) == nil
}

// restricted keeps those who must change their password from anything else in
// the tree.
func (c *conn) restricted(m *message, x *options) *fault {
	if !c.identity().mustChange {
		return nil
	}
	switch m.op {
	case OpBind, OpModify, OpExtended, OpSearch:
		return nil // judged where their meaning is known
	}
	return x.errRestricted()
}

func (x *options) errRestricted() *fault {
	return x.errPolicy(resultInsufficientAccess,
		"Operations are restricted to bind/unbind/abandon/StartTLS/modify password", policyMustChange)
}

func (c *conn) handleBind(m *message, x *options, fl *Faults) bool {
	c.quiesce()
	c.setIdentity(who{})
	r, err := decodeBind(m.body)
	if err != nil {
		return c.refuseMalformed(m, err)
	}
	if len(fl.BindReferrals) > 0 {
		return c.answer(m, &fault{code: resultReferral, referrals: fl.BindReferrals}, nil)
	}
	out := c.store.bind(r, x.policy)
	if out.fault == nil {
		c.setIdentity(out.who)
	}
	return c.answer(m, out.fault, out.replies)
}

// refuseMalformed answers a request whose body could not be read.
func (c *conn) refuseMalformed(m *message, err error) bool {
	return c.answer(m, refuse(resultProtocolError, "%v", err), nil)
}

func (c *conn) handleSearch(m *message, x *options) bool {
	r, err := decodeSearch(m.body)
	if err != nil {
		return c.refuseMalformed(m, err)
	}
	c.mu.Lock()
	running, feeding := len(c.ops), c.persistent
	c.mu.Unlock()
	if running-feeding >= maxOperations || x.sync != nil && x.sync.persist && feeding >= maxPersistent {
		return c.answer(m, refuse(resultBusy, "too many operations on this connection"), nil)
	}
	o := c.begin(m.id)
	if o == nil {
		c.disconnect("message id in use")
		return false
	}
	c.wg.Go(func() {
		defer c.barrier()
		f := c.search(o, r, x)
		c.mu.Lock()
		canceled, gone := o.canceled, o.gone()
		c.mu.Unlock()
		c.end(o)
		switch {
		case canceled:
			c.answer(m, &fault{code: resultCanceled}, nil)
		case !gone:
			c.answer(m, f, x.replies)
		}
	})
	return true
}

// handleWrite carries out add, modify, delete, modify DN and compare.
func (c *conn) handleWrite(m *message, x *options) bool {
	var f *fault
	var err error
	w, st := c.identity(), c.store
	switch m.op {
	case OpAdd:
		var r addRequest
		if r, err = decodeAdd(m.body); err == nil {
			f = st.add(w, r, x)
		}
	case OpModify:
		var r modifyRequest
		if r, err = decodeModify(m.body); err == nil {
			f = c.modify(w, r, x)
		}
	case OpDelete:
		f = st.delete(w, m.body.Data.String(), x)
	case OpModifyDN:
		var r modifyDNRequest
		if r, err = decodeModifyDN(m.body); err == nil {
			f = st.modifyDN(w, r, x)
		}
	case OpCompare:
		var r compareRequest
		if r, err = decodeCompare(m.body); err == nil {
			f = st.compare(w, r, x)
		}
	}
	if err != nil {
		return c.refuseMalformed(m, err)
	}
	return c.answer(m, f, x.replies)
}

// modify lets those who must change their password do just that, once.
func (c *conn) modify(w who, r modifyRequest, x *options) *fault {
	if w.mustChange {
		for _, mod := range r.mods {
			if d, ok := c.store.schema.describe(mod.desc); !ok || d.typ != c.store.schema.userPassword {
				return x.errRestricted()
			}
		}
	}
	f := c.store.modify(w, r, x)
	if f == nil && w.mustChange {
		w.mustChange = false
		c.setIdentity(w)
	}
	return f
}
