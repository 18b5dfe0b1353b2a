package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/testenv"
)

var allScopes = []string{"read", "write", "password"}

// TestL05L55ExtrasAndExternalIDs: what the directory has no place for is kept, and each domain has its external ids.
func TestL05L55ExtrasAndExternalIDs(t *testing.T) {
	w := startSCIM(t, setup{})
	full := `"externalId":"X1","displayName":"Ada M.","nickName":"ad","profileUrl":"https://x.example/ada","locale":"en-GB","timezone":"Europe/Paris",
		"name":{"formatted":"Dr Ada Miller","familyName":"Miller","givenName":"Ada","middleName":"B.","honorificPrefix":"Dr"},
		"emails":[{"value":"h@x.example","type":"home"},{"value":"w@x.example","type":"work","primary":true,"display":"Work"}],
		"phoneNumbers":[{"value":"+1","type":"work"},{"value":"+2","type":"mobile","primary":true},{"value":"+3","type":"pager"}],
		"ims":[{"value":"ada","type":"xmpp"}],"roles":[{"value":"admin","primary":true}],"entitlements":[{"value":"e"}],
		"addresses":[{"type":"work","streetAddress":"1 Road","locality":"Rome","region":"RM","postalCode":"00100","country":"IT","formatted":"1 Road\nRome"},
			{"type":"home","locality":"Oslo"}]`
	enterprise := fmt.Sprintf(`,%q:{"employeeNumber":"7","costCenter":"c","department":"R&D","division":"d","organization":"o"}`, enterpriseURN)
	made := w.user("full", full+enterprise)
	e := w.person("full")
	holds(t, e, "mail", "w@x.example", "h@x.example")
	holds(t, e, "mobile", "+2")
	holds(t, e, "l", "Rome")
	holds(t, e, "cn", "Dr Ada Miller")
	again := w.do("PUT", "/Users/"+made.id(), made.text).want(200)
	if again.text != made.text {
		t.Errorf("PUT of what POST answered\n%s\ngave\n%s", made.text, again.text)
	}
	sent := w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"check",%s%s}`, userURN, strings.Replace(full, `"X1"`, `"X2"`, 1), enterprise)).want(201)
	for _, name := range []string{"emails", "phoneNumbers", "addresses", "ims", "roles", "entitlements", "name", enterpriseURN} {
		if got, want := len(fmt.Sprint(sent.at(name))), len(fmt.Sprint(made.at(name))); got != want || sent.at(name) == nil {
			t.Errorf("%s: %v", name, sent.at(name))
		}
	}
	made.shows(`"Dr"`, "name", "honorificPrefix").shows(`"c"`, enterpriseURN, "costCenter").shows(`"IT"`, "addresses", 0, "country")
	for filter, want := range map[string]string{
		`externalId eq "X1"`: "1", `externalId eq "x1"`: "0", `externalId eq "X1" and title pr`: "0", `nickName eq "AD"`: "2", `emails[type eq "home"].value eq "h@x.example"`: "2",
		`emails[type eq "work" and value eq "h@x.example"]`: "0", `phoneNumbers.value eq "+3"`: "2", `addresses.country eq "it"`: "2", `roles[primary eq "True"].value eq "admin"`: "2",
		`not (nickName pr)`: "0", enterpriseURN + `:costCenter sw "C"`: "2", `emails co "x.example"`: "2", `emails.type eq "other"`: "0",
	} {
		w.find("/Users", filter).want(200).shows(want, "totalResults")
	}
	// Somebody changes the directory itself: that wins.
	w.modify(w.dnOf("full"), func(m *ldap.ModifyRequest) { m.Replace("mail", []string{"w@x.example", "n@x.example"}) })
	eventually(t, 5e9, "the change", func() bool {
		return strings.Contains(w.do("GET", "/Users/"+made.id(), "").text, "n@x.example")
	})
	w.do("GET", "/Users/"+made.id(), "").want(200).shows(`[{"display":"Work","primary":true,"type":"work","value":"w@x.example"},{"type":"other","value":"n@x.example"}]`, "emails")
	// Another domain has ids of its own.
	first := w.key
	w.key = w.newKey(adapter.KeyRequest{Scopes: allScopes, Domain: "partner", Label: "partner"})
	w.do("GET", "/Users/"+made.id(), "").want(200).shows("null", "externalId").shows(`"ad"`, "nickName")
	w.find("/Users", `externalId eq "X1"`).want(200).shows("0", "totalResults")
	w.patch("/Users/"+made.id(), `{"op":"add","path":"externalId","value":"X2"}`).want(200).shows(`"X2"`, "externalId")
	w.key = first
	w.do("GET", "/Users/"+made.id(), "").want(200).shows(`"X1"`, "externalId")
	before := w.do("GET", "/Users/"+made.id(), "").header.Get("ETag")
	w.patch("/Users/"+made.id(), `{"op":"replace","path":"nickName","value":"other"}`, "If-Match", before).want(200)
	w.patch("/Users/"+made.id(), `{"op":"replace","path":"nickName","value":"third"}`, "If-Match", before).refused(412, "")
	w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"dup","externalId":"X1"}`, userURN)).refused(409, "uniqueness")
	if w.person("dup") != nil {
		t.Error("a refused user was made")
	}
}

// TestE04ConcurrentWriters: nobody's change is lost, and nothing comes twice.
func TestE04ConcurrentWriters(t *testing.T) {
	w := startSCIM(t, setup{})
	g := w.group("crowd").id()
	id := w.user("busy", "").id()
	var ids []string
	for i := range 16 {
		ids = append(ids, w.user(fmt.Sprintf("m%d", i), "").id())
	}
	var wait sync.WaitGroup
	for i, member := range ids {
		wait.Go(func() {
			for range 2 {
				w.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+member+`"}]}`).want(204)
			}
			w.patch("/Users/"+id, fmt.Sprintf(`{"op":"add","path":"emails","value":[{"type":"other","value":"m%d@x.example"}]}`, i)).want(200)
		})
	}
	wait.Wait()
	if n := len(w.entry(w.groupDN("crowd")).GetAttributeValues("member")); n != 16 {
		t.Errorf("%d members of 16", n)
	}
	if n := len(w.person("busy").GetAttributeValues("mail")); n != 16 {
		t.Errorf("%d addresses of 16", n)
	}
	tag := w.do("GET", "/Users/"+id, "").header.Get("ETag")
	var mu sync.Mutex
	won := map[int]int{}
	for i := range 8 {
		wait.Go(func() {
			status := w.patch("/Users/"+id, fmt.Sprintf(`{"op":"replace","path":"title","value":"T%d"}`, i), "If-Match", tag).status
			mu.Lock()
			won[status]++
			mu.Unlock()
		})
	}
	wait.Wait()
	if won[200] != 1 || won[412] != 7 {
		t.Errorf("eight writers with one version: %v", won)
	}
}

// TestE09DeProvisioning: who is disabled or deleted has no sessions any more, and no way in.
func TestE09DeProvisioning(t *testing.T) {
	for _, way := range []string{"disable", "delete"} {
		t.Run(way, func(t *testing.T) {
			w := startSCIM(t, setup{})
			if err := w.ldap.SetPolicy(map[string]string{"pwdMustChange": "FALSE"}); err != nil {
				t.Fatal(err)
			}
			id := w.user("gone", `"password":"first secret!"`).id()
			w.ok("auth", "username", "gone", "password", "first secret!")
			app, err := w.app.adapter.AddAppPassword(t.Context(), adapter.ByUsername("gone"), "mail", "", adapter.Client{})
			if err != nil {
				t.Fatal(err)
			}
			if way == "disable" {
				w.patch("/Users/"+id, `{"op":"replace","value":{"active":false}}`).want(200)
				w.find("/Users", `userName eq "gone"`).want(200).shows("1", "totalResults")
			} else {
				w.do("DELETE", "/Users/"+id, "").want(204)
			}
			w.refused("auth", "username", "gone", "password", "first secret!")
			w.refused("auth", "username", "gone", "password", app)
		})
	}
}

// TestD08S05ScopesAndRevokedKeys: each scope is asked for, and a revoked key ends at once.
func TestD08S05ScopesAndRevokedKeys(t *testing.T) {
	w := startSCIM(t, setup{})
	id := w.user("ada", "").id()
	admin := w.key
	body := fmt.Sprintf(`{"schemas":[%q],"userName":"x","password":"first secret!"}`, userURN)
	w.key = w.newKey(adapter.KeyRequest{Scopes: []string{"read"}, Label: "reader"})
	w.do("GET", "/Users/"+id, "").want(200)
	w.do("POST", "/Users", body).refused(403, "")
	w.do("DELETE", "/Users/"+id, "").refused(403, "")
	w.key = w.newKey(adapter.KeyRequest{Scopes: []string{"read", "write"}, Label: "writer"})
	w.do("POST", "/Users", body).refused(403, "")
	w.patch("/Users/"+id, `{"op":"replace","path":"password","value":"second secret!"}`).refused(403, "")
	w.patch("/Users/"+id, `{"op":"replace","value":{"password":"second secret!"}}`).refused(403, "")
	w.do("PUT", "/Users/"+id, strings.Replace(body, `"x"`, `"ada"`, 1)).refused(403, "")
	w.key = "nonsense"
	if r := w.do("GET", "/Users", "").refused(401, ""); !strings.Contains(r.header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("headers %v", r.header)
	}
	w.key = admin
	keys, err := w.app.adapter.ListKeys(t.Context(), "scim")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Label == "test" {
			if err := w.app.adapter.RevokeKey(t.Context(), k.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.do("DELETE", "/Users/"+id, "").refused(401, "")
	if w.person("x") != nil || w.person("ada") == nil {
		t.Error("something was written")
	}
}

// TestS06ProtectedGroups: groups of the configuration's list are read and never changed.
func TestS06ProtectedGroups(t *testing.T) {
	server := testenv.OpenLDAP(t, testenv.WithLDIF(strings.NewReader(conformancePeople)))
	s := start(t, server, setup{directory: fmt.Sprintf("    write: {enabled: true, user_container: %q, group_container: %q, protected_groups: [Sales]}\n",
		"ou=people,"+server.BaseDN, "ou=groups,"+server.BaseDN)})
	w := &scimWorld{service: s, t: t, ldap: server, base: s.url + "/scim/v2"}
	w.waitReady()
	w.key = w.newKey(adapter.KeyRequest{Scopes: allScopes})
	g, _ := w.find("/Groups", `displayName eq "sales"`).want(200).at("Resources", 0, "id").(string)
	id := w.user("eve", "").id()
	w.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`).refused(403, "")
	w.do("DELETE", "/Groups/"+g, "").refused(403, "")
	w.do("PUT", "/Groups/"+g, fmt.Sprintf(`{"schemas":[%q],"displayName":"Mine"}`, groupURN)).refused(403, "")
	if n := len(w.entry("cn=Sales,ou=groups," + server.BaseDN).GetAttributeValues("member")); n != 3 {
		t.Errorf("%d members", n)
	}
}

// TestE11NothingIsAdopted: a client that creates somebody who is there learns that, whatever the mail address says, and
// changes nothing of him.
func TestE11NothingIsAdopted(t *testing.T) {
	w := startSCIM(t, setup{})
	w.user("root", `"emails":[{"value":"root@x.example","type":"work","primary":true}]`)
	before := w.person("root").GetAttributeValue("entryCSN")
	other := w.user("other", `"emails":[{"value":"root@x.example","type":"work","primary":true}]`).id()
	w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"ROOT"}`, userURN)).refused(409, "uniqueness")
	if after := w.person("root").GetAttributeValue("entryCSN"); after != before || other == w.person("root").GetAttributeValue("entryUUID") {
		t.Error("somebody else was taken for the new user")
	}
}

// TestSizesOfRequests: this API has limits of its own, and its own answers.
func TestSizesOfRequests(t *testing.T) {
	w := startSCIM(t, setup{})
	long := strings.Repeat("x", 3<<20)
	w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"a","nickName":%q}`, userURN, long[:100<<10])).want(201)
	w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"b","unknown":%q}`, userURN, long)).want(201)
	w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"c","unknown":%q}`, userURN, long+long[:2<<20])).refused(http.StatusRequestEntityTooLarge, "")
}

// TestL74SeveralDirectories: one endpoint serves all; what is made goes where the key says.
func TestL74SeveralDirectories(t *testing.T) {
	first, second := testenv.OpenLDAP(t), testenv.OpenLDAP(t)
	write := func(s *testenv.LDAPServer) string {
		return fmt.Sprintf("    write: {enabled: true, user_container: %q, group_container: %q}\n", "ou=people,"+s.BaseDN, "ou=groups,"+s.BaseDN)
	}
	s := start(t, first, setup{directory: write(first) + fmt.Sprintf(`  - name: branch
    preset: openldap
    suffix: branch.example
    urls: [%s]
    bind_dn: %q
    bind_password: %q
    base_dn: %q
    password_policy: %q
`, second.URL(), second.ServiceDN, second.ServicePassword, second.BaseDN, second.PolicyDN) + write(second)})
	w := &scimWorld{service: s, t: t, ldap: first, base: s.url + "/scim/v2"}
	w.waitReady()
	w.key = w.newKey(adapter.KeyRequest{Scopes: allScopes})
	here := w.user("ada", "").id()
	w.key = w.newKey(adapter.KeyRequest{Scopes: allScopes, Directory: "branch", Label: "branch"})
	there := w.user("Ada", "").shows(`"Ada@branch.example"`, "userName").id()
	w.find("/Users", `userName sw "ada"`).want(200).shows("2", "totalResults")
	w.find("/Users", `userName eq "ADA@branch.example"`).want(200).shows(`"`+there+`"`, "Resources", 0, "id")
	w.do("GET", "/Users/"+here, "").want(200).shows(`"ada"`, "userName")
	w.do("POST", "/Groups", fmt.Sprintf(`{"schemas":[%q],"displayName":"mixed","members":[{"value":%q}]}`, groupURN, here)).refused(400, "invalidValue")
	w.group("branch", there)
	w.patch("/Users/"+there, `{"op":"replace","path":"userName","value":"eda@branch.example"}`).want(200).shows(`"eda@branch.example"`, "userName")
	w.ldap = second
	holds(t, w.person("eda"), "entryUUID", there)
	holds(t, w.entry(w.groupDN("branch")), "member", w.dnOf("eda"))
}
