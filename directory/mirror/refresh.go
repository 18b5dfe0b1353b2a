package mirror

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"portico/directory"
)

// A sweep may delete this many entries, or this share of what was there when
// the refresh began, whichever is more.
const (
	sweepEntries = 10
	sweepShare   = 0.20
)

// SweepError refuses a sweep that would delete more than max(20 %, 10 entries)
// of a directory. Nothing was deleted and the cookie was not taken. Another
// refresh that would delete exactly the same goes through.
type SweepError struct {
	Directory   string
	Deletes, Of int
}

// Error names the directory and both numbers.
func (e *SweepError) Error() string {
	return fmt.Sprintf("directory %s: a full read lacks %d of %d entries; they are kept until a second one says the same",
		e.Directory, e.Deletes, e.Of)
}

// FeedState is where the feed of a directory stands.
type FeedState struct {
	Cookie      string    // as the server gave it
	Fingerprint string    // of the settings that the cookie belongs to
	CompletedAt time.Time // of the last complete refresh; zero: none yet
}

// FeedState is what the last batch and the last refresh left.
func (m *Mirror) FeedState(ctx context.Context, dir string) (FeedState, error) {
	rank, err := m.rank(dir)
	if err != nil {
		return FeedState{}, err
	}
	var s FeedState
	var cookie, fingerprint []byte
	var completed int64
	err = m.row(ctx, "SELECT cookie, fingerprint, completed FROM directory WHERE rank=?", []any{rank}, &cookie, &fingerprint, &completed)
	s.Cookie, s.Fingerprint = string(cookie), string(fingerprint)
	if completed != 0 {
		s.CompletedAt = time.Unix(0, completed)
	}
	return s, err
}

// SetFeedState stores a cookie and its fingerprint; CompletedAt is not taken
// over, only Refresh.Complete sets it. Before a full resync with new settings,
// store the new fingerprint with an empty cookie.
func (m *Mirror) SetFeedState(ctx context.Context, dir string, s FeedState) error {
	rank, err := m.rank(dir)
	if err != nil {
		return err
	}
	return m.update(ctx, func(t *tx) error {
		return t.exec("UPDATE directory SET cookie=?, fingerprint=? WHERE rank=?", []byte(s.Cookie), []byte(s.Fingerprint), rank)
	})
}

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

// Complete is called after everything was read, and only if it is proven that
// it was everything: it writes what is queued, deletes what was neither
// upserted nor present, and stores the cookie, in one transaction. It ends the
// refresh, whatever it answers. See SweepError.
func (r *Refresh) Complete(ctx context.Context, cookie string) (deleted int, err error) {
	defer r.Abort()
	select {
	case <-r.failed:
		return 0, r.err
	default:
	}
	close(r.queue)
	select {
	case <-r.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	var refused *SweepError
	err = r.m.update(ctx, func(t *tx) error {
		if err := r.alive(); err != nil {
			return err
		}
		if t.w.bulk != nil {
			if err := t.finishBulk(); err != nil {
				return err
			}
		}
		sweep, err := t.unseen(r)
		if err != nil {
			return err
		}
		if refused, err = t.mayNotSweep(r, sweep); err != nil || refused != nil {
			return err
		}
		for _, stable := range sweep {
			if err := t.remove(r.rank, stable); err != nil {
				return err
			}
		}
		deleted = len(sweep)
		return t.exec("UPDATE directory SET cookie=?, completed=?, refused='' WHERE rank=?",
			[]byte(cookie), r.m.opts.Clock().UnixNano(), r.rank)
	})
	if err != nil {
		return 0, err
	}
	r.m.grams.forget()
	if refused != nil {
		r.m.log.Warn("a full read of the directory lacks too many entries; they are kept",
			"directory", r.dir, "missing", refused.Deletes, "of", refused.Of)
		return 0, refused
	}
	return deleted, nil
}

// unseen lists the stable ids that the refresh did not meet, in their order.
func (t *tx) unseen(r *Refresh) (stable []string, err error) {
	err = t.each("SELECT id, stable FROM entry WHERE dir=? ORDER BY stable", []any{r.rank}, func(rows *sql.Rows) error {
		var id int64
		var s sql.RawBytes
		if err := rows.Scan(&id, &s); err != nil {
			return err
		}
		if !r.seen.has(id) {
			stable = append(stable, string(s))
		}
		return nil
	})
	return stable, err
}

// mayNotSweep refuses a sweep that is too large and was not announced by an
// equal one, and remembers it.
func (t *tx) mayNotSweep(r *Refresh, sweep []string) (*SweepError, error) {
	if r.allow || len(sweep) <= sweepEntries || float64(len(sweep)) <= sweepShare*float64(r.before) {
		return nil, nil
	}
	h := sha256.New()
	for _, s := range sweep {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	digest := hex.EncodeToString(h.Sum(nil))
	var last string
	if _, err := t.one("SELECT refused FROM directory WHERE rank=?", []any{r.rank}, &last); err != nil {
		return nil, err
	}
	if last == digest {
		return nil, nil
	}
	err := t.exec("UPDATE directory SET refused=? WHERE rank=?", digest, r.rank)
	return &SweepError{Directory: r.dir, Deletes: len(sweep), Of: r.before}, err
}

// bitset is a set of row numbers, one bit each.
type bitset []uint64

func (b *bitset) set(n int64) {
	i := int(n >> 6)
	if i >= len(*b) {
		*b = append(*b, make([]uint64, i+1-len(*b)+len(*b)/2)...)
	}
	(*b)[i] |= 1 << (n & 63)
}

func (b bitset) has(n int64) bool {
	i := int(n >> 6)
	return i < len(b) && b[i]&(1<<(n&63)) != 0
}
