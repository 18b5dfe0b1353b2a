package action

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"portico/adapter"
	"portico/httpapi"
)

// plainError is an answer outside of the API's JSON.
type plainError struct {
	status int
	text   string
}

// Error is the body of the answer.
func (e *plainError) Error() string { return e.text }

var (
	errForbidden     = &plainError{http.StatusForbidden, "403 Unauthorized"}
	errNoAction      = &plainError{http.StatusNotFound, "404 No action specified"}
	errUnknownAction = &plainError{http.StatusNotFound, "404 Action not defined"}
	errTooLarge      = &plainError{http.StatusRequestEntityTooLarge, "413 Request too large"}
	errBrokenBody    = &plainError{http.StatusBadRequest, "400 Bad request: incomplete body"}
	errTooMany       = &plainError{http.StatusBadRequest, "400 Bad request: too many parameters"}
)

// fail writes the answer for an error: the one place where the adapter's errors
// become answers of this API. What is expected to go wrong is a 200 with status
// ERROR, because clients take everything else for a breakdown.
func (a *API) fail(c *call, w http.ResponseWriter, err error) {
	var (
		plain *plainError
		bad   badParameter
	)
	switch {
	case errors.As(err, &plain):
		a.plain(w, plain.status, plain.text)
		return
	case errors.As(err, &bad):
		a.plain(w, http.StatusBadRequest, bad.Error())
		return
	case errors.Is(err, context.Canceled) && c.ctx.Err() != nil:
		a.plain(w, http.StatusServiceUnavailable, "503 Request given up") // by the client; nobody reads this
		return
	case errors.Is(err, context.DeadlineExceeded):
		a.refuse(c, w, textDirectoryError)
		return
	}
	var e *adapter.Error
	if !errors.As(err, &e) {
		e = &adapter.Error{Kind: adapter.Internal, Cause: err}
	}
	switch e.Kind {
	case adapter.NotFound:
		a.notFound(c, w, e.Field)
	case adapter.Unavailable:
		a.log.WarnContext(c.ctx, "directory unavailable", "error", err)
		a.refuse(c, w, textDirectoryError)
	case adapter.Throttled:
		a.slowDown(c, w, e.RetryAfter)
	case adapter.Unauthenticated, adapter.Denied:
		a.plain(w, http.StatusForbidden, errForbidden.text)
	case adapter.Ambiguous:
		a.log.WarnContext(c.ctx, "more than one entry has that name", "error", err)
		a.refuse(c, w, textStateError)
	case adapter.Invalid, adapter.Conflict:
		a.refuse(c, w, textInvalidParameters)
	default:
		a.log.LogAttrs(c.ctx, slog.LevelError, "request failed", slog.Any("error", err))
		a.WriteFailure(w, nil, http.StatusInternalServerError, c.client.RequestID)
	}
}

// notFound says who or what does not exist. For ismanagerof the answer repeats the
// value that was sent.
func (a *API) notFound(c *call, w http.ResponseWriter, field string) {
	id := textNoUser
	if c.action != nil && c.action.unknown != "" {
		id = c.action.unknown
	}
	switch field {
	case "group":
		a.refuse(c, w, textNoGroup)
	case "manager", "employee":
		c.refusal(a.texts.get(id))
		c.out = append(c.out, `,"user":`...)
		c.out = appendString(c.out, c.text(field))
		c.close()
		a.respond(c, w, http.StatusOK)
	default:
		a.refuse(c, w, id)
	}
}

// refuse answers 200 with status ERROR.
func (a *API) refuse(c *call, w http.ResponseWriter, id textID) {
	c.refusal(a.texts.get(id))
	c.close()
	a.respond(c, w, http.StatusOK)
}

// slowDown answers 429, as JSON.
func (a *API) slowDown(c *call, w http.ResponseWriter, after time.Duration) {
	seconds := max(1, int((after+time.Second-1)/time.Second))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	c.refusal(a.texts.get(textSlowDown))
	c.close()
	a.respond(c, w, http.StatusTooManyRequests)
}

func (a *API) respond(c *call, w http.ResponseWriter, status int) {
	a.headers.json(w.Header())
	w.WriteHeader(status)
	_, _ = w.Write(c.out) // the client may be gone
}

func (a *API) plain(w http.ResponseWriter, status int, text string) {
	a.headers.plain(w.Header())
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client may be gone
}

// WriteFailure answers for a request whose handler broke: a short plain text with
// the request's id, as httpapi.FailureWriter wants it.
func (a *API) WriteFailure(w http.ResponseWriter, _ *http.Request, status int, requestID string) {
	a.headers.set(w.Header())
	httpapi.WritePlain(w, status, requestID)
}
