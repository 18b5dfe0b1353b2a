package mirror

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"

	"portico/directory"
)

// Sort is what a list is ordered by; ties are broken by directory and row, so
// the order is total.
type Sort uint8

// The orders of lists. Names are compared in folded form.
const (
	SortName     Sort = iota // login name of people, name of groups and containers
	SortDisplay              // display name, or name
	SortCreated              // unknown times first
	SortModified             // unknown times first
)

// column is the indexed column of an order.
func (s Sort) column() (name string, number bool) {
	switch s {
	case SortDisplay:
		return "display", false
	case SortCreated:
		return "created", true
	case SortModified:
		return "modified", true
	default:
		return "name", false
	}
}

// ErrPosition: a page token is not one of ours.
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
	Text   string `json:"t,omitempty"`
	Number int64  `json:"n,omitempty"`
	Rank   int    `json:"d,omitempty"`
	Row    int64  `json:"r"`
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
	into := []any{&last.Row, &last.Rank, &last.Text}
	if _, number := q.SortBy.column(); number {
		into[2] = &last.Number
	}
	err = m.each(ctx, query, append(args, limit+1, max(q.Offset, 0)), func(r *sql.Rows) error {
		if len(page.Entries) == limit {
			page.Next = last.token()
			return nil
		}
		e, err := m.scan(r, into...)
		page.Entries = append(page.Entries, e)
		return err
	})
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

// listQuery puts the statement together: the rows are chosen by an index alone,
// then read.
func (m *Mirror) listQuery(q Query) (query string, args []any, err error) {
	column, number := q.SortBy.column()
	inner := "SELECT id FROM entry INDEXED BY entry_" + column + " WHERE list=?"
	args = append(args, int(q.Kind))
	if q.Directory != "" {
		rank, err := m.rank(q.Directory)
		if err != nil {
			return "", nil, err
		}
		inner += " AND dir=?"
		args = append(args, rank)
	}
	compare, way := ">", ""
	if q.Descending {
		compare, way = "<", " DESC"
	}
	if q.After != "" {
		p, err := parsePosition(q.After)
		if err != nil {
			return "", nil, err
		}
		inner += " AND (" + column + ", dir, id) " + compare + " (?,?,?)"
		if number {
			args = append(args, p.Number, p.Rank, p.Row)
		} else {
			args = append(args, p.Text, p.Rank, p.Row)
		}
	}
	order := func(t string) string {
		return " ORDER BY " + t + column + way + ", " + t + "dir" + way + ", " + t + "id" + way
	}
	inner += order("") + " LIMIT ? OFFSET ?"
	return "SELECT " + columns + ", e.id, e.dir, e." + column + " FROM (" + inner + ") p CROSS JOIN entry e ON e.id=p.id" + order("e."), args, nil
}
