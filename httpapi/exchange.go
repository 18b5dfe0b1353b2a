package httpapi

import (
	"context"
	"net/http"
	"strconv"
)

// Exchange is what the server knows of one request while it is being answered.
// Handlers add to it what the access log and the metrics shall show. It is used
// by the goroutine of the request only.
type Exchange struct {
	requestID string
	client    string     // address without port
	conn      *gatedConn // nil when the request did not come through our listener

	route     string // template of the matched route
	operation string
	keyID     int64
	failure   FailureWriter

	idHeader [1]string // backs the X-Request-Id header
}

// RequestID is the id that the answer carries as X-Request-Id and every log
// line of the request carries as request_id.
func (e *Exchange) RequestID() string { return e.requestID }

// Client is the address of the client, without port: the peer's, or the one
// that a trusted proxy names.
func (e *Exchange) Client() string { return e.client }

// SetOperation names what the request asks for, where the route alone does not
// tell. It becomes a metrics label: only names from a closed list may be given.
func (e *Exchange) SetOperation(name string) { e.operation = name }

// SetKey notes the id (never the text) of the API key that the request showed.
func (e *Exchange) SetKey(id int64) { e.keyID = id }

type exchangeKey struct{}

// FromContext is the Exchange of the request that ctx belongs to. Outside of a
// request of this server it is an empty one.
func FromContext(ctx context.Context) *Exchange {
	if e, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		return e
	}
	return &Exchange{}
}

// state holds everything that the middleware keeps for one request, in one piece
// of memory: the request's context, its Exchange and its response writer.
type state struct {
	context.Context
	exchange Exchange
	recorder recorder
}

// Value finds the Exchange; everything else is the outer context's.
func (s *state) Value(key any) any {
	if _, ok := key.(exchangeKey); ok {
		return &s.exchange
	}
	return s.Context.Value(key)
}

// recorder is a response writer that remembers status and size.
type recorder struct {
	http.ResponseWriter
	status int // 0: nothing written yet
	bytes  int64
}

// WriteHeader notes the first final status.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts what goes out.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the server's writer.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// FailureWriter writes an answer for a request that never reached its handler's
// own answer, or whose handler broke. A dialect that implements it gives such
// answers its own form.
type FailureWriter interface {
	WriteFailure(w http.ResponseWriter, r *http.Request, status int, requestID string)
}

// WritePlain answers with a status line's text and nothing else, as plain text:
// the form of failure where a dialect has none of its own. The request id is
// added from status 500 on.
func WritePlain(w http.ResponseWriter, status int, requestID string) {
	body := strconv.Itoa(status) + " " + http.StatusText(status)
	if status >= http.StatusInternalServerError && requestID != "" {
		body += " (request " + requestID + ")"
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Del("Content-Length")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may be gone; nobody is left to tell
}

type plainFailure struct{}

func (plainFailure) WriteFailure(w http.ResponseWriter, _ *http.Request, status int, requestID string) {
	WritePlain(w, status, requestID)
}
