package embedded

import (
	"math/big"
	"slices"
)

// mod is one modification with its values checked.
type mod struct {
	op   modOp
	desc attrDesc
	vals []value
}

// modify changes an entry: all of the modifications or none.
func (st *store) modify(w who, r modifyRequest, x *options) *fault {
	d, err := st.schema.parseDN(r.dn)
	if err != nil {
		return refuse(resultInvalidDN, "invalid DN")
	}
	if d.isZero() {
		return refuse(resultUnwilling, "modify upon the root DSE not supported")
	}
	mods, f := st.checkMods(r.mods)
	if f != nil {
		return f
	}
	return st.write(w, func() *fault {
		old, f := st.target(d, x.manageDSA)
		if f != nil {
			return f
		}
		if f := x.assert(st, old); f != nil {
			return f
		}
		if !w.service && !(w.dn.key == d.key && onlyPasswords(st.schema, mods)) {
			return errNoAccess
		}
		e := old.clone()
		if f := st.apply(e, mods, w, x); f != nil {
			return f
		}
		if _, f := st.schema.checkEntry(e); f != nil {
			return f
		}
		csn := st.stamp(e, w.dn)
		st.commit(change{old: old, now: e, csn: csn})
		x.note(st, old, e.dn)
		return nil
	})
}

func onlyPasswords(s *schema, mods []mod) bool {
	return !slices.ContainsFunc(mods, func(m mod) bool { return m.desc.typ != s.userPassword })
}

// checkMods checks what can be checked without the entry.
func (st *store) checkMods(given []modification) ([]mod, *fault) {
	if len(given) > maxAttributes {
		return nil, refuse(resultAdminLimit, "too many modifications")
	}
	for _, m := range given {
		switch {
		case m.op < modAdd || m.op > modIncrement:
			return nil, refuse(resultProtocolError, "unrecognized modify operation")
		case m.op == modAdd && len(m.vals) == 0:
			return nil, refuse(resultProtocolError, "modify/add operation (%s) requires values", m.desc)
		case m.op == modIncrement && len(m.vals) != 1:
			return nil, refuse(resultProtocolError, "modify/increment operation (%s) requires value", m.desc)
		}
	}
	mods := make([]mod, 0, len(given))
	for _, m := range given {
		desc, known := st.schema.describe(m.desc)
		if !known {
			return nil, refuse(resultUndefinedType, "%s: attribute type undefined", m.desc)
		}
		if desc.typ.noUserMod {
			return nil, refuse(resultConstraintViolation, "%s: no user modification allowed", desc.typ.name())
		}
		vals, f := st.schema.checkValues(desc, m.vals, m.op)
		if f != nil {
			return nil, f
		}
		mods = append(mods, mod{m.op, desc, vals})
	}
	return mods, nil
}

// apply carries the modifications out on e, in their order.
func (st *store) apply(e *entry, mods []mod, w who, x *options) *fault {
	if slices.ContainsFunc(mods, func(m mod) bool { return m.desc.typ == st.schema.userPassword }) {
		var f *fault
		if mods, f = st.passwordMods(e, mods, w, x); f != nil {
			return f
		}
	}
	for _, m := range mods {
		if f := st.schema.applyOne(e, m); f != nil {
			return f
		}
	}
	return nil
}

func (s *schema) applyOne(e *entry, m mod) *fault {
	t, opts := m.desc.typ, m.desc.options()
	var have []value
	if i := e.index(t, opts); i >= 0 {
		have = e.attrs[i].vals
	}
	switch m.op {
	case modAdd:
		all := slices.Clone(have)
		for i, v := range m.vals {
			if slices.ContainsFunc(have, func(h value) bool { return h.norm == v.norm }) {
				return refuse(resultValueExists, "modify/add: %s: value #%d already exists", t.name(), i)
			}
			all = append(all, v)
		}
		e.put(t, opts, all)
	case modDelete:
		return s.applyDelete(e, m, have)
	case modReplace:
		e.put(t, opts, m.vals)
	case modIncrement:
		return s.applyIncrement(e, m, have)
	}
	return nil
}

func (s *schema) applyDelete(e *entry, m mod, have []value) *fault {
	t, opts := m.desc.typ, m.desc.options()
	if len(m.vals) == 0 {
		if have == nil {
			return refuse(resultNoSuchAttribute, "modify/delete: %s: no such attribute", t.name())
		}
		e.put(t, opts, nil)
		return nil
	}
	if t.equality == nil {
		return refuse(resultInappropriateMatching, "modify/delete: %s: no equality matching rule", t.name())
	}
	if have == nil {
		return refuse(resultNoSuchAttribute, "modify/delete: %s: no such attribute", t.name())
	}
	left := slices.Clone(have)
	for _, v := range m.vals {
		i := slices.IndexFunc(left, func(h value) bool { return h.norm == v.norm })
		if i < 0 {
			return refuse(resultNoSuchAttribute, "modify/delete: %s: no such value", t.name())
		}
		left = slices.Delete(left, i, i+1)
	}
	e.put(t, opts, left)
	return nil
}

func (s *schema) applyIncrement(e *entry, m mod, have []value) *fault {
	t := m.desc.typ
	if have == nil {
		return refuse(resultNoSuchAttribute, "modify/increment: %s: no such attribute", t.name())
	}
	if !t.syntax.isInteger() {
		return refuse(resultConstraintViolation, "modify/increment: %s: no integer syntax", t.name())
	}
	by, ok := new(big.Int).SetString(m.vals[0].raw, 10)
	if !ok {
		return refuse(resultInvalidSyntax, "modify/increment: %s", t.name())
	}
	fresh := make([]value, 0, len(have))
	for _, h := range have {
		n, ok := new(big.Int).SetString(h.raw, 10)
		if !ok {
			return refuse(resultInvalidSyntax, "modify/increment: %s", t.name())
		}
		text := n.Add(n, by).String()
		fresh = append(fresh, value{text, text})
	}
	e.put(t, m.desc.options(), fresh)
	return nil
}
