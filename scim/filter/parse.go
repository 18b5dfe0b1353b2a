// Package filter reads SCIM filters and attribute paths (RFC 7644 sections 3.4.2.2 and 3.5.2), ties them to the schema of
// a resource type, and says whether a resource satisfies them.
//
// A text is measured before it is parsed (length, nesting, number of comparisons), because a parser that follows the
// nesting of its input can be made to exhaust the stack, which ends the process. Parsing gives an Expr, which knows no
// schema; Bind gives a Node, whose names and values are those of a type. Nodes are read-only and may be used by many.
package filter

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"portico/scim/fault"
	"portico/scim/resource"
)

// Limits bound what is parsed.
type Limits struct {
	Bytes int // length of the text
	Depth int // nesting of brackets of both kinds
	Terms int // comparisons
}

// DefaultLimits are 8 KiB, 50 levels and 200 comparisons.
func DefaultLimits() Limits { return Limits{Bytes: 8 << 10, Depth: 50, Terms: 200} }

// Op is a comparison.
type Op uint8

// The comparisons.
const (
	Eq Op = iota
	Ne
	Co
	Sw
	Ew
	Gt
	Ge
	Lt
	Le
	Pr
)

var opNames = [...]string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}

// String gives the operator as it is written.
func (o Op) String() string { return opNames[o] }

// Kind says what an Expr or a Node is.
type Kind uint8

// The kinds of expressions.
const (
	And     Kind = iota // all children
	Or                  // any child
	Not                 // the one child does not hold
	Compare             // a comparison of a path
	Element             // path[child]: one element satisfies the child
)

// Expr is a parsed filter that is not tied to a schema yet.
type Expr struct {
	Kind     Kind
	Children []*Expr
	Path     string // of Compare and Element
	Op       Op     // of Compare
	Literal  any    // of Compare: string, json.Number, bool or nil
}

// Path is a parsed attribute path of PATCH.
type Path struct {
	Name   string // attribute, with URN and sub-attribute as written
	Filter *Expr  // what stands in brackets behind it; nil: none
	Sub    string // the sub-attribute behind the brackets
}

// Check measures a text in one pass, without parsing it.
func Check(text string, limits Limits) error {
	if len(text) > limits.Bytes {
		return fault.Bad(fault.InvalidFilter, "the filter or path is longer than %d bytes", limits.Bytes)
	}
	if !utf8.ValidString(text) {
		return fault.Bad(fault.InvalidFilter, "the filter or path is not UTF-8")
	}
	depth, terms := 0, 1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '(' || c == '[':
			if depth++; depth > limits.Depth {
				return fault.Bad(fault.InvalidFilter, "the filter or path is nested deeper than %d", limits.Depth)
			}
		case c == ')' || c == ']':
			depth--
		case wordByte(c):
			from := i
			for i+1 < len(text) && wordByte(text[i+1]) {
				i++
			}
			if word := text[from : i+1]; strings.EqualFold(word, "and") || strings.EqualFold(word, "or") {
				if terms++; terms > limits.Terms {
					return fault.Bad(fault.InvalidFilter, "the filter has more than %d comparisons", limits.Terms)
				}
			}
		}
	}
	return nil
}

// wordByte tells whether a byte is part of a word: a path, an operator, a number, true, false or null.
func wordByte(c byte) bool {
	return c > ' ' && c != '(' && c != ')' && c != '[' && c != ']' && c != '"'
}

// Parse reads a filter. The error is a 400 invalidFilter that names the word at fault.
func Parse(text string, limits Limits) (*Expr, error) {
	if err := Check(text, limits); err != nil {
		return nil, err
	}
	p := parser{text: text}
	expr, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.end() {
		return nil, p.unexpected("the end")
	}
	return expr, nil
}

// ParsePath reads an attribute path: attr, attr.sub, attr[filter], attr[filter].sub, each with or without URN. The error
// is a 400 invalidPath; a fault inside the brackets is an invalidFilter.
func ParsePath(text string, limits Limits) (Path, error) {
	if err := Check(text, limits); err != nil {
		return Path{}, fault.Bad(fault.InvalidPath, "%s", fault.Of(err).Detail)
	}
	p := parser{text: text}
	path := Path{Name: p.word()}
	if path.Name == "" {
		return Path{}, fault.Bad(fault.InvalidPath, "the path %q names no attribute", fault.Clip(text))
	}
	if p.take('[') {
		var err error
		if path.Filter, err = p.or(); err != nil {
			return Path{}, err
		}
		if !p.take(']') {
			return Path{}, p.unexpected("]")
		}
		if p.at < len(text) && text[p.at] == '.' {
			p.at++
			if path.Sub = p.word(); path.Sub == "" {
				return Path{}, fault.Bad(fault.InvalidPath, "the path %q ends in a dot", fault.Clip(text))
			}
		}
	}
	if !p.end() {
		return Path{}, fault.Bad(fault.InvalidPath, "the path %q goes on where it should end", fault.Clip(text))
	}
	return path, nil
}

// parser walks over a text that Check has let pass, so its recursion is bounded.
type parser struct {
	text string
	at   int
}

func (p *parser) blanks() {
	for p.at < len(p.text) && p.text[p.at] <= ' ' {
		p.at++
	}
}

func (p *parser) end() bool {
	p.blanks()
	return p.at == len(p.text)
}

// take skips blanks and one byte, if it is the next.
func (p *parser) take(c byte) bool {
	if p.blanks(); p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// word reads the next word, "" when there is none.
func (p *parser) word() string {
	p.blanks()
	from := p.at
	for p.at < len(p.text) && wordByte(p.text[p.at]) {
		p.at++
	}
	return p.text[from:p.at]
}

// keyword skips a word if it is the next, letter case aside.
func (p *parser) keyword(word string) bool {
	before := p.at
	if strings.EqualFold(p.word(), word) {
		return true
	}
	p.at = before
	return false
}

func (p *parser) unexpected(want string) error {
	p.blanks()
	if p.at == len(p.text) {
		return fault.Bad(fault.InvalidFilter, "the filter ends where %s should follow", want)
	}
	token := p.word()
	if token == "" {
		token = p.text[p.at : p.at+1]
	}
	return fault.Bad(fault.InvalidFilter, "%q stands where %s should", fault.Clip(token), want)
}

func (p *parser) or() (*Expr, error)  { return p.chain(Or, "or", p.and) }
func (p *parser) and() (*Expr, error) { return p.chain(And, "and", p.unary) }

// chain reads one or more operands with a word between them. A chain is one flat list, however long.
func (p *parser) chain(kind Kind, word string, operand func() (*Expr, error)) (*Expr, error) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	list := []*Expr{first}
	for p.keyword(word) {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		list = append(list, next)
	}
	if len(list) == 1 {
		return first, nil
	}
	return &Expr{Kind: kind, Children: list}, nil
}

func (p *parser) unary() (*Expr, error) {
	if p.take('(') {
		return p.group(')')
	}
	name := p.word()
	switch {
	case name == "":
		return nil, p.unexpected("an attribute")
	case strings.EqualFold(name, "not"):
		if !p.take('(') {
			return nil, p.unexpected("( behind not")
		}
		inner, err := p.group(')')
		if err != nil {
			return nil, err
		}
		return &Expr{Kind: Not, Children: []*Expr{inner}}, nil
	case p.at < len(p.text) && p.text[p.at] == '[':
		return p.element(name)
	}
	return p.comparison(name)
}

// group reads up to a closing bracket.
func (p *parser) group(closing byte) (*Expr, error) {
	inner, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.take(closing) {
		return nil, p.unexpected("and, or, " + string(closing))
	}
	return inner, nil
}

// element reads attr[f], and attr[f].sub op value, which is attr[(f) and sub op value].
func (p *parser) element(name string) (*Expr, error) {
	p.at++
	inner, err := p.group(']')
	if err != nil {
		return nil, err
	}
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		sub := p.word()
		if sub == "" {
			return nil, p.unexpected("a sub-attribute")
		}
		further, err := p.comparison(sub)
		if err != nil {
			return nil, err
		}
		inner = &Expr{Kind: And, Children: []*Expr{inner, further}}
	}
	return &Expr{Kind: Element, Path: name, Children: []*Expr{inner}}, nil
}

func (p *parser) comparison(name string) (*Expr, error) {
	before := p.at
	word := p.word()
	for op, text := range opNames {
		if !strings.EqualFold(word, text) {
			continue
		}
		expr := &Expr{Kind: Compare, Path: name, Op: Op(op)}
		if expr.Op == Pr {
			return expr, nil
		}
		var err error
		expr.Literal, err = p.literal()
		return expr, err
	}
	p.at = before
	return nil, p.unexpected("an operator")
}

// literal reads a JSON string or number, or one of true, false and null in any letter case.
func (p *parser) literal() (any, error) {
	p.blanks()
	if p.at < len(p.text) && p.text[p.at] == '"' {
		end, text, ok := resource.Unquote(p.text, p.at)
		if !ok {
			return nil, fault.Bad(fault.InvalidFilter, "%s is no JSON string", fault.Clip(p.text[p.at:]))
		}
		if p.at = end; p.at < len(p.text) && (wordByte(p.text[p.at]) || p.text[p.at] == '"') {
			return nil, p.unexpected("a blank behind the value")
		}
		return text, nil
	}
	before := p.at
	word := p.word()
	switch strings.ToLower(word) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	if word != "" && resource.ScanNumber(word, 0) == len(word) {
		return json.Number(word), nil
	}
	p.at = before
	return nil, p.unexpected("a value")
}
