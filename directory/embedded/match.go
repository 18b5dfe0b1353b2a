package embedded

import (
	"slices"
	"strings"
)

// view is what a filter sees of an entry, computed attributes included.
type view struct {
	schema      *schema
	entry       *entry
	hasChildren bool
	context     string // contextCSN, of the suffix only
}

// eval evaluates the filter in three-valued logic: and is the least, or the
// greatest of its parts, in the order false, undefined, true.
func (f *filter) eval(v view) truth {
	switch f.kind {
	case filterAnd:
		out := isTrue
		for _, sub := range f.subs {
			if out = min(out, sub.eval(v)); out == isFalse {
				break
			}
		}
		return out
	case filterOr:
		out := isFalse
		for _, sub := range f.subs {
			if out = max(out, sub.eval(v)); out == isTrue {
				break
			}
		}
		return out
	case filterNot:
		return f.subs[0].eval(v).not()
	case filterUndefined:
		return isUndefined
	case filterExtensible:
		return f.evalExtensible(v)
	default:
		return truthOf(f.evalAttribute(v))
	}
}

func (f *filter) evalAttribute(v view) bool {
	if vals, computed := v.computed(f.desc.typ); computed {
		if f.desc.typ == v.schema.subschemaSubentry { // not stored: there, but equal to nothing
			return f.kind == filterPresent
		}
		return slices.ContainsFunc(vals, f.matches)
	}
	for _, a := range v.entry.attrs {
		if !f.desc.covers(a.typ, a.opts) || a.typ.secret {
			continue
		}
		if f.kind == filterPresent || v.schema.classMatch(f, a) || slices.ContainsFunc(a.vals, f.matches) {
			return true
		}
	}
	return false
}

// matches holds one value against the assertion.
func (f *filter) matches(v value) bool {
	switch f.kind {
	case filterPresent:
		return true
	case filterEqual, filterApprox:
		return v.norm == f.norm
	case filterGreater:
		return f.rule.compare(v.norm, f.norm) >= 0
	case filterLess:
		return f.rule.compare(v.norm, f.norm) <= 0
	case filterSubstrings:
		return f.matchSubstrings(v.norm)
	}
	return false
}

func (f *filter) matchSubstrings(text string) bool {
	if !strings.HasPrefix(text, f.initial) {
		return false
	}
	text = text[len(f.initial):]
	for _, m := range f.middle {
		i := strings.Index(text, m)
		if i < 0 {
			return false
		}
		text = text[i+len(m):]
	}
	return strings.HasSuffix(text, f.final)
}

// classMatch answers for object classes, which match their superclasses too.
func (s *schema) classMatch(f *filter, a attribute) bool {
	if a.typ != s.objectClass && a.typ != s.structuralObjectClass || f.kind == filterSubstrings {
		return false
	}
	want := s.classes[f.norm]
	return slices.ContainsFunc(a.vals, func(v value) bool {
		c := s.classes[v.norm]
		return c != nil && c.isA(want)
	})
}

// computed gives the attributes that are not stored with an entry.
func (v view) computed(t *attrType) ([]value, bool) {
	switch t {
	case v.schema.entryDN:
		return []value{{v.entry.dn.text, v.entry.dn.key}}, true
	case v.schema.hasSubordinates:
		b := boolText(v.hasChildren)
		return []value{{b, b}}, true
	case v.schema.subschemaSubentry:
		return []value{{subschemaDN, strings.ToLower(subschemaDN)}}, true
	case v.schema.contextCSN:
		if v.context == "" {
			return nil, true
		}
		return []value{{v.context, v.context}}, true
	}
	return nil, false
}

func boolText(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

func (f *filter) evalExtensible(v view) truth {
	for _, a := range v.entry.attrs {
		if a.typ.secret || !f.applies(a.typ, a.opts) {
			continue
		}
		for _, x := range a.vals {
			if f.matchRule(v.schema, a.typ, x.raw) {
				return isTrue
			}
		}
	}
	if !f.anyType && f.desc.typ == v.schema.entryDN && f.matchRule(v.schema, v.schema.entryDN, v.entry.dn.text) {
		return isTrue
	}
	if !f.dnAttrs {
		return isFalse
	}
	for _, r := range v.entry.dn.rdns {
		for _, a := range r.avas {
			if f.applies(a.typ, "") && f.matchRule(v.schema, a.typ, a.value) {
				return isTrue
			}
		}
	}
	return isFalse
}

func (f *filter) applies(t *attrType, opts string) bool {
	if f.anyType {
		return f.rule.fits(t)
	}
	return f.desc.covers(t, opts)
}

// matchRule applies the named rule to a value as it is kept. An ordering rule
// asks for "less than the assertion" (RFC 4517 §4.2.17 and its sisters).
func (f *filter) matchRule(s *schema, t *attrType, raw string) bool {
	form, err := s.normalize(f.rule, raw)
	if err != nil {
		return false
	}
	if t == s.objectClass && f.rule == t.equality {
		c, want := s.classes[form], s.classes[f.norm]
		return c != nil && want != nil && c.isA(want)
	}
	if f.rule.match != nil {
		return f.rule.match(form, f.norm)
	}
	if f.rule.ordering {
		return f.rule.compare(form, f.norm) < 0
	}
	return form == f.norm
}
