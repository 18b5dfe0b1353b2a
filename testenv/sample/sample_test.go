package sample_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"portico/testenv"
	"portico/testenv/sample"
)

// ldif writes a directory into memory.
func ldif(t *testing.T, options sample.Options) []byte {
	t.Helper()
	var text bytes.Buffer
	if err := sample.New(options).WriteLDIF(&text); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func TestSameOptionsSameBytes(t *testing.T) {
	t.Parallel()
	options := sample.Options{People: 3000, Seed: 7, Posix: true, States: true}
	first := ldif(t, options)
	if !bytes.Equal(first, ldif(t, options)) {
		t.Error("two runs differ")
	}
	options.Seed = 8
	if bytes.Equal(first, ldif(t, options)) {
		t.Error("another seed gives the same directory")
	}
}

func TestUserNamesAndDNsAreUnique(t *testing.T) {
	t.Parallel()
	d := sample.New(sample.Options{People: 5000})
	seen := map[string]bool{}
	for i := range d.People() {
		p := d.Person(i)
		dn, err := ldap.ParseDN(p.DN)
		if err != nil {
			t.Fatalf("%s: %v", p.DN, err)
		}
		for _, key := range []string{p.UID, strings.ToLower(dn.String())} {
			if seen[key] {
				t.Errorf("%s twice", key)
			}
			seen[key] = true
		}
		if p.UID != d.UID(i) || p.DN != d.DN(i) {
			t.Errorf("person %d is not the same each time", i)
		}
	}
}

func TestVariety(t *testing.T) {
	t.Parallel()
	d := sample.New(sample.Options{People: 2000})
	scripts := map[string]int{}
	longest, most, multiple := 0, 0, 0
	for i := range d.People() {
		p := d.Person(i)
		for _, table := range []struct {
			name  string
			runes *unicode.RangeTable
		}{
			{"Latin", unicode.Latin},
			{"Greek", unicode.Greek},
			{"Cyrillic", unicode.Cyrillic},
			{"Arabic", unicode.Arabic},
			{"Hebrew", unicode.Hebrew},
			{"Han", unicode.Han},
			{"Katakana", unicode.Katakana},
			{"Hangul", unicode.Hangul},
			{"Devanagari", unicode.Devanagari},
			{"Thai", unicode.Thai},
		} {
			if strings.ContainsFunc(p.DisplayName, func(r rune) bool { return unicode.Is(table.runes, r) }) {
				scripts[table.name]++
			}
		}
		most = max(most, len(p.Mail))
		for _, text := range p.Description {
			longest = max(longest, len(text))
		}
		if strings.Contains(p.DN, "+uid=") {
			multiple++
		}
	}
	if len(scripts) != 10 {
		t.Errorf("scripts: %v, want ten", scripts)
	}
	if longest < 4000 || most < 30 || multiple == 0 {
		t.Errorf("longest description %d, most addresses %d, RDNs of two values %d", longest, most, multiple)
	}
}

func TestGroupSizes(t *testing.T) {
	t.Parallel()
	d := sample.New(sample.Options{People: 2000})
	if d.GroupSize(0) != 200 || d.GroupSize(d.Groups()-1) != 1 {
		t.Errorf("sizes from %d to %d, want 200 to 1", d.GroupSize(0), d.GroupSize(d.Groups()-1))
	}
	for g := range d.Groups() {
		members := d.Group(g).Members
		if len(members) != d.GroupSize(g) {
			t.Errorf("group %d has %d members, want %d", g, len(members), d.GroupSize(g))
		}
		slices.Sort(members)
		if len(slices.Compact(members)) != d.GroupSize(g) {
			t.Errorf("group %d has somebody twice", g)
		}
	}
}

func TestCycleAndChain(t *testing.T) {
	t.Parallel()
	d := sample.New(sample.Options{People: 1000})
	inside := map[string][]string{}
	var first string
	depth := 0
	for g := range d.Groups() {
		made := d.Group(g)
		inside[made.DN] = made.Subgroups
		if made.Name == "cycle-0" {
			first = made.DN
		}
	}
	at := first
	for range 3 {
		at = inside[at][0]
	}
	if at != first {
		t.Errorf("from %s three steps lead to %s", first, at)
	}
	for at := "cn=chain-0,ou=groups,dc=example,dc=com"; len(inside[at]) > 0; at = inside[at][0] {
		depth++
	}
	if depth != 49 {
		t.Errorf("the chain is %d deep, want 49", depth)
	}
}

func TestManagersAreATree(t *testing.T) {
	t.Parallel()
	d := sample.New(sample.Options{People: 1000})
	reports := map[int]int{}
	for i := range d.People() {
		manager := d.Person(i).Manager
		if manager >= i || (manager < 0) != (i == 0) {
			t.Errorf("manager of %d is %d", i, manager)
		}
		reports[manager]++
	}
	if reports[0] != 8 || reports[1] != 8 {
		t.Errorf("the first two have %d and %d reports, want 8", reports[0], reports[1])
	}
}

// TestOpenLDAPTakesIt loads a directory into a real server, signs people in and compares what comes back.
func TestOpenLDAPTakesIt(t *testing.T) {
	t.Parallel()
	d := sample.New(sample.Options{People: 400, Posix: true, States: true})
	server := testenv.OpenLDAP(t, testenv.WithLDIF(d.LDIF()))
	admin := server.Admin(t)
	for filter, want := range map[string]int{
		"(objectClass=inetOrgPerson)":                                   400,
		"(objectClass=posixGroup)":                                      20,
		"(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))": d.Groups(),
		"(pwdAccountLockedTime=*)":                                      8,
		"(pwdReset=TRUE)":                                               8,
		"(!(entryUUID=*))":                                              0,
	} {
		found, err := admin.Search(ldap.NewSearchRequest(server.BaseDN, ldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"1.1"}, nil))
		if err != nil || len(found.Entries) != want {
			t.Errorf("%s: %d entries, %v, want %d", filter, len(found.Entries), err, want)
		}
	}
	for _, i := range []int{0, 96, 150, 196, 399} {
		p := d.Person(i)
		entry := read(t, admin, p.DN)
		if diff := cmp.Diff(p.Mail, entry.GetAttributeValues("mail")); diff != "" {
			t.Errorf("addresses of %d (-made +read):\n%s", i, diff)
		}
		if diff := cmp.Diff(p.CommonNames, entry.GetAttributeValues("cn")); diff != "" {
			t.Errorf("names of %d (-made +read):\n%s", i, diff)
		}
		conn, err := ldap.DialURL(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Bind(p.DN, sample.Password(p.UID)); err != nil {
			t.Errorf("%s cannot sign in: %v", p.DN, err)
		}
		_ = conn.Close()
	}
}

// read reads one entry.
func read(t *testing.T, conn *ldap.Conn, dn string) *ldap.Entry {
	t.Helper()
	found, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
	if err != nil {
		t.Fatalf("%s: %v", dn, err)
	}
	return found.Entries[0]
}

func TestSmallAndEmptyDirectories(t *testing.T) {
	t.Parallel()
	for _, people := range []int{0, 1, 2, 3} {
		text := string(ldif(t, sample.Options{People: people, Base: true, BaseDN: "dc=branch,dc=example,dc=org"}))
		if n := strings.Count(text, "\nobjectClass: inetOrgPerson\n"); n != people {
			t.Errorf("%d people in a directory of %d", n, people)
		}
		if !strings.HasPrefix(text, "dn: dc=branch,dc=example,dc=org\n") || !strings.Contains(text, "\ndc: branch\n") {
			t.Errorf("the base of a directory of %d people: %.80q", people, text)
		}
	}
}

func ExampleDirectory_Person() {
	d := sample.New(sample.Options{People: 100})
	p := d.Person(42)
	fmt.Println(p.UID, sample.Password(p.UID), p.Manager)
	// Output: ogreenwood42 ogreenwood42-pw 5
}
