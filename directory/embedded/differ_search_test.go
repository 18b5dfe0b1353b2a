package embedded

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// filters are held against both servers, plain and negated: what is undefined
// shows by matching neither way.
func filters() []string {
	return []string{
		"(uid=ann)", "(uid=ANN)", "(uid= ann )", "(userid=ann)", "(0.9.2342.19200300.100.1.1=ann)", "(uid=)", "(uid=*)",
		"(foo=1)", "(foo=*)", "(foo>=1)", "(foo=a*)", "(title=*)", "(title=head of things)", "(title=head  of   things)",
		"(title=head*things)", "(title=*of*)", "(title=*of th*)", "(title=head of *)", "(title=* things)", "(title=*  of  *)",
		"(title=*x*)", "(title=h*e*a*d*)", "(title=**)", "(title=*s)", "(title=HEAD*)", "(cn=Zoë)", "(cn=zoë)", "(cn=ZOË)", "(cn=zoe)",
		"(cn=Zoe\\cc\\88)", "(sn=ünal)", "(sn=ÜNAL)", "(sn=*nal)", "(name=ann)", "(name=*)", "(name=bob*)", "(surname=ann)",
		"(objectClass=person)", "(objectClass=top)", "(objectClass=inetorgperson)", "(objectClass=nope)", "(objectClass=2.5.6.6)",
		"(objectClass=*)", "(objectClass=pers*)", "(structuralObjectClass=person)", "(structuralObjectClass=inetOrgPerson)",
		"(uidNumber=1001)", "(uidNumber=01001)", "(uidNumber=abc)", "(uidNumber>=1000)", "(uidNumber>=1001)", "(uidNumber<=999)",
		"(uidNumber<=99999999999999999999)", "(uidNumber>=-5)", "(uidNumber=1*)", "(uidNumber~=1001)", "(cn>=a)", "(cn<=a)", "(mail>=a)",
		"(mail=ANN@example.org)", "(mail=*@EXAMPLE.org)", "(mail=ü@example.org)", "(mail=*ü*)", "(mail=)",
		"(telephoneNumber=+15550100)", "(telephoneNumber=+1 555 0100)", "(telephoneNumber=*5550*)", "(telephoneNumber=*55 50*)", "(telephoneNumber=x*y)",
		"(manager=uid=ann,dc=example,dc=com)", "(manager=UID = Ann, DC=Example,dc=com)", "(manager=bad)", "(manager=*)", "(manager=uid=ann*)",
		"(member=uid=bob,dc=example,dc=com)", "(memberOf=cn=team,dc=example,dc=com)", "(memberOf=*)",
		"(entryDN=uid=ann,dc=example,dc=com)", "(entryDN=*)", "(entryDN=bad)", "(hasSubordinates=TRUE)", "(hasSubordinates=FALSE)", "(hasSubordinates=*)",
		"(hasSubordinates=maybe)", "(subschemaSubentry=*)", "(subschemaSubentry=cn=Subschema)", "(createTimestamp>=20200101000000Z)", "(createTimestamp<=20200101000000Z)",
		"(createTimestamp>=20200101000000.5Z)", "(createTimestamp>=202001010000Z)", "(createTimestamp>=20200101010000+0100)", "(createTimestamp=2020)", "(modifyTimestamp>=20500101000000Z)",
		"(entryUUID=*)", "(entryUUID=11111111-2222-3333-4444-555555555555)", "(entryUUID=x)", "(entryCSN>=20200101000000.000000Z#000000#000#000000)", "(entryCSN=x)",
		"(description=first)", "(description=*cond)", "(!(description=first))", "(cn;lang-de=Äpfel)", "(cn=äpfel)", "(cn;lang-fr=*)", "(cn;x-y=*)",
		"(jpegPhoto=*)", "(jpegPhoto=x)", "(jpegPhoto=\\ff\\d8\\ff)", "(jpegPhoto=\\ff*)", "(userCertificate;binary=*)",
		"(homeDirectory=/HOME/pia)", "(homeDirectory=/home/pia)", "(homeDirectory=/home*)", "(gecos=*)",
		"(postalAddress=1 way$town)", "(postalAddress=*town)", "(labeledURI=http://X)", "(labeledURI=http://x)", "(labeledURI=http*)",
		"(employeeNumber=0012)", "(employeeNumber=12)", "(preferredLanguage=de)", "(pwdReset=TRUE)", "(pwdReset=true)", "(pwdReset=*)",
		"(pwdAccountLockedTime=000001010000Z)", "(pwdAccountLockedTime=*)", "(dc=EXAMPLE)", "(x121Address=*)", "(x121Address=1 2 3)", "(x121Address=123)", "(x121Address=12*)",
		"(uid:=ANN)", "(uid:caseExactMatch:=ANN)", "(uid:caseExactMatch:=ann)", "(uid:2.5.13.5:=ann)", "(:caseExactMatch:=ann)", "(:caseIgnoreMatch:=ANN)",
		"(:dn:caseIgnoreMatch:=people)", "(ou:dn:=people)", "(ou:dn:caseExactMatch:=People)", "(dc:dn:=example)", "(uid:nope:=x)", "(:nope:=x)", "(foo:=x)",
		"(uidNumber:integerMatch:=1001)", "(uidNumber:caseExactMatch:=1001)", "(uidNumber:1.2.840.113556.1.4.803:=1)", "(uidNumber:1.2.840.113556.1.4.804:=1)", "(uidNumber:1.2.840.113556.1.4.803:=2)",
		"(mail:caseExactIA5Match:=ann@example.org)", "(mail:caseExactIA5Match:=Ann@example.org)", "(mail:caseExactMatch:=ann@example.org)", "(objectClass:=person)", "(:distinguishedNameMatch:=uid=ann,dc=example,dc=com)",
		"(createTimestamp:generalizedTimeOrderingMatch:=20500101000000Z)", "(uidNumber:integerOrderingMatch:=2000)", "(cn:caseIgnoreOrderingMatch:=zzz)", "(entryDN:=uid=ann,dc=example,dc=com)",
		"(&)", "(|)", "(&(uid=ann))", "(&(uid=ann)(foo=1))", "(|(uid=ann)(foo=1))", "(&(uid=zzz)(foo=1))", "(!(&(uid=zzz)(foo=1)))", "(!(|(uid=ann)(foo=1)))", "(!(!(foo=1)))",
		"(&(objectClass=person)(!(title=*)))", "(|(uid=ann)(&(cn=team)(member=*)))", "(&(uid=a*)(|(cn=*)(sn=x))(!(uid=bob)))",
		"(uid~=ann)", "(telephoneNumber:caseExactMatch:=+1 555-01 00)", "(telephoneNumber:caseIgnoreIA5Match:=+1 555-01 00)", "(mail:telephoneNumberMatch:=x)", "(uidNumber:integerBitAndMatch:=-1)", "(manager~=uid=ann,dc=example,dc=com)", "(ref=*)", "(seeAlso=*)", "(sn=\\20ann)", "(sn=ann\\00)", "(initials=\\20)", "(initials=*)", "(roomNumber= )", "(sn=\\ff)",
	}
}

// odd are entries for the less usual syntaxes.
func odd() []step {
	return []step{
		stepAdd("odd", person("odd", "cn;lang-de", "Äpfel", "jpegPhoto", "\xff\xd8\xff", "postalAddress", "1 Way$Town", "labeledURI", "http://x", "employeeNumber", "0012",
			"preferredLanguage", "de", "pwdReset", "TRUE", "pwdAccountLockedTime", "000001010000Z", "initials", " ", "x121Address", "12 3")),
	}
}

func TestDifferential_Filters(t *testing.T) {
	t.Parallel()
	script := append(people(), odd()...)
	for _, f := range filters() {
		script = append(script,
			stepSearch(search(testSuffix, ldap.ScopeWholeSubtree, f, "1.1")),
			stepSearch(search(testSuffix, ldap.ScopeWholeSubtree, "(!"+f+")", "1.1")))
	}
	compareServers(t, script)
}

func TestDifferential_Search(t *testing.T) {
	t.Parallel()
	all := "(objectClass=*)"
	limited := func(n int, f string) *ldap.SearchRequest {
		r := search(testSuffix, ldap.ScopeWholeSubtree, f, "1.1")
		r.SizeLimit = n
		return r
	}
	typesOnly := search(annDN, ldap.ScopeBaseObject, all, "*", "+")
	typesOnly.TypesOnly = true
	count := func(r *ldap.SearchRequest) step {
		return step{name: fmt.Sprintf("limit %d %s", r.SizeLimit, r.Filter), do: func(c *ldap.Conn) string {
			got, err := c.Search(r)
			return fmt.Sprint(outcome(err), " ", len(got.Entries))
		}}
	}
	script := append(people(), odd()...)
	script = append(script,
		stepSearch(search(testSuffix, ldap.ScopeSingleLevel, all, "1.1")),
		stepSearch(search(testSuffix, ldap.ScopeChildren, all, "1.1")),
		stepSearch(search("DC = example , DC=com", ldap.ScopeBaseObject, all, "1.1")),
		stepSearch(search(peopleD, ldap.ScopeWholeSubtree, all, "1.1")),
		stepSearch(search("uid=x,ou=y,"+peopleD, ldap.ScopeWholeSubtree, all, "1.1")),
		stepSearch(search("dc=other", ldap.ScopeWholeSubtree, all)),
		stepSearch(search("dc=com", ldap.ScopeWholeSubtree, all)),
		stepSearch(search("bad", ldap.ScopeWholeSubtree, all)),
		stepSearch(search("foo=bar", ldap.ScopeWholeSubtree, all)),
		stepSearch(search("", ldap.ScopeWholeSubtree, all)),
		stepSearch(search("", ldap.ScopeSingleLevel, all)),
		stepSearch(search("", ldap.ScopeBaseObject, "(uid=x)")),
		stepSearch(search("", ldap.ScopeBaseObject, all)),
		stepSearch(search("", ldap.ScopeBaseObject, all, "namingContexts", "subschemaSubentry", "supportedLDAPVersion")),
		stepSearch(search("", ldap.ScopeBaseObject, "(objectClass=OpenLDAProotDSE)", "objectClass")),
		stepSearch(search("cn=subschema", ldap.ScopeBaseObject, all)),
		stepSearch(search("cn=subschema", ldap.ScopeBaseObject, "(objectClass=subschema)", "cn")),
		stepSearch(search("cn=subschema", ldap.ScopeWholeSubtree, all, "cn")),
		stepSearch(search("cn=subschema", ldap.ScopeSingleLevel, all, "cn")),
		stepSearch(search("cn=x,cn=subschema", ldap.ScopeBaseObject, all, "cn")),
		stepSearch(typesOnly),
		count(limited(1, all)), count(limited(2, "(uid=ann)")), count(limited(1, "(uid=ann)")), count(limited(3, all)), count(limited(1, "(uid=zzzz)")),
	)
	for _, attrs := range []string{
		"", "*", "+", "1.1", "1.1 cn", "* +", "cn", "CN", "commonName", "2.5.4.3", "name", "cn;lang-de", "cn;lang-fr", "cn;x-y", "foo", "foo cn",
		"entryDN hasSubordinates", "subschemaSubentry", "entryuuid", "MemberOf", "contextCSN", "objectclass", "jpegPhoto", "jpegphoto;binary", "* entryUUID",
		"cn cn CN", "sn name", "structuralObjectClass", "creatorsName",
	} {
		for _, dn := range []string{annDN, "uid=odd," + testSuffix, testSuffix} {
			script = append(script, step{name: "select " + attrs + " of " + dn, do: func(c *ldap.Conn) string {
				return show(c.Search(search(dn, ldap.ScopeBaseObject, all, strings.Fields(attrs)...)))
			}})
		}
	}
	compareServers(t, script)
}

func TestDifferential_Referrals(t *testing.T) {
	t.Parallel()
	manage := func(r *ldap.SearchRequest) *ldap.SearchRequest {
		r.Controls = append(r.Controls, ldap.NewControlManageDsaIT(true))
		return r
	}
	all := "(objectClass=*)"
	add := addOf("ou=away,"+testSuffix, "objectClass", "referral", "objectClass", "extensibleObject", "ou", "away",
		"ref", "ldap://other.example/ou=there,dc=other", "ref", "ldap://third.example/")
	add.Controls = []ldap.Control{ldap.NewControlManageDsaIT(true)}
	uris := func(name string, f func(c *ldap.Conn) error) step {
		return step{name: name, do: func(c *ldap.Conn) string {
			err := f(c)
			e := &ldap.Error{}
			ok := errors.As(err, &e)
			if !ok || e.Packet == nil || len(e.Packet.Children) < 2 {
				return outcome(err)
			}
			var out strings.Builder
			out.WriteString(outcome(err))
			for _, p := range e.Packet.Children[1].Children {
				for _, q := range p.Children {
					out.WriteString(" " + q.Data.String())
				}
			}
			return out.String()
		}}
	}
	script := append(people(),
		stepAdd("referral", add),
		stepSearch(search(testSuffix, ldap.ScopeWholeSubtree, all, "1.1")),
		stepSearch(search(testSuffix, ldap.ScopeSingleLevel, all, "1.1")),
		stepSearch(search(testSuffix, ldap.ScopeWholeSubtree, "(uid=ann)", "1.1")),
		stepSearch(search(testSuffix, ldap.ScopeBaseObject, all, "1.1")),
		stepSearch(manage(search(testSuffix, ldap.ScopeWholeSubtree, all, "1.1"))),
		stepSearch(manage(search("ou=away,"+testSuffix, ldap.ScopeBaseObject, all))),
		stepSearch(manage(search("ou=away,"+testSuffix, ldap.ScopeBaseObject, all, "ref", "objectClass"))),
	)
	for _, dn := range []string{"ou=away," + testSuffix, "uid=a b,ou=away," + testSuffix} {
		for _, sc := range []int{ldap.ScopeBaseObject, ldap.ScopeSingleLevel, ldap.ScopeWholeSubtree} {
			script = append(script, uris(fmt.Sprint("search ", sc, dn), func(c *ldap.Conn) error {
				_, err := c.Search(search(dn, sc, all))
				return err
			}))
		}
		script = append(script,
			uris("add at "+dn, func(c *ldap.Conn) error { return c.Add(addOf("uid=new,"+dn, "objectClass", "device", "cn", "x")) }),
			uris("delete at "+dn, func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(dn, nil)) }),
			uris("modify at "+dn, func(c *ldap.Conn) error {
				r := ldap.NewModifyRequest(dn, nil)
				r.Replace("cn", []string{"x"})
				return c.Modify(r)
			}),
			uris("rename at "+dn, func(c *ldap.Conn) error { return c.ModifyDN(ldap.NewModifyDNRequest(dn, "ou=x", true, "")) }),
			uris("compare at "+dn, func(c *ldap.Conn) error { _, err := c.Compare(dn, "ou", "x"); return err }),
			uris("bind at "+dn, func(c *ldap.Conn) error {
				defer func() { _ = c.Bind(testService, testSecret) }()
				return c.Bind(dn, "x")
			}),
		)
	}
	script = append(script, step{name: "delete it", do: func(c *ldap.Conn) string {
		return outcome(c.Del(ldap.NewDelRequest("ou=away,"+testSuffix, []ldap.Control{ldap.NewControlManageDsaIT(true)})))
	}})
	compareServers(t, script)
}
