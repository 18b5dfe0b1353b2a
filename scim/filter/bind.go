package filter

import (
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"time"

	"portico/scim/fault"
	"portico/scim/resource"
	"portico/scim/schema"
)

// Node is a filter that is tied to a resource type.
type Node struct {
	Kind     Kind
	Children []*Node
	Path     schema.Path // of Compare and Element; inside an Element Sub is what is compared
	Op       Op
	Value    Value
	// Lacking marks a comparison of an attribute that the type does not have, in a query over several types. It is
	// absent from every resource.
	Lacking bool

	base string // of meta.location
}

// Value is the literal of a comparison in the type of its attribute.
type Value struct {
	Null bool
	Text string    // of text, references, binary, and of times that are compared as text
	Key  string    // Text as it is compared: folded unless the attribute is caseExact
	Bool bool      // of booleans
	Time time.Time // of times, whole milliseconds
	Num  *big.Rat  // of numbers
}

// Options say how a filter is bound.
type Options struct {
	Base string // URL of the service, for meta.location
	// Lacking accepts attributes that the type does not have as absent; without it they are errors.
	Lacking bool
	// Element binds a filter inside the brackets behind this attribute; zero: a whole filter.
	Element schema.Path
	// Lenient takes text that spells a number as one.
	Lenient bool
}

// Bind ties a filter to a type. The error is a 400 invalidFilter that names what does not fit, or a 403 sensitive for
// attributes that are never shown.
func Bind(expr *Expr, t *schema.Type, options Options) (*Node, error) {
	b := binder{t: t, options: options}
	return b.bind(expr, options.Element)
}

// Known tells whether every attribute that a filter names exists in the type; with Lacking it says which types a query
// over several types can find anything in.
func Known(expr *Expr, t *schema.Type) bool {
	if expr.Kind == Compare || expr.Kind == Element {
		_, known := t.Lookup(expr.Path)
		return known
	}
	for _, child := range expr.Children {
		if !Known(child, t) {
			return false
		}
	}
	return true
}

type binder struct {
	t       *schema.Type
	options Options
}

func (b *binder) bind(expr *Expr, element schema.Path) (*Node, error) {
	switch expr.Kind {
	case Compare:
		return b.compare(expr, element)
	case Element:
		return b.element(expr, element)
	}
	node := &Node{Kind: expr.Kind}
	for _, child := range expr.Children {
		bound, err := b.bind(child, element)
		if err != nil {
			return nil, err
		}
		node.Children = append(node.Children, bound)
	}
	return node, nil
}

// lookup finds a path: a sub-attribute inside brackets, an attribute of the type outside.
func (b *binder) lookup(text string, element schema.Path) (schema.Path, bool) {
	if element.Attribute == nil {
		path, ok := b.t.Lookup(text)
		return path, ok && path.Attribute != nil
	}
	path := element
	path.Sub = element.Attribute.Sub(text)
	return path, path.Sub != nil
}

func (b *binder) element(expr *Expr, outer schema.Path) (*Node, error) {
	if outer.Attribute != nil {
		return nil, fault.Bad(fault.InvalidFilter, "%q: brackets inside brackets", fault.Clip(expr.Path))
	}
	path, ok := b.lookup(expr.Path, schema.Path{})
	switch {
	case !ok && b.options.Lacking:
		return &Node{Kind: Compare, Op: Pr, Lacking: true}, nil
	case !ok:
		return nil, unknown(expr.Path)
	case path.Sub != nil || path.Attribute.Kind != schema.Complex:
		return nil, fault.Bad(fault.InvalidFilter, "%q has no parts that brackets could be about", fault.Clip(expr.Path))
	}
	inner, err := b.bind(expr.Children[0], path)
	if err != nil {
		return nil, err
	}
	return &Node{Kind: Element, Path: path, Children: []*Node{inner}}, nil
}

func unknown(path string) error {
	return fault.Bad(fault.InvalidFilter, "there is no attribute %q", fault.Clip(path))
}

func (b *binder) compare(expr *Expr, element schema.Path) (*Node, error) {
	path, ok := b.lookup(expr.Path, element)
	if !ok {
		if b.options.Lacking && element.Attribute == nil {
			return &Node{Kind: Compare, Op: expr.Op, Value: Value{Null: expr.Literal == nil && expr.Op != Pr}, Lacking: true}, nil
		}
		return nil, unknown(expr.Path)
	}
	if path.Attribute.Returned == schema.Never || path.Leaf().Returned == schema.Never {
		return nil, fault.New(http.StatusForbidden, fault.Sensitive, "%s cannot be asked about", path)
	}
	node := &Node{Kind: Compare, Path: path, Op: expr.Op, base: b.options.Base}
	if expr.Op == Pr {
		return node, nil
	}
	if expr.Literal == nil {
		if expr.Op != Eq && expr.Op != Ne {
			return nil, fault.Bad(fault.InvalidFilter, "%s %s null: null is only equal or not", path, expr.Op)
		}
		node.Value.Null = true
		return node, nil
	}
	if leaf := path.Leaf(); leaf.Kind == schema.Complex {
		if node.Path.Sub = leaf.Value(); node.Path.Sub == nil {
			return nil, fault.Bad(fault.InvalidFilter, "%s has parts: say which one is compared", path)
		}
	}
	var err error
	node.Value, err = literal(node.Path, expr.Op, expr.Literal, b.options.Lenient)
	return node, err
}

// literal brings a literal into the type of the attribute it is compared with.
func literal(path schema.Path, op Op, value any, lenient bool) (Value, error) {
	leaf := path.Leaf()
	mismatch := func() (Value, error) {
		return Value{}, fault.Bad(fault.InvalidFilter, "%s is of type %s: %v does not fit", path, leaf.Kind, fault.Clip(literalText(value)))
	}
	unordered := func() (Value, error) {
		return Value{}, fault.Bad(fault.InvalidFilter, "%s is of type %s: %s cannot be used", path, leaf.Kind, op)
	}
	text, isText := value.(string)
	if strings.ContainsRune(text, 0) {
		return Value{}, fault.Bad(fault.InvalidFilter, "%s: text with NUL", path) // no value has one
	}
	switch leaf.Kind {
	case schema.Boolean:
		if op != Eq && op != Ne {
			return unordered()
		}
		switch {
		case isText && strings.EqualFold(text, "true"):
			return Value{Bool: true}, nil
		case isText && strings.EqualFold(text, "false"):
			return Value{}, nil
		}
		b, ok := value.(bool)
		if !ok {
			return mismatch()
		}
		return Value{Bool: b}, nil
	case schema.Integer, schema.Decimal:
		if op == Co || op == Sw || op == Ew {
			return unordered()
		}
		if n, ok := value.(json.Number); ok {
			text = n.String()
		} else if !lenient || !isText {
			return mismatch()
		}
		number, ok := resource.ParseNumber(text)
		if !ok {
			return mismatch()
		}
		return Value{Num: number}, nil
	case schema.DateTime:
		if !isText {
			return mismatch()
		}
		if op == Co || op == Sw || op == Ew {
			return Value{Text: text, Key: text}, nil
		}
		t, ok := resource.ParseTime(text)
		if !ok {
			return mismatch()
		}
		return Value{Text: text, Time: t}, nil
	case schema.Binary:
		if op == Gt || op == Ge || op == Lt || op == Le {
			return unordered()
		}
	}
	if !isText {
		return mismatch()
	}
	return Value{Text: text, Key: resource.Key(leaf, text)}, nil
}

func literalText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return "null"
}
