package embedded

import (
	"fmt"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// filled is a server with n people and one group of all of them.
func filled(b *testing.B, n int) *Server {
	b.Helper()
	s := startEmbedded(b, nil)
	var members []string
	for i := range n {
		r := person(fmt.Sprint("p", i), "mail", fmt.Sprint("p", i, "@example.org"), "userPassword", "right")
		req := addRequest{dn: r.DN}
		for _, a := range r.Attributes {
			req.attrs = append(req.attrs, attrValues{a.Type, a.Vals})
		}
		if f := s.store.load(req); f != nil {
			b.Fatal(f)
		}
		members = append(members, r.DN)
	}
	req := addRequest{dn: "cn=all," + testSuffix, attrs: []attrValues{
		{"objectClass", []string{"groupOfNames"}}, {"cn", []string{"all"}}, {"member", members},
	}}
	if f := s.store.load(req); f != nil {
		b.Fatal(f)
	}
	return s
}

func BenchmarkServer(b *testing.B) {
	s := filled(b, 10_000)
	c := dialService(b, s.URL())
	b.Run("bind", func(b *testing.B) {
		own := dial(b, s.URL())
		for b.Loop() {
			must(b, own.Bind("uid=p7,"+testSuffix, "right"))
		}
	})
	b.Run("find one of 10000", func(b *testing.B) {
		for b.Loop() {
			res, err := c.Search(search(testSuffix, ldap.ScopeWholeSubtree, "(&(objectClass=inetOrgPerson)(uid=p9000))", "cn", "mail"))
			if err != nil || len(res.Entries) != 1 {
				b.Fatal(err)
			}
		}
	})
	b.Run("read 10000", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Search(search(testSuffix, ldap.ScopeWholeSubtree, "(uid=*)", "cn", "mail")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("join a group of 10000", func(b *testing.B) {
		for b.Loop() {
			m := ldap.NewModifyRequest("cn=all,"+testSuffix, nil)
			m.Delete("member", []string{"uid=p5," + testSuffix})
			must(b, c.Modify(m))
			m = ldap.NewModifyRequest("cn=all,"+testSuffix, nil)
			m.Add("member", []string{"uid=p5," + testSuffix})
			must(b, c.Modify(m))
		}
	})
}
