package embedded

import "slices"

// modifyDN renames or moves an entry with everything below it.
func (st *store) modifyDN(w who, r modifyDNRequest, x *options) *fault {
	s := st.schema
	d, err := s.parseDN(r.dn)
	if err != nil {
		return refuse(resultInvalidDN, "invalid DN")
	}
	name, err := s.parseRDN(r.newRDN)
	if err != nil {
		return refuse(resultInvalidDN, "invalid new RDN")
	}
	superior := d.parent()
	if r.hasSuperior {
		if superior, err = s.parseDN(r.newSuperior); err != nil {
			return refuse(resultInvalidDN, "invalid newSuperior")
		}
	}
	if d.isZero() {
		return refuse(resultUnwilling, "cannot rename the root DSE")
	}
	return st.write(w, func() *fault {
		if d.within(st.suffix) && st.tree.covered(d) == nil && d.key != st.suffix.key && st.tree.at(d.parent()) == nil {
			return missing("")
		}
		old, f := st.target(d, x.manageDSA)
		if f != nil {
			return f
		}
		if f := x.assert(st, old); f != nil {
			return f
		}
		if !w.service {
			return errNoAccess
		}
		target := superior.child(name)
		if f := st.checkMove(old, target, r.hasSuperior); f != nil {
			return f
		}
		e := old.clone()
		if f := s.renameTo(e, target, r.deleteOld); f != nil {
			return f
		}
		csn := st.stamp(e, w.dn)
		st.commit(change{old: old, now: e, csn: csn})
		x.note(st, old, e.dn)
		return nil
	})
}

func (st *store) checkMove(old *entry, target dname, newSuperior bool) *fault {
	if newSuperior && !target.within(st.suffix) {
		return refuse(resultAffectsMultipleDSAs, "cannot rename between DSAs")
	}
	if old.dn.key == st.suffix.key {
		return refuse(resultAffectsMultipleDSAs, "cannot rename the suffix")
	}
	if newSuperior && target.parent().within(old.dn) {
		return refuse(resultUnwilling, "new superior is the entry itself or below it")
	}
	if st.tree.at(target.parent()) == nil {
		return refuse(resultNoSuchObject, "new superior not found")
	}
	if e := st.tree.at(target); e != nil && e != old {
		return refuse(resultEntryExists, "")
	}
	return nil
}

// renameTo gives e its new DN and brings the naming attributes in line.
func (s *schema) renameTo(e *entry, target dname, deleteOld bool) *fault {
	before, after := e.dn.rdns[0].avas, target.rdns[0].avas
	e.dn = target
	for _, a := range after {
		if a.typ.noUserMod {
			return refuse(resultConstraintViolation, "%s: no user modification allowed", a.typ.name())
		}
	}
	if deleteOld {
		for _, a := range before {
			left := slices.DeleteFunc(slices.Clone(e.get(a.typ)), func(v value) bool { return v.norm == a.norm })
			e.put(a.typ, "", left)
		}
	}
	e.addNaming()
	_, f := s.checkEntry(e)
	return f
}
