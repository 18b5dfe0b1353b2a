package scim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portico/scim"
	"portico/scim/fault"
	"portico/scim/filter"
	"portico/scim/normal"
	"portico/scim/patch"
	"portico/scim/resource"
	"portico/scim/schema"
)

// many joins n texts that each hold a number.
func many(n int, format string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(parts, ",")
}

// soon runs something that took minutes when its cost was quadratic.
func soon(t *testing.T, what string, run func()) {
	t.Helper()
	start := time.Now()
	run()
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("%s took %s", what, took)
	}
}

func TestSafety2ManyValuesAreCheap(t *testing.T) {
	t.Parallel()
	s := newService(t)
	soon(t, "values without value", func() { s.user("a1", `"addresses":[`+many(50_000, `{"locality":"%d"}`)+`]`) })
	soon(t, "one value of many types", func() { s.user("a2", `"emails":[`+many(50_000, `{"value":"x","type":"%d"}`)+`]`) })
	id := s.user("a3", `"emails":[`+many(50_000, `{"value":"%d"}`)+`]`)
	soon(t, "a thousand additions", func() {
		s.patch("/Users/"+id, many(1000, `{"op":"add","path":"emails","value":[{"value":"n%d"}]}`)).want(200).has("emails.0.value", "0")
	})
	soon(t, "a thousand filters", func() {
		s.patch("/Users/"+id, many(1000, `{"op":"remove","path":"emails[value eq \"%d\"]"}`)).refused(413, "")
	})
	soon(t, "many values listed by their type", func() {
		s.patch("/Users/"+id, `{"op":"remove","path":"emails","value":[`+many(50_000, `{"type":"%d"}`)+`]}`).refused(413, "")
	})
	if list := s.do("GET", "/Users/"+id, "").body["emails"].([]any); len(list) != 51_000 {
		t.Errorf("%d values", len(list))
	}
}

// applyTo applies the operations of a PATCH request to attributes.
func applyTo(t *schema.Type, current resource.Object, operations string) (resource.Object, bool, error) {
	body, err := resource.DecodeObject([]byte(`{` + patchURN + `,"Operations":[` + operations + `]}`))
	if err != nil {
		return nil, false, err
	}
	patched, err := normal.Patch(body, t, normal.Lenient, filter.DefaultLimits())
	if err != nil {
		return nil, false, err
	}
	return patch.Apply(t, current, patched.Operations, patch.Options{})
}

func TestG26MembersAmongOtherChanges(t *testing.T) {
	t.Parallel()
	_, group := types(t)
	var list []any
	for i := range 100_000 {
		list = append(list, resource.Object{"value": fmt.Sprint(i), "type": "User"})
	}
	current := resource.Object{"displayName": "g", "members": list}
	soon(t, "additions and removals in turn", func() {
		next, changed, err := applyTo(group, current, `{"op":"add","path":"externalId","value":"x"},`+
			many(450, `{"op":"remove","path":"members[value eq \"%[1]d\"]"},{"op":"add","path":"members","value":[{"value":"n%[1]d"}]}`))
		if err != nil || !changed {
			t.Fatal(err)
		}
		got := next["members"].([]any)
		if first, last := got[0].(resource.Object)["value"], got[99_999].(resource.Object)["value"]; len(got) != 100_000 || first != "450" || last != "n449" {
			t.Errorf("%d members, from %v to %v", len(got), first, last)
		}
	})
	if len(current["members"].([]any)) != 100_000 || current["members"].([]any)[0] == nil {
		t.Error("what was handed in has changed")
	}
}

func TestSC055BulkIsNotQuadratic(t *testing.T) {
	t.Parallel()
	s := newService(t)
	soon(t, "one reference very often in one text", func() {
		s.bulk(`{"method":"POST","path":"/Users","bulkId":"u","data":{`+userURN+`,"userName":"uu"}},{"method":"POST","path":"/Users","bulkId":"v","data":{`+
			userURN+`,"userName":"uv","title":"`+strings.Repeat(`\"bulkId:u\" `, 200_000)+`"}}`).has("Operations.1.status", "201")
	})
	soon(t, "a long chain and many references to nothing", func() {
		chain := many(500, `{"method":"POST","path":"/Users","bulkId":"c%[1]d","data":{`+userURN+`,"userName":"c%[1]d","title":"\"bulkId:c%[1]d-\""}}`)
		s.bulk(chain+`,{"method":"POST","path":"/Groups","bulkId":"g","data":{`+groupURN+`,"displayName":"g","members":[{"value":"bulkId:c0"},`+
			many(200_000, `{"value":"bulkId:z%d"}`)+`]}}`).has("Operations.0.status", "409")
	})
}

func TestSC055BulkVersionAndWhatIsLeftOver(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	s.bulk(`{"method":"DELETE","path":"/Users/`+id+`","version":5}`).has("Operations.0.status", "400")
	s.bulk(`{"method":"DELETE","path":"/Users/`+id+`","version":""}`).has("Operations.0.status", "400")
	s.do("GET", "/Users/"+id, "").want(200)
	// A is made without B; then the request stops before B is made.
	a := s.bulk(`{"method":"POST","path":"/Users","bulkId":"x","data":{`+userURN+`,"userName":"ADA"}},
		{"method":"POST","path":"/Groups","bulkId":"a","data":{`+groupURN+`,"displayName":"A","members":[{"value":"bulkId:b"}]}},
		{"method":"POST","path":"/Groups","bulkId":"b","data":{`+groupURN+`,"displayName":"A","members":[{"value":"bulkId:a"}]}},
		{"method":"POST","path":"/Groups","bulkId":"c","data":{`+groupURN+`,"displayName":"C"}}`, `"failOnErrors":3,`).want(200)
	a.has("Operations.0.status", "409", "Operations.1.status", "409", "Operations.2.status", "409", "Operations.3.status", "201")
}

func TestSC051NothingIsClearedByAccident(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"name":{"givenName":"A"},"emails":[{"value":"a@x"},{"value":"b@x"}]`)
	tag := s.do("GET", "/Users/"+id, "").header.Get("ETag")
	for _, nothing := range []string{
		`{"op":"add","path":"name","value":{}}`, `{"op":"replace","path":"name","value":{}}`, `{"op":"replace","value":{"name":{}}}`,
		`{"op":"remove","path":"emails","value":""}`, `{"op":"remove","path":"emails.value","value":"c@x"}`, `{"op":"remove","path":"emails","value":[""]}`,
	} {
		if a := s.patch("/Users/"+id, nothing).want(200).has("name.givenName", "A", "emails.1.value", "b@x"); a.header.Get("ETag") != tag {
			t.Errorf("%s: changed something", nothing)
		}
	}
	s.patch("/Users/"+id, `{"op":"remove","path":"emails.value","value":"a@x"}`).has("emails.0.value", "b@x", "emails.1", nil)
}

func TestSC016WhatIsSetForGoodStays(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", `"`+badgeURN+`":{"serial":"S","number":1}`)
	s.patch("/Users/"+id, `{"op":"remove","path":"`+badgeURN+`"}`).refused(400, fault.Mutability)
	s.patch("/Users/"+id, `{"op":"replace","value":{"`+badgeURN+`":null}}`).refused(400, fault.Mutability)
	s.patch("/Users/"+id, `{"op":"remove","path":"`+badgeURN+`:number"}`).want(200)
}

func TestSC050TheSameAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	boss := s.user("boss", `"displayName":"Boss"`)
	id := s.user("ada", `"`+entURN+`":{"manager":{"value":"`+boss+`"}}`)
	g := s.group("ops", id)
	tag := s.do("GET", "/Groups/"+g, "").header.Get("ETag")
	for _, a := range []*answer{
		s.do("PUT", "/Groups/"+g, `{`+groupURN+`,"displayName":"ops","members":[{"value":"`+id+`"}]}`),
		s.patch("/Groups/"+g, `{"op":"replace","path":"members","value":[{"value":"`+id+`"}]},{"op":"remove","path":"externalId"}`),
	} {
		if a.header.Get("ETag") != tag {
			t.Error(a.status, a.header)
		}
	}
	tag = s.do("GET", "/Users/"+id, "").header.Get("ETag")
	a := s.do("PUT", "/Users/"+id, `{`+userURN+`,"userName":"ada","active":true,"`+entURN+`":{"manager":{"value":"`+boss+`"}}}`).has("|.manager.displayName", "Boss")
	if a.header.Get("ETag") != tag {
		t.Error("a PUT of the same is a new version")
	}
}

func TestE05NamesInOtherForms(t *testing.T) {
	t.Parallel()
	s := newService(t)
	const core = "urn:ietf:params:scim:schemas:core:2.0:User"
	s.do("POST", "/Users", `{`+userURN+`,"userName":"ada","`+core+`:userName":"eve"}`).refused(400, fault.InvalidSyntax)
	id := s.do("POST", "/Users", `{`+userURN+`,"USERNAME":"ada","title":"a","tİtle":"b","nicKName":"c"}`).want(201).has("title", "a", "nickName", nil).id()
	s.patch("/Users/"+id, `{"op":"replace","path":"`+strings.ToUpper(core)+`:NAME.GIVENNAME","value":"A"},
		{"op":"replace","path":"`+strings.ToLower(entURN)+`:Department","value":"R"},{"op":"add","path":"EMAILS[TYPE EQ \"work\"].VALUE","value":"a@x"}`).
		want(200).has("name.givenName", "A", "|.department", "R", "emails.0.value", "a@x")
	for _, unknown := range []string{"tİtle", "nope", "urn:nope:title", entURN + ":title", core + ":department", "name.title", entURN + ":", ":title", "title."} {
		s.patch("/Users/"+id, fmt.Sprintf(`{"op":"add","path":%q,"value":"x"}`, unknown)).refused(400, fault.InvalidPath)
		s.query("/Users", "filter", unknown+" pr").refused(400, fault.InvalidFilter)
	}
}

func TestSC039FractionsOfStoredTimes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.user("ada", `"`+badgeURN+`":{"issued":"2026-02-01T00:00:00.123456Z"}`)
	s.query("/Users", "filter", badgeURN+`:issued eq "2026-02-01T01:00:00.123456+01:00"`).has("totalResults", "1")
	s.query("/Users", "filter", badgeURN+`:issued gt "2026-02-01T00:00:00.123455Z"`).has("totalResults", "1")
}

func TestSafety8ImpossibleIDs(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.memory.fail = errors.New("the handler was asked")
	for _, id := range []string{"%00", "%ff", "a%0ab", strings.Repeat("x", 600)} {
		s.do("GET", "/Users/"+id, "").refused(404, "")
		s.do("DELETE", "/Users/"+id, "").refused(404, "")
		s.patch("/Users/"+id, `{"op":"remove","path":"title"}`).refused(404, "")
		s.bulk(`{"method":"DELETE","path":"/Users/`+id+`"}`).has("Operations.0.status", "404")
	}
}

func TestF09CompressedBodiesAreRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.do("POST", "/Users", `{`+userURN+`,"userName":"a"}`, "Content-Encoding: gzip").refused(415, "")
	s.do("POST", "/Users", `{`+userURN+`,"userName":"a"}`, "Content-Encoding: identity").want(201)
}

// torn lists resources of which a late one cannot be shown.
type torn struct{ *handler }

func (h torn) List(context.Context, *scim.Call, *scim.Query) (*scim.Page, error) {
	good := &resource.Resource{Type: h.t, ID: "1", Data: resource.Object{"userName": strings.Repeat("x", 100_000)}}
	return &scim.Page{Resources: []*resource.Resource{good, good, nil}, Total: 3}, nil
}

func TestSafety3AListThatBreaksIsCutOff(t *testing.T) {
	t.Parallel()
	s := newService(t)
	user, _ := types(t)
	made, err := scim.New(scim.Config{BaseURL: base}, scim.Deps{
		Auth: s, Log: newLog(s), Now: s.now, CursorKey: make([]byte, 32), Resources: []scim.Resources{{Type: user, Handler: torn{s.memory.of(user)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if broken := recover(); broken != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
			t.Errorf("%v: an error body behind half a list looks like a whole answer", broken)
		}
	}()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/scim/v2/Users", nil)
	r.Header.Set("Authorization", "Bearer full")
	made.ServeHTTP(httptest.NewRecorder(), r)
}

func TestAuditKnowsOfRefusedWrites(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	s.events = nil
	s.patch("/Users/"+id, `{"op":"replace","path":"id","value":"x"}`).refused(400, fault.Mutability)
	s.do("PUT", "/Users/"+id, `{`+userURN+`}`).refused(400, fault.InvalidValue)
	s.token = "nopassword"
	s.patch("/Users/"+id, `{"op":"replace","path":"password","value":"x"}`).refused(403, "")
	got := ""
	for _, e := range s.events {
		got += fmt.Sprintf("%s %s %d|", e.Verb, e.Type, e.Status)
	}
	if got != "patch User 400|replace User 400|patch User 403|" {
		t.Error(got)
	}
}
