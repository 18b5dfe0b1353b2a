package filter

import (
	"encoding/json"
	"strings"
	"time"

	"portico/scim/resource"
	"portico/scim/schema"
)

// Match says whether a resource satisfies the filter.
func (n *Node) Match(r *resource.Resource) bool {
	switch n.Kind {
	case And:
		for _, child := range n.Children {
			if !child.Match(r) {
				return false
			}
		}
		return true
	case Or:
		for _, child := range n.Children {
			if child.Match(r) {
				return true
			}
		}
		return false
	case Not:
		return !n.Children[0].Match(r)
	case Element:
		return n.matchAny(n.whole(r))
	}
	return n.matchValue(n.whole(r))
}

// MatchElement says whether one element of a multi-valued attribute satisfies a filter that was bound inside its
// brackets.
func (n *Node) MatchElement(element any) bool {
	switch n.Kind {
	case And:
		for _, child := range n.Children {
			if !child.MatchElement(element) {
				return false
			}
		}
		return true
	case Or:
		for _, child := range n.Children {
			if child.MatchElement(element) {
				return true
			}
		}
		return false
	case Not:
		return !n.Children[0].MatchElement(element)
	}
	return n.matchValue(element)
}

// whole gives the whole attribute that a comparison or a pair of brackets is about.
func (n *Node) whole(r *resource.Resource) any {
	switch {
	case n.Lacking:
		return nil
	case n.Path.Common:
		return n.common(r)
	}
	return resource.Get(r.Data, n.Path.Extension, n.Path.Attribute.Name)
}

// common gives the common attributes, as an answer would have them.
func (n *Node) common(r *resource.Resource) any {
	switch n.Path.Attribute.Name {
	case "id":
		return r.ID
	case "externalId":
		return r.Data["externalId"]
	case "schemas":
		var list []any
		for _, urn := range r.Schemas() {
			list = append(list, urn)
		}
		return list
	}
	meta := resource.Object{"resourceType": r.Type.Name, "version": resource.ETag(r.Version)}
	if !r.Created.IsZero() {
		meta["created"] = r.Created
	}
	if !r.Modified.IsZero() {
		meta["lastModified"] = r.Modified
	}
	if n.Path.Sub != nil && n.Path.Sub.Name == "location" {
		meta["location"] = resource.Location(n.base, r.Type, r.ID)
	}
	return meta
}

// matchAny evaluates brackets: one and the same element satisfies all of it.
func (n *Node) matchAny(value any) bool {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if resource.Present(element) && n.Children[0].MatchElement(element) {
				return true
			}
		}
		return false
	case resource.Object:
		return resource.Present(v) && n.Children[0].MatchElement(v)
	}
	return false
}

// matchValue evaluates a comparison on a whole attribute or on an element of one.
func (n *Node) matchValue(value any) bool {
	present, holds := n.scan(value)
	switch {
	case n.Op == Pr:
		return present
	case n.Value.Null:
		return present == (n.Op == Ne)
	case !present:
		return n.Op == Ne
	}
	return holds
}

// scan looks at every single value: is there any, and does any satisfy the comparison?
func (n *Node) scan(value any) (present, holds bool) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			p, h := n.scan(element)
			present, holds = present || p, holds || h
			if holds {
				return present, holds
			}
		}
		return present, holds
	case resource.Object:
		if n.Path.Sub != nil {
			return n.scan(v[n.Path.Sub.Name])
		}
		return resource.Present(v), false
	}
	if !resource.Present(value) {
		return false, false
	}
	return true, n.Op != Pr && !n.Value.Null && n.holds(value)
}

// holds compares one value.
func (n *Node) holds(value any) bool {
	leaf := n.Path.Leaf()
	switch v := value.(type) {
	case bool:
		return leaf.Kind == schema.Boolean && (v == n.Value.Bool) == (n.Op == Eq)
	case json.Number:
		number, ok := resource.ParseNumber(v.String())
		return ok && n.Value.Num != nil && ordered(n.Op, number.Cmp(n.Value.Num))
	case time.Time:
		return n.holdsTime(v)
	case string:
		if leaf.Kind != schema.DateTime {
			return n.holdsText(resource.Key(leaf, v))
		}
		if t, ok := resource.ParseTime(v); ok && n.Op != Co && n.Op != Sw && n.Op != Ew {
			return ordered(n.Op, t.Compare(n.Value.Time)) // as exact as it is stored, and shown
		}
		return n.holdsText(v)
	}
	return false
}

// holdsTime compares instants to the millisecond, which is what answers show; parts of a time are compared as text.
func (n *Node) holdsTime(t time.Time) bool {
	if n.Op == Co || n.Op == Sw || n.Op == Ew {
		return n.holdsText(resource.FormatTime(t))
	}
	return ordered(n.Op, t.Truncate(time.Millisecond).Compare(n.Value.Time))
}

func (n *Node) holdsText(text string) bool {
	switch n.Op {
	case Co:
		return strings.Contains(text, n.Value.Key)
	case Sw:
		return strings.HasPrefix(text, n.Value.Key)
	case Ew:
		return strings.HasSuffix(text, n.Value.Key)
	}
	return ordered(n.Op, strings.Compare(text, n.Value.Key))
}

// ordered turns the outcome of a comparison into that of an operator.
func ordered(op Op, order int) bool {
	switch op {
	case Eq:
		return order == 0
	case Ne:
		return order != 0
	case Gt:
		return order > 0
	case Ge:
		return order >= 0
	case Lt:
		return order < 0
	case Le:
		return order <= 0
	}
	return false
}
