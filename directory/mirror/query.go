package mirror

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"portico/directory"
)

// order is how a list is sorted: by a column with an index, or, without one, by
// what Go reads from the entries.
type order struct{ column, index string }

func orderOf(by string, exact bool) order {
	switch by {
	case "", directory.AttrID:
		return order{"stable", "entry_list"}
	case directory.AttrCreated, directory.AttrModified:
		return order{by, "entry_" + by}
	case directory.AttrLogin:
		if !exact {
			return order{"name", "entry_name"}
		}
	case directory.AttrName:
		if !exact {
			return order{"display", "entry_display"}
		}
	case directory.AttrGivenName, directory.AttrFamilyName:
		if !exact {
			column := strings.TrimSuffix(by, "_name")
			return order{column, "entry_" + column}
		}
	}
	return order{}
}

// list is one query on its way.
type list struct {
	m     *Mirror
	q     Query
	test  test
	asked []*directory.Predicate
	exact bool // SQL says all
	key   string
	timed bool
	order order
	all   int // visible entries of the kind
	n     int // that match, once total was asked
	after *position
}

func (m *Mirror) plan(ctx context.Context, q Query) (*list, error) {
	l := &list{m: m, q: q, order: orderOf(q.SortBy, q.Exact), n: -1}
	if q.Limit == 0 || q.Limit > listLimit {
		l.q.Limit = listLimit
	}
	if q.ScanLimit <= 0 {
		l.q.ScanLimit = scanLimit
	}
	l.q.Offset = max(q.Offset, 0)
	if q.Directory != "" {
		if _, err := m.rank(q.Directory); err != nil {
			return nil, err
		}
		l.q.Where = directory.And(q.Where, directory.CompareExact(directory.AttrDirectory, directory.OpEqual, q.Directory))
	}
	var err error
	if l.all, err = m.Count(ctx, q.Kind, ""); err != nil {
		return nil, err
	}
	grams := func() map[string]int { return m.commonGrams(ctx) }
	c := compiler{m: m, kind: q.Kind, listed: m.listed.Load(), now: m.moment(q.Now), grams: grams}
	l.test = c.compile(l.q.Where)
	l.asked, l.timed = c.asked, c.timed
	l.exact = l.test.exact && q.Keep == nil
	l.key = fmt.Sprintf("%d %q %s", q.Kind, q.KeepKey, l.q.Where.Key())
	if l.timed {
		l.key = fmt.Sprintf("%s @%d", l.key, c.now/1e9)
	}
	if !c.listed {
		l.order.index = ""
	}
	if q.After != "" {
		p, err := parsePosition(q.After)
		if err != nil || p.Order != l.orderName() {
			return nil, ErrPosition
		}
		l.after = &p
	}
	return l, nil
}

// orderName goes into positions, so that none is used with another order.
func (l *list) orderName() string {
	name := l.q.SortBy
	if name == "" {
		name = directory.AttrID
	}
	if l.q.Exact {
		name += "!"
	}
	if l.q.Descending {
		name += "-"
	}
	return name
}

// few tells whether it is cheaper to fetch and sort all that match than to walk
// along the order until a page is full.
func (l *list) few() bool {
	return l.test.from != nil && float64(l.n) <= max(l.m.fewest, math.Sqrt(float64(l.q.Limit)*float64(l.all)))
}

// tables is where rows come from, with arguments: the index of the order, any
// order, or what the test starts from.
func (l *list) tables(start bool, index string) (from string, args []any) {
	from = "entry e"
	if start && l.test.from != nil {
		from, args = "("+l.test.from.sql+") s CROSS JOIN entry e ON e.id=s.id", append(args, l.test.from.args...)
	} else if index != "" {
		from += " INDEXED BY " + index
	}
	from += " WHERE e.list=?"
	args = append(args, int(l.q.Kind))
	if l.test.sql != "" {
		from += " AND " + l.test.sql
		args = append(args, l.test.args...)
	}
	return from, args
}

// answers are columns with what SQL says about the comparisons that an entry
// cannot answer itself.
func (l *list) answers() (columns string, args []any) {
	if l.exact {
		return "", nil
	}
	c := compiler{m: l.m, kind: l.q.Kind, now: l.m.moment(l.q.Now)}
	for _, p := range l.asked {
		t := c.leaf(p)
		if t.sql == "" {
			t.sql = "1"
		}
		columns += ", (" + t.sql + ")"
		args = append(args, t.args...)
	}
	return columns, args
}

// matches reads the columns of answers and asks the entry.
func (l *list) matches(e *directory.Entry, answers []bool) bool {
	if l.exact {
		return true
	}
	match := l.q.Where.Match(e, func(p *directory.Predicate) bool {
		for i, asked := range l.asked {
			if asked == p {
				return answers[i]
			}
		}
		return false
	})
	return match && (l.q.Keep == nil || l.q.Keep(e))
}

// walk goes along the order of a column until the page is full.
func (l *list) walk(ctx context.Context, page *Page) error {
	start := l.few()
	from, args := l.tables(start, l.order.index)
	where, way := "", " ASC"
	if l.q.Descending {
		way = " DESC"
	}
	columns := []string{l.order.column, "stable", "dir"}
	if l.order.column == "stable" {
		columns = columns[1:]
	}
	if l.after != nil {
		where = " AND (e." + strings.Join(columns, ", e.") + ")" + map[bool]string{false: " > ", true: " < "}[l.q.Descending] +
			"(" + strings.Repeat("?, ", len(columns)-1) + "?)"
		if len(columns) == 3 {
			args = append(args, l.after.key())
		}
		args = append(args, l.after.Stable, l.after.Rank)
	}
	ordered := " ORDER BY e." + strings.Join(columns, way+", e.") + way
	answers, more := l.answers()
	if !l.exact {
		query := "SELECT " + rowColumns + ", e." + l.order.column + answers + " FROM " + from + where + ordered
		return l.fill(ctx, page, l.q.Offset, l.q.ScanLimit, query, append(more, args...))
	}
	// The rows are chosen by the index alone, then read.
	query := "SELECT " + rowColumns + ", e." + l.order.column + " FROM (SELECT e.id AS id FROM " + from + where + ordered +
		" LIMIT ? OFFSET ?) p CROSS JOIN entry e ON e.id=p.id" + ordered
	return l.fill(ctx, page, 0, math.MaxInt, query, append(args, l.q.Limit+1, l.q.Offset))
}

// rowColumns are what every query about a list gives first.
const rowColumns = columns + ", e.id"

// fill reads rows in their order into a page.
func (l *list) fill(ctx context.Context, page *Page, skip, scan int, query string, args []any) error {
	full, last := errors.New("full"), position{Order: l.orderName()}
	bits := make([]bool, len(l.asked))
	var row int64
	var key any
	into := []any{&row, &key}
	if !l.exact {
		for i := range bits {
			into = append(into, &bits[i])
		}
	}
	err := l.m.once(ctx, query, args, func(r *sql.Rows) error {
		if scan--; scan < 0 {
			return ErrScan
		}
		e, err := l.m.scan(r, into...)
		if err != nil {
			return err
		}
		if !l.matches(e, bits) {
			return nil
		}
		if skip--; skip >= 0 {
			return nil
		}
		if len(page.Entries) == l.q.Limit {
			page.Next = last.token()
			return full
		}
		page.Entries = append(page.Entries, e)
		last.setKey(key)
		last.Stable, last.Rank = e.ID.Stable, l.m.dirs[e.ID.Directory]
		return nil
	})
	if errors.Is(err, full) {
		err = nil
	}
	return err
}

// once runs a query that will not come again in these words: it is not kept.
func (m *Mirror) once(ctx context.Context, query string, args []any, row func(*sql.Rows) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.readable(ctx); err != nil {
		return err
	}
	err := despiteNewSchema(func() (*sql.Rows, error) { return m.db.read.QueryContext(ctx, query, args...) }, row)
	if err != nil && m.loading.Load() && !errors.Is(translate(err), ErrCorrupt) && !errors.Is(err, ErrScan) {
		return nil // a first load has just taken the indexes away: there is nothing to read
	}
	return m.checked(err)
}
