package resource

import (
	"strings"

	"portico/scim/schema"
)

// Projection says which attributes of a type an answer has (RFC 7644 section 3.9). It is read-only once made.
type Projection struct {
	t          *schema.Type
	core       []field
	extensions []extensionFields
	meta       []field // zero or one
	externalID bool
	names      map[string]bool // canonical paths of whole attributes that are in
}

// field is one attribute of an answer.
type field struct {
	a    *schema.Attribute
	key  string  // `"name":`
	subs []field // of a complex one
}

type extensionFields struct {
	urn    string
	key    string
	fields []field
}

// NewProjection makes a projection from the parameters attributes and excludedAttributes, of which only one is not
// empty. Names that the type does not know have no effect.
func NewProjection(t *schema.Type, attributes, excluded []string) *Projection {
	c := choice{named: map[string]bool{}, narrow: len(attributes) > 0}
	for _, text := range append(attributes, excluded...) {
		text = strings.TrimSpace(text)
		path, ok := t.Lookup(text)
		switch {
		case !ok:
		case path.Attribute == nil && path.Extension == "":
			c.named[t.Core.ID] = true
		default:
			c.named[path.String()] = true
			if path.Sub != nil {
				c.named[whole(path)+"."] = true // some part of it
			}
		}
	}
	p := &Projection{t: t, names: map[string]bool{}}
	p.core = c.fields(t.Core.ID, "", t.Core.Attributes, p.names)
	for _, e := range t.Extensions {
		fields := c.fields(e.Schema.ID, e.Schema.ID+":", e.Schema.Attributes, p.names)
		if len(fields) > 0 {
			p.extensions = append(p.extensions, extensionFields{urn: e.Schema.ID, key: quoteKey(e.Schema.ID), fields: fields})
		}
	}
	meta, _ := t.Lookup("meta")
	external, _ := t.Lookup("externalId")
	p.meta = c.fields("", "", []*schema.Attribute{meta.Attribute}, p.names)
	p.externalID = len(c.fields("", "", []*schema.Attribute{external.Attribute}, p.names)) > 0
	return p
}

// Wants tells whether answers can have an attribute; the name is canonical, with URN for an extension's. What nobody
// wants need not be fetched.
func (p *Projection) Wants(name string) bool { return p.names[name] }

func whole(p schema.Path) string {
	p.Sub = nil
	return p.String()
}

func quoteKey(name string) string { return `"` + name + `":` }

// choice is what a client asked for.
type choice struct {
	named  map[string]bool // canonical paths; "name." when a part of name was named
	narrow bool            // only what is named, else all but what is named
}

// fields picks attributes of one schema.
func (c choice) fields(urn, prefix string, attributes []*schema.Attribute, names map[string]bool) []field {
	var fields []field
	for _, a := range attributes {
		path := prefix + a.Name
		all := c.named[path] || c.named[urn] && a.Returned != schema.Request
		if !c.takes(a.Returned, all, c.named[path+"."]) {
			continue
		}
		f := field{a: a, key: quoteKey(a.Name)}
		for _, sub := range a.Subs {
			named := c.named[path+"."+sub.Name]
			if c.narrow && (all || a.Returned == schema.Always) {
				named = named || sub.Returned != schema.Request
			}
			if c.takes(sub.Returned, named, false) {
				f.subs = append(f.subs, field{a: sub, key: quoteKey(sub.Name)})
			}
		}
		if a.Kind == schema.Complex && len(f.subs) == 0 {
			continue
		}
		names[path] = true
		fields = append(fields, f)
	}
	return fields
}

// takes decides about one attribute: named as a whole, or in part.
func (c choice) takes(returned schema.Returned, named, partly bool) bool {
	switch {
	case returned == schema.Never:
		return false
	case returned == schema.Always:
		return true
	case c.narrow:
		return named || partly
	}
	return returned != schema.Request && !named
}
