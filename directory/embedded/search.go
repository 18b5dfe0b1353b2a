package embedded

import (
	"errors"
	"strings"
	"time"
)

// found is what a search collected before anything is sent.
type found struct {
	views      []view
	references [][]string
	fault      *fault // limit that was hit; what is in views still goes out
}

// query is a search whose parts are understood.
type query struct {
	base      dname
	scope     scope
	filter    *filter
	selection *selection
	limit     int // entries; 0: none
	deadline  time.Time
	manageDSA bool
	assertion *filter
}

var errGone = errors.New("operation abandoned")

// search carries out a search request and sends its entries.
func (c *conn) search(o *operation, r searchRequest, x *options) *fault {
	s := c.store.schema
	if r.scope < scopeBase || r.scope > scopeChildren || r.sizeLimit < 0 || r.timeLimit < 0 {
		return refuse(resultProtocolError, "invalid scope or limit")
	}
	base, err := s.parseDN(r.base)
	if err != nil {
		return refuse(resultInvalidDN, "invalid DN")
	}
	f, err := s.compileFilter(r.filter)
	if err != nil {
		return refuse(resultProtocolError, "bad search filter")
	}
	q := query{
		base: base, scope: r.scope, filter: f, selection: s.selectAttributes(r.attrs, r.typesOnly),
		manageDSA: x.manageDSA, assertion: x.assertion,
	}
	if special, fault := c.searchSpecial(o, q); special {
		return fault
	}
	w := c.identity()
	if w.anonymous() {
		return missing("")
	}
	if w.mustChange {
		return x.errRestricted()
	}
	fl := c.srv.faults()
	q.selection.rangeLimit = fl.RangeLimit
	q.limit, q.deadline = c.limits(w, r, fl)
	switch {
	case x.sync != nil:
		return c.synchronize(o, q, x)
	case x.paging != nil:
		return c.searchPage(o, q, x, fl)
	}
	if fl.PageLimit > 0 && (q.limit == 0 || q.limit > fl.PageLimit) {
		q.limit = fl.PageLimit
	}
	return c.sendFound(o, q, c.store.find(q, o))
}

// limits gives the smallest of the limits of request, configuration and faults.
func (c *conn) limits(w who, r searchRequest, fl *Faults) (entries int, deadline time.Time) {
	entries = int(min(r.sizeLimit, 1<<31-1))
	seconds := time.Duration(min(r.timeLimit, 1<<31-1)) * time.Second
	if !w.service {
		entries = least(entries, c.store.cfg.SizeLimit)
		seconds = time.Duration(least(int(seconds), int(c.store.cfg.TimeLimit)))
	}
	entries = least(entries, fl.SizeLimit)
	if seconds > 0 {
		deadline = time.Now().Add(seconds)
	}
	return entries, deadline
}

// least is the smaller one of two limits, where 0 is none.
func least(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// searchSpecial answers for the root DSE and the subschema subentry.
func (c *conn) searchSpecial(o *operation, q query) (special bool, f *fault) {
	var dn string
	var names []string
	var values map[string][]string
	switch {
	case q.base.isZero() && q.scope == scopeBase:
		names, values = c.rootDSE()
	case q.base.isZero():
		return true, missing("")
	case q.base.key == strings.ToLower(subschemaDN):
		if q.scope != scopeBase || c.identity().anonymous() {
			return true, missing("")
		}
		dn = subschemaDN
		names, values = c.subschemaEntry()
	default:
		return false, nil
	}
	e := &entry{}
	for _, n := range names {
		if t := c.store.schema.types[strings.ToLower(n)]; t != nil {
			c.store.schema.set(e, t, values[n]...)
		}
	}
	if q.filter.eval(view{schema: c.store.schema, entry: e}) == isTrue {
		err := o.send(searchEntry(dn, q.selection.plainAttributes(c.store.schema, names, values)), nil)
		if err != nil {
			return true, nil
		}
	}
	return true, nil
}

// find collects what the query asks for, as the tree is at one moment.
func (st *store) find(q query, o *operation) found {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.findLocked(q, o)
}

// findLocked is find with the lock held.
func (st *store) findLocked(q query, o *operation) (out found) {
	if !q.manageDSA {
		if r := st.tree.covered(q.base); r != nil {
			part := [...]string{"base", "one", "sub", "subordinate"}[q.scope]
			return found{fault: st.referTo(r, q.base, part)}
		}
	}
	base := st.tree.at(q.base)
	if base == nil {
		return found{fault: st.notFound(q.base)}
	}
	if q.assertion != nil && q.assertion.eval(st.view(base)) != isTrue {
		return found{fault: refuse(resultAssertionFailed, "")}
	}
	seen := 0
	for n := range st.tree.walk(q.base, q.scope) {
		e := n.entry
		if seen++; seen%256 == 0 {
			if o.gone() {
				return out
			}
			if !q.deadline.IsZero() && time.Now().After(q.deadline) {
				out.fault = &fault{code: resultTimeLimit}
				return out
			}
		}
		if !q.manageDSA && st.schema.isReferral(e) {
			out.references = append(out.references, st.references(e, q.scope))
			continue
		}
		v := st.viewAt(n)
		if q.filter.eval(v) != isTrue {
			continue
		}
		if q.limit > 0 && len(out.views) >= q.limit {
			out.fault = &fault{code: resultSizeLimit}
			return out
		}
		out.views = append(out.views, v)
	}
	return out
}

// sendFound sends entries and references; the fault goes back to the caller.
func (c *conn) sendFound(o *operation, q query, got found) *fault {
	for i, v := range got.views {
		if !q.deadline.IsZero() && time.Now().After(q.deadline) {
			return &fault{code: resultTimeLimit}
		}
		if err := c.sendView(o, q, v, i, nil); err != nil {
			return nil
		}
	}
	refs := got.references
	if extra := c.srv.faults().SearchReferrals; len(extra) > 0 && (got.fault == nil || got.fault.code != resultNoSuchObject) {
		refs = append(refs, extra)
	}
	for _, uris := range refs {
		if err := o.send(searchReference(uris), nil); err != nil {
			return nil
		}
	}
	return got.fault
}

// sendView sends one entry, the i-th of its search.
func (c *conn) sendView(o *operation, q query, v view, i int, controls []reply) error {
	if o.gone() {
		return errGone
	}
	if n := c.srv.faults().DropInSearch; n > 0 && i >= n {
		c.drop()
		return errGone
	}
	return o.send(searchEntry(v.entry.dn.text, q.selection.pick(v)), controls)
}
