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
		if index.find(value) >= 0 {
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
