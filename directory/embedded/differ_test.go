package embedded

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// step is one operation of a script; it gives what a client can see of it.
type step struct {
	name  string
	do    func(c *ldap.Conn) string
	reads bool // may be repeated: OpenLDAP's refint works behind the answer
}

// compareServers runs the script against OpenLDAP and against this server, each
// on one connection bound as the service, and wants the same of both.
func compareServers(t *testing.T, script []step) {
	t.Helper()
	real, ours := dialService(t, startSlapd(t)), dialService(t, startEmbedded(t, nil).URL())
	for i, s := range script {
		want, got := s.do(real), s.do(ours)
		for try := 0; s.reads && got != want && try < 40; try++ {
			time.Sleep(25 * time.Millisecond)
			want = s.do(real)
		}
		if got != want {
			t.Errorf("step %d, %s:%s", i, s.name, lineDiff(want, got))
		}
	}
}

func stepAdd(name string, r *ldap.AddRequest) step {
	return step{name: "add " + name, do: func(c *ldap.Conn) string { return outcome(c.Add(r)) }}
}

func stepSearch(r *ldap.SearchRequest) step {
	return step{name: "search " + r.BaseDN + " " + r.Filter, do: func(c *ldap.Conn) string { return show(c.Search(r)) }, reads: true}
}

func stepShow(dn string) step {
	return stepSearch(search(dn, ldap.ScopeBaseObject, "(objectClass=*)", "*", "+"))
}

func stepDelete(dn string) step {
	return step{name: "delete " + dn, do: func(c *ldap.Conn) string { return outcome(c.Del(ldap.NewDelRequest(dn, nil))) }}
}

func stepModify(name, dn string, f func(*ldap.ModifyRequest)) step {
	return step{name: "modify " + name, do: func(c *ldap.Conn) string {
		r := ldap.NewModifyRequest(dn, nil)
		f(r)
		return outcome(c.Modify(r))
	}}
}

func stepRename(dn, rdn string, deleteOld bool, superior string) step {
	return step{name: "rename " + dn + " to " + rdn + " below " + superior, do: func(c *ldap.Conn) string {
		return outcome(c.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, deleteOld, superior)))
	}}
}

func stepCompare(dn, attr, value string) step {
	return step{name: "compare " + attr + "=" + value, do: func(c *ldap.Conn) string {
		ok, err := c.Compare(dn, attr, value)
		if ok {
			return "true"
		}
		return "false " + outcome(err)
	}}
}

func TestDifferential_Add(t *testing.T) {
	t.Parallel()
	ou := func(dn, name string) *ldap.AddRequest {
		return addOf(dn, "objectClass", "organizationalUnit", "ou", name)
	}
	compareServers(t, []step{
		stepAdd("good", person("ann")),
		stepAdd("again", person("ann")),
		stepAdd("again in other spelling", addOf("UID = ANN , DC=Example, dc=com", "objectClass", "inetOrgPerson", "uid", "ANN", "cn", "A", "sn", "B")),
		stepAdd("no parent", ou("ou=x,ou=nowhere,ou=deep,dc=example,dc=com", "x")),
		stepAdd("outside", ou("ou=x,dc=other", "x")),
		stepAdd("above", ou("dc=com", "x")),
		stepAdd("suffix again", addOf(testSuffix, "objectClass", "organization", "objectClass", "dcObject", "o", "E", "dc", "example")),
		stepAdd("root", addOf("", "objectClass", "organization", "o", "E")),
		stepAdd("bad DN", addOf("no dn at all", "objectClass", "organization", "o", "E")),
		stepAdd("unknown type in DN", addOf("foo=bar,dc=example,dc=com", "objectClass", "organization", "o", "E")),
		stepAdd("missing sn", addOf("uid=m1,dc=example,dc=com", "objectClass", "inetOrgPerson", "uid", "m1", "cn", "M")),
		stepAdd("missing class", addOf("uid=m2,dc=example,dc=com", "uid", "m2", "cn", "M")),
		stepAdd("unknown class", addOf("uid=m3,dc=example,dc=com", "objectClass", "whatever", "uid", "m3", "cn", "M")),
		stepAdd("top only", addOf("cn=m4,dc=example,dc=com", "objectClass", "top", "cn", "m4")),
		stepAdd("auxiliary only", addOf("uid=m5,dc=example,dc=com", "objectClass", "posixAccount", "uid", "m5", "cn", "M", "uidNumber", "1", "gidNumber", "1", "homeDirectory", "/")),
		stepAdd("two structural", addOf("cn=m6,dc=example,dc=com", "objectClass", "inetOrgPerson", "objectClass", "groupOfNames", "cn", "m6", "sn", "M", "member", testSuffix)),
		stepAdd("posixGroup and groupOfNames", addOf("cn=m6,dc=example,dc=com", "objectClass", "posixGroup", "objectClass", "groupOfNames", "cn", "m6", "gidNumber", "1", "member", testSuffix)),
		stepAdd("unknown attribute", person("m7", "foo", "bar")),
		stepAdd("attribute not allowed", person("m8", "gidNumber", "5")),
		stepAdd("two of a single", person("m9", "displayName", "a", "displayName", "b")),
		stepAdd("duplicate values", person("m10", "mail", "a@example.org", "mail", "A@EXAMPLE.org")),
		stepAdd("non-ASCII mail", person("m11", "mail", "ü@example.org")),
		stepAdd("empty mail", person("m12", "mail", "")),
		stepAdd("empty description", person("m13", "description", "")),
		stepAdd("empty phone", person("m14", "telephoneNumber", "")),
		stepAdd("odd phone", person("m15", "telephoneNumber", "+1 (23) 45-67,8.9/0?:'")),
		stepAdd("bad phone", person("m16", "telephoneNumber", "12*34#")),
		stepAdd("bad manager", person("m17", "manager", "nobody")),
		stepAdd("dangling manager", person("m18", "manager", "uid=Gone, DC=example,dc=com")),
		stepAdd("bad number", addOf("uid=m19,dc=example,dc=com", "objectClass", "inetOrgPerson", "objectClass", "posixAccount", "uid", "m19", "cn", "M", "sn", "M", "uidNumber", "x1", "gidNumber", "1", "homeDirectory", "/")),
		stepAdd("leading zero", addOf("uid=m20,dc=example,dc=com", "objectClass", "inetOrgPerson", "objectClass", "posixAccount", "uid", "m20", "cn", "M", "sn", "M", "uidNumber", "007", "gidNumber", "-5", "homeDirectory", "/")),
		stepAdd("minus zero", addOf("uid=m20b,dc=example,dc=com", "objectClass", "inetOrgPerson", "objectClass", "posixAccount", "uid", "m20b", "cn", "M", "sn", "M", "uidNumber", "-0", "gidNumber", "1", "homeDirectory", "/")),
		stepAdd("plus one", addOf("uid=m20c,dc=example,dc=com", "objectClass", "inetOrgPerson", "objectClass", "posixAccount", "uid", "m20c", "cn", "M", "sn", "M", "uidNumber", "+1", "gidNumber", "1", "homeDirectory", "/")),
		stepAdd("not UTF-8", person("m21", "description", "a\xff")),
		stepAdd("empty group", addOf("cn=g1,dc=example,dc=com", "objectClass", "groupOfNames", "cn", "g1")),
		stepAdd("group", addOf("cn=g2,dc=example,dc=com", "objectClass", "groupOfNames", "cn", "g2", "member", "UID=Ann,dc=example,dc=com")),
		stepAdd("group with a member twice", addOf("cn=g3,dc=example,dc=com", "objectClass", "groupOfNames", "cn", "g3", "member", "uid=ann,dc=example,dc=com", "member", "UID=ANN, dc=example,dc=com")),
		stepAdd("unique names", addOf("cn=g4,dc=example,dc=com", "objectClass", "groupOfUniqueNames", "cn", "g4", "uniqueMember", "uid=ann,dc=example,dc=com", "uniqueMember", "uid=ann,dc=example,dc=com#'0101'B")),
		stepAdd("no value", addOf("cn=g5,dc=example,dc=com", "objectClass", "organizationalRole", "cn", "g5")),
		stepAdd("naming attribute absent", addOf("uid=m22,dc=example,dc=com", "objectClass", "inetOrgPerson", "cn", "M", "sn", "M")),
		stepAdd("naming value absent", addOf("uid=m23,dc=example,dc=com", "objectClass", "inetOrgPerson", "uid", "other", "cn", "M", "sn", "M")),
		stepAdd("two-valued RDN", addOf("uid=m24+cn=M 24,dc=example,dc=com", "objectClass", "inetOrgPerson", "uid", "m24", "cn", "m  24", "sn", "M")),
		stepAdd("id given", person("m25", "entryUUID", "11111111-2222-3333-4444-555555555555")),
		stepAdd("memberOf given", person("m26", "memberOf", "cn=g2,dc=example,dc=com")),
		stepAdd("language tags", person("m27", "cn;lang-de", "Ä", "cn;lang-en", "A", "cn;x-foo", "B")),
		stepAdd("language tag", person("m28", "cn;lang-de", "Ä", "cn;LANG-en", "A")),
		stepAdd("other names of types", addOf("userid=m29,dc=example,dc=com", "objectClass", "INETORGPERSON", "userid", "m29", "commonName", "M", "surname", "M", "2.5.4.13", "by number")),
		stepAdd("password", person("m30", "userPassword", "x")),
		stepAdd("photo", person("m31", "jpegPhoto", "not a photo")),
		stepAdd("photo", person("m32", "jpegPhoto", "\xff\xd8\xff\xe0\x00\x10JFIF")),
		stepAdd("postal address", person("m33", "postalAddress", "1 Way$Town")),
		stepAdd("bad language", person("m34", "preferredLanguage", "")),
		stepAdd("labelled", person("m35", "labeledURI", "http://x y", "employeeNumber", "12", "roomNumber", " ")),
		stepAdd("spaces", person("m36", "title", "  two  spaces  ", "initials", " ")),
		stepAdd("country", addOf("c=DE,dc=example,dc=com", "objectClass", "country", "c", "DE")),
		stepAdd("country of three letters", addOf("c=DEU,dc=example,dc=com", "objectClass", "country", "c", "DEU")),
		stepAdd("extensible", addOf("cn=x1,dc=example,dc=com", "objectClass", "device", "objectClass", "extensibleObject", "cn", "x1", "uidNumber", "5", "mail", "a@b")),
		stepAdd("class twice", addOf("cn=x2,dc=example,dc=com", "objectClass", "device", "objectClass", "DEVICE", "cn", "x2")),
		stepAdd("class by number", addOf("cn=x3,dc=example,dc=com", "objectClass", "2.5.6.14", "cn", "x3")),
		stepAdd("policy", addOf("cn=x4,dc=example,dc=com", "objectClass", "device", "objectClass", "pwdPolicy", "cn", "x4", "pwdAttribute", "userPassword", "pwdMaxAge", "5", "pwdLockout", "true")),
		stepAdd("policy", addOf("cn=x5,dc=example,dc=com", "objectClass", "device", "objectClass", "pwdPolicy", "cn", "x5", "pwdAttribute", "userPassword", "pwdMaxAge", "5", "pwdLockout", "TRUE")),
		stepAdd("policy for no attribute", addOf("cn=x6,dc=example,dc=com", "objectClass", "device", "objectClass", "pwdPolicy", "cn", "x6", "pwdAttribute", "nothing")),
		stepAdd("locked from birth", person("x7", "pwdAccountLockedTime", "000001010000Z", "pwdReset", "TRUE")),
		stepAdd("bad lock", person("x8", "pwdAccountLockedTime", "yesterday")),
		stepAdd("failures from birth", person("x9", "pwdFailureTime", "20260101000000Z")),
		stepAdd("below a leaf", addOf("cn=under,uid=ann,dc=example,dc=com", "objectClass", "device", "cn", "under")),
		stepSearch(search(testSuffix, ldap.ScopeWholeSubtree, "(objectClass=*)", "*", "+")),
	})
}

// lineDiff shows the lines that only one of the two has.
func lineDiff(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for _, l := range a {
		if !slices.Contains(b, l) {
			out.WriteString("\n  OpenLDAP: " + l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			out.WriteString("\n  embedded: " + l)
		}
	}
	return out.String()
}
