package mirror

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"portico/directory"
)

// Orders of lists that have names of their own; any mapped attribute will do.
const (
	SortID      = directory.AttrID    // the default
	SortName    = directory.AttrLogin // login name of people, name of groups
	SortDisplay = directory.AttrName  // display name, or name
)

var (
	// ErrPosition says that a page token is not one of ours, or not one of this order.
	ErrPosition = errors.New("malformed page position")
	// ErrScan says that a query would have to look at more entries than it may.
	ErrScan = errors.New("too many entries to look through")
)

const (
	// listLimit is how many entries one call gives at most.
	listLimit = 10000
	// scanLimit is Query.ScanLimit where that is 0.
	scanLimit = 200_000
)

// Query asks for one page of the visible entries of a kind. The order is total
// and the same in every process: by the first value of SortBy, then by permanent
// id, then by directory; all of that backwards with Descending. Text is folded
// (directory.Fold) unless Exact, and compared by its first 256 bytes; entries
// without a value come last, and first with Descending. Indexed orders are
// SortID, SortName, SortDisplay, given and family name, created and modified;
// others go through all entries that match (see ScanLimit).
type Query struct {
	Kind      directory.Kind
	Directory string               // "" for all
	Where     *directory.Predicate // nil: all
	// Keep narrows what Where leaves. KeepKey names what it does, so that totals
	// can be remembered; "" forgets them.
	Keep    func(*directory.Entry) bool
	KeepKey string

	SortBy     string
	Exact      bool // letter by letter; only orders without an index
	Descending bool

	Offset int    // entries to leave out; costs time linear in it
	Limit  int    // 1..10000; 0 means 10000; negative: none, for totals alone
	After  string // Page.Next of the page before; costs nothing
	Total  bool   // count all that match

	Now       time.Time // for directory.AttrActive; default: the mirror's clock
	ScanLimit int       // entries that may be looked at one by one; default 200,000
}

// Page is a part of a list.
type Page struct {
	Entries []*directory.Entry
	Next    string // for Query.After; "" when this page is the last
	Total   int    // with Query.Total
}

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
