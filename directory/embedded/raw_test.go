package embedded

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// raw is a client that sends what go-ldap would not.
type raw struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func dialRaw(t testing.TB, url string) *raw {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(url, "ldap://"))
	must(t, err)
	must(t, nc.SetDeadline(time.Now().Add(15*time.Second)))
	t.Cleanup(func() { _ = nc.Close() })
	return &raw{t, nc, bufio.NewReader(nc)}
}

func (r *raw) bytes(b []byte) {
	r.t.Helper()
	if _, err := r.nc.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) send(id int64, op *ber.Packet, controls ...reply) {
	r.t.Helper()
	r.bytes(envelope(id, op, controls).Bytes())
}

// read gives the next message.
func (r *raw) read() *ber.Packet {
	r.t.Helper()
	p, err := ber.ReadPacket(r.r)
	must(r.t, err)
	return p
}

// expect wants the next message to be that one.
func (r *raw) expect(id int64, tag ber.Tag) *ber.Packet {
	r.t.Helper()
	p := r.read()
	if p.Children[0].Value.(int64) != id || p.Children[1].Tag != tag {
		r.t.Fatalf("message %v with tag %d, want %d with tag %d", p.Children[0].Value, p.Children[1].Tag, id, tag)
	}
	return p
}

// result reads a final answer.
func (r *raw) result() (id int64, tag ber.Tag, code int) {
	r.t.Helper()
	p := r.read()
	op := p.Children[1]
	return p.Children[0].Value.(int64), op.Tag, int(op.Children[0].Value.(int64))
}

// ends wants the connection to be closed by the server, after whatever it
// still has to say, which is given.
func (r *raw) ends() []*ber.Packet {
	r.t.Helper()
	var out []*ber.Packet
	for {
		p, err := ber.ReadPacket(r.r)
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) {
				r.t.Fatal("the connection stays open")
			}
			return out
		}
		out = append(out, p)
	}
}

func (r *raw) bindService() {
	r.t.Helper()
	r.send(1, bindOf(testService, testSecret))
	if _, _, code := r.result(); code != 0 {
		r.t.Fatalf("bind: %d", code)
	}
}

func bindOf(dn, password string) *ber.Packet {
	return constructed(ber.ClassApplication, ber.Tag(OpBind), integer(3), octets(dn), contextOctets(0, password))
}

func filterOf(text string) *ber.Packet {
	f, err := ldap.CompileFilter(text)
	if err != nil {
		panic(err)
	}
	return f
}

func searchRequestOf(base, filter string) *ber.Packet {
	return searchWith(base, filterOf(filter))
}

func searchWith(base string, filter *ber.Packet) *ber.Packet {
	return constructed(ber.ClassApplication, ber.Tag(OpSearch), octets(base), enumerated(2), enumerated(0),
		integer(0), integer(0), boolean(false), filter, sequence())
}

func extendedOf(oid string, value *ber.Packet) *ber.Packet {
	p := constructed(ber.ClassApplication, ber.Tag(OpExtended), contextOctets(0, oid))
	if value != nil {
		p.AppendChild(contextOctets(1, string(value.Bytes())))
	}
	return p
}

func abandonOf(id int64) *ber.Packet {
	return ber.NewInteger(ber.ClassApplication, ber.TypePrimitive, ber.Tag(OpAbandon), id, "")
}
