package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// Sizes of the pipeline: what waits between decoding, mapping and writing is
// bounded in number and in values, since one group may hold as much as a thousand
// people.
const (
	streamBuffer = 32     // entries that go-ldap has decoded
	batchEntries = 500    // entries of one write
	batchValues  = 20_000 // values of one write
	writeQueue   = 2      // writes that wait
	idBatch      = 5_000  // ids of one Present
)

// syncrepl is one session of RFC 4533 in refresh-and-persist mode: the stage
// "refresh" (refresh.go) brings the read model up to date, the stage "persist"
// (persist.go) follows.
type syncrepl struct {
	*follower
	server server

	url    string // the server in use
	cookie string // the last that arrived
	conn   *ldap.Conn
	writer *writer
	cancel context.CancelCauseFunc
	events chan event
	pump   *pump

	// Refresh stage.
	resumed  bool    // it began with a cookie
	began    string  // that cookie
	refresh  Refresh // open where everything is read or confirmed
	buffer   []*directory.Entry
	values   int
	present  []string
	upserted []string // written before the present phase showed itself

	// Both stages.
	pending   pending
	following bool          // the refresh is over
	flushed   string        // the last cookie that was queued for storing
	stored    string        // the last position that was stored; used by the writer's jobs
	moves     chan struct{} // a container was renamed
}

func newSyncrepl(f *follower, s server) *syncrepl {
	return &syncrepl{follower: f, server: s, events: make(chan event, streamBuffer), moves: make(chan struct{}, 1)}
}

// run follows from a position until the stream breaks.
func (s *syncrepl) run(ctx context.Context, at position) error {
	ctx, s.cancel = context.WithCancelCause(ctx)
	defer s.cancel(nil)
	conn, url, err := s.dir.Dedicated(ctx)
	if err != nil {
		return fmt.Errorf("connect for the feed of changes: %w", err)
	}
	s.conn, s.url = conn, url
	s.status.set(func(st *Status) { st.Server = url })
	if at.Cookie != "" {
		if why := s.refuse(at); why != "" {
			s.log.Info("reading the directory again", "reason", why)
			at = position{}
		}
	}
	s.cookie, s.began, s.resumed = at.Cookie, at.Cookie, at.Cookie != ""

	s.writer = startWriter(ctx, s.cancel, writeQueue)
	defer s.writer.stop()
	s.pump = startPump(ctx, conn, s.request(), s.cookie, s.events)
	// The stream ends before its connection: Close would wait for the one who reads it.
	defer func() {
		s.cancel(nil)
		s.pump.wait()
		_ = conn.Close()
	}()
	defer s.heartbeat(ctx)()

	err = s.stages(ctx)
	s.cancel(err)
	if r := s.refresh; r != nil {
		s.writer.clearUp(r.Abort)
	}
	return err
}

// stages goes through refresh and persist.
func (s *syncrepl) stages(ctx context.Context) error {
	s.status.phase(PhaseRefreshing, nil)
	started := s.now()
	if err := s.refreshStage(ctx); err != nil {
		return s.judge(ctx, err)
	}
	s.log.Info("the read model is up to date", "resumed", s.resumed, "entries", s.status.get().Entries,
		"took", s.now().Sub(started).Round(time.Millisecond).String())
	s.distrust()
	s.following, s.followed = true, true
	s.status.phase(PhaseFollowing, nil)
	return s.judge(ctx, s.persistStage(ctx))
}

// request is made anew for each session: go-ldap appends to its controls.
func (s *syncrepl) request() *ldap.SearchRequest { return s.m.All(0) }

// refuse tells why a cookie must not be sent: the answer would look fine and lose
// deletions or changes.
func (s *syncrepl) refuse(at position) string {
	switch {
	case at.Vendor != s.server.vendor:
		return "another kind of server answers than the one that gave the cookie"
	case s.server.vendor != vendorOpenLDAP && at.Server != s.url:
		return "another server answers than the one that gave the cookie"
	case !goodCookie(s.server.vendor, at.Cookie):
		return "the stored cookie is damaged"
	}
	if s.server.vendor == vendor389 {
		// A trimmed change log answers a resume with what is left, without a word.
		switch n, _ := cookie389(at.Cookie); {
		case s.server.first < 0:
			return "the server does not tell how far its change log reaches back"
		case n < s.server.first-1 || n > s.server.last:
			return "the server's change log does not reach back to the cookie"
		}
	}
	return ""
}

// position is what is stored with the cookie.
func (s *syncrepl) position() string {
	return position{
		Mode: ModeSyncrepl, Fingerprint: s.fingerprint, Server: s.url, Vendor: s.server.vendor, Cookie: s.cookie,
		Checked: s.lastFull.Load(),
	}.text()
}

// judge turns the end of a stream into what follows from it.
func (s *syncrepl) judge(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	switch code(err) {
	case ldap.LDAPResultSyncRefreshRequired:
		s.full.Store(true)
		return &restart{why: "the server does not know the cookie any more"}
	case ldap.LDAPResultUnwillingToPerform:
		if s.resumed && !s.following {
			s.full.Store(true)
			return &restart{why: "the server refuses the cookie: it was restored or exchanged"}
		}
	case ldap.LDAPResultUnavailableCriticalExtension:
		return errNoSyncrepl
	}
	return err
}
