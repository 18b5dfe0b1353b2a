package patch

import (
	"maps"
	"slices"

	"portico/scim/fault"
	"portico/scim/filter"
	"portico/scim/resource"
	"portico/scim/schema"
)

// own gives the list of a multi-valued attribute as one that may be changed in place. Its elements may not.
func (e *engine) own(p schema.Path) []any {
	list, _ := e.get(p).([]any)
	if mine, ok := e.lists[p.Attribute]; ok && len(list) > 0 && len(mine.list) == len(list) && &mine.list[0] == &list[0] {
		return list
	}
	return slices.Clone(list)
}

// store sets the list of a multi-valued attribute.
func (e *engine) store(p schema.Path, list []any) error {
	if len(list) == 0 && p.Attribute.Required {
		return fault.Bad(fault.InvalidValue, "%s is required", p)
	}
	e.lists[p.Attribute] = owned{path: p, list: list}
	if len(list) == 0 {
		e.set(p, nil)
		return nil
	}
	if p.Extension == "" {
		e.data[p.Attribute.Name] = list // known to be there: nothing to look through
		return nil
	}
	e.set(p, list)
	return nil
}

// applyMulti works on an attribute with several values.
func (e *engine) applyMulti(o *Operation) error {
	switch {
	case o.Filter != nil || o.Path.Sub != nil:
		return e.applyMatching(o)
	case o.Op == Remove && !o.Listed:
		return e.store(o.Path, nil)
	}
	values, _ := o.Value.([]any)
	switch o.Op {
	case Remove:
		return e.removeListed(o, values)
	case Replace:
		list, err := Tidy(o.Path.Attribute, slices.Clone(values))
		if err != nil {
			return err
		}
		return e.store(o.Path, list)
	}
	return e.append(o.Path, values)
}

// append adds values that are not there yet.
func (e *engine) append(p schema.Path, values []any) error {
	if len(values) == 0 {
		return nil
	}
	values, err := Tidy(p.Attribute, slices.Clone(values))
	if err != nil {
		return err
	}
	list := e.own(p)
	index := newIndex(p.Attribute, list, len(values))
	var preferred []int
	for _, value := range values {
		at := index.find(list, value)
		switch element, isObject := value.(resource.Object); {
		case at < 0:
			at = len(list)
			list = append(list, value)
			index.add(value, at)
		case isObject:
			next := shallow(list[at].(resource.Object))
			if err := merge(p.Attribute, next, extra(p.Attribute, element, next)); err != nil {
				return err
			}
			list[at] = next
		}
		if isPrimary(value) {
			preferred = append(preferred, at)
		}
	}
	if err := onePrimary(p.Attribute, list, preferred); err != nil {
		return err
	}
	return e.store(p, list)
}

// extra are the parts of an element that is there already which can still be merged into it: not what others fill in,
// and not what would change a part that is set for good.
func extra(a *schema.Attribute, given, old resource.Object) resource.Object {
	more := resource.Object{}
	for name, value := range given {
		sub := a.Sub(name)
		if name == "display" || name == "$ref" || sub == nil || sub.Mutability == schema.Immutable || !resource.Present(value) {
			continue
		}
		if name == "value" && resource.Present(old[name]) {
			continue // the same but for letter case
		}
		more[name] = value
	}
	return more
}

// removeListed drops the values that the request lists, never more.
func (e *engine) removeListed(o *Operation, values []any) error {
	a := o.Path.Attribute
	drop := make([]func(any) bool, 0, len(values))
	keys := map[string]bool{}
	for _, value := range values {
		element, isObject := value.(resource.Object)
		switch {
		case !isObject:
			drop = append(drop, func(other any) bool { return resource.Equal(value, other) })
		case resource.Present(element["value"]) && a.Value() != nil:
			text, _ := element["value"].(string)
			keys[resource.Key(a.Value(), text)] = true
		default:
			wanted := comparable(element)
			if len(wanted) == 0 {
				return fault.Bad(fault.InvalidValue, "%s: a value to remove says nothing about itself", o.Path)
			}
			drop = append(drop, func(other any) bool { return covers(other, wanted) })
		}
	}
	gone := func(element any) bool {
		if object, ok := element.(resource.Object); ok && len(keys) > 0 {
			if text, ok := object["value"].(string); ok && keys[resource.Key(a.Value(), text)] {
				return true
			}
		}
		return slices.ContainsFunc(drop, func(is func(any) bool) bool { return is(element) })
	}
	return e.drop(o.Path, gone)
}

// drop removes the elements that are gone; without any, nothing changes.
func (e *engine) drop(p schema.Path, gone func(any) bool) error {
	list, _ := e.get(p).([]any)
	if !slices.ContainsFunc(list, gone) {
		return nil
	}
	return e.store(p, slices.DeleteFunc(e.own(p), gone))
}

// comparable leaves out what the server fills in.
func comparable(element resource.Object) resource.Object {
	wanted := resource.Object{}
	for name, value := range element {
		if name != "display" && name != "$ref" && resource.Present(value) {
			wanted[name] = value
		}
	}
	return wanted
}

// covers tells whether an element has all the wanted parts.
func covers(element any, wanted resource.Object) bool {
	object, ok := element.(resource.Object)
	if !ok {
		return false
	}
	for name, value := range wanted {
		if !resource.Equal(object[name], value) {
			return false
		}
	}
	return true
}

// applyMatching works on the elements that the brackets match; without brackets, on all.
func (e *engine) applyMatching(o *Operation) error {
	a := o.Path.Attribute
	matches := func(element any) bool { return o.Filter == nil || o.Filter.MatchElement(element) }
	if o.Op == Remove && o.Path.Sub == nil {
		return e.drop(o.Path, matches)
	}
	list := e.own(o.Path)
	found, preferred := 0, []int(nil)
	for i, element := range list {
		object, ok := element.(resource.Object)
		if !ok || !matches(element) {
			continue
		}
		found++
		next, err := changed(o, object)
		if err != nil {
			return err
		}
		list[i] = next
		if isPrimary(next) && marks(o) {
			preferred = append(preferred, i)
		}
	}
	if found == 0 {
		if o.Op == Remove {
			return nil
		}
		return e.create(o)
	}
	if err := onePrimary(a, list, preferred); err != nil {
		return err
	}
	list, err := Tidy(a, list)
	if err != nil {
		return err
	}
	return e.store(o.Path, list)
}

// marks tells whether an operation itself makes values primary.
func marks(o *Operation) bool {
	if o.Path.Sub != nil {
		return o.Path.Sub.Name == "primary"
	}
	return isPrimary(o.Value)
}

// changed gives a matched element as the operation leaves it.
func changed(o *Operation, object resource.Object) (resource.Object, error) {
	a := o.Path.Attribute
	next := shallow(object)
	given, _ := o.Value.(resource.Object)
	switch {
	case o.Path.Sub != nil && o.Op == Remove:
		delete(next, o.Path.Sub.Name)
		return next, nil
	case o.Path.Sub != nil:
		given = resource.Object{o.Path.Sub.Name: o.Value}
	case o.Op == Replace:
		// What the brackets found the element by stays, where the new value does not say otherwise.
		next = resource.Object{}
		terms, _ := equalities(o.Filter)
		maps.Copy(next, terms)
		for _, sub := range a.Subs {
			if sub.Mutability == schema.Immutable && resource.Present(object[sub.Name]) {
				next[sub.Name] = object[sub.Name]
			}
		}
	}
	return next, merge(a, next, given)
}

// create makes the element that brackets without a match ask for, where they say what it looks like.
func (e *engine) create(o *Operation) error {
	terms, ok := equalities(o.Filter)
	if !ok || o.Op == Replace && o.Filter != nil && !e.options.ReplaceCreates {
		return noTarget(o)
	}
	given, _ := o.Value.(resource.Object)
	if o.Path.Sub != nil {
		given = resource.Object{o.Path.Sub.Name: o.Value}
	}
	if !resource.Present(given) {
		return nil // an element of nothing
	}
	element := resource.Object{}
	for _, from := range []resource.Object{terms, given} {
		if err := merge(o.Path.Attribute, element, from); err != nil {
			return err
		}
	}
	return e.append(o.Path, []any{element})
}

// equalities gives the parts that a filter fixes, when it is made of nothing but eq joined by and.
func equalities(n *filter.Node) (resource.Object, bool) {
	terms := resource.Object{}
	if n == nil {
		return terms, true
	}
	switch n.Kind {
	case filter.And:
		for _, child := range n.Children {
			more, ok := equalities(child)
			if !ok {
				return nil, false
			}
			for name, value := range more {
				if old, there := terms[name]; there && !resource.Equal(old, value) {
					return nil, false
				}
				terms[name] = value
			}
		}
		return terms, true
	case filter.Compare:
		if n.Op != filter.Eq || n.Value.Null || n.Path.Sub == nil {
			return nil, false
		}
		switch n.Path.Sub.Kind {
		case schema.Boolean:
			terms[n.Path.Sub.Name] = n.Value.Bool
		case schema.Integer, schema.Decimal:
			return nil, false
		default:
			terms[n.Path.Sub.Name] = n.Value.Text
		}
		return terms, true
	}
	return nil, false
}
