package mapping

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
)

// filterCases are tried here and on a real server, which must agree.
var filterCases = []struct {
	filter string
	want   bool
}{
	{"(objectClass=person)", true},
	{"(objectClass=top)", true},
	{"(objectClass=inetOrgPerson)", true},
	{"(objectClass=organizationalUnit)", false},
	{"(objectClass=*)", true},
	{"(uid=JDOE)", true},
	{"uid=jdoe", true},
	{"(uid=other)", false},
	{"(cn=john  q.  doe)", true},
	{"(cn=John Q. Doe)", true},
	{"(!(uid=other))", true},
	{"(!(description=x))", true},
	{"(description=*)", false},
	{"(mail=*)", true},
	{"(mail=*@example.com)", true},
	{"(mail=j*@*.com)", true},
	{"(mail=j*x*.com)", true},
	{"(mail=*example*)", true},
	{"(mail=*nowhere*)", false},
	{"(mail=jd*oe@example.com)", true},
	{"(mail=jdoe@example.com*example.com)", false},
	{"(&(objectClass=person)(|(uid=a)(uid=jdoe))(!(l=x)))", true},
	{"(&(objectClass=person)(|(uid=a)(uid=b)))", false},
	{"(&)", true},
	{"(|)", false},
	{"(employeeNumber=17)", true},
	{"(sn~=doe)", true},
	{"(roomNumber>=5)", true},
	{`(displayName=a\2ab\28c\29)`, true},
	{`(displayName=a*b\28c\29)`, true},
	{"(manager=UID=boss , ou=people,dc=example,dc=com)", true},
	{"(manager=uid=nobody,ou=people,dc=example,dc=com)", false},
	{"(cn:caseExactMatch:=John Q. Doe)", true},
	{"(cn:caseExactMatch:=john q. doe)", false},
	{"(cn:=john q. doe)", true},
}

func filterEntry() *ldap.Entry {
	return entry("uid=jdoe,ou=people,"+testBase, "objectClass", "inetOrgPerson", "uid", "jdoe", "cn", "John Q. Doe", "sn", "Doe",
		"mail", "jdoe@example.com", "mail", "jx@b.com", "employeeNumber", "17", "roomNumber", "7", "displayName", "a*b(c)",
		"manager", "uid=boss,ou=people,"+testBase)
}

func matches(t *testing.T, text string, e *ldap.Entry) bool {
	t.Helper()
	m := &Mapper{slotOf: map[string]int{}}
	f, err := compileFilter(text, m.slot)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v, err := m.read(e)
	if err != nil {
		t.Fatal(err)
	}
	return f.test.match(v)
}

func TestFilters(t *testing.T) {
	for _, c := range filterCases {
		if got := matches(t, c.filter, filterEntry()); got != c.want {
			t.Errorf("%s: %v", c.filter, got)
		}
	}
	ad := entry("cn=a,"+testBase, "objectClass", "user", "userAccountControl", "514",
		"objectCategory", "CN=Person,CN=Schema,CN=Configuration,DC=samdom,DC=example,DC=com")
	for text, want := range map[string]bool{
		"(userAccountControl:1.2.840.113556.1.4.803:=2)":                                    true,
		"(!(userAccountControl:1.2.840.113556.1.4.803:=2))":                                 false,
		"(userAccountControl:1.2.840.113556.1.4.803:=18)":                                   false,
		"(userAccountControl:1.2.840.113556.1.4.804:=18)":                                   true,
		"(userAccountControl>=600)":                                                         false,
		"(userAccountControl>=60)":                                                          true,
		"(userAccountControl<=514)":                                                         true,
		"(&(objectClass=user)(!(objectClass=computer)))":                                    true,
		"(&(objectCategory=person)(objectClass=user))":                                      true,
		"(objectCategory=User)":                                                             true,
		"(objectCategory=group)":                                                            false,
		"(objectCategory=cn=person,cn=schema,cn=configuration,dc=samdom,dc=example,dc=com)": true,
		"(|(objectClass=computer)(objectClass=organization))":                               false,
	} {
		if got := matches(t, text, ad); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestFiltersAgreeWithARealServer(t *testing.T) {
	server := testenv.OpenLDAP(t)
	conn := server.Admin(t)
	e := filterEntry()
	req := ldap.NewAddRequest(e.DN, nil)
	for _, a := range e.Attributes {
		req.Attribute(a.Name, a.Values)
	}
	if err := conn.Add(req); err != nil {
		t.Fatal(err)
	}
	for _, c := range filterCases {
		text := c.filter
		if text[0] != '(' {
			text = "(" + text + ")"
		}
		res, err := conn.Search(ldap.NewSearchRequest(e.DN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, text, nil, nil))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := len(res.Entries) == 1; got != c.want && c.filter != "(roomNumber>=5)" { // no ordering rule on that server
			t.Errorf("%s: the server says %v", text, got)
		}
	}
}

func TestFaultsOfAConfiguration(t *testing.T) {
	for field, change := range map[string]func(*Config){
		"Directory":          func(c *Config) { c.Directory = "" },
		"Suffix":             func(c *Config) { c.Suffix = "@branch" },
		"BaseDN":             func(c *Config) { c.BaseDN = "nonsense" },
		"UserBase":           func(c *Config) { c.UserBase = "ou=people,dc=elsewhere" },
		"UserAttributes":     func(c *Config) { delete(c.UserAttributes, "username") },
		"GroupAttributes":    func(c *Config) { c.GroupAttributes = nil },
		"StableID":           func(c *Config) { c.StableID = nil },
		"StableIDFormat":     func(c *Config) { c.StableIDFormat = "text" },
		"StatusRules":        func(c *Config) { c.StatusRules = "nis" },
		"Signals":            func(c *Config) { c.Signals = []string{"userPassword"} },
		"PlaceholderMembers": func(c *Config) { c.PlaceholderMembers = []string{"nobody"} },
		"MemberAttributes":   func(c *Config) { c.MemberAttributes = []string{"mem ber"} },
		"GroupFilter":        func(c *Config) { c.GroupFilter = "(cn=a" },
		"ContainerFilter":    func(c *Config) { c.ContainerFilter = "(ou:dn:=a)" },
	} {
		cfg := testConfig()
		change(&cfg)
		_, err := New(cfg)
		var f *Fault
		if !errors.As(err, &f) || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, text := range []string{
		"", "(", "(cn=a)(cn=b)", "(userPassword=*)", "(&(objectClass=person)(unicodePwd=x))", strings.Repeat("(!", 100) + "(cn=a)" + strings.Repeat(")", 100),
		"(cn=" + strings.Repeat("a", maxFilterLength) + ")", "(memberOf:1.2.840.113556.1.4.1941:=cn=a)", "(uac:1.2.840.113556.1.4.803:=x)",
	} {
		cfg := testConfig()
		cfg.UserFilter = text
		if _, err := New(cfg); err == nil {
			t.Errorf("%.50q was taken", text)
		}
	}
	cfg := testConfig()
	cfg.UserAttributes["photo"] = []string{"USERPASSWORD;binary"}
	if _, err := New(cfg); err == nil {
		t.Error("a password was mapped")
	}
}

func TestFingerprint(t *testing.T) {
	a, b := mapper(t), mapper(t)
	if a.Fingerprint() != b.Fingerprint() || a.Fingerprint() == "" {
		t.Error("not stable")
	}
	if a.Fingerprint() == mapper(t, func(c *Config) { c.UserAttributes["mail"] = []string{"email"} }).Fingerprint() {
		t.Error("does not see a change")
	}
}
