package directory

import (
	"strconv"
	"strings"
	"time"
)

// Match tells whether an entry satisfies the predicate. ask answers the
// comparisons about what an entry does not hold itself: AttrActive and the
// references.
func (p *Predicate) Match(e *Entry, ask func(*Predicate) bool) bool {
	if p == nil {
		return true
	}
	switch p.Node {
	case NodeAnd:
		for _, part := range p.Of {
			if !part.Match(e, ask) {
				return false
			}
		}
		return true
	case NodeOr:
		for _, part := range p.Of {
			if part.Match(e, ask) {
				return true
			}
		}
		return false
	case NodeNot:
		return !p.Of[0].Match(e, ask)
	case NodeOneValue:
		at := 0
		for _, v := range e.Attributes[p.Attribute] {
			if v == "" {
				continue
			}
			if p.Of[0].matchValue(v, at) {
				return true
			}
			at++
		}
		return false
	}
	switch p.Attribute {
	case AttrActive, AttrMember, AttrGroup, AttrManager, AttrOwner:
		return ask(p)
	case AttrCreated:
		return p.MatchTime(e.Created)
	case AttrModified:
		return p.MatchTime(e.Modified)
	case AttrID:
		return p.matchText(e.ID.Stable)
	case AttrDirectory:
		return p.matchText(e.ID.Directory)
	case AttrLogin:
		if e.Kind == KindPerson {
			return p.matchText(e.Login)
		}
		return p.matchText(strings.TrimSpace(e.Name))
	}
	return p.matchText(e.Attributes[p.Attribute]...)
}

// matchValue is Match below NodeOneValue.
func (p *Predicate) matchValue(value string, at int) bool {
	if p == nil {
		return true
	}
	switch p.Node {
	case NodeAnd, NodeOr:
		all := p.Node == NodeAnd
		for _, part := range p.Of {
			if part.matchValue(value, at) != all {
				return !all
			}
		}
		return all
	case NodeNot:
		return !p.Of[0].matchValue(value, at)
	}
	if p.Attribute == AttrPosition {
		n, ok := position(p.Value)
		return p.Op == OpPresent || ok && p.Op.holds(at-n)
	}
	return p.matchText(value)
}

// position reads a decimal number.
func position(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= -1<<31 && n < 1<<31
}

// matchText compares text: any of the values, as the predicate's comment says.
func (p *Predicate) matchText(values ...string) bool {
	want := p.Value
	if !p.Exact {
		want = Fold(want)
	}
	absent := true
	for _, v := range values {
		if v == "" {
			continue
		}
		absent = false
		if p.Op == OpPresent {
			return true
		}
		if !p.Exact {
			v = Fold(v)
		}
		if p.Op.text(v, want) {
			return true
		}
	}
	return absent && p.Op == OpNotEqual
}

func (o Operator) text(v, want string) bool {
	switch o {
	case OpContains:
		return strings.Contains(v, want)
	case OpStarts:
		return strings.HasPrefix(v, want)
	case OpEnds:
		return strings.HasSuffix(v, want)
	}
	return o.holds(strings.Compare(v, want))
}

// holds tells whether an order satisfies the operator: below 0, 0 or above 0 for
// a value that is less than the one asked for, equal or greater.
func (o Operator) holds(order int) bool {
	switch o {
	case OpEqual:
		return order == 0
	case OpNotEqual:
		return order != 0
	case OpGreater:
		return order > 0
	case OpGreaterEqual:
		return order >= 0
	case OpLess:
		return order < 0
	case OpLessEqual:
		return order <= 0
	}
	return false
}

// MatchTime compares one instant with the predicate's; zero is absent.
func (p *Predicate) MatchTime(t time.Time) bool {
	if t.IsZero() {
		return p.Op == OpNotEqual
	}
	return p.Op == OpPresent || p.Op.holds(t.Compare(p.Time))
}
