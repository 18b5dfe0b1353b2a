package client

import (
	"bufio"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// fake is a listener that behaves as badly as a test wants.
type fake struct {
	l        net.Listener
	url      string
	addr     string
	accepted atomic.Int64
	packets  atomic.Int64 // requests read, whatever they are
	binds    atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

// listen calls serve for each connection.
func listen(t testing.TB, serve func(f *fake, nc net.Conn)) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, serve)
}

func serveOn(t testing.TB, l net.Listener, serve func(f *fake, nc net.Conn)) *fake {
	f := &fake{l: l, addr: l.Addr().String(), url: "ldap://" + l.Addr().String(), conns: map[net.Conn]struct{}{}}
	f.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			f.accepted.Add(1)
			f.mu.Lock()
			f.conns[nc] = struct{}{}
			f.mu.Unlock()
			f.wg.Go(func() {
				serve(f, nc)
				_ = nc.Close()
			})
		}
	})
	t.Cleanup(f.stop)
	return f
}

func (f *fake) stop() {
	_ = f.l.Close()
	f.mu.Lock()
	for nc := range f.conns {
		_ = nc.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

// hold reads and says nothing until the other side leaves.
func hold(_ *fake, nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }

// answer speaks LDAP: reply gets each request and gives the bytes to send.
// Binds and searches of the root DSE succeed unless reply answers them.
func answer(reply func(f *fake, id int64, op *ber.Packet) []byte) func(*fake, net.Conn) {
	return func(f *fake, nc net.Conn) {
		r := bufio.NewReader(nc)
		for {
			p, err := ber.ReadPacket(r)
			if err != nil || len(p.Children) < 2 {
				return
			}
			f.packets.Add(1)
			id, op := p.Children[0].Value.(int64), p.Children[1]
			if op.Tag == ldap.ApplicationBindRequest {
				f.binds.Add(1)
			}
			var out []byte
			if reply != nil {
				out = reply(f, id, op)
			}
			if out == nil {
				switch op.Tag {
				case ldap.ApplicationBindRequest:
					out = result(id, ldap.ApplicationBindResponse, 0, "").Bytes()
				case ldap.ApplicationSearchRequest:
					out = result(id, ldap.ApplicationSearchResultDone, 0, "").Bytes()
				case ldap.ApplicationUnbindRequest:
					return
				default:
					continue
				}
			}
			if _, err := nc.Write(out); err != nil {
				return
			}
		}
	}
}

// result is an LDAPMessage with an LDAPResult.
func result(id int64, tag ber.Tag, code int64, text string, more ...*ber.Packet) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, ""))
	for _, m := range more {
		op.AppendChild(m)
	}
	return message(id, op)
}

func message(id int64, parts ...*ber.Packet) *ber.Packet {
	p := ber.NewSequence("")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	for _, part := range parts {
		p.AppendChild(part)
	}
	return p
}

// referTo is the [3] of an LDAPResult.
func referTo(uri string) *ber.Packet {
	p := ber.Encode(ber.ClassContext, ber.TypeConstructed, 3, nil, "")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, uri, ""))
	return p
}

// entry is a SearchResultEntry.
func entry(id int64, dn string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	op.AppendChild(ber.NewSequence(""))
	return message(id, op)
}

// isPing tells the search that checks and probes make.
func isPing(op *ber.Packet) bool {
	return op.Tag == ldap.ApplicationSearchRequest && op.Children[0].Value == ""
}

// bindDN is the name in a bind request.
func bindDN(op *ber.Packet) string {
	if op.Tag != ldap.ApplicationBindRequest {
		return ""
	}
	return op.Children[1].Value.(string)
}

// relay passes bytes to a real server and can stop doing so.
type relay struct {
	*fake
	deaf    atomic.Bool  // swallow everything silently, as a firewall does
	cutDown atomic.Int64 // bytes from the server after which the line is cut; 0: never
}

func startRelay(t testing.TB, to string) *relay {
	r := &relay{}
	r.fake = listen(t, func(f *fake, nc net.Conn) {
		up, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer up.Close()
		f.wg.Go(func() {
			r.pass(up, nc, &atomic.Int64{})
			_ = up.Close()
		})
		r.pass(nc, up, &r.cutDown)
	})
	return r
}

func (r *relay) pass(to, from net.Conn, limit *atomic.Int64) {
	buf := make([]byte, 4096)
	for total := int64(0); ; {
		n, err := from.Read(buf)
		if err != nil {
			if !r.deaf.Load() {
				_ = to.Close()
			}
			return
		}
		total += int64(n)
		if r.deaf.Load() {
			continue
		}
		if most := limit.Load(); most > 0 && total > most {
			_ = to.Close()
			_ = from.Close()
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			_ = from.Close()
			return
		}
	}
}
