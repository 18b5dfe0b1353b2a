package mapping

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

// nasty are names that must be found by nobody and break nothing.
var nasty = []string{
	"*", "a*", "*)(uid=*))(|(uid=*", `\28`, ")(cn=", "\x00", "jdoe\x00", "a)(|(objectClass=*)", `\`, "(", ")", "jdoe)(userPassword=*", "\xff\xfe",
	"|", "&", "!", "jdoe\n", "ä*ö",
}

func TestAbuse_A05_NoSearchWithoutAName(t *testing.T) {
	m := mapper(t)
	for _, name := range []string{
		"", " ", "\t \n", "uid=jdoe,ou=people," + testBase, "CN=Admin", "uid = jdoe , " + testBase, strings.Repeat("x", 257),
	} {
		for what, build := range map[string]func(string) (*ldap.SearchRequest, error){
			"username": m.PersonByUsername, "mail": m.PersonByMail, "group": m.GroupByName, "id": m.ByStableID,
		} {
			if what == "id" && strings.TrimSpace(name) != "" {
				continue
			}
			if req, err := build(name); !errors.Is(err, ErrBadName) || req != nil {
				t.Errorf("%s %.30q: %v, %v", what, name, req, err)
			}
		}
	}
}

func TestAbuse_A06_A07_NamesAreEscaped(t *testing.T) {
	m := mapper(t)
	for _, name := range nasty {
		for what, build := range map[string]func(string) (*ldap.SearchRequest, error){
			"username": m.PersonByUsername, "mail": m.PersonByMail, "group": m.GroupByName,
		} {
			req, err := build(name)
			if err != nil {
				t.Errorf("%s %q: %v", what, name, err)
				continue
			}
			value := inFilter(t, req.Filter)
			if want := strings.TrimSpace(name); value != want {
				t.Errorf("%s %q: the filter %q compares with %q", what, name, req.Filter, value)
			}
			if req.SizeLimit == 0 || req.SizeLimit < 2 {
				t.Errorf("%s: size limit %d cannot tell two hits from one", what, req.SizeLimit)
			}
		}
	}
}

// inFilter gives the value that the last equality test of (&(...)(attr=value))
// compares with, as the server decodes it.
func inFilter(t *testing.T, text string) string {
	t.Helper()
	p, err := ldap.CompileFilter(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if p.Tag != ldap.FilterAnd || len(p.Children) != 2 {
		t.Fatalf("%q is not the conjunction of two", text)
	}
	last := p.Children[1]
	if last.Tag != ldap.FilterEqualityMatch || len(last.Children) != 2 {
		t.Fatalf("%q does not end with one equality test", text)
	}
	return last.Children[1].Data.String()
}

func TestAbuse_A07_ConfiguredFiltersTakeNoPlaceholders(t *testing.T) {
	for _, text := range []string{"(uid=%s)", "(&(objectClass=person)(uid={0}))", "(uid={USERNAME})", "uid=%u"} {
		cfg := testConfig()
		cfg.UserFilter = text
		var f *Fault
		if _, err := New(cfg); !errors.As(err, &f) || f.Field != "UserFilter" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSuffix(t *testing.T) {
	m := mapper(t, func(c *Config) { c.Suffix = "Branch" })
	req, err := m.PersonByUsername(" JDoe@bRANCH ")
	if err != nil || !strings.HasSuffix(req.Filter, "(uid=JDoe))") {
		t.Errorf("%v, %v", req, err)
	}
	for _, name := range []string{"jdoe", "jdoe@other", "@branch", "branch", "jdoe@branch@other"} {
		if req, err := m.PersonByUsername(name); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v, %v", name, req, err)
		}
	}
	if req, err := m.PersonByUsername("jdoe@example.com@branch"); err != nil || !strings.HasSuffix(req.Filter, "(uid=jdoe@example.com))") {
		t.Errorf("%v, %v", req, err)
	}
}

func TestByDN(t *testing.T) {
	m := mapper(t)
	req, err := m.ByDN("UID=a , ou=people," + testBase)
	if err != nil || req.Scope != ldap.ScopeBaseObject || req.Filter != m.FeedFilter() {
		t.Errorf("%v, %v", req, err)
	}
	for _, dn := range []string{"", "uid=a,dc=elsewhere", "nonsense", "dc=com"} {
		if req, err := m.ByDN(dn); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: %v, %v", dn, req, err)
		}
	}
}

// On a real server: names with filter characters find nobody, and where somebody
// really has such a name, that person and nobody else (A10).
func TestAbuse_A06_A08_A10_OnARealServer(t *testing.T) {
	server := testenv.OpenLDAP(t)
	conn := server.Admin(t)
	m := mapper(t)
	search := func(req *ldap.SearchRequest, err error) []*ldap.Entry {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		res, err := conn.Search(req)
		if err != nil {
			t.Fatalf("%s: %v", req.Filter, err)
		}
		return res.Entries
	}
	add := func(uid string) string {
		t.Helper()
		dn := "uid=" + ldap.EscapeDN(uid) + ",ou=people," + server.BaseDN
		req := ldap.NewAddRequest(dn, nil)
		req.Attribute("objectClass", []string{"inetOrgPerson"})
		req.Attribute("uid", []string{uid})
		req.Attribute("cn", []string{uid})
		req.Attribute("sn", []string{uid})
		if err := conn.Add(req); err != nil {
			t.Fatalf("%q: %v", dn, err)
		}
		return dn
	}
	add("jdoe")
	for _, name := range nasty {
		if strings.TrimSpace(name) == "jdoe" {
			continue
		}
		if found := search(m.PersonByUsername(name)); len(found) != 0 {
			t.Errorf("%q found %s", name, found[0].DN)
		}
		if found := search(m.GroupByName(name)); len(found) != 0 {
			t.Errorf("%q found %s", name, found[0].DN)
		}
	}
	for _, uid := range []string{"a*b", "x)(uid=*", `back\slash`, "comma, plus+", `quo"te`, "semi;<>", "#hash", "ümlaut", "slash/x", "eq=ual"} {
		dn := add(uid)
		found := search(m.PersonByUsername(uid))
		if len(found) != 1 {
			t.Errorf("%q: %d found", uid, len(found))
			continue
		}
		want, err := DNKey(dn)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DNKey(found[0].DN); err != nil || got != want {
			t.Errorf("%q: DN %q has the key %q, what we built %q", uid, found[0].DN, got, want)
		}
		if again := search(m.ByDN(dn)); len(again) != 1 {
			t.Errorf("%q: not found by its DN", uid)
		}
		e, err := m.Entry(found[0])
		if err != nil || e == nil || e.Name != uid {
			t.Errorf("%q: %+v, %v", uid, e, err)
		}
	}
}

// Two hits for one name stay two hits (A09).
func TestAbuse_A09_TwoHitsAreSeen(t *testing.T) {
	server := testenv.OpenLDAP(t)
	err := server.Add(`dn: ou=a,ou=people,` + server.BaseDN + `
objectClass: organizationalUnit

dn: uid=twin,ou=a,ou=people,` + server.BaseDN + `
objectClass: inetOrgPerson
cn: one
sn: one

dn: uid=twin,ou=people,` + server.BaseDN + `
objectClass: inetOrgPerson
cn: two
sn: two
`)
	if err != nil {
		t.Fatal(err)
	}
	req, err := mapper(t).PersonByUsername("TWIN")
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.Admin(t).Search(req)
	if err != nil || len(res.Entries) != 2 {
		t.Errorf("%v, %v", res, err)
	}
}

func TestRequestsNameWhatEntryNeeds(t *testing.T) {
	m := mapper(t, func(c *Config) { c.UserFilter = "(&(objectClass=person)(|(employeeType=a)(!(l=b))(o:2.5.13.2:=c)))" })
	have := strings.ToLower(" " + strings.Join(m.Attributes(), " ") + " ")
	for _, want := range []string{
		"objectClass", "uid", "displayName", "cn", "mail", "manager", "member", "uniqueMember", "memberUid", "entryUUID", "createTimestamp",
		"modifyTimestamp", "entryCSN", "pwdAccountLockedTime", "pwdReset", "employeeType", "l", "o", "owner", "description",
	} {
		if strings.Count(have, " "+strings.ToLower(want)+" ") != 1 {
			t.Errorf("%s is not asked for once: %s", want, have)
		}
	}
	ids := strings.Join(m.IDs().Attributes, " ")
	if strings.Contains(ids, "mail") || !strings.Contains(ids, "entryUUID") || !strings.Contains(ids, "employeeType") {
		t.Errorf("a sweep asks for %s", ids)
	}
}
