package embedded

import (
	"slices"
	"strings"
)

// checkValues validates the values that a client sent for one attribute: each
// by its syntax, all of them unlike (to delete one twice is to delete it once),
// and one only where the type allows one.
func (s *schema) checkValues(d attrDesc, given []string, op modOp) ([]value, *fault) {
	name := d.typ.name() + d.options()
	vals := make([]value, 0, len(given))
	seen := make(map[string]bool, len(given))
	for i, v := range given {
		kept, form, err := s.check(d.typ, v)
		if err != nil {
			return nil, refuse(resultInvalidSyntax, "%s: value #%d invalid per syntax", name, i)
		}
		if d.typ.single && i > 0 {
			return nil, refuse(resultConstraintViolation, "%s: multiple values provided", name)
		}
		if seen[form] && op == modDelete {
			continue
		}
		if seen[form] {
			return nil, refuse(resultValueExists, "%s: value #%d provided more than once", name, i)
		}
		seen[form] = true
		vals = append(vals, value{kept, form})
	}
	return vals, nil
}

// checkEntry holds an entry against the schema in OpenLDAP's order: single
// values, structural class, naming, mandatory attributes, allowed attributes.
func (s *schema) checkEntry(e *entry) (structural *class, f *fault) {
	for _, a := range e.attrs {
		if a.typ.single && len(a.vals) > 1 {
			return nil, refuse(resultConstraintViolation, "attribute '%s' cannot have multiple values", a.name())
		}
	}
	classes := s.classesOf(e)
	if len(classes) == 0 {
		return nil, refuse(resultObjectClassViolation, "no objectClass attribute")
	}
	if structural, f = structuralOf(classes); f != nil {
		return nil, f
	}
	if was := e.first(s.structuralObjectClass); was != "" && was != structural.name {
		return nil, refuse(resultClassModsProhibited,
			"structural object class modification from '%s' to '%s' not allowed", was, structural.name)
	}
	if f := s.checkNaming(e); f != nil {
		return nil, f
	}
	if f := s.checkMandatory(e, classes); f != nil {
		return nil, f
	}
	return structural, s.checkAllowed(e, classes)
}

// structuralOf finds the one class at the end of the structural chain.
func structuralOf(classes []*class) (*class, *fault) {
	var most *class
	for _, c := range classes {
		switch {
		case c.kind != classStructural:
		case most == nil || c.isA(most):
			most = c
		case !most.isA(c):
			return nil, refuse(resultObjectClassViolation, "invalid structural object class chain (%s/%s)", most.name, c.name)
		}
	}
	if most == nil {
		return nil, refuse(resultObjectClassViolation, "no structural object class provided")
	}
	return most, nil
}

func (s *schema) checkNaming(e *entry) *fault {
	if e.dn.isZero() {
		return nil
	}
	for _, a := range e.dn.rdns[0].avas {
		if a.typ.operational() {
			return refuse(resultNamingViolation, "naming attribute '%s' is operational", a.typ.name())
		}
		i := e.index(a.typ, "")
		if i < 0 {
			return refuse(resultNamingViolation, "naming attribute '%s' is not present in entry", a.typ.name())
		}
		if !e.attrs[i].has(a.norm) {
			return refuse(resultNamingViolation, "value of naming attribute '%s' is not present in entry", a.typ.name())
		}
	}
	return nil
}

func (s *schema) checkMandatory(e *entry, classes []*class) *fault {
	for _, c := range classes {
		if c.kind == classAbstract && !slices.ContainsFunc(classes, func(d *class) bool { return d != c && d.isA(c) }) {
			return refuse(resultObjectClassViolation, "instantiation of abstract objectClass '%s' not allowed", c.name)
		}
		for _, t := range c.must {
			if !slices.ContainsFunc(e.attrs, func(a attribute) bool { return a.typ == t }) {
				return refuse(resultObjectClassViolation, "object class '%s' requires attribute '%s'", c.name, t.name())
			}
		}
	}
	return nil
}

func (s *schema) checkAllowed(e *entry, classes []*class) *fault {
	if slices.Contains(classes, s.extensible) {
		return nil
	}
	for _, a := range e.attrs {
		if a.typ.operational() || a.typ == s.objectClass {
			continue
		}
		allowed := slices.ContainsFunc(classes, func(c *class) bool {
			return slices.Contains(c.must, a.typ) || slices.Contains(c.may, a.typ)
		})
		if !allowed {
			return refuse(resultObjectClassViolation, "attribute '%s' not allowed", a.name())
		}
	}
	return nil
}

// subschema gives the values of the subschema subentry by attribute name.
func (s *schema) subschema() map[string][]string {
	out := map[string][]string{}
	for _, t := range s.typeList {
		out["attributeTypes"] = append(out["attributeTypes"], t.text)
	}
	for _, c := range s.classSeq {
		out["objectClasses"] = append(out["objectClasses"], c.text)
	}
	for _, r := range matchingRules() {
		out["matchingRules"] = append(out["matchingRules"], "( "+r.oid+" NAME '"+r.name+"' SYNTAX "+r.syntaxOID+" )")
	}
	for _, x := range syntaxes() {
		out["ldapSyntaxes"] = append(out["ldapSyntaxes"], "( "+x.oid+" DESC '"+strings.TrimSpace(x.desc)+"' )")
	}
	return out
}
