package integration

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/gorilla/mux"

	"portico/adapter"
	"portico/httpapi"
)

// Adapter is what the API asks for.
type Adapter interface { //nolint:interfacebloat // two verbs about keys, four resources
	IntegrationKeys(ctx context.Context) (int, error)
	IntegrationCaller(ctx context.Context, presented string, client adapter.Client) (*adapter.IntegrationCaller, error)
	Members(ctx context.Context) (*adapter.MemberList, error)
	CheckMember(ctx context.Context, in adapter.MemberSignIn) (*adapter.Member, error)
	TeamNames(ctx context.Context) (*adapter.TeamList, error)
	Team(ctx context.Context, name string) (*adapter.Team, error)
}

// Config says how the API is offered.
type Config struct {
	Prefix     string // "/$intapi"; required
	BaseURL    string // how the outside world reaches the service, without Prefix
	Title      string // of the service, on the information page; default "Portico"
	AllowEmail bool   // the member list may carry mail addresses, shown on the page
	ShowKeys   bool   // the information page tells the number of keys
	MaxBody    int64  // bytes of a request body; default 1 MiB
	DocsURL    string // of the documentation; "" for no link
}

// API serves the resources. It is an httpapi.Dialect and an httpapi.FailureWriter.
type API struct {
	cfg     Config
	adapter Adapter
	log     *slog.Logger

	members, emails atomic.Pointer[encoded] // the lists as they were sent last
	teams           atomic.Pointer[encoded]
}

// resource is one row of the table: where it is and what answers there.
type resource struct {
	name   string // path below the prefix; "" is the information page
	handle func(a *API, c *call) error
}

// resources is the table of everything that the API answers. All but the first
// want POST and a key.
func resources() []resource {
	return []resource{
		{"", (*API).information},
		{"members", (*API).listMembers},
		{"member", (*API).checkMember},
		{"teams", (*API).listTeams},
		{"team", (*API).showTeam},
	}
}

// New makes the API. Error: a prefix that is no path.
func New(cfg Config, a Adapter, log *slog.Logger) (*API, error) {
	cfg.Prefix, cfg.BaseURL = strings.TrimRight(cfg.Prefix, "/"), strings.TrimRight(cfg.BaseURL, "/")
	if cfg.Prefix == "" || cfg.Prefix[0] != '/' || strings.ContainsAny(cfg.Prefix, "{}?#% ") {
		return nil, fmt.Errorf("prefix %q: want a path such as /$intapi", cfg.Prefix)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 1 << 20
	}
	if cfg.Title == "" {
		cfg.Title = "Portico"
	}
	return &API{cfg: cfg, adapter: a, log: log}, nil
}

// Mount adds the routes. Paths are compared decoded, so that "$" and "%24" are
// alike; an encoded slash is none.
func (a *API) Mount(r *mux.Router) {
	for _, res := range resources() {
		path := a.cfg.Prefix
		if res.name != "" {
			path += "/" + res.name
		}
		matches := func(r *http.Request, _ *mux.RouteMatch) bool {
			return (r.URL.Path == path || r.URL.Path == path+"/") && !strings.Contains(strings.ToLower(r.URL.RawPath), "%2f")
		}
		r.MatcherFunc(matches).Name("integration " + res.name).Handler(a.handler(res))
	}
}

// call is one request on its way.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	form   form
	caller *adapter.IntegrationCaller
	client adapter.Client
	about  string // user or team, for the log
}

func (a *API) handler(res resource) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange := httpapi.FromContext(r.Context())
		c := &call{w: w, r: r, client: adapter.Client{Address: exchange.Client(), RequestID: exchange.RequestID()}}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		var err error
		if res.name == "" {
			exchange.SetOperation("information")
			err = res.handle(a, c)
		} else {
			exchange.SetOperation(res.name)
			if err = a.admit(c, res.name); err == nil {
				exchange.SetKey(c.caller.Caller.KeyID)
				err = res.handle(a, c)
			}
			a.note(c, res.name, err)
		}
		if err != nil {
			a.fail(c, err)
		}
	})
}

// admit makes the checks that all resources share, in their fixed order.
func (a *API) admit(c *call, name string) error {
	n, err := a.adapter.IntegrationKeys(c.r.Context())
	switch {
	case err != nil:
		return err
	case n == 0:
		return refusal{http.StatusNotImplemented, "The integration interface is off: no keys are configured."}
	case c.r.Method != http.MethodPost:
		return refusal{http.StatusMethodNotAllowed, "Use POST for this resource."}
	}
	if c.form, err = readForm(c.w, c.r, a.cfg.MaxBody); err != nil {
		return err
	}
	key, ok := c.form.last("key")
	if !ok {
		return refusal{http.StatusBadRequest, "The field key is missing."}
	}
	if c.caller, err = a.adapter.IntegrationCaller(c.r.Context(), key, c.client); err != nil {
		return err
	}
	if !c.caller.May(name) {
		return refusal{http.StatusForbidden, "The key may not call this resource."}
	}
	return nil
}

// note writes one line a call into the log of the service: who asked for what,
// and what came of it. Passwords are in the security log, by the adapter.
func (a *API) note(c *call, name string, err error) {
	label := "unknown"
	if c.caller != nil {
		label = c.caller.Caller.Label
	}
	outcome := "ok"
	if err != nil {
		outcome = outcomeOf(err)
	}
	a.log.LogAttrs(c.r.Context(), slog.LevelInfo, "integration call",
		slog.String("key_label", label), slog.String("resource", name), slog.String("about", c.about), slog.String("outcome", outcome))
}
