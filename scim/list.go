package scim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"portico/scim/fault"
	"portico/scim/filter"
	"portico/scim/normal"
	"portico/scim/resource"
)

// question is a query as the client put it, from URL or body.
type question struct {
	attributes, excluded []string
	filter, sortBy       string
	descending           bool
	start, count         int
	hasStart, hasCount   bool
	cursor               string
	hasCursor            bool
	body                 bool // it came in the body of .search
}

func (x *exchange) list() error {
	q, err := x.questionOfURL()
	if err != nil {
		return err
	}
	return x.answer(q)
}

func (x *exchange) search() error {
	q, err := x.questionOfBody()
	if err != nil {
		return err
	}
	return x.answer(q)
}

// questionOfURL reads the parameters of GET.
func (x *exchange) questionOfURL() (*question, error) {
	q := &question{}
	var err error
	if q.attributes, q.excluded, err = x.projected(); err != nil {
		return nil, err
	}
	if q.filter, _, err = x.parameter("filter"); err != nil {
		return nil, err
	}
	if q.sortBy, _, err = x.parameter("sortBy"); err != nil {
		return nil, err
	}
	order, _, err := x.parameter("sortOrder")
	if err != nil {
		return nil, err
	}
	if err = q.order(order); err != nil {
		return nil, err
	}
	if q.cursor, q.hasCursor, err = x.parameter("cursor"); err != nil {
		return nil, err
	}
	for name, into := range map[string]*int{"startIndex": &q.start, "count": &q.count} {
		text, there, err := x.parameter(name)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		if *into, err = integer(name, text); err != nil {
			return nil, err
		}
		q.hasStart = q.hasStart || name == "startIndex"
		q.hasCount = q.hasCount || name == "count"
	}
	return q, nil
}

// integer reads a number of any length; one that does not fit is cut to the largest or smallest that does.
func integer(name, text string) (int, error) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fault.Bad(fault.InvalidValue, "%s: want an integer", name)
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		n = 1<<31 - 1
		if digits != text {
			n = -n
		}
	}
	return int(n), nil
}

func (q *question) order(text string) error {
	switch {
	case text == "" || strings.EqualFold(text, "ascending"):
	case strings.EqualFold(text, "descending"):
		q.descending = true
	default:
		return fault.Bad(fault.InvalidValue, "sortOrder: want ascending or descending")
	}
	return nil
}

// questionOfBody reads a SearchRequest.
func (x *exchange) questionOfBody() (*question, error) {
	body, err := x.body()
	if err != nil {
		return nil, err
	}
	if err = normal.Message(body, searchURN); err != nil {
		return nil, err
	}
	q := &question{body: true}
	if q.attributes, err = namesOf(body, "attributes"); err != nil {
		return nil, err
	}
	if q.excluded, err = namesOf(body, "excludedAttributes"); err != nil {
		return nil, err
	}
	for name, into := range map[string]*string{"filter": &q.filter, "sortBy": &q.sortBy, "cursor": &q.cursor} {
		if err = textOf(body, name, into); err != nil {
			return nil, err
		}
	}
	q.hasCursor = normal.Member(body, "cursor") != nil
	order := ""
	if err = textOf(body, "sortOrder", &order); err != nil {
		return nil, err
	}
	if err = q.order(order); err != nil {
		return nil, err
	}
	for name, into := range map[string]*int{"startIndex": &q.start, "count": &q.count} {
		value := normal.Member(body, name)
		if value == nil {
			continue
		}
		number, ok := value.(json.Number)
		if !ok {
			return nil, fault.Bad(fault.InvalidValue, "%s: want an integer", name)
		}
		if *into, err = integer(name, number.String()); err != nil {
			return nil, err
		}
		q.hasStart = q.hasStart || name == "startIndex"
		q.hasCount = q.hasCount || name == "count"
	}
	return q, nil
}

func textOf(body resource.Object, name string, into *string) error {
	value := normal.Member(body, name)
	text, ok := value.(string)
	if value != nil && !ok {
		return fault.Bad(fault.InvalidValue, "%s: want text", name)
	}
	*into = text
	return nil
}

// namesOf reads a list of names; one text of names with commas is as good.
func namesOf(body resource.Object, name string) ([]string, error) {
	switch value := normal.Member(body, name).(type) {
	case nil:
		return nil, nil
	case string:
		return splitNames(value), nil
	case []any:
		var names []string
		for _, element := range value {
			text, ok := element.(string)
			if !ok {
				return nil, fault.Bad(fault.InvalidValue, "%s: want a list of names", name)
			}
			names = append(names, splitNames(text)...)
		}
		return names, nil
	}
	return nil, fault.Bad(fault.InvalidValue, "%s: want a list of names", name)
}

// bindFilter ties a filter to a type.
func (x *exchange) bindFilter(q *question, k *kind, expr *filter.Expr, lacking bool) (*filter.Node, error) {
	node, err := filter.Bind(expr, k.Type, filter.Options{Base: x.s.cfg.BaseURL, Lacking: lacking})
	if err != nil && q.body && fault.Is(err, fault.Sensitive) {
		return nil, fault.Bad(fault.InvalidFilter, "%s", fault.Of(err).Detail)
	}
	return node, err
}

// filterKey is what a filter that was read before is found by.
type filterKey struct{ kind, text string }

const (
	filtersKept = 1024 // filters that are kept once they were read
	filterKept  = 512  // bytes of the longest of them
)

// readFilter reads a filter and ties it to a type, unless that was done before.
func (x *exchange) readFilter(q *question, k *kind) (*filter.Node, error) {
	key := filterKey{k.Type.Name, q.filter}
	if node, ok := x.s.filters.Get(key); ok {
		return node, nil
	}
	expr, err := filter.Parse(q.filter, x.s.cfg.Filter)
	if err != nil {
		return nil, err
	}
	node, err := x.bindFilter(q, k, expr, false)
	if err == nil && len(q.filter) <= filterKept {
		x.s.filters.Add(key, node)
	}
	return node, err
}

// pageOf computes which part of the result is wanted.
func (x *exchange) pageOf(q *question, binding [32]byte) (*Query, error) {
	cfg := &x.s.cfg
	query := &Query{Descending: q.descending, Limit: cfg.PageSize}
	if !q.hasCursor {
		query.Offset = max(q.start, 1) - 1
		if q.hasCount {
			query.Limit = min(max(q.count, 0), cfg.MaxPage)
		}
		return query, nil
	}
	query.Cursor = true
	switch {
	case q.hasStart:
		return nil, fault.Bad(fault.InvalidValue, "cursor and startIndex exclude each other")
	case q.hasCount && (q.count < 1 || q.count > cfg.MaxPage):
		return nil, fault.Bad(fault.InvalidCount, "count: with a cursor, want 1 to %d", cfg.MaxPage)
	case q.hasCount:
		query.Limit = q.count
	}
	if q.cursor == "" {
		return query, nil
	}
	count, place, err := x.s.cursors.open(q.cursor, binding)
	if err != nil {
		return nil, err
	}
	if q.hasCount && q.count != count {
		return nil, fault.Bad(fault.InvalidCount, "count must be %d, as for the first page", count)
	}
	query.Limit, query.After = count, place
	return query, nil
}

// binding is what a cursor for this question is good for.
func (x *exchange) binding(q *question, kind string) [32]byte {
	return bind(kind, strconv.FormatInt(x.who.KeyID, 10), x.who.Name, q.filter, q.sortBy, strconv.FormatBool(q.descending),
		strings.Join(q.attributes, ","), strings.Join(q.excluded, ","))
}

// answer answers a question about one type.
func (x *exchange) answer(q *question) error {
	k := x.route.kind
	p, _, err := project(k, q.attributes, q.excluded)
	if err != nil {
		return err
	}
	binding := x.binding(q, k.Type.Name)
	query, err := x.pageOf(q, binding)
	if err != nil {
		return err
	}
	if q.filter != "" {
		if query.Filter, err = x.readFilter(q, k); err != nil {
			return err
		}
	}
	query.Sort = sortPath(k, q.sortBy)
	start := x.s.deps.Now()
	page, err := k.Handler.List(x.r.Context(), x.call(p), query)
	x.s.audit(x, Event{Verb: "list", Type: k.Type.Name, Status: http.StatusOK}, start, err)
	if err != nil {
		return err
	}
	next := ""
	if query.Cursor && page.Next != nil {
		next = x.s.cursors.make(binding, query.Limit, page.Next)
	}
	x.send(&listing{total: page.Total, query: query, next: next, parts: []part{{p, page.Resources}}})
	return nil
}
