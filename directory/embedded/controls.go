package embedded

import (
	"crypto/subtle"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// Controls that are understood.
const (
	oidManageDSA = "2.16.840.1.113730.3.4.2"
	oidPaging    = "1.2.840.113556.1.4.319"
	oidAssertion = "1.3.6.1.1.12"
	oidPreRead   = "1.3.6.1.1.13.1"
	oidPostRead  = "1.3.6.1.1.13.2"
	oidSync      = "1.3.6.1.4.1.4203.1.9.1.1"
	oidSyncState = "1.3.6.1.4.1.4203.1.9.1.2"
	oidSyncDone  = "1.3.6.1.4.1.4203.1.9.1.3"
	oidSyncInfo  = "1.3.6.1.4.1.4203.1.9.1.4"

	nestingInControl = 50
)

// contexts says which operations a control may come with.
func contexts() map[string][]Operation {
	updates := []Operation{OpAdd, OpDelete, OpModify, OpModifyDN}
	return map[string][]Operation{
		oidManageDSA:     append([]Operation{OpSearch, OpCompare}, updates...),
		oidPaging:        {OpSearch},
		oidAssertion:     append([]Operation{OpSearch, OpCompare}, updates...),
		oidPreRead:       {OpDelete, OpModify, OpModifyDN},
		oidPostRead:      {OpAdd, OpModify, OpModifyDN},
		oidSync:          {OpSearch},
		oidPolicyControl: append([]Operation{OpBind, OpExtended, OpSearch, OpCompare}, updates...),
	}
}

// options are the controls of one request, and the controls of its answer.
type options struct {
	manageDSA bool
	assertion *filter
	preRead   []string
	postRead  []string
	wantPre   bool
	wantPost  bool
	policy    bool
	paging    *pageRequest
	sync      *syncRequest

	oldVerified bool // the password modify extension proved the old password
	replies     []reply
}

// pageRequest is the value of the paged results control, RFC 2696.
type pageRequest struct {
	size   int64
	cookie string
}

// syncRequest is the value of the sync request control, RFC 4533 §2.2.
type syncRequest struct {
	persist    bool
	cookie     string
	reloadHint bool
}

// readControls checks and decodes the controls of a request.
func (s *schema) readControls(m *message) (*options, *fault) {
	x := &options{}
	seen := map[string]bool{}
	where := contexts()
	for _, c := range m.controls {
		if seen[c.oid] {
			return nil, refuse(resultProtocolError, "control specified multiple times")
		}
		seen[c.oid] = true
		ops, known := where[c.oid]
		fits := false
		for _, op := range ops {
			fits = fits || op == m.op
		}
		if !known || !fits {
			if c.critical {
				return nil, refuse(resultCriticalExtension, "critical extension is not recognized")
			}
			continue
		}
		if f := x.read(s, c); f != nil {
			return nil, f
		}
	}
	if x.paging != nil && x.sync != nil {
		return nil, refuse(resultProtocolError, "paging and synchronization do not go together")
	}
	return x, nil
}

func (x *options) read(s *schema, c control) *fault {
	bad := refuse(resultProtocolError, "control %s: value malformed", c.oid)
	switch c.oid {
	case oidManageDSA:
		if c.value != "" {
			return bad
		}
		x.manageDSA = true
		return nil
	case oidPolicyControl:
		if c.value != "" {
			return bad
		}
		x.policy = true
		return nil
	}
	if checkNesting([]byte(c.value), nestingInControl) != nil {
		return bad
	}
	p, err := ber.DecodePacketErr([]byte(c.value))
	if err != nil {
		return bad
	}
	switch c.oid {
	case oidAssertion:
		if x.assertion, err = s.compileFilter(p); err != nil {
			return bad
		}
	case oidPreRead:
		x.wantPre = true
		return s.readAttributes(c, p, &x.preRead)
	case oidPostRead:
		x.wantPost = true
		return s.readAttributes(c, p, &x.postRead)
	case oidPaging:
		x.paging = readPaging(p)
		if x.paging == nil {
			return bad
		}
	case oidSync:
		x.sync = readSync(p)
		if x.sync == nil {
			return bad
		}
	}
	return nil
}

// readAttributes reads the attribute list of a pre-read or post-read control.
func (s *schema) readAttributes(c control, p *ber.Packet, into *[]string) *fault {
	list, err := textsOf(p)
	if err != nil || !isSequence(p) {
		return refuse(resultProtocolError, "control %s: value malformed", c.oid)
	}
	for _, name := range list {
		if _, known := s.describe(name); !known && c.critical && name != "*" && name != "+" && name != "1.1" {
			return refuse(resultUndefinedType, "%s: attribute type undefined", name)
		}
	}
	*into = list
	return nil
}

func readPaging(p *ber.Packet) *pageRequest {
	if !isSequence(p) || len(p.Children) != 2 {
		return nil
	}
	size, err := integerOf(p.Children[0], ber.TagInteger)
	if err != nil || size < 0 {
		return nil
	}
	cookie, err := textOf(p.Children[1])
	if err != nil {
		return nil
	}
	return &pageRequest{size, cookie}
}

func readSync(p *ber.Packet) *syncRequest {
	if !isSequence(p) || len(p.Children) < 1 || len(p.Children) > 3 {
		return nil
	}
	mode, err := integerOf(p.Children[0], ber.TagEnumerated)
	if err != nil || mode != 1 && mode != 3 {
		return nil
	}
	r := &syncRequest{persist: mode == 3}
	for _, c := range p.Children[1:] {
		if b, err := booleanOf(c); err == nil {
			r.reloadHint = b
		} else if r.cookie, err = textOf(c); err != nil {
			return nil
		}
	}
	return r
}

// assert holds the assertion control (RFC 4528) against the target.
func (x *options) assert(st *store, e *entry) *fault {
	if x.assertion == nil || x.assertion.eval(st.view(e)) == isTrue {
		return nil
	}
	return refuse(resultAssertionFailed, "")
}

// note answers the pre-read and post-read controls (RFC 4527): old is the entry
// before, and at its name after the change.
func (x *options) note(st *store, old *entry, at dname) {
	if x.wantPre && old != nil {
		x.replies = append(x.replies, reply{oid: oidPreRead, value: st.readEntry(old, x.preRead)})
	}
	if now := st.tree.at(at); x.wantPost && now != nil {
		x.replies = append(x.replies, reply{oid: oidPostRead, value: st.readEntry(now, x.postRead)})
	}
}

func (st *store) readEntry(e *entry, attrs []string) *ber.Packet {
	sel := st.schema.selectAttributes(attrs, false)
	return searchEntry(e.dn.text, sel.pick(st.view(e)))
}

// policyReply sends the password policy control with the answer, if asked for.
func (x *options) policyReply(r reply) {
	if x.policy {
		x.replies = append(x.replies, r)
	}
}

// sameText compares secrets without telling by the time where they differ.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
