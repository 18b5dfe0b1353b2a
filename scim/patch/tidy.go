package patch

import (
	"slices"

	"portico/scim/fault"
	"portico/scim/resource"
	"portico/scim/schema"
)

// Tidy puts a list of values in order: empty ones go, of equal ones (type and value) the first stays. The list is changed
// in place. Two values with primary true are a 400 invalidValue.
func Tidy(a *schema.Attribute, list []any) ([]any, error) {
	kept := list[:0]
	index := newIndex(a, nil, len(list))
	primaries := 0
	for _, value := range list {
		if !resource.Present(value) {
			continue
		}
		if index.find(kept, value) >= 0 {
			continue
		}
		if isPrimary(value) {
			if primaries++; primaries > 1 {
				return nil, fault.Bad(fault.InvalidValue, "%s: more than one value is primary", a.Name)
			}
		}
		index.add(value, len(kept))
		kept = append(kept, value)
	}
	clear(list[len(kept):])
	return kept, nil
}

// Solid drops the values of a list that hold nothing but marks, such as a type without a value.
func Solid(list []any) []any { return slices.DeleteFunc(list, hollow) }

// hollow tells whether an element holds nothing but marks.
func hollow(value any) bool {
	object, ok := value.(resource.Object)
	if !ok {
		return !resource.Present(value)
	}
	for name, part := range object {
		switch name {
		case "type", "primary", "display", "$ref":
		default:
			if resource.Present(part) {
				return false
			}
		}
	}
	return true
}

func isPrimary(value any) bool {
	object, ok := value.(resource.Object)
	return ok && object["primary"] == true
}

// onePrimary takes the mark from every element but the one that just got it.
func onePrimary(a *schema.Attribute, list []any, preferred []int) error {
	if len(preferred) == 0 {
		return nil
	}
	for _, at := range preferred[1:] {
		if at != preferred[0] {
			return fault.Bad(fault.InvalidValue, "%s: more than one value is primary", a.Name)
		}
	}
	for i, element := range list {
		if i != preferred[0] && isPrimary(element) {
			next := shallow(element.(resource.Object))
			next["primary"] = false
			list[i] = next
		}
	}
	return nil
}

// index finds values that are there already. Values with a part "value" are found by it, others by looking at each.
type index struct {
	a     *schema.Attribute
	byKey map[string][]int
	rest  []int
}

// newIndex indexes a list that is going to be asked about some values.
func newIndex(a *schema.Attribute, list []any, more int) *index {
	x := &index{a: a, byKey: make(map[string][]int, len(list)+more)}
	for i, value := range list {
		x.add(value, i)
	}
	return x
}

// key is what a value is found by, false when there is nothing to find it by.
func (x *index) key(value any) (string, bool) {
	leaf := x.a
	if object, ok := value.(resource.Object); ok {
		if leaf = x.a.Value(); leaf == nil {
			return "", false
		}
		value = object["value"]
	}
	text, ok := value.(string)
	return resource.Key(leaf, text), ok && text != ""
}

func (x *index) add(value any, at int) {
	if key, ok := x.key(value); ok {
		x.byKey[key] = append(x.byKey[key], at)
	} else {
		x.rest = append(x.rest, at)
	}
}

// find gives the place of a value that is the same, or -1.
func (x *index) find(list []any, value any) int {
	candidates := x.rest
	key, ok := x.key(value)
	if ok {
		candidates = x.byKey[key]
	}
	for _, at := range candidates {
		if x.same(list[at], value, ok) {
			return at
		}
	}
	return -1
}

// same compares two values whose keys are equal (keyed) or that have none.
func (x *index) same(old, value any, keyed bool) bool {
	a, isObject := old.(resource.Object)
	b, _ := value.(resource.Object)
	switch {
	case !isObject:
		return keyed || resource.Equal(old, value)
	case keyed:
		kind := x.a.Sub("type")
		if kind == nil {
			return true
		}
		one, _ := a["type"].(string)
		other, _ := b["type"].(string)
		if kind.Mutability != schema.ReadWrite && (one == "" || other == "") {
			return true // the server knows what it is
		}
		return resource.Key(kind, one) == resource.Key(kind, other)
	}
	return resource.Equal(comparable(a), comparable(b))
}
