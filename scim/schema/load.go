package schema

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

//go:embed data/*.json
var files embed.FS

// The ids of the schemas that are built in.
const (
	UserID                  = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupID                 = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseID            = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	ServiceProviderConfigID = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	ResourceTypeID          = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	SchemaID                = "urn:ietf:params:scim:schemas:core:2.0:Schema"
)

// Builtin are the schemas of RFC 7643, as they are embedded.
type Builtin struct {
	User, Group, Enterprise                     *Schema
	ServiceProviderConfig, ResourceType, Schema *Schema
}

// LoadBuiltin reads the embedded schemas. An error is a fault of the program.
func LoadBuiltin() (*Builtin, error) {
	b := &Builtin{}
	for name, into := range map[string]**Schema{
		"user": &b.User, "group": &b.Group, "enterprise": &b.Enterprise,
		"serviceproviderconfig": &b.ServiceProviderConfig, "resourcetype": &b.ResourceType, "schema": &b.Schema,
	} {
		data, err := files.ReadFile("data/" + name + ".json")
		if err != nil {
			return nil, fmt.Errorf("embedded schema %s: %w", name, err)
		}
		if *into, err = Parse(data); err != nil {
			return nil, fmt.Errorf("embedded schema %s: %w", name, err)
		}
	}
	return b, nil
}

// wireSchema and wireAttribute are the JSON form (RFC 7643 section 7).
type wireSchema struct {
	Schemas     []string        `json:"schemas,omitempty"`
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Attributes  []wireAttribute `json:"attributes"`
	Meta        json.RawMessage `json:"meta,omitempty"`
}

type wireAttribute struct {
	Name            string          `json:"name"`
	Type            string          `json:"type"`
	SubAttributes   []wireAttribute `json:"subAttributes,omitempty"`
	MultiValued     bool            `json:"multiValued"`
	Description     string          `json:"description,omitempty"`
	Required        bool            `json:"required"`
	CanonicalValues []string        `json:"canonicalValues,omitempty"`
	CaseExact       *bool           `json:"caseExact,omitempty"`
	Mutability      string          `json:"mutability,omitempty"`
	Returned        string          `json:"returned,omitempty"`
	Uniqueness      string          `json:"uniqueness,omitempty"`
	ReferenceTypes  []string        `json:"referenceTypes,omitempty"`
}

// Parse reads one schema. Left out characteristics have the defaults of RFC 7643 section 2.2. An error names the
// attribute.
func Parse(data []byte) (*Schema, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var wire wireSchema
	if err := decoder.Decode(&wire); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read schema: more than one JSON value")
	}
	if len(wire.ID) < 5 || !strings.EqualFold(wire.ID[:4], "urn:") || strings.ContainsAny(wire.ID, " \"[](),") {
		return nil, fmt.Errorf("schema id %q: want a URN", wire.ID)
	}
	if wire.Name == "" || len(wire.Attributes) == 0 {
		return nil, fmt.Errorf("schema %s: name and attributes are required", wire.ID)
	}
	depth := 1
	if wire.ID == SchemaID {
		depth = 2 // the one schema of RFC 7643 that breaks its own rule
	}
	attributes, err := readAttributes(wire.Attributes, depth)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", wire.ID, err)
	}
	return &Schema{
		ID: wire.ID, Name: wire.Name, Description: wire.Description, Attributes: attributes, names: byName(attributes),
	}, nil
}

// readAttributes reads attributes that may be complex depth levels deep.
func readAttributes(list []wireAttribute, depth int) ([]*Attribute, error) {
	var attributes []*Attribute
	seen := map[string]bool{}
	for _, w := range list {
		a, err := readAttribute(w, depth)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", w.Name, err)
		}
		if lower := strings.ToLower(a.Name); seen[lower] {
			return nil, fmt.Errorf("attribute %q: is there twice", w.Name)
		} else {
			seen[lower] = true
		}
		attributes = append(attributes, a)
	}
	return attributes, nil
}

func readAttribute(w wireAttribute, depth int) (*Attribute, error) {
	kind := slices.Index(kindNames[:], w.Type)
	switch {
	case !ValidName(w.Name):
		return nil, errors.New("a name is letters, digits, - and _, and begins with a letter or $")
	case kind < 0:
		return nil, fmt.Errorf("unknown type %q", w.Type)
	case Kind(kind) == Complex && depth == 0:
		return nil, errors.New("a part of a complex attribute cannot be complex")
	case (Kind(kind) == Complex) != (len(w.SubAttributes) > 0):
		return nil, errors.New("complex attributes, and no others, have subAttributes")
	}
	a := &Attribute{
		Name: w.Name, Kind: Kind(kind), Multi: w.MultiValued, Description: w.Description, Required: w.Required,
		CanonicalValues: w.CanonicalValues, ReferenceTypes: w.ReferenceTypes,
		Mutability: ReadWrite, Returned: Default, Uniqueness: "none",
		CaseExact: Kind(kind) == Reference || Kind(kind) == Binary,
	}
	if w.CaseExact != nil {
		a.CaseExact = *w.CaseExact
	}
	if err := oneOf("mutability", w.Mutability, (*string)(&a.Mutability), "readWrite", "readOnly", "immutable", "writeOnly"); err != nil {
		return nil, err
	}
	if err := oneOf("returned", w.Returned, (*string)(&a.Returned), "default", "always", "never", "request"); err != nil {
		return nil, err
	}
	if err := oneOf("uniqueness", w.Uniqueness, &a.Uniqueness, "none", "server", "global"); err != nil {
		return nil, err
	}
	var err error
	if a.Subs, err = readAttributes(w.SubAttributes, depth-1); err != nil {
		return nil, err
	}
	a.subs = byName(a.Subs)
	return a, nil
}

// oneOf takes over a word when it is one of those allowed; "" leaves the default.
func oneOf(what, word string, into *string, allowed ...string) error {
	if word == "" {
		return nil
	}
	if !slices.Contains(allowed, word) {
		return fmt.Errorf("%s %q: want one of %s", what, word, strings.Join(allowed, ", "))
	}
	*into = word
	return nil
}

// ValidName tells whether a text can be the name of an attribute (RFC 7643 section 2.1).
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c != '$' || i > 0) && (i == 0 || c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != "" && name != "$"
}

// MarshalJSON gives the form that /Schemas answers with, without meta.
func (s *Schema) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireSchema{
		Schemas: []string{SchemaID}, ID: s.ID, Name: s.Name, Description: s.Description, Attributes: wireAttributes(s.Attributes),
	})
}

func wireAttributes(list []*Attribute) []wireAttribute {
	var wire []wireAttribute
	for _, a := range list {
		w := wireAttribute{
			Name: a.Name, Type: a.Kind.String(), SubAttributes: wireAttributes(a.Subs), MultiValued: a.Multi,
			Description: a.Description, Required: a.Required, CanonicalValues: a.CanonicalValues,
			Mutability: string(a.Mutability), Returned: string(a.Returned), ReferenceTypes: a.ReferenceTypes,
		}
		if a.Kind == String || a.Kind == Reference || a.Kind == Binary {
			w.CaseExact = &a.CaseExact
		}
		if a.Kind != Complex && a.Kind != Boolean {
			w.Uniqueness = a.Uniqueness
		}
		wire = append(wire, w)
	}
	return wire
}
