package embedded

import (
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// truth is the outcome of a filter, RFC 4511 §4.5.1.7.
type truth uint8

const (
	isFalse truth = iota
	isUndefined
	isTrue
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

func (t truth) not() truth { return isTrue - t }

type filterKind uint8

const (
	filterAnd filterKind = iota
	filterOr
	filterNot
	filterEqual
	filterSubstrings
	filterGreater
	filterLess
	filterPresent
	filterApprox
	filterExtensible
	filterUndefined
)

// filter is a search filter with its assertions already in normal form. What
// the schema does not know, or what is no value of its syntax, is undefined
// from the start.
type filter struct {
	kind filterKind
	subs []*filter
	desc attrDesc
	norm string
	// substrings
	initial, final string
	middle         []string
	// extensible match
	rule    *rule
	anyType bool
	dnAttrs bool
}

func undefined() *filter { return &filter{kind: filterUndefined} }

// compileFilter reads a Filter from the wire. An error is a malformed filter.
func (s *schema) compileFilter(p *ber.Packet) (*filter, error) {
	if p.ClassType != ber.ClassContext {
		return nil, malformed("filter")
	}
	kind := filterKind(p.Tag)
	wantsChildren := p.TagType == ber.TypeConstructed
	if (p.Tag == 7) == wantsChildren || p.Tag > 9 {
		return nil, malformed("filter")
	}
	switch kind {
	case filterAnd, filterOr:
		return s.compileSet(kind, p)
	case filterNot:
		if len(p.Children) != 1 {
			return nil, malformed("filter")
		}
		return s.compileSet(kind, p)
	case filterEqual, filterGreater, filterLess, filterApprox:
		return s.compileAssertion(kind, p)
	case filterPresent:
		d, ok := s.describe(p.Data.String())
		if !ok || d.typ.secret {
			return undefined(), nil
		}
		return &filter{kind: kind, desc: d}, nil
	case filterSubstrings:
		return s.compileSubstrings(p)
	default:
		return s.compileExtensible(p)
	}
}

func (s *schema) compileSet(kind filterKind, p *ber.Packet) (*filter, error) {
	f := &filter{kind: kind}
	for _, c := range p.Children {
		sub, err := s.compileFilter(c)
		if err != nil {
			return nil, err
		}
		f.subs = append(f.subs, sub)
	}
	return f, nil
}

func (s *schema) compileAssertion(kind filterKind, p *ber.Packet) (*filter, error) {
	if len(p.Children) != 2 {
		return nil, malformed("filter")
	}
	name, err := textOf(p.Children[0])
	if err != nil {
		return nil, err
	}
	v, err := textOf(p.Children[1])
	if err != nil {
		return nil, err
	}
	d, ok := s.describe(name)
	if !ok || d.typ.secret {
		return undefined(), nil
	}
	r := d.typ.equality
	if kind == filterGreater || kind == filterLess {
		r = d.typ.ordering
	}
	if r == nil {
		return undefined(), nil
	}
	form, err := s.assertion(d.typ, r, v)
	if err != nil {
		return undefined(), nil
	}
	return &filter{kind: kind, desc: d, norm: form, rule: r}, nil
}

// assertion brings an asserted value into normal form.
func (s *schema) assertion(t *attrType, r *rule, v string) (string, error) {
	if t == s.objectClass || t == s.structuralObjectClass {
		c := s.classes[strings.ToLower(v)]
		if c == nil {
			return "", errSyntax
		}
		return strings.ToLower(c.name), nil
	}
	return s.normalize(r, v)
}

func (s *schema) compileSubstrings(p *ber.Packet) (*filter, error) {
	if len(p.Children) != 2 || !isSequence(p.Children[1]) {
		return nil, malformed("substrings")
	}
	name, err := textOf(p.Children[0])
	if err != nil {
		return nil, err
	}
	d, known := s.describe(name)
	known = known && !d.typ.secret && d.typ.substring && len(p.Children[1].Children) > 0
	f := &filter{kind: filterSubstrings, desc: d}
	parts := p.Children[1].Children
	for i, part := range parts {
		if part.ClassType != ber.ClassContext || part.TagType != ber.TypePrimitive {
			return nil, malformed("substrings")
		}
		text := part.Data.String()
		known = known && text != ""
		if known {
			if text, err = s.normalize(d.typ.equality, text); err != nil {
				known = false
			}
		}
		switch {
		case part.Tag == 0 && i == 0:
			f.initial = text
		case part.Tag == 1:
			f.middle = append(f.middle, text)
		case part.Tag == 2 && i == len(parts)-1:
			f.final = text
		default:
			return nil, malformed("substrings")
		}
	}
	if !known {
		return undefined(), nil
	}
	return f, nil
}

func (s *schema) compileExtensible(p *ber.Packet) (*filter, error) {
	f := &filter{kind: filterExtensible, anyType: true}
	var rule, value string
	hasValue, known := false, true
	for _, c := range p.Children {
		text, ok := contextText(c, c.Tag)
		if !ok {
			return nil, malformed("extensible match")
		}
		switch c.Tag {
		case 1:
			if rule = text; s.rules[strings.ToLower(rule)] == nil {
				known = false
			}
			f.rule = s.rules[strings.ToLower(rule)]
		case 2:
			f.anyType = false
			if f.desc, ok = s.describe(text); !ok || f.desc.typ.secret {
				known = false
			}
		case 3:
			value, hasValue = text, true
		case 4:
			f.dnAttrs = text != "\x00"
		default:
			return nil, malformed("extensible match")
		}
	}
	if !hasValue || f.anyType && rule == "" {
		return nil, malformed("extensible match")
	}
	if !known {
		return undefined(), nil
	}
	return s.finishExtensible(f, value), nil
}

// finishExtensible settles the rule of an extensible match and its assertion.
func (s *schema) finishExtensible(f *filter, value string) *filter {
	if f.rule == nil {
		f.rule = f.desc.typ.equality
	}
	if f.rule == nil || !f.anyType && !f.rule.fits(f.desc.typ) {
		return undefined()
	}
	t := f.desc.typ
	if f.anyType {
		t = nil
	}
	form, err := s.assertion(t, f.rule, value)
	if err != nil {
		return undefined()
	}
	f.norm = form
	return f
}

// fits tells whether the rule may be applied to values of type t: to those of
// its own syntax, and string rules to the narrower strings.
func (r *rule) fits(t *attrType) bool {
	if t.syntax.oid == r.syntaxOID {
		return true
	}
	number := strings.TrimPrefix(t.syntax.oid, syntaxPrefix)
	switch r.syntaxOID {
	case syntaxPrefix + "15": // directory string: country, printable, telephone number
		return number == "11" || number == "44" || number == "50"
	case syntaxPrefix + "26": // IA5: country
		return number == "11"
	}
	return false
}
