package embedded

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// FuzzMessage feeds bytes to everything that reads from the wire: frame,
// envelope, controls, requests and filters. Nothing may panic, and what was
// read must be within the limits.
func FuzzMessage(f *testing.F) {
	s, err := newSchema()
	must(f, err)
	d, err := s.parseDN(annDN)
	must(f, err)
	st := &store{schema: s, cfg: Config{Clock: (&falseClock{}).now, Rand: bytes.NewReader(nil)}, names: names{suffix: d.parent()}, tree: newTree(s, d.parent())}
	for _, op := range []*ber.Packet{
		bindOf(annDN, "x"), searchRequestOf(annDN, "(&(uid=a*b)(!(cn:dn:caseExactMatch:=x))(|(sn>=1)(sn~=2)))"), extendedOf(oidCancel, sequence(integer(1))),
		extendedOf(oidPasswordModify, sequence(contextOctets(0, annDN), contextOctets(2, "x"))), abandonOf(3),
		constructed(ber.ClassApplication, ber.Tag(OpAdd), octets(annDN), sequence(sequence(octets("cn"), constructed(ber.ClassUniversal, ber.TagSet, octets("x"))))),
		constructed(ber.ClassApplication, ber.Tag(OpModify), octets(annDN), sequence(sequence(enumerated(3), sequence(octets("cn"), constructed(ber.ClassUniversal, ber.TagSet, octets("1")))))),
		constructed(ber.ClassApplication, ber.Tag(OpModifyDN), octets(annDN), octets("uid=x"), boolean(true), contextOctets(0, testSuffix)),
		constructed(ber.ClassApplication, ber.Tag(OpCompare), octets(annDN), sequence(octets("uid"), octets("ann"))),
	} {
		f.Add(envelope(1, op, []reply{
			{oid: oidPaging, value: sequence(integer(5), octets("x"))},
			{oid: oidSync, value: sequence(enumerated(3), octets("rid=000,csn=x"))},
			{oid: oidAssertion, value: filterOf("(uid=ann)")},
			{oid: oidPostRead, value: sequence(octets("cn"))},
		}).Bytes())
	}
	e := &entry{dn: d}
	s.set(e, s.objectClass, "inetOrgPerson")
	s.set(e, s.types["uid"], "ann")
	s.set(e, s.types["cn"], "Ann", "Anna")
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := readFrame(bufio.NewReader(bytes.NewReader(b)), 1<<16)
		if err != nil {
			return
		}
		if len(frame) > 1<<16+6 {
			t.Fatalf("%d bytes", len(frame))
		}
		m, err := decodeMessage(frame, 50)
		if err != nil {
			return
		}
		if m.id <= 0 {
			t.Fatalf("message id %d", m.id)
		}
		if x, f := s.readControls(m); f == nil && x.assertion != nil {
			x.assertion.eval(st.view(e))
		}
		fuzzBody(st, m, e)
	})
}

func fuzzBody(st *store, m *message, e *entry) {
	switch m.op {
	case OpBind:
		if r, err := decodeBind(m.body); err == nil {
			st.bind(r, true)
		}
	case OpSearch:
		if r, err := decodeSearch(m.body); err == nil {
			_, _ = st.schema.parseDN(r.base)
			st.schema.selectAttributes(r.attrs, r.typesOnly).pick(st.view(e))
			if f, err := st.schema.compileFilter(r.filter); err == nil {
				f.eval(st.view(e))
			}
		}
	case OpAdd:
		if r, err := decodeAdd(m.body); err == nil {
			st.add(who{dn: e.dn, service: true}, r, &options{}) //nolint:errcheck // only a panic counts
		}
	case OpModify:
		if r, err := decodeModify(m.body); err == nil {
			st.modify(who{dn: e.dn, service: true}, r, &options{}) //nolint:errcheck // only a panic counts
			if mods, f := st.checkMods(r.mods); f == nil {
				st.apply(e.clone(), mods, who{service: true}, &options{}) //nolint:errcheck // only a panic counts
			}
		}
	case OpModifyDN:
		if r, err := decodeModifyDN(m.body); err == nil {
			st.modifyDN(who{dn: e.dn, service: true}, r, &options{}) //nolint:errcheck // only a panic counts
		}
	case OpCompare:
		if r, err := decodeCompare(m.body); err == nil {
			st.compare(who{dn: e.dn, service: true}, r, &options{}) //nolint:errcheck // only a panic counts
		}
	case OpExtended:
		if r, err := decodeExtended(m.body); err == nil {
			_, _ = decodePasswordModify(r)
			(&conn{}).cancelOperation(r) //nolint:errcheck // only a panic counts
		}
	}
}

// FuzzDN: what is parsed is spelled so that it is parsed the same again.
func FuzzDN(f *testing.F) {
	s, err := newSchema()
	must(f, err)
	for _, v := range []string{annDN, `cn="Doe, John"+uid=x;dc=a`, `cn=\ \#a\,b\2c \ ,DC=Ä`, `uidNumber=5`, `cn=\zz`, ``, ` `, `2.5.4.3=x`, `cn=a\0ab`} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := s.parseDN(text)
		if err != nil {
			return
		}
		again, err := s.parseDN(d.text)
		if err != nil || again.key != d.key || again.text != d.text {
			t.Fatalf("%q is spelled %q, which is %q (%q and %q): %v", text, d.text, again.text, d.key, again.key, err)
		}
	})
}

// FuzzLDIF: no input may do more than fail.
func FuzzLDIF(f *testing.F) {
	f.Add(seed)
	f.Add("dn:: eA==\nobjectClass: x\n y\n# c\n d\n\nversion: 1\ndn: x\nchangetype: add\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := New(Config{Suffix: testSuffix})
		must(t, err)
		_ = s.LoadLDIF(strings.NewReader(text))
	})
}
