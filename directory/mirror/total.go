package mirror

import (
	"context"
	"database/sql"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"portico/directory"
)

// totals remembers how many entries match, each number for one revision.
type totals struct {
	once   sync.Once
	kept   *lru.Cache[string, tallied]
	flight singleflight.Group
}

type tallied struct {
	revision uint64
	n        int
}

const totalsKept = 512

func (t *totals) cache() *lru.Cache[string, tallied] {
	t.once.Do(func() { t.kept, _ = lru.New[string, tallied](totalsKept) })
	return t.kept
}

// total is the exact number of matching entries, counted at most once for each
// predicate and revision.
func (l *list) total(ctx context.Context) (int, error) {
	if l.test.sql == "" && l.exact {
		l.n = l.all
		return l.n, nil
	}
	if l.q.Keep != nil && l.q.KeepKey == "" {
		n, err := l.count(ctx)
		l.n = n
		return n, err
	}
	cache := l.m.totals.cache()
	revision := l.m.revision.Load()
	if t, ok := cache.Get(l.key); ok && t.revision == revision {
		l.n = t.n
		return t.n, nil
	}
	n, err, shared := l.m.totals.flight.Do(l.key, func() (any, error) {
		n, err := l.count(ctx)
		if err == nil {
			cache.Add(l.key, tallied{revision, n})
		}
		return n, err
	})
	if err != nil && shared && ctx.Err() == nil {
		n, err = l.count(ctx) // the other's request may have ended
	}
	l.n = n.(int)
	return l.n, err
}

func (l *list) count(ctx context.Context) (n int, err error) {
	from, args := l.tables(true, "")
	if l.exact {
		// What is left of a complement is often cheaper to count.
		if p := l.q.Where; p.Node == directory.NodeCompare && p.Attribute == directory.AttrActive && l.test.from == nil {
			inactive := *l
			inactive.q.Where = directory.Not(p)
			c := compiler{m: l.m, kind: l.q.Kind, listed: l.m.listed.Load(), now: l.m.moment(l.q.Now)}
			if inactive.test = c.active(opposite(p)); inactive.test.from != nil {
				from, args = inactive.tables(true, "")
				err := l.m.once(ctx, "SELECT count(*) FROM "+from, args, func(r *sql.Rows) error { return r.Scan(&n) })
				return l.all - n, err
			}
		}
		return n, l.m.once(ctx, "SELECT count(*) FROM "+from, args, func(r *sql.Rows) error { return r.Scan(&n) })
	}
	if l.test.from == nil && l.test.sql == "" && l.all > l.q.ScanLimit {
		return 0, ErrScan
	}
	err = l.each(ctx, func(*directory.Entry, int64) { n++ })
	return n, err
}

// opposite turns a comparison of AttrActive round.
func opposite(p *directory.Predicate) *directory.Predicate {
	o := *p
	o.Op = directory.OpEqual + directory.OpNotEqual - p.Op
	return &o
}

// each gives every matching entry and its row, in no order.
func (l *list) each(ctx context.Context, f func(*directory.Entry, int64)) error {
	from, args := l.tables(true, "")
	answers, more := l.answers()
	scan, row := l.q.ScanLimit, int64(0)
	bits := make([]bool, len(l.asked))
	into := []any{&row}
	if !l.exact {
		for i := range bits {
			into = append(into, &bits[i])
		}
	}
	return l.m.once(ctx, "SELECT "+rowColumns+answers+" FROM "+from, append(more, args...), func(r *sql.Rows) error {
		if scan--; scan < 0 {
			return ErrScan
		}
		e, err := l.m.scan(r, into...)
		if err == nil && l.matches(e, bits) {
			f(e, row)
		}
		return err
	})
}
