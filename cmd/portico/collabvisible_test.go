package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"portico/adapter"
	"portico/adapter/collaboration"
)

// TestCollaborationsAsGroups: the action API and the lists that SCIM asks see
// collaborations and their groups, beside those of the directory.
func TestCollaborationsAsGroups(t *testing.T) {
	o := openOffice(t, `, collaboration: {visible_as_groups: true}`)
	l := &lab{office: o}
	if _, err := o.app.collabs.PutOrg(t.Context(), collaboration.Org{ShortName: "acme", Name: "Acme"}, nil); err != nil {
		t.Fatal(err)
	}
	_, key, err := o.app.adapter.CreateKey(t.Context(), adapter.KeyRequest{API: "collaboration", Org: "acme", Label: "test"})
	if err != nil {
		t.Fatal(err)
	}
	l.orgKey = key
	before := fmt.Sprint(o.ok("getgroups")["groups"])
	co := l.create(`,"administrator":"` + l.uid("jdoe") + `"`)
	text := l.must(201, "POST", "/api/groups/v1", `{"collaboration_identifier":"`+co+`","name":"Ops","short_name":"ops","auto_provision_members":true}`)
	var made struct{ Identifier string }
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	groups := fmt.Sprint(o.ok("getgroups")["groups"])
	for _, want := range []string{"name:acme:solar]", "name:acme:solar:ops]", "name:Sales"} {
		if !strings.Contains(groups, want) {
			t.Errorf("%s is not in %s (before: %s)", want, groups, before)
		}
	}
	found := o.ok("groupsearch", "search", "acme:SOLAR")["result"].([]any)
	if len(found) != 2 {
		t.Fatalf("found %v", found)
	}
	gid := fmt.Sprint(found[0].(map[string]any)["id"])
	if users := fmt.Sprint(o.ok("getusersbygroup", "gid", gid, "get", "username")["users"]); !strings.Contains(strings.ToLower(users), "jdoe") {
		t.Errorf("users of %s: %s", gid, users)
	}
	if of := fmt.Sprint(o.ok("getgroupsbyuser", "username", "jdoe")["groups"]); !strings.Contains(of, "acme:solar:ops") || !strings.Contains(of, "Sales") {
		t.Errorf("groups of jdoe: %s", of)
	}
	if again := fmt.Sprint(o.ok("groupsearch", "search", "acme:SOLAR")["result"].([]any)[0].(map[string]any)["id"]); again != gid {
		t.Errorf("gid %s, then %s", gid, again)
	}
	l.pages(made.Identifier)

	l.must(204, "DELETE", "/api/collaborations/v1/"+co, "")
	if groups := fmt.Sprint(o.ok("getgroups")["groups"]); groups != before {
		t.Errorf("after deletion: %s, before: %s", groups, before)
	}
}

// pages asks the adapter for lists, as SCIM does.
func (l *lab) pages(ops string) {
	t, a := l.t, l.app.adapter
	t.Helper()
	ctx := t.Context()
	var names []string
	q := adapter.ListQuery{Kind: adapter.KindGroup, Limit: 1, Total: true, SortBy: "name"}
	for {
		page, err := a.Entries(ctx, q)
		if err != nil || page.Total != 4 || len(page.Entries) != 1 {
			t.Fatalf("%+v %v", page, err)
		}
		names = append(names, page.Entries[0].Name)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	want := []string{"Sales", "Support", "acme:solar", "acme:solar:ops"}
	if !slices.Equal(names, want) {
		t.Errorf("by cursor: %v", names)
	}
	names = nil
	for offset := range 5 {
		page, err := a.Entries(ctx, adapter.ListQuery{Kind: adapter.KindGroup, Limit: 1, Offset: offset, SortBy: "name", Total: true})
		if err != nil || page.Total != 4 {
			t.Fatal(page.Total, err)
		}
		for _, e := range page.Entries {
			names = append(names, e.Name)
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("by offset: %v", names)
	}
	id := adapter.ID{Directory: adapter.LocalDirectory, Stable: ops}
	e, err := a.GroupEntry(ctx, id)
	if err != nil || e.Attributes.First(adapter.AttrURN) != "acme:solar:ops" {
		t.Errorf("%+v %v", e, err)
	}
	n, err := a.CountMembers(ctx, id)
	if err != nil || n != 1 {
		t.Error(n, err)
	}
	page, err := a.Entries(ctx, adapter.ListQuery{Kind: adapter.KindGroup, Where: &adapter.Predicate{
		Node: adapter.NodeCompare, Attribute: "name", Op: adapter.OpEqual, Value: "ACME:solar",
	}})
	if err != nil || len(page.Entries) != 1 {
		t.Errorf("%+v %v", page, err)
	}
	err = a.DeleteGroup(ctx, adapter.GroupByID(id), "", adapter.By{Actor: "test"})
	if adapter.KindOf(err) != adapter.Denied {
		t.Errorf("deleted: %v", err)
	}
}
