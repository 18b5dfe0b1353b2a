package mapping

import (
	"slices"

	"portico/scim/schema"
)

// Room says how many values of one of Portico's attributes a directory holds: 0, 1, or more.
type Room func(attribute string) int

// WithRoom gives the mapping for directories that hold no more than room says. What they have no place for is kept in
// extras, so filters ask the directory for less. room is about what all of them hold.
func (m *Mapping) WithRoom(room Room) *Mapping {
	other := *m
	other.room = room
	return &other
}

// shape is how the values of an attribute of a resource lie in attributes of the directory.
type shape uint8

const (
	apart   shape = iota // handlers see to it: id, userName, active, groups, members, manager
	scalar               // one value
	parts                // a complex attribute with one value, part by part
	list                 // several values, each a value of the directory
	compose              // several values, the first of which is put together from attributes of the directory
	nowhere              // none in the directory
)

// plan says how one attribute of a resource is read and written.
type plan struct {
	extension string
	attribute *schema.Attribute
	key       string // canonical path, the name among the extras
	shape     shape
	rules     []Rule
}

// apartFrom are the attributes of the directory that are no plain values.
var apartFrom = []string{"id", "login", "created", "modified", "active", "group", "member", "manager"}

// plansOf looks at each attribute of the type once.
func plansOf(m *Mapping) []plan {
	var plans []plan
	add := func(extension string, a *schema.Attribute) {
		p := plan{extension: extension, attribute: a, key: schema.Path{Extension: extension, Attribute: a}.String(), shape: nowhere}
		for _, path := range m.order {
			for _, rule := range m.rules[path] {
				if rule.Path.Extension == extension && rule.Path.Attribute == a && !slices.Contains(plansRules(p), rule.Attribute) {
					p.rules = append(p.rules, rule)
				}
			}
		}
		switch {
		case a.Name == "password" || a.Name == "active" || a.Mutability == schema.ReadOnly:
			p.shape = apart
		case len(p.rules) == 0:
		case slices.Contains(apartFrom, p.rules[0].Attribute):
			p.shape = apart
		case p.rules[0].Path.Sub != nil && a.Multi:
			p.shape = compose
		case p.rules[0].Path.Sub != nil:
			p.shape = parts
		case a.Multi:
			p.shape = list
		default:
			p.shape = scalar
		}
		plans = append(plans, p)
	}
	for _, a := range m.Type.Core.Attributes {
		add("", a)
	}
	for _, e := range m.Type.Extensions {
		for _, a := range e.Schema.Attributes {
			add(e.Schema.ID, a)
		}
	}
	return plans
}

func plansRules(p plan) []string {
	names := make([]string, len(p.rules))
	for i, r := range p.rules {
		names[i] = r.Attribute
	}
	return names
}

// places finds for each value of a list the rule whose attribute holds it; nil: none does. The preferred value comes
// first. The result has an entry for each value, and order is that in which values are written.
func (p *plan) places(values []any, room Room) (rules []*Rule, order []int) {
	rules, order = make([]*Rule, len(values)), make([]int, 0, len(values))
	for i, value := range values {
		if object, ok := value.(map[string]any); ok && object["primary"] == true {
			order = append([]int{i}, order...)
		} else {
			order = append(order, i)
		}
	}
	used := map[string]int{}
	for _, i := range order {
		rule := p.ruleFor(values[i])
		if rule == nil || used[rule.Attribute] >= room(rule.Attribute) {
			continue
		}
		used[rule.Attribute]++
		rules[i] = rule
	}
	return rules, order
}

// ruleFor is the rule for a value by its type; where there is one rule, it takes all.
func (p *plan) ruleFor(value any) *Rule {
	if len(p.rules) == 1 {
		return &p.rules[0]
	}
	object, _ := value.(map[string]any)
	kind, _ := object["type"].(string)
	for i := range p.rules {
		if kind == "" || sameText(p.rules[i].First["type"], kind) {
			return &p.rules[i]
		}
	}
	return nil
}
