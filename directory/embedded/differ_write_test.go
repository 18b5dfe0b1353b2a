package embedded

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
)

const (
	annDN   = "uid=ann,dc=example,dc=com"
	bobDN   = "uid=bob,dc=example,dc=com"
	teamDN  = "cn=team,dc=example,dc=com"
	peopleD = "ou=people,dc=example,dc=com"
)

// people are the first steps of most scripts.
func people() []step {
	return []step{
		stepAdd("ann", person("ann", "mail", "ann@example.org", "telephoneNumber", "+1 555-01 00", "description", "First", "description", "Second")),
		stepAdd("bob", person("bob", "manager", annDN, "displayName", "Bob B.", "title", "Head of  Things")),
		stepAdd("posix", addOf("uid=pia,dc=example,dc=com", "objectClass", "inetOrgPerson", "objectClass", "posixAccount", "uid", "pia", "cn", "Pia", "sn", "P", "uidNumber", "1001", "gidNumber", "100", "homeDirectory", "/home/pia")),
		stepAdd("team", addOf(teamDN, "objectClass", "groupOfNames", "cn", "team", "member", annDN, "member", bobDN, "owner", annDN)),
		stepAdd("people", addOf(peopleD, "objectClass", "organizationalUnit", "ou", "people")),
		stepAdd("zoe", addOf("uid=zoe,"+peopleD, "objectClass", "inetOrgPerson", "uid", "zoe", "cn", "Zoë", "sn", "Ünal", "manager", bobDN)),
		stepAdd("crew", addOf("cn=crew,"+peopleD, "objectClass", "groupOfNames", "cn", "crew", "member", "uid=zoe,"+peopleD, "owner", "uid=zoe,"+peopleD)),
	}
}

func TestDifferential_Modify(t *testing.T) {
	t.Parallel()
	increment := func(r *ldap.ModifyRequest, attr, by string) { r.Increment(attr, by) }
	script := append(people(),
		stepModify("nothing", annDN, func(*ldap.ModifyRequest) {}),
		stepModify("absent entry", "uid=nobody,"+peopleD, func(r *ldap.ModifyRequest) { r.Replace("cn", []string{"x"}) }),
		stepModify("bad DN", "nobody", func(r *ldap.ModifyRequest) { r.Replace("cn", []string{"x"}) }),
		stepModify("elsewhere", "dc=other", func(r *ldap.ModifyRequest) { r.Replace("cn", []string{"x"}) }),
		stepModify("root", "", func(r *ldap.ModifyRequest) { r.Replace("cn", []string{"x"}) }),
		stepModify("add", annDN, func(r *ldap.ModifyRequest) { r.Add("description", []string{"Third"}) }),
		stepModify("add again", annDN, func(r *ldap.ModifyRequest) { r.Add("description", []string{"  third "}) }),
		stepModify("add nothing", annDN, func(r *ldap.ModifyRequest) { r.Add("description", nil) }),
		stepModify("add twice in one", annDN, func(r *ldap.ModifyRequest) { r.Add("description", []string{"x", "X"}) }),
		stepModify("add to single", bobDN, func(r *ldap.ModifyRequest) { r.Add("displayName", []string{"Other"}) }),
		stepModify("replace single by two", bobDN, func(r *ldap.ModifyRequest) { r.Replace("displayName", []string{"a", "b"}) }),
		stepModify("unknown", annDN, func(r *ldap.ModifyRequest) { r.Replace("foo", []string{"x"}) }),
		stepModify("unknown, nothing", annDN, func(r *ldap.ModifyRequest) { r.Replace("foo", nil) }),
		stepModify("not allowed", annDN, func(r *ldap.ModifyRequest) { r.Replace("gidNumber", []string{"1"}) }),
		stepModify("bad syntax", annDN, func(r *ldap.ModifyRequest) { r.Replace("manager", []string{"x"}) }),
		stepModify("empty string", annDN, func(r *ldap.ModifyRequest) { r.Replace("title", []string{""}) }),
		stepModify("delete absent", annDN, func(r *ldap.ModifyRequest) { r.Delete("title", nil) }),
		stepModify("delete absent value", annDN, func(r *ldap.ModifyRequest) { r.Delete("description", []string{"nope"}) }),
		stepModify("delete value", annDN, func(r *ldap.ModifyRequest) { r.Delete("description", []string{"FIRST"}) }),
		stepModify("delete value twice", annDN, func(r *ldap.ModifyRequest) { r.Delete("description", []string{"second", "Second"}) }),
		stepModify("replace by nothing", annDN, func(r *ldap.ModifyRequest) { r.Replace("description", nil) }),
		stepModify("replace absent by nothing", annDN, func(r *ldap.ModifyRequest) { r.Replace("description", nil) }),
		stepModify("mandatory", annDN, func(r *ldap.ModifyRequest) { r.Delete("sn", nil) }),
		stepModify("mandatory replaced in one", annDN, func(r *ldap.ModifyRequest) { r.Delete("sn", nil); r.Add("sn", []string{"New"}) }),
		stepModify("RDN value", annDN, func(r *ldap.ModifyRequest) { r.Replace("uid", []string{"other"}) }),
		stepModify("RDN attribute", annDN, func(r *ldap.ModifyRequest) { r.Delete("uid", nil) }),
		stepModify("RDN other spelling", annDN, func(r *ldap.ModifyRequest) { r.Replace("uid", []string{"ANN", "annie"}) }),
		stepModify("class away", bobDN, func(r *ldap.ModifyRequest) { r.Replace("objectClass", []string{"person"}) }),
		stepModify("class up", bobDN, func(r *ldap.ModifyRequest) { r.Replace("objectClass", []string{"device"}) }),
		stepModify("all classes away", bobDN, func(r *ldap.ModifyRequest) { r.Delete("objectClass", nil) }),
		stepModify("unknown class", bobDN, func(r *ldap.ModifyRequest) { r.Add("objectClass", []string{"nope"}) }),
		stepModify("auxiliary without its musts", bobDN, func(r *ldap.ModifyRequest) { r.Add("objectClass", []string{"posixAccount"}) }),
		stepModify("auxiliary", bobDN, func(r *ldap.ModifyRequest) {
			r.Add("objectClass", []string{"posixAccount"})
			r.Add("uidNumber", []string{"7"})
			r.Add("gidNumber", []string{"7"})
			r.Add("homeDirectory", []string{"/home/bob"})
		}),
		stepModify("all or nothing", bobDN, func(r *ldap.ModifyRequest) { r.Replace("title", []string{"Lost"}); r.Delete("pager", nil) }),
		stepModify("increment", bobDN, func(r *ldap.ModifyRequest) { increment(r, "uidNumber", "5") }),
		stepModify("decrement", bobDN, func(r *ldap.ModifyRequest) { increment(r, "uidNumber", "-20") }),
		stepModify("increment a text", bobDN, func(r *ldap.ModifyRequest) { increment(r, "sn", "1") }),
		stepModify("increment absent", annDN, func(r *ldap.ModifyRequest) { increment(r, "uidNumber", "1") }),
		stepModify("increment by text", bobDN, func(r *ldap.ModifyRequest) { increment(r, "uidNumber", "x") }),
		stepModify("last member", "cn=crew,"+peopleD, func(r *ldap.ModifyRequest) { r.Delete("member", []string{"uid=zoe," + peopleD}) }),
		stepModify("last member replaced", "cn=crew,"+peopleD, func(r *ldap.ModifyRequest) {
			r.Add("member", []string{"cn=crew," + peopleD})
			r.Delete("member", []string{"UID=ZOE," + peopleD})
		}),
		stepModify("member again", teamDN, func(r *ldap.ModifyRequest) { r.Add("member", []string{"UID=Ann, dc=example,dc=com"}) }),
		stepModify("member not there", teamDN, func(r *ldap.ModifyRequest) { r.Delete("member", []string{"uid=zoe," + peopleD}) }),
		stepModify("dangling member", teamDN, func(r *ldap.ModifyRequest) { r.Add("member", []string{"uid=ghost,dc=elsewhere"}) }),
		stepModify("server's attribute", annDN, func(r *ldap.ModifyRequest) { r.Replace("entryUUID", []string{"11111111-2222-3333-4444-555555555555"}) }),
		stepModify("memberOf", annDN, func(r *ldap.ModifyRequest) { r.Add("memberOf", []string{teamDN}) }),
		stepModify("failures", annDN, func(r *ldap.ModifyRequest) { r.Delete("pwdFailureTime", nil) }),
		stepModify("lock", annDN, func(r *ldap.ModifyRequest) { r.Replace("pwdAccountLockedTime", []string{"000001010000Z"}) }),
		stepModify("unlock", annDN, func(r *ldap.ModifyRequest) { r.Delete("pwdAccountLockedTime", nil) }),
		stepModify("unlock again", annDN, func(r *ldap.ModifyRequest) { r.Delete("pwdAccountLockedTime", nil) }),
		stepModify("language", annDN, func(r *ldap.ModifyRequest) { r.Add("cn;lang-fr", []string{"Anne"}) }),
		stepModify("no equality", annDN, func(r *ldap.ModifyRequest) { r.Add("jpegPhoto", []string{"\xff\xd8\xff"}) }),
		stepModify("no equality, delete value", annDN, func(r *ldap.ModifyRequest) { r.Delete("jpegPhoto", []string{"\xff\xd8\xff"}) }),
		stepModify("no equality, delete", annDN, func(r *ldap.ModifyRequest) { r.Delete("jpegPhoto", nil) }),
		stepModify("postal address", annDN, func(r *ldap.ModifyRequest) { r.Add("postalAddress", []string{"a$b"}) }),
		stepModify("phone in other spelling", annDN, func(r *ldap.ModifyRequest) { r.Delete("telephoneNumber", []string{"+15550100"}) }),
		stepModify("dc twice", testSuffix, func(r *ldap.ModifyRequest) { r.Add("dc", []string{"other"}) }),
		stepSearch(search(testSuffix, ldap.ScopeWholeSubtree, "(objectClass=*)", "*", "+")),
	)
	compareServers(t, script)
}

func TestDifferential_RenameDelete(t *testing.T) {
	t.Parallel()
	everything := stepSearch(search(testSuffix, ldap.ScopeWholeSubtree, "(objectClass=*)", "*", "+"))
	script := append(people(),
		stepRename("uid=nobody,"+peopleD, "uid=x", true, ""),
		stepRename("uid=nobody,ou=deep,"+peopleD, "uid=x", true, ""),
		stepRename("bad", "uid=x", true, ""), stepRename("dc=a,dc=other", "dc=x", true, ""),
		stepRename(annDN, "bad", true, ""),
		stepRename(annDN, "uid=x,ou=people", true, ""),
		stepRename(annDN, "foo=x", true, ""),
		stepRename(annDN, "gidNumber=5", true, ""),
		stepRename(annDN, "uid=bob", true, ""),
		stepRename(annDN, "uid=x", true, "ou=nowhere,dc=example,dc=com"),
		stepRename(annDN, "uid=x", true, "dc=other"),
		stepRename(annDN, "uid=x", true, "bad"),
		stepRename("", "uid=x", true, ""),
		stepRename(testSuffix, "dc=other", true, ""),
		stepRename(peopleD, "ou=people", true, "uid=zoe,"+peopleD),
		stepRename(peopleD, "ou=people", true, peopleD),
		stepRename(annDN, "uid=ANN", true, ""),
		stepShow("uid=ann,dc=example,dc=com"),
		stepRename(annDN, "uid=anna", false, ""),
		stepShow("uid=anna,dc=example,dc=com"),
		stepShow(teamDN), stepShow(bobDN),
		stepRename("uid=anna,dc=example,dc=com", "cn=Anna", true, peopleD),
		stepShow("cn=anna,"+peopleD),
		stepShow(teamDN),
		stepRename("cn=Anna,"+peopleD, "cn=Anna+uid=ann", true, testSuffix),
		everything,
		stepRename("cn=anna+uid=ann,"+testSuffix, "uid=ann", true, ""),
		stepRename("cn=anna+uid=ann,"+testSuffix, "uid=ann", false, ""),
		stepRename(peopleD, "ou=persons", true, ""),
		everything,
		stepRename("ou=persons,"+testSuffix, "ou=people", true, "uid=bob,"+testSuffix),
		everything,
		stepDelete("bad"), stepDelete(""), stepDelete("uid=nobody,ou=x,"+testSuffix), stepDelete("dc=other"), stepDelete(testSuffix),
		stepDelete(bobDN),
		stepDelete("uid=zoe,ou=people,"+bobDN),
		everything,
		stepDelete("cn=crew,ou=people,"+bobDN), stepDelete("ou=people,"+bobDN),
		stepDelete("uid=ann,"+testSuffix),
		everything,
		stepDelete(bobDN),
		everything,
		stepRename(teamDN, "cn=Doe\\, John \\+ \\\"x\\\" \\<y\\>\\; \\#1\\=", true, ""),
		everything,
		stepRename("uid=pia,"+testSuffix, "uid=\\ \\#pia/ä ", true, ""),
		everything,
		stepRename("cn=\"Doe, John + \\\"x\\\" <y>; #1=\","+testSuffix, "cn=plain", true, ""),
		stepRename("cn=plain,"+testSuffix, "cn=a=b", true, ""),
		stepRename("cn=a\\3db,"+testSuffix, "cn=#x", true, ""),
		stepRename("cn=a\\=b,"+testSuffix, "cn=x#y", true, ""),
		stepRename("cn=x#y,"+testSuffix, "cn=", true, ""),
		stepRename("cn=x#y,"+testSuffix, "cn=a<b", true, ""),
		stepRename("cn=x#y,"+testSuffix, "cn=a\"b", true, ""),
		stepRename("cn=x#y,"+testSuffix, "cn=a\\0ab", true, ""),
		stepRename("cn=a\\0ab;"+testSuffix, "CN = two  words ", true, ""),
		stepRename("cn=two words,"+testSuffix, "cn=tw\\zz", true, ""),
		stepRename("cn=two words,"+testSuffix, "cn=a+cn=b", true, ""),
		stepRename("cn=two words,"+testSuffix, "2.5.4.3=number", true, ""),
		stepRename("cn=number,"+testSuffix, "OID.2.5.4.3=number2", true, ""),
		stepRename("cn=number,"+testSuffix, "commonName=#040141", true, ""),
		everything,
	)
	compareServers(t, script)
}

func TestDifferential_Compare(t *testing.T) {
	t.Parallel()
	script := append(people(),
		stepCompare(annDN, "uid", "ANN"), stepCompare(annDN, "uid", "x"), stepCompare(annDN, "title", "x"),
		stepCompare(annDN, "foo", "x"), stepCompare(annDN, "telephoneNumber", "+1 5550100"),
		stepCompare(annDN, "telephoneNumber", ""), stepCompare(annDN, "manager", "bad"),
		stepCompare(bobDN, "manager", "UID=Ann,DC=example,DC=com"), stepCompare(annDN, "objectClass", "person"),
		stepCompare(annDN, "objectClass", "nope"), stepCompare(annDN, "entryDN", annDN),
		stepCompare("uid=x,"+peopleD, "uid", "x"), stepCompare("bad", "uid", "x"), stepCompare("dc=other", "dc", "x"), stepCompare("uid=x,ou=y,"+peopleD, "uid", "x"),
		stepCompare("uid=pia,"+testSuffix, "uidNumber", "1001"), stepCompare("uid=pia,"+testSuffix, "uidNumber", "x"),
		stepCompare(annDN, "cn", ""), stepCompare(annDN, "jpegPhoto", "x"), stepCompare(annDN, "hasSubordinates", "FALSE"),
		stepCompare(annDN, "name", "name ann"), stepCompare(annDN, "memberOf", teamDN),
	)
	compareServers(t, script)
}
