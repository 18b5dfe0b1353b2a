package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// chain puts the steps around the router, in the order of the package comment.
func (s *Server) chain(router http.Handler) http.Handler {
	return s.identify(s.locate(s.barrier(s.accessLog(s.secure(s.limit(router))))))
}

// stateOf is for the steps after identify only.
func stateOf(r *http.Request) *state { return r.Context().(*state) }

// identify makes the state of the request, with an id that is new within this
// process and, by its random beginning, among processes.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := &state{Context: r.Context()}
		st.recorder.ResponseWriter = w
		st.exchange.requestID = s.nextID()
		st.exchange.conn, _ = st.Context.Value(connKey{}).(*gatedConn)
		st.exchange.conn.begin()
		next.ServeHTTP(&st.recorder, r.WithContext(st))
	})
}

func (s *Server) nextID() string {
	var buf [32]byte
	id := append(buf[:0], s.idPrefix...)
	return string(strconv.AppendUint(id, s.requests.Add(1), 36))
}

// locate finds the client's address. A trusted proxy may also give the request
// its id, so that one id runs through all logs.
func (s *Server) locate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &stateOf(r).exchange
		var trusted bool
		if c := e.conn; c != nil {
			e.client, trusted = c.peer.text, c.peer.trusted
			if trusted {
				e.client = s.proxies.client(c.peer.addr, r.Header).String()
			}
		} else {
			addr := peerAddr(r.RemoteAddr)
			trusted = s.proxies.trusts(addr)
			if trusted {
				addr = s.proxies.client(addr, r.Header)
			}
			e.client = addr.String()
		}
		if id := r.Header["X-Request-Id"]; trusted && len(id) == 1 && saneID(id[0]) {
			e.requestID = id[0]
		}
		e.idHeader[0] = e.requestID
		w.Header()["X-Request-Id"] = e.idHeader[:]
		next.ServeHTTP(w, r)
	})
}

// saneID accepts ids of up to 64 letters, digits, '-', '_' and '.'.
func saneID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

// barrier turns a panic into an answer of status 500, or into a broken
// connection when an answer has begun already.
func (s *Server) barrier(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(http.ErrAbortHandler)
			}
			st := stateOf(r)
			s.metrics.panics.Inc()
			s.log.LogAttrs(st, slog.LevelError, "panic in a handler",
				slog.String("route", st.exchange.route), slog.String("operation", st.exchange.operation),
				slog.String("cause", clip(fmt.Sprint(cause), 300)), slog.String("stack", string(debug.Stack())))
			if st.recorder.status != 0 {
				panic(http.ErrAbortHandler)
			}
			st.fail(w, r, http.StatusInternalServerError)
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *state) fail(w http.ResponseWriter, r *http.Request, status int) {
	failure := s.exchange.failure
	if failure == nil {
		failure = plainFailure{}
	}
	failure.WriteFailure(w, r, status, s.exchange.requestID)
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "..."
	}
	return s
}

// accessLog writes one line per request and counts it. It names the route's
// template, never the path (which may hold a key) and never the query.
func (s *Server) accessLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.now()
		finished := false
		defer func() {
			st := stateOf(r)
			end := s.now()
			st.exchange.conn.end(end)
			status := st.recorder.status
			switch {
			case !finished:
				status = http.StatusInternalServerError // a panic is on its way to the barrier
			case status == 0:
				status = http.StatusOK // net/http answers so for a handler that wrote nothing
			}
			s.metrics.observe(&st.exchange, status, end.Sub(start))
			s.logAccess(st, r, status, end, end.Sub(start))
		}()
		next.ServeHTTP(w, r)
		finished = true
	})
}

// logAccess hands its record straight to the handler below the request's own
// wrapper: this line is written for every request, and looking up the caller's
// program counter and growing the record twice would be half of its price.
func (s *Server) logAccess(st *state, r *http.Request, status int, end time.Time, took time.Duration) {
	if !s.accessLogger.Enabled(st, slog.LevelInfo) {
		return
	}
	e := &st.exchange
	route := e.route
	if route == "" {
		route = s.shape(r.URL.EscapedPath())
	}
	var buf [9]slog.Attr
	attrs := append(buf[:0],
		slog.String("request_id", e.requestID),
		slog.String("client", e.client),
		slog.String("method", methodName(r.Method)),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Int64("bytes", st.recorder.bytes),
		slog.Duration("took", took))
	if e.operation != "" {
		attrs = append(attrs, slog.String("operation", e.operation))
	}
	if e.keyID != 0 {
		attrs = append(attrs, slog.Int64("key", e.keyID))
	}
	record := slog.NewRecord(end, slog.LevelInfo, "request", 0)
	record.AddAttrs(attrs...)
	_ = s.accessLogger.Handle(st, record) // as log/slog does: there is nobody to tell
}

// methodName keeps invented methods out of the log.
func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions, http.MethodPut,
		http.MethodPatch, http.MethodDelete, http.MethodTrace, http.MethodConnect:
		return method
	}
	return "other"
}

// secure sets the headers that every answer carries. Pages for people replace the
// policy by their own.
func (s *Server) secure(next http.Handler) http.Handler {
	var (
		sniff   = []string{"nosniff"}
		store   = []string{"no-store"}
		referer = []string{"no-referrer"}
		policy  = []string{"default-src 'none'; frame-ancestors 'none'"}
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = sniff
		h["Cache-Control"] = store
		h["Referrer-Policy"] = referer
		h["Content-Security-Policy"] = policy
		next.ServeHTTP(w, r)
	})
}

// limit refuses bodies that are too large or compressed. A body without a
// declared length fails with *http.MaxBytesError when it is read too far.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, coding := range r.Header["Content-Encoding"] {
			if coding != "" && coding != "identity" {
				w.Header().Set("Accept-Encoding", "identity")
				WritePlain(w, http.StatusUnsupportedMediaType, "")
				return
			}
		}
		if slices.ContainsFunc(s.cfg.OwnBodies, func(prefix string) bool { return strings.HasPrefix(r.URL.Path, prefix) }) {
			next.ServeHTTP(w, r)
			return
		}
		most := max(s.cfg.MaxBody, s.cfg.LargerBodies[r.URL.Path])
		if r.ContentLength > most {
			w.Header().Set("Connection", "close")
			WritePlain(w, http.StatusRequestEntityTooLarge, "")
			return
		}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(stateOf(r).recorder.ResponseWriter, r.Body, most)
		}
		next.ServeHTTP(w, r)
	})
}
