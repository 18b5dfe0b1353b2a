// Package normal turns what clients send into what the protocol works on: bodies of POST and PUT into attributes in the
// schema's spelling and types, PATCH requests into operations tied to the schema.
//
// Clients differ in how they read the RFC, so each has a profile. All functions are pure. What a profile lets pass is
// written down at the profile; everything else is a 400 that names the attribute.
package normal

import (
	"fmt"
	"slices"
	"strings"

	"portico/scim/fault"
	"portico/scim/patch"
	"portico/scim/resource"
	"portico/scim/schema"
)

// Profile says how closely a client keeps to the RFC.
type Profile uint8

// The profiles.
const (
	// Lenient forgives what cannot be misunderstood: text for booleans and numbers in PATCH, a plain value for a complex
	// one, unknown names in a PATCH value, a missing schemas list in POST and PUT.
	Lenient Profile = iota
	// Strict refuses all that.
	Strict
	// Entra is Lenient; besides, text is taken for booleans in POST and PUT too, and replace on brackets that match
	// nothing adds.
	Entra
	// Okta is Lenient.
	Okta
)

var profileNames = [...]string{"lenient", "strict", "entra", "okta"}

// ParseProfile reads the name of a profile; "" is lenient.
func ParseProfile(name string) (Profile, error) {
	if name == "" {
		return Lenient, nil
	}
	at := slices.Index(profileNames[:], name)
	if at < 0 {
		return Lenient, fmt.Errorf("profile %q: want one of %s", name, strings.Join(profileNames[:], ", "))
	}
	return Profile(at), nil
}

// String gives the name of the profile.
func (p Profile) String() string { return profileNames[p] }

// PatchOptions are those that the engine needs for a profile.
func (p Profile) PatchOptions() patch.Options { return patch.Options{ReplaceCreates: p == Entra} }

// MaxMembers is the most values of one attribute in one request.
const MaxMembers = 100_000

// Resource reads the body of POST or PUT: known attributes in the schema's spelling and types. What is read-only,
// unknown or empty is left out; what is required and missing is a 400 invalidValue. PasswordOnly and the like are not
// looked at: what may be written is the handler's affair.
func Resource(body resource.Object, t *schema.Type, p Profile) (resource.Object, error) {
	if err := checkSchemas(body, t, p); err != nil {
		return nil, err
	}
	n := reader{t: t, strings: p == Entra, plain: p != Strict, strict: p == Strict, full: true}
	data, seen := resource.Object{}, map[*schema.Attribute]bool{}
	for name, value := range body {
		if extension := t.Extension(name); extension != nil {
			if err := n.extension(data, extension, value); err != nil {
				return nil, err
			}
			continue
		}
		path, ok := t.Lookup(name)
		if !ok || path.Sub != nil || path.Attribute == nil || path.Extension != "" {
			continue
		}
		if seen[path.Attribute] {
			return nil, fault.Bad(fault.InvalidSyntax, "%s is there twice", path)
		}
		seen[path.Attribute] = true
		if err := n.member(data, path, value); err != nil {
			return nil, err
		}
	}
	return data, patch.Complete(t, data)
}

// extension reads an extension's object.
func (n *reader) extension(data resource.Object, s *schema.Schema, value any) error {
	if value == nil {
		return nil
	}
	inner, ok := value.(resource.Object)
	if !ok {
		return fault.Bad(fault.InvalidValue, "%s: want an object", s.ID)
	}
	for name, part := range inner {
		a := s.Attribute(name)
		if a == nil {
			continue
		}
		if err := n.member(data, schema.Path{Extension: s.ID, Attribute: a}, part); err != nil {
			return err
		}
	}
	return nil
}

// member reads one attribute of a body.
func (n *reader) member(data resource.Object, path schema.Path, value any) error {
	if path.Attribute.Mutability == schema.ReadOnly {
		return nil
	}
	canonical, err := n.attribute(path, value)
	if err != nil {
		return err
	}
	if list, ok := canonical.([]any); ok {
		if list, err = patch.Tidy(path.Attribute, list); err != nil {
			return err
		}
		canonical = patch.Solid(list)
	}
	resource.Set(data, path.Extension, path.Attribute.Name, canonical)
	return nil
}

// checkSchemas looks at the schemas of a body: URNs that are not ours do not matter, the type's own does.
func checkSchemas(body resource.Object, t *schema.Type, p Profile) error {
	value, there := member(body, "schemas")
	if !there || !resource.Present(value) {
		if p == Strict {
			return fault.Bad(fault.InvalidSyntax, "schemas is missing")
		}
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		return fault.Bad(fault.InvalidSyntax, "schemas is not a list")
	}
	for _, element := range list {
		if urn, ok := element.(string); ok && strings.EqualFold(urn, t.Core.ID) {
			return nil
		}
	}
	return fault.Bad(fault.InvalidSyntax, "schemas does not name %s", t.Core.ID)
}

// member finds a member of an object without regard to letter case.
func member(o resource.Object, name string) (any, bool) {
	if value, ok := o[name]; ok {
		return value, true
	}
	for other, value := range o {
		if strings.EqualFold(other, name) {
			return value, true
		}
	}
	return nil, false
}

// Message checks that a request message names its URN among its schemas (RFC 7644 section 3.1).
func Message(body resource.Object, urn string) error {
	value, _ := member(body, "schemas")
	list, ok := value.([]any)
	if !ok {
		return fault.Bad(fault.InvalidSyntax, "schemas must name %s", urn)
	}
	for _, element := range list {
		if text, ok := element.(string); ok && strings.EqualFold(text, urn) {
			return nil
		}
	}
	return fault.Bad(fault.InvalidSyntax, "schemas must name %s", urn)
}

// Member finds a member of an object without regard to letter case; nil when it is not there.
func Member(o resource.Object, name string) any {
	value, _ := member(o, name)
	return value
}
