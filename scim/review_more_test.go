package scim_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"portico/scim"
	"portico/scim/fault"
	"portico/scim/schema"
)

func TestSC005NothingComplexInsideComplex(t *testing.T) {
	t.Parallel()
	_, err := schema.Parse([]byte(`{"id":"urn:x:y","name":"X","attributes":[{"name":"a","type":"complex","subAttributes":[
		{"name":"b","type":"complex","subAttributes":[{"name":"c","type":"string"}]}]}]}`))
	if err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Error(err)
	}
	s := newService(t)
	for _, bad := range []string{`"name":{"givenName":{"x":"y"}}`, `"emails":[{"value":{"value":"x"}}]`, `"emails":[{"value":["x"]}]`, `"emails":[[{"value":"x"}]]`} {
		s.do("POST", "/Users", `{`+userURN+`,"userName":"a",`+bad+`}`).refused(400, fault.InvalidValue)
	}
}

func TestSC011RequiredExtensions(t *testing.T) {
	t.Parallel()
	s := newService(t)
	b, err := schema.LoadBuiltin()
	if err != nil {
		t.Fatal(err)
	}
	needed, err := schema.Parse([]byte(`{"id":"urn:example:site","name":"Site","attributes":[{"name":"code","type":"string","required":true},{"name":"room","type":"string"},
		{"name":"desks","type":"complex","multiValued":true,"subAttributes":[{"name":"number","type":"string","required":true},{"name":"note","type":"string"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	user := schema.NewType("User", "/Users", "", b.User, schema.Extension{Schema: needed, Required: true})
	made, err := scim.New(scim.Config{BaseURL: base}, scim.Deps{
		Auth: s, Log: newLog(s), Now: s.now, CursorKey: bytes.Repeat([]byte{1}, 32), Resources: []scim.Resources{{Type: user, Handler: s.memory.of(user)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = made
	for _, bad := range []string{``, `,"code":"x"`, `,"urn:example:site":{}`, `,"urn:example:site":{"room":"1"}`, `,"urn:example:site":{"code":"x","desks":[{"note":"n"}]}`} {
		s.do("POST", "/Users", `{`+userURN+`,"userName":"a"`+bad+`}`).refused(400, fault.InvalidValue)
	}
	id := s.user("a", `"urn:example:site":{"code":"x","desks":[{"number":"1"}]}`)
	s.patch("/Users/"+id, `{"op":"remove","path":"urn:example:site"}`).refused(400, fault.Mutability)
	s.patch("/Users/"+id, `{"op":"remove","path":"urn:example:site:code"}`).refused(400, fault.Mutability)
	s.patch("/Users/"+id, `{"op":"replace","path":"urn:example:site:code","value":""}`).refused(400, fault.InvalidValue)
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"a"}`).refused(400, fault.InvalidValue)
	if a := s.do("GET", "/Users/"+id, ""); !strings.Contains(a.text, `"urn:example:site":{"code":"x"`) {
		t.Error(a.text)
	}
	s.do("GET", "/ResourceTypes/User", "").has("schemaExtensions.0.required", true)
}

func TestSC031MessagesNameTheirSchema(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	const operations = `"Operations":[{"op":"add","path":"title","value":"x"}]`
	for _, schemas := range []string{``, `"schemas":[],`, `"schemas":null,`, `"schemas":"urn:ietf:params:scim:api:messages:2.0:PatchOp",`, `"schemas":[7],`, userURN + `,`} {
		s.do("PATCH", "/Users/"+id, `{`+schemas+operations+`}`).refused(400, fault.InvalidSyntax)
		s.do("POST", "/Bulk", `{`+schemas+`"Operations":[{"method":"DELETE","path":"/Users/`+id+`"}]}`).refused(400, fault.InvalidSyntax)
		s.do("POST", "/Users/.search", `{`+schemas+`"filter":"id pr"}`).refused(400, fault.InvalidSyntax)
		s.do("POST", "/.search", `{`+schemas+`"filter":"id pr"}`).refused(400, fault.InvalidSyntax)
	}
	s.do("GET", "/Users/"+id, "").has("title", nil)
}

func TestSC034ResourceTypeFollowsTheEndpoint(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do("POST", "/Users", `{`+userURN+`,"userName":"a","meta":{"resourceType":"Group"}}`).want(201).has("meta.resourceType", "User")
	s.do("POST", "/Groups", `{`+groupURN+`,"displayName":"g","meta":{"resourceType":"User"}}`).want(201).has("meta.resourceType", "Group")
	s.do("POST", "/Groups", `{`+userURN+`,"displayName":"h"}`).refused(400, fault.InvalidSyntax)
}

func TestSC037QueriesAreBounded(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.MaxPage, c.PageSize = 3, 2 })
	for i := range 5 {
		s.user(fmt.Sprintf("u%d", i), "")
	}
	s.query("/Users").has("itemsPerPage", "2", "totalResults", "5")
	s.query("/Users", "count", "1000").has("itemsPerPage", "3", "totalResults", "5")
	s.do("POST", "/.search", `{`+searchURN+`,"filter":"id pr","count":1000}`).has("itemsPerPage", "3", "totalResults", "5")
	s.do("POST", "/.search", `{`+searchURN+`}`).refused(400, fault.TooMany)
	s.do("GET", "/ServiceProviderConfig", "").has("filter.maxResults", "3")
	s.memory.fail = fault.Bad(fault.TooMany, "too much to look through")
	s.query("/Users", "filter", `nickName co "x"`).refused(400, fault.TooMany)
}

func TestSC062NamesAndPasswordsArePrepared(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("J\u00fcrgen", `"password":"pa\u00a0ssw\u006f\u0308rd"`)
	if got := s.memory.password[id]; got != "pa ssw\u00f6rd" {
		t.Errorf("%q", got)
	}
	s.patch("/Users/"+id, `{"op":"replace","path":"password","value":"\u0075\u0308"}`).want(200)
	if got := s.memory.password[id]; got != "\u00fc" {
		t.Errorf("%q", got)
	}
	for _, other := range []string{"ju\u0308rgen", "J\u00dcRGEN", "\uff2a\u00fcrgen"} {
		s.query("/Users", "filter", `userName eq "`+other+`"`).has("totalResults", "1", "Resources.0.userName", "J\u00fcrgen")
		s.do("POST", "/Users", `{`+userURN+`,"userName":"`+other+`"}`).refused(409, fault.Uniqueness)
	}
	for _, bad := range []string{`ada\u200b`, `a\u0007`, `a\u202eb`, `\u3000`, `a\ue000`} {
		s.do("POST", "/Users", `{`+userURN+`,"userName":"`+bad+`"}`).refused(400, fault.InvalidValue)
		s.patch("/Users/"+id, `{"op":"replace","path":"userName","value":"`+bad+`"}`).refused(400, fault.InvalidValue)
	}
	if a := s.patch("/Users/"+id, `{"op":"replace","path":"password","value":"se\ncret"}`).refused(400, fault.InvalidValue); strings.Contains(a.text, "cret") {
		t.Error(a.text)
	}
}

func TestG07FiltersAreKept(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.user("ada", `"displayName":"x"`)
	s.group("x")
	for range 2 {
		s.query("/Users", "filter", `displayName eq "x"`).has("totalResults", "1", "Resources.0.userName", "ada")
		s.query("/Groups", "filter", `displayName eq "x"`).has("totalResults", "1", "Resources.0.userName", nil)
		s.query("/Groups", "filter", `userName eq "x"`).refused(400, fault.InvalidFilter)
		s.query("/Users", "filter", `password eq "x"`).refused(403, fault.Sensitive)
		s.do("POST", "/Users/.search", `{`+searchURN+`,"filter":"password eq \"x\""}`).refused(400, fault.InvalidFilter)
	}
	for i := range 1500 {
		s.query("/Users", "filter", fmt.Sprintf(`userName eq "u%d"`, i)).has("totalResults", "0")
	}
	s.query("/Users", "filter", `displayName eq "x"`).has("totalResults", "1")
	s.query("/Users", "filter", `displayName eq "x\u0000"`).refused(400, fault.InvalidFilter)
}

func TestSafety6OnlyListedAttributesAreWritten(t *testing.T) {
	t.Parallel()
	s := newService(t)
	user, _ := types(t)
	narrow := user.Restrict(func(path string) bool { return path == "userName" || path == "title" || path == entURN+":department" })
	made, err := scim.New(scim.Config{BaseURL: base}, scim.Deps{
		Auth: s, Log: newLog(s), Now: s.now, CursorKey: bytes.Repeat([]byte{1}, 32), Resources: []scim.Resources{{Type: narrow, Handler: s.memory.of(narrow)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = made
	id := s.user("ada", `"title":"x","nickName":"n","externalId":"e","`+entURN+`":{"department":"R","costCenter":"7"}`)
	s.do("GET", "/Users/"+id, "").has("title", "x", "nickName", nil, "externalId", nil, "|.department", "R", "|.costCenter", nil)
	for _, path := range []string{"nickName", "emails", `emails[type eq \"work\"].value`, "name.givenName", "externalId", entURN + ":costCenter"} {
		s.patch("/Users/"+id, `{"op":"add","path":"title","value":"y"},{"op":"add","path":"`+path+`","value":"x"}`).refused(400, fault.Mutability)
	}
	s.do("GET", "/Users/"+id, "").has("title", "x")
	if a := s.do("GET", "/Schemas/"+entURN, ""); strings.Count(a.text, `"mutability":"readOnly"`) < 5 {
		t.Error(a.text)
	}
}

func TestSafety6LockedResourcesAreNotWritten(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.user("ada", "")
	g := s.group("admins") // ids are counted: the next service gives the same
	s = newService(t, func(c *scim.Config) { c.Locked = []string{strings.ToUpper(g)} })
	id := s.user("ada", "")
	if other := s.group("admins"); other != g {
		t.Fatal(other)
	}
	s.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`).refused(403, "")
	s.do("PUT", "/Groups/"+g, `{`+groupURN+`,"displayName":"x"}`).refused(403, "")
	s.do("DELETE", "/Groups/"+g, "").refused(403, "")
	s.bulk(`{"method":"DELETE","path":"/Groups/`+g+`"}`).has("Operations.0.status", "403")
	s.do("GET", "/Groups/"+g, "").want(200).has("members", nil)
}
