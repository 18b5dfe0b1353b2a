package feed

import (
	"sync"
	"time"
)

// Phase says what a feed is doing.
type Phase string

// The phases of a feed.
const (
	PhaseConnecting Phase = "connecting"
	PhaseRefreshing Phase = "refreshing" // reading everything, or what happened since the cookie
	PhaseFollowing  Phase = "following"  // changes arrive as they happen, or are polled for
	PhaseWaiting    Phase = "waiting"    // before the next attempt, Err says why
)

// Status is a snapshot of a feed, for readiness and metrics.
type Status struct {
	Mode     Mode // as chosen: syncrepl or poll; "" before the first contact
	Phase    Phase
	Server   string // the URL in use
	Complete bool   // the read model has had everything at least once with this configuration

	Entries     int64 // read in the refresh under way or in the last one
	Changes     int64 // entries written or deleted outside of refreshes, after coalescing
	Events      int64 // changes announced by the server
	Batches     int64 // transactions of changes
	Unusable    int64 // entries that match the filters and cannot be mapped
	Refreshes   int64 // full reads completed
	Reconnects  int64
	LastChange  time.Time
	LastContact time.Time // the server was heard of
	Err         string    // why the feed does not follow; "" while it does
}

// board keeps the status.
type board struct {
	mu  sync.Mutex
	s   Status
	now func() time.Time
}

func (b *board) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.s
}

func (b *board) set(change func(s *Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.s)
}

// contact notes a sign of life.
func (b *board) contact() {
	now := b.now()
	b.set(func(s *Status) { s.LastContact = now })
}

// phase enters a phase; an error belongs to PhaseWaiting only.
func (b *board) phase(p Phase, err error) {
	b.set(func(s *Status) {
		s.Phase, s.Err = p, ""
		if err != nil {
			s.Err = err.Error()
		}
	})
}
