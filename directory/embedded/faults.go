package embedded

import (
	"strconv"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// Faults make the server misbehave, for tests. They hold from the next answer
// on, also on open connections. The zero value is a healthy server.
type Faults struct {
	Delay          time.Duration // before each answer
	Silent         bool          // accept and read, never answer
	RefuseConnects bool          // close new connections at once
	DropAfter      int           // close a connection instead of its answer number DropAfter+1
	DropInSearch   int           // close it after that many entries of a search
	BytesPerSecond int           // trickle the answers out
	Garbage        Garbage       // instead of each answer
	// Results replaces the outcome of operations; they are not carried out.
	Results map[Operation]Result

	SizeLimit  int // entries of a search, also for services
	PageLimit  int // as Active Directory's MaxPageSize: searches and pages end there
	RangeLimit int // as MaxValRange: longer attributes come in ranges

	SearchReferrals []string // one more reference behind the entries of each search
	BindReferrals   []string // binds answer 10
	RefuseStartTLS  bool
	BeforeTLS       []byte // sent in clear right behind the StartTLS answer
	StaleCookie     bool   // answer 4096 to every sync cookie
}

// Result is an outcome put in the place of the real one.
type Result struct {
	Code     int
	Text     string
	Controls []Control
}

// Control is a response control with its value as it goes out.
type Control struct {
	OID   string
	Value []byte
}

// replace answers with the result.
func (r Result) replace(c *conn, m *message) bool {
	var controls []reply
	for _, x := range r.Controls {
		controls = append(controls, reply{oid: x.OID, raw: x.Value})
	}
	return c.answer(m, refuse(r.Code, "%s", r.Text), controls)
}

// Garbage is a kind of answer that is not LDAP.
type Garbage uint8

// The kinds of garbage.
const (
	GarbageNone       Garbage = iota
	GarbageNoChildren         // an empty envelope
	GarbageWrongTag           // an answer of a kind that nobody asked for
	GarbageHugeLength         // a length of two gigabytes, and nothing behind it
	GarbageNesting            // ten thousand sequences in one another
	GarbageRandom             // bytes that are no BER
	GarbageNoResult           // an operation without its members
)

// SetFaults replaces the faults; the zero value ends them.
func (s *Server) SetFaults(f Faults) { s.faultBox.Store(&f) }

func (s *Server) faults() *Faults {
	if f := s.faultBox.Load(); f != nil {
		return f
	}
	return &Faults{}
}

// encode gives the bytes that stand for garbage in place of the answer op.
func (g Garbage) encode(id int64, op *ber.Packet) []byte {
	switch g {
	case GarbageNoChildren:
		return []byte{0x30, 0x00}
	case GarbageWrongTag:
		return envelope(id, constructed(ber.ClassApplication, 30, octets("?")), nil).Bytes()
	case GarbageHugeLength:
		return []byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x02, 0x01}
	case GarbageNesting:
		const depth = 10_000
		b := make([]byte, 0, depth*4)
		for i := depth; i > 0; i-- {
			n := i*4 - 4
			b = append(b, 0x30, 0x82, byte(n>>8), byte(n))
		}
		return b
	case GarbageRandom:
		return []byte("\xde\xad\xbe\xef\x00\xff\x13\x37 not LDAP at all \x80\x81\x82")
	case GarbageNoResult:
		return envelope(id, constructed(op.ClassType, op.Tag), nil).Bytes()
	default:
		return envelope(id, op, nil).Bytes()
	}
}

// valueRange is a part of a long attribute, as Active Directory gives it out.
type valueRange struct{ from, to int } // to < 0: as far as it goes

// cutRange takes ";range=0-1499" off an attribute name.
func cutRange(name string) (string, valueRange, bool) {
	i := strings.Index(strings.ToLower(name), ";range=")
	if i < 0 {
		return name, valueRange{}, false
	}
	lo, hi, _ := strings.Cut(name[i+len(";range="):], "-")
	from, err := strconv.Atoi(lo)
	if err != nil || from < 0 {
		return name, valueRange{}, false
	}
	to := -1
	if hi != "*" {
		if to, err = strconv.Atoi(hi); err != nil || to < from {
			return name, valueRange{}, false
		}
	}
	return name[:i], valueRange{from, to}, true
}

// appendRanged appends o; where it is longer than the range limit, as an empty
// attribute and one that names its range.
func (sel *selection) appendRanged(out []attrOut, t *attrType, o attrOut) []attrOut {
	r, asked := sel.ranges[t]
	if sel.rangeLimit == 0 || !asked && len(o.vals) <= sel.rangeLimit {
		return append(out, o)
	}
	if !asked {
		r = valueRange{0, -1}
		out = append(out, attrOut{name: o.name})
	}
	if r.from >= len(o.vals) {
		return out
	}
	end := min(len(o.vals), r.from+sel.rangeLimit)
	if r.to >= 0 {
		end = min(end, r.to+1)
	}
	label := strconv.Itoa(end - 1)
	if end == len(o.vals) {
		label = "*"
	}
	name := o.name + ";range=" + strconv.Itoa(r.from) + "-" + label
	return append(out, attrOut{name: name, vals: o.vals[r.from:end]})
}
