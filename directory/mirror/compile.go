package mirror

import (
	"strings"

	"portico/directory"
)

// test is what SQL can say about a predicate: a condition on a row e that every
// matching row fulfils, and whether it says all. Conditions are put together
// from constants and placeholders; values are bound.
type test struct {
	sql   string // "" is true
	args  []any
	exact bool
	from  *source // rows that it can start from; nil: all
}

// source is a query that gives every matching row's number, each once, and perhaps
// others; good ones give few.
type source struct {
	sql  string
	args []any
	cost int
}

// Guesses about how many rows sources give, the least first.
const (
	costKey = iota
	costEqual
	costRange
	costText
	costTime
)

var (
	always  = test{exact: true}
	never   = test{sql: "0", exact: true}
	unknown = test{} // SQL cannot tell
)

// compiler translates predicates for one kind of entries.
type compiler struct {
	m      *Mirror
	kind   directory.Kind
	listed bool
	now    int64
	grams  func() map[string]int
	asked  []*directory.Predicate // what Match asks for, to be columns of the query
	timed  bool                   // the answer depends on the clock
}

func (c *compiler) compile(p *directory.Predicate) test {
	if p == nil {
		return always
	}
	switch p.Node {
	case directory.NodeAnd:
		return c.and(p)
	case directory.NodeOr:
		return c.or(p)
	case directory.NodeNot:
		return c.not(c.compile(p.Of[0]))
	case directory.NodeOneValue:
		return c.oneValue(p)
	}
	return c.leaf(p)
}

func (c *compiler) and(p *directory.Predicate) test {
	all := always
	var parts []string
	for _, of := range p.Of {
		t := c.compile(of)
		if t.sql == never.sql {
			return never
		}
		all.exact = all.exact && t.exact
		if t.sql != "" {
			parts = append(parts, t.sql)
			all.args = append(all.args, t.args...)
		}
		if t.from != nil && (all.from == nil || t.from.cost < all.from.cost) {
			all.from = t.from
		}
	}
	all.sql = bracket(parts, " AND ")
	return all
}

func (c *compiler) or(p *directory.Predicate) test {
	any := test{exact: true}
	var parts, sources []string
	from := &source{}
	open := false
	for _, of := range p.Of {
		t := c.compile(of)
		if t.sql == never.sql {
			continue
		}
		any.exact = any.exact && t.exact
		open = open || t.sql == ""
		parts = append(parts, t.sql)
		any.args = append(any.args, t.args...)
		switch {
		case from == nil:
		case t.from == nil:
			from = nil
		default:
			sources = append(sources, "SELECT id FROM ("+t.from.sql+")")
			from.args = append(from.args, t.from.args...)
			from.cost = max(from.cost, t.from.cost)
		}
	}
	if len(parts) == 0 {
		return never
	}
	if from != nil && len(sources) > 0 {
		from.sql = strings.Join(sources, " UNION ")
		any.from = from
	}
	if open {
		return test{exact: any.exact, from: any.from}
	}
	any.sql = bracket(parts, " OR ")
	return any
}

func (c *compiler) not(t test) test {
	switch {
	case !t.exact:
		return unknown
	case t.sql == "":
		return never
	case t.sql == "0":
		return always
	}
	return test{sql: "NOT " + bracket([]string{t.sql}, ""), args: t.args, exact: true}
}

// bracket joins conditions in brackets, as a tree that is not deep.
func bracket(parts []string, by string) string {
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return "(" + parts[0] + ")"
	}
	half := len(parts) / 2
	return "(" + bracket(parts[:half], by) + by + bracket(parts[half:], by) + ")"
}

func (c *compiler) leaf(p *directory.Predicate) test {
	switch p.Attribute {
	case directory.AttrID:
		return c.id(p)
	case directory.AttrDirectory:
		return c.directory(p)
	case directory.AttrLogin:
		return c.login(p)
	case directory.AttrCreated, directory.AttrModified:
		return c.instant(p)
	case directory.AttrActive:
		return c.ask(p, c.active(p))
	case directory.AttrMember, directory.AttrGroup, directory.AttrManager, directory.AttrOwner:
		return c.ask(p, c.reference(p))
	case directory.AttrName:
		return c.first(p, "display", severalNames)
	case directory.AttrGivenName:
		return c.first(p, "given", severalGiven)
	case directory.AttrFamilyName:
		return c.first(p, "family", severalFamily)
	case directory.AttrMail:
		return c.mail(p)
	}
	if p.Op == directory.OpEqual && p.Value == "" {
		return never
	}
	return unknown
}

// ask notes that a comparison is one that entries cannot answer themselves.
func (c *compiler) ask(p *directory.Predicate, t test) test {
	c.asked = append(c.asked, p)
	return t
}
