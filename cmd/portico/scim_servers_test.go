package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/configs"
	"portico/testenv"
)

// startSCIMOn serves the directory that the lines of YAML configure.
func startSCIMOn(t testing.TB, directory string) *scimWorld {
	t.Helper()
	text := fmt.Sprintf("listen: 127.0.0.1:0\nbase_url: https://id.example.net\ndata_dir: %q\ndirectories:\n  - name: corp\n%s", t.TempDir(), directory)
	cfg, err := configs.Parse("test.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &scimWorld{service: startConfig(t, cfg), t: t}
	w.waitReady()
	w.base = w.url + "/scim/v2"
	w.key = w.newKey(adapter.KeyRequest{Scopes: allScopes})
	return w
}

// lookup reads one entry of a directory by an administrator's connection.
func lookup(t testing.TB, dial func() (*ldap.Conn, error), base, filter string) *ldap.Entry {
	t.Helper()
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	result, err := conn.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, []string{"*", "+"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Entries) == 0 {
		return nil
	}
	return result.Entries[0]
}

// fullUser fills what every mapping has a place for.
const fullUser = `"displayName":"Ada M.","name":{"givenName":"Ada","familyName":"Miller","formatted":"Dr Ada Miller"},"title":"Engineer",
	"password":"Snow-on-7-roofs","emails":[{"value":"a@x.example","type":"work","primary":true},{"value":"b@x.example","type":"other"}],
	"phoneNumbers":[{"value":"+1 1","type":"work"},{"value":"+1 2","type":"mobile"},{"value":"+1 3","type":"home"},{"value":"+1 4","type":"fax"}],
	"addresses":[{"type":"work","streetAddress":"1 Road","locality":"Rome","region":"RM","postalCode":"00100","country":"IT"}],"userType":"Employee","preferredLanguage":"en",
	"nickName":"ad","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"7","department":"R&D","organization":"Corp","costCenter":"c1"}`

// lifeOn is the life of a person and a group on any server; the directory is looked at by the caller's functions.
func lifeOn(t *testing.T, w *scimWorld, person, group func(name string) *ldap.Entry) {
	t.Helper()
	boss := w.user("boss", `"displayName":"The Boss","name":{"familyName":"Boss"}`).id()
	made := w.user("ada", fullUser)
	path := "/Users/" + made.id()
	if got := w.do("GET", path, "").want(200); got.text != made.text {
		t.Errorf("POST answered\n%s\nGET\n%s", made.text, got.text)
	}
	if again := w.do("PUT", path, made.text).want(200); again.text != made.text {
		t.Errorf("PUT of what POST answered\n%s\ngave\n%s", made.text, again.text)
	}
	for _, want := range []string{`"Dr Ada Miller"`, `"b@x.example"`, `"+1 4"`, `"IT"`, `"00100"`, `"Employee"`, `"R\u0026D"`, `"c1"`, `"ad"`, `"Corp"`} {
		if !strings.Contains(made.text, want) && !strings.Contains(made.text, strings.ReplaceAll(want, `\u0026`, "&")) {
			t.Errorf("%s is not shown: %s", want, made.text)
		}
	}
	e := person("ada")
	holds(t, e, "sn", "Miller")
	holds(t, e, "title", "Engineer")
	holds(t, e, "l", "Rome")
	w.find("/Users", `userName eq "ADA" and emails.value eq "b@x.example"`).want(200).shows("1", "totalResults")
	now := w.patch(path, fmt.Sprintf(`{"op":"replace","path":"title","value":"Chief"},{"op":"add","path":"%s:manager","value":%q}`, enterpriseURN, boss)).want(200).
		shows(`"`+boss+`"`, enterpriseURN, "manager", "value")
	if now.header.Get("ETag") == made.header.Get("ETag") {
		t.Error("the version did not change")
	}
	w.patch(path, `{"op":"replace","path":"title","value":"Old"}`, "If-Match", made.header.Get("ETag")).refused(412, "")
	second := w.patch(path, `{"op":"replace","path":"title","value":"B"}`, "If-Match", now.header.Get("ETag")).want(200)
	if second.header.Get("ETag") == now.header.Get("ETag") {
		t.Error("L-60: two writes at once have one version")
	}
	w.ok("auth", "username", "ada", "password", "Snow-on-7-roofs")
	w.patch(path, `{"op":"replace","value":{"active":"False"}}`).want(200).shows("false", "active")
	w.refused("auth", "username", "ada", "password", "Snow-on-7-roofs")
	w.find("/Users", `active eq false`).want(200).shows("1", "totalResults")
	w.patch(path, `{"op":"replace","path":"active","value":true}`).want(200).shows("true", "active")

	g := w.group("Ops")
	g.shows("null", "members")
	gpath := "/Groups/" + g.id()
	w.patch(gpath, `{"op":"add","path":"members","value":[{"value":"`+made.id()+`"},{"value":"`+boss+`"}]}`).want(204)
	w.patch(gpath, `{"op":"add","path":"members","value":[{"value":"`+boss+`"}]}`).want(204)
	w.patch(gpath, `{"op":"remove","path":"members[value eq \"`+boss+`\"]"}`).want(204)
	holds(t, group("Ops"), "member", person("ada").DN)
	w.do("GET", gpath, "").want(200).shows(`"`+made.id()+`"`, "members", 0, "value").shows("null", "members", 1)
	renamed := w.patch(path, `{"op":"replace","path":"userName","value":"eda"}`).want(200).shows(`"eda"`, "userName").shows(`"`+made.id()+`"`, "id")
	if !strings.Contains(renamed.text, `"Ops"`) {
		t.Errorf("L-51: the group lost who was renamed: %s", renamed.text)
	}
	w.patch(gpath, `{"op":"replace","path":"displayName","value":"Ops EU"}`).want(204)
	w.find("/Groups", `displayName eq "ops eu"`).want(200).shows(`"`+g.id()+`"`, "Resources", 0, "id").shows(`"`+made.id()+`"`, "Resources", 0, "members", 0, "value")
	w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"EDA"}`, userURN)).refused(409, "uniqueness")
	w.patch(gpath, `{"op":"add","path":"members","value":[{"value":"00000000-0000-0000-0000-000000000000"}]}`).refused(400, "invalidValue")
	w.do("DELETE", "/Users/"+boss, "").want(204)
	w.do("GET", path, "").want(200).shows("null", enterpriseURN, "manager")
	w.do("DELETE", path, "").want(204)
	w.do("GET", path, "").want(404)
	w.do("GET", gpath, "").want(200).shows("null", "members")
	w.do("DELETE", gpath, "").want(204)
	if person("eda") != nil || group("Ops EU") != nil {
		t.Error("something is left in the directory")
	}
}

func TestSC080On389DS(t *testing.T) {
	server := testenv.DS389(t)
	w := startSCIMOn(t, fmt.Sprintf(`    preset: 389ds
    urls: [%s]
    start_tls: true
    tls: {ca_file: %q}
    bind_dn: %q
    bind_password: %q
    base_dn: %q
    sync: {interval: 1s}
    write: {enabled: true, user_container: %q, group_container: %q}
`, server.URL(), server.CAFile, server.ServiceDN, server.ServicePassword, server.BaseDN, "ou=people,"+server.BaseDN, "ou=groups,"+server.BaseDN))
	lifeOn(t, w, func(name string) *ldap.Entry {
		return lookup(t, server.DialAdmin, server.BaseDN, "(uid="+name+")")
	}, func(name string) *ldap.Entry {
		return lookup(t, server.DialAdmin, server.BaseDN, "(&(objectClass=groupOfNames)(cn="+name+"))")
	})
}

func TestSC080OnActiveDirectory(t *testing.T) {
	server := testenv.Samba(t)
	w := startSCIMOn(t, fmt.Sprintf(`    preset: activedirectory
    urls: [%s]
    tls: {ca_file: %q}
    bind_dn: %q
    bind_password: %q
    base_dn: %q
    sync: {interval: 1s}
    write: {enabled: true, user_container: %q, group_container: %q}
`, server.LDAPSURL(), server.CAFile, server.ServiceDN, server.ServicePassword, server.BaseDN, "OU=People,"+server.BaseDN, "OU=Groups,"+server.BaseDN))
	lifeOn(t, w, func(name string) *ldap.Entry {
		return lookup(t, server.DialAdmin, server.BaseDN, "(&(objectClass=user)(sAMAccountName="+name+"))")
	}, func(name string) *ldap.Entry {
		return lookup(t, server.DialAdmin, server.BaseDN, "(&(objectClass=group)(sAMAccountName="+name+"))")
	})
	t.Run("L-46 the primary group is shown and cannot be left", func(t *testing.T) {
		id := w.user("prim", "").id()
		g, _ := w.do("GET", "/Users/"+id, "").want(200).shows(`"Domain Users"`, "groups", 0, "display").at("groups", 0, "value").(string)
		w.patch("/Groups/"+g, `{"op":"remove","path":"members[value eq \"`+id+`\"]"}`).refused(400, "mutability")
	})
}
