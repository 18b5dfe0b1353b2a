package scim

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"portico/scim/fault"
	"portico/scim/resource"
)

// exchange is one request while it is being answered.
type exchange struct {
	s     *Service
	w     http.ResponseWriter
	r     *http.Request
	who   *Principal
	route *route
	query url.Values
	// started says that a part of the answer is on its way already: nothing else can be answered any more.
	started bool
}

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: w, r: r}
	defer func() {
		broken := recover()
		if broken == nil {
			return
		}
		if broken == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
			panic(broken)
		}
		s.deps.Log.ErrorContext(r.Context(), "SCIM handler broke", "panic", broken, "stack", string(debug.Stack()))
		if x.started {
			panic(http.ErrAbortHandler) // the client sees that the answer breaks off
		}
		s.WriteFailure(w, r, http.StatusInternalServerError, "")
	}()
	if err := x.serve(); err != nil {
		s.refuse(w, r, err)
	}
}

// serve takes the request through the steps up to its handler.
func (x *exchange) serve() error {
	path := x.r.URL.EscapedPath()
	if x.s.otherVersion(path) {
		return fault.Bad(fault.InvalidVers, "this service speaks version 2.0 of SCIM")
	}
	x.route = x.s.find(strings.TrimPrefix(path, x.s.cfg.Prefix))
	if x.r.ContentLength > x.limit() {
		return tooLarge()
	}
	if err := x.authenticate(); err != nil {
		return err
	}
	if x.route == nil {
		return fault.New(http.StatusNotFound, "", "there is nothing at this path")
	}
	method := x.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle, allowed := x.route.handlers[method]
	if !allowed {
		return x.otherMethod(method)
	}
	if err := x.mayDo(method); err != nil {
		return err
	}
	if err := checkAccept(x.r.Header["Accept"]); err != nil {
		return err
	}
	var err error
	if x.query, err = url.ParseQuery(x.r.URL.RawQuery); err != nil {
		return fault.Bad(fault.InvalidValue, "the query part of the URL is malformed")
	}
	return handle(x)
}

// limit is the most bytes of the body.
func (x *exchange) limit() int64 {
	if x.route != nil && x.route.bulk {
		return x.s.cfg.BulkPayload
	}
	return x.s.cfg.MaxBody
}

func tooLarge() error {
	return fault.New(http.StatusRequestEntityTooLarge, "", "the request is too large")
}

// authenticate finds out who asks, and takes the request off that client's share.
func (x *exchange) authenticate() error {
	header := x.r.Header.Get("Authorization")
	if header == "" && x.route != nil && x.route.public {
		x.who = &Principal{Read: true}
		return nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(x.r.Header["Authorization"]) != 1 {
		x.w.Header().Set("WWW-Authenticate", `Bearer realm="scim"`)
		return fault.New(http.StatusUnauthorized, "", "a bearer token is needed")
	}
	who, err := x.s.deps.Auth.Authenticate(x.r.Context(), token, x.r)
	if err != nil {
		if fault.Of(err).Status == http.StatusUnauthorized {
			x.w.Header().Set("WWW-Authenticate", `Bearer realm="scim", error="invalid_token"`)
		}
		return err
	}
	x.who = who
	if x.s.deps.Note != nil {
		operation := "unknown"
		if x.route != nil {
			operation = x.route.name
		}
		x.s.deps.Note(x.r.Context(), who.KeyID, operation)
	}
	return x.s.guards.request(who.Name)
}

// otherMethod answers OPTIONS, and methods that the path does not know.
func (x *exchange) otherMethod(method string) error {
	x.w.Header().Set("Allow", x.route.allow)
	if method == http.MethodOptions {
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return fault.New(http.StatusMethodNotAllowed, "", "this path knows %s only", x.route.allow)
}

// mayDo checks the scopes of the token.
func (x *exchange) mayDo(method string) error {
	switch {
	case method == http.MethodGet || x.route.search:
		if !x.who.Read {
			return fault.New(http.StatusForbidden, "", "the token may not read")
		}
	case x.s.cfg.ReadOnly:
		return fault.New(http.StatusForbidden, "", "read-only")
	case !x.who.Write:
		return fault.New(http.StatusForbidden, "", "the token may not write")
	}
	return nil
}

// checkAccept refuses with 406 when none of our types is asked for.
func checkAccept(headers []string) error {
	if len(headers) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, parameters, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "", "*/*", "application/*", contentType, "application/json":
			if q := strings.ReplaceAll(strings.ToLower(parameters), " ", ""); q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000" {
				return nil
			}
		}
	}
	return fault.New(http.StatusNotAcceptable, "", "answers are %s", contentType)
}

// checkType refuses with 415 what is not JSON in UTF-8. No type at all is taken for JSON.
func checkType(h http.Header) error {
	text := h.Get("Content-Type")
	if text == "" {
		return nil
	}
	name, parameters, err := mime.ParseMediaType(text)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || name != contentType && name != "application/json" {
		return fault.New(http.StatusUnsupportedMediaType, "", "want %s", contentType)
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") {
		return fault.New(http.StatusUnsupportedMediaType, "", "want UTF-8")
	}
	return nil
}

// body reads and decodes the body: one JSON object.
func (x *exchange) body() (resource.Object, error) {
	if err := checkType(x.r.Header); err != nil {
		return nil, err
	}
	if encoding := x.r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, fault.New(http.StatusUnsupportedMediaType, "", "compressed bodies are not taken")
	}
	text, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, x.limit()))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge()
		}
		return nil, &fault.Error{Status: http.StatusBadRequest, Type: fault.InvalidSyntax, Detail: "the body could not be read", Cause: err}
	}
	return resource.DecodeObject(text)
}

// parameter reads a query parameter that may be there once. Second result: it is there.
func (x *exchange) parameter(name string) (string, bool, error) {
	values, there := x.query[name]
	if len(values) > 1 {
		return "", false, fault.Bad(fault.InvalidValue, "the parameter %s is there twice", name)
	}
	if !there {
		return "", false, nil
	}
	return values[0], true, nil
}

// projection reads attributes and excludedAttributes. named tells whether the client asked for anything in particular.
func (x *exchange) projection(k *kind) (p *resource.Projection, named bool, err error) {
	attributes, excluded, err := x.projected()
	if err != nil {
		return nil, false, err
	}
	return project(k, attributes, excluded)
}

// projected reads the two parameters.
func (x *exchange) projected() (attributes, excluded []string, err error) {
	list := func(name string) []string {
		text, _, fail := x.parameter(name)
		if fail != nil {
			err = fail
		}
		return splitNames(text)
	}
	attributes, excluded = list("attributes"), list("excludedAttributes")
	return attributes, excluded, err
}

func splitNames(text string) []string {
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// project makes the projection of a type.
func project(k *kind, attributes, excluded []string) (*resource.Projection, bool, error) {
	switch {
	case len(attributes) > 0 && len(excluded) > 0:
		return nil, false, fault.Bad(fault.InvalidValue, "attributes and excludedAttributes exclude each other")
	case len(attributes)+len(excluded) > 500:
		return nil, false, fault.Bad(fault.InvalidValue, "too many names of attributes")
	case len(attributes)+len(excluded) == 0:
		return k.all, false, nil
	}
	return resource.NewProjection(k.Type, attributes, excluded), true, nil
}

// call is what the handler learns of the request.
func (x *exchange) call(p *resource.Projection) *Call {
	return &Call{Principal: x.who, Projection: p, RequestID: x.w.Header().Get("X-Request-Id")}
}

// audit tells of one request for a resource.
func (s *Service) audit(x *exchange, e Event, start time.Time, err error) {
	if s.deps.Audit == nil {
		return
	}
	if err != nil {
		e.Status = fault.Of(err).Status
	}
	e.Principal, e.Took = x.who, s.deps.Now().Sub(start)
	s.deps.Audit(x.r.Context(), e)
}
