package client

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

func TestAbuse_I06_MalformedAnswers(t *testing.T) {
	deep := []byte{}
	for range 10000 {
		deep = append(deep, 0x30, 0x80)
	}
	random := make([]byte, 4096)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(rng.UintN(256))
	}
	bad := map[string]func(id int64, tag ber.Tag) []byte{
		"no children": func(id int64, tag ber.Tag) []byte {
			return message(id, ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")).Bytes()
		},
		"no operation": func(id int64, _ ber.Tag) []byte { return message(id).Bytes() },
		"wrong tag":    func(id int64, _ ber.Tag) []byte { return result(id, 29, 0, "").Bytes() },
		"huge length":  func(int64, ber.Tag) []byte { return []byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x02, 0x01} },
		"huger length": func(int64, ber.Tag) []byte { return []byte{0x30, 0x88, 0x7f, 255, 255, 255, 255, 255, 255, 255} },
		"depth 10,000": func(int64, ber.Tag) []byte { return deep },
		"random":       func(int64, ber.Tag) []byte { return random },
		"string as code": func(id int64, tag ber.Tag) []byte {
			op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
			for range 3 {
				op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "x", ""))
			}
			return message(id, op).Bytes()
		},
		"controls of nonsense": func(id int64, tag ber.Tag) []byte {
			p := result(id, tag, 0, "")
			controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
			controls.AppendChild(ber.NewSequence(""))
			p.AppendChild(controls)
			return p.Bytes()
		},
		"entry without attributes": func(id int64, _ ber.Tag) []byte {
			op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
			return append(message(id, op).Bytes(), result(id, ldap.ApplicationSearchResultDone, 0, "").Bytes()...)
		},
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for name, reply := range bad {
		t.Run(name, func(t *testing.T) {
			f := listen(t, answer(func(_ *fake, id int64, op *ber.Packet) []byte {
				switch {
				case bindDN(op) == person("alice"):
					return reply(id, ldap.ApplicationBindResponse)
				case op.Tag == ldap.ApplicationSearchRequest && !isPing(op):
					return reply(id, ldap.ApplicationSearchResultDone)
				case op.Tag == ldap.ApplicationModifyRequest:
					return reply(id, ldap.ApplicationModifyResponse)
				}
				return nil
			}))
			cfg := shortTimes(f.url)
			cfg.Timeout = 300 * time.Millisecond
			c := open(t, cfg)
			if r := c.Bind(t.Context(), person("alice"), "x"); r.Verdict != directory.VerdictUnavailable {
				t.Errorf("bind: %+v", r)
			}
			_, err := c.Search(t.Context(), everybody())
			mustSay(t, err, directory.ErrUnavailable)
			mustSay(t, c.SearchPaged(t.Context(), everybody(), 10, func(*ldap.Entry) error { return nil }), directory.ErrUnavailable)
			err = c.Do(t.Context(), func(l *ldap.Conn) error {
				m := ldap.NewModifyRequest(person("alice"), nil)
				m.Replace("sn", []string{"x"})
				return l.Modify(m)
			})
			if name != "controls of nonsense" { // go-ldap does not look at those of a modify
				mustSay(t, err, ErrOutcomeUnknown)
			}
			if err := c.Ping(t.Context()); err != nil {
				t.Errorf("the client is of no use afterwards: %v", err)
			}
		})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc-before.TotalAlloc) >> 20; grown > 64 {
		t.Errorf("malformed answers cost %d MiB", grown)
	}
}

func TestSearchPagedTrustsNothing(t *testing.T) {
	control := func(cookie string) *ber.Packet {
		c := ldap.NewControlPaging(0)
		c.SetCookie([]byte(cookie))
		wrap := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		wrap.AppendChild(c.Encode())
		return wrap
	}
	done := func(id int64, cookie string) []byte {
		p := result(id, ldap.ApplicationSearchResultDone, 0, "")
		p.AppendChild(control(cookie))
		return p.Bytes()
	}
	pages := 0
	for name, reply := range map[string]func(id int64) []byte{
		"the same empty page for ever": func(id int64) []byte { return done(id, "x") },
		"no control on the second page": func(id int64) []byte {
			if pages++; pages == 1 {
				return append(entry(id, person("alice")).Bytes(), done(id, "x")...)
			}
			return result(id, ldap.ApplicationSearchResultDone, 0, "").Bytes()
		},
		"an answer to nobody": func(id int64) []byte {
			return slices.Concat(entry(id+77, person("alice")).Bytes(), done(id, ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := listen(t, answer(func(_ *fake, id int64, op *ber.Packet) []byte {
				if op.Tag == ldap.ApplicationSearchRequest && !isPing(op) {
					return reply(id)
				}
				return nil
			}))
			err := open(t, shortTimes(f.url)).SearchPaged(t.Context(), everybody(), 10, func(*ldap.Entry) error { return nil })
			mustSay(t, err, directory.ErrUnavailable)
		})
	}
}
