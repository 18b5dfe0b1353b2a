package scim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"portico/scim/fault"
	"portico/scim/normal"
	"portico/scim/resource"
)

// bulkStep is one operation of a bulk request.
type bulkStep struct {
	method  string
	bulkID  string
	kind    *kind
	id      string // of the resource, or bulkId:x
	data    resource.Object
	version string
	fault   error // known before it was tried

	needs  map[string]bool // bulkIds that it refers to
	waits  []*bulkStep     // those that make them, as far as they were not done when it was last looked at
	done   bool
	broken bool
	result bulkResult
}

// bulkResult is what a bulk answer says of one operation.
type bulkResult struct {
	Location string     `json:"location,omitempty"`
	Method   string     `json:"method"`
	BulkID   string     `json:"bulkId,omitempty"`
	Version  string     `json:"version,omitempty"`
	Status   string     `json:"status"`
	Response *wireError `json:"response,omitempty"`
}

// bulk answers POST /Bulk (RFC 7644 section 3.7).
func (x *exchange) bulk() error {
	body, err := x.body()
	if err != nil {
		return err
	}
	if err = normal.Message(body, bulkURN); err != nil {
		return err
	}
	list, ok := normal.Member(body, "Operations").([]any)
	if !ok || len(list) == 0 {
		return fault.Bad(fault.InvalidSyntax, "Operations must be a list of one operation or more")
	}
	if len(list) > x.s.cfg.BulkOperations {
		return fault.New(http.StatusRequestEntityTooLarge, "", "more than %d operations", x.s.cfg.BulkOperations)
	}
	most := 0
	if value := normal.Member(body, "failOnErrors"); value != nil {
		number, _ := value.(json.Number)
		if most, err = strconv.Atoi(number.String()); err != nil || most < 1 {
			return fault.Bad(fault.InvalidValue, "failOnErrors: want a number from 1")
		}
	}
	run := &bulkRun{x: x, most: most, ids: map[string]string{}, makers: map[string]*bulkStep{}}
	for _, element := range list {
		run.read(element)
	}
	run.all()
	run.giveUp()
	x.s.write(x.w, x.r, http.StatusOK, run.answer())
	return nil
}

// bulkRun carries out the operations of a bulk request.
type bulkRun struct {
	x        *exchange
	steps    []*bulkStep
	makers   map[string]*bulkStep // bulkId → the POST that makes it
	ids      map[string]string    // bulkId → id
	most     int                  // failures before it stops; 0: never
	failures int
	links    []bulkLink
}

// bulkLink is a reference that had to wait because two resources refer to each other.
type bulkLink struct {
	step  *bulkStep
	path  string
	value any
	waits []*bulkStep // those that make what it refers to
}

// read takes in one operation. What is wrong with it is kept for its turn.
func (b *bulkRun) read(element any) {
	st := &bulkStep{needs: map[string]bool{}}
	b.steps = append(b.steps, st)
	object, ok := element.(resource.Object)
	if !ok {
		st.fault = fault.Bad(fault.InvalidSyntax, "an operation is an object")
		return
	}
	st.method, _ = normal.Member(object, "method").(string)
	st.method = strings.ToUpper(st.method)
	st.bulkID, _ = normal.Member(object, "bulkId").(string)
	version := normal.Member(object, "version")
	st.version, _ = version.(string)
	st.result = bulkResult{Method: st.method, BulkID: st.bulkID}
	path, _ := normal.Member(object, "path").(string)
	if st.fault = st.aim(b.x.s, path); st.fault != nil {
		return
	}
	if version != nil && st.version == "" {
		st.fault = fault.Bad(fault.InvalidValue, "version is no entity tag")
		return
	}
	data := normal.Member(object, "data")
	if operations, isList := data.([]any); isList && st.method == http.MethodPatch {
		data = resource.Object{"Operations": operations}
	}
	st.data, _ = data.(resource.Object)
	if st.data == nil && st.method != http.MethodDelete {
		st.fault = fault.Bad(fault.InvalidSyntax, "data is missing")
		return
	}
	if st.method == http.MethodPatch {
		st.data["schemas"] = []any{normal.PatchOp}
	}
	findIDs(st.data, st.needs)
	if name, is := strings.CutPrefix(st.id, "bulkId:"); is {
		st.needs[name] = true
	}
	if st.method != http.MethodPost {
		return
	}
	if b.makers[st.bulkID] != nil {
		st.fault = fault.Bad(fault.InvalidValue, "the bulkId is there twice")
		return
	}
	b.makers[st.bulkID] = st
}

// aim finds out what an operation is about.
func (st *bulkStep) aim(s *Service, path string) error {
	first, rest, deeper := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	id, err := url.PathUnescape(rest)
	if st.kind = s.kindAt(first); st.kind == nil || err != nil || deeper && (id == "" || strings.Contains(rest, "/")) {
		return fault.Bad(fault.InvalidPath, "the path %q leads to no resource type", fault.Clip(path))
	}
	st.id = id
	switch st.method {
	case http.MethodPost:
		if deeper {
			return fault.New(http.StatusMethodNotAllowed, "", "POST needs the path of a resource type")
		}
		if st.bulkID == "" {
			return fault.Bad(fault.InvalidSyntax, "POST needs a bulkId")
		}
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		if !deeper {
			return fault.New(http.StatusMethodNotAllowed, "", "%s needs the path of a resource", st.method)
		}
	default:
		return fault.Bad(fault.InvalidSyntax, "method: want POST, PUT, PATCH or DELETE")
	}
	return nil
}

// all carries out everything: first what waits for nothing, in the order of the request; of operations that wait for
// each other, the first one that makes a resource is carried out without the references.
func (b *bulkRun) all() {
	for _, st := range b.steps {
		if st.fault == nil && !st.needs[st.bulkID] {
			st.waits = b.makersOf(st.needs)
		}
	}
	for !b.stopped() {
		st := b.next()
		if st == nil {
			break
		}
		b.run(st)
		b.connect()
	}
}

// makersOf gives the operations that make the resources that are referred to.
func (b *bulkRun) makersOf(names map[string]bool) []*bulkStep {
	var list []*bulkStep
	for name := range names {
		if maker := b.makers[name]; maker != nil {
			list = append(list, maker)
		}
	}
	return list
}

// undone drops operations that are done from the end of a list: it is empty when all are. Looking at a list again costs
// nothing for what was dropped before.
func undone(list []*bulkStep) []*bulkStep {
	for len(list) > 0 && list[len(list)-1].done {
		list = list[:len(list)-1]
	}
	return list
}

func (b *bulkRun) stopped() bool { return b.most > 0 && b.failures >= b.most }

// next picks the operation whose turn it is.
func (b *bulkRun) next() *bulkStep {
	var breaker, first *bulkStep
	for _, st := range b.steps {
		if st.done {
			continue
		}
		if first == nil {
			first = st
		}
		if st.waits = undone(st.waits); len(st.waits) == 0 {
			return st
		}
		if breaker == nil && st.method == http.MethodPost {
			breaker = st
		}
	}
	if breaker != nil {
		return breaker
	}
	return first
}

// run carries out one operation and writes down how it went.
func (b *bulkRun) run(st *bulkStep) {
	st.done = true
	out, err := b.attempt(st)
	if err != nil {
		b.fail(st, err)
		return
	}
	st.result.Status = strconv.Itoa(out.status)
	if st.id != "" {
		st.result.Location = b.x.s.cfg.BaseURL + st.kind.Type.Endpoint + "/" + url.PathEscape(st.id)
	}
	if out.resource != nil {
		st.result.Version = resource.ETag(out.resource.Version)
	}
}

func (b *bulkRun) fail(st *bulkStep, err error) {
	e := fault.Of(err)
	if e.Status >= http.StatusInternalServerError {
		b.x.s.deps.Log.ErrorContext(b.x.r.Context(), "SCIM bulk operation failed", "error", err.Error())
	}
	body := errorBody(e)
	st.result.Status, st.result.Response = body.Status, &body
	if st.method != http.MethodPost && st.id != "" && st.kind != nil && !strings.HasPrefix(st.id, "bulkId:") {
		st.result.Location = b.x.s.cfg.BaseURL + st.kind.Type.Endpoint + "/" + url.PathEscape(st.id)
	}
	if !st.broken {
		b.failures++
	}
	st.broken = true
}

// attempt puts ids in the place of bulkIds and hands the operation on.
func (b *bulkRun) attempt(st *bulkStep) (outcome, error) {
	if st.fault != nil {
		return outcome{}, st.fault
	}
	if err := b.resolve(st); err != nil {
		return outcome{}, err
	}
	if !couldBeID(st.id) {
		return outcome{}, fault.NotFound(st.id)
	}
	s := &step{x: b.x, kind: st.kind, id: st.id, projection: st.kind.all}
	if st.version != "" && st.method != http.MethodPost {
		var err error
		if s.condition, err = conditionOf(http.Header{"If-Match": {st.version}}); err != nil {
			return outcome{}, fault.Bad(fault.InvalidValue, "version is no entity tag")
		}
	}
	switch st.method {
	case http.MethodPost:
		out, err := s.create(st.data)
		if err == nil {
			st.id = out.resource.ID
			b.ids[st.bulkID] = st.id
		}
		return out, err
	case http.MethodPut:
		return s.put(st.data)
	case http.MethodPatch:
		return s.patch(st.data)
	}
	return s.remove()
}

// resolve replaces bulkIds. What cannot be resolved yet is taken out and put on the list of links.
func (b *bulkRun) resolve(st *bulkStep) error {
	later := false
	for name := range st.needs {
		maker := b.makers[name]
		switch {
		case maker == nil || maker.broken || maker == st:
			return fault.New(http.StatusConflict, "", "bulkId:%s stands for no resource", fault.Clip(name))
		case !maker.done:
			later = true
		}
	}
	if later {
		if st.method != http.MethodPost {
			return fault.New(http.StatusConflict, "", "the operation waits for one that waits for it")
		}
		b.postpone(st)
	}
	st.data, _ = b.replace(st.data).(resource.Object)
	if name, is := strings.CutPrefix(st.id, "bulkId:"); is {
		st.id = b.ids[name]
	}
	return nil
}

// answer renders the results of what was tried, in the order of the request.
func (b *bulkRun) answer() []byte {
	answer := struct {
		Schemas    []string     `json:"schemas"`
		Operations []bulkResult `json:"Operations"`
	}{Schemas: []string{bulkedURN}, Operations: []bulkResult{}}
	for _, st := range b.steps {
		if st.done {
			answer.Operations = append(answer.Operations, st.result)
		}
	}
	body, _ := json.Marshal(answer) // of strings only
	return body
}
