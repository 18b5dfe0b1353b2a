package mirror

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"portico/directory"
)

// Sort is what a list is ordered by. Ties are broken, at last by the row, so the
// order is total.
type Sort uint8

// The orders of lists. Names are compared in folded form.
const (
	SortName    Sort = iota // login name of people, name of groups and containers
	SortDisplay             // display name, or name; then as SortName
)

// order is the index of an order and its columns.
func (s Sort) order() (index string, columns []string) {
	if s == SortDisplay {
		return "entry_display", []string{"display", "dir", "name", "id"}
	}
	return "entry_name", []string{"name", "dir", "id"}
}

// ErrPosition says that a page token is not one of ours.
var ErrPosition = errors.New("malformed page position")

// listLimit is how many entries one call gives at most.
const listLimit = 10000

// Query asks for one page of the visible entries of a kind.
type Query struct {
	Kind       directory.Kind
	Directory  string // "" for all
	SortBy     Sort
	Descending bool
	Offset     int    // entries to leave out; costs time linear in it
	Limit      int    // 1..10000; 0 means 10000
	After      string // Page.Next of the page before; costs nothing
}

// Page is a part of a list.
type Page struct {
	Entries []*directory.Entry
	Next    string // for Query.After; "" when this page is the last
}

// position is where a page ended.
type position struct {
	Display string `json:"t,omitempty"`
	Rank    int    `json:"d,omitempty"`
	Name    string `json:"n,omitempty"`
	Row     int64  `json:"r"`
}

// value is that of a column of an order.
func (p position) value(column string) any {
	switch column {
	case "display":
		return p.Display
	case "dir":
		return p.Rank
	case "name":
		return p.Name
	}
	return p.Row
}

func (p position) token() string {
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePosition(token string) (p position, err error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return position{}, ErrPosition
	}
	return p, nil
}

// List gives one page of entries; see ListPage.
func (m *Mirror) List(ctx context.Context, q Query) ([]*directory.Entry, error) {
	p, err := m.ListPage(ctx, q)
	return p.Entries, err
}

// ListPage gives one page of entries and where the next one begins. Entries
// that come or go between two pages make no other entry appear twice or not at
// all when After is used.
func (m *Mirror) ListPage(ctx context.Context, q Query) (Page, error) {
	if m.loading.Load() {
		return Page{}, m.Healthy()
	}
	limit := q.Limit
	if limit <= 0 || limit > listLimit {
		limit = listLimit
	}
	query, args, err := m.listQuery(q)
	if err != nil {
		return Page{}, err
	}
	var page Page
	var last position
	err = m.each(ctx, query, append(args, limit+1, max(q.Offset, 0)), func(r *sql.Rows) error {
		if len(page.Entries) == limit {
			page.Next = last.token()
			return nil
		}
		e, err := m.scan(r, &last.Row, &last.Rank, &last.Name, &last.Display)
		page.Entries = append(page.Entries, e)
		return err
	})
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

// listQuery puts the statement together, from constants alone: the rows are
// chosen by an index, then read.
func (m *Mirror) listQuery(q Query) (query string, args []any, err error) {
	index, order := q.SortBy.order()
	inner := "SELECT id FROM entry INDEXED BY " + index + " WHERE list=?"
	args = append(args, int(q.Kind))
	if q.Directory != "" {
		rank, err := m.rank(q.Directory)
		if err != nil {
			return "", nil, err
		}
		inner += " AND dir=?"
		args = append(args, rank)
	}
	compare, way := " > ", ""
	if q.Descending {
		compare, way = " < ", " DESC"
	}
	if q.After != "" {
		p, err := parsePosition(q.After)
		if err != nil {
			return "", nil, err
		}
		inner += " AND (" + strings.Join(order, ", ") + ")" + compare + "(" + strings.Repeat("?, ", len(order)-1) + "?)"
		for _, c := range order {
			args = append(args, p.value(c))
		}
	}
	inner += " ORDER BY " + strings.Join(order, way+", ") + way + " LIMIT ? OFFSET ?"
	return "SELECT " + columns + ", e.id, e.dir, e.name, e.display FROM (" + inner + ") p CROSS JOIN entry e ON e.id=p.id ORDER BY e." +
		strings.Join(order, way+", e.") + way, args, nil
}
