package mapping

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestDNKeyOneFormForAllSpellings(t *testing.T) {
	groups := map[string][]string{
		"cn=doe\\2c john,ou=people,dc=example,dc=com": {
			`CN=Doe\, John,OU=People,DC=example,DC=com`,
			`cn=Doe\2C John, ou=People , dc=Example,dc=com`,
			`cn="Doe, John",ou=people,dc=example,dc=com`,
			`CN=Doe\, John; OU=People; DC=example; DC=com`,
			`2.5.4.3=doe\, john,OID.2.5.4.11=people,domainComponent=example,dc=com`,
			"cn = doe\\,   john ,\n ou=people,dc=example,dc=com",
			`cn=#0c09446f652c204a6f686e,ou=people,dc=example,dc=com`,
		},
		"cn=a+uid=b,dc=x": {"cn=a+uid=b,dc=x", "UID=B + CN=A, DC=X", `uid=b+cn=\61,dc=x`},
		"cn=müller":       {"cn=Müller", "CN=MÜLLER", `cn=m\C3\BCller`, "cn=mu\u0308ller"},
		"cn=a b":          {"cn=a  b", `cn=\20a b\20`, "cn= a b "},
		"cn=a=b/c":        {"cn=a=b/c", `cn=a\=b/c`},
		`cn=\23x`:         {`cn=\#x`, `cn=\23X`},
		`cn=bob\0adel:1,cn=deleted objects`: {
			`CN=Bob\0ADEL:1,CN=Deleted Objects`,
		},
		"":    {"", "  "},
		"cn=": {"cn=", "CN= "},
	}
	for want, spellings := range groups {
		for _, s := range spellings {
			got, err := DNKey(s)
			if err != nil || got != want {
				t.Errorf("DNKey(%q) = %q, %v; want %q", s, got, err, want)
			}
		}
	}
}

func TestDNKeyRefuses(t *testing.T) {
	for _, s := range []string{
		"jdoe", "=x", "cn", "cn=a,", "cn=a,,dc=b", "cn=a+", `cn=a\`, `cn=a\zz`, `cn="a`, `cn="a"b`, "cn=a<b", "cn=#zz", "cn=#0c",
		"cn=#0c05aa", "<GUID=aa>", "*)(uid=*))(|(uid=*", "cn=\x00", strings.Repeat("a=b,", 200) + "c=d", "cn=" + strings.Repeat("x", maxDNLength),
		strings.Repeat("a=b+", 40) + "c=d",
	} {
		if got, err := DNKey(s); err == nil {
			t.Errorf("DNKey(%.40q) = %q, want an error", s, got)
		}
	}
}

func TestParentKeyAndUnder(t *testing.T) {
	key, _ := DNKey(`cn=a\,b+uid=c,ou=d,dc=e`)
	if got := ParentKey(key); got != "ou=d,dc=e" {
		t.Errorf("parent %q", got)
	}
	if ParentKey("dc=e") != "" || ParentKey("") != "" {
		t.Error("a single part has no parent")
	}
	for _, c := range []struct {
		key, base string
		want      bool
	}{
		{"ou=d,dc=e", "dc=e", true},
		{"dc=e", "dc=e", true},
		{"dc=xe", "dc=e", false},
		{"ou=ddc=e", "dc=e", false},
		{"dc=e", "ou=d,dc=e", false},
		{"dc=e", "", true},
	} {
		if Under(c.key, c.base) != c.want {
			t.Errorf("Under(%q, %q) != %v", c.key, c.base, c.want)
		}
	}
}

// Parts of a DN that were built from input must come back as what went in.
func TestAbuse_A08_DNPartsFromInput(t *testing.T) {
	for _, v := range []string{
		"a,b", "a+b", `a"b`, `a\b`, "a<b", "a>b", "a;b", "a=b", "#a", " a", "a ", "a/b", "ä,ö", "x,ou=admins", `\2c`, "a\nb",
	} {
		dn := "cn=" + ldap.EscapeDN(v) + ",ou=people,dc=example,dc=com"
		key, err := DNKey(dn)
		if err != nil {
			t.Errorf("%q: %v", dn, err)
			continue
		}
		if ParentKey(key) != "ou=people,dc=example,dc=com" {
			t.Errorf("%q left its container: %q", v, key)
		}
		parsed, err := ldap.ParseDN(key)
		if err != nil {
			t.Errorf("key %q is no DN: %v", key, err)
			continue
		}
		got := parsed.RDNs[0].Attributes[0].Value
		if want := strings.ToLower(strings.TrimSpace(v)); got != want {
			t.Errorf("%q came back as %q", want, got)
		}
	}
}

func FuzzDNKey(f *testing.F) {
	for _, s := range []string{
		`CN=Doe\, John,OU=People,DC=example,DC=com`, `cn="a,b"+uid=c;dc=x`, `cn=#0c0141`, `cn=\C3\BC`, "cn=mu\u0308 , dc=x", "a=", "", `cn=\ff\fe`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := DNKey(s)
		if err != nil {
			return
		}
		again, err := DNKey(key)
		if err != nil {
			if len(key) > maxDNLength { // escaping made it longer than a DN may be
				return
			}
			t.Fatalf("key %q of %q is not a DN: %v", key, s, err)
		}
		if again != key {
			t.Fatalf("not a normal form: %q gives %q, then %q", s, key, again)
		}
		if parent := ParentKey(key); parent != "" {
			if p, err := DNKey(parent); err != nil || p != parent || !Under(key, parent) {
				t.Fatalf("parent %q of %q: %q %v", parent, key, p, err)
			}
		}
		theirs, err := ldap.ParseDN(s)
		if err != nil {
			return
		}
		mine, err := ldap.ParseDN(key)
		if err != nil {
			t.Fatalf("key %q of %q: %v", key, s, err)
		}
		if len(theirs.RDNs) != len(mine.RDNs) {
			t.Fatalf("%q has %d parts, key %q %d", s, len(theirs.RDNs), key, len(mine.RDNs))
		}
	})
}

func BenchmarkDNKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DNKey(`uid=Jürgen.Doe,ou=People,ou=Branch,dc=example,dc=com`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDNKeyASCII(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DNKey(`uid=john.doe,ou=People,dc=example,dc=com`); err != nil {
			b.Fatal(err)
		}
	}
}
