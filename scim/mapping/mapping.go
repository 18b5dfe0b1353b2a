// Package mapping says, as data, which attribute of SCIM is which attribute of Portico, and turns filters into
// predicates that the read model of the directories answers.
//
// A predicate selects at least what its filter selects. Where it may select more it is not exact, and the filter is
// asked again of every resource that it lets through.
package mapping

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"

	"go.yaml.in/yaml/v3"

	"portico/scim/schema"
)

//go:embed default.yaml
var builtin []byte

// Codec says how values of a directory become values of SCIM.
type Codec string

// The codecs.
const (
	Text      Codec = ""
	Time      Codec = "time"
	Boolean   Codec = "boolean"
	Reference Codec = "reference" // to people or groups, by id
)

// Rule ties one attribute of a resource type to one of Portico.
type Rule struct {
	Path      schema.Path
	Attribute string
	Codec     Codec
	// Query is the attribute that filters and lists go by. Loose says that it holds more than what is shown.
	Query string
	Loose bool
	// First and Rest are the fixed parts of the first value and of the others, of attributes with several values.
	First, Rest map[string]any
}

// Mapping is what is mapped of one resource type. It is read-only.
type Mapping struct {
	Type  *schema.Type
	rules map[string][]Rule // by canonical path
	order []string          // the paths as they were written
	plans []plan
	room  Room // nil: everything is in the directory, whatever it is
}

type wireRule struct {
	Path      string         `yaml:"path"`
	Attribute string         `yaml:"attribute"`
	Codec     Codec          `yaml:"codec"`
	Query     string         `yaml:"query"`
	Loose     bool           `yaml:"loose"`
	First     map[string]any `yaml:"first"`
	Rest      map[string]any `yaml:"rest"`
}

// New reads the mapping of a type: out of text or, when it is nil, the built-in one. Errors name the path.
func New(t *schema.Type, text []byte) (*Mapping, error) {
	if text == nil {
		text = builtin
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var all map[string][]wireRule
	if err := decoder.Decode(&all); err != nil {
		return nil, fmt.Errorf("SCIM mapping: %w", err)
	}
	m := &Mapping{Type: t, rules: map[string][]Rule{}}
	for _, w := range all[t.Name] {
		path, ok := t.Lookup(w.Path)
		if !ok || path.Attribute == nil || w.Attribute == "" {
			return nil, fmt.Errorf("SCIM mapping of %s: %q is no attribute, or is mapped to nothing", t.Name, w.Path)
		}
		switch w.Codec {
		case Text, Time, Boolean, Reference:
		default:
			return nil, fmt.Errorf("SCIM mapping of %s: %s: unknown codec %q", t.Name, w.Path, w.Codec)
		}
		for _, fixed := range []map[string]any{w.First, w.Rest} {
			for name := range fixed {
				if sub := path.Attribute.Sub(name); sub == nil || sub.Name != name || name == "value" {
					return nil, fmt.Errorf("SCIM mapping of %s: %s has no part %q that could be fixed", t.Name, w.Path, name)
				}
			}
		}
		m.rules[path.String()] = append(m.rules[path.String()], Rule{
			Path: path, Attribute: w.Attribute, Codec: w.Codec, Query: cmp.Or(w.Query, w.Attribute), Loose: w.Loose, First: w.First, Rest: w.Rest,
		})
		m.order = append(m.order, path.String())
	}
	m.plans = plansOf(m)
	return m, nil
}

// Rules gives the rules for an attribute by its canonical path.
func (m *Mapping) Rules(path string) []Rule { return m.rules[path] }

// Sort gives the attribute that lists ordered by a path are ordered by; false when there is none.
func (m *Mapping) Sort(path schema.Path) (string, bool) {
	rules := m.rules[path.String()]
	if len(rules) == 0 {
		path.Sub = nil
		rules = m.rules[path.String()]
	}
	if len(rules) != 1 || rules[0].Codec == Reference || rules[0].Codec == Boolean {
		return "", false
	}
	return rules[0].Query, true
}
