// Package schema knows what SCIM resources are made of: the schemas of RFC 7643 as embedded data, custom extensions read
// from a file, and the resource types that are put together from them.
//
// Everything here is read-only once it is built and may be used by any number of goroutines. Names are found without
// regard to letter case and given back in the schema's own spelling; a URN in a path is the longest id of a schema that
// the path begins with, because ids hold dots and colons themselves.
package schema

import "strings"

// Kind is the type of an attribute's values (RFC 7643 section 2.3).
type Kind uint8

// The kinds.
const (
	String Kind = iota
	Boolean
	Decimal
	Integer
	DateTime
	Reference
	Binary
	Complex
)

// kindNames are the names of the kinds in schemas.
var kindNames = [...]string{"string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"}

// String gives the name that schemas use.
func (k Kind) String() string { return kindNames[k] }

// Mutability says who may write an attribute and when (RFC 7643 section 7).
type Mutability string

// The mutabilities.
const (
	ReadWrite Mutability = "readWrite"
	ReadOnly  Mutability = "readOnly"
	Immutable Mutability = "immutable"
	WriteOnly Mutability = "writeOnly"
)

// Returned says when an attribute is in answers (RFC 7643 section 7).
type Returned string

// The values of Returned.
const (
	Default Returned = "default"
	Always  Returned = "always"
	Never   Returned = "never"
	Request Returned = "request"
)

// Attribute describes one attribute or sub-attribute.
type Attribute struct {
	Name            string
	Kind            Kind
	Multi           bool
	Description     string
	Required        bool
	CaseExact       bool
	Mutability      Mutability
	Returned        Returned
	Uniqueness      string
	CanonicalValues []string
	ReferenceTypes  []string
	Subs            []*Attribute // of a complex attribute

	subs map[string]*Attribute // by lower-case name
}

// Sub finds a sub-attribute without regard to letter case, or gives nil.
func (a *Attribute) Sub(name string) *Attribute {
	if found := a.subs[name]; found != nil {
		return found
	}
	return a.subs[lower(name)]
}

// Value is the sub-attribute "value" that stands for the whole where a plain value is compared with or assigned to a
// complex attribute; nil when there is none.
func (a *Attribute) Value() *Attribute { return a.subs["value"] }

// HasPrimary tells whether one of several values can be marked as the preferred one.
func (a *Attribute) HasPrimary() bool { return a.Multi && a.subs["primary"] != nil }

// Schema is a named list of attributes.
type Schema struct {
	ID          string
	Name        string
	Description string
	Attributes  []*Attribute

	names map[string]*Attribute // by lower-case name
}

// Attribute finds an attribute without regard to letter case, or gives nil.
func (s *Schema) Attribute(name string) *Attribute {
	if found := s.names[name]; found != nil {
		return found
	}
	return s.names[lower(name)]
}

// Keep gives the schema without the attributes that keep refuses. sub is "" when the attribute as a whole is asked
// about; a complex attribute that loses all its parts is lost.
func (s *Schema) Keep(keep func(attribute, sub string) bool) *Schema {
	kept := &Schema{ID: s.ID, Name: s.Name, Description: s.Description}
	for _, a := range s.Attributes {
		if !keep(a.Name, "") {
			continue
		}
		if a.Kind == Complex {
			clone := *a
			clone.Subs = nil
			for _, sub := range a.Subs {
				if keep(a.Name, sub.Name) {
					clone.Subs = append(clone.Subs, sub)
				}
			}
			if len(clone.Subs) == 0 {
				continue
			}
			clone.subs = byName(clone.Subs)
			a = &clone
		}
		kept.Attributes = append(kept.Attributes, a)
	}
	kept.names = byName(kept.Attributes)
	return kept
}

// Restrict gives the type with a list of what clients may write: attributes that writable refuses are read-only in it.
// They are named as in paths, those of extensions with their URN.
func (t *Type) Restrict(writable func(path string) bool) *Type {
	narrow := func(s *Schema, prefix string) *Schema {
		narrowed := &Schema{ID: s.ID, Name: s.Name, Description: s.Description}
		for _, a := range s.Attributes {
			if !writable(prefix + a.Name) {
				clone := *a
				clone.Mutability = ReadOnly
				a = &clone
			}
			narrowed.Attributes = append(narrowed.Attributes, a)
		}
		narrowed.names = byName(narrowed.Attributes)
		return narrowed
	}
	extensions := make([]Extension, len(t.Extensions))
	for i, e := range t.Extensions {
		extensions[i] = Extension{Schema: narrow(e.Schema, e.Schema.ID+":"), Required: e.Required}
	}
	narrowed := NewType(t.Name, t.Endpoint, t.Description, narrow(t.Core, ""), extensions...)
	for name, a := range narrowed.common {
		if name == "externalId" || name == "externalid" {
			if clone := *a; !writable("externalId") {
				clone.Mutability = ReadOnly
				narrowed.common[name] = &clone
			}
		}
	}
	return narrowed
}

// lower makes the letters of ASCII small, and no others: names have none, and what looks like one in another alphabet is
// another name.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, name)
}

func byName(list []*Attribute) map[string]*Attribute {
	names := make(map[string]*Attribute, 2*len(list))
	for _, a := range list {
		names[a.Name] = a
		names[lower(a.Name)] = a
	}
	return names
}

// Extension is a schema that adds to a resource type.
type Extension struct {
	Schema   *Schema
	Required bool
}

// Type is a resource type: a name, an endpoint and the schemas of its resources.
type Type struct {
	Name        string // such as User
	Endpoint    string // such as /Users
	Description string
	Core        *Schema
	Extensions  []Extension

	common map[string]*Attribute
}

// NewType puts a resource type together.
func NewType(name, endpoint, description string, core *Schema, extensions ...Extension) *Type {
	return &Type{
		Name: name, Endpoint: endpoint, Description: description, Core: core, Extensions: extensions,
		common: byName(commonAttributes()),
	}
}

// Path is an attribute of a resource type that a text names.
type Path struct {
	// Extension is the URN under which the attribute's data sits, in the schema's spelling; "" for attributes of the core
	// schema and common ones.
	Extension string
	Attribute *Attribute // nil: the text names the schema itself
	Sub       *Attribute // nil: the attribute as a whole
	Common    bool       // id, externalId, schemas, meta
}

// Leaf is what the path ends at: the sub-attribute, else the attribute, else nil.
func (p Path) Leaf() *Attribute {
	if p.Sub != nil {
		return p.Sub
	}
	return p.Attribute
}

// String gives the path in the schema's spelling.
func (p Path) String() string {
	text := p.Extension
	if p.Attribute != nil {
		if text != "" {
			text += ":"
		}
		text += p.Attribute.Name
	}
	if p.Sub != nil {
		text += "." + p.Sub.Name
	}
	return text
}

// Lookup finds what a text such as name.familyName or urn:…:User:manager.value names. Letter case does not matter.
func (t *Type) Lookup(text string) (Path, bool) {
	if strings.IndexByte(text, ':') < 0 {
		return t.within(t.Core, "", text, true)
	}
	schema, extension, rest := t.Split(text)
	switch {
	case schema == nil:
		return Path{}, false
	case rest == "":
		return Path{Extension: extension}, true
	}
	return t.within(schema, extension, rest, extension == "")
}

// Split takes the id of one of the type's schemas off the beginning of a path: the longest that fits, letter case aside.
// It gives the schema, its URN when it is an extension, and what follows the colon.
func (t *Type) Split(text string) (schema *Schema, extension, rest string) {
	fits := func(id string) bool {
		return len(text) >= len(id) && strings.EqualFold(text[:len(id)], id) && (len(text) == len(id) || text[len(id)] == ':')
	}
	if fits(t.Core.ID) {
		schema = t.Core
	}
	for _, e := range t.Extensions {
		if fits(e.Schema.ID) && (schema == nil || len(e.Schema.ID) > len(schema.ID)) {
			schema, extension = e.Schema, e.Schema.ID
		}
	}
	if schema == nil {
		return nil, "", text
	}
	if rest = text[len(schema.ID):]; rest != "" {
		if rest = rest[1:]; rest == "" {
			return nil, "", text // a colon at the end
		}
	}
	return schema, extension, rest
}

// within finds attr or attr.sub in one schema.
func (t *Type) within(schema *Schema, extension, text string, common bool) (Path, bool) {
	name, subName, dotted := strings.Cut(text, ".")
	path := Path{Extension: extension, Attribute: schema.Attribute(name)}
	if path.Attribute == nil && common {
		if path.Attribute = t.common[name]; path.Attribute == nil {
			path.Attribute = t.common[lower(name)]
		}
		path.Common = path.Attribute != nil
	}
	if path.Attribute == nil {
		return Path{}, false
	}
	if dotted {
		if path.Sub = path.Attribute.Sub(subName); path.Sub == nil {
			return Path{}, false
		}
	}
	return path, true
}

// Extension finds an extension of the type by its URN, letter case aside, or gives nil.
func (t *Type) Extension(urn string) *Schema {
	for _, e := range t.Extensions {
		if strings.EqualFold(e.Schema.ID, urn) {
			return e.Schema
		}
	}
	return nil
}

// Schemas lists the core schema and the extensions.
func (t *Type) Schemas() []*Schema {
	list := []*Schema{t.Core}
	for _, e := range t.Extensions {
		list = append(list, e.Schema)
	}
	return list
}

// commonAttributes are those that every resource has besides its schema (RFC 7643 section 3.1).
func commonAttributes() []*Attribute {
	plain := func(name string, kind Kind, m Mutability, r Returned) *Attribute {
		return &Attribute{Name: name, Kind: kind, CaseExact: true, Mutability: m, Returned: r, Uniqueness: "none"}
	}
	schemas := plain("schemas", Reference, ReadOnly, Always)
	schemas.Multi = true
	meta := plain("meta", Complex, ReadOnly, Default)
	meta.Subs = []*Attribute{
		plain("resourceType", String, ReadOnly, Default), plain("created", DateTime, ReadOnly, Default),
		plain("lastModified", DateTime, ReadOnly, Default), plain("location", Reference, ReadOnly, Default),
		plain("version", String, ReadOnly, Default),
	}
	meta.subs = byName(meta.Subs)
	return []*Attribute{schemas, plain("id", String, ReadOnly, Always), plain("externalId", String, ReadWrite, Default), meta}
}
