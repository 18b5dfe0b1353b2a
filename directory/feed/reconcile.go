package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// settle is how long servers may take to correct references after a rename, which
// some do in the background and without an event.
const settle = time.Second

// besides runs what reads the directory on another connection while the stream
// goes on: the groups after a container's rename, and full reconciliations.
type besides struct {
	*syncrepl
	result chan error  // nil while nothing runs
	again  bool        // a container was renamed while something ran
	next   *time.Timer // fires when the next reconciliation is due
}

func newBesides(s *syncrepl) *besides {
	b := &besides{syncrepl: s, next: time.NewTimer(time.Hour)}
	b.plan()
	return b
}

// plan sets the timer.
func (b *besides) plan() {
	if b.cfg.Reconcile < 0 {
		b.next.Stop()
		return
	}
	b.next.Reset(max(b.nextFull.Sub(b.now()), 0))
}

// start runs f unless something runs already.
func (b *besides) start(ctx context.Context, f func(context.Context) error) {
	result := make(chan error, 1)
	b.result = result
	go func() { result <- f(ctx) }()
}

// containerMoved reads the groups again: their members lie under other names now,
// and servers change some of the references without telling. What else changed
// silently is found by the reconciliation that follows.
func (b *besides) containerMoved(ctx context.Context) {
	if b.result != nil {
		b.again = true
		return
	}
	b.log.Info("a container was renamed: reading the groups again, then everything")
	b.start(ctx, func(ctx context.Context) error {
		if err := b.rereadGroups(ctx); err != nil {
			return err
		}
		if !sleep(ctx, settle) {
			return context.Cause(ctx)
		}
		return b.readBeside(ctx)
	})
}

// reconcile starts a full reconciliation; if something runs, that plans the next.
func (b *besides) reconcile(ctx context.Context) {
	if b.result == nil {
		b.start(ctx, b.readBeside)
	}
}

// done takes the result of what ran. A failure does not end the stream.
func (b *besides) done(err error) {
	b.result = nil
	b.nextFull = b.now().Add(jitter(b.cfg.Reconcile))
	if err != nil {
		b.nextFull = b.now().Add(min(b.cfg.Reconcile, 10*b.cfg.MaxWait))
		b.log.Warn("reading beside the feed failed, nothing was deleted", "error", explain(err))
	}
	b.plan()
	if b.again {
		b.again = false
		b.tellMoved()
	}
}

// stop ends what runs and waits for it.
func (b *besides) stop() {
	b.next.Stop()
	if b.result != nil {
		b.cancel(nil)
		<-b.result //nolint:errcheck // it was cancelled
	}
}

// rereadGroups writes all groups as they are now.
func (s *syncrepl) rereadGroups(ctx context.Context) error {
	began := s.now()
	defer s.recent.hold()()
	return s.readAll(ctx, s.m.All(directory.KindGroup), 0, func(ctx context.Context, list []*directory.Entry) error {
		fresh, _ := s.untouched(list, began)
		return s.store.Apply(ctx, s.cfg.Directory, Batch{Upserts: fresh})
	})
}

// readBeside is a full reconciliation at a quiet pace: everything is read once
// more, on another connection, and what the stream did not tell is set right.
// Entries that events told of meanwhile are left as the events left them.
func (s *syncrepl) readBeside(ctx context.Context) error {
	began := s.now()
	defer s.recent.hold()()
	var r Refresh
	err := s.writer.run(func(ctx context.Context) (err error) {
		r, err = s.store.BeginRefresh(ctx, s.cfg.Directory)
		return err
	})
	if err != nil {
		return err
	}
	err = s.readAll(ctx, s.m.All(0), s.cfg.Pause, func(ctx context.Context, list []*directory.Entry) error {
		fresh, touched := s.untouched(list, began)
		if err := r.Upsert(ctx, fresh); err != nil {
			return err
		}
		return r.Present(ctx, touched)
	})
	if err == nil {
		err = s.writer.run(func(ctx context.Context) error {
			if err := r.Present(ctx, s.recent.since(began)); err != nil {
				return err
			}
			err := s.complete(ctx, r, s.stored)
			if err == nil {
				s.lastFull.Store(s.now().Unix())
			}
			return err
		})
	}
	if err != nil {
		s.writer.clearUp(r.Abort)
	}
	return err
}

// untouched splits a list: entries to be written, and the ids of those that events
// told newer things of.
func (s *syncrepl) untouched(list []*directory.Entry, began time.Time) (fresh []*directory.Entry, touched []string) {
	for _, e := range list {
		if s.recent.newer(e, began) {
			touched = append(touched, e.ID.Stable)
			continue
		}
		fresh = append(fresh, e)
	}
	return fresh, touched
}

// readAll reads a search in pages, maps it, and has it written in batches by the
// writer, with a rest after each.
func (s *syncrepl) readAll(
	ctx context.Context, req *ldap.SearchRequest, pause time.Duration, write func(context.Context, []*directory.Entry) error,
) error {
	var list []*directory.Entry
	values := 0
	flush := func() error {
		batch := list
		list, values = nil, 0
		if len(batch) == 0 {
			return nil
		}
		return s.writer.run(func(ctx context.Context) error { return write(ctx, batch) })
	}
	err := s.dir.SearchPaged(ctx, req, s.cfg.PageSize, func(e *ldap.Entry) error {
		entry, err := s.whole(ctx, s.dir, e)
		if err != nil || entry == nil {
			return err
		}
		s.names.moved(entry, true)
		list, values = append(list, entry), values+len(entry.Members)
		if len(list) < int(s.cfg.PageSize) && values < batchValues {
			return nil
		}
		if err := flush(); err != nil {
			return err
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read everything: %w", err)
	}
	return flush()
}
