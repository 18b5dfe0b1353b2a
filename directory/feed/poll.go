package feed

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// poll looks again and again: for entries changed since the last look, by time of
// modification, and at a slower pace for the ids of everything, which is the only
// way to learn of deletions.
type poll struct {
	*follower
	server server
	source Directory // where it is read from
	mode   Mode

	identity  string            // of the server, where positions are valid on one only
	attribute string            // modifyTimestamp, whenChanged; "" where nothing tells
	seen      map[string]string // versions of entries within the margin, which come again
}

func newPoll(f *follower, s server) *poll {
	return &poll{follower: f, server: s, source: f.dir, mode: ModePoll, attribute: f.m.ModifiedAttribute()}
}

// pollInterval is the time between two looks, unless the configuration says otherwise.
const pollInterval = 30 * time.Second

// run polls from a position until something fails.
func (p *poll) run(ctx context.Context, at position) error {
	since := at.Since
	var swept time.Time
	for {
		var err error
		switch {
		case since == "" || p.now().After(p.nextFull) && p.cfg.Reconcile > 0:
			since, err = p.readEverything(ctx)
			swept = p.now()
		default:
			since, err = p.look(ctx, since)
			if err == nil && p.now().Sub(swept) >= p.cfg.Sweep {
				err = p.sweepIDs(ctx, since)
				swept = p.now()
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		p.followed = true
		p.status.contact()
		p.status.phase(PhaseFollowing, nil)
		if !sleep(ctx, jitter(p.interval(pollInterval))) {
			return ctx.Err()
		}
	}
}

// interval is the configured time between two looks.
func (p *poll) interval(otherwise time.Duration) time.Duration {
	if p.cfg.Interval > 0 {
		return p.cfg.Interval
	}
	return otherwise
}

// position is what is stored with the content.
func (p *poll) position(since string) string {
	return position{
		Mode: p.mode, Fingerprint: p.fingerprint, Server: p.identity, Vendor: p.server.vendor, Since: since, Checked: p.lastFull.Load(),
	}.text()
}

// readEverything is the full read; the looks go on from the newest time in it.
func (p *poll) readEverything(ctx context.Context) (since string, _ error) {
	window := p.newWindow()
	err := p.fullRead(ctx, window.see, func() string {
		since = window.next("")
		return since
	})
	return since, err
}

// fullRead reads everything: written beside what is there, swept at its end. see
// is told of each entry, and since says at the end from where looks go on.
func (p *poll) fullRead(ctx context.Context, see func(*directory.Entry), since func() string) error {
	p.status.phase(PhaseRefreshing, nil)
	p.status.set(func(st *Status) { st.Entries = 0 })
	r, err := p.store.BeginRefresh(ctx, p.cfg.Directory)
	if err != nil {
		return fmt.Errorf("begin a full read: %w", err)
	}
	defer r.Abort()
	err = p.read(ctx, p.m.All(0), p.mapped, func(list []*directory.Entry, _ []string) error {
		for _, e := range list {
			see(e)
			p.names.moved(e, true)
		}
		p.status.set(func(st *Status) { st.Entries += int64(len(list)) })
		return r.Upsert(ctx, list)
	})
	if err != nil {
		return err
	}
	p.lastFull.Store(p.now().Unix())
	if err := p.complete(ctx, r, p.position(since())); err != nil {
		return err
	}
	p.seen = nil
	p.full.Store(false)
	p.nextFull = p.now().Add(jitter(max(p.cfg.Reconcile, time.Second)))
	p.status.set(func(st *Status) { st.Complete = true })
	return nil
}

// look reads what changed since the last look and writes what is new of it.
func (p *poll) look(ctx context.Context, since string) (string, error) {
	window := p.newWindow()
	seen, moved := map[string]string{}, false
	err := p.read(ctx, p.m.ChangedSince(p.attribute, since), p.mapped, func(list []*directory.Entry, gone []string) error {
		fresh := list[:0]
		for _, e := range list {
			window.see(e)
			seen[e.ID.Stable] = e.Version
			if e.Version == "" || p.seen[e.ID.Stable] != e.Version {
				fresh = append(fresh, e)
				moved = p.names.moved(e, e.Created.Equal(e.Modified)) || moved
			}
		}
		return p.apply(ctx, Batch{Upserts: fresh, Deletes: gone})
	})
	if moved {
		p.full.Store(true) // also if this look fails
	}
	if err != nil {
		return "", err
	}
	if moved {
		p.log.Info("a container was renamed: reading everything again")
		return p.readEverything(ctx)
	}
	next := window.next(since)
	p.seen = seen
	if next == since {
		return since, nil
	}
	at := p.position(next)
	return next, p.apply(ctx, Batch{Cookie: &at})
}

// apply writes a batch, unless there is nothing in it.
func (p *poll) apply(ctx context.Context, b Batch) error {
	if len(b.Upserts) == 0 && len(b.Deletes) == 0 && b.Cookie == nil {
		return nil
	}
	if err := p.store.Apply(ctx, p.cfg.Directory, b); err != nil {
		return fmt.Errorf("write changes: %w", err)
	}
	if n := int64(len(b.Upserts)); n > 0 {
		now := p.now()
		p.status.set(func(st *Status) {
			st.Changes += n
			st.Events += n
			st.Batches++
			st.LastChange = now
		})
	}
	return nil
}

// sweepIDs reads the ids of everything and deletes what is not among them. A read
// that was not complete is no sweep.
func (p *poll) sweepIDs(ctx context.Context, since string) error {
	r, err := p.store.BeginRefresh(ctx, p.cfg.Directory)
	if err != nil {
		return fmt.Errorf("begin a sweep: %w", err)
	}
	defer r.Abort()
	var ids []string
	flush := func() error {
		batch := ids
		ids = nil
		return r.Present(ctx, batch)
	}
	err = p.source.SearchPaged(ctx, p.m.IDs(), p.cfg.PageSize, func(e *ldap.Entry) error {
		id, kind, err := p.m.Identify(e)
		if err = p.unusable(err); err != nil || kind == 0 {
			return err
		}
		if ids = append(ids, id.Stable); len(ids) >= idBatch {
			return flush()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read all ids: %w", err)
	}
	for id := range p.seen { // a lagging replica may not know the newest yet
		ids = append(ids, id)
	}
	if err := flush(); err != nil {
		return err
	}
	return p.complete(ctx, r, p.position(since))
}

// mapped maps an entry; nil is one that is not ours.
func (p *poll) mapped(ctx context.Context, e *ldap.Entry) (*directory.Entry, error) {
	return p.whole(ctx, p.source, e)
}

// read reads a search in pages and hands it over in batches, mapped by take, while
// the next entries are already being read; gone are the ids of entries that are
// found and cannot be used any more.
func (p *poll) read(
	ctx context.Context, req *ldap.SearchRequest, take func(context.Context, *ldap.Entry) (*directory.Entry, error),
	write func(list []*directory.Entry, gone []string) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := startWriter(ctx, cancel, writeQueue)
	var list []*directory.Entry
	var gone []string
	values := 0
	flush := func() error {
		batch, left := list, gone
		list, gone, values = nil, nil, 0
		return w.do(func(context.Context) error { return write(batch, left) })
	}
	err := p.source.SearchPaged(ctx, req, p.cfg.PageSize, func(e *ldap.Entry) error {
		entry, err := take(ctx, e)
		if err != nil {
			return err
		}
		if entry == nil {
			if stable := p.m.Stable(e); stable != "" {
				gone = append(gone, stable)
			}
			return nil
		}
		list, values = append(list, entry), values+len(entry.Members)
		if len(list) >= batchEntries || values >= batchValues {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	w.stop()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	return nil
}

// window finds the point from which the next look must go on.
type window struct {
	p      *poll
	start  time.Time // by our clock
	newest time.Time // by the server's
}

func (p *poll) newWindow() *window { return &window{p: p, start: p.now()} }

func (w *window) see(e *directory.Entry) {
	if e.Modified.After(w.newest) {
		w.newest = e.Modified
	}
}

// next is the value from which to go on. Times have a resolution of a second, the
// server's clock may differ from ours, and something may have changed behind the
// point that the read had reached: so it goes back by the duration of the read,
// counted from the newest time that the server gave, and by the margin. It never
// goes back behind the last value.
func (w *window) next(since string) string {
	if w.p.attribute == "" || w.newest.IsZero() {
		return since
	}
	next := w.newest.Add(-w.p.now().Sub(w.start))
	if w.start.Before(next) {
		next = w.start
	}
	next = next.Add(-w.p.cfg.Margin)
	if last, ok := mapping.Time(since); ok && !next.After(last) {
		return since
	}
	layout := "20060102150405Z"
	if strings.EqualFold(w.p.attribute, "whenChanged") {
		layout = "20060102150405.0Z"
	}
	return next.UTC().Format(layout)
}
