package scim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"portico/scim/fault"
)

// route is what a path leads to.
type route struct {
	name     string // for metrics
	handlers map[string]func(*exchange) error
	allow    string
	public   bool // needs no token
	search   bool // POST that only reads
	bulk     bool
	kind     *kind
	id       string // of a resource, decoded
}

// newRoute makes a route whose methods are known.
func newRoute(name string, handlers map[string]func(*exchange) error) *route {
	var methods []string
	for method := range handlers {
		methods = append(methods, method)
	}
	if handlers[http.MethodGet] != nil {
		methods = append(methods, http.MethodHead)
	}
	methods = append(methods, http.MethodOptions)
	slices.Sort(methods)
	return &route{name: name, handlers: handlers, allow: strings.Join(methods, ", ")}
}

// routes makes every route once; find hands out copies.
func routes() map[string]*route {
	resource := handlers{
		http.MethodGet: (*exchange).get, http.MethodPut: (*exchange).put,
		http.MethodPatch: (*exchange).patch, http.MethodDelete: (*exchange).remove,
	}
	own := handlers{}
	for method, handle := range resource {
		own[method] = me(handle)
	}
	table := map[string]*route{
		"":           newRoute("root", handlers{http.MethodGet: (*exchange).listAll}),
		".search":    newRoute("search", handlers{http.MethodPost: (*exchange).searchAll}),
		"Bulk":       newRoute("bulk", handlers{http.MethodPost: (*exchange).bulk}),
		"Me":         newRoute("me", own),
		"collection": newRoute("collection", handlers{http.MethodGet: (*exchange).list, http.MethodPost: (*exchange).create}),
		"search":     newRoute("search", handlers{http.MethodPost: (*exchange).search}),
		"resource":   newRoute("resource", resource),
	}
	table[".search"].search, table["search"].search, table["Bulk"].bulk = true, true, true
	return table
}

type handlers = map[string]func(*exchange) error

// find gives the route for a path below the prefix, as it was sent; nil when there is none.
func (s *Service) find(path string) *route {
	path = strings.TrimPrefix(path, "/")
	first, rest, deeper := strings.Cut(path, "/")
	second, err := url.PathUnescape(rest)
	if err != nil || deeper && (second == "" || strings.Contains(rest, "/")) {
		return nil
	}
	if !deeper {
		if found := s.findTop(first); found != nil {
			return found
		}
	}
	if found := s.findDiscovery(first, second, deeper); found != nil {
		found.public = s.cfg.PublicDiscovery
		return found
	}
	k := s.kindAt(first)
	name := "resource"
	switch {
	case k == nil:
		return nil
	case !deeper:
		name = "collection"
	case second == ".search":
		name = "search"
	}
	found := *s.routes[name]
	found.kind, found.id = k, second
	return &found
}

// findTop gives the routes that belong to no resource type.
func (s *Service) findTop(name string) *route {
	switch name {
	case "", ".search", "Bulk", "Me":
		found := *s.routes[name]
		return &found
	}
	return nil
}

// me turns a handler of a resource into one of the user that the token stands for.
func me(handle func(*exchange) error) func(*exchange) error {
	return func(x *exchange) error {
		users := x.s.kindNamed("User")
		switch {
		case x.s.cfg.NoMe || users == nil:
			return fault.New(http.StatusNotImplemented, "", "/Me is switched off")
		case x.who.PersonID == "":
			return fault.New(http.StatusNotFound, "", "the token stands for no user")
		}
		x.route.kind, x.route.id = users, x.who.PersonID
		x.w.Header().Set("Location", x.s.cfg.BaseURL+users.Type.Endpoint+"/"+url.PathEscape(x.who.PersonID))
		return handle(x)
	}
}
