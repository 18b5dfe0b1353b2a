package scim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/scim"
	"portico/scim/fault"
	"portico/scim/resource"
)

func TestSC018SC019SC020SC061Discovery(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.Documentation = "https://docs.example.net" })
	types := s.do("GET", "/ResourceTypes?count=1&startIndex=2&sortBy=id", "").want(200).has("totalResults", "2", "itemsPerPage", "2", "startIndex", "1",
		"Resources.0.name", "User", "Resources.0.endpoint", "/Users", "Resources.0.schemaExtensions.0.schema", entURN,
		"Resources.0.meta.location", base+"/ResourceTypes/User", "Resources.0.schemas.0", "urn:ietf:params:scim:schemas:core:2.0:ResourceType")
	schemas := s.do("GET", "/Schemas?count=0", "").want(200).has("totalResults", "7", "Resources.0.id", "urn:ietf:params:scim:schemas:core:2.0:User")
	for _, list := range []*answer{types, schemas} {
		if strings.Contains(list.text, "null") || strings.Contains(list.text, "api:messages:2.0:PatchOp") {
			t.Error(list.text)
		}
	}
	for _, r := range types.body["Resources"].([]any) {
		name := r.(resource.Object)["schema"].(string)
		s.do("GET", "/Schemas/"+name, "").want(200).has("id", name, "meta.resourceType", "Schema", "meta.location", base+"/Schemas/"+name)
	}
	s.do("GET", "/Schemas/"+strings.ReplaceAll(entURN, ":", "%3A"), "").want(200).has("name", "EnterpriseUser")
	s.do("GET", "/Schemas/urn:nope", "").refused(404, "")
	s.do("GET", "/ResourceTypes/User", "").want(200).has("id", "User")
	s.do("GET", "/ResourceTypes/Nope", "").refused(404, "")
	for _, path := range []string{"/Schemas", "/ResourceTypes", "/Schemas/" + entURN, "/ResourceTypes/User"} {
		s.do("GET", path+"?filter=id%20pr", "").refused(403, "")
	}
	config := s.do("GET", "/ServiceProviderConfig?filter=x&attributes=patch&count=z", "").want(200)
	config.has("patch.supported", true, "bulk.supported", true, "bulk.maxOperations", "1000", "bulk.maxPayloadSize", "8388608", "filter.supported", true,
		"filter.maxResults", "1000", "changePassword.supported", true, "sort.supported", true, "etag.supported", true,
		"pagination.cursor", true, "pagination.index", true, "pagination.defaultPaginationMethod", "index", "pagination.defaultPageSize", "100",
		"pagination.maxPageSize", "1000", "pagination.cursorTimeout", "600", "authenticationSchemes.0.type", "oauthbearertoken",
		"documentationUri", "https://docs.example.net", "meta.location", base+"/ServiceProviderConfig")
	if a := newService(t).do("GET", "/ServiceProviderConfig", ""); strings.Contains(a.text, `""`) || strings.Contains(a.text, "documentationUri") {
		t.Error(a.text)
	}
	open := newService(t, func(c *scim.Config) { c.PublicDiscovery = true })
	open.do("GET", "/Schemas", "", "Authorization: ").want(200)
	open.do("GET", "/Users", "", "Authorization: ").want(401)
	open.do("GET", "/Schemas", "", "Authorization: Bearer wrong").want(401)
}

func TestSC056MediaTypes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for i, good := range []string{"application/json", "application/scim+json; charset=UTF-8", "Application/SCIM+JSON", "application/json; charset=utf-8; x=y", ""} {
		s.do("POST", "/Users", fmt.Sprintf(`{%s,"userName":"u%d"}`, userURN, i), "Content-Type: "+good).want(201)
	}
	for _, bad := range []string{"text/plain", "application/json; charset=latin1", "application/xml", "application/x-www-form-urlencoded", "json", ";;"} {
		s.do("POST", "/Users", `{}`, "Content-Type: "+bad).refused(415, "")
	}
	for _, good := range []string{"", "*/*", "application/*", "text/html, application/json;q=0.1", "application/scim+json"} {
		s.do("GET", "/Users", "", "Accept: "+good).want(200)
	}
	for _, bad := range []string{"text/html", "application/xml, image/*", "application/json;q=0"} {
		s.do("GET", "/Users", "", "Accept: "+bad).refused(406, "")
	}
}

func TestSC058PathsAndMethods(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	for path, allow := range map[string]string{
		"/Users": "GET, HEAD, OPTIONS, POST", "/Users/" + id: "DELETE, GET, HEAD, OPTIONS, PATCH, PUT", "/Users/.search": "OPTIONS, POST",
		"/.search": "OPTIONS, POST", "/Bulk": "OPTIONS, POST", "/": "GET, HEAD, OPTIONS", "/Schemas": "GET, HEAD, OPTIONS",
		"/ServiceProviderConfig": "GET, HEAD, OPTIONS", "/Me": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
	} {
		if a := s.do("TRACE", path, "").refused(405, ""); a.header.Get("Allow") != allow {
			t.Errorf("%s: Allow: %s", path, a.header.Get("Allow"))
		}
		if a := s.do("OPTIONS", path, "").want(204); a.header.Get("Allow") != allow {
			t.Errorf("%s: Allow: %s", path, a.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/Users/", "/users", "/Users/" + id + "/x", "/Nope", "//Users", "/Users//" + id, "/Schemas/", "/Bulk/x", "/.search/x"} {
		if a := s.do("GET", path, ""); a.status != 404 && a.status != 400 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, path := range []string{"=/scim/v1/Users", "=/scim/v3", "=/scim/v2.1/Users"} {
		s.do("GET", path, "").refused(400, fault.InvalidVers)
	}
}

// TestG23IdsAreDecodedOnce: %2541 is the id %41, not A.
func TestG23IdsAreDecodedOnce(t *testing.T) {
	t.Parallel()
	s := newService(t)
	id := s.user("ada", "")
	encoded := fmt.Sprintf("%%%02x%s", id[0], id[1:])
	s.do("GET", "/Users/"+encoded, "").want(200).has("id", id)
	s.do("GET", "/Users/%25"+encoded[1:], "").refused(404, "")
	s.do("GET", "/Users/a%2Fb", "").refused(404, "")
	s.do("GET", "/Users/"+strings.Repeat("x", 2000), "").refused(404, "")
}

func TestF04StrictJSON(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, bad := range []string{
		`{` + userURN + `,"userName":"a","userName":"b"}`, `{` + userURN + `,"userName":"a","USERNAME":"b"}`, `{` + userURN + `,"userName":"a","\u0055serName":"b"}`,
		`{` + userURN + `,"userName":"a"} {}`, `{` + userURN + `,"userName":"a"}x`, "\xef\xbb\xbf" + `{` + userURN + `,"userName":"a"}`,
		`{` + userURN + `,"userName":"a","x":NaN}`, `{` + userURN + `,"userName":"a","x":01}`, `{` + userURN + `,"userName":"a","x":1.}`, `{` + userURN + `,"userName":"a","x":+1}`,
		`{` + userURN + `,"userName":"\ud800"}`, "{" + userURN + ",\"userName\":\"\xff\"}", `{` + userURN + `,"userName":"a",}`, `[]`, `"x"`, `null`, `{`, `{"a"`, `{"a":`, ` `,
		`{` + userURN + `,"userName":"a","x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, `{` + userURN + `,"userName":"a","x":` + strings.Repeat(`{"y":`, 10_000) + "1" + strings.Repeat("}", 10_000) + `}`,
		`{` + userURN + `,"name":{"givenName":"a","GivenName":"b"},"userName":"a"}`, "{" + userURN + ",\"userName\":\"a\nb\"}", `{` + userURN + `,"userName":"a","x":tru}`,
	} {
		s.do("POST", "/Users", bad).refused(400, fault.InvalidSyntax)
	}
	s.do("POST", "/Users", "").refused(400, fault.InvalidSyntax)
	s.do("POST", "/Users", "\n {"+userURN+`,"userName":"a😀","x":1e308}`+"\n\t ").want(201).has("userName", "a😀")
}

func TestG14BodiesAreBounded(t *testing.T) {
	t.Parallel()
	s := newService(t, func(c *scim.Config) { c.MaxBody = 2048 })
	for _, method := range []string{"POST", "PUT", "PATCH"} {
		path := "/Users"
		if method != "POST" {
			path += "/x"
		}
		s.do(method, path, `{`+userURN+`,"userName":"`+strings.Repeat("x", 3000)+`"}`).refused(413, "")
	}
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://x/scim/v2/Users", &endless{})
	r.Header.Set("Authorization", "Bearer full")
	w := &recorder{header: http.Header{}}
	s.handler.ServeHTTP(w, r)
	if w.status != 413 {
		t.Errorf("a body without length: %d", w.status)
	}
	r, _ = http.NewRequestWithContext(t.Context(), "POST", "http://x/scim/v2/Users", &endless{fail: errors.New("cut off")})
	r.Header.Set("Authorization", "Bearer full")
	w = &recorder{header: http.Header{}}
	s.handler.ServeHTTP(w, r)
	if w.status != 400 {
		t.Errorf("a body that breaks off: %d", w.status)
	}
}

// endless is a body without end, or one that breaks off.
type endless struct{ fail error }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), e.fail
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }

// broken is a handler that panics.
type broken struct{ *handler }

func (broken) Get(context.Context, *scim.Call, string) (*resource.Resource, error) { panic("secret") }

func TestSafety3HandlersMayBreak(t *testing.T) {
	t.Parallel()
	s := newService(t)
	user, group := types(t)
	made, err := scim.New(scim.Config{BaseURL: base}, scim.Deps{
		Auth: s, Log: newLog(s), Now: s.now, CursorKey: make([]byte, 32),
		Resources: []scim.Resources{{Type: user, Handler: broken{s.memory.of(user)}}, {Type: group, Handler: s.memory.of(group)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = made
	if a := s.do("GET", "/Users/x", "").refused(500, ""); strings.Contains(a.text, "secret") {
		t.Error(a.text)
	}
	if !strings.Contains(s.log.String(), "secret") {
		t.Error("the log does not say why")
	}
}

func TestErrorsOfTheDirectoryStayInside(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.memory.fail = errors.New("LDAP Result Code 53 ldap://10.0.0.1 uid=ada,dc=example")
	for _, a := range []*answer{s.do("GET", "/Users/x", "").refused(500, ""), s.query("/Users").refused(500, ""), s.do("DELETE", "/Users/x", "").refused(500, "")} {
		if strings.Contains(a.text, "dc=example") || strings.Contains(a.text, "10.0.0.1") {
			t.Error(a.text)
		}
	}
	s.memory.fail = &fault.Error{Status: 503, Detail: "the directory does not answer", Cause: errors.New("dc=example"), RetryAfter: 1500 * time.Millisecond}
	if a := s.query("/Users").refused(503, ""); a.header.Get("Retry-After") != "2" || strings.Contains(a.text, "dc=example") {
		t.Error(a.header, a.text)
	}
	if !strings.Contains(s.log.String(), "dc=example") {
		t.Error("the cause is not in the log")
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newService(t)
	user, _ := types(t)
	good := scim.Deps{Auth: s, Log: newLog(s), Now: s.now, CursorKey: make([]byte, 32), Resources: []scim.Resources{{Type: user, Handler: s.memory.of(user)}}}
	for _, c := range []struct {
		cfg  scim.Config
		deps func(scim.Deps) scim.Deps
		want string
	}{
		{scim.Config{}, nil, "BaseURL"},
		{scim.Config{BaseURL: "ftp://x"}, nil, "BaseURL"},
		{scim.Config{BaseURL: base, Prefix: "scim"}, nil, "prefix"},
		{scim.Config{BaseURL: base, MaxPage: -1}, nil, "limit"},
		{scim.Config{BaseURL: base}, func(d scim.Deps) scim.Deps { d.CursorKey = []byte("short"); return d }, "CursorKey"},
		{scim.Config{BaseURL: base}, func(d scim.Deps) scim.Deps { d.Auth = nil; return d }, "Auth"},
		{scim.Config{BaseURL: base}, func(d scim.Deps) scim.Deps { d.Resources = append(d.Resources, d.Resources[0]); return d }, "twice"},
	} {
		deps := good
		if c.deps != nil {
			deps = c.deps(good)
		}
		if _, err := scim.New(c.cfg, deps); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
