package usermanagement

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"portico/adapter"
)

// refusal is an answer with a status and texts that may be shown.
type refusal struct {
	status int
	texts  []string
}

// Error joins the texts.
func (r refusal) Error() string { return strconv.Itoa(r.status) + " " + strings.Join(r.texts, "; ") }

// fail writes the answer for an error: the one place where the adapter's kinds
// become statuses of this API.
func (a *API) fail(c *call, err error) {
	r := a.refusalOf(c, err)
	if len(r.texts) == 0 {
		r.texts = []string{http.StatusText(r.status)}
	}
	if r.status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", `Basic realm="Portico", charset="UTF-8"`)
	}
	a.writeErrors(c, r.status, r.texts)
}

func (a *API) refusalOf(c *call, err error) refusal {
	if r, ok := errors.AsType[refusal](err); ok {
		return r
	}
	if b, ok := errors.AsType[badBody](err); ok {
		return refusal{http.StatusBadRequest, []string{string(b)}}
	}
	if faults, ok := errors.AsType[adapter.Faults](err); ok {
		r := refusal{status: http.StatusUnprocessableEntity}
		for _, f := range faults {
			r.texts = append(r.texts, f.Text)
		}
		return r
	}
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		e = &adapter.Error{Kind: adapter.Internal, Cause: err}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			e.Kind = adapter.Unavailable
		}
	}
	return a.refusalOfKind(c, e)
}

func (a *API) refusalOfKind(c *call, e *adapter.Error) refusal {
	switch e.Kind {
	case adapter.Unauthenticated:
		return refusal{http.StatusUnauthorized, []string{"Access denied"}}
	case adapter.Denied:
		return refusal{http.StatusForbidden, said(e, "Access denied")}
	case adapter.NotFound:
		return refusal{http.StatusNotFound, []string{"Not found"}}
	case adapter.Invalid:
		return refusal{http.StatusUnprocessableEntity, said(e, "Field "+e.Field+" is not valid")}
	case adapter.Conflict:
		status := http.StatusConflict
		if e.Field == "key" {
			return refusal{http.StatusUnprocessableEntity, said(e, "Key is there already, or there are too many")}
		}
		return refusal{status, said(e, "Conflict")}
	case adapter.Ambiguous:
		return refusal{http.StatusConflict, []string{"Several users have that name"}}
	case adapter.Throttled:
		retryAfter(c.w, e.RetryAfter)
		return refusal{http.StatusTooManyRequests, []string{"Too many requests"}}
	case adapter.Unavailable:
		a.log.WarnContext(c.r.Context(), "unavailable", "error", e)
		retryAfter(c.w, e.RetryAfter)
		return refusal{http.StatusServiceUnavailable, said(e, "Service is unavailable at the moment")}
	}
	a.log.LogAttrs(c.r.Context(), slog.LevelError, "request failed", slog.Any("error", e))
	return refusal{http.StatusInternalServerError, []string{"Internal error (request " + c.client.RequestID + ")"}}
}

func said(e *adapter.Error, otherwise string) []string {
	if e.Text != "" {
		return []string{e.Text}
	}
	return []string{otherwise}
}

func retryAfter(w http.ResponseWriter, after time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int((after+time.Second-1)/time.Second))))
}

// writeErrors writes the error document.
func (a *API) writeErrors(c *call, status int, texts []string) {
	c.status = status
	w := c.begin()
	if c.json {
		w.jsonRecord(record{{name: "errors", value: texts}, {name: "error", value: texts[0]}})
	} else {
		w.xmlHead()
		w.xmlPart(part{name: "errors", value: texts, item: "error"}, 0)
	}
	_ = w.flush()
}

// WriteFailure answers for a request whose handler broke, as httpapi.FailureWriter
// wants it.
func (a *API) WriteFailure(w http.ResponseWriter, r *http.Request, status int, requestID string) {
	c := &call{w: w, r: r}
	if r != nil {
		c.json = wantsJSON(r, "")
	}
	a.writeErrors(c, status, []string{http.StatusText(status) + " (request " + requestID + ")"})
}

// qualityOf reads the q of a part of Accept (RFC 9110 §12.4.2).
func qualityOf(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.TrimSpace(name) != "q" {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
