package store

import (
	"context"
	"sync"
	"sync/atomic"
)

// Change tells which row was made, changed or removed. It says nothing of the
// security log, of failure counters and of the last use of keys.
type Change struct {
	Table string // one of the Table constants
	ID    int64
	All   bool // anything may have changed: forget everything that was read
}

// watchers are those who asked with Watch.
type watchers struct {
	mu   sync.Mutex
	next int
	fns  map[int]func(Change)
	live atomic.Bool
}

// Watch calls fn for every change, until stop is called: for those of this
// process before the change returns to its caller, for those of other processes
// as soon as they are known. fn must be quick, may be called by several
// goroutines, and must not write to the store.
//
// A cache that is filled while a change happens could keep what was read before
// it. So count the changes under the lock of the cache, and keep what was read
// only if the count is still the one from before the reading.
func (s *Store) Watch(fn func(Change)) (stop func()) {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = make(map[int]func(Change))
	}
	id := w.next
	w.next++
	w.fns[id] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, id)
	}
}

// Live tells whether changes of other processes are being heard. While it is
// false, nothing that was read before may be trusted; when it becomes true
// again, watchers get a Change with All.
func (s *Store) Live() bool { return s.watch.live.Load() }

func (w *watchers) tell(changes []Change) {
	if len(changes) == 0 {
		return
	}
	w.mu.Lock()
	fns := make([]func(Change), 0, len(w.fns))
	for _, fn := range w.fns {
		fns = append(fns, fn)
	}
	w.mu.Unlock()
	for _, c := range changes {
		for _, fn := range fns {
			fn(c)
		}
	}
}

// hear sets whether other processes are heard; after a silence everything may
// have changed.
func (w *watchers) hear(live bool) {
	if was := w.live.Swap(live); live && !was {
		w.tell([]Change{{All: true}})
	}
}

// watcher prepares what hears of other processes' changes and gives the loop
// that follows them.
func (s *Store) watcher(ctx context.Context) (follow func(context.Context), err error) {
	if s.dialect.name == dialectPostgres {
		return s.watchPostgres(ctx)
	}
	return s.watchSQLite(ctx)
}

// changed announces a change when the transaction commits.
func (t *tx) changed(ctx context.Context, table string, id int64) error {
	t.changes = append(t.changes, Change{Table: table, ID: id})
	if t.store.dialect.name == dialectPostgres {
		return t.notify(ctx, table, id)
	}
	_, err := t.exec(ctx, "INSERT INTO changes (at, origin, table_name, row_id) VALUES (?, ?, ?, ?)",
		micros(t.store.clock()), t.store.origin, table, id)
	return err
}
