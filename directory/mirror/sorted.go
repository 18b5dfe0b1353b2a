package mirror

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"strings"

	"portico/directory"
)

// found is an entry that matches, as far as its place in the order needs it.
type found struct {
	absent bool
	key    string
	stable string
	rank   int
	row    int64
}

// compare is the order of lists.
func (f *found) compare(g *found) int {
	if f.absent != g.absent {
		if f.absent {
			return 1
		}
		return -1
	}
	return cmp.Or(strings.Compare(f.key, g.key), strings.Compare(f.stable, g.stable), cmp.Compare(f.rank, g.rank))
}

// best keeps the first so many of what it is given: a heap with the last on top.
type best struct {
	all  []*found
	sign int // -1 for descending
}

func (b *best) Len() int           { return len(b.all) }
func (b *best) Less(i, j int) bool { return b.sign*b.all[i].compare(b.all[j]) > 0 }
func (b *best) Swap(i, j int)      { b.all[i], b.all[j] = b.all[j], b.all[i] }
func (b *best) Push(x any)         { b.all = append(b.all, x.(*found)) }
func (b *best) Pop() any {
	last := b.all[len(b.all)-1]
	b.all = b.all[:len(b.all)-1]
	return last
}

// place is where an entry stands in an order without an index.
func (l *list) place(e *directory.Entry, row int64) *found {
	f := &found{absent: true, stable: e.ID.Stable, rank: l.m.dirs[e.ID.Directory], row: row}
	var value string
	switch l.q.SortBy {
	case directory.AttrLogin:
		if value = e.Login; e.Kind != directory.KindPerson {
			value = strings.TrimSpace(e.Name)
		}
	case directory.AttrName:
		value = e.DisplayName()
	default:
		for _, v := range e.Attributes[l.q.SortBy] {
			if v != "" {
				value = v
				break
			}
		}
	}
	if value == "" {
		return f
	}
	if !l.q.Exact {
		value = fold(value)
	}
	f.absent = false
	f.key, _ = clip(value)
	f.key = strings.Clone(f.key)
	return f
}

// sorted gives a page in an order without an index: it goes through all that
// match and keeps what comes first.
func (l *list) sorted(ctx context.Context, page *Page) error {
	if l.test.from == nil && l.test.sql == "" && l.all > l.q.ScanLimit {
		return ErrScan
	}
	b := &best{sign: 1}
	if l.q.Descending {
		b.sign = -1
	}
	var after *found
	if l.after != nil {
		after = &found{absent: l.after.Absent, key: l.after.Text, stable: l.after.Stable, rank: l.after.Rank}
	}
	keep := l.q.Offset + l.q.Limit + 1
	err := l.each(ctx, func(e *directory.Entry, row int64) {
		f := l.place(e, row)
		if after != nil && b.sign*f.compare(after) <= 0 {
			return
		}
		switch {
		case len(b.all) < keep:
			heap.Push(b, f)
		case b.sign*f.compare(b.all[0]) < 0:
			b.all[0] = f
			heap.Fix(b, 0)
		}
	})
	if err != nil {
		return err
	}
	slices.SortFunc(b.all, func(f, g *found) int { return b.sign * f.compare(g) })
	rest := b.all[min(l.q.Offset, len(b.all)):]
	if len(rest) > l.q.Limit {
		rest = rest[:l.q.Limit]
		last := rest[len(rest)-1]
		p := position{Order: l.orderName(), Text: last.key, Absent: last.absent, Stable: last.stable, Rank: last.rank}
		page.Next = p.token()
	}
	return l.read(ctx, rest, page)
}

// read fetches the entries of a page; who went meanwhile is left out.
func (l *list) read(ctx context.Context, rows []*found, page *Page) error {
	for _, f := range rows {
		e, err := l.m.single(ctx, "SELECT "+columns+" FROM entry e WHERE e.id=?", f.row)
		if notFoundIsNil(err) != nil {
			return err
		}
		if err == nil {
			page.Entries = append(page.Entries, e)
		}
	}
	return nil
}
