package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"portico/directory"
)

const (
	testBase = "dc=example,dc=com"
	testUUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
)

func testConfig() Config {
	return Config{
		Directory: "corp", BaseDN: testBase, UserBase: "ou=people," + testBase, GroupBase: "ou=groups," + testBase,
		UserFilter: "(objectClass=person)", GroupFilter: "(|(objectClass=groupOfNames)(objectClass=posixGroup))",
		UserAttributes: map[string][]string{
			"username": {"uid"}, "name": {"displayName", "cn"}, "mail": {"mail"}, "phone": {"telephoneNumber"}, "manager": {"manager"},
		},
		GroupAttributes:  map[string][]string{"name": {"cn"}, "description": {"description"}, "owner": {"owner"}},
		MemberAttributes: []string{"member", "uniqueMember"}, MemberNameAttributes: []string{"memberUid"},
		PlaceholderMembers: []string{"cn=nobody," + testBase},
		StableID:           []string{"entryUUID"}, Created: "createTimestamp", Modified: "modifyTimestamp", Version: "entryCSN",
		StatusRules: RulesPPolicy,
	}
}

func mapper(t testing.TB, change ...func(*Config)) *Mapper {
	t.Helper()
	cfg := testConfig()
	for _, c := range change {
		c(&cfg)
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// entry makes an LDAP entry of name, value pairs; a name may repeat.
func entry(dn string, pairs ...string) *ldap.Entry {
	e := &ldap.Entry{DN: dn}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		at := slices.IndexFunc(e.Attributes, func(a *ldap.EntryAttribute) bool { return a.Name == name })
		if at < 0 {
			e.Attributes = append(e.Attributes, &ldap.EntryAttribute{Name: name})
			at = len(e.Attributes) - 1
		}
		a := e.Attributes[at]
		a.Values, a.ByteValues = append(a.Values, value), append(a.ByteValues, []byte(value))
	}
	return e
}

func personEntry(pairs ...string) *ldap.Entry {
	return entry("uid=jdoe,ou=people,"+testBase, append([]string{
		"objectClass", "inetOrgPerson", "entryUUID", testUUID, "uid", "jdoe",
	}, pairs...)...)
}

func groupEntry(pairs ...string) *ldap.Entry {
	return entry("cn=Staff,ou=groups,"+testBase, append([]string{
		"objectClass", "groupOfNames", "entryUUID", testUUID, "cn", "Staff",
	}, pairs...)...)
}

func TestPerson(t *testing.T) {
	m := mapper(t, func(c *Config) { c.Suffix = "Branch" })
	got, err := m.Entry(entry("uid=JDoe,ou=People,"+testBase,
		"objectclass", "top", "objectclass", "inetOrgPerson", "ENTRYUUID", strings.ToUpper(testUUID), "UID", " JDoe ",
		"cn", "John Doe", "mail", "j@example.com", "mail", "", "mail", "john@example.com", "manager", "uid=boss,ou=people,"+testBase,
		"pwdAccountLockedTime", "20260101000000Z", "createTimestamp", "20260102030405Z", "modifyTimestamp", "20260102030406.5Z",
		"entryCSN", "20260102030406.500000Z#000000#001#000000", "unknownThing", "x", "userPassword", "{SSHA}x"))
	if err != nil {
		t.Fatal(err)
	}
	want := &directory.Entry{
		ID: directory.ID{Directory: "corp", Stable: testUUID}, Kind: directory.KindPerson, DN: "uid=JDoe,ou=People," + testBase,
		Name: "JDoe", Login: "jdoe@branch",
		Attributes: directory.Attributes{
			"username": {"JDoe"}, "name": {"John Doe"}, "mail": {"j@example.com", "john@example.com"},
			"manager": {"uid=boss,ou=people," + testBase},
		},
		Signals: directory.Attributes{"pwdaccountlockedtime": {"20260101000000Z"}},
		Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Modified: time.Date(2026, 1, 2, 3, 4, 6, 5e8, time.UTC),
		Version: "20260102030406.500000Z#000000#001#000000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAbuse_I10_AttributesOfAllSorts(t *testing.T) {
	m := mapper(t)
	for name, c := range map[string]struct {
		attrs []string
		want  directory.Attributes
	}{
		"nothing but the name":  {nil, directory.Attributes{}},
		"empty values":          {[]string{"mail", "", "mail", "  ", "displayName", ""}, directory.Attributes{}},
		"empty first choice":    {[]string{"displayName", "", "cn", "Doe"}, directory.Attributes{"name": {"Doe"}}},
		"binary in a text":      {[]string{"displayName", "\xff\xfe\x00", "cn", "Doe"}, directory.Attributes{"name": {"Doe"}}},
		"NUL in a text":         {[]string{"cn", "a\x00b", "cn", "Doe"}, directory.Attributes{"name": {"Doe"}}},
		"too long":              {[]string{"cn", strings.Repeat("x", maxValueLength+1)}, directory.Attributes{}},
		"case of names":         {[]string{"DISPLAYNAME", "Doe", "MaIl", "a@b.c"}, directory.Attributes{"name": {"Doe"}, "mail": {"a@b.c"}}},
		"language only":         {[]string{"cn;lang-de", "Doe"}, directory.Attributes{"name": {"Doe"}}},
		"language and plain":    {[]string{"cn;lang-de", "Hirsch", "cn", "Doe"}, directory.Attributes{"name": {"Doe"}}},
		"plain and language":    {[]string{"cn", "Doe", "cn;lang-de", "Hirsch"}, directory.Attributes{"name": {"Doe"}}},
		"option binary":         {[]string{"cn;binary", "Doe"}, directory.Attributes{"name": {"Doe"}}},
		"attribute of no value": {[]string{"cn", "Doe"}, directory.Attributes{"name": {"Doe"}}},
	} {
		e := personEntry(c.attrs...)
		e.Attributes = append(e.Attributes, &ldap.EntryAttribute{Name: "mail"})
		got, err := m.Entry(e)
		if err != nil || got == nil {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		delete(got.Attributes, directory.AttrUsername)
		if diff := cmp.Diff(c.want, got.Attributes); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestManyValuesAreBounded(t *testing.T) {
	m := mapper(t)
	e := personEntry()
	for i := range 3000 {
		a := fmt.Sprintf("a%d@example.com", i)
		e.Attributes = append(e.Attributes, &ldap.EntryAttribute{Name: "mail", Values: []string{a}, ByteValues: [][]byte{[]byte(a)}})
	}
	got, err := m.Entry(e)
	if err != nil || len(got.Attributes["mail"]) != maxValues {
		t.Fatalf("%d values, %v", len(got.Attributes["mail"]), err)
	}
}

func TestNameOfSeveralValues(t *testing.T) {
	m := mapper(t)
	e := entry("uid=second,ou=people,"+testBase, "objectClass", "person", "entryUUID", testUUID, "uid", "first", "uid", "Second")
	if got, err := m.Entry(e); err != nil || got.Name != "Second" || got.Login != "second" {
		t.Errorf("%+v, %v", got, err)
	}
	e.DN = "cn=x,ou=people," + testBase
	if got, err := m.Entry(e); err != nil || got.Name != "first" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEntriesThatCannotBeUsed(t *testing.T) {
	m := mapper(t)
	for name, c := range map[string]struct {
		e    *ldap.Entry
		want error
	}{
		"no id":          {entry("uid=a,ou=people,"+testBase, "objectClass", "person", "uid", "a"), ErrNoStableID},
		"id of no shape": {entry("uid=a,ou=people,"+testBase, "objectClass", "person", "uid", "a", "entryUUID", "a b'c"), ErrNoStableID},
		"no name":        {entry("cn=a,ou=people,"+testBase, "objectClass", "person", "entryUUID", testUUID), ErrNoName},
		"long name":      {entry("cn=a,ou=people,"+testBase, "objectClass", "person", "entryUUID", testUUID, "uid", strings.Repeat("x", 300)), ErrNoName},
		"bad DN":         {entry("nonsense", "objectClass", "person", "entryUUID", testUUID, "uid", "a"), ErrBadDN},
		"ranged":         {groupEntry("member;range=0-1499", "uid=a,"+testBase), ErrRanged},
	} {
		if got, err := m.Entry(c.e); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestKinds(t *testing.T) {
	m := mapper(t)
	for name, c := range map[string]struct {
		dn, class string
		want      directory.Kind
	}{
		"person":                   {"uid=a,ou=people," + testBase, "inetOrgPerson", directory.KindPerson},
		"person by superior":       {"uid=a,ou=people," + testBase, "organizationalPerson", directory.KindPerson},
		"person in another case":   {"UID=a , OU=People, DC=Example, DC=COM", "PERSON", directory.KindPerson},
		"person outside the base":  {"uid=a,ou=services," + testBase, "inetOrgPerson", 0},
		"person of another suffix": {"uid=a,ou=people,dc=example,dc=org", "inetOrgPerson", 0},
		"group":                    {"cn=a,ou=groups," + testBase, "groupOfNames", directory.KindGroup},
		"group outside":            {"cn=a,ou=people," + testBase, "groupOfNames", 0},
		"container":                {"ou=a," + testBase, "organizationalUnit", directory.KindContainer},
		"the base":                 {testBase, "domain", directory.KindContainer},
		"something else":           {"cn=a," + testBase, "device", 0},
	} {
		e := entry(c.dn, "objectClass", "top", "objectClass", c.class, "entryUUID", testUUID, "uid", "a", "cn", "a")
		got, err := m.Entry(e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		kind := directory.Kind(0)
		if got != nil {
			kind = got.Kind
		}
		if _, k, _ := m.Identify(e); kind != c.want || k != c.want {
			t.Errorf("%s: %s and %s, want %s", name, kind, k, c.want)
		}
	}
}

func TestGroups(t *testing.T) {
	m := mapper(t)
	own := "cn=Staff,ou=groups," + testBase
	for name, c := range map[string]struct {
		attrs  []string
		want   []string
		byName bool
	}{
		"DNs":             {[]string{"member", "uid=a," + testBase, "member", "uid=b," + testBase}, []string{"uid=a," + testBase, "uid=b," + testBase}, false},
		"two attributes":  {[]string{"member", "uid=a," + testBase, "uniqueMember", "uid=b," + testBase + "#'0101'B"}, []string{"uid=a," + testBase, "uid=b," + testBase}, false},
		"names":           {[]string{"memberUid", "Ann", "memberUid", " ben ", "memberUid", ""}, []string{"ann", "ben"}, true},
		"DNs before":      {[]string{"memberUid", "ann", "member", "uid=a," + testBase}, []string{"uid=a," + testBase}, false},
		"own DN":          {[]string{"member", strings.ToUpper(own)}, []string{}, false},
		"own DN, spaced":  {[]string{"member", "CN=staff , OU=groups,DC=example, DC=com"}, []string{}, false},
		"own DN, escaped": {[]string{"member", `cn=\53taff,ou=groups,` + testBase}, []string{}, false},
		"own DN by name":  {[]string{"member", own, "memberUid", "ann"}, []string{"ann"}, true},
		"empty DN":        {[]string{"member", "", "member", " "}, []string{}, false},
		"placeholder":     {[]string{"member", "CN=Nobody," + testBase, "member", "uid=a," + testBase}, []string{"uid=a," + testBase}, false},
		"outside":         {[]string{"member", "uid=a,dc=elsewhere"}, []string{"uid=a,dc=elsewhere"}, false},
		"whole range":     {[]string{"member;range=0-*", "uid=a," + testBase}, []string{"uid=a," + testBase}, false},
		"empty and range": {[]string{"member;range=0-*", "uid=a," + testBase}, []string{"uid=a," + testBase}, false},
		"none":            {nil, []string{}, false},
	} {
		got, err := m.Entry(groupEntry(c.attrs...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got.Members); diff != "" || got.MembersByName != c.byName || got.Name != "Staff" || got.Login != "" {
			t.Errorf("%s: %+v %s", name, got, diff)
		}
	}
}

func TestStableIDs(t *testing.T) {
	raw := "\x3c\x2d\x1e\x0f\x5a\x4b\x78\x69\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0"
	for _, c := range []struct {
		format          StableIDFormat
		attribute       string
		value           string
		stable, escaped string
	}{
		{FormatUUID, "entryUUID", strings.ToUpper(testUUID), testUUID, testUUID},
		{FormatGUID, "objectGUID", raw, testUUID, ldap.EscapeFilter(raw)},
		{FormatNSUniqueID, "nsUniqueId", "0F1E2D3C-4B5A6978-8796A5B4-C3D2E1F0", "0f1e2d3c-4b5a6978-8796a5b4-c3d2e1f0", "0f1e2d3c-4b5a6978-8796a5b4-c3d2e1f0"},
	} {
		m := mapper(t, func(cfg *Config) { cfg.StableID, cfg.StableIDFormat = []string{c.attribute}, c.format })
		e := entry("uid=a,ou=people,"+testBase, "objectClass", "person", "uid", "a", c.attribute, c.value)
		got, err := m.Entry(e)
		if err != nil || got.ID.Stable != c.stable {
			t.Errorf("%s: %+v, %v", c.format, got, err)
			continue
		}
		for _, announced := range []string{testUUID, "\x0f\x1e\x2d\x3c\x4b\x5a\x69\x78\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0"} {
			if again, err := m.EntryWithID(e, announced); err != nil || again.ID != got.ID {
				t.Errorf("%s as announced: %+v, %v", c.format, again, err)
			}
		}
		other := strings.Replace(testUUID, "0f", "ff", 1)
		if _, err := m.EntryWithID(e, other); !errors.Is(err, ErrIDMismatch) {
			t.Errorf("%s: another announced id: %v", c.format, err)
		}
		// Back to a filter, case and all (DR29).
		req, err := m.ByStableID(strings.ToUpper(got.ID.Stable))
		want := "(" + c.attribute + "=" + c.escaped + ")"
		if err != nil || !strings.Contains(req.Filter, want) {
			t.Errorf("%s: filter %v, %v; want %s in it", c.format, req, err, want)
		}
		for _, bad := range []string{"", "*", ")(cn=*", strings.Repeat("a", 200), "a b"} {
			if _, err := m.ByStableID(bad); !errors.Is(err, ErrBadName) {
				t.Errorf("%s: id %q: %v", c.format, bad, err)
			}
		}
	}
}

func TestEntryWithoutIDTakesTheAnnounced(t *testing.T) {
	m := mapper(t)
	e := entry("uid=a,ou=people,"+testBase, "objectClass", "person", "uid", "a")
	if got, err := m.EntryWithID(e, testUUID); err != nil || got.ID.Stable != testUUID {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := m.EntryWithID(e, "short"); !errors.Is(err, ErrNoStableID) {
		t.Errorf("%v", err)
	}
}

func TestLargeGroupMapsFast(t *testing.T) {
	m := mapper(t)
	e := groupEntry()
	a := &ldap.EntryAttribute{Name: "member"}
	for i := range 10_000 {
		dn := fmt.Sprintf("uid=person%d,ou=people,%s", i, testBase)
		a.Values, a.ByteValues = append(a.Values, dn), append(a.ByteValues, []byte(dn))
	}
	e.Attributes = append(e.Attributes, a)
	got, err := m.Entry(e)
	if err != nil || len(got.Members) != 10_000 {
		t.Fatalf("%d members, %v", len(got.Members), err)
	}
}

func BenchmarkEntry(b *testing.B) {
	m := mapper(b)
	e := personEntry("objectClass", "person", "cn", "John Doe", "mail", "j@example.com", "telephoneNumber", "+1 2", "createTimestamp",
		"20260102030405Z", "modifyTimestamp", "20260102030405Z", "entryCSN", "20260102030406.500000Z#000000#001#000000")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.EntryWithID(e, testUUID); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzEntry(f *testing.F) {
	m := mapper(f)
	f.Add("uid=a,ou=people,"+testBase, "mail", "a@b", "person")
	f.Add("cn=a,ou=groups,"+testBase, "member;range=0-1", "cn=a", "groupOfNames")
	f.Add("cn=a,ou=groups,"+testBase, "pwdHistory;x-y;binary", "\xff", "posixGroup")
	f.Fuzz(func(t *testing.T, dn, name, value, class string) {
		got, err := m.Entry(entry(dn, "objectClass", class, "entryUUID", testUUID, "uid", value, "cn", value, name, value))
		if err != nil && got != nil || got != nil && got.ID.Stable == "" {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}
