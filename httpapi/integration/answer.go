package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"portico/adapter"
	"portico/httpapi"
)

// refusal is an answer that is not 200: a status and one line.
type refusal struct {
	status int
	text   string
}

// Error is the body of the answer.
func (r refusal) Error() string { return r.text }

// encoded is a list with its form on the wire, to be sent again while the list is
// the same.
type encoded struct {
	of   any
	body []byte
}

// cached gives the wire form of a list, which the adapter gives by the same
// pointer as long as nothing has changed.
func (a *API) cached(slot interface {
	Load() *encoded
	Store(*encoded)
}, of any, build func() any,
) ([]byte, error) {
	if e := slot.Load(); e != nil && e.of == of {
		return e.body, nil
	}
	body, err := encode(build())
	if err == nil {
		slot.Store(&encoded{of, body})
	}
	return body, err
}

// encode writes JSON indented by two spaces, in raw UTF-8.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func (a *API) answer(c *call, body []byte) {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Allow", http.MethodPost)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = c.w.Write(body) // the client may be gone
}

// fail writes the answer for an error: the one place where the adapter's kinds
// become statuses of this API.
func (a *API) fail(c *call, err error) {
	r := a.refusalOf(c, err)
	if r.status == http.StatusInternalServerError {
		a.WriteFailure(c.w, c.r, r.status, c.client.RequestID)
		return
	}
	if r.status == http.StatusMethodNotAllowed {
		c.w.Header().Set("Allow", http.MethodPost)
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(r.status)
	_, _ = c.w.Write([]byte(r.text)) // the client may be gone
}

func (a *API) refusalOf(c *call, err error) refusal {
	if r, ok := errors.AsType[refusal](err); ok {
		return r
	}
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		e = &adapter.Error{Kind: adapter.Internal, Cause: err}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			e.Kind = adapter.Unavailable
		}
	}
	switch e.Kind {
	case adapter.Unauthenticated:
		return refusal{http.StatusForbidden, "The key is wrong."}
	case adapter.NotFound:
		what := "There is no user "
		if e.Field == "team" {
			what = "There is no team "
		}
		return refusal{http.StatusNotFound, what + oneLine(c.about) + "."}
	case adapter.Denied:
		if e.Field == "account" {
			return refusal{http.StatusForbidden, "The account is disabled."}
		}
		return refusal{http.StatusForbidden, "The password is wrong."}
	case adapter.Invalid:
		return refusal{http.StatusBadRequest, "The field " + e.Field + " is empty or unusable."}
	case adapter.Throttled:
		retryAfter(c.w, e.RetryAfter)
		return refusal{http.StatusTooManyRequests, "Too many failed attempts; try again later."}
	case adapter.Ambiguous:
		return refusal{http.StatusForbidden, "The password is wrong."}
	case adapter.Unavailable:
		a.log.WarnContext(c.r.Context(), "directory unavailable", "error", err)
		retryAfter(c.w, e.RetryAfter)
		return refusal{http.StatusServiceUnavailable, "The directory cannot be reached; try again later."}
	}
	a.log.LogAttrs(c.r.Context(), slog.LevelError, "request failed", slog.Any("error", err))
	return refusal{status: http.StatusInternalServerError}
}

func retryAfter(w http.ResponseWriter, after time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int((after+time.Second-1)/time.Second))))
}

// outcomeOf is one word or so of an error for the log.
func outcomeOf(err error) string {
	if r, ok := errors.AsType[refusal](err); ok {
		return strconv.Itoa(r.status)
	}
	text := adapter.KindOf(err).String()
	if field := adapter.FieldOf(err); field != "" {
		text += " " + field
	}
	return text
}

// oneLine is what of a name from outside may stand in an answer.
func oneLine(text string) string {
	const most = 200
	runes := []rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 }), " "))
	if len(runes) > most {
		runes = append(runes[:most], '…')
	}
	return string(runes)
}

// WriteFailure answers for a request whose handler broke, as httpapi.FailureWriter
// wants it.
func (a *API) WriteFailure(w http.ResponseWriter, _ *http.Request, status int, requestID string) {
	w.Header().Set("Cache-Control", "no-store")
	httpapi.WritePlain(w, status, requestID)
}
