package httpapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gorilla/mux"
)

// Dialect is an API that brings its routes. Routes are matched in the order in
// which they are mounted, on the path as it was sent (still encoded). A dialect
// that is also a FailureWriter gives panics its own form.
type Dialect interface {
	Mount(r *mux.Router)
}

// Check is one thing that must be in order before this process should get
// requests. Detail is shown to anyone who asks: no names of hosts, no DNs.
type Check struct {
	Name   string
	Ready  bool
	Detail string
}

// route builds the router: the dialects in the given order, behind health.
//
// SkipClean and UseEncodedPath are on and StrictSlash is off: "//", "..", "%2F"
// and a slash at the end mean what they say and nothing is ever redirected.
func (s *Server) route(dialects []Dialect) (http.Handler, error) {
	router := mux.NewRouter().SkipClean(true).UseEncodedPath().StrictSlash(false)
	router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WritePlain(w, http.StatusNotFound, "")
	})
	router.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WritePlain(w, http.StatusMethodNotAllowed, "")
	})
	for _, d := range dialects {
		d.Mount(router)
		failure, ok := d.(FailureWriter)
		if !ok {
			failure = plainFailure{}
		}
		if err := s.bind(router, failure); err != nil {
			return nil, fmt.Errorf("mount %T: %w", d, err)
		}
	}
	return s.health(router), nil
}

// health answers for the server itself. It stands before the router because two
// patterns more in front of every request cost more than two comparisons.
func (s *Server) health(next http.Handler) http.Handler {
	answer := func(handler http.HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if FromContext(r.Context()).route = r.URL.Path; r.Method != http.MethodGet && r.Method != http.MethodHead {
				w.Header().Set("Allow", "GET, HEAD")
				WritePlain(w, http.StatusMethodNotAllowed, "")
				return
			}
			handler(w, r)
		})
	}
	health, ready := answer(s.serveHealth), answer(s.serveReady)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.RawPath != "": // something in it is encoded that need not be
			next.ServeHTTP(w, r)
		case r.URL.Path == "/healthz":
			health.ServeHTTP(w, r)
		case r.URL.Path == "/readyz":
			ready.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// bind wraps the handlers of all routes that are new since the last call, so that
// the exchange learns which route was taken, and gathers the routes' fixed words.
func (s *Server) bind(router *mux.Router, failure FailureWriter) error {
	return router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		if err := route.GetError(); err != nil {
			return err
		}
		handler := route.GetHandler()
		if _, bound := handler.(*boundRoute); handler == nil || bound {
			return nil
		}
		template, err := route.GetPathTemplate()
		if err != nil {
			template = "/"
		}
		for word := range strings.SplitSeq(template, "/") {
			if !strings.ContainsAny(word, "{}") {
				s.words[word] = true
			}
		}
		route.Handler(&boundRoute{template: template, failure: failure, next: handler})
		return nil
	})
}

// boundRoute tells the exchange which route was matched.
type boundRoute struct {
	template string
	failure  FailureWriter
	next     http.Handler
}

// ServeHTTP notes the route and goes on.
func (b *boundRoute) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := FromContext(r.Context())
	e.route, e.failure = b.template, b.failure
	b.next.ServeHTTP(w, r)
}

// shape is what the log shows of a path that no route matched: the words that
// occur in routes, and a star for everything else, as a key may be among it.
func (s *Server) shape(path string) string {
	const most = 8
	var b strings.Builder
	b.WriteString("(none)")
	n := 0
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if n++; n > most {
			b.WriteString("/...")
			break
		}
		b.WriteByte('/')
		if s.words[segment] {
			b.WriteString(segment)
		} else {
			b.WriteByte('*')
		}
	}
	return b.String()
}

func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// serveReady answers 200 "ready", or 503 with a line for each thing that is not.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	var b strings.Builder
	for _, c := range s.readiness() {
		if c.Ready {
			continue
		}
		b.WriteString("not ready: " + c.Name)
		if c.Detail != "" {
			b.WriteString(": " + c.Detail)
		}
		b.WriteByte('\n')
	}
	if s.draining.Load() {
		b.WriteString("not ready: shutting down\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if b.Len() > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(b.String()))
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}
