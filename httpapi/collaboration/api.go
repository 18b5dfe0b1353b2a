// Package collaboration serves the API of organisations: collaborations,
// invitations, groups, services, logos, and the answer to an invitation.
//
// Its paths lie at /api/collaborations/v1 and beside it. They are told from the
// action API's /api/{action}/{key} by their first word, so this dialect is
// mounted before. With or without a slash at the end a path means the same, and
// nothing is redirected. The table of routes is in routes.go; every route names
// who may use it.
//
// Reading is lenient where clients are known to differ: empty means absent, dates
// come in seconds or milliseconds, unknown members are passed over. Everything
// else is strict: see decode.go.
package collaboration

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"portico/adapter"
	collab "portico/adapter/collaboration"
	"portico/httpapi"
)

// Config says how the API is offered.
type Config struct {
	BaseURL  string // how the outside world reaches the service; logos lie below it
	Envelope bool   // answer invitations as {"invitations": [...]} always
}

// Collaborations reads and changes collaborations.
type Collaborations interface { //nolint:interfacebloat // one verb a route
	Enter(ctx context.Context, presented string, client adapter.Client) (*collab.Caller, error)
	Create(ctx context.Context, caller *collab.Caller, in collab.NewCollaboration) (*collab.View, error)
	Get(ctx context.Context, caller *collab.Caller, identifier string) (*collab.View, error)
	Delete(ctx context.Context, caller *collab.Caller, identifier string) error
	SetRole(ctx context.Context, caller *collab.Caller, identifier, platform, role string) (*collab.Member, *collab.User, error)
	RemoveMember(ctx context.Context, caller *collab.Caller, identifier, platform string) error
	SetUnits(ctx context.Context, caller *collab.Caller, identifier string, names []string) (*collab.View, error)
	Revive(ctx context.Context, caller *collab.Caller, identifier string, change collab.Revival) (*collab.View, error)
	Organisation(ctx context.Context, caller *collab.Caller, f collab.Filter) (*collab.OrgView, error)
	Logo(ctx context.Context, kind, uuid4 string) (data []byte, mediaType string, err error)
}

// Groups changes groups.
type Groups interface {
	CreateGroup(ctx context.Context, caller *collab.Caller, in collab.NewGroup) (*collab.GroupView, error)
	UpdateGroup(ctx context.Context, caller *collab.Caller, identifier string, change collab.GroupChange) (*collab.GroupView, error)
	DeleteGroup(ctx context.Context, caller *collab.Caller, identifier string) error
	AddToGroup(ctx context.Context, caller *collab.Caller, identifier, platform string) (*collab.GroupView, error)
	RemoveFromGroup(ctx context.Context, caller *collab.Caller, identifier, platform string) error
}

// Services connects services.
type Services interface {
	Connect(ctx context.Context, caller *collab.Caller, t collab.Target, entity string) (collab.Connection, error)
	Disconnect(ctx context.Context, caller *collab.Caller, t collab.Target, entity string) (collab.Connection, error)
	Connections(ctx context.Context, caller *collab.Caller, identifier string) ([]collab.Connection, error)
}

// Invitations sends and answers invitations.
type Invitations interface { //nolint:interfacebloat // one verb a route
	Invite(ctx context.Context, caller *collab.Caller, in collab.Bulk) ([]collab.Sent, error)
	Invitation(ctx context.Context, caller *collab.Caller, identifier string) (*collab.InviteView, error)
	Invitations(ctx context.Context, caller *collab.Caller, identifier string, id int64) ([]collab.InviteView, error)
	Withdraw(ctx context.Context, caller *collab.Caller, identifier string) error
	Resend(ctx context.Context, caller *collab.Caller, identifier string) (*collab.InviteView, error)
	UpdateInvitation(ctx context.Context, caller *collab.Caller, identifier string, change collab.InviteChange) (*collab.InviteView, error)
	Accept(ctx context.Context, token string, uid int64, client adapter.Client) (*collab.InviteView, error)
	Decline(ctx context.Context, token string, uid int64, client adapter.Client) error
}

// Adapter is everything that the API asks for.
type Adapter interface {
	Collaborations
	Groups
	Services
	Invitations
}

// People tells who somebody is who answers an invitation.
type People interface {
	CheckPassword(ctx context.Context, in adapter.SignIn) (*adapter.SignInResult, error)
}

// Sessions tells who is signed in to the pages; nil in Deps for nobody.
type Sessions interface {
	SignedInPerson(r *http.Request) (*adapter.Person, error)
}

// Deps are the parts that the API stands on. Sessions may be nil.
type Deps struct {
	Adapter  Adapter
	People   People
	Sessions Sessions
	Log      *slog.Logger
}

// API serves the dialect. It is an httpapi.Dialect and an httpapi.FailureWriter.
type API struct {
	cfg      Config
	adapter  Adapter
	people   People
	sessions Sessions
	log      *slog.Logger
}

// New makes the API.
func New(cfg Config, deps Deps) *API {
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	return &API{cfg: cfg, adapter: deps.Adapter, people: deps.People, sessions: deps.Sessions, log: deps.Log}
}

// call is one request on its way.
type call struct {
	*http.Request
	client adapter.Client
	caller *collab.Caller // of routes for keys
	body   []byte
	vars   map[string]string // decoded

	status  int
	out     []byte
	headers map[string]string
	kind    string // content type; "" is JSON
}

// answer sets status and body.
func (x *call) answer(status int, body []byte) error {
	x.status, x.out = status, body
	return nil
}

// ours tells whether a path belongs to this API, by its first words.
func ours(path string) bool {
	rest, ok := strings.CutPrefix(path, "/api/")
	if !ok {
		return false
	}
	word, _, _ := strings.Cut(rest, "/")
	switch word {
	case "collaborations", "collaborations_services", "invitations", "organisations", "groups", "images":
		return true
	}
	return false
}

// Mount adds the routes, and what answers below them to everything else.
func (a *API) Mount(r *mux.Router) {
	own := r.MatcherFunc(func(r *http.Request, _ *mux.RouteMatch) bool { return ours(r.URL.Path) }).Subrouter()
	byPath := map[string]map[string]route{}
	var order []string
	for _, rt := range routes() {
		if byPath[rt.path] == nil {
			byPath[rt.path] = map[string]route{}
			order = append(order, rt.path)
		}
		byPath[rt.path][rt.method] = rt
	}
	for _, path := range order {
		handler := a.handler(byPath[path])
		own.Path(path).Handler(handler)
		own.Path(path + "/").Handler(handler)
	}
	own.PathPrefix("/api/").HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.write(w, http.StatusNotFound, []byte(`{"message":"there is nothing here"}`))
	})
}

// handler answers for one path, by the methods that it has.
func (a *API) handler(methods map[string]route) http.Handler {
	allow := make([]string, 0, len(methods))
	for method := range methods {
		allow = append(allow, method)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		rt, ok := methods[method]
		if !ok {
			w.Header().Set("Allow", sorted(allow))
			a.write(w, http.StatusMethodNotAllowed, []byte(`{"message":"this path has no such method"}`))
			return
		}
		info := httpapi.FromContext(r.Context())
		info.SetOperation(rt.name)
		x := &call{Request: r, client: adapter.Client{Address: info.Client(), RequestID: info.RequestID()}}
		if err := a.serve(rt, x, w); err != nil {
			a.fail(w, r, err)
			return
		}
		for name, value := range x.headers {
			w.Header().Set(name, value)
		}
		if x.kind != "" {
			w.Header().Set("Content-Type", x.kind)
		}
		a.write(w, x.status, x.out)
	})
}

// serve makes the checks that every route has, in their order: key, right, path,
// body; then the route's own.
func (a *API) serve(rt route, x *call, w http.ResponseWriter) error {
	if rt.access != forAll && rt.access != forPerson {
		caller, err := a.adapter.Enter(x.Context(), bearer(x.Request), x.client)
		if err != nil {
			return err
		}
		httpapi.FromContext(x.Context()).SetKey(caller.KeyID)
		x.caller = caller
		if rt.access == forWriter && caller.ReadOnly {
			return &adapter.Error{Kind: adapter.Denied, Field: "key", Text: "this key may only read"}
		}
	}
	x.vars = map[string]string{}
	for name, value := range mux.Vars(x.Request) {
		text, err := url.PathUnescape(value)
		if err != nil || strings.ContainsRune(text, 0) {
			return errPath
		}
		x.vars[name] = text
	}
	if x.Method != http.MethodGet && x.Method != http.MethodHead {
		if err := a.readBody(rt, x, w); err != nil {
			return err
		}
		if x.caller != nil {
			if err := idempotency(x); err != nil {
				return err
			}
		}
	}
	return rt.handle(a, x)
}

// bearer gives the key of the Authorization header, "" for none.
func bearer(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, key, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}
