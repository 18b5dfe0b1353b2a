package embedded

import (
	"slices"
	"strings"
)

// write holds the lock for one write of a client and looks at who asks.
func (st *store) write(w who, f func() *fault) *fault {
	if w.anonymous() {
		return refuse(resultStrongerAuthRequired, "modifications require authentication")
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return f()
}

// target finds the entry that a write names. Referral objects and what lies
// below them are other servers' business unless manageDSA says otherwise.
func (st *store) target(d dname, manageDSA bool) (*entry, *fault) {
	if !d.within(st.suffix) {
		return nil, errElsewhere
	}
	if !manageDSA {
		if r := st.tree.covered(d); r != nil {
			return nil, st.referTo(r, d, "")
		}
	}
	if e := st.tree.at(d); e != nil {
		return e, nil
	}
	return nil, st.notFound(d)
}

// notFound answers for a DN that is not there.
func (st *store) notFound(d dname) *fault {
	if e := st.tree.nearest(d); e != nil {
		return missing(e.dn.text)
	}
	return missing("")
}

var (
	errNoAccess  = &fault{code: resultInsufficientAccess}
	errElsewhere = &fault{code: resultUnwilling, text: "no global superior knowledge"}
)

// add creates an entry.
func (st *store) add(w who, r addRequest, x *options) *fault {
	e, f := st.newEntry(r, false)
	if f != nil {
		return f
	}
	if !e.dn.within(st.suffix) {
		return errElsewhere
	}
	return st.write(w, func() *fault {
		if _, f := st.schema.checkEntry(e); f != nil {
			return f
		}
		if st.tree.at(e.dn) != nil {
			return refuse(resultEntryExists, "")
		}
		if f := st.checkParent(e.dn, x.manageDSA); f != nil {
			return f
		}
		if !w.service {
			return refuse(resultInsufficientAccess, "no write access to parent")
		}
		if f := x.assert(st, e); f != nil {
			return f
		}
		if f := st.finishNew(e, w.dn, false); f != nil {
			return f
		}
		csn := st.stamp(e, w.dn)
		st.commit(change{now: e, csn: csn})
		x.note(st, nil, e.dn)
		return nil
	})
}

func (st *store) checkParent(d dname, manageDSA bool) *fault {
	if d.key == st.suffix.key {
		return nil
	}
	p := d.parent()
	if !manageDSA {
		if r := st.tree.covered(p); r != nil {
			return st.referTo(r, d, "")
		}
	}
	if st.tree.at(p) == nil {
		return st.notFound(p)
	}
	return nil
}

// newEntry turns a request into an entry, values checked. With trusted, the
// server's own attributes may be given too.
func (st *store) newEntry(r addRequest, trusted bool) (*entry, *fault) {
	d, err := st.schema.parseDN(r.dn)
	if err != nil {
		return nil, refuse(resultInvalidDN, "invalid DN")
	}
	if d.isZero() {
		return nil, refuse(resultEntryExists, "root DSE already exists")
	}
	if len(r.attrs) == 0 {
		return nil, refuse(resultProtocolError, "no attributes provided")
	}
	if len(r.attrs) > maxAttributes {
		return nil, refuse(resultAdminLimit, "too many attributes")
	}
	e := &entry{dn: d}
	for _, a := range r.attrs {
		if len(a.vals) == 0 {
			return nil, refuse(resultProtocolError, "no values for attribute type")
		}
	}
	for _, a := range merge(r.attrs) {
		desc, known := st.schema.describe(a.desc)
		if !known {
			return nil, refuse(resultUndefinedType, "%s: attribute type undefined", a.desc)
		}
		if desc.typ.noUserMod && !trusted {
			return nil, refuse(resultConstraintViolation, "%s: no user modification allowed", desc.typ.name())
		}
		vals, f := st.schema.checkValues(desc, a.vals, modAdd)
		if f != nil {
			return nil, f
		}
		if e.index(desc.typ, desc.options()) >= 0 {
			return nil, refuse(resultValueExists, "%s: provided more than once", a.desc)
		}
		e.put(desc.typ, desc.options(), vals)
	}
	e.addNaming()
	return e, nil
}

// addNaming adds the values of the RDN that the attributes lack, as OpenLDAP
// does for new entries.
func (e *entry) addNaming() {
	for _, a := range e.dn.rdns[0].avas {
		have := e.get(a.typ)
		if !slices.ContainsFunc(have, func(v value) bool { return v.norm == a.norm }) {
			e.put(a.typ, "", append(slices.Clone(have), value{a.value, a.norm}))
		}
	}
}

// merge joins attributes that were given in several pieces.
func merge(list []attrValues) []attrValues {
	var out []attrValues
	at := make(map[string]int, len(list))
	for _, a := range list {
		key := strings.ToLower(a.desc)
		i, known := at[key]
		if !known {
			at[key] = len(out)
			out = append(out, attrValues{a.desc, slices.Clone(a.vals)})
			continue
		}
		out[i].vals = append(out[i].vals, a.vals...)
	}
	return out
}

// finishNew gives a new entry what the server adds: hashed password, structural
// class, id and creation marks, where they are not given.
func (st *store) finishNew(e *entry, creator dname, trusted bool) *fault {
	s := st.schema
	structural, f := s.checkEntry(e)
	if f != nil {
		return f
	}
	if f := st.newPassword(e, trusted); f != nil {
		return f
	}
	s.set(e, s.structuralObjectClass, structural.name)
	if e.get(s.entryUUID) == nil {
		id, err := st.newUUID()
		if err != nil {
			return refuse(resultOther, "no randomness")
		}
		s.set(e, s.entryUUID, id)
	}
	if e.get(s.creatorsName) == nil {
		s.set(e, s.creatorsName, creator.text)
	}
	if e.get(s.createTimestamp) == nil {
		s.set(e, s.createTimestamp, formatTime(st.cfg.Clock()))
	}
	return nil
}

// delete removes a leaf.
func (st *store) delete(w who, name string, x *options) *fault {
	d, err := st.schema.parseDN(name)
	if err != nil {
		return refuse(resultInvalidDN, "invalid DN")
	}
	if d.isZero() {
		return refuse(resultUnwilling, "cannot delete the root DSE")
	}
	return st.write(w, func() *fault {
		e, f := st.target(d, x.manageDSA)
		if f != nil {
			return f
		}
		if f := x.assert(st, e); f != nil {
			return f
		}
		if !w.service || e.dn.key == st.suffix.key {
			return errNoAccess
		}
		if st.tree.hasChildren(e) {
			return refuse(resultNotAllowedOnNonLeaf, "subordinate objects must be deleted first")
		}
		csn, _ := st.nextCSN()
		x.note(st, e, dname{})
		st.commit(change{old: e, csn: csn})
		return nil
	})
}

// compare answers 6 or 5.
func (st *store) compare(w who, r compareRequest, x *options) *fault {
	d, err := st.schema.parseDN(r.dn)
	if err != nil {
		return refuse(resultInvalidDN, "invalid DN")
	}
	desc, known := st.schema.describe(r.desc)
	if !known {
		return refuse(resultUndefinedType, "%s: attribute type undefined", r.desc)
	}
	if desc.typ.equality == nil {
		return refuse(resultInappropriateMatching, "inappropriate matching request")
	}
	form, err := st.schema.assertion(desc.typ, desc.typ.equality, r.value)
	if err != nil {
		return refuse(resultInvalidSyntax, "value does not conform to assertion syntax")
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	if w.anonymous() || !d.within(st.suffix) {
		return missing("")
	}
	e, f := st.target(d, x.manageDSA)
	if f != nil {
		return f
	}
	if f := x.assert(st, e); f != nil {
		return f
	}
	if desc.typ.secret {
		return errNoAccess
	}
	if desc.typ == st.schema.entryDN {
		return refuse(resultUnwilling, "")
	}
	probe := &filter{kind: filterEqual, desc: desc, norm: form, rule: desc.typ.equality}
	switch {
	case probe.evalAttribute(st.view(e)):
		return &fault{code: resultCompareTrue}
	case (&filter{kind: filterPresent, desc: desc}).evalAttribute(st.view(e)):
		return &fault{code: resultCompareFalse}
	}
	return refuse(resultNoSuchAttribute, "")
}
