package embedded

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed schema.txt
var schemaText string

// usage of an attribute type, RFC 4512 §4.1.2.
type usage uint8

const (
	usageUser usage = iota
	usageDirectory
	usageDistributed
	usageDSA
)

// attrType is one attribute type of the schema.
type attrType struct {
	oid    string
	names  []string // the first one is how answers spell it
	text   string   // as published in the subschema subentry
	sup    *attrType
	syntax *syntax

	equality  *rule
	ordering  *rule
	substring bool // by the equality rule's normal form

	single    bool
	noUserMod bool
	usage     usage
	secret    bool // never leaves the server and matches no filter
}

func (t *attrType) name() string { return t.names[0] }

func (t *attrType) operational() bool { return t.usage != usageUser }

// isA tells whether t is u or one of its subtypes.
func (t *attrType) isA(u *attrType) bool {
	for ; t != nil; t = t.sup {
		if t == u {
			return true
		}
	}
	return false
}

type classKind uint8

const (
	classStructural classKind = iota
	classAuxiliary
	classAbstract
)

// class is one object class of the schema.
type class struct {
	oid, name string
	text      string
	kind      classKind
	sup       *class
	must, may []*attrType
}

// isA tells whether c is d or one of its subclasses.
func (c *class) isA(d *class) bool {
	for ; c != nil; c = c.sup {
		if c == d {
			return true
		}
	}
	return false
}

// schema holds all types and classes by lower-case name and by OID.
type schema struct {
	types    map[string]*attrType
	classes  map[string]*class
	rules    map[string]*rule
	syntaxes map[string]*syntax
	typeList []*attrType
	classSeq []*class

	// The types that the server itself reads and writes.
	objectClass, structuralObjectClass, userPassword, ref, member, memberOf              *attrType
	entryUUID, entryCSN, createTimestamp, modifyTimestamp                                *attrType
	creatorsName, modifiersName, hasSubordinates, entryDN, subschemaSubentry             *attrType
	contextCSN, pwdChangedTime, pwdAccountLockedTime, pwdFailureTime, pwdHistory         *attrType
	pwdGraceUseTime, pwdReset, pwdPolicySubentry, pwdStartTime, pwdEndTime, pwdAttribute *attrType

	extensible, referral *class
}

// newSchema reads the embedded schema. An error means that the file is wrong.
func newSchema() (*schema, error) {
	s := &schema{types: map[string]*attrType{}, classes: map[string]*class{}, rules: map[string]*rule{}, syntaxes: map[string]*syntax{}}
	for _, x := range syntaxes() {
		s.syntaxes[x.oid] = x
	}
	for _, r := range matchingRules() {
		s.rules[strings.ToLower(r.name)] = r
		s.rules[r.oid] = r
	}
	for line := range strings.Lines(schemaText) {
		line = strings.TrimSpace(line)
		kind, text, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		var err error
		switch kind {
		case "attributeTypes":
			err = s.addType(text)
		case "objectClasses":
			err = s.addClass(text)
		default:
			err = fmt.Errorf("unknown kind %q", kind)
		}
		if err != nil {
			return nil, fmt.Errorf("embedded schema: %s: %w", line, err)
		}
	}
	return s, s.bindWellKnown()
}

func (s *schema) bindWellKnown() error {
	for name, p := range map[string]**attrType{
		"objectClass": &s.objectClass, "structuralObjectClass": &s.structuralObjectClass,
		"userPassword": &s.userPassword, "ref": &s.ref, "member": &s.member, "memberOf": &s.memberOf,
		"entryUUID": &s.entryUUID, "entryCSN": &s.entryCSN,
		"createTimestamp": &s.createTimestamp, "modifyTimestamp": &s.modifyTimestamp,
		"creatorsName": &s.creatorsName, "modifiersName": &s.modifiersName,
		"hasSubordinates": &s.hasSubordinates, "entryDN": &s.entryDN, "subschemaSubentry": &s.subschemaSubentry,
		"contextCSN": &s.contextCSN, "pwdChangedTime": &s.pwdChangedTime,
		"pwdAccountLockedTime": &s.pwdAccountLockedTime, "pwdFailureTime": &s.pwdFailureTime,
		"pwdHistory": &s.pwdHistory, "pwdGraceUseTime": &s.pwdGraceUseTime, "pwdReset": &s.pwdReset,
		"pwdPolicySubentry": &s.pwdPolicySubentry, "pwdAttribute": &s.pwdAttribute, "pwdStartTime": &s.pwdStartTime, "pwdEndTime": &s.pwdEndTime,
	} {
		if *p = s.types[strings.ToLower(name)]; *p == nil {
			return fmt.Errorf("embedded schema lacks %s", name)
		}
	}
	s.userPassword.secret = true
	s.pwdHistory.secret = true
	s.extensible, s.referral = s.classes["extensibleobject"], s.classes["referral"]
	return nil
}

func (s *schema) addType(text string) error {
	d, err := parseDescription(text)
	if err != nil {
		return err
	}
	t := &attrType{
		oid: d.oid, names: d.fields["NAME"], text: text, single: d.has("SINGLE-VALUE"),
		noUserMod: d.has("NO-USER-MODIFICATION"),
	}
	if len(t.names) == 0 {
		t.names = []string{t.oid}
	}
	if sup := d.one("SUP"); sup != "" {
		if t.sup = s.types[strings.ToLower(sup)]; t.sup == nil {
			return fmt.Errorf("unknown supertype %q", sup)
		}
		t.syntax, t.equality, t.ordering, t.substring = t.sup.syntax, t.sup.equality, t.sup.ordering, t.sup.substring
	}
	switch d.one("USAGE") {
	case "directoryOperation":
		t.usage = usageDirectory
	case "distributedOperation":
		t.usage = usageDistributed
	case "dSAOperation":
		t.usage = usageDSA
	}
	if err := s.bindRules(t, d); err != nil {
		return err
	}
	for _, n := range t.names {
		s.types[strings.ToLower(n)] = t
	}
	s.types[t.oid] = t
	s.typeList = append(s.typeList, t)
	return nil
}

func (s *schema) bindRules(t *attrType, d description) error {
	if oid := d.one("SYNTAX"); oid != "" {
		if t.syntax = s.syntaxes[oid]; t.syntax == nil {
			return fmt.Errorf("unknown syntax %q", oid)
		}
	}
	if t.syntax == nil {
		return fmt.Errorf("no syntax")
	}
	for field, p := range map[string]**rule{"EQUALITY": &t.equality, "ORDERING": &t.ordering} {
		name := d.one(field)
		if name == "" {
			continue
		}
		if *p = s.rules[strings.ToLower(name)]; *p == nil {
			return fmt.Errorf("unknown matching rule %q", name)
		}
	}
	if d.one("SUBSTR") != "" {
		t.substring = true
	}
	return nil
}

func (s *schema) addClass(text string) error {
	d, err := parseDescription(text)
	if err != nil {
		return err
	}
	c := &class{oid: d.oid, name: d.one("NAME"), text: text}
	switch {
	case d.has("AUXILIARY"):
		c.kind = classAuxiliary
	case d.has("ABSTRACT"):
		c.kind = classAbstract
	}
	if sup := d.one("SUP"); sup != "" {
		if c.sup = s.classes[strings.ToLower(sup)]; c.sup == nil {
			return fmt.Errorf("unknown superclass %q", sup)
		}
		c.must, c.may = slices.Clone(c.sup.must), slices.Clone(c.sup.may)
	}
	for field, list := range map[string]*[]*attrType{"MUST": &c.must, "MAY": &c.may} {
		for _, name := range d.fields[field] {
			t := s.types[strings.ToLower(name)]
			if t == nil {
				return fmt.Errorf("unknown attribute type %q", name)
			}
			*list = append(*list, t)
		}
	}
	for _, n := range d.fields["NAME"] {
		s.classes[strings.ToLower(n)] = c
	}
	s.classes[c.oid] = c
	s.classSeq = append(s.classSeq, c)
	return nil
}

// description is a parsed definition of RFC 4512 §4.1.
type description struct {
	oid    string
	fields map[string][]string
}

func (d description) has(field string) bool { _, ok := d.fields[field]; return ok }

func (d description) one(field string) string {
	if v := d.fields[field]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func parseDescription(text string) (description, error) {
	words := strings.Fields(text)
	if len(words) < 3 || words[0] != "(" || words[len(words)-1] != ")" {
		return description{}, fmt.Errorf("not a description")
	}
	d := description{oid: words[1], fields: map[string][]string{}}
	field := ""
	for _, w := range words[2 : len(words)-1] {
		switch {
		case w == "(" || w == ")" || w == "$":
		case w == strings.ToUpper(w) && w[0] >= 'A' && w[0] <= 'Z':
			field = w
			d.fields[field] = nil
		default:
			d.fields[field] = append(d.fields[field], strings.Trim(w, "'"))
		}
	}
	return d, nil
}
