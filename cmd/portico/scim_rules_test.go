package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// modify changes an entry behind the service's back.
func (w *scimWorld) modify(dn string, change func(*ldap.ModifyRequest)) {
	w.t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	change(req)
	if err := w.ldap.Admin(w.t).Modify(req); err != nil {
		w.t.Fatal(err)
	}
}

func (w *scimWorld) dnOf(name string) string    { return "uid=" + name + ",ou=people," + w.ldap.BaseDN }
func (w *scimWorld) groupDN(name string) string { return "cn=" + name + ",ou=groups," + w.ldap.BaseDN }

// mayBind tells whether somebody can sign in to the directory.
func (w *scimWorld) mayBind(name, password string) bool {
	w.t.Helper()
	conn, err := ldap.DialURL(w.ldap.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	return conn.Bind(w.dnOf(name), password) == nil
}

// TestSC080OnOpenLDAP goes through the rules about the directory by their numbers.
func TestSC080OnOpenLDAP(t *testing.T) {
	w := startSCIM(t, setup{})
	for _, c := range []struct {
		name string
		test func(*scimWorld)
	}{
		{"L-01 the id is the permanent one", ruleL01},
		{"L-03 a stale DN is resolved again", ruleL03},
		{"L-04 only what is configured exists", ruleL04},
		{"L-20 pages are stable and their order is total", ruleL20},
		{"L-21 own writes are read at once", ruleL21},
		{"L-30 classes and container are configured", ruleL30},
		{"L-31 a user with only userName", ruleL31},
		{"L-32 names are escaped", ruleL32},
		{"L-33 PUT keeps what it does not know", ruleL33},
		{"L-34 no more than the difference is written", ruleL34},
		{"L-35 passwords", ruleL35},
		{"L-36 active", ruleL36},
		{"L-37 no numbers are given out", ruleL37},
		{"L-38 userName is unique", ruleL38},
		{"L-39 references go with the entry", ruleL39},
		{"L-40 members that nobody sees stay", ruleL40},
		{"L-41 members by difference, in chunks", ruleL41},
		{"L-42 empty groups", ruleL42},
		{"L-44 groups of a user are read-only", ruleL44},
		{"L-45 unknown members", ruleL45},
		{"L-50 rename", ruleL50},
		{"L-52 a rename that cannot be finished is taken back", ruleL52},
		{"L-53 rename onto somebody", ruleL53},
		{"L-60 versions within one second", ruleL60},
		{"L-61 If-Match", ruleL61},
		{"L-63 groups are no part of the version", ruleL63},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := *w
			inner.t = t
			c.test(&inner)
		})
	}
}

func ruleL01(w *scimWorld) {
	id := w.user("l01", "").id()
	holds(w.t, w.person("l01"), "entryUUID", id)
	w.do("GET", "/Users/"+strings.ToUpper(id), "").want(200).shows(`"`+id+`"`, "id")
	for _, none := range []string{"nobody", "..", "%2e%2e", "0", strings.Repeat("a", 300), "60b41e22-7a71-1041-848a-000000000000", "uid%3Dl01"} {
		w.do("GET", "/Users/"+none, "").refused(404, "")
	}
}

func ruleL03(w *scimWorld) {
	id := w.user("l03", `"title":"A"`).id()
	if err := w.ldap.Admin(w.t).ModifyDN(ldap.NewModifyDNRequest(w.dnOf("l03"), "uid=l03moved", true, "")); err != nil {
		w.t.Fatal(err)
	}
	w.patch("/Users/"+id, `{"op":"replace","path":"title","value":"B"}`).want(200).shows(`"l03moved"`, "userName")
	holds(w.t, w.person("l03moved"), "title", "B")
}

func ruleL04(w *scimWorld) {
	user, group := w.user("l04", "").id(), w.group("l04").id()
	container := w.entry("ou=people," + w.ldap.BaseDN).GetAttributeValue("entryUUID")
	for _, path := range []string{"/Users/" + group, "/Groups/" + user, "/Users/" + container, "/Groups/" + container} {
		for _, method := range []string{"GET", "DELETE"} {
			w.do(method, path, "").refused(404, "")
		}
		w.patch(path, `{"op":"replace","path":"displayName","value":"x"}`).refused(404, "")
	}
	if w.entry("ou=people,"+w.ldap.BaseDN) == nil {
		w.t.Fatal("the container is gone")
	}
}

func ruleL20(w *scimWorld) {
	want := map[string]bool{}
	for i := range 25 {
		want[w.user(fmt.Sprintf("l20-%02d", i), `"title":"L20","name":{"familyName":"Same"}`).id()] = true
	}
	for _, sort := range []string{"", "&sortBy=name.familyName", "&sortBy=userName&sortOrder=descending", "&sortBy=meta.created", "&sortBy=title"} {
		for _, cursor := range []bool{false, true} {
			got, query := map[string]bool{}, "/Users?filter=title%20eq%20%22L20%22&count=7"+sort
			for page, next := 1, ""; ; {
				place := fmt.Sprintf("&startIndex=%d", page)
				if cursor {
					place = "&cursor=" + next
				}
				r := w.do("GET", query+place, "").want(200).shows("25", "totalResults")
				list, _ := r.at("Resources").([]any)
				for _, u := range list {
					id, _ := dig(u, "id").(string)
					if got[id] || !want[id] {
						w.t.Fatalf("%s: %s twice, or not asked for", query, id)
					}
					got[id] = true
				}
				page += len(list)
				next, _ = r.at("nextCursor").(string)
				if cursor && next == "" || !cursor && len(list) == 0 {
					break
				}
			}
			if len(got) != 25 {
				w.t.Fatalf("%s, cursor %t: %d of 25", query, cursor, len(got))
			}
		}
	}
	w.do("GET", "/Users?filter=title%20eq%20%22L20%22&count=0", "").want(200).shows("25", "totalResults").shows("0", "itemsPerPage")
}

func ruleL21(w *scimWorld) {
	for i := range 30 {
		name := fmt.Sprintf("l21-%d", i)
		id := w.user(name, "").id()
		w.find("/Users", `userName eq "`+name+`"`).want(200).shows("1", "totalResults")
		w.patch("/Users/"+id, `{"op":"replace","path":"title","value":"`+name+`"}`).want(200)
		w.find("/Users", `title eq "`+name+`"`).want(200).shows("1", "totalResults")
		w.do("DELETE", "/Users/"+id, "").want(204)
		w.find("/Users", `userName eq "`+name+`"`).want(200).shows("0", "totalResults")
	}
}

func ruleL30(w *scimWorld) {
	w.user("l30", "")
	classes := strings.Join(w.person("l30").GetAttributeValues("objectClass"), " ")
	if !strings.Contains(classes, "inetOrgPerson") {
		w.t.Errorf("classes %s", classes)
	}
}

func ruleL31(w *scimWorld) {
	r := w.user("l31", "")
	if r.at("name") != nil || r.at("displayName") != nil {
		w.t.Fatalf("names that nobody gave are shown: %s", r.text)
	}
	holds(w.t, w.person("l31"), "cn", "l31")
	holds(w.t, w.person("l31"), "sn", "l31")
	w.find("/Users", `userName eq "l31" and name.familyName pr`).want(200).shows("0", "totalResults")
	w.find("/Users", `userName eq "l31" and not (displayName pr)`).want(200).shows("1", "totalResults")
	w.patch("/Users/"+r.id(), `{"op":"add","path":"displayName","value":"Ada Miller"}`).want(200).shows("null", "name")
	holds(w.t, w.person("l31"), "sn", "Miller")
	w.patch("/Users/"+r.id(), `{"op":"add","path":"name.familyName","value":"Smith"},{"op":"add","path":"name.givenName","value":"Ada"}`).
		want(200).shows(`"Smith"`, "name", "familyName")
	holds(w.t, w.person("l31"), "cn", "Ada Smith")
	full := w.user("l31full", `"name":{"formatted":"Ada Smith","givenName":"Ada","familyName":"Smith"}`)
	full.shows(`{"familyName":"Smith","formatted":"Ada Smith","givenName":"Ada"}`, "name")
}

func ruleL32(w *scimWorld) {
	for _, name := range []string{`l32 a,b+c="d"\e;f<g>`, "#l32", "l32 ünï", "l32*(x)"} {
		r := w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":%q}`, userURN, name)).want(201)
		w.find("/Users", fmt.Sprintf("userName eq %q", name)).want(200).shows(`"`+r.id()+`"`, "Resources", 0, "id")
		w.patch("/Users/"+r.id(), `{"op":"replace","path":"title","value":"x"}`).want(200)
		w.do("DELETE", "/Users/"+r.id(), "").want(204)
	}
	w.find("/Users", `userName sw "l32*"`).want(200).shows("0", "totalResults")
	for _, name := range []string{"  ", "a\nb", strings.Repeat("x", 300), "uid=x,dc=y"} {
		w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":%q}`, userURN, name)).refused(400, "invalidValue")
	}
}

func ruleL33(w *scimWorld) {
	r := w.user("l33", `"title":"A","password":"first secret!","emails":[{"value":"a@x.example","type":"work","primary":true}]`)
	w.modify(w.dnOf("l33"), func(m *ldap.ModifyRequest) {
		m.Add("objectClass", []string{"extensibleObject"})
		m.Add("carLicense", []string{"B-XY 1"})
		m.Add("host", []string{"h1"})
	})
	w.do("PUT", "/Users/"+r.id(), fmt.Sprintf(`{"schemas":[%q],"userName":"l33","displayName":"L","groups":[],"id":"x"}`, userURN)).
		want(200).shows("null", "title").shows("null", "emails").shows("true", "active")
	e := w.person("l33")
	holds(w.t, e, "carLicense", "B-XY 1")
	holds(w.t, e, "host", "h1")
	holds(w.t, e, "title")
	holds(w.t, e, "mail")
	if !w.mayBind("l33", "first secret!") {
		w.t.Error("PUT took the password away")
	}
}

func ruleL34(w *scimWorld) {
	r := w.user("l34", `"title":"A"`)
	before := w.person("l34").GetAttributeValue("entryCSN")
	w.patch("/Users/"+r.id(), `{"op":"replace","path":"title","value":"A"}`).want(200)
	w.do("PUT", "/Users/"+r.id(), r.text).want(200)
	if after := w.person("l34").GetAttributeValue("entryCSN"); after != before {
		w.t.Errorf("a change of nothing was written: %s became %s", before, after)
	}
	w.modify(w.dnOf("l34"), func(m *ldap.ModifyRequest) { m.Add("mail", []string{"new@x.example"}) })
	w.patch("/Users/"+r.id(), `{"op":"replace","path":"title","value":"B"}`).want(200)
	holds(w.t, w.person("l34"), "mail", "new@x.example")
}

func ruleL35(w *scimWorld) {
	r := w.user("l35", `"password":"first secret!"`)
	if strings.Contains(r.text, "secret") || !w.mayBind("l35", "first secret!") {
		w.t.Fatal("the password is shown, or not set")
	}
	w.patch("/Users/"+r.id(), `{"op":"replace","value":{"password":"second secret!"}}`).want(200)
	if w.mayBind("l35", "first secret!") || !w.mayBind("l35", "second secret!") {
		w.t.Fatal("the password was not changed")
	}
	if hash := w.person("l35").GetAttributeValue("userPassword"); !strings.HasPrefix(hash, "{") {
		w.t.Error("the server did not hash the password")
	}
	if strings.Contains(w.log.String(), "secret!") {
		w.t.Error("a password is in the log")
	}
	w.find("/Users", `password eq "x"`).refused(403, "sensitive")
}

func ruleL36(w *scimWorld) {
	r := w.user("l36", `"password":"first secret!"`)
	w.patch("/Users/"+r.id(), `{"op":"Replace","path":"active","value":"False"}`).want(200).shows("false", "active")
	if w.mayBind("l36", "first secret!") {
		w.t.Error("a disabled user can bind")
	}
	w.find("/Users", `userName eq "l36" and active eq false`).want(200).shows("1", "totalResults")
	w.patch("/Users/"+r.id(), `{"op":"replace","value":{"active":true}}`).want(200).shows("true", "active")
	if !w.mayBind("l36", "first secret!") {
		w.t.Error("an enabled user cannot bind")
	}
	holds(w.t, w.person("l36"), "pwdAccountLockedTime")
	w.user("l36off", `"active":false,"password":"first secret!"`).shows("false", "active")
	if w.mayBind("l36off", "first secret!") {
		w.t.Error("a user that was made disabled can bind")
	}
}

func ruleL37(w *scimWorld) {
	w.user("l37", "")
	holds(w.t, w.person("l37"), "uidNumber")
}

func ruleL38(w *scimWorld) {
	id := w.user("l38", "").id()
	for _, name := range []string{"l38", "L38", " l38 "} {
		w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":%q}`, userURN, name)).refused(409, "uniqueness")
	}
	w.group("l38")
	w.do("POST", "/Groups", fmt.Sprintf(`{"schemas":[%q],"displayName":"L38"}`, groupURN)).refused(409, "uniqueness")
	var wait sync.WaitGroup
	made := make([]int, 8)
	for i := range made {
		wait.Go(func() {
			made[i] = w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"L38race"}`, userURN)).status
		})
	}
	wait.Wait()
	count := map[int]int{}
	for _, status := range made {
		count[status]++
	}
	if count[201] != 1 || count[409] != 7 {
		w.t.Errorf("eight at once: %v", count)
	}
	w.do("DELETE", "/Users/"+id, "").want(204)
	w.user("l38", "")
}

func ruleL39(w *scimWorld) {
	boss := w.user("l39boss", "").id()
	ada := w.user("l39", fmt.Sprintf(`%q:{"manager":{"value":%q}}`, enterpriseURN, boss))
	ada.shows(`"`+boss+`"`, enterpriseURN, "manager", "value")
	g := w.group("l39", boss, ada.id()).id()
	holds(w.t, w.person("l39"), "manager", w.dnOf("l39boss"))
	w.do("DELETE", "/Users/"+boss, "").want(204)
	holds(w.t, w.person("l39"), "manager")
	holds(w.t, w.entry(w.groupDN("l39")), "member", w.dnOf("l39"))
	w.do("GET", "/Groups/"+g, "").want(200).shows("null", "members", 1)
	w.do("GET", "/Users/"+ada.id(), "").want(200).shows("null", enterpriseURN)
	w.do("DELETE", "/Users/"+boss, "").refused(404, "")
}

func ruleL40(w *scimWorld) {
	ada, ben := w.user("l40a", "").id(), w.user("l40b", "").id()
	g := w.group("l40", ada).id()
	hidden := "cn=robot,ou=machines," + w.ldap.BaseDN
	w.modify(w.groupDN("l40"), func(m *ldap.ModifyRequest) { m.Add("member", []string{hidden}) })
	eventually(w.t, 5*time.Second, "the change", func() bool { return w.do("GET", "/Groups/"+g, "").want(200).at("members", 0) != nil })
	w.do("GET", "/Groups/"+g, "").want(200).shows("null", "members", 1)
	w.do("PUT", "/Groups/"+g, fmt.Sprintf(`{"schemas":[%q],"displayName":"l40","members":[{"value":%q}]}`, groupURN, ben)).
		want(200).shows(`"`+ben+`"`, "members", 0, "value").shows(`"User"`, "members", 0, "type")
	holds(w.t, w.entry(w.groupDN("l40")), "member", hidden, w.dnOf("l40b"))
	for _, style := range []string{
		"dn: cn=l40names,ou=groups,%s\nobjectClass: posixGroup\ncn: l40names\ngidNumber: 4040\nmemberUid: l40a\n",
		"dn: cn=l40unique,ou=groups,%s\nobjectClass: groupOfUniqueNames\ncn: l40unique\nuniqueMember: uid=l40a,ou=people,%[1]s\n",
	} {
		if err := w.ldap.Add(fmt.Sprintf(style, w.ldap.BaseDN)); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, name := range []string{"l40names", "l40unique"} {
		var found *reply
		eventually(w.t, 5*time.Second, "the group", func() bool {
			found = w.find("/Groups", `displayName eq "`+name+`"`).want(200)
			return found.at("Resources", 0) != nil
		})
		id, _ := found.shows(`"`+ada+`"`, "Resources", 0, "members", 0, "value").at("Resources", 0, "id").(string)
		w.patch("/Groups/"+id, `{"op":"add","path":"members","value":[{"value":"`+ben+`"}]},{"op":"remove","path":"members[value eq \"`+ada+`\"]"}`).want(204)
		w.do("GET", "/Groups/"+id, "").want(200).shows(`"`+ben+`"`, "members", 0, "value").shows("null", "members", 1)
	}
	holds(w.t, w.entry(w.groupDN("l40names")), "memberUid", "l40b")
	holds(w.t, w.entry(w.groupDN("l40unique")), "uniqueMember", w.dnOf("l40b"))
}

func ruleL41(w *scimWorld) {
	ada := w.user("l41", "").id()
	g := w.group("l41", ada).id()
	add := `{"op":"add","path":"members","value":[{"value":"` + ada + `"}]}`
	before := w.do("GET", "/Groups/"+g, "").want(200).header.Get("ETag")
	w.patch("/Groups/"+g, add).want(204)
	if after := w.do("GET", "/Groups/"+g, "").want(200).header.Get("ETag"); after != before {
		w.t.Errorf("adding who is in changed the version from %s to %s", before, after)
	}
	var ldif, values strings.Builder
	for i := range 2300 {
		fmt.Fprintf(&ldif, "dn: uid=l41-%d,ou=people,%s\nobjectClass: inetOrgPerson\nuid: l41-%[1]d\ncn: x\nsn: x\ntitle: L41\n\n", i, w.ldap.BaseDN)
	}
	if err := w.ldap.Add(ldif.String()); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, 30*time.Second, "all people are known", func() bool {
		return fmt.Sprint(w.do("GET", "/Users?count=0&filter=title%20eq%20%22L41%22", "").at("totalResults")) == "2300"
	})
	for start := 1; start < 2300; start += 1000 {
		list, _ := w.do("GET", fmt.Sprintf("/Users?attributes=id&count=1000&startIndex=%d&filter=title%%20eq%%20%%22L41%%22", start), "").want(200).at("Resources").([]any)
		for _, u := range list {
			fmt.Fprintf(&values, `,{"value":%q}`, dig(u, "id"))
		}
	}
	w.patch("/Groups/"+g, `{"op":"add","path":"members","value":[`+values.String()[1:]+`]}`).want(204)
	if n := len(w.entry(w.groupDN("l41")).GetAttributeValues("member")); n != 2301 {
		w.t.Errorf("%d members in the directory", n)
	}
	w.patch("/Groups/"+g, `{"op":"remove","path":"members","value":[`+values.String()[1:]+`]}`).want(204)
	holds(w.t, w.entry(w.groupDN("l41")), "member", w.dnOf("l41"))
}

func ruleL42(w *scimWorld) {
	ada := w.user("l42", "").id()
	g := w.group("l42")
	g.shows("null", "members")
	holds(w.t, w.entry(w.groupDN("l42")), "member", "")
	path := "/Groups/" + g.id()
	w.patch(path, `{"op":"add","path":"members","value":[{"value":"`+ada+`"}]}`).want(204)
	holds(w.t, w.entry(w.groupDN("l42")), "member", w.dnOf("l42"))
	w.patch(path, `{"op":"remove","path":"members[value eq \"`+ada+`\"]"}`).want(204)
	w.do("GET", path, "").want(200).shows("null", "members")
	holds(w.t, w.entry(w.groupDN("l42")), "member", "")
	w.find("/Groups", `displayName eq "l42" and members pr`).want(200).shows("0", "totalResults")
}

func ruleL44(w *scimWorld) {
	ada := w.user("l44", "")
	g := w.group("l44").id()
	w.patch("/Users/"+ada.id(), `{"op":"add","path":"groups","value":[{"value":"`+g+`"}]}`).refused(400, "mutability")
	w.do("PUT", "/Users/"+ada.id(), fmt.Sprintf(`{"schemas":[%q],"userName":"l44","groups":[{"value":%q}]}`, userURN, g)).want(200).shows("null", "groups")
	holds(w.t, w.entry(w.groupDN("l44")), "member", "")
}

func ruleL45(w *scimWorld) {
	ada := w.user("l45", "").id()
	g := w.group("l45", ada).id()
	for _, id := range []string{"00000000-0000-0000-0000-000000000000", "nobody", g} {
		w.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`).refused(400, "invalidValue")
		w.do("PUT", "/Groups/"+g, fmt.Sprintf(`{"schemas":[%q],"displayName":"l45","members":[{"value":%q},{"value":%q}]}`, groupURN, ada, id)).
			refused(400, "invalidValue")
	}
	w.do("POST", "/Groups", fmt.Sprintf(`{"schemas":[%q],"displayName":"l45b","members":[{"value":"nobody"}]}`, groupURN)).refused(400, "invalidValue")
	holds(w.t, w.entry(w.groupDN("l45")), "member", w.dnOf("l45"))
	if w.entry(w.groupDN("l45b")) != nil {
		w.t.Error("a group with an unknown member was made")
	}
	w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"l45x",%q:{"manager":{"value":"nobody"}}}`, userURN, enterpriseURN)).refused(400, "invalidValue")
	w.patch("/Users/"+ada, fmt.Sprintf(`{"op":"add","path":"%s:manager","value":"00000000-0000-0000-0000-000000000000"}`, enterpriseURN)).refused(400, "invalidValue")
}

func ruleL50(w *scimWorld) {
	boss := w.user("l50", `"password":"first secret!"`).id()
	w.user("l50b", fmt.Sprintf(`%q:{"manager":{"value":%q}}`, enterpriseURN, boss))
	g := w.group("l50", boss).id()
	w.patch("/Users/"+boss, `{"op":"replace","path":"userName","value":"L50.new"},{"op":"add","path":"title","value":"T"}`).want(200).
		shows(`"`+boss+`"`, "id").shows(`"L50.new"`, "userName").shows(`"`+g+`"`, "groups", 0, "value")
	holds(w.t, w.person("L50.new"), "title", "T")
	holds(w.t, w.entry(w.groupDN("l50")), "member", w.dnOf("L50.new"))
	holds(w.t, w.person("l50b"), "manager", w.dnOf("L50.new"))
	if !w.mayBind("L50.new", "first secret!") {
		w.t.Error("the password is gone")
	}
	w.patch("/Groups/"+g, `{"op":"replace","value":{"id":"`+g+`","displayName":"L50 EU"}}`).want(204)
	w.do("GET", "/Groups/"+g, "").want(200).shows(`"`+boss+`"`, "members", 0, "value")
}

func ruleL52(w *scimWorld) {
	id := w.user("l52", `"title":"A"`).id()
	w.patch("/Users/"+id, `{"op":"replace","path":"userName","value":"l52new"},{"op":"add","path":"x509Certificates","value":[{"value":"AAAA"}]}`).
		refused(400, "invalidValue")
	w.do("GET", "/Users/"+id, "").want(200).shows(`"l52"`, "userName").shows("null", "x509Certificates")
	if w.person("l52") == nil || w.person("l52new") != nil {
		w.t.Error("the rename was not taken back")
	}
}

func ruleL53(w *scimWorld) {
	id := w.user("l53", "").id()
	w.user("l53other", "")
	w.patch("/Users/"+id, `{"op":"replace","path":"userName","value":"L53OTHER"}`).refused(409, "uniqueness")
	g := w.group("l53").id()
	w.group("l53other")
	w.patch("/Groups/"+g, `{"op":"replace","path":"displayName","value":"l53other"}`).refused(409, "uniqueness")
}

func ruleL60(w *scimWorld) {
	r := w.user("l60", "")
	seen := map[string]bool{r.header.Get("ETag"): true}
	for i := range 20 {
		r = w.patch("/Users/"+r.id(), fmt.Sprintf(`{"op":"replace","path":"title","value":"T%d"}`, i)).want(200)
		tag := r.header.Get("ETag")
		if seen[tag] || !strings.HasPrefix(tag, `W/"`) {
			w.t.Fatalf("version %s twice, or no weak tag", tag)
		}
		seen[tag] = true
		if got := w.do("GET", "/Users/"+r.id(), "").header.Get("ETag"); got != tag {
			w.t.Fatalf("L-62: the write says %s, GET says %s", tag, got)
		}
	}
	w.do("GET", "/Users/"+r.id(), "", "If-None-Match", r.header.Get("ETag")).want(304)
}

func ruleL61(w *scimWorld) {
	r := w.user("l61", "")
	path, old := "/Users/"+r.id(), r.header.Get("ETag")
	now := w.patch(path, `{"op":"replace","path":"title","value":"A"}`, "If-Match", old).want(200).header.Get("ETag")
	w.patch(path, `{"op":"replace","path":"title","value":"B"}`, "If-Match", old).refused(412, "")
	w.do("DELETE", path, "", "If-Match", old).refused(412, "")
	w.do("PUT", path, fmt.Sprintf(`{"schemas":[%q],"userName":"l61"}`, userURN), "If-None-Match", "*").refused(412, "")
	w.modify(w.dnOf("l61"), func(m *ldap.ModifyRequest) { m.Replace("title", []string{"behind the back"}) })
	w.patch(path, `{"op":"replace","path":"title","value":"C"}`, "If-Match", now).refused(412, "")
	holds(w.t, w.person("l61"), "title", "behind the back")
	g := w.group("l61")
	w.patch("/Groups/"+g.id(), `{"op":"add","path":"members","value":[{"value":"`+r.id()+`"}]}`, "If-Match", `W/"other", W/"another"`).refused(412, "")
	w.patch("/Groups/"+g.id(), `{"op":"add","path":"members","value":[{"value":"`+r.id()+`"}]}`, "If-Match", `W/"other", `+g.header.Get("ETag")).want(204)
	w.do("DELETE", "/Groups/"+g.id(), "", "If-Match", g.header.Get("ETag")).refused(412, "")
	w.do("DELETE", "/Groups/"+g.id(), "", "If-Match", "*").want(204)
}

func ruleL63(w *scimWorld) {
	r := w.user("l63", "")
	g := w.group("l63").id()
	w.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+r.id()+`"}]}`).want(204)
	if tag := w.do("GET", "/Users/"+r.id(), "").want(200).shows(`"`+g+`"`, "groups", 0, "value").header.Get("ETag"); tag != r.header.Get("ETag") {
		w.t.Errorf("a membership changed the version of the user from %s to %s", r.header.Get("ETag"), tag)
	}
}

// TestSC084L22ChangesBehindTheBack: who is asked for by name or id is found before the feed tells of him.
func TestSC084L22ChangesBehindTheBack(t *testing.T) {
	w := startSCIM(t, setup{sync: "poll"})
	err := w.ldap.Add("dn: uid=late," + "ou=people," + w.ldap.BaseDN + "\nobjectClass: inetOrgPerson\nuid: late\ncn: Late\nsn: Late\n")
	if err != nil {
		t.Fatal(err)
	}
	w.find("/Users", `userName eq "LATE"`).want(200).shows("1", "totalResults")
	w.do("GET", "/Users/"+w.person("late").GetAttributeValue("entryUUID"), "").want(200).shows(`"late"`, "userName")
	w.modify(w.dnOf("late"), func(m *ldap.ModifyRequest) { m.Replace("title", []string{"New"}) })
	eventually(t, 10*time.Second, "the change in lists", func() bool {
		return fmt.Sprint(w.find("/Users", `title eq "New"`).at("totalResults")) == "1"
	})
}

// TestL70ReadOnly: nothing is written, and that is what the service says of itself.
func TestL70ReadOnly(t *testing.T) {
	w := startSCIM(t, setup{}, "read_only: true")
	w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"x"}`, userURN)).refused(403, "").shows(`"read-only"`, "detail")
	w.do("GET", "/ServiceProviderConfig", "").want(200).shows(`{"supported":false}`, "patch").shows("false", "bulk", "supported").
		shows(`{"supported":false}`, "changePassword")
	if w.person("x") != nil {
		t.Error("written all the same")
	}
}
