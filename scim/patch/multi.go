package patch

import (
	"slices"

	"portico/scim/fault"
	"portico/scim/filter"
	"portico/scim/resource"
	"portico/scim/schema"
)

// applyMulti works on an attribute with several values.
func (e *engine) applyMulti(o *Operation) error {
	switch {
	case o.Filter != nil || o.Path.Sub != nil:
		return e.applyMatching(o)
	case o.Op == Remove && !o.Listed:
		return e.own(o.Path).reset(nil)
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
		return e.own(o.Path).reset(list)
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
	l := e.own(p)
	index, err := e.indexed(l)
	if err != nil {
		return err
	}
	var preferred []int
	for _, value := range values {
		at := index.find(value)
		switch element, isObject := value.(resource.Object); {
		case at < 0:
			at = len(l.values)
			l.values = append(l.values, value)
			index.add(value, at)
		case isObject:
			next := shallow(l.values[at].(resource.Object))
			if err := merge(p.Attribute, next, extra(p.Attribute, element, next)); err != nil {
				return err
			}
			l.values[at] = next
		}
		if isPrimary(value) {
			preferred = append(preferred, at)
		}
	}
	return e.prefer(l, preferred)
}

// prefer takes the mark from every element but the one that just got it.
func (e *engine) prefer(l *list, preferred []int) error {
	if len(preferred) == 0 {
		return nil
	}
	l.index = nil // marks are part of what some elements are found by
	if err := e.spend(len(l.values)); err != nil {
		return err
	}
	return onePrimary(l.path.Attribute, l.values, preferred)
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
	a, l := o.Path.Attribute, e.own(o.Path)
	var keys []string
	var others []resource.Object
	for _, value := range values {
		element, isObject := value.(resource.Object)
		text, _ := element["value"].(string)
		switch {
		case !isObject:
			keys = append(keys, keyOf(a, value))
		case text != "" && a.Value() != nil:
			keys = append(keys, valueKey(a.Value(), text))
		default:
			wanted := comparable(element)
			if len(wanted) == 0 {
				return fault.Bad(fault.InvalidValue, "%s: a value to remove says nothing about itself", o.Path)
			}
			others = append(others, wanted)
		}
	}
	if len(others) == 0 && byValue(a) {
		return e.removeKeys(l, keys)
	}
	known := make(map[string]bool, len(keys))
	for _, key := range keys {
		known[key] = true
	}
	return e.drop(l, 1+len(others), func(element any) bool {
		object, _ := element.(resource.Object)
		text, _ := object["value"].(string)
		return text != "" && known[valueKey(a.Value(), text)] ||
			slices.ContainsFunc(others, func(wanted resource.Object) bool { return covers(element, wanted) })
	})
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
	a, l := o.Path.Attribute, e.own(o.Path)
	matches := func(element any) bool { return o.Filter == nil || o.Filter.MatchElement(element) }
	if o.Op == Remove && o.Path.Sub == nil {
		if keys, ok := keysOf(o.Filter, a); ok && byValue(a) {
			return e.removeKeys(l, keys)
		}
		return e.drop(l, terms(o.Filter), matches)
	}
	list := l.compact()
	if err := e.spend(len(list) * (2 + terms(o.Filter))); err != nil {
		return err
	}
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
	return l.reset(list)
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
		for name := range terms {
			next[name] = object[name]
		}
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
