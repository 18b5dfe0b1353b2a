package main

import (
	_ "embed"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"portico/adapter"
	"portico/adapter/collaboration"
	"portico/httpapi/action"
)

// rolesTable has a line for every route of the server: methods, route, and the
// status, or "refused" for a 200 that says no, for nobody, a wrong key, the key of another API, an ordinary key of this
// one, and a person who is signed in to the pages.
//
//go:embed testdata/roles.txt
var rolesTable string

// TestAbuse_D05_EveryRouteOfTheServer asks every route of the real router by every
// method in every role. A route, method or action without a line fails, and so
// does a line without a route.
func TestAbuse_D05_EveryRouteOfTheServer(t *testing.T) {
	w := newRoleWorld(t)
	want := map[string]string{}
	for line := range strings.Lines(rolesTable) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		want[words[0]+" "+words[1]] = strings.Join(words[2:], " ")
	}
	routes := w.routes()
	if len(routes) < 90 {
		t.Fatalf("only %d routes", len(routes))
	}
	for _, route := range routes {
		methods := map[string][]string{} // by statuses
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			statuses := w.ask(method, route)
			methods[statuses] = append(methods[statuses], method)
		}
		for statuses, list := range methods {
			name := strings.Join(list, ",") + " " + route
			line, known := want[name]
			delete(want, name)
			// Another method, or a page that is none for anybody, needs no line.
			refused := statuses == "405 405 405 405 405" || statuses == "404 404 404 404 404"
			if line != statuses && (known || !refused) {
				t.Errorf("%s gives %s, the table has %q", name, statuses, line)
			}
		}
	}
	for name := range want {
		t.Errorf("%s is no route", name)
	}
}

// roleWorld is a server with a key for each API.
type roleWorld struct {
	*service
	keys map[string]string // by API
	anew func() string     // a cookie of a person who has just signed in

	strangers int
}

func newRoleWorld(t *testing.T) *roleWorld {
	t.Helper()
	w := &roleWorld{service: start(t, startOpenLDAP(t), setup{
		top: `apis: {action: {login_interval: 0s}, integration: {keys: ["{page}password!"]}}`,
	})}
	w.waitReady()
	ctx, a, jdoe := t.Context(), w.app.adapter, adapter.ByUsername("jdoe")
	_, err := w.app.collabs.PutOrg(ctx, collaboration.Org{ShortName: "acme", Name: "Acme"}, nil)
	must(t, err)
	_, collab, err := a.CreateKey(ctx, adapter.KeyRequest{API: "collaboration", Org: "acme", Label: "test"})
	must(t, err)
	personal, err := a.AddPersonalKey(ctx, jdoe, "test", adapter.Client{})
	must(t, err)
	sync, err := a.AddMobileCode(ctx, jdoe, "phone", "", adapter.Client{})
	must(t, err)
	w.keys = map[string]string{"action": w.key, "integration": "password!", "usermanagement": personal, "collaboration": collab, "mobile": sync}
	pages, err := w.app.newPages()
	must(t, err)
	person, err := a.Person(ctx, jdoe)
	must(t, err)
	w.anew = func() string {
		rec := httptest.NewRecorder()
		must(t, pages.Begin(rec, httptest.NewRequest(http.MethodPost, "/", nil), person, false))
		return rec.Result().Cookies()[0].String()
	}
	return w
}

// routes are those that the server has mounted, as it mounts them; the two APIs
// that have one route for many actions tell their actions.
func (w *roleWorld) routes() []string {
	w.t.Helper()
	dialects, err := w.app.dialects()
	must(w.t, err)
	found := map[string]bool{}
	for _, d := range dialects {
		router := mux.NewRouter()
		d.Mount(router)
		must(w.t, router.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
			name := strings.NewReplacer(" /", "/", " ", "/").Replace(r.GetName())
			if name == "" {
				var err error
				if name, err = r.GetPathTemplate(); err != nil {
					name = "/anything/else" // what an API answers below its root
				}
			}
			if strings.HasPrefix(name, "/api") {
				name = strings.TrimSuffix(name, "/") // the same with and without
			}
			if r.GetHandler() != nil && !strings.HasPrefix(name, "/assets/") {
				found[name] = true
			}
			return nil
		}))
	}
	actions, mobile := action.Names()
	for _, name := range actions {
		found["/api/"+name] = true
	}
	for _, name := range mobile {
		found["/mobile/"+name] = true
	}
	list := make([]string, 0, len(found))
	for name := range found {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// apiOf is the API that a route belongs to.
func apiOf(route string) string {
	actions, _ := action.Names()
	switch {
	case strings.HasPrefix(route, "integration"):
		return "integration"
	case strings.HasPrefix(route, "usermanagement"):
		return "usermanagement"
	case strings.HasPrefix(route, "/mobile"):
		return "mobile"
	case route == "/api", route == "/api.php", slices.Contains(actions, strings.TrimPrefix(route, "/api/")):
		return "action"
	case strings.HasPrefix(route, "/api/"):
		return "collaboration"
	}
	return "console"
}

// ask gives the statuses in all roles.
func (w *roleWorld) ask(method, route string) string {
	w.t.Helper()
	api := apiOf(route)
	other := w.keys["action"]
	if api == "action" {
		other = w.keys["collaboration"]
	}
	statuses := make([]string, 0, 5)
	for _, key := range []string{"", "wrong-key-of-nobody", other, w.keys[api], ""} {
		cookie := ""
		if len(statuses) == 4 {
			cookie = w.anew()
		}
		statuses = append(statuses, w.send(method, route, api, key, cookie))
	}
	return strings.Join(statuses, " ")
}

func (w *roleWorld) send(method, route, api, key, cookie string) string {
	w.t.Helper()
	fill := strings.NewReplacer("{name}", "admin", "{permalink}", "support", "integration", "/$intapi", "usermanagement/", "/")
	path, query := fill.Replace(route), url.Values{}
	header := http.Header{}
	switch api {
	case "action", "integration":
		query.Set("key", key)
	case "mobile":
		path = "/mobile/index.php"
		query = url.Values{"action": {strings.TrimPrefix(route, "/mobile/")}, "key": {key}, "username": {"jdoe"}}
	case "collaboration":
		header.Set("Authorization", "Bearer "+key)
	}
	if cookie != "" {
		header.Set("Cookie", cookie)
	}
	target := w.url + path
	var body *strings.Reader
	if method == http.MethodGet {
		target, body = target+"?"+query.Encode(), strings.NewReader("")
	} else {
		body = strings.NewReader(query.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, target, body)
	must(w.t, err)
	req.Header = header
	if api == "usermanagement" && key != "" {
		who := "example/jdoe"
		if key != w.keys[api] { // not counted against jdoe
			w.strangers++
			who = "example/stranger" + strconv.Itoa(w.strangers)
		}
		req.SetBasicAuth(who, key)
	}
	if api == "console" && key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := (&http.Transport{}).RoundTrip(req)
	must(w.t, err)
	if text := readAll(resp); strings.Contains(text, `"status":"ERROR"`) && resp.StatusCode == http.StatusOK {
		return "refused"
	}
	return strconv.Itoa(resp.StatusCode)
}
