package embedded

import (
	"slices"
	"strings"
)

const subschemaDN = "cn=Subschema"

// selection is the attribute list of a search, RFC 4511 §4.5.1.8 and RFC 3673.
type selection struct {
	user, operational bool
	descs             []attrDesc
	ranges            map[*attrType]valueRange // asked for with ;range=
	rangeLimit        int                      // see Faults.RangeLimit
	typesOnly         bool
}

// selectAttributes reads the list. Unknown names are passed over.
func (s *schema) selectAttributes(list []string, typesOnly bool) *selection {
	sel := &selection{typesOnly: typesOnly, user: len(list) == 0, ranges: map[*attrType]valueRange{}}
	for _, name := range list {
		switch name {
		case "*":
			sel.user = true
		case "+":
			sel.operational = true
		default:
			name, r, ranged := cutRange(name)
			d, ok := s.describe(name)
			if !ok {
				continue
			}
			sel.descs = append(sel.descs, d)
			if ranged {
				sel.ranges[d.typ] = r
			}
		}
	}
	return sel
}

func (sel *selection) wants(t *attrType, opts string) bool {
	switch {
	case t.secret:
		return false
	case sel.user && !t.operational(), sel.operational && t.operational():
		return true
	}
	return slices.ContainsFunc(sel.descs, func(d attrDesc) bool { return d.covers(t, opts) })
}

// pick gives the chosen attributes of an entry as they go out.
func (sel *selection) pick(v view) []attrOut {
	out := make([]attrOut, 0, len(v.entry.attrs)+3)
	for _, a := range v.entry.attrs {
		if !sel.wants(a.typ, a.opts) {
			continue
		}
		o := attrOut{name: a.name()}
		if !sel.typesOnly {
			o.vals = make([]string, len(a.vals))
			for i, x := range a.vals {
				o.vals[i] = x.raw
			}
		}
		out = sel.appendRanged(out, a.typ, o)
	}
	s := v.schema
	for _, t := range []*attrType{s.entryDN, s.subschemaSubentry, s.contextCSN, s.hasSubordinates} {
		if vals, _ := v.computed(t); len(vals) > 0 && sel.wants(t, "") {
			o := attrOut{name: t.name()}
			if !sel.typesOnly {
				o.vals = []string{vals[0].raw}
			}
			out = append(out, o)
		}
	}
	return out
}

// plainAttributes is pick for entries outside the tree (root DSE, subschema):
// names and values, operational or not as the schema says.
func (sel *selection) plainAttributes(s *schema, names []string, values map[string][]string) []attrOut {
	var out []attrOut
	for _, n := range names {
		t := s.types[strings.ToLower(n)]
		if t == nil || !sel.wants(t, "") || len(values[n]) == 0 {
			continue
		}
		o := attrOut{name: n}
		if !sel.typesOnly {
			o.vals = values[n]
		}
		out = append(out, o)
	}
	return out
}
