// Package patch computes what a resource is after PATCH (RFC 7644 section 3.5.2) or PUT. It is pure: operations that are
// already tied to the schema go in, with the attributes of a resource, and new attributes come out. All operations
// succeed or none does; what was handed in is never changed.
//
// Package normal makes the operations out of what clients send.
package patch

import (
	"maps"
	"slices"

	"portico/scim/fault"
	"portico/scim/filter"
	"portico/scim/resource"
	"portico/scim/schema"
)

// MaxOperations is the most operations of one request.
const MaxOperations = 1000

// Op is what an operation does.
type Op uint8

// The operations.
const (
	Add Op = iota + 1
	Replace
	Remove
)

// Operation is one step, tied to the schema.
type Operation struct {
	Op     Op
	Path   schema.Path
	Filter *filter.Node // of the brackets behind the attribute; nil: none
	// Value is canonical: a list for a whole multi-valued attribute, else what the schema says. nil is no value.
	Value any
	// Listed says that a removal names the values it is about; without it, it is about all of them.
	Listed bool
}

// Options tell how clients are met.
type Options struct {
	// ReplaceCreates makes replace behave as add where brackets match nothing.
	ReplaceCreates bool
}

// Apply computes the attributes after the operations, and whether anything is different. Errors: 400 noTarget,
// mutability, invalidValue.
func Apply(t *schema.Type, current resource.Object, operations []Operation, options Options) (resource.Object, bool, error) {
	e := engine{options: options, data: shallow(current), lists: map[*schema.Attribute]*list{}}
	for i := range operations {
		if err := e.apply(&operations[i]); err != nil {
			return nil, false, err
		}
	}
	if err := e.finish(); err != nil {
		return nil, false, err
	}
	if err := keep(t, current, e.data); err != nil {
		return nil, false, err
	}
	if same(t, current, e.data) {
		return current, false, nil
	}
	if err := Complete(t, e.data); err != nil {
		return nil, false, err
	}
	return e.data, true, nil
}

// finish puts the lists back, without elements that the operations left with nothing but their marks.
func (e *engine) finish() error {
	for _, l := range e.lists {
		values := l.compact()
		if slices.ContainsFunc(values, hollow) {
			if err := l.reset(Solid(values)); err != nil {
				return err
			}
		}
		if values = l.values; len(values) == 0 {
			e.set(l.path, nil)
		} else {
			e.set(l.path, values)
		}
	}
	return nil
}

// Complete says what is required and not there, but for what clients cannot write. The error is a 400 invalidValue.
func Complete(t *schema.Type, data resource.Object) error {
	for _, e := range t.Extensions {
		if e.Required && !resource.Present(data[e.Schema.ID]) {
			return fault.Bad(fault.InvalidValue, "%s is required", e.Schema.ID)
		}
	}
	return each(t, func(extension string, a *schema.Attribute) error {
		if a.Mutability == schema.ReadOnly || extension != "" && data[extension] == nil {
			return nil
		}
		path, value := schema.Path{Extension: extension, Attribute: a}, resource.Get(data, extension, a.Name)
		if a.Required && !resource.Present(value) {
			return fault.Bad(fault.InvalidValue, "%s is required", path)
		}
		for _, sub := range a.Subs {
			if sub.Required && sub.Mutability != schema.ReadOnly && lacks(value, sub.Name) {
				path.Sub = sub
				return fault.Bad(fault.InvalidValue, "%s is required", path)
			}
		}
		return nil
	})
}

// lacks tells whether a complex value, or one of several, has no such part.
func lacks(value any, part string) bool {
	switch v := value.(type) {
	case []any:
		return slices.ContainsFunc(v, func(element any) bool { return lacks(element, part) })
	case resource.Object:
		return !resource.Present(v[part])
	}
	return false
}

// Put computes the attributes after PUT: what the client may write is replaced by what it sent, what is readOnly stays,
// and so does active when it was left out. Error: 400 mutability for an immutable attribute that would change.
func Put(t *schema.Type, current, sent resource.Object) (resource.Object, bool, error) {
	next := shallow(sent)
	keep := func(extension string, a *schema.Attribute) error {
		old := resource.Get(current, extension, a.Name)
		set := resource.Get(sent, extension, a.Name)
		switch {
		case a.Mutability == schema.ReadOnly,
			a.Name == "active" && extension == "" && !resource.Present(set):
			resource.Set(next, extension, a.Name, old)
		case a.Mutability == schema.Immutable && resource.Present(old):
			if resource.Present(set) && !resource.Equal(old, set) {
				return fault.Bad(fault.Mutability, "%s cannot be changed", a.Name)
			}
			resource.Set(next, extension, a.Name, old)
		}
		return nil
	}
	if err := each(t, keep); err != nil {
		return nil, false, err
	}
	if err := Complete(t, next); err != nil {
		return nil, false, err
	}
	return next, !same(t, current, next), nil
}

func shallow(o resource.Object) resource.Object {
	clone := make(resource.Object, len(o)+4)
	maps.Copy(clone, o)
	return clone
}

// engine carries the state through the operations. Attributes with several values are kept apart until the end, so
// that a thousand operations on one of them copy and index its list once.
type engine struct {
	options Options
	data    resource.Object
	lists   map[*schema.Attribute]*list
	spent   int
}

func (e *engine) get(p schema.Path) any { return resource.Get(e.data, p.Extension, p.Attribute.Name) }

func (e *engine) set(p schema.Path, value any) {
	resource.Set(e.data, p.Extension, p.Attribute.Name, value)
}

func (e *engine) apply(o *Operation) error {
	if o.Path.Attribute == nil {
		return e.removeExtension(o.Path)
	}
	if err := writable(o); err != nil {
		return err
	}
	if o.Path.Attribute.Multi {
		return e.applyMulti(o)
	}
	return e.applySingle(o)
}

// writable refuses what no client may write.
func writable(o *Operation) error {
	leaf := o.Path.Leaf()
	switch {
	case o.Path.Attribute.Mutability == schema.ReadOnly || leaf.Mutability == schema.ReadOnly:
		return fault.Bad(fault.Mutability, "%s is read-only", o.Path)
	case o.Op == Remove && leaf.Required && o.Path.Sub == nil && o.Filter == nil && !o.Listed,
		o.Op == Remove && leaf.Required && o.Path.Sub != nil:
		return fault.Bad(fault.Mutability, "%s is required", o.Path)
	case o.Op == Remove && o.Path.Sub != nil && leaf.Mutability == schema.Immutable:
		return fault.Bad(fault.Mutability, "%s cannot be changed", o.Path)
	}
	return nil
}

func (e *engine) removeExtension(p schema.Path) error {
	delete(e.data, p.Extension)
	for _, l := range e.lists {
		if l.path.Extension == p.Extension {
			l.values, l.holes, l.index = nil, 0, nil
		}
	}
	return nil
}

// applySingle works on an attribute with one value.
func (e *engine) applySingle(o *Operation) error {
	a, old := o.Path.Attribute, e.get(o.Path)
	if a.Kind != schema.Complex {
		return e.assign(o.Path, a, old, o.Value)
	}
	object, _ := old.(resource.Object)
	if o.Filter != nil && (object == nil || !o.Filter.MatchElement(object)) {
		if o.Op == Remove {
			return nil
		}
		return noTarget(o)
	}
	if o.Op == Remove && o.Path.Sub == nil {
		return e.assign(o.Path, a, old, nil)
	}
	next := shallow(object)
	given, _ := o.Value.(resource.Object)
	if o.Path.Sub != nil {
		given = resource.Object{o.Path.Sub.Name: o.Value}
	}
	if err := merge(a, next, given); err != nil {
		return err
	}
	if a.Mutability == schema.Immutable && resource.Present(old) && !resource.Equal(old, next) {
		return fault.Bad(fault.Mutability, "%s cannot be changed", o.Path)
	}
	e.set(o.Path, next)
	return nil
}

// assign sets or removes a whole attribute.
func (e *engine) assign(p schema.Path, a *schema.Attribute, old, value any) error {
	if !resource.Present(value) && a.Required {
		return fault.Bad(fault.InvalidValue, "%s is required", p)
	}
	if a.Mutability == schema.Immutable && resource.Present(old) && !resource.Equal(old, value) {
		return fault.Bad(fault.Mutability, "%s cannot be changed", p)
	}
	e.set(p, value)
	return nil
}

// merge sets the given parts of a complex value and leaves the others.
func merge(a *schema.Attribute, into, given resource.Object) error {
	for name, value := range given {
		sub := a.Sub(name)
		if sub == nil {
			continue
		}
		if sub.Mutability == schema.Immutable && resource.Present(into[name]) && !resource.Equal(into[name], value) {
			return fault.Bad(fault.Mutability, "%s.%s cannot be changed", a.Name, name)
		}
		if resource.Present(value) {
			into[name] = value
		} else {
			delete(into, name)
		}
	}
	return nil
}

func noTarget(o *Operation) error {
	return fault.Bad(fault.NoTarget, "nothing in %s is what the brackets ask for", o.Path.Attribute.Name)
}
