package mirror

import (
	"context"
	"sync"

	"portico/directory"
)

// Refresh is a full read of one directory beside the old content, which keeps
// serving. What it brings is visible batch by batch; what it lacks goes in
// Complete. Its methods are for one goroutine.
type Refresh struct {
	m          *Mirror
	dir        string
	rank       int
	generation int
	before     int // entries when it began
	allow      bool

	queue  chan []*directory.Entry
	failed chan struct{} // closed when err is set
	done   chan struct{} // closed when the queue's reader has ended
	ended  sync.Once
	err    error

	// Guarded by the mirror's token:
	seen    bitset           // rows
	touched map[string]int64 // stable ids that Apply changed meanwhile: modified, or gone
}

const gone = -1

// refreshQueue is how many batches may wait: the LDAP side decodes the next one
// while one is written.
const refreshQueue = 2

// BeginRefresh begins a full read. An open refresh of the same directory ends.
func (m *Mirror) BeginRefresh(ctx context.Context, dir string) (*Refresh, error) {
	rank, err := m.rank(dir)
	if err != nil {
		return nil, err
	}
	if err := m.acquire(ctx); err != nil {
		return nil, err
	}
	defer m.release()
	if m.closing {
		return nil, ErrClosed
	}
	if old := m.refreshes[rank]; old != nil {
		old.end(ErrSuperseded)
		delete(m.refreshes, rank)
	}
	r := &Refresh{
		m: m, dir: dir, rank: rank, touched: make(map[string]int64),
		queue: make(chan []*directory.Entry, refreshQueue), failed: make(chan struct{}), done: make(chan struct{}),
	}
	_, err = m.updateHeld(func(t *tx) error {
		r.generation = m.generation
		switch {
		case t.w.bulk == nil:
			if err := t.startBulk(); err != nil {
				return err
			}
		case len(m.refreshes) == 0:
			if err := t.restartBulk(); err != nil {
				return err
			}
		}
		if t.w.bulk != nil {
			return nil
		}
		_, err := t.one("SELECT count(*) FROM entry WHERE dir=?", []any{rank}, &r.before)
		return err
	})
	if err != nil {
		return nil, err
	}
	m.refreshes[rank] = r
	m.background.Go(r.drain)
	return r, nil
}

// endRefreshes is called with the token held.
func (m *Mirror) endRefreshes() {
	for rank, r := range m.refreshes {
		r.end(ErrSuperseded)
		delete(m.refreshes, rank)
	}
}

// end makes every further call answer err.
func (r *Refresh) end(err error) {
	r.ended.Do(func() {
		r.err = err
		close(r.failed)
	})
}

// drain writes what Upsert queued until the queue is closed or the refresh ends.
func (r *Refresh) drain() {
	defer close(r.done)
	for {
		select {
		case <-r.failed:
			return
		case batch, more := <-r.queue:
			if !more {
				return
			}
			if err := r.write(batch); err != nil {
				r.end(err)
				return
			}
		}
	}
}

// refreshChunk bounds one transaction, so that other writers get their turn.
const refreshChunk = 2000

func (r *Refresh) write(batch []*directory.Entry) error {
	for len(batch) > 0 {
		n := min(len(batch), refreshChunk)
		part := batch[:n]
		batch = batch[n:]
		err := r.m.update(r.m.stopped, func(t *tx) error {
			if err := r.alive(); err != nil {
				return err
			}
			for _, e := range part {
				if r.outdated(e) {
					continue
				}
				id, err := t.upsert(r.rank, e)
				if err != nil {
					return err
				}
				r.seen.set(id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// alive is called in a transaction.
func (r *Refresh) alive() error {
	select {
	case <-r.failed:
		return r.err
	default:
	}
	if r.generation != r.m.generation {
		return ErrSuperseded
	}
	return nil
}

// outdated tells whether Apply has brought later news of the entry than a read
// that began earlier: it was deleted, or is newer by the server's own time.
func (r *Refresh) outdated(e *directory.Entry) bool {
	at, known := r.touched[e.ID.Stable]
	return known && (at == gone || at > instant(e.Modified) && !e.Modified.IsZero())
}

// note is told of each entry that Apply brought while the refresh runs.
func (r *Refresh) note(id int64, e *directory.Entry) {
	r.seen.set(id)
	r.touched[e.ID.Stable] = instant(e.Modified)
}

func (r *Refresh) noteGone(stable string) { r.touched[stable] = gone }

// Upsert queues entries. It returns before they are written; an error of
// earlier entries comes from a later call. The entries are not to be changed.
func (r *Refresh) Upsert(ctx context.Context, entries []*directory.Entry) error {
	if err := checkEntries(r.dir, entries); err != nil {
		return err
	}
	batch := append([]*directory.Entry(nil), entries...)
	select {
	case <-r.failed:
		return r.err
	default:
	}
	select {
	case r.queue <- batch:
		return nil
	case <-r.failed:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Present marks entries that still exist and are unchanged. Ids that the mirror
// does not hold are ignored: a server also names what is no person or group.
func (r *Refresh) Present(ctx context.Context, stable []string) error {
	for len(stable) > 0 {
		n := min(len(stable), refreshChunk)
		part := stable[:n]
		stable = stable[n:]
		err := r.m.update(ctx, func(t *tx) error {
			if err := r.alive(); err != nil || t.w.bulk != nil {
				return err
			}
			for _, s := range part {
				var id int64
				found, err := t.one("SELECT id FROM entry WHERE stable=? AND dir=?", []any{s, r.rank}, &id)
				if err != nil {
					return err
				}
				if found {
					r.seen.set(id)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// AllowSweep lets Complete delete any number of entries.
func (r *Refresh) AllowSweep() { r.allow = true }

// Abort ends the refresh without a sweep. It may be called at any time, also
// after Complete.
func (r *Refresh) Abort() {
	r.end(ErrSuperseded)
	<-r.done
	r.m.token <- struct{}{}
	defer r.m.release()
	if r.m.refreshes[r.rank] == r {
		delete(r.m.refreshes, r.rank)
	}
}
