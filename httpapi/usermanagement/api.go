package usermanagement

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"portico/adapter"
	"portico/httpapi"
)

// Callers finds who calls.
type Callers interface {
	UserCaller(ctx context.Context, name, key string, client adapter.Client) (*adapter.UserCaller, error)
	Roles(ctx context.Context) ([]adapter.Role, error)
}

// Users reads and changes users.
type Users interface {
	Profile(ctx context.Context, by *adapter.UserCaller) (*adapter.User, error)
	EachUser(ctx context.Context, by *adapter.UserCaller, do func(*adapter.User) error) error
	User(ctx context.Context, by *adapter.UserCaller, name string) (*adapter.User, error)
	ChangeUser(ctx context.Context, by *adapter.UserCaller, name string, ch adapter.UserChange, client adapter.Client) error
	RemoveUser(ctx context.Context, by *adapter.UserCaller, name string, client adapter.Client) error
}

// Inviter invites people.
type Inviter interface {
	Invite(ctx context.Context, by *adapter.UserCaller, n adapter.NewInvitation, client adapter.Client) (*adapter.User, error)
	ResendInvitation(ctx context.Context, by *adapter.UserCaller, name string, client adapter.Client) error
}

// Projects reads projects and says who is in them.
type Projects interface {
	EachProject(ctx context.Context, by *adapter.UserCaller, do func(*adapter.Project) error) error
	Project(ctx context.Context, by *adapter.UserCaller, slug string) (*adapter.Project, error)
	ProjectGroups(ctx context.Context, by *adapter.UserCaller) ([]adapter.ProjectGroup, error)
	Assigned(ctx context.Context, by *adapter.UserCaller, slug string) ([]*adapter.User, error)
	Assign(ctx context.Context, by *adapter.UserCaller, slug string, ids []int64, client adapter.Client) ([]*adapter.User, error)
}

// PublicKeys reads and adds people's public keys.
type PublicKeys interface {
	PublicKeys(ctx context.Context, name string) ([]adapter.PublicKey, error)
	AddPublicKey(ctx context.Context, by *adapter.UserCaller, name string, k adapter.PublicKey, client adapter.Client) (adapter.PublicKey, error)
}

// Adapter is everything that the API asks for.
type Adapter interface {
	Callers
	Users
	Inviter
	Projects
	PublicKeys
}

// Config says how the API is offered.
type Config struct {
	Prefix    string // "" for the root
	BaseURL   string // how the outside world reaches the service, without Prefix
	Account   string // name of the tenant
	Status406 bool   // answer 406 instead of 405
	MaxBody   int64  // bytes of a request body; default 64 KiB
}

// API serves the resources. It is an httpapi.Dialect and an httpapi.FailureWriter.
type API struct {
	cfg      Config
	adapter  Adapter
	log      *slog.Logger
	cross    *http.CrossOriginProtection
	reserved map[string]bool
	own      map[string]bool // first words of the fixed paths
}

// route is one row of the table.
type route struct {
	method string
	path   string // below the prefix; {name} and {permalink} are single segments
	// permission is what the caller's role must have; the adapter asks for it. "" for
	// every caller; own means: or for what is the caller's own.
	permission string
	own        bool
	handle     func(a *API, c *call) error
}

// routes is the table of everything that this API answers. The last is tried last.
func routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "/profile", "", false, (*API).profile},
		{get, "/users", "", false, (*API).listUsers},
		{post, "/users", adapter.MayManageUsers, false, (*API).invite},
		{get, "/users/{name}", "", false, (*API).showUser},
		{http.MethodPut, "/users/{name}", adapter.MayManageUsers, false, (*API).changeUser},
		{http.MethodDelete, "/users/{name}", adapter.MayManageUsers, false, (*API).removeUser},
		{post, "/users/{name}/resend_invitation", adapter.MayManageUsers, false, (*API).resend},
		{get, "/users/{name}/public_keys", "", false, (*API).listPublicKeys},
		{get, "/users/{name}/public_keys.txt", "", false, (*API).plainPublicKeys},
		{post, "/users/{name}/public_keys", adapter.MayManageUsers, true, (*API).addPublicKey},
		{get, "/roles", "", false, (*API).listRoles},
		{get, "/projects", "", false, (*API).listProjects},
		{get, "/project_groups", "", false, (*API).listProjectGroups},
		{get, "/{permalink}/assignments", adapter.MayReadProjects, true, (*API).listAssignments},
		{post, "/{permalink}/assignments", adapter.MayManageProjects, false, (*API).assign},
		{get, "/{permalink}", adapter.MayReadProjects, true, (*API).showProject},
	}
}

// ReservedWords are the first words of paths that this API and the server itself
// answer, so that no project may be called so.
func ReservedWords() []string {
	words := []string{"healthz", "readyz", "metrics", "index-php", "favicon-ico", "robots-txt", "well-known"}
	return append(words, slices.Sorted(maps.Keys(ownWords()))...)
}

// New makes the API. reserved are the words that no project has as its address.
// Error: a prefix that is no path.
func New(cfg Config, reserved []string, a Adapter, log *slog.Logger) (*API, error) {
	cfg.Prefix, cfg.BaseURL = strings.TrimRight(cfg.Prefix, "/"), strings.TrimRight(cfg.BaseURL, "/")
	if cfg.Prefix != "" && (cfg.Prefix[0] != '/' || strings.ContainsAny(cfg.Prefix, "{}?#% ")) {
		return nil, fmt.Errorf("prefix %q: want a path such as /um", cfg.Prefix)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 64 << 10
	}
	api := &API{cfg: cfg, adapter: a, log: log, cross: http.NewCrossOriginProtection(), reserved: map[string]bool{}, own: ownWords()}
	for _, word := range reserved {
		api.reserved[word] = true
	}
	return api, nil
}

// Mount adds the routes, each path once for all its methods.
func (a *API) Mount(r *mux.Router) {
	const suffix = `{suffix:(?:\.xml|\.json)?}`
	expand := strings.NewReplacer("{name}", `{name:[^/]+?}`, "{permalink}", `{permalink:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?}`)
	var done []string
	for _, rt := range routes() {
		if slices.Contains(done, rt.path) {
			continue
		}
		done = append(done, rt.path)
		path := a.cfg.Prefix + expand.Replace(rt.path)
		if !strings.HasSuffix(path, ".txt") {
			path += suffix
		}
		r.Path(path).MatcherFunc(a.notReserved).Name("usermanagement " + rt.path).Handler(a.handler(rt.path))
	}
}

// notReserved keeps the addresses of projects away from other routes of the host.
func (a *API) notReserved(r *http.Request, _ *mux.RouteMatch) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, a.cfg.Prefix+"/")
	word, _, _ := strings.Cut(rest, "/")
	word = strings.TrimSuffix(strings.TrimSuffix(word, ".xml"), ".json")
	return ok && (a.own[word] || !a.reserved[word])
}

// ownWords are the first words of the fixed paths of this API.
func ownWords() map[string]bool {
	words := map[string]bool{}
	for _, rt := range routes() {
		if word, _, _ := strings.Cut(rt.path[1:], "/"); !strings.ContainsAny(word, "{}") {
			words[word] = true
		}
	}
	return words
}

// call is one request on its way.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	json   bool
	caller *adapter.UserCaller
	secret string // the key that was shown
	client adapter.Client
	name   string // of a user, from the path
	slug   string // of a project
	status int    // of the answer; 0 is 200
}

// handler answers for one path.
func (a *API) handler(path string) http.Handler {
	methods := map[string]route{}
	var allowed []string
	for _, rt := range routes() {
		if rt.path == path {
			methods[rt.method] = rt
			allowed = append(allowed, rt.method)
		}
	}
	if _, ok := methods[http.MethodGet]; ok {
		allowed = append(allowed, http.MethodHead)
	}
	allow := strings.Join(allowed, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange := httpapi.FromContext(r.Context())
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Vary", "Accept")
		vars := mux.Vars(r)
		c := &call{
			w: w, r: r, json: wantsJSON(r, vars["suffix"]), slug: vars["permalink"],
			client: adapter.Client{Address: exchange.Client(), RequestID: exchange.RequestID()},
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		rt, ok := methods[method]
		if !ok {
			h.Set("Allow", allow)
			a.fail(c, refusal{status: a.methodStatus(), texts: []string{"Method is not supported here"}})
			return
		}
		exchange.SetOperation(strings.ToLower(rt.method) + " " + rt.path)
		name, err := url.PathUnescape(vars["name"])
		if err != nil {
			a.fail(c, refusal{status: http.StatusNotFound})
			return
		}
		c.name = name
		if err := a.serve(c, rt); err != nil {
			a.fail(c, err)
		}
	})
}

func (a *API) methodStatus() int {
	if a.cfg.Status406 {
		return http.StatusNotAcceptable
	}
	return http.StatusMethodNotAllowed
}

func (a *API) serve(c *call, rt route) error {
	if err := a.cross.Check(c.r); err != nil {
		return refusal{status: http.StatusForbidden, texts: []string{"Access denied"}}
	}
	name, key, ok := c.r.BasicAuth()
	if !ok || name == "" || key == "" || len(name) > 600 || len(key) > 600 {
		return &adapter.Error{Kind: adapter.Unauthenticated}
	}
	var err error
	if c.caller, err = a.adapter.UserCaller(c.r.Context(), name, key, c.client); err != nil {
		return err
	}
	c.secret = key
	httpapi.FromContext(c.r.Context()).SetKey(c.caller.KeyID)
	return rt.handle(a, c)
}

// wantsJSON chooses the form of the answer: the suffix of the path, else what
// Accept prefers, else XML.
func wantsJSON(r *http.Request, suffix string) bool {
	switch suffix {
	case ".json":
		return true
	case ".xml":
		return false
	}
	best, json := -1.0, false
	for kind := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, params, _ := strings.Cut(strings.ToLower(kind), ";")
		quality := qualityOf(params)
		if quality <= 0 || quality <= best {
			continue
		}
		switch strings.TrimSpace(kind) {
		case "application/json", "text/json":
			best, json = quality, true
		case "application/xml", "text/xml", "*/*", "application/*":
			best, json = quality, false
		}
	}
	return json
}
