package mapping

import (
	"portico/adapter"
	"portico/scim/filter"
	"portico/scim/resource"
	"portico/scim/schema"
)

// Predicate gives the predicate for a filter, and whether it selects exactly what the filter selects. Nil is all.
func (m *Mapping) Predicate(n *filter.Node) (p *adapter.Predicate, exact bool) {
	if n == nil {
		return nil, true
	}
	switch n.Kind {
	case filter.And, filter.Or:
		return m.junction(n, m.Predicate)
	case filter.Not:
		return negation(n, m.Predicate)
	case filter.Element:
		return m.element(n)
	}
	return m.compare(n)
}

// compiler turns one node into a predicate.
type compiler func(*filter.Node) (*adapter.Predicate, bool)

// junction joins the children. What cannot be said drops out of and, and makes all of or unsayable.
func (m *Mapping) junction(n *filter.Node, compile compiler) (*adapter.Predicate, bool) {
	node, exact := adapter.NodeAnd, true
	if n.Kind == filter.Or {
		node = adapter.NodeOr
	}
	var list []*adapter.Predicate
	for _, child := range n.Children {
		p, fits := compile(child)
		exact = exact && fits
		switch {
		case p != nil:
			list = append(list, p)
		case n.Kind == filter.Or:
			return nil, exact // one child that is true for all
		}
	}
	if len(list) == 0 && n.Kind == filter.And {
		return nil, exact
	}
	return &adapter.Predicate{Node: node, Of: list}, exact
}

// negation turns a child round only when the child is exact: the complement of too much would be too little.
func negation(n *filter.Node, compile compiler) (*adapter.Predicate, bool) {
	p, exact := compile(n.Children[0])
	switch {
	case !exact:
		return nil, false
	case p == nil:
		return never(), true
	}
	return not(p), true
}

func never() *adapter.Predicate { return &adapter.Predicate{Node: adapter.NodeOr} }

func not(p *adapter.Predicate) *adapter.Predicate {
	return &adapter.Predicate{Node: adapter.NodeNot, Of: []*adapter.Predicate{p}}
}

func both(list ...*adapter.Predicate) *adapter.Predicate {
	return &adapter.Predicate{Node: adapter.NodeAnd, Of: list}
}

func either(list ...*adapter.Predicate) *adapter.Predicate {
	return &adapter.Predicate{Node: adapter.NodeOr, Of: list}
}

// constant is a predicate that is the same for every resource.
func constant(holds bool) (*adapter.Predicate, bool) {
	if holds {
		return nil, true
	}
	return never(), true
}

// compare turns a comparison outside of brackets.
func (m *Mapping) compare(n *filter.Node) (*adapter.Predicate, bool) {
	if n.Lacking || n.Path.Common && n.Path.Leaf().Name == "resourceType" {
		return constant(n.Match(&resource.Resource{Type: m.Type}))
	}
	rules := m.rules[n.Path.String()]
	if len(rules) == 1 && rules[0].First == nil && rules[0].Codec != Reference && (n.Path.Sub != nil || n.Path.Attribute.Kind != schema.Complex) {
		return m.plain(n, rules[0])
	}
	if n.Path.Sub == nil || n.Path.Attribute.Kind != schema.Complex {
		return nil, false
	}
	whole := n.Path
	whole.Sub = nil
	if rules = m.rules[whole.String()]; len(rules) == 0 {
		return nil, false
	}
	if rules[0].Codec == Reference {
		return reference(n, rules[0])
	}
	if !m.whole(n.Path, rules) {
		return nil, false
	}
	// Any value will do; where there is none at all, only "is not" holds.
	var has, holds []*adapter.Predicate
	for _, rule := range rules {
		there, _ := ofValue(&filter.Node{Kind: filter.Compare, Path: n.Path, Op: filter.Pr}, rule)
		p, exact := ofValue(n, rule)
		if !exact {
			return nil, false
		}
		has = append(has, oneValue(rule, there))
		holds = append(holds, oneValue(rule, both(there, p)))
	}
	switch {
	case n.Op == filter.Pr, n.Value.Null && n.Op == filter.Ne:
		return either(has...), true
	case n.Value.Null:
		return not(either(has...)), true
	case n.Op == filter.Ne:
		return either(not(either(has...)), either(holds...)), true
	}
	return either(holds...), true
}

// plain turns a comparison of an attribute that is one of the directory, or one of it in most cases.
func (m *Mapping) plain(n *filter.Node, rule Rule) (*adapter.Predicate, bool) {
	if m.room != nil && rule.Codec == Text && !special(rule.Query) && m.room(rule.Attribute) == 0 {
		return nil, false
	}
	p, exact := single(n, rule)
	if !rule.Loose {
		return p, exact
	}
	if n.Value.Null && n.Op == filter.Eq || n.Op == filter.Ne {
		return nil, false
	}
	return p, false
}

// special tells whether an attribute is in every directory.
func special(attribute string) bool {
	switch attribute {
	case "id", "login", "created", "modified", "active", "name":
		return true
	}
	return false
}

// whole tells whether the directory holds all values of an attribute, and what is asked for of them: what it has no
// place for is kept elsewhere, and so are marks that differ from those that the mapping fixes.
func (m *Mapping) whole(path schema.Path, rules []Rule) bool {
	if m.room == nil {
		return true
	}
	return path.Sub != nil && path.Sub.Name == "value" && len(rules) == 1 && m.room(rules[0].Attribute) > 1
}

func oneValue(rule Rule, p *adapter.Predicate) *adapter.Predicate {
	return &adapter.Predicate{Node: adapter.NodeOneValue, Attribute: rule.Attribute, Of: []*adapter.Predicate{p}}
}

// element turns brackets: for each rule, one value of its attribute.
func (m *Mapping) element(n *filter.Node) (*adapter.Predicate, bool) {
	rules := m.rules[n.Path.String()]
	if len(rules) == 0 || rules[0].Codec == Reference {
		return nil, false
	}
	if m.room != nil && (len(rules) > 1 || m.room(rules[0].Attribute) < 2) {
		return nil, false
	}
	var list []*adapter.Predicate
	exact := true
	for _, rule := range rules {
		var compile compiler
		compile = func(inner *filter.Node) (*adapter.Predicate, bool) {
			switch inner.Kind {
			case filter.And, filter.Or:
				return m.junction(inner, compile)
			case filter.Not:
				return negation(inner, compile)
			}
			if m.room != nil && inner.Path.Sub.Name != "value" {
				return nil, false
			}
			return ofValue(inner, rule)
		}
		p, fits := compile(n.Children[0])
		exact = exact && fits
		if p == nil {
			p = both()
		}
		list = append(list, oneValue(rule, p))
	}
	return either(list...), exact
}

// ofValue turns a comparison of one value of a rule: of the value itself, or of a part that its place fixes.
func ofValue(n *filter.Node, rule Rule) (*adapter.Predicate, bool) {
	if n.Path.Sub.Name == "value" {
		return single(n, Rule{Path: n.Path})
	}
	first := n.MatchElement(rule.First)
	rest := n.MatchElement(rule.Rest)
	place := &adapter.Predicate{Node: adapter.NodeCompare, Attribute: "position", Op: adapter.OpEqual, Value: "0"}
	switch {
	case first && rest:
		return both(), true
	case first:
		return place, true
	case rest:
		return not(place), true
	}
	return never(), true
}

// operators are the same on both sides.
var operators = map[filter.Op]adapter.Operator{
	filter.Eq: adapter.OpEqual, filter.Ne: adapter.OpNotEqual, filter.Co: adapter.OpContains, filter.Sw: adapter.OpStarts,
	filter.Ew: adapter.OpEnds, filter.Gt: adapter.OpGreater, filter.Ge: adapter.OpGreaterEqual, filter.Lt: adapter.OpLess,
	filter.Le: adapter.OpLessEqual, filter.Pr: adapter.OpPresent,
}

// single turns a comparison of an attribute that is one attribute of the directory.
func single(n *filter.Node, rule Rule) (*adapter.Predicate, bool) {
	p := &adapter.Predicate{Node: adapter.NodeCompare, Attribute: rule.Query, Op: operators[n.Op], Exact: n.Path.Leaf().CaseExact}
	if n.Value.Null || n.Op == filter.Pr {
		p.Op = adapter.OpPresent
		if n.Value.Null && n.Op == filter.Eq {
			return not(p), true
		}
		return p, true
	}
	switch rule.Codec {
	case Time:
		if n.Op == filter.Co || n.Op == filter.Sw || n.Op == filter.Ew {
			return nil, false
		}
		// Answers show milliseconds, the directory may know more: look wider, and ask again.
		return instant(n, rule.Query)
	case Boolean:
		p.Value, p.Exact = "false", false
		if n.Value.Bool {
			p.Value = "true"
		}
		return p, true
	}
	if n.Value.Text == "" {
		return nil, false // empty text means different things on the two sides
	}
	p.Value = n.Value.Text
	if n.Path.Attribute.Name == "userName" && n.Path.Extension == "" {
		p.Value = n.Value.Key // prepared as names are
	}
	return p, true
}

// reference turns a comparison of a reference: its id can be asked for.
func reference(n *filter.Node, rule Rule) (*adapter.Predicate, bool) {
	p := &adapter.Predicate{Node: adapter.NodeCompare, Attribute: rule.Attribute, Op: operators[n.Op]}
	if n.Path.Sub.Name != "value" {
		return nil, false
	}
	if n.Value.Null || n.Op == filter.Pr {
		p.Op = adapter.OpPresent
		if n.Value.Null && n.Op == filter.Eq {
			return not(p), true
		}
		return p, true
	}
	if n.Op != filter.Eq && n.Op != filter.Ne || n.Value.Text == "" {
		return nil, false
	}
	p.Ref = adapter.ID{Stable: n.Value.Text}
	return p, true
}
