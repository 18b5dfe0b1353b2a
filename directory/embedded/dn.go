package embedded

import (
	"errors"
	"slices"
	"strings"
)

var errDN = errors.New("invalid DN")

// ava is one attribute value assertion of an RDN.
type ava struct {
	typ   *attrType
	value string // decoded, as given
	norm  string // under the type's equality rule
}

// rdn is one relative distinguished name.
type rdn struct {
	avas []ava
	text string // as answers spell it
	key  string // normal form
}

// dname is a parsed distinguished name. The zero value is the empty DN.
type dname struct {
	rdns []rdn
	text string // as answers spell it
	key  string // normal form: equal keys are equal DNs
}

func newDN(rdns []rdn) dname {
	d := dname{rdns: rdns}
	texts, keys := make([]string, len(rdns)), make([]string, len(rdns))
	for i, r := range rdns {
		texts[i], keys[i] = r.text, r.key
	}
	d.text, d.key = strings.Join(texts, ","), strings.Join(keys, ",")
	return d
}

func (d dname) isZero() bool { return len(d.rdns) == 0 }

// parent is the DN without its first RDN; that of the empty DN is itself.
func (d dname) parent() dname {
	if len(d.rdns) == 0 {
		return d
	}
	return newDN(d.rdns[1:])
}

// child is the DN of r below d.
func (d dname) child(r rdn) dname {
	return newDN(append([]rdn{r}, d.rdns...))
}

// within tells whether d is base or below it.
func (d dname) within(base dname) bool {
	n := len(d.rdns) - len(base.rdns)
	return n >= 0 && (base.isZero() || newDN(d.rdns[n:]).key == base.key)
}

// rebase replaces the ending from by to. d must be within from.
func (d dname) rebase(from, to dname) dname {
	head := d.rdns[:len(d.rdns)-len(from.rdns)]
	return newDN(append(slices.Clone(head), to.rdns...))
}

// parseDN reads a DN as RFC 4514 writes it, and in the older quoted form. Types
// must be in the schema and values must have their syntax.
func (s *schema) parseDN(text string) (dname, error) {
	p := dnParser{schema: s, in: text}
	p.spaces()
	if p.end() {
		return dname{}, nil
	}
	var rdns []rdn
	for {
		r, err := p.rdn()
		if err != nil {
			return dname{}, err
		}
		rdns = append(rdns, r)
		if p.end() {
			return newDN(rdns), nil
		}
		if c := p.next(); c != ',' && c != ';' {
			return dname{}, errDN
		}
	}
}

// parseRDN reads exactly one RDN.
func (s *schema) parseRDN(text string) (rdn, error) {
	d, err := s.parseDN(text)
	if err != nil || len(d.rdns) != 1 {
		return rdn{}, errDN
	}
	return d.rdns[0], nil
}

type dnParser struct {
	schema *schema
	in     string
	pos    int
}

func (p *dnParser) end() bool  { return p.pos >= len(p.in) }
func (p *dnParser) next() byte { p.pos++; return p.in[p.pos-1] }

func (p *dnParser) spaces() {
	for !p.end() && p.in[p.pos] == ' ' {
		p.pos++
	}
}

func (p *dnParser) rdn() (rdn, error) {
	var avas []ava
	for {
		a, err := p.ava()
		if err != nil {
			return rdn{}, err
		}
		for _, b := range avas {
			if b.typ == a.typ {
				return rdn{}, errDN
			}
		}
		avas = append(avas, a)
		p.spaces()
		if p.end() || p.in[p.pos] != '+' {
			return makeRDN(avas), nil
		}
		p.pos++
	}
}

// makeRDN sorts the assertions and spells the RDN.
func makeRDN(avas []ava) rdn {
	slices.SortFunc(avas, func(a, b ava) int {
		return strings.Compare(strings.ToLower(a.typ.name()), strings.ToLower(b.typ.name()))
	})
	r := rdn{avas: avas}
	texts, keys := make([]string, len(avas)), make([]string, len(avas))
	for i, a := range avas {
		texts[i] = a.typ.name() + "=" + escapeDN(a.value)
		keys[i] = strings.ToLower(a.typ.name()) + "=" + escapeDN(a.norm)
	}
	r.text, r.key = strings.Join(texts, "+"), strings.Join(keys, "+")
	return r
}

func (p *dnParser) ava() (ava, error) {
	p.spaces()
	start := p.pos
	for !p.end() && (keychars(p.in[p.pos:p.pos+1]) || p.in[p.pos] == '.') {
		p.pos++
	}
	t := p.schema.types[strings.ToLower(p.in[start:p.pos])]
	p.spaces()
	if t == nil || p.end() || p.next() != '=' {
		return ava{}, errDN
	}
	p.spaces()
	value, err := p.value()
	if err != nil {
		return ava{}, err
	}
	value, form, err := p.schema.check(t, value)
	if err != nil || t.equality == nil {
		return ava{}, errDN
	}
	return ava{typ: t, value: value, norm: form}, nil
}

func (p *dnParser) value() (string, error) {
	if p.end() {
		return "", nil
	}
	switch p.in[p.pos] {
	case '#': // the BER form: nothing in this schema may be named by it
		return "", errDN
	case '"':
		return p.quoted()
	}
	var out strings.Builder
	keep := 0 // length up to the last character that is not a bare space
	for !p.end() && !strings.ContainsRune(",;+", rune(p.in[p.pos])) {
		switch c := p.next(); c {
		case '\\':
			b, err := p.escape()
			if err != nil {
				return "", err
			}
			out.WriteByte(b)
			keep = out.Len()
		case '"', '<', '>', 0:
			return "", errDN
		case ' ':
			out.WriteByte(c)
		default:
			out.WriteByte(c)
			keep = out.Len()
		}
	}
	return out.String()[:keep], nil
}

func (p *dnParser) quoted() (string, error) {
	var out strings.Builder
	for p.pos++; !p.end(); {
		switch c := p.next(); c {
		case '"':
			p.spaces()
			if !p.end() && !strings.ContainsRune(",;+", rune(p.in[p.pos])) {
				return "", errDN
			}
			return out.String(), nil
		case '\\':
			b, err := p.escape()
			if err != nil {
				return "", err
			}
			out.WriteByte(b)
		default:
			out.WriteByte(c)
		}
	}
	return "", errDN
}

func (p *dnParser) escape() (byte, error) {
	if p.end() {
		return 0, errDN
	}
	c := p.next()
	if hi, ok := unhex(c); ok && !p.end() {
		if lo, ok := unhex(p.in[p.pos]); ok {
			p.pos++
			return hi<<4 | lo, nil
		}
	}
	if strings.IndexByte(`,;+"\<>=# `, c) < 0 {
		return 0, errDN
	}
	return c, nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// escapeDN writes a value as OpenLDAP does: what must be escaped, in hex.
func escapeDN(v string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(v) {
		c := v[i]
		special := strings.IndexByte(`,+"\<>;=`, c) >= 0 || c == 0 ||
			i == 0 && (c == ' ' || c == '#') || i == len(v)-1 && c == ' '
		if special {
			out.WriteString(`\` + string(hex[c>>4]) + string(hex[c&15]))
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}
