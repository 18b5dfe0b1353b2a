package scim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"portico/scim/fault"
	"portico/scim/normal"
	"portico/scim/patch"
	"portico/scim/resource"
)

// step is one operation on one resource, of a request of its own or of a bulk request.
type step struct {
	x          *exchange
	kind       *kind
	id         string
	condition  Condition
	projection *resource.Projection
	named      bool // the client says which attributes it wants
}

// outcome is how an operation went well.
type outcome struct {
	status   int
	resource *resource.Resource // nil: nothing to show
}

func (x *exchange) step() (*step, error) {
	p, named, err := x.projection(x.route.kind)
	if err != nil {
		return nil, err
	}
	st := &step{x: x, kind: x.route.kind, id: x.route.id, projection: p, named: named}
	if !couldBeID(st.id) {
		return nil, fault.NotFound(st.id)
	}
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead && x.r.Method != http.MethodPost {
		st.condition, err = conditionOf(x.r.Header)
	}
	return st, err
}

// couldBeID tells whether an id that a client sent is worth looking for; "" is that of a resource that is to be made.
func couldBeID(id string) bool {
	return len(id) <= 512 && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

func (x *exchange) get() error {
	st, err := x.step()
	if err != nil {
		return err
	}
	start := x.s.deps.Now()
	found, err := st.kind.Handler.Get(x.r.Context(), x.call(st.projection), st.id)
	x.s.audit(x, Event{Verb: "read", Type: st.kind.Type.Name, ID: st.id, Status: http.StatusOK}, start, err)
	if err != nil {
		return err
	}
	same, err := notModified(x.r.Header, found.Version)
	if err != nil {
		return err
	}
	if same {
		x.headers(found)
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	x.show(outcome{status: http.StatusOK, resource: found}, st.projection)
	return nil
}

func (x *exchange) create() error { return x.withBody((*step).create) }
func (x *exchange) put() error    { return x.withBody((*step).put) }
func (x *exchange) patch() error  { return x.withBody((*step).patch) }

// withBody carries out an operation whose body is a JSON object.
func (x *exchange) withBody(run func(*step, resource.Object) (outcome, error)) error {
	st, err := x.step()
	if err != nil {
		return err
	}
	body, err := x.body()
	if err != nil {
		return err
	}
	out, err := run(st, body)
	if err != nil {
		return err
	}
	x.show(out, st.projection)
	return nil
}

func (x *exchange) remove() error {
	st, err := x.step()
	if err != nil {
		return err
	}
	if _, err := st.remove(); err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// headers sets what every answer about one resource carries.
func (x *exchange) headers(r *resource.Resource) string {
	location := x.s.cfg.BaseURL + r.Type.Endpoint + "/" + url.PathEscape(r.ID)
	if tag := resource.ETag(r.Version); tag != "" {
		x.w.Header().Set("ETag", tag)
	}
	x.w.Header().Set("Content-Location", location)
	return location
}

// show answers with a resource.
func (x *exchange) show(out outcome, p *resource.Projection) {
	if out.resource == nil {
		x.w.WriteHeader(out.status)
		return
	}
	location := x.headers(out.resource)
	if out.status == http.StatusCreated {
		x.w.Header().Set("Location", location)
	}
	if out.status == http.StatusNoContent {
		x.w.WriteHeader(out.status)
		return
	}
	x.s.write(x.w, x.r, out.status, x.s.renderer.Append(make([]byte, 0, 1024), out.resource, p))
}

// call is what the handler learns of the operation.
func (st *step) call() *Call { return st.x.call(st.projection) }

// event begins what the audit is told.
func (st *step) event(verb string, status int) Event {
	return Event{Verb: verb, Type: st.kind.Type.Name, ID: st.id, Status: status}
}

func (st *step) create(body resource.Object) (out outcome, err error) {
	start, e := st.x.s.deps.Now(), st.event("create", http.StatusCreated)
	defer func() { st.x.s.audit(st.x, e, start, err) }()
	data, err := normal.Resource(body, st.kind.Type, st.x.who.Profile)
	if err != nil {
		return out, err
	}
	if err = st.mayWrite(data); err != nil {
		return out, err
	}
	e.Attributes = differences(nil, data)
	made, err := st.kind.Handler.Create(st.x.r.Context(), st.call(), data)
	if err != nil {
		return out, err
	}
	e.ID = made.ID
	return outcome{status: http.StatusCreated, resource: made}, nil
}

// refused tells the audit of a write that did not come as far as the handler.
func (st *step) refused(verb string, err error) error {
	st.x.s.audit(st.x, st.event(verb, 0), st.x.s.deps.Now(), err)
	return err
}

// mayWrite refuses passwords from clients that may not set them.
func (st *step) mayWrite(data resource.Object) error {
	if resource.Present(data["password"]) && !st.x.who.Password {
		return fault.New(http.StatusForbidden, "", "the token may not set passwords")
	}
	return nil
}

func (st *step) put(body resource.Object) (outcome, error) {
	data, err := normal.Resource(body, st.kind.Type, st.x.who.Profile)
	if err == nil {
		err = st.mayWrite(data)
	}
	if err != nil {
		return outcome{}, st.refused("replace", err)
	}
	return st.write("replace", &Write{
		Apply: func(current resource.Object) (resource.Object, bool, error) {
			return patch.Put(st.kind.Type, current, data)
		},
	}, true)
}

func (st *step) patch(body resource.Object) (outcome, error) {
	s := st.x.s
	patched, err := normal.Patch(body, st.kind.Type, st.x.who.Profile, s.cfg.Filter)
	if err != nil {
		return outcome{}, st.refused("patch", err)
	}
	if len(patched.Ignored) > 0 {
		s.deps.Log.DebugContext(st.x.r.Context(), "SCIM PATCH: names that mean nothing here", "names", patched.Ignored)
	}
	for i := range patched.Operations {
		o := &patched.Operations[i]
		if a := o.Path.Attribute; a != nil && a.Name == "password" && o.Path.Extension == "" && !st.x.who.Password {
			return outcome{}, st.refused("patch", fault.New(http.StatusForbidden, "", "the token may not set passwords"))
		}
	}
	w := &Write{Apply: func(current resource.Object) (resource.Object, bool, error) {
		return patch.Apply(st.kind.Type, current, patched.Operations, st.x.who.Profile.PatchOptions())
	}}
	if members, only := patch.MembersOnly(patched.Operations); only {
		w.Members = &members
	}
	return st.write("patch", w, st.named || !st.kind.Quiet)
}

// write carries out PUT or PATCH. full says that the answer shows the resource.
func (st *step) write(verb string, w *Write, full bool) (out outcome, err error) {
	start, e := st.x.s.deps.Now(), st.event(verb, http.StatusOK)
	defer func() { st.x.s.audit(st.x, e, start, err) }()
	if err = st.locked(); err != nil {
		return out, err
	}
	w.Condition = st.condition
	if w.Members != nil {
		e.Attributes = []string{"members"}
	}
	apply, counted := w.Apply, false
	w.Apply = func(current resource.Object) (resource.Object, bool, error) {
		next, changed, err := apply(current)
		if err != nil || !changed {
			return next, changed, err
		}
		e.Attributes = differences(current, next)
		if !counted && next["active"] == false && current["active"] != false {
			counted = true
			err = st.x.s.guards.removal(st.x.who.Name)
		}
		return next, true, err
	}
	written, err := st.kind.Handler.Write(st.x.r.Context(), st.call(), st.id, w)
	if err != nil {
		return out, err
	}
	if !full {
		e.Status = http.StatusNoContent
		return outcome{status: http.StatusNoContent, resource: written}, nil
	}
	if written.Data == nil {
		if written, err = st.kind.Handler.Get(st.x.r.Context(), st.call(), st.id); err != nil {
			return out, err
		}
	}
	return outcome{status: http.StatusOK, resource: written}, nil
}

func (st *step) remove() (out outcome, err error) {
	start, e := st.x.s.deps.Now(), st.event("delete", http.StatusNoContent)
	defer func() { st.x.s.audit(st.x, e, start, err) }()
	if err = st.locked(); err != nil {
		return out, err
	}
	if err = st.x.s.guards.removal(st.x.who.Name); err != nil {
		return out, err
	}
	return outcome{status: http.StatusNoContent}, st.kind.Handler.Delete(st.x.r.Context(), st.call(), st.id, st.condition)
}

// locked refuses to write what no client may write.
func (st *step) locked() error {
	for _, id := range st.x.s.cfg.Locked {
		if strings.EqualFold(id, st.id) {
			return fault.New(http.StatusForbidden, "", "this resource cannot be written by SCIM")
		}
	}
	return nil
}

// differences names the attributes in which two states differ.
func differences(old, next resource.Object) []string {
	var names []string
	for name, value := range next {
		if !resource.Equal(old[name], value) {
			names = append(names, name)
		}
	}
	for name, value := range old {
		if _, there := next[name]; !there && resource.Present(value) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
