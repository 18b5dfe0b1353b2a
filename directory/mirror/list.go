package mirror

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"portico/directory"
)

// Orders of lists that have names of their own; any mapped attribute will do.
const (
	SortID      = directory.AttrID    // the default
	SortName    = directory.AttrLogin // login name of people, name of groups
	SortDisplay = directory.AttrName  // display name, or name
)

// What queries answer with; see the package directory.
var (
	ErrPosition = directory.ErrPosition
	ErrScan     = directory.ErrScan
)

const (
	// listLimit is how many entries one call gives at most.
	listLimit = 10000
	// scanLimit is Query.ScanLimit where that is 0.
	scanLimit = 200_000
)

// Query and Page are the list and its answer.
type (
	Query = directory.ListQuery
	Page  = directory.Page
)

// position is where a page ended: in terms of the entries, so that it means the
// same in every process and after everything was read anew.
type position struct {
	Text   string `json:"t,omitempty"`
	Number *int64 `json:"n,omitempty"`
	Absent bool   `json:"a,omitempty"`
	Stable string `json:"s,omitempty"`
	Rank   int    `json:"d,omitempty"`
	Row    int64  `json:"r,omitempty"` // of members alone, which are in the order of rows
	Order  string `json:"o,omitempty"`
}

func (p *position) token() string {
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

// setKey keeps the value that the order goes by.
func (p *position) setKey(key any) {
	p.Text, p.Number, p.Absent = "", nil, false
	switch v := key.(type) {
	case string:
		p.Text = v
	case int64:
		p.Number = &v
	default:
		p.Absent = true
	}
}

// key is the value that the order goes by, as SQLite has it.
func (p *position) key() any {
	switch {
	case p.Absent:
		return noValue
	case p.Number != nil:
		return *p.Number
	}
	return p.Text
}

// List gives one page of entries; see ListPage.
func (m *Mirror) List(ctx context.Context, q Query) ([]*directory.Entry, error) {
	p, err := m.ListPage(ctx, q)
	return p.Entries, err
}

// ListPage gives one page of entries and where the next one begins. Entries
// that come or go between two pages make no other entry appear twice or not at
// all when After is used. Errors: directory.ErrPredicate, ErrPosition, ErrScan.
func (m *Mirror) ListPage(ctx context.Context, q Query) (Page, error) {
	if err := q.Where.Check(); err != nil {
		return Page{}, err
	}
	if m.loading.Load() {
		return Page{}, m.Healthy()
	}
	l, err := m.plan(ctx, q)
	if err != nil || l.test.sql == never.sql {
		return Page{}, err
	}
	var page Page
	if q.Total || l.test.from != nil {
		if page.Total, err = l.total(ctx); err != nil {
			return Page{}, err
		}
	}
	switch {
	case l.q.Limit < 0:
	case l.order.column == "":
		err = l.sorted(ctx, &page)
	default:
		err = l.walk(ctx, &page)
	}
	if err != nil {
		return Page{}, err
	}
	return page, nil
}
