package embedded

import (
	"slices"
	"strings"
)

// attrDesc is an attribute description (RFC 4512 §2.5): a type and its options
// in lower case, sorted.
type attrDesc struct {
	typ  *attrType
	opts []string
}

// options gives the options as answers spell them: ";lang-de;...", or "".
func (d attrDesc) options() string {
	if len(d.opts) == 0 {
		return ""
	}
	return ";" + strings.Join(d.opts, ";")
}

// describe finds the attribute description text in the schema. Options other
// than "binary" and language tags are unknown, as are types not in the schema.
func (s *schema) describe(text string) (attrDesc, bool) {
	name, rest, tagged := strings.Cut(text, ";")
	t := s.types[strings.ToLower(name)]
	if t == nil {
		return attrDesc{}, false
	}
	d := attrDesc{typ: t}
	if !tagged {
		return d, true
	}
	for o := range strings.SplitSeq(strings.ToLower(rest), ";") {
		known := o == "binary" && t.syntax.binary || strings.HasPrefix(o, "lang-") && len(o) > len("lang-")
		if !known || !keychars(o) {
			return attrDesc{}, false
		}
		if !slices.Contains(d.opts, o) {
			d.opts = append(d.opts, o)
		}
	}
	slices.Sort(d.opts)
	return d, true
}

// covers tells whether an attribute of type t with options opts (in the form of
// attrDesc.options) is meant by d: the same type or a subtype, and at least
// d's options.
func (d attrDesc) covers(t *attrType, opts string) bool {
	if !t.isA(d.typ) {
		return false
	}
	if len(d.opts) == 0 {
		return true
	}
	have := strings.Split(opts, ";")
	for _, o := range d.opts {
		if !slices.Contains(have, o) {
			return false
		}
	}
	return true
}

// keychars tells whether s is made of letters, digits and hyphens only.
func keychars(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return s != ""
}
