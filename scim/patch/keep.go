package patch

import (
	"portico/scim/fault"
	"portico/scim/resource"
	"portico/scim/schema"
)

// each calls a function for every attribute of a type's schemas; extension is "" for the core schema.
func each(t *schema.Type, visit func(extension string, a *schema.Attribute) error) error {
	for _, s := range t.Schemas() {
		extension := s.ID
		if s == t.Core {
			extension = ""
		}
		for _, a := range s.Attributes {
			if err := visit(extension, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep puts back what no client can take away, whichever way an operation went about it, and refuses to change what is
// set for good. The error is a 400 mutability.
func keep(t *schema.Type, current, next resource.Object) error {
	return each(t, func(extension string, a *schema.Attribute) error {
		if a.Mutability != schema.ReadOnly && a.Mutability != schema.Immutable {
			return nil
		}
		old := resource.Get(current, extension, a.Name)
		switch {
		case !resource.Present(old) || resource.Equal(old, resource.Get(next, extension, a.Name)):
		case a.Mutability == schema.ReadOnly:
			resource.Set(next, extension, a.Name, old)
		default:
			return fault.Bad(fault.Mutability, "%s cannot be changed", schema.Path{Extension: extension, Attribute: a})
		}
		return nil
	})
}

// same tells whether two states are the same for a client: parts that the server fills in do not count.
func same(t *schema.Type, current, next resource.Object) bool {
	if !resource.Equal(current["externalId"], next["externalId"]) {
		return false
	}
	different := fault.Bad("", "different")
	return each(t, func(extension string, a *schema.Attribute) error {
		old, set := resource.Get(current, extension, a.Name), resource.Get(next, extension, a.Name)
		if a.Kind == schema.Complex && !resource.Equal(old, set) {
			old, set = written(a, old), written(a, set)
			oldKind, setKind := kindsLeftOut(a, old), kindsLeftOut(a, set)
			if oldKind || setKind {
				old, set = without(old, "type"), without(set, "type")
			}
		}
		if !resource.Equal(old, set) {
			return different
		}
		return nil
	}) == nil
}

// written gives a complex value without the parts that the server fills in.
func written(a *schema.Attribute, value any) any {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = written(a, element)
		}
		return list
	case resource.Object:
		parts := make(resource.Object, len(v))
		for name, part := range v {
			if sub := a.Sub(name); name != "$ref" && (sub == nil || sub.Mutability != schema.ReadOnly) {
				parts[name] = part
			}
		}
		return parts
	}
	return value
}

// kindsLeftOut tells whether a client left out the type of a value whose type the server knows.
func kindsLeftOut(a *schema.Attribute, value any) bool {
	kind := a.Sub("type")
	if kind == nil || kind.Mutability == schema.ReadWrite {
		return false
	}
	list, _ := value.([]any)
	for _, element := range list {
		if object, ok := element.(resource.Object); ok && !resource.Present(object["type"]) {
			return true
		}
	}
	return false
}

// without gives a list whose elements, which are nobody else's, lack a part.
func without(value any, part string) any {
	list, _ := value.([]any)
	for _, element := range list {
		if object, ok := element.(resource.Object); ok {
			delete(object, part)
		}
	}
	return value
}
