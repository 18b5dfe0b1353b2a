package console

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"portico/adapter"
	"portico/httpapi"
	"portico/internal/texts"
)

const (
	maxForm  = 64 << 10 // bytes of a posted form
	maxField = 4096
)

// exchange is one request on its way.
type exchange struct {
	*http.Request
	client adapter.Client
	person *adapter.Person // signed in; nil on pages for all
}

func (x *exchange) key() adapter.PersonKey { return adapter.ByUID(x.person.UID) }

// field reads one field of a posted form. It must be there once; what is absent
// or there twice is never taken for empty.
func (x *exchange) field(name string) (string, error) {
	values := x.PostForm[name]
	if len(values) != 1 || len(values[0]) > maxField {
		return "", errBadForm
	}
	return values[0], nil
}

// id reads a field that holds the id of something in a list.
func (x *exchange) id() (int64, error) {
	text, err := x.field("id")
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, errBadForm
	}
	return id, nil
}

// answer is what a handler gives back: a page, or the address to go on to.
type answer struct {
	status   int
	page     string // template
	data     view
	redirect string
	content  []byte // neither of both: the style sheet
	images   string // further sources of images, for the policy
	formTo   string // where forms of this page may lead; "" is us
}

// to sends the browser on, with GET.
func to(address string) *answer { return &answer{status: http.StatusSeeOther, redirect: address} }

// found is to with the status that the old applications know.
func found(address string) *answer { return &answer{status: http.StatusFound, redirect: address} }

func page(name string, v view) *answer { return &answer{status: http.StatusOK, page: name, data: v} }

// pageFault is a failure with a page of its own.
type pageFault uint8

const (
	errBadForm pageFault = iota
	errNotFound
	errTooLarge
	errCross
	errRedirect
)

// Error gives the label of the text that people see.
func (f pageFault) Error() string {
	switch f {
	case errNotFound:
		return "error.gone"
	case errCross:
		return "error.cross"
	case errRedirect:
		return "error.redirect"
	default:
		return "error.form"
	}
}

func (f pageFault) status() int {
	switch f {
	case errNotFound:
		return http.StatusNotFound
	case errTooLarge:
		return http.StatusRequestEntityTooLarge
	case errCross:
		return http.StatusForbidden
	default:
		return http.StatusBadRequest
	}
}

// handler puts the steps that every page needs around a route's own.
func (c *Console) handler(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := ""
		if cookie, err := r.Cookie(c.sessions.Cookie.Name); err == nil && len(cookie.Value) <= 128 {
			token = cookie.Value
		}
		ctx, err := c.sessions.Load(r.Context(), token)
		if err != nil {
			c.write(w, r, c.failure(r, &adapter.Error{Kind: adapter.Internal, Cause: err}))
			return
		}
		r = r.WithContext(ctx)
		info := httpapi.FromContext(ctx)
		x := &exchange{Request: r, client: adapter.Client{Address: info.Client(), RequestID: info.RequestID()}}
		a, err := c.serve(rt, x, w)
		if err == nil {
			err = c.save(w, x)
		}
		if err != nil {
			a = c.failure(r, err)
		}
		a.data.person = x.person
		c.write(w, r, a)
	})
}

func (c *Console) serve(rt route, x *exchange, w http.ResponseWriter) (*answer, error) {
	if err := c.cross.Check(x.Request); err != nil {
		return nil, errCross
	}
	if rt.method == http.MethodPost {
		if err := readForm(x, w); err != nil {
			return nil, err
		}
	}
	if rt.access != forAll {
		person, err := c.signedIn(x.Context())
		if err != nil {
			return nil, err
		}
		if person == nil {
			return to(c.path("/account/signin") + c.comeBack(rt)), nil
		}
		x.person = person
		if rt.access == forFresh && !c.fresh(x.Context()) {
			c.notify(x, "signin.again")
			return to(c.path("/account/signin") + c.comeBack(rt)), nil
		}
	}
	return rt.handle(c, x)
}

// readForm reads a posted form; other kinds of body are refused.
func readForm(x *exchange, w http.ResponseWriter) error {
	kind, _, _ := strings.Cut(x.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return errBadForm
	}
	x.Body = http.MaxBytesReader(w, x.Body, maxForm)
	if err := x.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return errTooLarge
		}
		return errBadForm
	}
	return nil
}

// save keeps the session before anything of the answer is written, so that no
// answer promises what is not stored.
func (c *Console) save(w http.ResponseWriter, x *exchange) error {
	ctx := x.Context()
	switch c.sessions.Status(ctx) {
	case sessionModified:
		token, expiry, err := c.sessions.Commit(ctx)
		if err != nil {
			return err
		}
		c.sessions.WriteSessionCookie(ctx, w, token, expiry)
	case sessionDestroyed:
		if len(x.Cookies()) > 0 {
			c.sessions.WriteSessionCookie(ctx, w, "", time.Time{})
		}
	}
	return nil
}

// comeBack names the page to return to after signing in: the page asked for, or
// the page that a change belongs to.
func (c *Console) comeBack(rt route) string {
	path := rt.path
	for !isPage(path) {
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
		if path == "" {
			return ""
		}
	}
	if path == "/account/" || path == "/account" {
		return ""
	}
	return "?to=" + strings.TrimPrefix(path, "/account/")
}

// isPage tells whether a signed-in person can look at that path.
func isPage(path string) bool {
	return path == joinPath || slices.ContainsFunc(routes(), func(rt route) bool {
		return rt.path == path && rt.method == http.MethodGet && rt.access == forSigned
	})
}

// failure turns an error into a page. Only what nobody outside caused is logged.
func (c *Console) failure(r *http.Request, err error) *answer {
	status, label := http.StatusInternalServerError, "error.internal"
	text := ""
	var own pageFault
	switch kind := adapter.KindOf(err); {
	case errors.As(err, &own):
		status, label = own.status(), own.Error()
	case kind == adapter.Unavailable:
		status, text = http.StatusServiceUnavailable, c.labels.message(texts.DirectoryError)
	case kind == adapter.Throttled:
		status, text = http.StatusTooManyRequests, c.labels.message(texts.SlowDown)
	case kind == adapter.NotFound:
		status, label = http.StatusNotFound, "error.gone"
	case kind == adapter.Denied:
		status, label = http.StatusForbidden, "error.denied"
	}
	v := view{Error: text, Status: status}
	if text == "" {
		v.Error = c.labels.get(label)
	}
	if status == http.StatusInternalServerError {
		c.log.ErrorContext(r.Context(), "a page could not be made", "error", err)
		v.RequestID = httpapi.FromContext(r.Context()).RequestID()
	}
	return &answer{status: status, page: "error", data: v}
}

// WriteFailure answers for a handler that broke.
func (c *Console) WriteFailure(w http.ResponseWriter, r *http.Request, status int, requestID string) {
	c.write(w, r, &answer{status: status, page: "error", data: view{
		Error: c.labels.get("error.internal"), Status: status, RequestID: requestID,
	}})
}

// write sends an answer with the headers that every page has.
func (c *Console) write(w http.ResponseWriter, r *http.Request, a *answer) {
	h := w.Header()
	c.secure(h, a)
	if a.redirect != "" {
		h.Set("Location", a.redirect)
		w.WriteHeader(a.status)
		return
	}
	body, kind := a.content, "text/css; charset=utf-8"
	if body == nil {
		var b bytes.Buffer
		if err := c.render(&b, a); err != nil {
			c.log.ErrorContext(r.Context(), "a page could not be made", "page", a.page, "error", err)
			httpapi.WritePlain(w, http.StatusInternalServerError, httpapi.FromContext(r.Context()).RequestID())
			return
		}
		body, kind = b.Bytes(), "text/html; charset=utf-8"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) //nolint:gosec // made by html/template; the browser may be gone
	}
}

// secure sets the headers. The referrer stays with us: without one, browsers
// would hide the origin of our own forms, too.
func (c *Console) secure(h http.Header, a *answer) {
	formTo := a.formTo
	if formTo == "" {
		formTo = "'self'"
	}
	images := "'self' data:"
	if a.images != "" {
		images += " " + a.images
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src "+images+
		"; form-action "+formTo+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Vary", "Cookie")
	if a.content != nil {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Del("Vary")
	} else {
		h.Set("Cache-Control", "no-store")
	}
}

func (c *Console) path(path string) string { return c.cfg.Prefix + path }

// notify leaves a text for the next page.
func (c *Console) notify(x *exchange, label string) { c.sessions.Put(x.Context(), keyNotice, label) }

// notice takes the text that was left.
func (c *Console) notice(x *exchange) string {
	label := c.sessions.GetString(x.Context(), keyNotice)
	if label == "" {
		return ""
	}
	c.sessions.Remove(x.Context(), keyNotice)
	return c.labels.get(label)
}

// style serves the style sheet.
func (c *Console) style(*exchange) (*answer, error) {
	return &answer{status: http.StatusOK, content: styleSheet}, nil
}
