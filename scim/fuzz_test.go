package scim_test

import (
	"strings"
	"testing"
	"time"

	"portico/scim/filter"
	"portico/scim/normal"
	"portico/scim/patch"
	"portico/scim/resource"
)

// within says that something took too long (SC-083: 100 ms for 8 KiB).
func within(t *testing.T, what string, run func()) {
	t.Helper()
	start := time.Now()
	run()
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("%s took %s", what, took)
	}
}

func FuzzSC083Filter(f *testing.F) {
	for _, seed := range []string{
		`userName eq "a"`, `emails[type eq "work" and not (value pr)].value co "x"`, `(((title pr)))`, `a.b.c`, `not(`, `"`, `active eq tRue`,
		entURN + `:manager.value eq "x"`, `meta.created gt "2026-01-01T00:00:00Z"`, badgeURN + `:number lt 1e5`,
	} {
		f.Add(seed)
	}
	user, _ := types(f)
	r := &resource.Resource{Type: user, ID: "1", Data: resource.Object{
		"userName": "ada", "emails": []any{resource.Object{"value": "a@x", "type": "work", "primary": true}},
	}}
	f.Fuzz(func(t *testing.T, text string) {
		within(t, "filter", func() {
			expr, err := filter.Parse(text, filter.DefaultLimits())
			if err != nil {
				return
			}
			if node, err := filter.Bind(expr, user, filter.Options{Lacking: strings.HasPrefix(text, "a")}); err == nil {
				node.Match(r)
			}
		})
	})
}

func FuzzSC083Path(f *testing.F) {
	for _, seed := range []string{`emails[type eq "work"].value`, `name.givenName`, entURN + `:manager`, entURN, `members[value eq "x"]`, `[`, `a[b]c`} {
		f.Add(seed, `"x"`)
	}
	user, _ := types(f)
	current := resource.Object{"userName": "ada", "emails": []any{resource.Object{"value": "a@x", "type": "work", "primary": true}}}
	f.Fuzz(func(t *testing.T, path, text string) {
		value, err := resource.Decode([]byte(text))
		if err != nil {
			return
		}
		within(t, "path", func() {
			for _, op := range []string{"add", "replace", "remove"} {
				body := resource.Object{"schemas": []any{normal.PatchOp}, "Operations": []any{
					resource.Object{"op": op, "path": path, "value": value}, resource.Object{"op": "add", "value": resource.Object{path: value}},
				}}
				patched, err := normal.Patch(body, user, normal.Lenient, filter.DefaultLimits())
				if err != nil {
					continue
				}
				before := resource.CloneObject(current)
				next, changed, err := patch.Apply(user, current, patched.Operations, patch.Options{})
				if !resource.Equal(before, current) {
					t.Fatal("the attributes that were handed in changed")
				}
				if err == nil && changed == resource.Equal(current, next) {
					t.Fatal("changed is wrong")
				}
			}
		})
	})
}

func FuzzSC083Body(f *testing.F) {
	for _, seed := range []string{
		`{"userName":"a"}`, `{"a":[1,2.5e3,true,null,"\u00e4\ud83d\ude00"]}`, `[[[[`, `{"a":1,"A":2}`, "\xff", `{"emails":[{"value":"x","primary":true},"y"]}`,
	} {
		f.Add([]byte(seed))
	}
	user, _ := types(f)
	renderer := &resource.Renderer{Base: base, Endpoints: map[string]string{"User": "/Users"}}
	all := resource.NewProjection(user, nil, nil)
	f.Fuzz(func(t *testing.T, text []byte) {
		within(t, "body", func() {
			object, err := resource.DecodeObject(text)
			if err != nil {
				return
			}
			data, err := normal.Resource(object, user, normal.Entra)
			if err != nil {
				return
			}
			out := renderer.Append(nil, &resource.Resource{Type: user, ID: "1", Data: data}, all)
			if _, err := resource.Decode(out); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		})
	})
}
