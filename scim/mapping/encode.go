package mapping

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"portico/adapter"
	"portico/scim/patch"
	"portico/scim/resource"
	"portico/scim/schema"
)

// Extras are the values of a resource that its directory has no place for, by canonical path of the attribute.
type Extras map[string]json.RawMessage

// Encode gives the plain attributes of an entry as SCIM shows them. What handlers see to (id, userName, active, groups,
// members, manager, externalId) is not among them. Values of the directory win over extras that say otherwise.
func (m *Mapping) Encode(e *adapter.Entry, extras Extras) resource.Object {
	out := resource.Object{}
	hidden := derived(e, extras)
	values := func(attribute string) []string {
		if slices.Contains(hidden, attribute) {
			return nil
		}
		return e.Attributes[attribute]
	}
	for i := range m.plans {
		p := &m.plans[i]
		if p.shape == apart {
			continue
		}
		extra := p.extra(extras)
		if value := p.encode(values, extra); value != nil {
			resource.Set(out, p.extension, p.attribute.Name, value)
		}
	}
	return out
}

// extra reads what is kept of an attribute; what cannot be read is not there.
func (p *plan) extra(extras Extras) any {
	text := extras[p.key]
	if len(text) == 0 {
		return nil
	}
	value, err := resource.Decode(text)
	if err != nil {
		return nil
	}
	return value
}

func (p *plan) encode(values func(string) []string, extra any) any {
	switch p.shape {
	case scalar:
		if list := values(p.rules[0].Attribute); len(list) > 0 {
			if v := typed(p.attribute, list[0]); v != nil {
				return v
			}
		}
		return extra
	case parts:
		return p.encodeParts(values, extra)
	case list:
		return p.encodeList(values, extra)
	case compose:
		return p.encodeComposed(values, extra)
	}
	return extra
}

// typed reads a text of the directory as the schema wants it, nil when it is no such value.
func typed(a *schema.Attribute, text string) any {
	switch a.Kind {
	case schema.Boolean:
		switch strings.ToLower(text) {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
		return nil
	case schema.Integer:
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return nil
		}
		return json.Number(text)
	case schema.Decimal:
		if _, ok := resource.ParseNumber(text); !ok {
			return nil
		}
		return json.Number(text)
	case schema.DateTime:
		t, ok := resource.ParseTime(text)
		if !ok {
			return nil
		}
		return resource.FormatTime(t)
	}
	return text
}

func (p *plan) encodeParts(values func(string) []string, extra any) any {
	out := resource.Object{}
	if kept, ok := extra.(resource.Object); ok {
		for name, value := range kept {
			if resource.Present(value) {
				out[name] = value
			}
		}
	}
	for _, rule := range p.rules {
		if list := values(rule.Attribute); len(list) > 0 {
			if v := typed(rule.Path.Sub, list[0]); v != nil {
				out[rule.Path.Sub.Name] = v
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// element is a value of the directory as an element of a list. at is its place.
func (p *plan) element(rule *Rule, at int, text string) any {
	if p.attribute.Kind != schema.Complex {
		return typed(p.attribute, text)
	}
	fixed := rule.Rest
	if at == 0 {
		fixed = rule.First
	}
	out := make(resource.Object, len(fixed)+1)
	maps.Copy(out, fixed)
	out["value"] = text
	return out
}

// encodeList shows the values of the directory, marked as the mapping says, or as the extras say of a value.
func (p *plan) encodeList(values func(string) []string, extra any) any {
	kept, _ := extra.([]any)
	var out []any
	taken := map[string]bool{} // attribute and value
	primary := false
	if len(kept) > 0 {
		rules, _ := p.places(kept, unlimited)
		for i, element := range kept {
			text := valueOf(element)
			if rules[i] != nil {
				if slices.Contains(values(rules[i].Attribute), text) {
					taken[rules[i].Attribute+"\x00"+text] = true
				} else if wasStored(element) {
					continue // taken away in the directory
				}
			}
			element = withoutMark(element)
			out = append(out, element)
			primary = primary || isPrimary(element)
		}
	}
	for i := range p.rules {
		rule := &p.rules[i]
		for at, text := range values(rule.Attribute) {
			if taken[rule.Attribute+"\x00"+text] {
				continue
			}
			element := p.element(rule, at, text)
			if object, ok := element.(resource.Object); ok && primary {
				delete(object, "primary")
			}
			if element != nil {
				out = append(out, element)
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// encodeComposed shows the one value that lies in the directory part by part, and those that the extras hold.
func (p *plan) encodeComposed(values func(string) []string, extra any) any {
	stored := resource.Object{}
	for _, rule := range p.rules {
		if list := values(rule.Attribute); len(list) > 0 {
			stored[rule.Path.Sub.Name] = list[0]
		}
	}
	kept, _ := extra.([]any)
	var out []any
	placed := false
	for _, element := range kept {
		object, ok := element.(resource.Object)
		if !ok {
			continue
		}
		if wasStored(object) {
			placed = true
			merged := resource.CloneObject(withoutMark(object).(resource.Object))
			maps.Copy(merged, stored)
			if object = merged; len(patch.Solid([]any{object})) == 0 {
				continue // taken away in the directory
			}
		}
		out = append(out, object)
	}
	if len(stored) > 0 && !placed {
		maps.Copy(stored, p.rules[0].First)
		out = append([]any{stored}, out...)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// unlimited is the room of a directory that holds everything.
func unlimited(string) int { return 1 << 30 }

func valueOf(element any) string {
	if object, ok := element.(resource.Object); ok {
		element = object["value"]
	}
	text, _ := element.(string)
	return text
}

func isPrimary(element any) bool {
	object, ok := element.(resource.Object)
	return ok && object["primary"] == true
}

func sameText(a any, b string) bool {
	text, ok := a.(string)
	return ok && strings.EqualFold(text, b)
}
