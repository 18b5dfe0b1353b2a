package embedded

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// TestDifferential_Schema: every type and class is defined as OpenLDAP defines it.
func TestDifferential_Schema(t *testing.T) {
	t.Parallel()
	real, ours := dialService(t, startSlapd(t)), dialService(t, startEmbedded(t, nil).URL())
	extras := regexp.MustCompile(` (DESC '[^']*'|X-[A-Z]+ '[^']*')|\{\d+\}`)
	read := func(c *ldap.Conn, attr string) []string {
		res, err := c.Search(search("cn=Subschema", ldap.ScopeBaseObject, "(objectClass=subschema)", attr))
		must(t, err)
		list := res.Entries[0].GetAttributeValues(attr)
		for i, d := range list {
			list[i] = extras.ReplaceAllString(d, "")
		}
		return list
	}
	for _, attr := range []string{"attributeTypes", "objectClasses"} {
		want, got := read(real, attr), read(ours, attr)
		if len(got) < 20 {
			t.Errorf("only %d %s", len(got), attr)
		}
		for _, d := range got {
			if strings.Contains(d, "'subentry'") || strings.Contains(d, "'subschema'") {
				continue // without the parts of subschemas that nobody uses
			}
			if !slices.Contains(want, d) {
				t.Errorf("%s: %s", attr, d)
			}
		}
	}
}

func TestMatchingRules(t *testing.T) {
	s, err := newSchema()
	must(t, err)
	for _, x := range []struct {
		attr, a, b string
		same       bool
	}{
		{"cn", "Ann  Lee", " ann lee ", true},
		{"cn", "é", "e\u0301", true},
		{"cn", "Straße", "STRASSE", false},
		{"cn", "ﬁ", "fi", true},
		{"cn", " ", "   ", true},
		{"cn", "ǅ", "ǆ", true},
		{"mail", "A@B", "a@b", true},
		{"homeDirectory", "/A", "/a", false},
		{"telephoneNumber", "+1 555-01", "+155501", true},
		{"uidNumber", "7", "70", false},
		{"manager", "UID=a + CN=b,DC=c", "cn=B+uid=A, dc=C", true},
		{"manager", `cn=Doe\, J,dc=c`, `cn="doe, j",dc=c`, true},
		{"uniqueMember", "cn=A,dc=c#'01'B", "CN=a, dc=c#'01'B", true},
		{"uniqueMember", "cn=A,dc=c#'01'B", "cn=a,dc=c", false},
		{"createTimestamp", "20260101120000Z", "202601011200Z", true},
		{"createTimestamp", "20260101130000+0100", "20260101120000.0Z", true},
		{"createTimestamp", "2026010112.5Z", "20260101123000Z", true},
		{"entryUUID", "11111111-2222-3333-4444-55555555555A", "11111111-2222-3333-4444-55555555555a", true},
		{"userPassword", "A", "a", false},
		{"x121Address", "1 2", "12", true},
	} {
		typ := s.types[strings.ToLower(x.attr)]
		_, a, err := s.check(typ, x.a)
		must(t, err)
		_, b, err := s.check(typ, x.b)
		must(t, err)
		if (a == b) != x.same {
			t.Errorf("%s: %q and %q are %q and %q", x.attr, x.a, x.b, a, b)
		}
	}
	for _, x := range []struct {
		a, b string
		want int
	}{{"1", "2", -1}, {"10", "9", 1}, {"-10", "-9", -1}, {"-1", "0", -1}, {"5", "-50", 1}, {"7", "7", 0}, {"99999999999999999999", "100000000000000000000", -1}} {
		if got := compareIntegers(x.a, x.b); got != x.want {
			t.Errorf("%s and %s: %d", x.a, x.b, got)
		}
	}
}

func TestParseTime_Refuses(t *testing.T) {
	for _, v := range []string{"", "2026", "20261301000000Z", "20260101000000", "20260101250000Z", "20260101000000+9999x", "x"} {
		if _, err := parseTime(v); err == nil {
			t.Errorf("%q is a time", v)
		}
	}
}
