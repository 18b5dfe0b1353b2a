package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// certificate makes a self-signed one for 127.0.0.1.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func TestTLS(t *testing.T) {
	server, pool := certificate(t)
	s := startEmbedded(t, func(c *Config) { c.TLS, c.ListenTLS = server, "127.0.0.1:0" })
	client := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}

	t.Run("StartTLS", func(t *testing.T) {
		c := dial(t, s.URL())
		must(t, c.StartTLS(client))
		must(t, c.Bind(testService, testSecret))
		if _, err := c.Search(search(testSuffix, ldap.ScopeWholeSubtree, "(objectClass=*)")); err != nil {
			t.Error(err)
		}
		if _, err := c.Extended(ldap.NewExtendedRequest(oidStartTLS, nil)); code(err) != resultOperationsError {
			t.Errorf("twice: %v", err)
		}
	})
	t.Run("LDAPS", func(t *testing.T) {
		c, err := ldap.DialURL(s.URLTLS(), ldap.DialWithTLSConfig(client))
		must(t, err)
		defer func() { _ = c.Close() }()
		must(t, c.Bind(testService, testSecret))
	})
	t.Run("unknown CA", func(t *testing.T) {
		if err := dial(t, s.URL()).StartTLS(&tls.Config{ServerName: "127.0.0.1"}); err == nil {
			t.Error("accepted")
		}
	})
	t.Run("refused", func(t *testing.T) {
		s.SetFaults(Faults{RefuseStartTLS: true})
		defer s.SetFaults(Faults{})
		if err := dial(t, s.URL()).StartTLS(client); code(err) != resultProtocolError {
			t.Errorf("%v", err)
		}
	})
	t.Run("clear text in front of TLS", func(t *testing.T) {
		s.SetFaults(Faults{BeforeTLS: envelope(2, result(1, nil), nil).Bytes()})
		defer s.SetFaults(Faults{})
		r := dialRaw(t, s.URL())
		r.send(1, extendedOf(oidStartTLS, nil))
		r.expect(1, tagExtended)
		r.expect(2, 1)
	})
	t.Run("clear text behind the request", func(t *testing.T) {
		r := dialRaw(t, s.URL())
		r.bytes(append(envelope(1, extendedOf(oidStartTLS, nil), nil).Bytes(), envelope(2, bindOf(testService, testSecret), nil).Bytes()...))
		if got := r.ends(); len(got) != 0 {
			t.Errorf("%d answers", len(got))
		}
	})
	t.Run("after garbage", func(t *testing.T) {
		r := dialRaw(t, s.URL())
		r.send(1, extendedOf(oidStartTLS, nil))
		r.read()
		r.bytes([]byte("not a handshake, not a handshake"))
		buf := make([]byte, 1000)
		for {
			if _, err := r.nc.Read(buf); err != nil {
				break
			}
		}
	})
}

func TestFaults_Answers(t *testing.T) {
	s := startEmbedded(t, nil)
	admin := dialService(t, s.URL())
	for i := range 30 {
		must(t, admin.Add(person(fmt.Sprint("f", i))))
	}
	all := search(testSuffix, ldap.ScopeWholeSubtree, "(uid=f*)", "uid")
	try := func(f Faults, timeout time.Duration) (*ldap.SearchResult, error) {
		s.SetFaults(Faults{})
		c := dialService(t, s.URL())
		c.SetTimeout(timeout)
		s.SetFaults(f)
		defer s.SetFaults(Faults{})
		return c.Search(all)
	}
	if res, err := try(Faults{}, 20*time.Second); err != nil || len(res.Entries) != 30 {
		t.Fatalf("healthy: %v", err)
	}
	start := time.Now()
	if res, err := try(Faults{Delay: 5 * time.Millisecond}, 20*time.Second); err != nil || len(res.Entries) != 30 || time.Since(start) < 150*time.Millisecond {
		t.Errorf("delay: %v after %v", err, time.Since(start))
	}
	for name, f := range map[string]Faults{
		"silent": {Silent: true}, "trickle": {BytesPerSecond: 10}, "drop after": {DropAfter: 5}, "drop in search": {DropInSearch: 7},
	} {
		res, err := try(f, 200*time.Millisecond)
		if err == nil || code(err) > 0 && code(err) != ldap.ErrorNetwork {
			t.Errorf("%s: %v", name, err)
		}
		if want := map[string]int{"drop after": 4, "drop in search": 7}[name]; want > 0 && len(res.Entries) != want {
			t.Errorf("%s: %d entries", name, len(res.Entries))
		}
	}
	for _, limit := range []Faults{{SizeLimit: 10}, {PageLimit: 10}} {
		if res, err := try(limit, 20*time.Second); code(err) != resultSizeLimit || len(res.Entries) != 10 {
			t.Errorf("limit: %v", err)
		}
	}
	limited := search(testSuffix, ldap.ScopeWholeSubtree, "(uid=f*)", "uid")
	limited.TimeLimit = 1
	s.SetFaults(Faults{Delay: 300 * time.Millisecond})
	if res, err := admin.Search(limited); code(err) != resultTimeLimit || len(res.Entries) == 0 {
		t.Errorf("time limit: %v", err)
	}
	if res, err := try(Faults{SearchReferrals: []string{"ldap://other/"}}, 20*time.Second); err != nil || !slices.Equal(res.Referrals, []string{"ldap://other/"}) {
		t.Errorf("referrals: %v", err)
	}
	for op, do := range map[Operation]func(c *ldap.Conn) error{
		OpSearch: func(c *ldap.Conn) error { _, err := c.Search(all); return err },
		OpBind:   func(c *ldap.Conn) error { return c.Bind(testService, testSecret) },
		OpAdd:    func(c *ldap.Conn) error { return c.Add(person("no")) },
		OpDelete: func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest("uid=f0,"+testSuffix, nil)) },
	} {
		s.SetFaults(Faults{})
		c := dialService(t, s.URL())
		s.SetFaults(Faults{Results: map[Operation]Result{op: {Code: resultBusy, Text: "not now"}}})
		if err := do(c); code(err) != resultBusy || !strings.Contains(err.Error(), "not now") {
			t.Errorf("operation %d: %v", op, err)
		}
	}
	locked := policyReply(-1, -1, policyLocked)
	s.SetFaults(Faults{Results: map[Operation]Result{OpBind: {Code: 19, Controls: []Control{{locked.oid, locked.value.Bytes()}}}}})
	if got := bindText(dial(t, s.URL()), annDN, "x", true); got != "19 policy(expire=-1 grace=-1 error=1)" {
		t.Error(got)
	}
	s.SetFaults(Faults{BindReferrals: []string{"ldap://other/"}})
	if err := dial(t, s.URL()).Bind(testService, testSecret); code(err) != resultReferral {
		t.Errorf("bind: %v", err)
	}
	s.SetFaults(Faults{RefuseConnects: true})
	dialRaw(t, s.URL()).ends()
}

// TestFaults_Garbage: whatever the server sends, a client gets an error, not a
// result, and does not hang.
func TestFaults_Garbage(t *testing.T) {
	s := startEmbedded(t, nil)
	for g := GarbageNoChildren; g <= GarbageNoResult; g++ {
		c := dial(t, s.URL())
		c.SetTimeout(300 * time.Millisecond)
		s.SetFaults(Faults{Garbage: g})
		if err := c.Bind(testService, testSecret); err == nil {
			t.Errorf("garbage %d is taken for success", g)
		}
		s.SetFaults(Faults{})
	}
}

// TestFaults_DR17_ActiveDirectoryLimits: page limit and range retrieval.
func TestFaults_DR17_ActiveDirectoryLimits(t *testing.T) {
	s := startEmbedded(t, nil)
	c := dialService(t, s.URL())
	const n = 3000
	group := addOf("cn=big,"+testSuffix, "objectClass", "groupOfNames", "cn", "big")
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf("uid=m%d,%s", i, testSuffix))
	}
	group.Attribute("member", members)
	must(t, c.Add(group))
	s.SetFaults(Faults{RangeLimit: 1500, PageLimit: 1000})
	read := func(attr string) *ldap.Entry {
		res, err := c.Search(search("cn=big,"+testSuffix, ldap.ScopeBaseObject, "(objectClass=*)", attr))
		must(t, err)
		return res.Entries[0]
	}
	e := read("member")
	if len(e.GetAttributeValues("member")) != 0 || len(e.GetAttributeValues("member;range=0-1499")) != 1500 {
		t.Fatalf("first range: %d attributes", len(e.Attributes))
	}
	got := slices.Clone(e.GetAttributeValues("member;range=0-1499"))
	got = append(got, read("member;range=1500-*").GetAttributeValues("member;range=1500-*")...)
	if !slices.Equal(got, members) {
		t.Errorf("%d members", len(got))
	}
	if e := read("member;range=10-19"); len(e.GetAttributeValues("member;range=10-19")) != 10 {
		t.Errorf("%v", e.Attributes[0].Name)
	}
	if e := read("member;range=3000-*"); len(e.Attributes) != 0 {
		t.Errorf("%v", e.Attributes[0].Name)
	}
	for i := range 1200 {
		must(t, c.Add(person(fmt.Sprint("m", i))))
	}
	r := search(testSuffix, ldap.ScopeWholeSubtree, "(uid=m*)", "1.1")
	if res, err := c.Search(r); code(err) != resultSizeLimit || len(res.Entries) != 1000 {
		t.Errorf("unpaged: %v", err)
	}
	if res, err := c.SearchWithPaging(search(testSuffix, ldap.ScopeWholeSubtree, "(uid=m*)", "1.1"), 5000); err != nil || len(res.Entries) != 1200 {
		t.Errorf("paged: %v", err)
	}
}
