package feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// refreshStage reads up to the end of the refresh and brings the store up to date.
//
// Without a cookie everything arrives, and the store is marked and swept whatever
// the flags say. With one the server chooses: a delete phase names what is gone; a
// present phase names what is still there, so the store is marked and swept too.
func (s *syncrepl) refreshStage(ctx context.Context) error {
	s.status.set(func(st *Status) { st.Entries = 0 })
	if !s.resumed {
		if err := s.beginRefresh(ctx); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e := <-s.events:
			done, err := s.refreshEvent(ctx, e)
			if err != nil {
				return err
			}
			if done {
				return s.finishRefresh()
			}
		}
	}
}

func (s *syncrepl) beginRefresh(ctx context.Context) error {
	r, err := s.store.BeginRefresh(ctx, s.cfg.Directory)
	if err != nil {
		return fmt.Errorf("begin a full read: %w", err)
	}
	s.refresh = r
	return nil
}

// refreshEvent handles one message; done tells that the refresh is over.
func (s *syncrepl) refreshEvent(ctx context.Context, e event) (done bool, _ error) {
	switch {
	case e.end != nil:
		return false, e.end
	case e.state != nil && e.entry != nil:
		s.take(e.state.Cookie)
		return false, s.refreshEntry(ctx, e)
	case e.entry != nil:
		return false, errNoSyncrepl // the server ignored the control
	case e.info == nil:
		return false, nil
	}
	switch info := e.info; {
	case info.NewCookie != nil:
		s.take(info.NewCookie.Cookie)
	case info.SyncIdSet != nil:
		s.take(info.SyncIdSet.Cookie)
		return false, s.refreshIDs(ctx, info.SyncIdSet)
	case info.RefreshDelete != nil:
		s.take(info.RefreshDelete.Cookie)
		return info.RefreshDelete.RefreshDone, nil
	case info.RefreshPresent != nil:
		s.take(info.RefreshPresent.Cookie)
		if s.refresh == nil {
			// Everything that was not mentioned would have to go, and nothing was:
			// 389 DS says so where nothing changed. Believe nobody; read again.
			s.full.Store(true)
			return false, &restart{why: "the server announced the end of a list of present entries and sent none"}
		}
		return info.RefreshPresent.RefreshDone, nil
	}
	return false, nil
}

// take keeps a cookie; the server need not send one with each message.
func (s *syncrepl) take(cookie []byte) {
	if len(cookie) > 0 {
		s.cookie = string(cookie)
	}
}

// refreshEntry handles an entry of the refresh.
func (s *syncrepl) refreshEntry(ctx context.Context, e event) error {
	uuid := string(e.state.EntryUUID[:])
	switch e.state.State {
	case ldap.SyncStatePresent:
		return s.markPresent(ctx, uuid)
	case ldap.SyncStateDelete:
		return s.resumeOp(uuid, nil)
	}
	s.status.set(func(st *Status) { st.Entries++ })
	if s.refresh == nil {
		return s.resumeOp(uuid, e.entry)
	}
	entry, err := s.m.EntryWithID(e.entry, uuid)
	if err = s.unusable(err); err != nil || entry == nil {
		return err // what is not ours is swept
	}
	if s.names.moved(entry, !s.resumed) {
		s.tellMoved()
	}
	s.buffer = append(s.buffer, entry)
	s.values += len(entry.Members)
	if len(s.buffer) >= batchEntries || s.values >= batchValues {
		return s.flushRefresh()
	}
	return nil
}

// resumeOp handles a change or a deletion on a resume. Once the entries that are
// still there are being named, what is not named is gone anyway.
func (s *syncrepl) resumeOp(uuid string, entry *ldap.Entry) error {
	stable, err := s.m.StableFromUUID(uuid)
	if err != nil || s.refresh != nil {
		return err
	}
	s.pending.put(op{stable: stable, uuid: uuid, entry: entry})
	if entry != nil {
		s.upserted = append(s.upserted, stable)
	}
	if s.pending.due() {
		return s.flushRefresh()
	}
	return nil
}

// refreshIDs handles a set of ids: gone, or still there.
func (s *syncrepl) refreshIDs(ctx context.Context, set *ldap.ControlSyncInfoSyncIdSet) error {
	for _, id := range set.SyncUUIDs {
		var err error
		if set.RefreshDeletes {
			err = s.resumeOp(string(id[:]), nil)
		} else {
			err = s.markPresent(ctx, string(id[:]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// markPresent notes that an entry is still there. The first one turns a resume
// into a mark and sweep, and what was written before counts as marked.
func (s *syncrepl) markPresent(ctx context.Context, uuid string) error {
	stable, err := s.m.StableFromUUID(uuid)
	if err != nil {
		return err
	}
	if s.refresh == nil {
		if err := s.flushRefresh(); err != nil {
			return err
		}
		if err := s.beginRefresh(ctx); err != nil {
			return err
		}
		s.present, s.upserted = s.upserted, nil
	}
	s.present = append(s.present, stable)
	if len(s.present) >= idBatch {
		return s.flushPresent()
	}
	return nil
}

func (s *syncrepl) flushPresent() error {
	ids, r := s.present, s.refresh
	s.present = nil
	if len(ids) == 0 {
		return nil
	}
	return s.writer.do(func(ctx context.Context) error { return r.Present(ctx, ids) })
}

// flushRefresh queues what was read for writing. On a resume the cookie is not
// moved before the end of the stage: what is missing would be skipped otherwise.
func (s *syncrepl) flushRefresh() error {
	if s.pending.live > 0 {
		if err := s.writer.do(s.write(s.pending.take(), "")); err != nil {
			return err
		}
	}
	list, r := s.buffer, s.refresh
	if len(list) == 0 {
		return nil
	}
	s.buffer, s.values = make([]*directory.Entry, 0, batchEntries), 0
	return s.writer.do(func(ctx context.Context) error { return r.Upsert(ctx, list) })
}

// finishRefresh writes what is left and the cookie, and sweeps where that is due.
func (s *syncrepl) finishRefresh() error {
	if err := s.flushRefresh(); err != nil {
		return err
	}
	if err := s.flushPresent(); err != nil {
		return err
	}
	r := s.refresh
	if r != nil && !s.resumed {
		s.lastFull.Store(s.now().Unix())
		s.nextFull = s.now().Add(jitter(s.cfg.Reconcile))
	}
	at := s.position()
	err := s.writer.run(func(ctx context.Context) error {
		s.stored = at
		if r != nil {
			return s.complete(ctx, r, at)
		}
		return s.store.Apply(ctx, s.cfg.Directory, Batch{Cookie: &at})
	})
	if err != nil {
		return err
	}
	s.refresh, s.buffer, s.upserted = nil, nil, nil
	s.flushed = s.cookie
	s.full.Store(false)
	s.status.set(func(st *Status) { st.Complete = true })
	return nil
}

// complete sweeps. When that is refused everything is read once more, and a second
// read with the same result goes through.
func (f *follower) complete(ctx context.Context, r Refresh, cookie string) error {
	deleted, err := r.Complete(ctx, cookie)
	var refused *SweepError
	switch {
	case errors.As(err, &refused):
		f.full.Store(true)
		return &restart{why: "before so much is deleted a second answer must agree: " + refused.Error()}
	case err != nil:
		return fmt.Errorf("complete a full read: %w", err)
	}
	f.status.set(func(st *Status) { st.Refreshes++ })
	f.log.Info("full read complete", "deleted", deleted)
	return nil
}

// unusable decides what an entry that cannot be mapped means: it is left out, and
// said once in a while. Only where ids cannot be told apart nothing can be done.
func (f *follower) unusable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mapping.ErrIDMismatch):
		return fmt.Errorf("%w; %w", errNoSyncrepl, err)
	}
	n := int64(0)
	f.status.set(func(st *Status) { st.Unusable++; n = st.Unusable })
	if n&(n-1) == 0 { // 1, 2, 4, 8, ...
		f.log.Warn("an entry cannot be used", "error", err, "so_far", n)
	}
	return nil
}
