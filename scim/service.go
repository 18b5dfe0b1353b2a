// Package scim serves SCIM 2.0 (RFC 7643, RFC 7644, RFC 9865): users, groups and whatever other resource types it is
// given, with filters, sorting, two ways of paging, PATCH, bulk requests, versions and discovery.
//
// This package is the protocol: it reads requests, checks them against the schemas, hands typed questions and changes to
// the Handler of a resource type, and writes answers. It keeps no resources. Packages below it hold the parts that can be
// understood alone: schema, resource, filter, patch, normal, fault.
//
// A request passes these steps: size of the body, token, rate, route, media types, strict JSON, the normaliser of the
// client's profile, handler, rendering, audit. Each step that refuses does so with a SCIM error body.
package scim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"
	lru "github.com/hashicorp/golang-lru/v2"

	"portico/scim/filter"
	"portico/scim/resource"
	"portico/scim/schema"
)

// Config says how the protocol is offered. Zero values are the defaults named here.
type Config struct {
	Prefix  string // path that it is served at; /scim/v2
	BaseURL string // scheme, host and path that clients reach Prefix by; required, as answers hold addresses

	PageSize  int           // resources on a page when the client does not say; 100
	MaxPage   int           // the most on a page; 1000
	CursorTTL time.Duration // how long a cursor is good for; 10 min

	MaxBody        int64 // bytes of a request; 4 MiB
	BulkOperations int   // operations of a bulk request; 1000
	BulkPayload    int64 // bytes of a bulk request; 8 MiB
	Filter         filter.Limits

	ReadOnly        bool   // every write is refused
	NoMe            bool   // /Me is not offered
	PublicDiscovery bool   // the discovery endpoints ask for no token
	Documentation   string // URL for people, shown in ServiceProviderConfig; "": none

	// Locked are ids of resources that no client may write, such as groups of administrators; letter case aside.
	Locked []string

	Rate    int // requests a second of one principal, and half as many again at once; 10000
	Removal int // deletions and deactivations a minute of one principal; 500
}

// Deps are the parts that the protocol works with. All but Audit and Note are required.
type Deps struct {
	Auth      Authenticator
	Resources []Resources
	Log       *slog.Logger
	Now       func() time.Time
	// CursorKey seals cursors: 32 bytes, the same in every process that answers for the same service.
	CursorKey []byte
	// Audit gets one event for each resource that was asked for or written. It must not block.
	Audit func(context.Context, Event)
	// Note learns, once it is known, whose key a request came with and what it asks for (a word from a closed list).
	Note func(ctx context.Context, keyID int64, operation string)
}

// Resources is a resource type that is served.
type Resources struct {
	Type    *schema.Type
	Handler Handler
	// Quiet answers PATCH with 204 unless the client names attributes: for resources that can be large.
	Quiet bool
}

// Service serves the protocol. It is an httpapi.Dialect and may be used by many goroutines.
type Service struct {
	cfg       Config
	deps      Deps
	renderer  *resource.Renderer
	kinds     []*kind
	routes    map[string]*route
	cursors   *cursors
	guards    *guards
	filters   *lru.Cache[filterKey, *filter.Node] // read lately
	discovery *discovery
}

// kind is a resource type with what is computed for it once.
type kind struct {
	Resources
	all *resource.Projection // what an answer has when the client does not say
}

// New makes the service. Errors name what is wrong in the configuration.
func New(cfg Config, deps Deps) (*Service, error) {
	if deps.Auth == nil || deps.Log == nil || deps.Now == nil || len(deps.Resources) == 0 {
		return nil, errors.New("scim: Auth, Resources, Log and Now are required")
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, deps: deps, routes: routes(), renderer: &resource.Renderer{Base: cfg.BaseURL, Endpoints: map[string]string{}}}
	for _, r := range deps.Resources {
		if r.Type == nil || r.Handler == nil || !strings.HasPrefix(r.Type.Endpoint, "/") || strings.Count(r.Type.Endpoint, "/") != 1 {
			return nil, errors.New("scim: a resource type has no handler, or no endpoint of one segment")
		}
		if s.renderer.Endpoints[r.Type.Name] != "" {
			return nil, fmt.Errorf("scim: resource type %s is there twice", r.Type.Name)
		}
		s.renderer.Endpoints[r.Type.Name] = r.Type.Endpoint
		s.kinds = append(s.kinds, &kind{Resources: r, all: resource.NewProjection(r.Type, nil, nil)})
	}
	var err error
	if s.cursors, err = newCursors(deps.CursorKey, cfg.CursorTTL, deps.Now); err != nil {
		return nil, err
	}
	if s.discovery, err = newDiscovery(&cfg, s.kinds); err != nil {
		return nil, err
	}
	if s.filters, err = lru.New[filterKey, *filter.Node](filtersKept); err != nil {
		return nil, fmt.Errorf("scim: filters: %w", err)
	}
	s.guards, err = newGuards(cfg.Rate, cfg.Removal, deps.Now)
	return s, err
}

// complete fills in defaults.
func (c *Config) complete() error {
	c.Prefix = strings.TrimRight(cmp.Or(c.Prefix, "/scim/v2"), "/")
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.User != nil {
		return errors.New("scim: BaseURL: want a URL such as https://id.example.org/scim/v2")
	}
	if c.Prefix == "" || c.Prefix[0] != '/' || strings.Contains(c.Prefix, "//") {
		return fmt.Errorf("scim: prefix %q: want a path such as /scim/v2", c.Prefix)
	}
	c.MaxPage = cmp.Or(c.MaxPage, 1000)
	c.PageSize = min(cmp.Or(c.PageSize, 100), c.MaxPage)
	c.CursorTTL = cmp.Or(c.CursorTTL, 10*time.Minute)
	c.MaxBody = cmp.Or(c.MaxBody, 4<<20)
	c.BulkOperations = cmp.Or(c.BulkOperations, 1000)
	c.BulkPayload = cmp.Or(c.BulkPayload, 8<<20)
	c.Rate = cmp.Or(c.Rate, 10_000)
	c.Removal = cmp.Or(c.Removal, 500)
	limits := filter.DefaultLimits()
	c.Filter.Bytes = cmp.Or(c.Filter.Bytes, limits.Bytes)
	c.Filter.Depth = cmp.Or(c.Filter.Depth, limits.Depth)
	c.Filter.Terms = cmp.Or(c.Filter.Terms, limits.Terms)
	if c.MaxPage < 1 || c.PageSize < 1 || c.CursorTTL < time.Second || c.MaxBody < 1024 || c.BulkOperations < 1 ||
		c.BulkPayload < 1024 || c.Rate < 1 || c.Removal < 1 {
		return errors.New("scim: a limit is too small")
	}
	return nil
}

// Mount adds the service to a router that matches paths as they were sent. Everything below the prefix is the service's,
// and so are other versions beside it, which are answered with invalidVers.
func (s *Service) Mount(r *mux.Router) {
	mine := func(r *http.Request, _ *mux.RouteMatch) bool {
		path := r.URL.EscapedPath()
		return s.below(path) || s.otherVersion(path)
	}
	r.MatcherFunc(mine).PathPrefix("/" + strings.SplitN(s.cfg.Prefix, "/", 3)[1]).Handler(s)
}

// below tells whether a path is the prefix or inside it.
func (s *Service) below(path string) bool {
	rest, ok := strings.CutPrefix(path, s.cfg.Prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// otherVersion tells whether a path names another version of the protocol where the prefix names version 2.
func (s *Service) otherVersion(path string) bool {
	parent, ok := strings.CutSuffix(s.cfg.Prefix, "/v2")
	if !ok {
		return false
	}
	rest, ok := strings.CutPrefix(path, parent+"/v")
	version, _, _ := strings.Cut(rest, "/")
	return ok && version != "" && strings.Trim(version, "0123456789.") == "" && !s.below(path)
}

// kindAt finds the resource type of an endpoint, which is spelled as in the schema.
func (s *Service) kindAt(segment string) *kind {
	for _, k := range s.kinds {
		if k.Type.Endpoint[1:] == segment {
			return k
		}
	}
	return nil
}

// kindNamed finds a resource type by its name.
func (s *Service) kindNamed(name string) *kind {
	for _, k := range s.kinds {
		if k.Type.Name == name {
			return k
		}
	}
	return nil
}
