package scim_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"portico/scim/fault"
	"portico/scim/resource"
)

func TestSC047PatchEnvelope(t *testing.T) {
	t.Parallel()
	s := newService(t)
	path := "/Users/" + s.user("ada", "")
	for _, bad := range []string{
		`{}`, `{` + patchURN + `}`, `{` + patchURN + `,"Operations":[]}`, `{` + patchURN + `,"Operations":{}}`, `{` + patchURN + `,"Operations":["x"]}`,
		`{"schemas":["urn:other"],"Operations":[{"op":"remove","path":"title"}]}`, `{` + patchURN + `,"Operations":[{"op":"move","path":"title"}]}`,
		`{` + patchURN + `,"Operations":[{"path":"title"}]}`, `{"Operations":[{"op":"remove","path":"title"}]}`,
	} {
		s.do("PATCH", path, bad).refused(400, fault.InvalidSyntax)
	}
	s.do("PATCH", path, `{"schemas":["urn:x","URN:ietf:params:scim:api:messages:2.0:PatchOp"],"operations":[{"OP":"ADD","Path":"TITLE","Value":"x"}]}`).
		want(200).has("title", "x")
	s.patch(path, `{"op":"add","path":"title"}`).refused(400, fault.InvalidValue)
	s.patch(path, `{"op":"add","path":7,"value":"x"}`).refused(400, fault.InvalidPath)
	s.patch(path, strings.Repeat(`{"op":"remove","path":"title"},`, 1000)+`{"op":"remove","path":"title"}`).refused(413, "")
	s.patch(path, strings.Repeat(`{"op":"remove","path":"title"},`, 999)+`{"op":"remove","path":"title"}`).want(200)
}

func TestSC048PatchIsAtomic(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"title":"x"`)
	tag := s.do("GET", "/Users/"+id, "").header.Get("ETag")
	s.patch("/Users/"+id, `{"op":"replace","path":"title","value":"y"},{"op":"remove","path":"userName"}`).refused(400, fault.Mutability)
	s.patch("/Users/"+id, `{"op":"replace","path":"title","value":"y"},{"op":"replace","path":"emails[type eq \"work\"]","value":{"value":"q"}}`).refused(400, fault.NoTarget)
	if a := s.do("GET", "/Users/"+id, "").has("title", "x"); a.header.Get("ETag") != tag {
		t.Error("the version changed")
	}
}

func TestSC049AnswersOfPatch(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ada := s.user("ada", "")
	s.patch("/Users/"+ada, `{"op":"add","path":"title","value":"x"}`).want(200)
	g := s.group("ops", ada)
	a := s.patch("/Groups/"+g, `{"op":"replace","path":"displayName","value":"Ops EU"}`).want(204)
	if a.text != "" || a.header.Get("ETag") == "" {
		t.Error(a.header)
	}
	s.patch("/Groups/"+g+"?attributes=displayName", `{"op":"add","path":"members","value":[{"value":"`+ada+`"}]}`).want(200).has("displayName", "Ops EU", "members", nil)
	s.patch("/Groups/"+g+"?excludedAttributes=members", `{"op":"add","path":"members","value":[{"value":"`+ada+`"}]}`).want(200).has("displayName", "Ops EU", "members", nil)
}

// TestSC050SC052PatchTargets goes through the table of targets.
func TestSC050SC051SC052PatchTargets(t *testing.T) {
	t.Parallel()
	const start = `"title":"x","name":{"givenName":"A","familyName":"M"},"emails":[{"value":"w@x","type":"work","primary":true},{"value":"h@x","type":"home"}],` +
		`"` + entURN + `":{"department":"R"},"` + badgeURN + `":{"colours":["red"]}`
	for _, c := range []struct {
		operation string
		refused   fault.Type
		has       []any
	}{
		{`{"op":"add","value":{"title":"y","nickName":"n"}}`, "", []any{"title", "y", "nickName", "n"}},
		{`{"op":"add","path":"title","value":"y"}`, "", []any{"title", "y"}},
		{`{"op":"add","path":"name","value":{"givenName":"B"}}`, "", []any{"name.givenName", "B", "name.familyName", "M"}},
		{`{"op":"add","path":"emails","value":[{"value":"n@x","type":"other"}]}`, "", []any{"emails.2.value", "n@x", "emails.0.value", "w@x"}},
		{`{"op":"add","path":"emails","value":{"value":"n@x","type":"other"}}`, "", []any{"emails.2.value", "n@x"}},
		{`{"op":"add","path":"emails","value":[{"value":"W@X","type":"work","display":"d"}]}`, "", []any{"emails.2", nil, "emails.0.value", "w@x"}},
		{`{"op":"add","path":"emails[type eq \"home\"]","value":{"display":"d"}}`, "", []any{"emails.1.value", "h@x"}},
		{`{"op":"add","path":"emails[type eq \"home\"].value","value":"z@x"}`, "", []any{"emails.1.value", "z@x"}},
		{`{"op":"add","path":"emails[type eq \"other\"].value","value":"o@x"}`, "", []any{"emails.2.value", "o@x", "emails.2.type", "other"}},
		{`{"op":"add","path":"emails[type eq \"other\" and primary eq \"true\"].value","value":"o@x"}`, "", []any{"emails.2.primary", true, "emails.0.primary", false}},
		{`{"op":"add","path":"emails[type ne \"other\" and value co \"q\"].value","value":"o@x"}`, fault.NoTarget, nil},
		{`{"op":"add","path":"emails","value":[]}`, "", []any{"emails.1.value", "h@x"}},
		{`{"op":"add","path":"` + badgeURN + `:colours","value":["Red","blue"]}`, "", nil},
		{`{"op":"replace","value":{"title":"y","name":{"givenName":"B"}}}`, "", []any{"title", "y", "name.givenName", "B", "name.familyName", "M"}},
		{`{"op":"replace","path":"nickName","value":"n"}`, "", []any{"nickName", "n"}},
		{`{"op":"replace","path":"name","value":{"givenName":"B"}}`, "", []any{"name.givenName", "B", "name.familyName", "M"}},
		{`{"op":"replace","path":"name.givenName","value":""}`, "", []any{"name.givenName", nil, "name.familyName", "M"}},
		{`{"op":"replace","path":"name","value":{"givenName":"","familyName":null}}`, "", []any{"name", nil}},
		{`{"op":"replace","path":"emails","value":[{"value":"n@x"}]}`, "", []any{"emails.0.value", "n@x", "emails.1", nil}},
		{`{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"z@x"}}`, "", []any{"emails.1.value", "z@x", "emails.1.type", "home", "emails.0.value", "w@x"}},
		{`{"op":"replace","path":"emails[type eq \"home\"].primary","value":true}`, "", []any{"emails.1.primary", true, "emails.0.primary", false}},
		{`{"op":"replace","path":"emails[type eq \"other\"].value","value":"z"}`, fault.NoTarget, nil},
		{`{"op":"replace","path":"title","value":null}`, "", []any{"title", nil}},
		{`{"op":"replace","path":"title","value":""}`, "", []any{"title", nil}},
		{`{"op":"replace","path":"emails","value":[]}`, "", []any{"emails", nil}},
		{`{"op":"replace","path":"userName","value":""}`, fault.InvalidValue, nil},
		{`{"op":"replace","path":"userName","value":null}`, fault.InvalidValue, nil},
		{`{"op":"remove"}`, fault.NoTarget, nil},
		{`{"op":"remove","path":"title"}`, "", []any{"title", nil}},
		{`{"op":"remove","path":"nickName"}`, "", []any{"title", "x"}},
		{`{"op":"remove","path":"userName"}`, fault.Mutability, nil},
		{`{"op":"remove","path":"meta"}`, fault.Mutability, nil},
		{`{"op":"remove","path":"groups"}`, fault.Mutability, nil},
		{`{"op":"remove","path":"name.givenName"}`, "", []any{"name.givenName", nil, "name.familyName", "M"}},
		{`{"op":"remove","path":"emails[type eq \"home\"]"}`, "", []any{"emails.0.value", "w@x", "emails.1", nil}},
		{`{"op":"remove","path":"emails[type eq \"other\"]"}`, "", []any{"emails.1.value", "h@x"}},
		{`{"op":"remove","path":"emails[type eq \"home\"].type"}`, "", []any{"emails.1.value", "h@x", "emails.1.type", nil}},
		{`{"op":"remove","path":"emails[type eq \"home\"].value"}`, "", []any{"emails.1", nil}},
		{`{"op":"remove","path":"emails","value":[{"value":"h@x"}]}`, "", []any{"emails.0.value", "w@x", "emails.1", nil}},
		{`{"op":"remove","path":"emails","value":["h@x"]}`, "", []any{"emails.0.value", "w@x", "emails.1", nil}},
		{`{"op":"remove","path":"emails","value":"h@x"}`, "", []any{"emails.0.value", "w@x", "emails.1", nil}},
		{`{"op":"remove","path":"emails","value":[{"type":"home"}]}`, "", []any{"emails.0.value", "w@x", "emails.1", nil}},
		{`{"op":"remove","path":"emails","value":[]}`, "", []any{"emails.1.value", "h@x"}},
		{`{"op":"remove","path":"emails"}`, "", []any{"emails", nil}},
		{`{"op":"remove","path":"` + entURN + `"}`, "", []any{"|", nil}},
		{`{"op":"replace","path":"` + entURN + `","value":{"department":"S","division":"D"}}`, "", []any{"|.department", "S", "|.division", "D"}},
		{`{"op":"add","value":{"` + entURN + `":{"division":"D"}}}`, "", []any{"|.department", "R", "|.division", "D"}},
		{`{"op":"add","value":{"` + entURN + `:division":"D","name.givenName":"Q"}}`, "", []any{"|.division", "D", "name.givenName", "Q", "name.familyName", "M"}},
		{`{"op":"add","path":"nope","value":"x"}`, fault.InvalidPath, nil},
		{`{"op":"add","path":"name.nope","value":"x"}`, fault.InvalidPath, nil},
		{`{"op":"add","path":"emails[","value":"x"}`, fault.InvalidFilter, nil},
		{`{"op":"add","path":"emails[type eq \"x\"].","value":"x"}`, fault.InvalidPath, nil},
		{`{"op":"add","path":"emails[type eq \"x\"]y","value":"x"}`, fault.InvalidPath, nil},
		{`{"op":"add","path":"emails[nope eq \"x\"]","value":"x"}`, fault.InvalidFilter, nil},
		{`{"op":"add","path":"title[value eq \"x\"]","value":"x"}`, fault.InvalidPath, nil},
		{`{"op":"add","path":"title","value":["x"]}`, fault.InvalidValue, nil},
		{`{"op":"add","path":"title","value":{"x":1}}`, fault.InvalidValue, nil},
		{`{"op":"add","value":"x"}`, fault.InvalidValue, nil},
		{`{"op":"add","value":{"nope":"x","id":"x","meta":{},"schemas":[],"groups":[],"title":"y"}}`, "", []any{"title", "y"}},
	} {
		s := newService(t)
		id := s.user("ada", start)
		a := s.patch("/Users/"+id, c.operation)
		if c.refused != "" {
			a.refused(400, c.refused)
			continue
		}
		if a.status != 200 {
			t.Errorf("%s: %d %s", c.operation, a.status, a.text)
			continue
		}
		a.has(c.has...)
		if again := s.patch("/Users/"+id, c.operation).want(200); again.header.Get("ETag") != a.header.Get("ETag") {
			t.Errorf("%s: the second time changes it again: %s", c.operation, again.text)
		}
	}
}

func TestSC053NewPrimaryClearsTheOld(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"emails":[{"value":"a","type":"work","primary":true}]`)
	s.patch("/Users/"+id, `{"op":"add","path":"emails","value":[{"value":"b","type":"home","primary":true}]}`).
		has("emails.0.primary", false, "emails.1.primary", true)
	s.patch("/Users/"+id, `{"op":"add","path":"emails","value":[{"value":"a","type":"work","primary":true}]}`).
		has("emails.0.primary", true, "emails.1.primary", false, "emails.2", nil)
	s.patch("/Users/"+id, `{"op":"replace","path":"emails.primary","value":true}`).refused(400, fault.InvalidValue)
}

func TestE01ServerAttributesCannotBeSet(t *testing.T) {
	t.Parallel()
	s := newService(t)
	g := s.group("admins")
	more := `"id":"1","meta":{"created":"1999-01-01T00:00:00Z"},"groups":[{"value":"` + g + `"}]`
	id := s.user("ada", more)
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada",`+more+`}`).want(200).has("id", id, "groups", nil, "meta.created", "2026-03-01T08:00:00.123Z")
	for _, path := range []string{"id", "meta.created", "groups", "schemas", "meta"} {
		s.patch("/Users/"+id, fmt.Sprintf(`{"op":"replace","path":%q,"value":"x"}`, path)).refused(400, fault.Mutability)
	}
	s.token = "strict"
	s.patch("/Users/"+id, `{"op":"replace","value":{"title":"x","groups":[]}}`).refused(400, fault.Mutability)
	s.patch("/Users/"+id, `{"op":"replace","value":{"title":"x","nope":"y"}}`).refused(400, fault.InvalidPath)
	s.do("GET", "/Users/"+id, "").has("title", nil)
}

func TestE02NothingHalfDone(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	s.patch("/Users/"+id, `{"op":"add","path":"title","value":"x"},{"op":"add","path":"groups","value":[{"value":"g"}]},{"op":"add","path":"nickName","value":"n"}`).
		refused(400, fault.Mutability)
	s.do("GET", "/Users/"+id, "").has("title", nil, "nickName", nil)
}

func TestE03RemovalOfMembers(t *testing.T) {
	t.Parallel()
	s := newService(t)
	a, b, c := s.user("a", ""), s.user("b", ""), s.user("c", "")
	g := s.group("ops", a, b, c)
	all := a + " " + b + " " + c
	for _, step := range []struct{ operation, want string }{
		{`{"op":"remove","path":"members","value":[]}`, all},
		{`{"op":"remove","path":"members","value":[{"value":"unknown"}]}`, all},
		{`{"op":"remove","path":"members[value eq \"unknown\"]"}`, all},
		{`{"op":"remove","path":"members","value":[{"$ref":null,"value":"` + a + `"}]}`, b + " " + c},
		{`{"op":"remove","path":"members","value":[{"value":"` + a + `"}]}`, b + " " + c},
		{`{"op":"add","path":"members","value":[{"value":"` + a + `"},{"value":"` + b + `"}]}`, b + " " + c + " " + a},
		{`{"op":"remove","path":"members[value eq \"` + b + `\" or value eq \"` + c + `\"]"}`, a},
		{`{"op":"add","path":"members","value":[]}`, a},
		{`{"op":"remove","path":"members"}`, ""},
	} {
		s.patch("/Groups/"+g, step.operation).want(204)
		if got := s.members(g); got != step.want {
			t.Fatalf("%s: %q, want %q", step.operation, got, step.want)
		}
	}
	s.patch("/Groups/"+g, `{"op":"remove","path":"members","value":[{"display":"x"}]}`).refused(400, fault.InvalidValue)
	s.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"display":"x"}]}`).refused(400, fault.InvalidValue)
	s.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"unknown"}]}`).refused(400, fault.InvalidValue)
	s.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+g+`"}]}`).refused(400, fault.InvalidValue)
	s.patch("/Groups/"+g, `{"op":"replace","path":"members[value eq \"`+a+`\"].value","value":"x"}`).refused(400, fault.NoTarget)
}

func TestE04MembersAddedAtOnce(t *testing.T) {
	t.Parallel()
	s := newService(t)
	g := s.group("ops")
	var ids []string
	for i := range 20 {
		ids = append(ids, s.user(fmt.Sprintf("u%d", i), ""))
	}
	var wait sync.WaitGroup
	handler := s.handler
	for _, id := range append(ids, ids...) {
		wait.Go(func() {
			other := &service{tb: t, handler: handler, token: "full"}
			other.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`).want(204)
		})
	}
	wait.Wait()
	if got := len(strings.Fields(s.members(g))); got != 20 {
		t.Errorf("%d members", got)
	}
}

func TestE10BooleansAsText(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	s.patch("/Users/"+id, `{"op":"Replace","path":"active","value":"False"}`).want(200).has("active", false)
	s.patch("/Users/"+id, `{"op":"Replace","path":"active","value":"perhaps"}`).refused(400, fault.InvalidValue)
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada","active":"True"}`).refused(400, fault.InvalidValue)
	s.token = "entra"
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada","active":"True"}`).want(200).has("active", true)
	s.token = "strict"
	s.patch("/Users/"+id, `{"op":"replace","path":"active","value":"False"}`).refused(400, fault.InvalidValue)
	s.do("GET", "/Users/"+id, "").has("active", true)
}

func TestE12NamesInOtherCaseAreTaken(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.user("ada", "")
	id := s.user("bob", "")
	s.do("POST", "/Users", `{`+userURN+`,"userName":"ＡDA"}`).refused(409, fault.Uniqueness) // a wide letter
	s.patch("/Users/"+id, `{"op":"replace","path":"userName","value":"ADA"}`).refused(409, fault.Uniqueness)
	s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"Ada"}`).refused(409, fault.Uniqueness)
}

// TestMembershipNeedsNoGroup: operations on members alone are handed on as ids.
func TestMembershipNeedsNoGroup(t *testing.T) {
	t.Parallel()
	s := newService(t)
	a := s.user("a", "")
	g := s.group("ops")
	s.patch("/Groups/"+g, `{"op":"add","path":"members","value":[{"value":"`+a+`"}]}`).want(204)
	s.patch("/Groups/"+g, `{"op":"remove","path":"members[value eq \"`+a+`\"]"},{"op":"replace","path":"members","value":[]}`).want(204)
	s.patch("/Groups/"+g, `{"op":"add","value":{"members":[{"value":"`+a+`"}]}}`).want(204)
	if s.memory.byMember != 3 {
		t.Errorf("%d writes by id alone", s.memory.byMember)
	}
	s.patch("/Groups/"+g, `{"op":"remove","path":"members[type eq \"User\"]"}`).want(204)
	s.patch("/Groups/"+g, `{"op":"add","value":{"displayName":"x","members":[]}}`).want(204)
	if s.memory.byMember != 3 {
		t.Errorf("%d writes by id alone", s.memory.byMember)
	}
}

func TestAuditNamesWhatWasWritten(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	s.patch("/Users/"+id, `{"op":"add","value":{"title":"secret title","nickName":"n"}}`)
	s.do("DELETE", "/Users/"+id, "")
	s.do("GET", "/Users/"+id, "")
	var got []string
	for _, e := range s.events {
		got = append(got, fmt.Sprintf("%s %s %d %v", e.Verb, e.Type, e.Status, e.Attributes))
		if e.ID != id || e.Principal.Name != "full" {
			t.Error(e)
		}
	}
	want := "create User 201 [userName]|patch User 200 [nickName title]|delete User 204 []|read User 404 []"
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("%s", text)
	}
}

// TestCallersDataIsNotChanged: what a handler handed out stays as it was.
func TestCallersDataIsNotChanged(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"emails":[{"value":"a","type":"work"}],"`+entURN+`":{"department":"R"}`)
	before := resource.CloneObject(s.memory.stored["User"][id].Data)
	s.patch("/Users/"+id, `{"op":"replace","path":"emails[type eq \"work\"].value","value":"b"},{"op":"add","path":"`+entURN+`:department","value":"S"},{"op":"remove","path":"userName"}`).want(400)
	if !resource.Equal(before, s.memory.stored["User"][id].Data) {
		t.Error("a refused PATCH changed the stored attributes")
	}
}
