package mapping

import (
	"encoding/json"

	"portico/scim/resource"
	"portico/scim/schema"
)

// storedMark is a member of kept values that also lie in the directory: when they are gone there, they are gone.
const storedMark = "!stored"

// Parts is what the attributes of a resource are in the directory, and beside it.
type Parts struct {
	// Attributes has every attribute that the mapping writes, those without a value as an empty list.
	Attributes map[string][]string
	// Extras has what the directory has no place for.
	Extras Extras
}

// Decode says where the plain attributes of a resource go. room is about the directory that the resource is in.
func (m *Mapping) Decode(data resource.Object, room Room) Parts {
	out := Parts{Attributes: map[string][]string{}, Extras: Extras{}}
	for i := range m.plans {
		p := &m.plans[i]
		if p.shape == apart {
			continue
		}
		if extra := p.decode(resource.Get(data, p.extension, p.attribute.Name), room, out.Attributes); resource.Present(extra) {
			if text, err := json.Marshal(extra); err == nil {
				out.Extras[p.key] = text
			}
		}
	}
	if room(commonName) > 0 && len(m.rules["name.formatted"]) > 0 {
		leaveOut(data, out)
	}
	return out
}

// leaveOut marks names that the client left out and that the directory demands: what is put in their place is not shown.
func leaveOut(data resource.Object, out Parts) {
	name, _ := data["name"].(resource.Object)
	kept := resource.Object{}
	if text := out.Extras["name"]; len(text) > 0 {
		kept, _ = resource.DecodeObject(text)
	}
	before := len(kept)
	for _, part := range []string{"formatted", "familyName"} {
		if !resource.Present(name[part]) {
			kept[part] = ""
		}
	}
	if len(kept) == before {
		return
	}
	if text, err := json.Marshal(kept); err == nil {
		out.Extras["name"] = text
	}
}

// decode puts the value of an attribute into attributes of the directory, and gives what has no place there.
func (p *plan) decode(value any, room Room, into map[string][]string) any {
	for _, rule := range p.rules {
		if room(rule.Attribute) > 0 {
			into[rule.Attribute] = []string{}
		}
	}
	if !resource.Present(value) {
		return nil
	}
	switch p.shape {
	case scalar:
		if room(p.rules[0].Attribute) == 0 {
			return value
		}
		into[p.rules[0].Attribute] = []string{textOf(value)}
		return nil
	case parts:
		object, _ := value.(resource.Object)
		return p.spread(object, room, into)
	case list:
		values, _ := value.([]any)
		return p.decodeList(values, room, into)
	case compose:
		values, _ := value.([]any)
		return p.decodeComposed(values, room, into)
	}
	return value
}

// spread writes the parts of a complex value, and gives those that have no place.
func (p *plan) spread(object resource.Object, room Room, into map[string][]string) any {
	rest := resource.CloneObject(object)
	for _, rule := range p.rules {
		part := object[rule.Path.Sub.Name]
		if room(rule.Attribute) == 0 || !resource.Present(part) {
			continue
		}
		into[rule.Attribute] = []string{textOf(part)}
		delete(rest, rule.Path.Sub.Name)
	}
	return rest
}

// decodeList writes the values that have a place. Where reading them back would not give the same list, all of it is kept.
func (p *plan) decodeList(values []any, room Room, into map[string][]string) any {
	rules, order := p.places(values, room)
	for _, i := range order {
		if text := valueOf(values[i]); rules[i] != nil && text != "" {
			into[rules[i].Attribute] = append(into[rules[i].Attribute], text)
		}
	}
	shown, _ := p.encodeList(func(attribute string) []string { return into[attribute] }, nil).([]any)
	if sameValues(shown, values) {
		return nil
	}
	kept := make([]any, len(values))
	for i, value := range values {
		if kept[i] = value; rules[i] != nil && p.attribute.Kind == schema.Complex {
			kept[i] = withMark(value)
		}
	}
	return kept
}

// decodeComposed writes the first value of the right type part by part.
func (p *plan) decodeComposed(values []any, room Room, into map[string][]string) any {
	at := -1
	for i, value := range values {
		object, _ := value.(resource.Object)
		if kind := object["type"]; at < 0 && (kind == nil || sameText(kind, textOf(p.rules[0].First["type"]))) {
			at = i
		}
	}
	if at >= 0 {
		object, _ := values[at].(resource.Object)
		p.spread(object, room, into)
	}
	shown, _ := p.encodeComposed(func(attribute string) []string { return into[attribute] }, nil).([]any)
	if sameValues(shown, values) {
		return nil
	}
	kept := make([]any, len(values))
	for i, value := range values {
		if kept[i] = value; i != at {
			continue
		}
		rest := resource.CloneObject(value.(resource.Object))
		for _, rule := range p.rules {
			if room(rule.Attribute) > 0 {
				delete(rest, rule.Path.Sub.Name)
			}
		}
		kept[i] = withMark(rest)
	}
	return kept
}

// textOf is a value as a directory stores it.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		if v {
			return "TRUE"
		}
		return "FALSE"
	case json.Number:
		return v.String()
	}
	return ""
}

// sameValues tells whether two lists hold the same, in whatever order.
func sameValues(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	used := make([]bool, len(b))
next:
	for _, x := range a {
		for i, y := range b {
			if !used[i] && resource.Equal(x, y) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

func withMark(value any) any {
	object, ok := value.(resource.Object)
	if !ok {
		return value
	}
	marked := resource.CloneObject(object)
	marked[storedMark] = true
	return marked
}

func withoutMark(value any) any {
	if object, ok := value.(resource.Object); ok {
		delete(object, storedMark)
	}
	return value
}

func wasStored(value any) bool {
	object, ok := value.(resource.Object)
	return ok && object[storedMark] == true
}
