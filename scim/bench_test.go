package scim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portico/scim"
	"portico/scim/filter"
	"portico/scim/normal"
	"portico/scim/patch"
	"portico/scim/resource"
)

// full is a user as large as they usually are.
const full = `"displayName":"Ada Miller","name":{"givenName":"Ada","familyName":"Miller"},"title":"Head","active":true,
	"emails":[{"value":"ada@corp.example","type":"work","primary":true},{"value":"ada@home.example","type":"other"}],
	"phoneNumbers":[{"value":"+49 30 1","type":"work"},{"value":"+49 171 1","type":"mobile"}],
	"` + entURN + `":{"department":"R&D","employeeNumber":"4711"}`

// serveMany sends one request over and over.
func serveMany(b *testing.B, handler http.Handler, path string) {
	b.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer full")
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

// bare answers with fixed bytes.
func bare(b *testing.B, s *service, path string) http.Handler {
	b.Helper()
	body := []byte(s.do("GET", path, "").want(200).text)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = w.Write(body)
	})
}

// ready has one resource ready to be shown, so that only the protocol is measured.
type ready struct {
	*handler
	r *resource.Resource
}

func (h *ready) Get(context.Context, *scim.Call, string) (*resource.Resource, error) { return h.r, nil }

func BenchmarkGetOne(b *testing.B) {
	s := newService(b)
	id := s.user("ada", full)
	path := "/Users/" + id
	r := s.memory.stored["User"][id]
	made, err := scim.New(scim.Config{BaseURL: base}, scim.Deps{
		Auth: s, Log: newLog(s), Now: s.now, CursorKey: make([]byte, 32),
		Resources: []scim.Resources{{Type: r.Type, Handler: &ready{&handler{s.memory, r.Type}, r}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	s.handler = made
	b.Run("bare", func(b *testing.B) { serveMany(b, bare(b, s, path), "/scim/v2"+path) })
	b.Run("scim", func(b *testing.B) { serveMany(b, s.handler, "/scim/v2"+path) })
}

func BenchmarkRenderOne(b *testing.B) {
	s := newService(b)
	r := s.memory.stored["User"][s.user("ada", full)]
	renderer := &resource.Renderer{Base: base, Endpoints: map[string]string{"User": "/Users", "Group": "/Groups"}}
	all := resource.NewProjection(r.Type, nil, nil)
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		out = renderer.Append(out[:0], r, all)
	}
	b.SetBytes(int64(len(out)))
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{100, 1000} {
		s := newService(b)
		for i := range n {
			s.user(fmt.Sprintf("u%d", i), full)
		}
		path := fmt.Sprintf("/Users?count=%d", n)
		b.Run(fmt.Sprintf("bare-%d", n), func(b *testing.B) { serveMany(b, bare(b, s, path), "/scim/v2"+path) })
		b.Run(fmt.Sprintf("scim-with-memory-%d", n), func(b *testing.B) { serveMany(b, s.handler, "/scim/v2"+path) })
		b.Run(fmt.Sprintf("render-%d", n), func(b *testing.B) {
			renderer := &resource.Renderer{Base: base, Endpoints: map[string]string{"User": "/Users", "Group": "/Groups"}}
			user, _ := types(b)
			all := resource.NewProjection(user, nil, nil)
			out := make([]byte, 0, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				out = out[:0]
				for _, r := range s.memory.stored["User"] {
					out = renderer.Append(out, r, all)
				}
			}
		})
	}
}

// BenchmarkG07Filter is one filter read, tied to the schema and asked.
func BenchmarkG07Filter(b *testing.B) {
	user, _ := types(b)
	r := &resource.Resource{Type: user, Data: resource.Object{"userName": "ada"}}
	b.ReportAllocs()
	for b.Loop() {
		expr, err := filter.Parse(`userName eq "ada"`, filter.DefaultLimits())
		if err != nil {
			b.Fatal(err)
		}
		node, err := filter.Bind(expr, user, filter.Options{})
		if err != nil || !node.Match(r) {
			b.Fatal(err)
		}
	}
}

// BenchmarkG26Patch is a thousand removals by filter, read and put in order.
func BenchmarkG26Patch(b *testing.B) {
	_, group := types(b)
	var text strings.Builder
	text.WriteString(`{` + patchURN + `,"Operations":[`)
	for i := range 1000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"op":"remove","path":"members[value eq \"%d\"]"}`, i)
	}
	text.WriteString("]}")
	b.ReportAllocs()
	for b.Loop() {
		body, err := resource.DecodeObject([]byte(text.String()))
		if err != nil {
			b.Fatal(err)
		}
		patched, err := normal.Patch(body, group, normal.Lenient, filter.DefaultLimits())
		if err != nil {
			b.Fatal(err)
		}
		if _, only := patch.MembersOnly(patched.Operations); !only {
			b.Fatal("not members only")
		}
	}
}
