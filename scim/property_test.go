package scim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/scim/filter"
	"portico/scim/normal"
	"portico/scim/patch"
	"portico/scim/resource"
)

// person draws attributes of a user out of few values, so that filters hit.
func person(t *rapid.T) resource.Object {
	word := rapid.SampledFrom([]string{"a", "B", "ab", "A B", "Ä", "ä"})
	data := resource.Object{"userName": word.Draw(t, "userName")}
	if rapid.Bool().Draw(t, "title?") {
		data["title"] = word.Draw(t, "title")
	}
	if rapid.Bool().Draw(t, "active?") {
		data["active"] = rapid.Bool().Draw(t, "active")
	}
	kind := rapid.SampledFrom([]string{"work", "home", ""})
	var list []any
	seen := map[string]bool{}
	for range rapid.IntRange(0, 3).Draw(t, "emails") {
		element := resource.Object{"value": word.Draw(t, "value")}
		if text := kind.Draw(t, "type"); text != "" {
			element["type"] = text
		}
		key := fmt.Sprint(strings.ToLower(element["value"].(string)), element["type"])
		if !seen[key] {
			list = append(list, element)
		}
		seen[key] = true
	}
	if len(list) > 0 && rapid.Bool().Draw(t, "primary") {
		list[0].(resource.Object)["primary"] = true
	}
	if len(list) > 0 {
		data["emails"] = list
	}
	return data
}

// question is a filter with its meaning, made together.
type meaning struct {
	text  string
	holds func(resource.Object) bool
}

// fold compares letters as the naive evaluator does: by brute force.
func same(a, b string) bool { return strings.EqualFold(a, b) }

// compareText draws a comparison of text and what it means for the values there are.
func compareText(t *rapid.T, path string, values func(resource.Object) []string) meaning {
	literal := rapid.SampledFrom([]string{"a", "b", "AB", "ä", "work", ""}).Draw(t, "literal")
	op := rapid.SampledFrom([]string{"eq", "ne", "co", "sw", "ew", "pr", "null", "notnull"}).Draw(t, "op")
	lower := func(s string) string { return strings.ToLower(s) }
	any := func(f func(string) bool) func(resource.Object) bool {
		return func(o resource.Object) bool { return slices.ContainsFunc(values(o), f) }
	}
	switch op {
	case "pr":
		return meaning{path + " pr", any(func(string) bool { return true })}
	case "null":
		return meaning{path + " eq null", func(o resource.Object) bool { return len(values(o)) == 0 }}
	case "notnull":
		return meaning{path + " ne null", any(func(string) bool { return true })}
	case "ne":
		return meaning{path + ` ne "` + literal + `"`, func(o resource.Object) bool {
			return len(values(o)) == 0 || any(func(v string) bool { return !same(v, literal) })(o)
		}}
	}
	test := map[string]func(v string) bool{
		"eq": func(v string) bool { return same(v, literal) },
		"co": func(v string) bool { return strings.Contains(lower(v), lower(literal)) },
		"sw": func(v string) bool { return strings.HasPrefix(lower(v), lower(literal)) },
		"ew": func(v string) bool { return strings.HasSuffix(lower(v), lower(literal)) },
	}[op]
	return meaning{path + " " + op + ` "` + literal + `"`, any(test)}
}

func textsAt(o resource.Object, name, sub string) []string {
	var found []string
	list, isList := o[name].([]any)
	if !isList {
		list = []any{o[name]}
	}
	for _, element := range list {
		if object, ok := element.(resource.Object); ok {
			element = object[sub]
		}
		if text, ok := element.(string); ok && text != "" {
			found = append(found, text)
		}
	}
	return found
}

// draw draws a filter of some depth.
func draw(t *rapid.T, depth int) meaning {
	which := rapid.IntRange(0, 7).Draw(t, "node")
	if depth == 0 {
		which %= 5
	}
	switch which {
	case 0:
		return compareText(t, "userName", func(o resource.Object) []string { return textsAt(o, "userName", "") })
	case 1:
		return compareText(t, "TITLE", func(o resource.Object) []string { return textsAt(o, "title", "") })
	case 2:
		sub := rapid.SampledFrom([]string{"value", "type"}).Draw(t, "sub")
		return compareText(t, "emails."+sub, func(o resource.Object) []string { return textsAt(o, "emails", sub) })
	case 3:
		return meaning{"active eq true", func(o resource.Object) bool { return o["active"] == true }}
	case 4:
		first := compareText(t, "value", func(o resource.Object) []string { return textsAt(o, "value", "") })
		second := compareText(t, "type", func(o resource.Object) []string { return textsAt(o, "type", "") })
		return meaning{"emails[" + first.text + " and not (" + second.text + ")]", func(o resource.Object) bool {
			list, _ := o["emails"].([]any)
			return slices.ContainsFunc(list, func(e any) bool { return first.holds(e.(resource.Object)) && !second.holds(e.(resource.Object)) })
		}}
	case 5:
		inner := draw(t, depth-1)
		return meaning{"not (" + inner.text + ")", func(o resource.Object) bool { return !inner.holds(o) }}
	case 6:
		a, b := draw(t, depth-1), draw(t, depth-1)
		return meaning{"(" + a.text + ") and " + b.text, func(o resource.Object) bool { return a.holds(o) && b.holds(o) }}
	}
	a, b := draw(t, depth-1), draw(t, depth-1)
	return meaning{"(" + a.text + " or (" + b.text + "))", func(o resource.Object) bool { return a.holds(o) || b.holds(o) }}
}

// TestSC081EvaluatorIsTheNaiveOne compares with an evaluator that was made together with the filter's text.
func TestSC081EvaluatorIsTheNaiveOne(t *testing.T) {
	t.Parallel()
	user, _ := types(t)
	rapid.Check(t, func(t *rapid.T) {
		q := draw(t, 3)
		if strings.Contains(q.text, ") and ") && strings.Contains(q.text, " or ") && !strings.HasPrefix(q.text, "(") {
			q.text = "(" + q.text + ")"
		}
		expr, err := filter.Parse(q.text, filter.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", q.text, err)
		}
		node, err := filter.Bind(expr, user, filter.Options{})
		if err != nil {
			t.Fatalf("%s: %v", q.text, err)
		}
		data := person(t)
		if got, want := node.Match(&resource.Resource{Type: user, Data: data}), q.holds(data); got != want {
			t.Fatalf("%s on %v: %v, want %v", q.text, data, got, want)
		}
	})
}

// naive is PATCH as one would write it on a first afternoon, for the operations that TestSC082 draws.
func naive(data resource.Object, op, kind, value string) (resource.Object, bool) {
	next := resource.CloneObject(data)
	list, _ := next["emails"].([]any)
	var kept []any
	hit := false
	for _, e := range list {
		o := e.(resource.Object)
		text, _ := o["type"].(string)
		if !same(text, kind) {
			kept = append(kept, o)
			continue
		}
		hit = true
		if op != "remove" {
			o["value"] = value
			kept = append(kept, o)
		}
	}
	if !hit && op == "replace" {
		return data, false
	}
	if !hit && op == "add" {
		kept = append(kept, resource.Object{"type": kind, "value": value})
	}
	var unique []any
	for _, e := range kept {
		o := e.(resource.Object)
		if !slices.ContainsFunc(unique, func(other any) bool {
			p := other.(resource.Object)
			a, _ := o["type"].(string)
			b, _ := p["type"].(string)
			return same(o["value"].(string), p["value"].(string)) && same(a, b)
		}) {
			unique = append(unique, o)
		}
	}
	delete(next, "emails")
	if len(unique) > 0 {
		next["emails"] = unique
	}
	return next, true
}

// TestSC082PatchIsTheNaiveModel compares sequences of operations with a naive model; a sequence with one that fails
// changes nothing.
func TestSC082PatchIsTheNaiveModel(t *testing.T) {
	t.Parallel()
	user, _ := types(t)
	rapid.Check(t, func(t *rapid.T) {
		start := person(t)
		before, want, works := resource.CloneObject(start), resource.CloneObject(start), true
		var list []any
		for range rapid.IntRange(1, 5).Draw(t, "operations") {
			op := rapid.SampledFrom([]string{"add", "replace", "remove"}).Draw(t, "op")
			o := resource.Object{"op": op}
			value := rapid.SampledFrom([]string{"a", "B", "new"}).Draw(t, "value")
			if rapid.Bool().Draw(t, "title") {
				o["path"] = "title"
				if op == "remove" {
					delete(want, "title")
				} else {
					o["value"], want["title"] = value, value
				}
			} else {
				kind := rapid.SampledFrom([]string{"work", "home", "other"}).Draw(t, "kind")
				o["path"] = `emails[type eq "` + kind + `"]`
				if op != "remove" {
					o["path"], o["value"] = o["path"].(string)+".value", value
				}
				if works {
					want, works = naive(want, op, kind, value)
				}
			}
			list = append(list, o)
		}
		body := resource.Object{"schemas": []any{normal.PatchOp}, "Operations": list}
		patched, err := normal.Patch(body, user, normal.Lenient, filter.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		got, changed, err := patch.Apply(user, start, patched.Operations, patch.Options{})
		switch {
		case !resource.Equal(before, start):
			t.Fatal("what was handed in has changed")
		case (err == nil) != works:
			t.Fatalf("%v: error %v, want none: %v", list, err, works)
		case works && !resource.Equal(got, want):
			t.Fatalf("%v on %v: %v, want %v", list, before, got, want)
		case works && changed == resource.Equal(before, want):
			t.Fatal("changed is wrong")
		}
	})
}

// TestMembersOnlyIsApply: the short cut for members comes to what the engine computes.
func TestMembersOnlyIsApply(t *testing.T) {
	t.Parallel()
	_, group := types(t)
	ids := []string{"1", "2", "3", "4"}
	rapid.Check(t, func(t *rapid.T) {
		current := resource.Object{"displayName": "g"}
		in := map[string]bool{}
		var list []any
		for _, id := range ids {
			if rapid.Bool().Draw(t, id) {
				list, in[id] = append(list, resource.Object{"value": id}), true
			}
		}
		resource.Set(current, "", "members", list)
		var operations []any
		for range rapid.IntRange(1, 6).Draw(t, "operations") {
			o := resource.Object{"op": rapid.SampledFrom([]string{"add", "remove", "replace"}).Draw(t, "op"), "path": "members"}
			id := rapid.SampledFrom(ids).Draw(t, "id")
			switch rapid.IntRange(0, 3).Draw(t, "form") {
			case 0:
				o["value"] = []any{resource.Object{"value": id}}
			case 1:
				o["value"] = []any{resource.Object{"value": id}, resource.Object{"value": "4"}}
			case 2:
				if o["op"] == "remove" {
					o["path"] = `members[value eq "` + id + `"]`
				} else {
					o["value"] = []any{}
				}
			default:
				o["op"] = "remove"
			}
			operations = append(operations, o)
		}
		patched, err := normal.Patch(resource.Object{"schemas": []any{normal.PatchOp}, "Operations": operations}, group, normal.Lenient, filter.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		next, _, err := patch.Apply(group, current, patched.Operations, patch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		members, only := patch.MembersOnly(patched.Operations)
		if !only {
			if len(patched.Operations) > 0 {
				t.Fatal("these are about members only")
			}
			return
		}
		if members.All {
			clear(in)
		}
		for _, id := range members.Remove {
			delete(in, id)
		}
		for _, m := range members.Add {
			in[m.ID] = true
		}
		got, _ := next["members"].([]any)
		if len(got) != len(in) {
			t.Fatalf("%v: %v, want %v", operations, got, in)
		}
		for _, m := range got {
			if !in[m.(resource.Object)["value"].(string)] {
				t.Fatalf("%v: %v, want %v", operations, got, in)
			}
		}
	})
}
