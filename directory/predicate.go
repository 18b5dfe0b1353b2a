package directory

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrPredicate says that a predicate cannot be asked: an operator that its
// attribute does not know, a malformed value, or too large a tree.
var ErrPredicate = errors.New("predicate cannot be asked")

// Bounds of a predicate.
const (
	PredicateComparisons = 200
	PredicateDepth       = 60
)

// Node says what a predicate is.
type Node uint8

// The nodes of a predicate tree.
const (
	NodeAnd     Node = iota // all of Of; none: true. The zero Predicate is true.
	NodeOr                  // one of Of at least; none: false
	NodeNot                 // not the one in Of
	NodeCompare             // Attribute Op Value
	// NodeOneValue: one and the same value of Attribute satisfies the one in Of,
	// whose comparisons are about AttrValue and AttrPosition only.
	NodeOneValue
)

// Operator compares a value with the one that is asked for.
type Operator uint8

// The operators. Text is ordered by code points (folded, unless Exact).
const (
	OpEqual Operator = iota + 1
	OpNotEqual
	OpContains
	OpStarts
	OpEnds
	OpGreater
	OpGreaterEqual
	OpLess
	OpLessEqual
	OpPresent // has a value
)

// Attributes of predicates besides the mapped ones. AttrManager and AttrOwner
// are references here, not the DNs that the mapping gives.
const (
	// AttrID is the permanent id without the directory, in lower case; always there.
	AttrID = "id"
	// AttrDirectory is the name of the directory; always there.
	AttrDirectory = "directory"
	// AttrLogin is the login name of a person (Entry.Login, with the suffix) and
	// the name of a group (Entry.Name without surrounding space).
	AttrLogin = "login"
	// AttrCreated and AttrModified are instants: they are compared with Time.
	AttrCreated  = "created"
	AttrModified = "modified"
	// AttrActive is "true" unless an administrator disabled the account, or its
	// period has not begun or is over; see Activity. Locks by failures, expired
	// passwords and what Portico's own database says do not count. Groups are active.
	AttrActive = "active"
	// AttrMember has the visible people and the groups that a group contains,
	// AttrGroup the groups that a person or a group is in. With Nested also
	// through groups. Compared with Ref.
	AttrMember = "member"
	AttrGroup  = "group"

	// AttrValue and AttrPosition stand below NodeOneValue: the value, and its
	// place in the list, a decimal number from 0.
	AttrValue    = ""
	AttrPosition = "position"
)

// Predicate is a question about an entry: a tree of comparisons over Portico's
// attribute names. It knows nothing of any API's query language. Its meaning:
//
//   - An attribute with several values satisfies a comparison when any of its
//     values does, also with OpNotEqual.
//   - An absent attribute satisfies OpNotEqual and nothing else. Values that are
//     empty are absent. OpEqual with an empty Value is never true, OpNotEqual with
//     it always; OpContains, OpStarts and OpEnds with it mean OpPresent.
//   - Text is compared by Fold, or byte by byte where Exact is set.
//   - NodeNot is the plain complement: what the child says of no entry is true.
//   - References (AttrMember, AttrGroup, AttrManager, AttrOwner) know OpEqual,
//     OpNotEqual and OpPresent. Only visible people and groups count: a reference to
//     nothing that is known is absent. Ref.Directory "" means any directory.
//   - AttrActive knows OpEqual and OpNotEqual with "true" and "false", and OpPresent.
//   - Instants know all but OpContains, OpStarts and OpEnds.
//   - An attribute that nobody maps is absent everywhere.
//
// What Match and the mirror's SQL answer is exact, never a superset. Who
// translates another language into a Predicate and cannot say something leaves
// it out (And with nothing is true) below no NodeNot: that is a superset, to be
// narrowed by ListQuery's Keep.
//
// Predicates are values: do not change one that was handed on.
type Predicate struct {
	Node Node
	Of   []*Predicate

	Attribute string
	Op        Operator
	Value     string
	Exact     bool      // text only
	Time      time.Time // AttrCreated, AttrModified
	Ref       ID        // references
	Nested    bool      // AttrMember, AttrGroup
}

// And is true when all are; nil and nothing are true.
func And(of ...*Predicate) *Predicate { return &Predicate{Node: NodeAnd, Of: of} }

// Or is true when one is.
func Or(of ...*Predicate) *Predicate { return &Predicate{Node: NodeOr, Of: of} }

// Not is true when p is not.
func Not(p *Predicate) *Predicate { return &Predicate{Node: NodeNot, Of: []*Predicate{p}} }

// Compare asks for text, folded.
func Compare(attribute string, op Operator, value string) *Predicate {
	return &Predicate{Node: NodeCompare, Attribute: attribute, Op: op, Value: value}
}

// CompareExact asks for text, letter by letter.
func CompareExact(attribute string, op Operator, value string) *Predicate {
	return &Predicate{Node: NodeCompare, Attribute: attribute, Op: op, Value: value, Exact: true}
}

// Present asks whether an attribute has a value.
func Present(attribute string) *Predicate {
	return &Predicate{Node: NodeCompare, Attribute: attribute, Op: OpPresent}
}

// At compares an instant.
func At(attribute string, op Operator, t time.Time) *Predicate {
	return &Predicate{Node: NodeCompare, Attribute: attribute, Op: op, Time: t}
}

// Refers compares a reference.
func Refers(attribute string, op Operator, id ID, nested bool) *Predicate {
	return &Predicate{Node: NodeCompare, Attribute: attribute, Op: op, Ref: id, Nested: nested}
}

// OneValue is true when one value of the attribute satisfies p, which speaks of
// AttrValue and AttrPosition.
func OneValue(attribute string, p *Predicate) *Predicate {
	return &Predicate{Node: NodeOneValue, Attribute: attribute, Of: []*Predicate{p}}
}

// IsReference tells whether an attribute is compared with Ref.
func IsReference(attribute string) bool {
	switch attribute {
	case AttrMember, AttrGroup, AttrManager, AttrOwner:
		return true
	}
	return false
}

// Check tells whether a predicate can be asked. Its errors wrap ErrPredicate and
// name the attribute. Nil is true and can be asked.
func (p *Predicate) Check() error {
	n := 0
	return p.check(&n, 0, false)
}

func (p *Predicate) check(n *int, depth int, inside bool) error {
	if p == nil {
		return nil
	}
	if depth > PredicateDepth {
		return fmt.Errorf("%w: deeper than %d", ErrPredicate, PredicateDepth)
	}
	switch p.Node {
	case NodeCompare:
		if *n++; *n > PredicateComparisons {
			return fmt.Errorf("%w: more than %d comparisons", ErrPredicate, PredicateComparisons)
		}
		return p.checkLeaf(inside)
	case NodeNot, NodeOneValue:
		if len(p.Of) != 1 || p.Of[0] == nil {
			return fmt.Errorf("%w: it needs one part", ErrPredicate)
		}
	case NodeAnd, NodeOr:
	default:
		return fmt.Errorf("%w: unknown node", ErrPredicate)
	}
	if p.Node == NodeOneValue {
		if inside || special(p.Attribute) {
			return fmt.Errorf("%w: %q has no values to choose from", ErrPredicate, p.Attribute)
		}
		inside = true
	}
	if len(p.Of) > 2*PredicateComparisons {
		return fmt.Errorf("%w: more than %d parts", ErrPredicate, 2*PredicateComparisons)
	}
	for _, part := range p.Of {
		if err := part.check(n, depth+1, inside); err != nil {
			return err
		}
	}
	return nil
}

// special tells whether an attribute is none of the mapped ones.
func special(attribute string) bool {
	return IsReference(attribute) || slices.Contains([]string{
		AttrID, AttrDirectory, AttrLogin, AttrCreated, AttrModified, AttrActive, AttrValue,
	}, attribute)
}

func (p *Predicate) checkLeaf(inside bool) error {
	wrong := func(why string) error { return fmt.Errorf("%w: attribute %q %s", ErrPredicate, p.Attribute, why) }
	text := p.Op == OpContains || p.Op == OpStarts || p.Op == OpEnds
	switch {
	case p.Op < OpEqual || p.Op > OpPresent:
		return wrong("is compared by an unknown operator")
	case inside != (p.Attribute == AttrValue || p.Attribute == AttrPosition && inside):
		return wrong("does not belong there")
	case inside && p.Attribute == AttrPosition:
		if _, ok := position(p.Value); !ok || text {
			return wrong("is compared with no number")
		}
	case IsReference(p.Attribute):
		if p.Op != OpEqual && p.Op != OpNotEqual && p.Op != OpPresent {
			return wrong("is a reference, which has no order")
		}
	case p.Attribute == AttrActive:
		if p.Op != OpPresent && (p.Op != OpEqual && p.Op != OpNotEqual || p.Value != "true" && p.Value != "false") {
			return wrong("is true or false")
		}
	case p.Attribute == AttrCreated || p.Attribute == AttrModified:
		if text || p.Op != OpPresent && p.Time.IsZero() {
			return wrong("is an instant")
		}
	}
	return nil
}

// Key is text that equal predicates share and different ones do not.
func (p *Predicate) Key() string { return string(p.appendKey(nil)) }

func (p *Predicate) appendKey(b []byte) []byte {
	if p == nil {
		return append(b, '-')
	}
	b = fmt.Appendf(b, "(%d", p.Node)
	if p.Node == NodeCompare {
		b = fmt.Appendf(b, " %d %q %q %t %d.%d %q %q %t", p.Op, p.Attribute, p.Value, p.Exact,
			p.Time.Unix(), p.Time.Nanosecond(), p.Ref.Directory, p.Ref.Stable, p.Nested)
	} else if p.Node == NodeOneValue {
		b = fmt.Appendf(b, " %q", p.Attribute)
	}
	for _, of := range p.Of {
		b = of.appendKey(b)
	}
	return append(b, ')')
}
