package mapping

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"
)

// Any value at all, put into a DN by EscapeDN, gives a key that is its own normal
// form, and two values that a server tells apart by more than case, spaces and
// Unicode form give two keys.
func TestDNKeyOfAnyValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.String(),
			rapid.StringOf(rapid.RuneFrom([]rune(` ,+"\<>;=#/aAbBäÄﬁİıſKÅ１Ａ，𝚨`+"\u00a0\u0308\u0345\u1e9e\u2003\x00\n\t"))),
		).Draw(t, "value")
		dn := "CN=" + ldap.EscapeDN(value) + ",ou=x"
		key, err := DNKey(dn)
		if err != nil {
			t.Fatalf("%q: %v", dn, err)
		}
		again, err := DNKey(key)
		if err != nil || again != key {
			t.Fatalf("%q gives %q, then %q, %v", dn, key, again, err)
		}
		if ParentKey(key) != "ou=x" {
			t.Fatalf("%q left its parent: %q", dn, key)
		}
	})
}
