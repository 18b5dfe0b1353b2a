package normal

import (
	"slices"
	"strings"

	"portico/scim/fault"
	"portico/scim/filter"
	"portico/scim/patch"
	"portico/scim/resource"
	"portico/scim/schema"
)

// PatchOp is the URN of PATCH requests.
const PatchOp = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// Patched is a PATCH request as the engine wants it.
type Patched struct {
	Operations []patch.Operation
	// Ignored are names in values without path that mean nothing here; for the log.
	Ignored []string
}

// Patch reads the body of PATCH. Errors: 400 invalidSyntax for the envelope, invalidPath, invalidFilter, invalidValue,
// noTarget for a removal without path, mutability for what a strict client may not name.
func Patch(body resource.Object, t *schema.Type, p Profile, limits filter.Limits) (*Patched, error) {
	if err := Message(body, PatchOp); err != nil {
		return nil, err
	}
	list, ok := Member(body, "Operations").([]any)
	switch {
	case !ok || len(list) == 0:
		return nil, fault.Bad(fault.InvalidSyntax, "Operations must be a list of one operation or more")
	case len(list) > patch.MaxOperations:
		return nil, fault.New(413, "", "more than %d operations", patch.MaxOperations)
	}
	n := patcher{
		reader: reader{t: t, strings: p != Strict, plain: p != Strict, strict: p == Strict},
		limits: limits, result: &Patched{},
	}
	for i, element := range list {
		object, ok := element.(resource.Object)
		if !ok {
			return nil, fault.Bad(fault.InvalidSyntax, "operation %d is not an object", i+1)
		}
		if err := n.operation(object); err != nil {
			refusal := *fault.Of(err)
			refusal.Detail = "operation " + itoa(i+1) + ": " + refusal.Detail
			return nil, &refusal
		}
	}
	return n.result, nil
}

func itoa(n int) string {
	digits := []byte{}
	for ; n > 0; n /= 10 {
		digits = append(digits, byte('0'+n%10))
	}
	slices.Reverse(digits)
	return string(digits)
}

type patcher struct {
	reader
	limits filter.Limits
	result *Patched
}

// operation reads one operation, which may come to several.
func (n *patcher) operation(object resource.Object) error {
	word, _ := Member(object, "op").(string)
	var op patch.Op
	switch strings.ToLower(word) {
	case "add":
		op = patch.Add
	case "replace":
		op = patch.Replace
	case "remove":
		op = patch.Remove
	default:
		return fault.Bad(fault.InvalidSyntax, "op %q: want add, remove or replace", fault.Clip(word))
	}
	value, hasValue := member(object, "value")
	pathValue, hasPath := member(object, "path")
	path, isText := pathValue.(string)
	switch {
	case hasPath && pathValue != nil && !isText:
		return fault.Bad(fault.InvalidPath, "path is not text")
	case op != patch.Remove && !hasValue:
		return fault.Bad(fault.InvalidValue, "value is missing")
	case path != "":
		return n.withPath(op, path, value, hasValue)
	case op == patch.Remove:
		return fault.Bad(fault.NoTarget, "a removal needs a path")
	}
	members, ok := value.(resource.Object)
	if !ok {
		return fault.Bad(fault.InvalidValue, "without a path, value is an object of attributes")
	}
	return n.members(op, members, nil)
}

// members reads a value without path: every member is an operation of its own. They are taken in the order of their
// names, so that the outcome does not depend on chance.
func (n *patcher) members(op patch.Op, members resource.Object, extension *schema.Schema) error {
	for _, name := range sortedNames(members) {
		value := members[name]
		if extension == nil {
			if inner := n.t.Extension(name); inner != nil {
				if err := n.wholeExtension(op, inner, value); err != nil {
					return err
				}
				continue
			}
		}
		full := name
		if extension != nil {
			full = extension.ID + ":" + name
		}
		if err := n.member(op, full, value); err != nil {
			return err
		}
	}
	return nil
}

func sortedNames(o resource.Object) []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// member reads one member of a value without path.
func (n *patcher) member(op patch.Op, name string, value any) error {
	if err := filter.Check(name, n.limits); err != nil {
		return err
	}
	path, known := n.t.Lookup(name)
	switch {
	case strings.Contains(name, "["):
		return n.withPath(op, name, value, true)
	case !known || path.Attribute == nil:
		if n.strict {
			return fault.Bad(fault.InvalidPath, "there is no attribute %q", fault.Clip(name))
		}
		n.ignore(fault.Clip(name))
		return nil
	case path.Leaf().Mutability == schema.ReadOnly || path.Attribute.Mutability == schema.ReadOnly:
		if n.strict {
			return fault.Bad(fault.Mutability, "%s is read-only", path)
		}
		n.ignore(path.String())
		return nil
	}
	return n.assign(op, path, nil, value)
}

// ignore writes down the first names that mean nothing.
func (n *patcher) ignore(name string) {
	if len(n.result.Ignored) < 20 {
		n.result.Ignored = append(n.result.Ignored, name)
	}
}

// wholeExtension reads the value of a bare URN.
func (n *patcher) wholeExtension(op patch.Op, s *schema.Schema, value any) error {
	if !resource.Present(value) {
		return n.removeExtension(op, s)
	}
	inner, ok := value.(resource.Object)
	if !ok {
		return fault.Bad(fault.InvalidValue, "%s: want an object", s.ID)
	}
	return n.members(op, inner, s)
}

// removeExtension removes all of an extension. To add nothing changes nothing.
func (n *patcher) removeExtension(op patch.Op, s *schema.Schema) error {
	if op == patch.Add {
		return nil
	}
	for _, e := range n.t.Extensions {
		if e.Schema == s && e.Required {
			return fault.Bad(fault.Mutability, "%s is required", s.ID)
		}
	}
	n.add(patch.Operation{Op: patch.Remove, Path: schema.Path{Extension: s.ID}})
	return nil
}

func (n *patcher) add(o patch.Operation) { n.result.Operations = append(n.result.Operations, o) }

// withPath reads an operation with a path.
func (n *patcher) withPath(op patch.Op, text string, value any, hasValue bool) error {
	parsed, err := filter.ParsePath(text, n.limits)
	if err != nil {
		return err
	}
	path, known := n.t.Lookup(parsed.Name)
	switch {
	case !known || path.Attribute == nil && path.Extension == "":
		return fault.Bad(fault.InvalidPath, "there is no attribute %q", fault.Clip(parsed.Name))
	case path.Attribute == nil:
		return n.bare(op, parsed, path.Extension, value)
	}
	var node *filter.Node
	if parsed.Filter != nil {
		if path.Sub != nil || path.Attribute.Kind != schema.Complex {
			return fault.Bad(fault.InvalidPath, "%s has no parts that brackets could be about", path)
		}
		if node, err = filter.Bind(parsed.Filter, n.t, filter.Options{Element: path, Lenient: !n.strict}); err != nil {
			return err
		}
		if parsed.Sub != "" {
			if path.Sub = path.Attribute.Sub(parsed.Sub); path.Sub == nil {
				return fault.Bad(fault.InvalidPath, "%s has no part %q", path, fault.Clip(parsed.Sub))
			}
		}
	}
	if path.Leaf().Mutability == schema.ReadOnly || path.Attribute.Mutability == schema.ReadOnly {
		return fault.Bad(fault.Mutability, "%s is read-only", path)
	}
	if op == patch.Remove {
		return n.remove(path, node, value, hasValue)
	}
	return n.assign(op, path, node, value)
}

// bare reads an operation whose path is the URN of an extension.
func (n *patcher) bare(op patch.Op, parsed filter.Path, urn string, value any) error {
	s := n.t.Extension(urn)
	switch {
	case parsed.Filter != nil:
		return fault.Bad(fault.InvalidPath, "%s has no values that brackets could choose from", urn)
	case op == patch.Remove:
		return n.removeExtension(op, s)
	}
	return n.wholeExtension(op, s, value)
}

// remove reads a removal. A value that lists what is to go is never read as "all".
func (n *patcher) remove(path schema.Path, node *filter.Node, value any, hasValue bool) error {
	o := patch.Operation{Op: patch.Remove, Path: path, Filter: node}
	ofValues := path.Sub == nil || path.Sub == path.Attribute.Value()
	if hasValue && value != nil && node == nil && ofValues && path.Attribute.Multi {
		o.Path.Sub, o.Listed = nil, true
		if value != "" {
			lenient := n.reader
			lenient.plain, lenient.strict = true, false
			list, err := lenient.attribute(o.Path, value)
			if err != nil {
				return err
			}
			o.Value = list
		}
	}
	n.add(o)
	return nil
}

// assign reads an addition or replacement of a known target.
func (n *patcher) assign(op patch.Op, path schema.Path, node *filter.Node, value any) error {
	o := patch.Operation{Op: op, Path: path, Filter: node}
	leaf := path.Leaf()
	var err error
	switch {
	case empty(value):
		return n.unassign(o, value)
	case path.Sub != nil:
		o.Value, err = n.sub(path, path.Sub, value)
	case node != nil:
		// One element is meant. A list of one is as good.
		if list, ok := value.([]any); ok && len(list) == 1 && n.plain {
			value = list[0]
		}
		o.Value, err = n.one(path, leaf, value)
	default:
		o.Value, err = n.attribute(path, value)
	}
	if err != nil {
		return err
	}
	if list, isList := o.Value.([]any); isList && len(list) == 0 || o.Value == nil || !isList && !resource.Present(o.Value) {
		return n.unassign(o, value)
	}
	n.add(o)
	return nil
}

// empty tells whether a value unassigns: null, "", [] and objects of nothing else.
func empty(value any) bool {
	if list, ok := value.([]any); ok {
		return len(list) == 0
	}
	return !resource.Present(value)
}

// unassign turns an empty value into a removal. To add an empty list or nothing to several values changes none of them.
func (n *patcher) unassign(o patch.Operation, value any) error {
	leaf := o.Path.Leaf()
	switch {
	case leaf.Required && (o.Path.Sub == nil || o.Filter != nil):
		return fault.Bad(fault.InvalidValue, "%s is required", o.Path)
	case o.Op == patch.Add && o.Path.Attribute.Multi && o.Path.Sub == nil:
		return nil
	case leaf.Returned == schema.Never:
		return fault.Bad(fault.InvalidValue, "%s cannot be empty", o.Path)
	case !o.Path.Attribute.Multi && isEmptyObject(value):
		return nil // no part is given: all parts stay as they are
	}
	if object, ok := value.(resource.Object); ok && o.Path.Sub == nil && leaf.Kind == schema.Complex && o.Filter == nil && len(object) > 0 && leaf.Value() == nil {
		// Parts that are all empty are removed one by one; parts that are not named stay.
		for _, name := range sortedNames(object) {
			if sub := leaf.Sub(name); sub != nil && sub.Mutability != schema.ReadOnly {
				path := o.Path
				path.Sub = sub
				n.add(patch.Operation{Op: patch.Remove, Path: path})
			}
		}
		return nil
	}
	n.add(patch.Operation{Op: patch.Remove, Path: o.Path, Filter: o.Filter})
	return nil
}

func isEmptyObject(value any) bool {
	object, ok := value.(resource.Object)
	return ok && len(object) == 0
}
