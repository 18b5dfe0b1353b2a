package feed

import (
	"context"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// cookieGap is how long a cookie that came without a change may wait to be stored.
const cookieGap = time.Second

// persistStage follows until the stream breaks. The first change after a quiet
// moment is written at once; those that arrive meanwhile are collected. While one
// entry changes again and again (failed sign-ins, each an event) the distance of
// writes grows up to StormGap.
func (s *syncrepl) persistStage(ctx context.Context) error {
	var (
		gap    = s.cfg.Gap
		last   time.Time // of the last write
		timer  = time.NewTimer(time.Hour)
		beside = newBesides(s)
	)
	defer timer.Stop()
	defer beside.stop()
	for {
		events := s.events
		if s.pending.full() {
			events = nil
		}
		if wait, any := s.due(last, gap); any && s.writer.idle() {
			if wait <= 0 {
				last, gap = time.Now(), s.nextGap(gap)
				s.flushed = s.cookie
				if err := s.writer.do(s.write(s.pending.take(), s.position())); err != nil {
					return err
				}
				continue
			}
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e := <-events:
			if err := s.persistEvent(e); err != nil {
				return err
			}
		case <-timer.C:
		case <-s.writer.free:
		case <-s.moves:
			beside.containerMoved(ctx)
		case err := <-beside.result:
			beside.done(err)
		case <-beside.next.C:
			beside.reconcile(ctx)
		}
	}
}

// due tells whether something waits to be written, and how long it still may.
func (s *syncrepl) due(last time.Time, gap time.Duration) (time.Duration, bool) {
	switch {
	case s.pending.live > 0:
		return time.Until(last.Add(gap)), true
	case s.cookie != s.flushed:
		return time.Until(last.Add(cookieGap)), true
	}
	return 0, false
}

// nextGap widens the distance while changes repeat themselves, and narrows it again.
func (s *syncrepl) nextGap(gap time.Duration) time.Duration {
	if s.pending.doubles > 0 {
		return min(2*gap, s.cfg.StormGap)
	}
	return max(gap/2, s.cfg.Gap)
}

// persistEvent handles one message of the persist stage.
func (s *syncrepl) persistEvent(e event) error {
	switch {
	case e.end != nil:
		return e.end
	case e.info != nil && e.info.NewCookie != nil:
		s.take(e.info.NewCookie.Cookie)
	case e.info != nil && e.info.SyncIdSet != nil:
		s.take(e.info.SyncIdSet.Cookie)
		if e.info.SyncIdSet.RefreshDeletes {
			for _, id := range e.info.SyncIdSet.SyncUUIDs {
				if err := s.collect(string(id[:]), nil, ldap.SyncStateDelete); err != nil {
					return err
				}
			}
		}
	case e.state != nil && e.entry != nil:
		s.take(e.state.Cookie)
		if e.state.State == ldap.SyncStatePresent {
			return nil
		}
		return s.collect(string(e.state.EntryUUID[:]), e.entry, e.state.State)
	}
	return nil
}

// collect notes one operation.
func (s *syncrepl) collect(uuid string, entry *ldap.Entry, state ldap.ControlSyncStateState) error {
	stable, err := s.m.StableFromUUID(uuid)
	if err != nil {
		return err
	}
	o := op{stable: stable, uuid: uuid, entry: entry, fresh: state == ldap.SyncStateAdd}
	if state == ldap.SyncStateDelete {
		o.entry = nil
	}
	s.recent.touch(stable)
	s.pending.put(o)
	s.status.set(func(st *Status) { st.Events++ })
	return nil
}
