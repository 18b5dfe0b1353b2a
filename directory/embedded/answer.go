package embedded

import ber "github.com/go-asn1-ber/asn1-ber"

// Application tags of responses that are not "request + 1".
const (
	tagSearchEntry     ber.Tag = 4
	tagSearchDone      ber.Tag = 5
	tagSearchReference ber.Tag = 19
	tagExtended        ber.Tag = 24
	tagIntermediate    ber.Tag = 25
)

// reply is a control of a response.
type reply struct {
	oid   string
	value *ber.Packet // nil: none
	raw   []byte      // instead of value
}

// attrOut is one attribute of a search answer.
type attrOut struct {
	name string
	vals []string
}

func octets(v string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, v, "")
}

func contextOctets(tag ber.Tag, v string) *ber.Packet {
	return ber.NewString(ber.ClassContext, ber.TypePrimitive, tag, v, "")
}

func enumerated(n int) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(n), "")
}

func integer(n int) *ber.Packet {
	return ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(n), "")
}

func boolean(b bool) *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, nil, "")
	p.Data.WriteByte(map[bool]byte{false: 0, true: 0xff}[b])
	return p
}

func constructed(class ber.Class, tag ber.Tag, children ...*ber.Packet) *ber.Packet {
	p := ber.Encode(class, ber.TypeConstructed, tag, nil, "")
	for _, c := range children {
		p.AppendChild(c)
	}
	return p
}

func sequence(children ...*ber.Packet) *ber.Packet {
	return constructed(ber.ClassUniversal, ber.TagSequence, children...)
}

// result encodes an LDAPResult under tag. A nil fault is success.
func result(tag ber.Tag, f *fault, extra ...*ber.Packet) *ber.Packet {
	if f == nil {
		f = &fault{}
	}
	p := constructed(ber.ClassApplication, tag, enumerated(f.code), octets(f.matched), octets(f.text))
	if len(f.referrals) > 0 {
		r := constructed(ber.ClassContext, 3)
		for _, uri := range f.referrals {
			r.AppendChild(octets(uri))
		}
		p.AppendChild(r)
	}
	for _, e := range extra {
		p.AppendChild(e)
	}
	return p
}

func searchEntry(dn string, attrs []attrOut) *ber.Packet {
	list := sequence()
	for _, a := range attrs {
		set := constructed(ber.ClassUniversal, ber.TagSet)
		for _, v := range a.vals {
			set.AppendChild(octets(v))
		}
		list.AppendChild(sequence(octets(a.name), set))
	}
	return constructed(ber.ClassApplication, tagSearchEntry, octets(dn), list)
}

func searchReference(uris []string) *ber.Packet {
	p := constructed(ber.ClassApplication, tagSearchReference)
	for _, uri := range uris {
		p.AppendChild(octets(uri))
	}
	return p
}

// intermediate encodes an IntermediateResponse, RFC 4511 §4.13.
func intermediate(oid string, value *ber.Packet) *ber.Packet {
	return constructed(ber.ClassApplication, tagIntermediate,
		contextOctets(0, oid), contextOctets(1, string(value.Bytes())))
}

// envelope wraps a response into its message.
func envelope(id int64, op *ber.Packet, controls []reply) *ber.Packet {
	m := sequence(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""), op)
	if len(controls) > 0 {
		list := constructed(ber.ClassContext, 0)
		for _, c := range controls {
			q := sequence(octets(c.oid))
			switch {
			case c.value != nil:
				q.AppendChild(octets(string(c.value.Bytes())))
			case c.raw != nil:
				q.AppendChild(octets(string(c.raw)))
			}
			list.AppendChild(q)
		}
		m.AppendChild(list)
	}
	return m
}
