package action

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"portico/adapter"
	"portico/httpapi"
	"portico/internal/texts"
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

// refusal is an answer of status ERROR, mostly with HTTP status 200.
type refusal struct {
	status int
	text   texts.ID
}

// Error is the id of the text.
func (r *refusal) Error() string { return string(r.text) }

// refused is a refusal with HTTP status 200.
func refused(id texts.ID) error { return &refusal{http.StatusOK, id} }

var (
	errMobileNoKey    = &refusal{http.StatusUnauthorized, texts.MobileNoKey}
	errMobileNoAction = &refusal{http.StatusNotFound, texts.MobileNoAction}
)

// fail writes the answer for an error: the one place where the adapter's errors
// become answers of the two APIs. What is expected to go wrong is a 200 with
// status ERROR, because clients take everything else for a breakdown.
func (a *API) fail(c *call, w http.ResponseWriter, err error) {
	var (
		plain *plainError
		bad   badParameter
		no    *refusal
	)
	switch {
	case errors.As(err, &no):
		a.refuse(c, w, no.status, no.text)
	case errors.As(err, &plain):
		a.plain(c, w, plain.status, plain.text)
	case errors.As(err, &bad):
		a.plain(c, w, http.StatusBadRequest, bad.Error())
	case errors.Is(err, context.Canceled) && c.ctx.Err() != nil:
		a.plain(c, w, http.StatusServiceUnavailable, "503 Request given up") // by the client; nobody reads this
	case errors.Is(err, context.DeadlineExceeded):
		a.refuse(c, w, http.StatusOK, texts.DirectoryError)
	default:
		a.failKind(c, w, err)
	}
}

func (a *API) failKind(c *call, w http.ResponseWriter, err error) {
	var e *adapter.Error
	if !errors.As(err, &e) {
		e = &adapter.Error{Kind: adapter.Internal, Cause: err}
	}
	switch e.Kind {
	case adapter.NotFound:
		a.notFound(c, w, e.Field)
	case adapter.Unavailable:
		a.log.WarnContext(c.ctx, "directory unavailable", "error", err)
		a.refuse(c, w, http.StatusOK, texts.DirectoryError)
	case adapter.Throttled:
		a.slowDown(c, w, e.RetryAfter)
	case adapter.Unauthenticated:
		if c.mobile {
			a.refuse(c, w, http.StatusOK, texts.MobileBadKey)
			return
		}
		a.plain(c, w, http.StatusForbidden, errForbidden.text)
	case adapter.Denied:
		if c.mobile {
			a.refuse(c, w, http.StatusOK, texts.TryOnWeb)
			return
		}
		a.plain(c, w, http.StatusForbidden, errForbidden.text)
	case adapter.Ambiguous:
		a.log.WarnContext(c.ctx, "more than one entry has that name", "error", err)
		a.refuse(c, w, http.StatusOK, texts.StateError)
	case adapter.Invalid, adapter.Conflict:
		a.refuse(c, w, http.StatusOK, texts.InvalidParameters)
	default:
		a.log.LogAttrs(c.ctx, slog.LevelError, "request failed", slog.Any("error", err))
		a.WriteFailure(w, c.r, http.StatusInternalServerError, c.client.RequestID)
	}
}

// notFound says who or what does not exist. For ismanagerof the answer repeats the
// value that was sent.
func (a *API) notFound(c *call, w http.ResponseWriter, field string) {
	id := texts.NoUser
	if c.action != nil && c.action.unknown != "" {
		id = c.action.unknown
	}
	switch field {
	case "group":
		id = texts.NoGroup
	case "notification":
		id = texts.InvalidParameters
	case "code":
		id = texts.NoSuchCode
	case "manager", "employee":
		c.refusal(a.texts.Get(id))
		c.member("user")
		c.out = appendString(c.out, c.text(field))
		c.close()
		a.respond(c, w, http.StatusOK)
		return
	}
	a.refuse(c, w, http.StatusOK, id)
}

// refuse answers with status ERROR and a text.
func (a *API) refuse(c *call, w http.ResponseWriter, status int, id texts.ID) {
	c.refusal(a.texts.Get(id))
	c.close()
	a.respond(c, w, status)
}

// slowDown answers 429, as JSON, where that is documented: for a wrong key and
// for guarded actions. Elsewhere clients take 429 for a breakdown, and get 200.
func (a *API) slowDown(c *call, w http.ResponseWriter, after time.Duration) {
	if c.action != nil && !c.action.guarded {
		a.refuse(c, w, http.StatusOK, texts.SlowDown)
		return
	}
	seconds := max(1, int((after+time.Second-1)/time.Second))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	a.refuse(c, w, http.StatusTooManyRequests, texts.SlowDown)
}

func (a *API) respond(c *call, w http.ResponseWriter, status int) {
	a.headers.json(w.Header())
	w.WriteHeader(status)
	_, _ = w.Write(c.out) // the client may be gone
}

// plain answers with a short text; the mobile API knows JSON only.
func (a *API) plain(c *call, w http.ResponseWriter, status int, text string) {
	if c.mobile {
		c.refusal(text)
		c.close()
		a.respond(c, w, status)
		return
	}
	a.headers.plain(w.Header())
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client may be gone
}

// WriteFailure answers for a request whose handler broke: a short plain text with
// the request's id, as httpapi.FailureWriter wants it, or JSON in the mobile API.
func (a *API) WriteFailure(w http.ResponseWriter, r *http.Request, status int, requestID string) {
	a.headers.set(w.Header())
	if r != nil && slices.Contains(mobilePaths(), strings.TrimPrefix(r.URL.EscapedPath(), a.cfg.Prefix)) {
		c := call{mobile: true}
		a.refuse(&c, w, status, texts.InternalError)
		return
	}
	httpapi.WritePlain(w, status, requestID)
}
