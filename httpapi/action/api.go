package action

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/gorilla/mux"

	"portico/adapter"
	"portico/httpapi"
	"portico/internal/texts"
)

// apiName is what keys for this API are registered under.
const apiName = "action"

// Config says how the API is offered.
type Config struct {
	Prefix    string // path before /api.php, /api/ and /mobile/; "" or "/accounthub"
	BaseURL   string // scheme, host and path that people reach the service by; "": as each request says
	Language  string // of the texts; "" is English
	TextsFile string // JSON object, text id to text, that replaces single texts; "" for none
	MaxBody   int64  // bytes of a request body; default 1 MiB
	Mobile    bool   // the mobile API is on
	Apps      []App  // what listapps shows, in this order
	// SiteTitle names this service in the alert mail of a sign-in by "login"; default Portico.
	SiteTitle string
	// ExemptKeys are labels of API keys that the login interval does not apply to.
	ExemptKeys []string

	Alerts   Alerts   // nil: no alert mail can be sent
	Sessions Sessions // nil: there are no pages, start_session fails
}

// API serves the action API and its mobile API. It is an httpapi.Dialect and an
// httpapi.FailureWriter.
type API struct {
	cfg     Config
	adapter Adapter
	log     *slog.Logger
	texts   *texts.Catalogue
	actions map[string]*action
	mobile  map[string]*action
	apps    appList
	exempt  map[string]bool // labels of keys
	calls   sync.Pool       // of *call

	headers headers
	warned  warnings
}

// New makes the API. Errors: a prefix that is no plain path, a base URL that is
// none, texts that cannot be read, an app that is no JSON object.
func New(cfg Config, a Adapter, log *slog.Logger) (*API, error) {
	cfg.Prefix = strings.TrimRight(cfg.Prefix, "/")
	if err := checkPrefix(cfg.Prefix); err != nil {
		return nil, err
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 1 << 20
	}
	cfg.SiteTitle = cmp.Or(cfg.SiteTitle, "Portico")
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	origin, err := originOf(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	api := &API{cfg: cfg, adapter: a, log: log, headers: newHeaders(), exempt: map[string]bool{}}
	if api.texts, err = texts.Load(cfg.Language, cfg.TextsFile); err != nil {
		return nil, err
	}
	if api.apps, err = newAppList(cfg.Apps, origin); err != nil {
		return nil, err
	}
	for _, label := range cfg.ExemptKeys {
		api.exempt[label] = label != ""
	}
	api.actions, api.mobile = byName(table()), byName(mobileTable())
	api.calls.New = func() any { return &call{} }
	return api, nil
}

func byName(rows []action) map[string]*action {
	m := make(map[string]*action, len(rows))
	for _, act := range rows {
		m[act.name] = &act
	}
	return m
}

// checkPrefix accepts "" and paths of segments that never need encoding, as
// requests are matched by their encoded path.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if prefix[0] != '/' || strings.Contains(prefix, "//") {
		return fmt.Errorf("prefix %q: want a path such as /accounthub", prefix)
	}
	for _, c := range prefix {
		if !strings.ContainsRune("/-_.~$", c) && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return fmt.Errorf("prefix %q: %q cannot be in it", prefix, c)
		}
	}
	return nil
}

// Mount adds the roots of the API and of the mobile API. Everything below api/ is
// this API's, so dialects with more special paths below it are mounted before. The
// plain comparisons stand before the router's patterns because they are much cheaper.
func (a *API) Mount(r *mux.Router) {
	root := a.cfg.Prefix + "/api"
	below := func(r *http.Request, _ *mux.RouteMatch) bool { return strings.HasPrefix(r.URL.Path, root+"/") }
	r.MatcherFunc(below).PathPrefix(root + "/").HandlerFunc(a.servePath)
	exactly := func(path string, handler http.HandlerFunc) {
		is := func(r *http.Request, _ *mux.RouteMatch) bool { return r.URL.Path == path }
		r.MatcherFunc(is).Path(path).HandlerFunc(handler)
	}
	exactly(root+".php", a.servePHP)
	exactly(root, a.servePath)
	for _, path := range mobilePaths() {
		exactly(a.cfg.Prefix+path, a.serveMobile)
	}
}

// door is the kind of URL that a request came to.
type door uint8

const (
	doorPHP    door = iota // api.php: everything is in query and body
	doorPath               // api/ and what is below it
	doorMobile             // mobile/: parameters as on api.php, all answers JSON
)

func (a *API) servePHP(w http.ResponseWriter, r *http.Request)    { a.serve(w, r, doorPHP) }
func (a *API) servePath(w http.ResponseWriter, r *http.Request)   { a.serve(w, r, doorPath) }
func (a *API) serveMobile(w http.ResponseWriter, r *http.Request) { a.serve(w, r, doorMobile) }

// merge gathers the parameters of the request, as its kind of URL wants it.
func (a *API) merge(c *call, r *http.Request, body []byte, d door) error {
	if d != doorPath {
		return c.mergePHP(r, body)
	}
	return c.mergePath(r, body, r.URL.EscapedPath()[len(a.cfg.Prefix)+len("/api"):])
}

// call is one request on its way. Calls are used again: nothing in one may be
// kept after the answer.
type call struct {
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	action *action
	caller *adapter.Caller // of the action API
	mobile bool            // a request of the mobile API
	user   *adapter.Person // of the mobile API
	client adapter.Client
	params params
	out    []byte
	body   []byte
}

func (c *call) reset() {
	const keep = 64 << 10
	clear(c.params)
	clear(c.body) // may hold a password
	params, out, body := c.params[:0], c.out[:0], c.body[:0]
	if cap(out) > keep {
		out = nil
	}
	if cap(body) > keep {
		body = nil
	}
	*c = call{params: params, out: out, body: body}
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, d door) {
	a.headers.set(w.Header())
	if r.Method == http.MethodOptions {
		a.headers.preflight(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return
	}
	c := a.calls.Get().(*call)
	defer func() {
		c.reset()
		a.calls.Put(c)
	}()
	c.ctx, c.w, c.r, c.mobile = r.Context(), w, r, d == doorMobile
	exchange := httpapi.FromContext(c.ctx)
	c.client = adapter.Client{Address: exchange.Client(), RequestID: exchange.RequestID()}
	body, err := a.readBody(c, w, r)
	if err == nil {
		err = a.merge(c, r, body, d)
	}
	switch {
	case err != nil:
	case c.mobile:
		err = a.runMobile(c, exchange)
	default:
		err = a.run(c, exchange)
	}
	if err != nil {
		a.fail(c, w, err)
		return
	}
	a.headers.json(w.Header())
	_, _ = w.Write(c.out) // the client may be gone
}

// run makes the documented checks in the documented order, then the action.
func (a *API) run(c *call, exchange *httpapi.Exchange) error {
	key := c.params.get("key")
	if key.missing() || !key.scalar() {
		return errForbidden
	}
	caller, err := a.adapter.KeyCaller(c.ctx, apiName, key.value, c.client)
	if err != nil {
		return err
	}
	c.caller, c.client.Exempt = caller, a.exempt[caller.Label]
	exchange.SetKey(caller.KeyID)
	name := c.params.get("action")
	if name.missing() || !name.scalar() {
		return errNoAction
	}
	act := a.actions[name.value]
	if act == nil {
		return errUnknownAction
	}
	c.action = act
	exchange.SetOperation(act.name)
	if err := act.validate(c.params); err != nil {
		return err
	}
	if err := a.checkLevel(c); err != nil {
		return err
	}
	return act.run(a, c)
}

// checkLevel refuses an action above the key's level. Keys that were taken over
// from another system are let through, with a warning.
func (a *API) checkLevel(c *call) error {
	if c.caller.Level >= c.action.level {
		return nil
	}
	if !c.caller.Enforced {
		if a.warned.first(c.caller.KeyID, c.action.name) {
			a.log.WarnContext(c.ctx, "the key's level is too low for this action; allowed, as the key's level is not enforced",
				"key", c.caller.KeyID, "label", c.caller.Label, "action", c.action.name)
		}
		return nil
	}
	if err := a.adapter.KeyRefused(c.ctx, c.caller, c.client, c.action.name); err != nil {
		a.log.ErrorContext(c.ctx, "a refusal is not in the security log", "key", c.caller.KeyID, "action", c.action.name, "error", err)
	}
	return errForbidden
}

// warnings remembers which warnings were given, so that each comes once per key
// and action and process. It is bounded; beyond that it stays silent.
type warnings struct {
	mu   sync.Mutex
	seen map[warning]bool
}

type warning struct {
	key    int64
	action string
}

func (w *warnings) first(key int64, action string) bool {
	const most = 10000
	w.mu.Lock()
	defer w.mu.Unlock()
	id := warning{key, action}
	if w.seen[id] || len(w.seen) >= most {
		return false
	}
	if w.seen == nil {
		w.seen = map[warning]bool{}
	}
	w.seen[id] = true
	return true
}
