package embedded

import ber "github.com/go-asn1-ber/asn1-ber"

// The decoded requests. Names and filters stay text or BER here; what they mean
// is decided with the schema.

type bindRequest struct {
	version  int64
	dn       string
	sasl     bool
	password string
}

type searchRequest struct {
	base      string
	scope     scope
	sizeLimit int64
	timeLimit int64
	typesOnly bool
	filter    *ber.Packet
	attrs     []string
}

type attrValues struct {
	desc string
	vals []string
}

type addRequest struct {
	dn    string
	attrs []attrValues
}

type modOp int64

const (
	modAdd modOp = iota
	modDelete
	modReplace
	modIncrement
)

type modification struct {
	op modOp
	attrValues
}

type modifyRequest struct {
	dn   string
	mods []modification
}

type modifyDNRequest struct {
	dn, newRDN  string
	deleteOld   bool
	newSuperior string
	hasSuperior bool
}

type compareRequest struct {
	dn, desc, value string
}

type extendedRequest struct {
	oid      string
	value    string
	hasValue bool
}

func decodeBind(p *ber.Packet) (r bindRequest, err error) {
	if len(p.Children) != 3 {
		return r, malformed("bind")
	}
	if r.version, err = integerOf(p.Children[0], ber.TagInteger); err != nil {
		return r, err
	}
	if r.dn, err = textOf(p.Children[1]); err != nil {
		return r, err
	}
	auth := p.Children[2]
	if password, ok := contextText(auth, 0); ok {
		r.password = password
		return r, nil
	}
	if !is(auth, ber.ClassContext, ber.TypeConstructed, 3) || len(auth.Children) == 0 {
		return r, malformed("authentication choice")
	}
	r.sasl = true
	return r, nil
}

func decodeSearch(p *ber.Packet) (r searchRequest, err error) {
	if len(p.Children) != 8 {
		return r, malformed("search")
	}
	c := p.Children
	if r.base, err = textOf(c[0]); err != nil {
		return r, err
	}
	sc, err := integerOf(c[1], ber.TagEnumerated)
	if err != nil {
		return r, err
	}
	r.scope = scope(sc)
	if _, err = integerOf(c[2], ber.TagEnumerated); err != nil {
		return r, err
	}
	if r.sizeLimit, err = integerOf(c[3], ber.TagInteger); err != nil {
		return r, err
	}
	if r.timeLimit, err = integerOf(c[4], ber.TagInteger); err != nil {
		return r, err
	}
	if r.typesOnly, err = booleanOf(c[5]); err != nil {
		return r, err
	}
	r.filter = c[6]
	if !isSequence(c[7]) {
		return r, malformed("attribute selection")
	}
	r.attrs, err = textsOf(c[7])
	return r, err
}

func decodeAttribute(p *ber.Packet) (a attrValues, err error) {
	if !isSequence(p) || len(p.Children) != 2 || !isSet(p.Children[1]) {
		return a, malformed("attribute")
	}
	if a.desc, err = textOf(p.Children[0]); err != nil {
		return a, err
	}
	a.vals, err = textsOf(p.Children[1])
	return a, err
}

func decodeAdd(p *ber.Packet) (r addRequest, err error) {
	if len(p.Children) != 2 || !isSequence(p.Children[1]) {
		return r, malformed("add")
	}
	if r.dn, err = textOf(p.Children[0]); err != nil {
		return r, err
	}
	for _, c := range p.Children[1].Children {
		a, err := decodeAttribute(c)
		if err != nil {
			return r, err
		}
		r.attrs = append(r.attrs, a)
	}
	return r, nil
}

func decodeModify(p *ber.Packet) (r modifyRequest, err error) {
	if len(p.Children) != 2 || !isSequence(p.Children[1]) {
		return r, malformed("modify")
	}
	if r.dn, err = textOf(p.Children[0]); err != nil {
		return r, err
	}
	for _, c := range p.Children[1].Children {
		if !isSequence(c) || len(c.Children) != 2 {
			return r, malformed("modification")
		}
		op, err := integerOf(c.Children[0], ber.TagEnumerated)
		if err != nil {
			return r, err
		}
		a, err := decodeAttribute(c.Children[1])
		if err != nil {
			return r, err
		}
		r.mods = append(r.mods, modification{modOp(op), a})
	}
	return r, nil
}

func decodeModifyDN(p *ber.Packet) (r modifyDNRequest, err error) {
	if len(p.Children) < 3 || len(p.Children) > 4 {
		return r, malformed("modify DN")
	}
	if r.dn, err = textOf(p.Children[0]); err != nil {
		return r, err
	}
	if r.newRDN, err = textOf(p.Children[1]); err != nil {
		return r, err
	}
	if r.deleteOld, err = booleanOf(p.Children[2]); err != nil {
		return r, err
	}
	if len(p.Children) == 4 {
		if r.newSuperior, r.hasSuperior = contextText(p.Children[3], 0); !r.hasSuperior {
			return r, malformed("new superior")
		}
	}
	return r, nil
}

func decodeCompare(p *ber.Packet) (r compareRequest, err error) {
	if len(p.Children) != 2 || !isSequence(p.Children[1]) || len(p.Children[1].Children) != 2 {
		return r, malformed("compare")
	}
	if r.dn, err = textOf(p.Children[0]); err != nil {
		return r, err
	}
	if r.desc, err = textOf(p.Children[1].Children[0]); err != nil {
		return r, err
	}
	r.value, err = textOf(p.Children[1].Children[1])
	return r, err
}

func decodeExtended(p *ber.Packet) (r extendedRequest, err error) {
	if len(p.Children) < 1 || len(p.Children) > 2 {
		return r, malformed("extended")
	}
	var ok bool
	if r.oid, ok = contextText(p.Children[0], 0); !ok {
		return r, malformed("request name")
	}
	if len(p.Children) == 2 {
		if r.value, r.hasValue = contextText(p.Children[1], 1); !r.hasValue {
			return r, malformed("request value")
		}
	}
	return r, nil
}
