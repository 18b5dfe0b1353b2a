package embedded

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// notice wants the last message to be a notice of disconnection.
func notice(t *testing.T, packets []*ber.Packet) {
	t.Helper()
	if len(packets) == 0 {
		t.Fatal("no notice of disconnection")
	}
	p := packets[len(packets)-1]
	if p.Children[0].Value.(int64) != 0 || p.Children[1].Tag != tagExtended || p.Children[1].Children[0].Value.(int64) != resultProtocolError {
		t.Errorf("not a notice of disconnection: %v", p)
	}
}

func TestProtocol_BadMessagesEndTheConnection(t *testing.T) {
	s := startEmbedded(t, nil)
	deep := []byte{0x04, 0x00}
	for range 200 {
		deep = append([]byte{0x30, 0x82, byte(len(deep) >> 8), byte(len(deep))}, deep...)
	}
	who := extendedOf(oidWhoAmI, nil)
	for name, b := range map[string][]byte{
		"text":               []byte("GET / HTTP/1.0\r\n\r\n"),
		"huge length":        {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x02},
		"indefinite length":  {0x30, 0x80, 0x02, 0x01, 0x01, 0x00, 0x00},
		"length of length":   {0x30, 0xff, 1, 2, 3, 4, 5, 6, 7, 8},
		"empty envelope":     {0x30, 0x00},
		"nesting":            deep,
		"message id 0":       envelope(0, who, nil).Bytes(),
		"message id below 0": envelope(-1, who, nil).Bytes(),
		"message id of text": sequence(octets("1"), who).Bytes(),
		"unknown operation":  envelope(1, constructed(ber.ClassApplication, 29, octets("x")), nil).Bytes(),
		"answer as request":  envelope(1, result(1, nil), nil).Bytes(),
		"inner length":       {0x30, 0x06, 0x02, 0x01, 0x01, 0x60, 0x7f, 0x00},
		"controls":           sequence(integer(1), who, octets("x")).Bytes(),
		"too large":          append([]byte{0x30, 0x83, 0x05, 0x00, 0x00}, make([]byte, 10)...),
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, s.URL())
			r.bytes(b)
			notice(t, r.ends())
		})
	}
}

// TestProtocol_BadBodies are answered with protocolError; the connection lives.
func TestProtocol_BadBodies(t *testing.T) {
	s := startEmbedded(t, nil)
	r := dialRaw(t, s.URL())
	app := func(op Operation, children ...*ber.Packet) *ber.Packet {
		return constructed(ber.ClassApplication, ber.Tag(op), children...)
	}
	ctx := func(tag ber.Tag, children ...*ber.Packet) *ber.Packet {
		return constructed(ber.ClassContext, tag, children...)
	}
	for i, op := range []*ber.Packet{
		app(OpBind), app(OpBind, integer(3), integer(3), contextOctets(0, "")), app(OpBind, integer(3), octets(""), contextOctets(9, "")),
		app(OpBind, integer(2), octets(""), contextOctets(0, "")), app(OpSearch), app(OpSearch, octets("")),
		app(OpAdd, octets("")), app(OpAdd, octets(""), sequence(octets("x"))), app(OpModify, octets("")), app(OpModify, octets(""), sequence(sequence(octets("x"), octets("y")))),
		app(OpModifyDN, octets("")), app(OpModifyDN, octets(""), octets(""), octets("")), app(OpCompare, octets("")), app(OpCompare, octets(""), sequence(octets(""))),
		app(OpExtended), app(OpExtended, octets("x")), extendedOf("1.2.3", nil), extendedOf(oidCancel, nil), extendedOf(oidPasswordModify, sequence(octets("x"))),
		searchWith(testSuffix, octets("x")), searchWith(testSuffix, ctx(0, octets("x"))), searchWith(testSuffix, ctx(2)), searchWith(testSuffix, ctx(3)),
		searchWith(testSuffix, ctx(3, octets("a"), integer(1))), searchWith(testSuffix, ctx(4, octets("a"), octets("b"))),
		searchWith(testSuffix, ctx(4, octets("uid"), sequence(contextOctets(7, "x")))), searchWith(testSuffix, ctx(9)), searchWith(testSuffix, ctx(9, contextOctets(5, "x"))),
		searchWith(testSuffix, ctx(4, octets("uid"), sequence(contextOctets(1, "x"), contextOctets(0, "y")))), searchWith(testSuffix, ctx(10)), searchWith(testSuffix, ctx(7)),
		searchWith(testSuffix, contextOctets(0, "x")),
	} {
		r.send(int64(i+1), op)
		if id, _, code := r.result(); id != int64(i+1) || code != resultProtocolError && code != resultStrongerAuthRequired {
			t.Errorf("request %d: message %d, code %d", i, id, code)
		}
	}
	r.bindService()
}

func TestProtocol_MessageIDInUse(t *testing.T) {
	s := startEmbedded(t, nil)
	r := dialRaw(t, s.URL())
	r.bindService()
	persist := reply{oid: oidSync, value: sequence(enumerated(3))}
	r.send(5, searchRequestOf(testSuffix, "(uid=x)"), persist)
	r.expect(5, tagIntermediate)
	r.send(5, searchRequestOf(testSuffix, "(uid=x)"), persist)
	notice(t, r.ends())
}

func TestProtocol_BindEndsOutstandingSearches(t *testing.T) {
	s := startEmbedded(t, nil)
	r := dialRaw(t, s.URL())
	r.bindService()
	r.send(5, searchRequestOf(testSuffix, "(uid=x)"), reply{oid: oidSync, value: sequence(enumerated(3))})
	r.expect(5, tagIntermediate)
	r.send(6, bindOf(testService, testSecret))
	if id, _, code := r.result(); id != 6 || code != 0 {
		t.Errorf("message %d, code %d", id, code)
	}
}

func TestProtocol_Limits(t *testing.T) {
	s := startEmbedded(t, func(c *Config) {
		c.MaxConnections, c.IdleTimeout, c.ReadTimeout = 2, 300*time.Millisecond, 300*time.Millisecond
	})
	t.Run("idle", func(t *testing.T) {
		r := dialRaw(t, s.URL())
		start := time.Now()
		r.ends()
		if d := time.Since(start); d < 200*time.Millisecond || d > 5*time.Second {
			t.Errorf("closed after %v", d)
		}
	})
	t.Run("half a message", func(t *testing.T) {
		r := dialRaw(t, s.URL())
		r.bytes([]byte{0x30, 0x20, 0x02})
		r.ends()
	})
	t.Run("not while following", func(t *testing.T) {
		r := dialRaw(t, s.URL())
		r.bindService()
		r.send(5, searchRequestOf(testSuffix, "(uid=x)"), reply{oid: oidSync, value: sequence(enumerated(3))})
		r.expect(5, tagIntermediate)
		time.Sleep(700 * time.Millisecond)
		r.send(6, extendedOf(oidWhoAmI, nil))
		r.expect(6, tagExtended)
		_ = r.nc.Close()
	})
	t.Run("connections", func(t *testing.T) {
		for range 500 {
			if s.Stats().Open == 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		a, b := dialRaw(t, s.URL()), dialRaw(t, s.URL())
		a.send(1, extendedOf(oidWhoAmI, nil))
		b.send(1, extendedOf(oidWhoAmI, nil))
		a.read()
		b.read()
		dialRaw(t, s.URL()).ends()
	})
	t.Run("anonymous message", func(t *testing.T) {
		big := envelope(1, bindOf("cn="+strings.Repeat("x", 300<<10), "x"), nil).Bytes()
		for range 500 { // the connections before must be gone, or this one is refused
			if s.Stats().Open == 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		r := dialRaw(t, s.URL())
		_, _ = r.nc.Write(big)
		r.ends()
	})
}

func TestProtocol_TooManyPersistentSearches(t *testing.T) {
	s := startEmbedded(t, nil)
	r := dialRaw(t, s.URL())
	r.bindService()
	for i := range maxPersistent {
		r.send(int64(i+10), searchRequestOf(testSuffix, "(uid=x)"), reply{oid: oidSync, value: sequence(enumerated(3))})
		r.expect(int64(i+10), tagIntermediate)
	}
	r.send(1000, searchRequestOf(testSuffix, "(uid=x)"), reply{oid: oidSync, value: sequence(enumerated(3))})
	if _, _, code := r.result(); code != resultBusy {
		t.Errorf("code %d", code)
	}
	r.send(1001, searchRequestOf(testSuffix, "(uid=x)"))
	if id, tag, code := r.result(); id != 1001 || tag != tagSearchDone || code != 0 {
		t.Errorf("message %d, code %d", id, code)
	}
}

func TestProtocol_ManyAtOnce(t *testing.T) {
	s := startEmbedded(t, nil)
	c := dialService(t, s.URL())
	for i := range 20 {
		must(t, c.Add(person(fmt.Sprint("u", i), "userPassword", fmt.Sprint("pw", i))))
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			own, err := ldap.DialURL(s.URL())
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = own.Close() }()
			for j := range 20 {
				dn := fmt.Sprintf("uid=u%d,%s", i, testSuffix)
				if err := own.Bind(dn, fmt.Sprint("pw", (i+j%2))); (err == nil) != (j%2 == 0) {
					t.Errorf("%s, try %d: %v", dn, j, err)
				}
				res, err := c.Search(search(dn, ldap.ScopeBaseObject, "(objectClass=*)", "uid"))
				if err != nil || res.Entries[0].GetAttributeValue("uid") != fmt.Sprint("u", i) {
					t.Errorf("mixed up: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// TestAbuse_A03_NUL: a password is never cut at a NUL.
func TestAbuse_A03_NUL(t *testing.T) {
	s := startEmbedded(t, nil)
	c := dialService(t, s.URL())
	must(t, c.Add(person("nul", "userPassword", "ab\x00cd")))
	for password, want := range map[string]int{"ab\x00cd": 0, "ab": 49, "ab\x00": 49, "\x00": 49, "ab\x00ce": 49} {
		if got := code(dial(t, s.URL()).Bind("uid=nul,"+testSuffix, password)); got != want {
			t.Errorf("%q: %d", password, got)
		}
	}
}

// TestAbuse_A04_Unauthenticated: the server can be made as careless as some are.
func TestAbuse_A04_Unauthenticated(t *testing.T) {
	s := startEmbedded(t, func(c *Config) { c.AllowUnauthenticated = true })
	c := dial(t, s.URL())
	must(t, c.UnauthenticatedBind(testService))
	who, err := c.WhoAmI(nil)
	if err != nil || who.AuthzID != "" {
		t.Errorf("%v %v", who, err)
	}
	strict := startEmbedded(t, func(c *Config) { c.AllowAnonymous = false })
	c = dial(t, strict.URL())
	if got := code(c.UnauthenticatedBind("")); got != resultInappropriateAuth {
		t.Errorf("anonymous: %d", got)
	}
	if got := code(c.UnauthenticatedBind(testService)); got != resultUnwilling {
		t.Errorf("unauthenticated: %d", got)
	}
	if _, err := c.Search(search("", ldap.ScopeBaseObject, "(objectClass=*)")); err != nil {
		t.Errorf("root DSE without a bind: %v", err)
	}
	if _, err := c.Search(search("cn=Subschema", ldap.ScopeBaseObject, "(objectClass=*)")); code(err) != resultNoSuchObject {
		t.Errorf("subschema without a bind: %v", err)
	}
}

func TestClose_IsGracefulAndRestarts(t *testing.T) {
	s := startEmbedded(t, nil)
	lines, stop := follow(t, s.URL(), "(uid=*)")
	defer stop()
	waitFor(t, lines, "refreshDelete")
	stuck := dialRaw(t, s.URL()) // never reads its answers
	stuck.bindService()
	c := dialService(t, s.URL())
	must(t, c.Add(person("big", "description", strings.Repeat("x", 1<<20))))
	var all bytes.Buffer
	for i := range 20 {
		all.Write(envelope(int64(100+i), searchRequestOf(testSuffix, "(uid=big)"), nil).Bytes())
	}
	stuck.bytes(all.Bytes())
	time.Sleep(50 * time.Millisecond)
	start := time.Now()
	must(t, s.Close())
	if d := time.Since(start); d > 15*time.Second { // the time-out of a write is 30 s
		t.Errorf("Close took %v", d)
	}
	waitFor(t, lines, "end ")
	url := s.URL()
	must(t, s.Start())
	if s.URL() != url {
		t.Errorf("moved from %s to %s", url, s.URL())
	}
	if err := s.Start(); err == nil {
		t.Error("started twice")
	}
	if _, err := dialService(t, url).Search(search("uid=big,"+testSuffix, ldap.ScopeBaseObject, "(objectClass=*)")); err != nil {
		t.Error(err)
	}
}

func TestNew_RefusesBadConfigurations(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no suffix": {}, "bad suffix": {Suffix: "x"}, "bad policy": {Suffix: testSuffix, DefaultPolicy: "x"},
		"bad service": {Suffix: testSuffix, ServiceDN: "x"}, "LDAPS without TLS": {Suffix: testSuffix, ListenTLS: "127.0.0.1:0"},
		"bad nothing": {Suffix: testSuffix, RefIntNothing: "x"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
