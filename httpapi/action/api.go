package action

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/gorilla/mux"

	"portico/adapter"
	"portico/httpapi"
)

// apiName is what keys for this API are registered under.
const apiName = "action"

// Config says how the API is offered.
type Config struct {
	Prefix    string // path before /api.php and /api/; "" or "/accounthub"
	Language  string // of the texts; "" is English
	TextsFile string // JSON object, text id to text, that replaces single texts; "" for none
	MaxBody   int64  // bytes of a request body; default 1 MiB
}

// Keys is how the API learns who calls.
type Keys interface {
	// KeyCaller gives the holder of an API key. Errors: Unauthenticated,
	// Throttled (a wrong key again too soon from that address).
	KeyCaller(ctx context.Context, api, presented string, client adapter.Client) (*adapter.Caller, error)
	// KeyRefused notes in the security log that a valid key's level was too low
	// for an action.
	KeyRefused(ctx context.Context, caller *adapter.Caller, client adapter.Client, action string) error
}

// SignIns checks passwords and account states.
type SignIns interface {
	// CheckPassword checks one password. Errors: Throttled, Unavailable.
	CheckPassword(ctx context.Context, in adapter.SignIn) (*adapter.SignInResult, error)
	// AccountStatus is StatusUnknown for nobody. Errors: Unavailable.
	AccountStatus(ctx context.Context, key adapter.PersonKey) (adapter.Status, error)
}

// People looks people up.
type People interface {
	// Person gives one person. Errors: NotFound, Ambiguous, Unavailable.
	Person(ctx context.Context, key adapter.PersonKey) (*adapter.Person, error)
	// PersonExists does not call an outage a no. Errors: Unavailable.
	PersonExists(ctx context.Context, key adapter.PersonKey) (bool, error)
	// SearchPeople finds by a part of login or display name, ordered by uid.
	SearchPeople(ctx context.Context, text string, limit int) ([]*adapter.Person, error)
}

// Groups looks groups up.
type Groups interface {
	// SearchGroups finds by a part of the name.
	SearchGroups(ctx context.Context, text string, limit int) ([]*adapter.Group, error)
	// Groups gives all, ordered by gid.
	Groups(ctx context.Context) ([]*adapter.Group, error)
	// GroupsOf gives a person's. Errors: NotFound "user".
	GroupsOf(ctx context.Context, key adapter.PersonKey) ([]*adapter.Group, error)
	// MembersOf gives a group's people, ordered by uid. Errors: NotFound "group".
	MembersOf(ctx context.Context, gid int64) ([]*adapter.Person, error)
}

// Managers knows who manages whom, directly.
type Managers interface {
	// IsManagerOf has the errors NotFound "manager" and NotFound "employee".
	IsManagerOf(ctx context.Context, manager, employee adapter.PersonKey) (bool, error)
	// Managed gives a manager's people, ordered by uid. Errors: NotFound "user".
	Managed(ctx context.Context, key adapter.PersonKey) ([]*adapter.Person, error)
	// Managers gives a person's managers, ordered by uid. Errors: NotFound "user".
	Managers(ctx context.Context, key adapter.PersonKey) ([]*adapter.Person, error)
}

// Adapter is everything that the API asks for.
type Adapter interface {
	Keys
	SignIns
	People
	Groups
	Managers
}

// API serves the action API. It is an httpapi.Dialect and an httpapi.FailureWriter.
type API struct {
	cfg     Config
	adapter Adapter
	log     *slog.Logger
	texts   *texts
	actions map[string]*action
	calls   sync.Pool // of *call

	headers headers
	warned  warnings
}

// New makes the API. Errors: a prefix that is no plain path, texts that cannot be
// read.
func New(cfg Config, a Adapter, log *slog.Logger) (*API, error) {
	cfg.Prefix = strings.TrimRight(cfg.Prefix, "/")
	if err := checkPrefix(cfg.Prefix); err != nil {
		return nil, err
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 1 << 20
	}
	texts, err := loadTexts(cfg.Language, cfg.TextsFile)
	if err != nil {
		return nil, err
	}
	api := &API{cfg: cfg, adapter: a, log: log, texts: texts, actions: map[string]*action{}, headers: newHeaders()}
	for _, act := range table() {
		api.actions[act.name] = &act
	}
	api.calls.New = func() any { return &call{} }
	return api, nil
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

// Mount adds the three roots of the API. Everything below api/ is this API's, so
// dialects with more special paths below it are mounted before. The plain
// comparisons stand before the router's patterns because they are much cheaper.
func (a *API) Mount(r *mux.Router) {
	php, root := a.cfg.Prefix+"/api.php", a.cfg.Prefix+"/api"
	is := func(path string) mux.MatcherFunc {
		return func(r *http.Request, _ *mux.RouteMatch) bool { return r.URL.Path == path }
	}
	below := func(r *http.Request, _ *mux.RouteMatch) bool { return strings.HasPrefix(r.URL.Path, root+"/") }
	r.MatcherFunc(below).PathPrefix(root + "/").HandlerFunc(a.servePath)
	r.MatcherFunc(is(php)).Path(php).HandlerFunc(a.servePHP)
	r.MatcherFunc(is(root)).Path(root).HandlerFunc(a.servePath)
}

// servePHP serves api.php: everything is in query and body.
func (a *API) servePHP(w http.ResponseWriter, r *http.Request) { a.serve(w, r, false) }

// servePath serves api/ and what is below it.
func (a *API) servePath(w http.ResponseWriter, r *http.Request) { a.serve(w, r, true) }

// merge gathers the parameters of the request, as its kind of URL wants it.
func (a *API) merge(c *call, r *http.Request, body []byte, inPath bool) error {
	if !inPath {
		return c.mergePHP(r, body)
	}
	return c.mergePath(r, body, r.URL.EscapedPath()[len(a.cfg.Prefix)+len("/api"):])
}

// call is one request on its way. Calls are used again: nothing in one may be
// kept after the answer.
type call struct {
	ctx    context.Context
	action *action
	caller *adapter.Caller
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

func (a *API) serve(w http.ResponseWriter, r *http.Request, inPath bool) {
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
	c.ctx = r.Context()
	exchange := httpapi.FromContext(c.ctx)
	c.client = adapter.Client{Address: exchange.Client(), RequestID: exchange.RequestID()}
	body, err := a.readBody(c, w, r)
	if err == nil {
		err = a.merge(c, r, body, inPath)
	}
	if err == nil {
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
	c.caller = caller
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
