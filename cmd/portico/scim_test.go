package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/testenv"
)

// scimWorld is the whole service in front of a real directory, as clients of SCIM see it.
type scimWorld struct {
	*service
	t    testing.TB
	ldap *testenv.LDAPServer
	key  string // of the next requests
	base string
}

// startSCIM serves an OpenLDAP without people that may be written. more are lines of the section apis.scim.
func startSCIM(t testing.TB, s setup, more ...string) *scimWorld {
	t.Helper()
	server := testenv.OpenLDAP(t)
	s.directory += fmt.Sprintf("    write: {enabled: true, user_container: %q, group_container: %q}\n", "ou=people,"+server.BaseDN, "ou=groups,"+server.BaseDN)
	s.top += "base_url: https://id.example.net\n"
	if len(more) > 0 {
		s.top += "apis:\n  scim:\n    " + strings.Join(more, "\n    ") + "\n"
	}
	w := &scimWorld{service: start(t, server, s), t: t, ldap: server}
	w.waitReady()
	w.base = w.url + "/scim/v2"
	w.key = w.newKey(adapter.KeyRequest{Scopes: []string{"read", "write", "password"}})
	return w
}

// newKey makes a key for SCIM.
func (w *scimWorld) newKey(r adapter.KeyRequest) string {
	w.t.Helper()
	r.API = "scim"
	if r.Label == "" {
		r.Label = "test"
	}
	_, plain, err := w.app.adapter.CreateKey(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return plain
}

// reply is what came back.
type reply struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	text   string
	body   map[string]any
}

// do sends a request; headers are pairs.
func (w *scimWorld) do(method, path, body string, headers ...string) *reply {
	w.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, in)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.key)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	out := &reply{t: w.t, what: method + " " + path, status: resp.StatusCode, header: resp.Header, text: string(text)}
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&out.body); err != nil {
			w.t.Fatalf("%s: %d, and no JSON: %v\n%s", out.what, out.status, err, text)
		}
	}
	return out
}

func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s = %d, want %d\n%s", r.what, r.status, status, r.text)
	}
	return r
}

// refused wants an error with a keyword.
func (r *reply) refused(status int, kind string) *reply {
	r.t.Helper()
	r.want(status)
	if got, _ := r.body["scimType"].(string); got != kind || r.body["status"] != fmt.Sprint(status) {
		r.t.Fatalf("%s: scimType %q, want %q\n%s", r.what, got, kind, r.text)
	}
	return r
}

func (r *reply) id() string {
	r.t.Helper()
	id, _ := r.body["id"].(string)
	if id == "" {
		r.t.Fatalf("%s: no id\n%s", r.what, r.text)
	}
	return id
}

// at reads a value by its path: names and numbers.
func (r *reply) at(path ...any) any { return dig(r.body, path...) }

func dig(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

// shows wants a value, as JSON, at a path.
func (r *reply) shows(want string, path ...any) *reply {
	r.t.Helper()
	got, _ := json.Marshal(r.at(path...))
	if string(got) != want {
		r.t.Fatalf("%s: %v = %s, want %s\n%s", r.what, path, got, want, r.text)
	}
	return r
}

const (
	site          = "https://id.example.net/scim/v2" // what answers call the service
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// user makes a person; more are members of the JSON object.
func (w *scimWorld) user(name, more string) *reply {
	w.t.Helper()
	if more != "" {
		more = "," + more
	}
	return w.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":%q%s}`, userURN, name, more)).want(201)
}

// group makes a group.
func (w *scimWorld) group(name string, members ...string) *reply {
	w.t.Helper()
	list := ""
	for _, id := range members {
		list += fmt.Sprintf(`,{"value":%q}`, id)
	}
	if list != "" {
		list = `,"members":[` + list[1:] + "]"
	}
	return w.do("POST", "/Groups", fmt.Sprintf(`{"schemas":[%q],"displayName":%q%s}`, groupURN, name, list)).want(201)
}

// patch sends operations.
func (w *scimWorld) patch(path, operations string, headers ...string) *reply {
	w.t.Helper()
	return w.do("PATCH", path, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+operations+`]}`, headers...)
}

// find asks for the users that satisfy a filter.
func (w *scimWorld) find(endpoint, filter string) *reply {
	w.t.Helper()
	return w.do("GET", endpoint+"?filter="+url.QueryEscape(filter), "")
}

// entry reads an entry from the directory itself; nil: it is not there.
func (w *scimWorld) entry(dn string, attributes ...string) *ldap.Entry {
	w.t.Helper()
	conn := w.ldap.Admin(w.t)
	result, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)",
		append(attributes, "*", "+"), nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return result.Entries[0]
}

func (w *scimWorld) person(name string) *ldap.Entry {
	return w.entry("uid=" + name + ",ou=people," + w.ldap.BaseDN)
}

// holds wants the values of an attribute in the directory.
func holds(t testing.TB, e *ldap.Entry, attribute string, want ...string) {
	t.Helper()
	if e == nil {
		t.Fatal("the entry is not in the directory")
	}
	if got := e.GetAttributeValues(attribute); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Fatalf("%s: %s = %q, want %q", e.DN, attribute, got, want)
	}
}

func TestSCIMLifeOfAUser(t *testing.T) {
	w := startSCIM(t, setup{})
	made := w.user("Ada.Miller", `"name":{"givenName":"Ada","familyName":"Miller"},"displayName":"Ada M.","password":"first secret!",
		"emails":[{"value":"ada@corp.example","type":"work","primary":true}],"title":"Engineer"`)
	id := made.id()
	e := w.person("Ada.Miller")
	holds(t, e, "sn", "Miller")
	holds(t, e, "mail", "ada@corp.example")
	holds(t, e, "entryUUID", id)
	if made.header.Get("Location") != site+"/Users/"+id || made.header.Get("ETag") == "" {
		t.Errorf("headers %v", made.header)
	}
	got := w.do("GET", "/Users/"+strings.ToUpper(id), "").want(200)
	if got.text != made.text {
		t.Errorf("GET\n%s\nPOST\n%s", got.text, made.text)
	}
	w.find("/Users", `userName eq "ADA.miller"`).want(200).shows("1", "totalResults").shows(`"Ada.Miller"`, "Resources", 0, "userName")
	w.find("/Users", `title pr and name.familyName sw "mil"`).want(200).shows("1", "totalResults")
	w.patch("/Users/"+id, `{"op":"replace","path":"title","value":"Chief"},{"op":"add","path":"phoneNumbers","value":[{"type":"mobile","value":"+1 5"}]}`).
		want(200).shows(`"Chief"`, "title")
	holds(t, w.person("Ada.Miller"), "title", "Chief")
	holds(t, w.person("Ada.Miller"), "mobile", "+1 5")
	w.patch("/Users/"+id, `{"op":"replace","value":{"active":false}}`).want(200).shows("false", "active")
	holds(t, w.person("Ada.Miller"), "pwdAccountLockedTime", "000001010000Z")
	w.do("DELETE", "/Users/"+id, "").want(204)
	if w.person("Ada.Miller") != nil {
		t.Error("still there")
	}
	w.do("GET", "/Users/"+id, "").want(404)
}

func TestSCIMLifeOfAGroup(t *testing.T) {
	w := startSCIM(t, setup{})
	ada, ben := w.user("ada", "").id(), w.user("ben", "").id()
	g := w.group("Ops", ada)
	holds(t, w.entry("cn=Ops,ou=groups,"+w.ldap.BaseDN), "member", "uid=ada,ou=people,"+w.ldap.BaseDN)
	w.patch("/Groups/"+g.id(), `{"op":"add","path":"members","value":[{"value":"`+ben+`"}]}`).want(204)
	w.do("GET", "/Users/"+ben, "").want(200).shows(`"Ops"`, "groups", 0, "display")
	w.patch("/Groups/"+g.id(), `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"`+ada+`"}]}`).want(204)
	w.do("GET", "/Groups/"+g.id(), "").want(200).shows(`[{"$ref":"`+site+`/Users/`+ben+`","type":"User","value":"`+ben+`"}]`, "members")
	w.patch("/Groups/"+g.id(), `{"op":"replace","value":{"id":"`+g.id()+`","displayName":"Ops EU"}}`).want(204)
	w.find("/Groups", `displayName eq "ops eu"`).want(200).shows(`"`+g.id()+`"`, "Resources", 0, "id")
	w.do("DELETE", "/Groups/"+g.id(), "").want(204)
	w.do("GET", "/Groups/"+g.id(), "").want(404)
}
