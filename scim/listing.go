package scim

import (
	"net/http"
	"strconv"
	"strings"

	"portico/scim/fault"
	"portico/scim/filter"
	"portico/scim/resource"
	"portico/scim/schema"
)

// listing is a ListResponse that is ready to be sent.
type listing struct {
	total int
	query *Query
	next  string // sealed cursor
	parts []part
}

// part are resources of one type.
type part struct {
	projection *resource.Projection
	resources  []*resource.Resource
}

// sendAt is how many bytes are gathered before they are sent.
const sendAt = 64 << 10

// send writes a list as it is rendered, never the whole of it at once.
func (x *exchange) send(l *listing) {
	count := 0
	for _, p := range l.parts {
		count += len(p.resources)
	}
	out := make([]byte, 0, min(sendAt+8<<10, 512+1024*count))
	out = append(out, `{"schemas":["`+listURN+`"],"totalResults":`...)
	out = strconv.AppendInt(out, int64(l.total), 10)
	out = append(out, `,"itemsPerPage":`...)
	out = strconv.AppendInt(out, int64(count), 10)
	if l.query.Cursor {
		if l.next != "" {
			out = append(out, `,"nextCursor":"`+l.next+`"`...)
		}
	} else {
		out = append(out, `,"startIndex":`...)
		out = strconv.AppendInt(out, int64(l.query.Offset)+1, 10)
	}
	out = append(out, `,"Resources":[`...)
	sent, comma := false, false
	for _, p := range l.parts {
		for _, r := range p.resources {
			if comma {
				out = append(out, ',')
			}
			comma = true
			out = x.s.renderer.Append(out, r, p.projection)
			if len(out) >= sendAt {
				if !sent {
					x.w.Header().Set("Content-Type", contentType)
					x.w.WriteHeader(http.StatusOK)
					sent, x.started = true, true
				}
				if x.r.Method != http.MethodHead {
					if _, err := x.w.Write(out); err != nil {
						return // the client went away
					}
				}
				out = out[:0]
			}
		}
	}
	out = append(out, "]}"...)
	switch {
	case !sent:
		x.s.write(x.w, x.r, http.StatusOK, out)
	case x.r.Method != http.MethodHead:
		_, _ = x.w.Write(out)
	}
}

// sortPath finds what a list is ordered by. What cannot be ordered by has no effect.
func sortPath(k *kind, text string) schema.Path {
	path, ok := k.Type.Lookup(strings.TrimSpace(text))
	if !ok || path.Attribute == nil || path.Leaf().Returned == schema.Never || path.Attribute.Returned == schema.Never {
		return schema.Path{}
	}
	if path.Sub == nil && path.Attribute.Kind == schema.Complex {
		if path.Sub = path.Attribute.Value(); path.Sub == nil {
			return schema.Path{}
		}
	}
	if kind := path.Leaf().Kind; kind == schema.Binary || path.Attribute.Name == "schemas" {
		return schema.Path{}
	}
	return path
}

func (x *exchange) listAll() error {
	q, err := x.questionOfURL()
	if err != nil {
		return err
	}
	return x.answerAll(q)
}

func (x *exchange) searchAll() error {
	q, err := x.questionOfBody()
	if err != nil {
		return err
	}
	return x.answerAll(q)
}

// answerAll answers a question about all types: the resources of the first type, then those of the second, by id. An
// attribute that a type does not have is absent from its resources; one that no type has is an error.
func (x *exchange) answerAll(q *question) error {
	if strings.TrimSpace(q.filter) == "" {
		return fault.Bad(fault.TooMany, "a query over all types needs a filter")
	}
	expr, err := filter.Parse(q.filter, x.s.cfg.Filter)
	if err != nil {
		return err
	}
	binding := x.binding(q, "")
	query, err := x.pageOf(q, binding)
	if err != nil {
		return err
	}
	nodes, err := x.bindAll(q, expr)
	if err != nil {
		return err
	}
	l := &listing{query: query}
	first, after := 0, query.After
	if len(after) > 0 {
		first, after = int(after[0]), after[1:]
	}
	skip, left := query.Offset, query.Limit
	for i, k := range x.s.kinds {
		p, _, err := project(k, q.attributes, q.excluded)
		if err != nil {
			return err
		}
		one := &Query{Filter: nodes[i], Offset: skip, Limit: left, Cursor: query.Cursor}
		if i < first {
			one.Limit = 0
		} else if i == first && len(after) > 0 {
			one.After = after
		}
		page, err := k.Handler.List(x.r.Context(), x.call(p), one)
		if err != nil {
			return err
		}
		l.total += page.Total
		l.parts = append(l.parts, part{p, page.Resources})
		if query.Cursor && l.next == "" && i >= first {
			switch {
			case one.Limit > 0 && page.Next != nil:
				l.next = x.s.cursors.make(binding, query.Limit, append([]byte{byte(i)}, page.Next...))
			case one.Limit == 0 && page.Total > 0: // the page was full before this type
				l.next = x.s.cursors.make(binding, query.Limit, []byte{byte(i)})
			}
		}
		skip = max(0, skip-page.Total)
		left -= len(page.Resources)
	}
	x.send(l)
	return nil
}

// bindAll ties a filter to every type. A comparison must be about an attribute that some type has.
func (x *exchange) bindAll(q *question, expr *filter.Expr) ([]*filter.Node, error) {
	nodes := make([]*filter.Node, len(x.s.kinds))
	for i, k := range x.s.kinds {
		var err error
		if nodes[i], err = x.bindFilter(q, k, expr, true); err != nil {
			return nil, err
		}
	}
	return nodes, x.knownSomewhere(expr)
}

func (x *exchange) knownSomewhere(expr *filter.Expr) error {
	if expr.Kind == filter.Compare || expr.Kind == filter.Element {
		for _, k := range x.s.kinds {
			if filter.Known(expr, k.Type) {
				return nil
			}
		}
		return fault.Bad(fault.InvalidFilter, "there is no attribute %q", fault.Clip(expr.Path))
	}
	for _, child := range expr.Children {
		if err := x.knownSomewhere(child); err != nil {
			return err
		}
	}
	return nil
}
