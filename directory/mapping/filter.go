package mapping

import (
	"errors"
	"fmt"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Bounds of a configured filter: compiling costs time quadratic in its depth.
const (
	maxFilterLength = 8 << 10
	maxFilterDepth  = 32
)

// filter is a compiled configured filter, evaluated here on fetched entries to
// tell people, groups and containers apart. It knows equality, presence,
// substrings, ordering, and the bit rules of Active Directory. An attribute that
// an entry lacks makes its test false and the negation true, as on servers that
// know the attribute.
type filter struct {
	text string
	test test
}

// test is one node of a compiled filter.
type test interface{ match(v *values) bool }

// compileFilter checks and compiles a filter of RFC 4515. Outer parentheses may
// be missing. slot gives the place of an attribute's values.
func compileFilter(text string, slot func(name string) int) (*filter, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("must not be empty")
	}
	if text[0] != '(' {
		text = "(" + text + ")"
	}
	if len(text) > maxFilterLength {
		return nil, fmt.Errorf("longer than %d bytes", maxFilterLength)
	}
	depth, deepest := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
			deepest = max(deepest, depth)
		case ')':
			depth--
		}
	}
	if deepest > maxFilterDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxFilterDepth)
	}
	for _, p := range []string{"%s", "%u", "{0}", "{username}", "{user}", "{login}"} {
		if strings.Contains(strings.ToLower(text), p) {
			return nil, fmt.Errorf("holds the placeholder %s: filters here choose people or groups, the name that is looked for is added to them", p)
		}
	}
	packet, err := ldap.CompileFilter(text)
	if err != nil {
		return nil, fmt.Errorf("not a filter: %w", err)
	}
	t, err := compileNode(packet, slot)
	if err != nil {
		return nil, err
	}
	return &filter{text: text, test: t}, nil
}

func compileNode(p *ber.Packet, slot func(string) int) (test, error) {
	switch p.Tag {
	case ldap.FilterAnd, ldap.FilterOr:
		list := make([]test, 0, len(p.Children))
		for _, child := range p.Children {
			t, err := compileNode(child, slot)
			if err != nil {
				return nil, err
			}
			list = append(list, t)
		}
		if p.Tag == ldap.FilterAnd {
			return all(list), nil
		}
		return anyOf(list), nil
	case ldap.FilterNot:
		t, err := compileNode(p.Children[0], slot)
		return not{t}, err
	case ldap.FilterPresent:
		name := ber.DecodeString(p.Data.Bytes())
		if err := checkAttribute(name); err != nil {
			return nil, err
		}
		if strings.EqualFold(name, "objectClass") {
			return all(nil), nil // every entry has one
		}
		return present(slot(name)), nil
	case ldap.FilterExtensibleMatch:
		return compileExtensible(p, slot)
	}
	name := ber.DecodeString(p.Children[0].Data.Bytes())
	if err := checkAttribute(name); err != nil {
		return nil, err
	}
	if p.Tag == ldap.FilterSubstrings {
		return compileSubstrings(p.Children[1], slot(name)), nil
	}
	want := ber.DecodeString(p.Children[1].Data.Bytes())
	switch p.Tag {
	case ldap.FilterEqualityMatch, ldap.FilterApproxMatch:
		if strings.EqualFold(base(name), "objectClass") {
			return hasClass{slot(name), lower(want)}, nil
		}
		if strings.EqualFold(base(name), "objectCategory") && !LooksLikeDN(want) {
			return hasCategory{slot(name), lower(want)}, nil
		}
		return newEqual(slot(name), want), nil
	case ldap.FilterGreaterOrEqual:
		return ordered{slot(name), want, 1}, nil
	case ldap.FilterLessOrEqual:
		return ordered{slot(name), want, -1}, nil
	}
	return nil, fmt.Errorf("filter part with unknown tag %d", p.Tag)
}

func compileSubstrings(seq *ber.Packet, slot int) test {
	s := substrings{slot: slot}
	for _, part := range seq.Children {
		text := strings.ToLower(ber.DecodeString(part.Data.Bytes()))
		switch part.Tag {
		case ldap.FilterSubstringsInitial:
			s.initial = text
		case ldap.FilterSubstringsFinal:
			s.final = text
		default:
			s.inner = append(s.inner, text)
		}
	}
	return s
}

// The matching rules that can be evaluated here.
const (
	ruleBitAnd     = "1.2.840.113556.1.4.803"
	ruleBitOr      = "1.2.840.113556.1.4.804"
	ruleIgnore     = "2.5.13.2"
	ruleExact      = "2.5.13.5"
	ruleIgnoreName = "caseignorematch"
	ruleExactName  = "caseexactmatch"
)

func compileExtensible(p *ber.Packet, slot func(string) int) (test, error) {
	var rule, name, value string
	for _, c := range p.Children {
		text := ber.DecodeString(c.Data.Bytes())
		switch c.Tag {
		case ldap.MatchingRuleAssertionMatchingRule:
			rule = text
		case ldap.MatchingRuleAssertionType:
			name = text
		case ldap.MatchingRuleAssertionMatchValue:
			value = text
		case ldap.MatchingRuleAssertionDNAttributes:
			return nil, errors.New("matching on parts of the DN (\":dn:\") cannot be used here: set base_dn instead")
		}
	}
	if err := checkAttribute(name); err != nil {
		return nil, err
	}
	switch lower(rule) {
	case ruleBitAnd, ruleBitOr:
		bits, ok := parseInt(value)
		if !ok {
			return nil, fmt.Errorf("%q is not a number of bits", value)
		}
		return hasBits{slot(name), bits, rule == ruleBitAnd}, nil
	case "", ruleIgnore, ruleIgnoreName:
		return newEqual(slot(name), value), nil
	case ruleExact, ruleExactName:
		return exact{slot(name), value}, nil
	}
	return nil, fmt.Errorf("the matching rule %s cannot be evaluated here", rule)
}
