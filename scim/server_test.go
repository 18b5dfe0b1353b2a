package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"portico/scim"
	"portico/scim/fault"
	"portico/scim/normal"
	"portico/scim/resource"
	"portico/scim/schema"
)

// service is the protocol over a memory, with a clock of its own.
type service struct {
	tb      testing.TB
	memory  *memory
	scim    *scim.Service
	handler http.Handler
	token   string // of the next requests

	mu     sync.Mutex
	clock  time.Time
	events []scim.Event
	log    bytes.Buffer
}

func (s *service) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *service) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// Write takes in the log.
func (s *service) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

// Authenticate knows tokens named after what they may do.
func (s *service) Authenticate(_ context.Context, token string, _ *http.Request) (*scim.Principal, error) {
	p := &scim.Principal{Name: token, Read: true, Write: true, Password: true}
	switch token {
	case "full", "other":
	case "reader":
		p.Write, p.Password = false, false
	case "writer":
		p.Read, p.Password = false, false
	case "nopassword":
		p.Password = false
	case "strict":
		p.Profile = normal.Strict
	case "entra":
		p.Profile = normal.Entra
	case "okta":
		p.Profile = normal.Okta
	case "me":
		for id := range s.memory.stored["User"] {
			p.PersonID = id
		}
	default:
		return nil, fault.New(http.StatusUnauthorized, "", "the token is not good")
	}
	return p, nil
}

const base = "https://id.example.net/scim/v2"

// types are the resource types of the tests.
func types(tb testing.TB) (user, group *schema.Type) {
	tb.Helper()
	b, err := schema.LoadBuiltin()
	if err != nil {
		tb.Fatal(err)
	}
	custom, err := schema.Parse([]byte(`{"id":"urn:example:schemas:badge:2.0:User","name":"Badge","attributes":[
		{"name":"number","type":"integer"},{"name":"weight","type":"decimal"},{"name":"issued","type":"dateTime"},
		{"name":"serial","type":"string","mutability":"immutable","caseExact":true},
		{"name":"secret","type":"string","returned":"request"},
		{"name":"colours","type":"string","multiValued":true}]}`))
	if err != nil {
		tb.Fatal(err)
	}
	return schema.NewType("User", "/Users", "People", b.User, schema.Extension{Schema: b.Enterprise}, schema.Extension{Schema: custom}),
		schema.NewType("Group", "/Groups", "Groups", b.Group)
}

func newLog(s *service) *slog.Logger {
	return slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func newService(tb testing.TB, changes ...func(*scim.Config)) *service {
	tb.Helper()
	s := &service{tb: tb, token: "full", clock: time.Date(2026, 3, 1, 8, 0, 0, 123_456_789, time.UTC)}
	s.memory = newMemory(s.now)
	user, group := types(tb)
	cfg := scim.Config{BaseURL: base}
	for _, change := range changes {
		change(&cfg)
	}
	var err error
	s.scim, err = scim.New(cfg, scim.Deps{
		Auth: s, Log: newLog(s), Now: s.now,
		CursorKey: bytes.Repeat([]byte{7}, 32),
		Resources: []scim.Resources{
			{Type: user, Handler: s.memory.of(user)}, {Type: group, Handler: s.memory.of(group), Quiet: true},
		},
		Audit: func(_ context.Context, e scim.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	s.scim.Mount(router)
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r1")
		router.ServeHTTP(w, r)
	})
	return s
}

// answer is what came back.
type answer struct {
	tb     testing.TB
	status int
	header http.Header
	text   string
	body   resource.Object
}

// do sends a request; headers are "Name: value". A body makes it SCIM.
func (s *service) do(method, path, body string, headers ...string) *answer {
	s.tb.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	target := "/scim/v2" + path
	if absolute, ok := strings.CutPrefix(path, "="); ok {
		target = absolute
	}
	r := httptest.NewRequestWithContext(s.tb.Context(), method, target, reader)
	r.Header.Set("Authorization", "Bearer "+s.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	a := &answer{tb: s.tb, status: w.Code, header: w.Header(), text: w.Body.String()}
	if a.text != "" {
		value, err := resource.DecodeObject(w.Body.Bytes())
		if err != nil {
			s.tb.Fatalf("%s %s: the answer is not strict JSON: %v\n%s", method, path, err, a.text)
		}
		a.body = value
		if got := a.header.Get("Content-Type"); got != "application/scim+json" && path != "/openapi.json" {
			s.tb.Errorf("%s %s: content type %q", method, path, got)
		}
	}
	return a
}

// want checks the status.
func (a *answer) want(status int) *answer {
	a.tb.Helper()
	if a.status != status {
		a.tb.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	return a
}

// refused checks a refusal: its status, keyword and form.
func (a *answer) refused(status int, kind fault.Type) *answer {
	a.tb.Helper()
	a.want(status)
	got, _ := a.body["scimType"].(string)
	if got != string(kind) {
		a.tb.Errorf("scimType %q, want %q: %s", got, kind, a.text)
	}
	if text, _ := a.body["status"].(string); text != strings.TrimSpace(json.Number(text).String()) || len(text) != 3 {
		a.tb.Errorf("status in the body: %s", a.text)
	}
	if a.at("schemas.0") != "urn:ietf:params:scim:api:messages:2.0:Error" || a.at("detail") == nil {
		a.tb.Errorf("form of the error: %s", a.text)
	}
	return a
}

// at gives a part of the answer: names and places with dots between them; "|" stands for the enterprise extension.
func (a *answer) at(path string) any {
	var value any = a.body
	for part := range strings.SplitSeq(path, ".") {
		if part == "|" {
			part = schema.EnterpriseID
		}
		switch v := value.(type) {
		case resource.Object:
			value = v[part]
		case []any:
			place := int(part[0] - '0')
			if place >= len(v) {
				return nil
			}
			value = v[place]
		default:
			return nil
		}
	}
	if number, ok := value.(json.Number); ok {
		return number.String()
	}
	return value
}

// has checks parts of the answer: path, value, path, value. nil is absent.
func (a *answer) has(pairs ...any) *answer {
	a.tb.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := a.at(pairs[i].(string)); got != pairs[i+1] {
			a.tb.Errorf("%s is %v, want %v in %s", pairs[i], got, pairs[i+1], a.text)
		}
	}
	return a
}

func (a *answer) id() string { return a.at("id").(string) }

const (
	userURN  = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`
	groupURN = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"]`
	patchURN = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]`
	entURN   = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	badgeURN = "urn:example:schemas:badge:2.0:User"
)

// user makes a user; more is JSON members.
func (s *service) user(name, more string) string {
	s.tb.Helper()
	if more != "" {
		more = "," + more
	}
	return s.do("POST", "/Users", `{`+userURN+`,"userName":"`+name+`"`+more+`}`).want(201).id()
}

// group makes a group of members.
func (s *service) group(name string, members ...string) string {
	s.tb.Helper()
	list := []string{}
	for _, m := range members {
		list = append(list, `{"value":"`+m+`"}`)
	}
	return s.do("POST", "/Groups", `{`+groupURN+`,"displayName":"`+name+`","members":[`+strings.Join(list, ",")+`]}`).want(201).id()
}

// patch sends operations.
func (s *service) patch(path, operations string, headers ...string) *answer {
	s.tb.Helper()
	return s.do("PATCH", path, `{`+patchURN+`,"Operations":[`+operations+`]}`, headers...)
}

// members gives the ids of a group's members.
func (s *service) members(id string) string {
	s.tb.Helper()
	list, _ := s.do("GET", "/Groups/"+id, "").want(200).body["members"].([]any)
	var ids []string
	for _, m := range list {
		ids = append(ids, m.(resource.Object)["value"].(string))
	}
	return strings.Join(ids, " ")
}

// names gives the user names in a list.
func (a *answer) names() string {
	var names []string
	for _, r := range a.body["Resources"].([]any) {
		o := r.(resource.Object)
		name, _ := o["userName"].(string)
		if name == "" {
			name, _ = o["displayName"].(string)
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}
