package mapping

import (
	"time"

	"portico/adapter"
	"portico/scim/filter"
)

// instant turns a comparison of a time. The filter compares whole milliseconds, the directory what it stores, so the
// milliseconds become a range: t is in [v, v+1ms) exactly when its milliseconds are v's.
func instant(n *filter.Node, attribute string) (*adapter.Predicate, bool) {
	at := func(op adapter.Operator, t time.Time) *adapter.Predicate {
		return &adapter.Predicate{Node: adapter.NodeCompare, Attribute: attribute, Op: op, Time: t}
	}
	from := n.Value.Time.Truncate(time.Millisecond)
	next := from.Add(time.Millisecond)
	whole := from.Equal(n.Value.Time)
	switch n.Op {
	case filter.Eq:
		if !whole {
			return never(), true
		}
		return both(at(adapter.OpGreaterEqual, from), at(adapter.OpLess, next)), true
	case filter.Ne:
		if !whole {
			return nil, true
		}
		return not(both(at(adapter.OpGreaterEqual, from), at(adapter.OpLess, next))), true
	case filter.Gt:
		return at(adapter.OpGreaterEqual, next), true
	case filter.Le:
		return at(adapter.OpLess, next), true
	case filter.Ge:
		if !whole {
			from = next
		}
		return at(adapter.OpGreaterEqual, from), true
	case filter.Lt:
		if !whole {
			from = next
		}
		return at(adapter.OpLess, from), true
	}
	return nil, false
}
