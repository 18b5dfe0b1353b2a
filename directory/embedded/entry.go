package embedded

import (
	"slices"
	"strings"
)

// value is one attribute value: as given, and in the normal form of the
// type's equality rule.
type value struct{ raw, norm string }

// attribute is one attribute of an entry. Its values are shared between
// versions of the entry: replace the slice, do not write into it.
type attribute struct {
	typ  *attrType
	opts string // as attrDesc.options gives them
	vals []value
}

func (a attribute) name() string { return a.typ.name() + a.opts }

func (a attribute) has(norm string) bool {
	return slices.ContainsFunc(a.vals, func(v value) bool { return v.norm == norm })
}

// entry is one entry of the tree. Entries in the tree are never changed; a
// write replaces them by a changed copy.
type entry struct {
	id    uint64 // order of creation, which is the order of answers
	dn    dname
	attrs []attribute
}

// clone gives a copy whose attribute list may be changed.
func (e *entry) clone() *entry {
	c := *e
	c.attrs = slices.Clone(e.attrs)
	return &c
}

func (e *entry) index(t *attrType, opts string) int {
	return slices.IndexFunc(e.attrs, func(a attribute) bool { return a.typ == t && a.opts == opts })
}

// get gives the values of exactly type t without options; nil when absent.
func (e *entry) get(t *attrType) []value {
	if i := e.index(t, ""); i >= 0 {
		return e.attrs[i].vals
	}
	return nil
}

// first gives the first value of t, or "".
func (e *entry) first(t *attrType) string {
	if v := e.get(t); len(v) > 0 {
		return v[0].raw
	}
	return ""
}

// put sets the values of t with opts; none removes the attribute.
func (e *entry) put(t *attrType, opts string, vals []value) {
	i := e.index(t, opts)
	switch {
	case i < 0 && len(vals) > 0:
		e.attrs = append(e.attrs, attribute{typ: t, opts: opts, vals: vals})
	case i >= 0 && len(vals) > 0:
		e.attrs[i].vals = vals
	case i >= 0:
		e.attrs = slices.Delete(e.attrs, i, i+1)
	}
}

// set is put for the server's own operational attributes, whose values are
// always valid.
func (s *schema) set(e *entry, t *attrType, raw ...string) {
	vals := make([]value, 0, len(raw))
	for _, r := range raw {
		form, err := s.normalize(t.equality, r)
		if err != nil {
			form = r
		}
		vals = append(vals, value{r, form})
	}
	e.put(t, "", vals)
}

// uuid gives the entry's permanent id.
func (s *schema) uuid(e *entry) string { return e.first(s.entryUUID) }

// check validates v for type t and gives it as it is kept and in its normal
// form. The error is errSyntax.
func (s *schema) check(t *attrType, v string) (kept, form string, err error) {
	switch {
	case t.syntax.isDN():
		d, err := s.parseDN(v)
		if err != nil {
			return "", "", errSyntax
		}
		return d.text, d.key, nil
	case t.syntax.isNameUID():
		name, uid := splitNameUID(v)
		d, err := s.parseDN(name)
		if err != nil {
			return "", "", errSyntax
		}
		return d.text + uid, d.key + uid, nil
	case t == s.objectClass:
		c := s.classes[strings.ToLower(v)]
		if c == nil {
			return "", "", errSyntax
		}
		return c.name, strings.ToLower(c.name), nil
	case t == s.pwdAttribute && s.types[strings.ToLower(v)] == nil:
		return "", "", errSyntax
	case !t.syntax.valid(v):
		return "", "", errSyntax
	}
	form, err = s.normalize(t.equality, v)
	return v, form, err
}

// classesOf lists the object classes of an entry, unknown ones left out.
func (s *schema) classesOf(e *entry) []*class {
	vals := e.get(s.objectClass)
	list := make([]*class, 0, len(vals))
	for _, v := range vals {
		if c := s.classes[v.norm]; c != nil {
			list = append(list, c)
		}
	}
	return list
}

// isReferral tells whether the entry stands for another server (RFC 3296).
func (s *schema) isReferral(e *entry) bool {
	want := strings.ToLower(s.referral.name)
	return slices.ContainsFunc(e.get(s.objectClass), func(v value) bool { return v.norm == want })
}
