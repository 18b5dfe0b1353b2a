package collaboration

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"portico/adapter"
	"portico/httpapi"
)

// fault is a refusal of this package itself.
type fault struct {
	status int
	code   string
	text   string
}

// Error gives the text, which may be shown.
func (f *fault) Error() string { return f.text }

var (
	errPath  = &fault{http.StatusBadRequest, "invalid_path", "the path cannot be read"}
	errLarge = &fault{http.StatusRequestEntityTooLarge, "too_large", "the request is too large"}
	errType  = &fault{http.StatusUnsupportedMediaType, "media_type", "the body must be application/json"}
)

func bad(field, text string) error {
	return &adapter.Error{Kind: adapter.Invalid, Field: field, Text: text}
}

// statusOf maps the kinds of error to statuses, codes and texts, in one place.
func statusOf(e *adapter.Error) (status int, code, text string) {
	switch e.Kind {
	case adapter.NotFound:
		return http.StatusNotFound, "not_found", "not found"
	case adapter.Conflict:
		return http.StatusConflict, "conflict", "conflict"
	case adapter.Denied:
		return http.StatusForbidden, "forbidden", "not allowed"
	case adapter.Unauthenticated:
		return http.StatusUnauthorized, "unauthorized", "no valid key"
	case adapter.Invalid, adapter.Ambiguous:
		return http.StatusBadRequest, "invalid", "not valid"
	case adapter.Throttled:
		return http.StatusTooManyRequests, "throttled", "too many requests"
	case adapter.Unavailable:
		return http.StatusServiceUnavailable, "unavailable", "not available at the moment"
	default:
		return http.StatusInternalServerError, "internal", "internal error"
	}
}

// fail writes an error. Only what nobody outside caused is logged in full.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if own, ok := errors.AsType[*fault](err); ok {
		a.writeError(w, own.status, own.code, own.text)
		return
	}
	known, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		known = &adapter.Error{Kind: adapter.Internal, Cause: err}
	}
	status, code, text := statusOf(known)
	if known.Field != "" && known.Kind != adapter.Internal {
		code += "_" + strings.ReplaceAll(known.Field, " ", "_")
		text = known.Field + ": " + text
	}
	if known.Text != "" && known.Kind != adapter.Internal {
		text = known.Text
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="collaborations"`)
	case http.StatusInternalServerError:
		a.log.ErrorContext(r.Context(), "a request of the collaboration API failed", "error", err)
	case http.StatusServiceUnavailable:
		a.log.WarnContext(r.Context(), "a request of the collaboration API could not be answered", "error", err)
	}
	if known.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(known.RetryAfter.Seconds()))))
	}
	a.writeError(w, status, code, text)
}

func (a *API) writeError(w http.ResponseWriter, status int, code, text string) {
	var b buffer
	b.open('{')
	b.boolean("error", true)
	b.text("message", text)
	b.text("code", code)
	b.close('}')
	a.write(w, status, b.bytes)
}

// WriteFailure answers for a handler that broke.
func (a *API) WriteFailure(w http.ResponseWriter, _ *http.Request, status int, requestID string) {
	a.writeError(w, status, "internal", "internal error (request "+requestID+")")
}

// write sends an answer; 204 has no body.
func (a *API) write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusNoContent || status == http.StatusNotModified {
		w.WriteHeader(status)
		return
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

var _ httpapi.FailureWriter = (*API)(nil)
