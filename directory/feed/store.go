package feed

import (
	"context"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// Directory is the LDAP side: a client of one directory.
type Directory interface {
	// Dedicated opens a connection without time-outs that only the caller uses
	// and closes; server names the one that was reached.
	Dedicated(ctx context.Context) (conn *ldap.Conn, server string, err error)
	// Search gives everything or an error.
	Search(ctx context.Context, req *ldap.SearchRequest) (*ldap.SearchResult, error)
	// SearchPaged hands over every entry, or fails. It uses a connection of its own.
	SearchPaged(ctx context.Context, req *ldap.SearchRequest, pageSize uint32, each func(*ldap.Entry) error) error
}

// Batch is one step of changes: deletions first, then upserts in their order.
type Batch struct {
	Upserts []*directory.Entry
	Deletes []string // stable ids
	Cookie  *string  // where the feed stands after the batch; nil leaves it as it is
	Stream  bool     // the upserts are events and may be older than what was read meanwhile
}

// Store is the read model.
type Store interface {
	// Apply writes a batch and its cookie in one transaction. Upserts may repeat.
	// It may be called while a Refresh is open; what it writes survives that
	// refresh.
	Apply(ctx context.Context, dir string, b Batch) error
	// BeginRefresh starts a full read beside the content there is, which goes on
	// serving. A refresh that was not completed leaves nothing behind.
	BeginRefresh(ctx context.Context, dir string) (Refresh, error)
	// Known gives the DN under which an entry is kept, by stable id; "" for none.
	Known(ctx context.Context, dir, stable string) (dn string, err error)
	// Referrers lists the entries that refer to one by its DN, by stable id.
	Referrers(ctx context.Context, dir, stable string) ([]string, error)
	// Cookie gives the last cookie that was stored, "" where the directory was never
	// read completely.
	Cookie(ctx context.Context, dir string) (string, error)
}

// Fragile is a Store that can lose what it holds while the feed has nothing to
// write. Several feeds may share one.
type Fragile interface {
	// Lost is closed when the content there is now is lost.
	Lost() <-chan struct{}
	// Renew begins an empty store in the place of one that lost its content;
	// otherwise it does nothing.
	Renew(ctx context.Context) error
}

// Refresh is one full read. Its methods are called one at a time.
type Refresh interface {
	Upsert(ctx context.Context, entries []*directory.Entry) error
	// Present marks entries as still there, by stable id.
	Present(ctx context.Context, stable []string) error
	// Complete deletes what was neither written nor marked and stores the cookie,
	// in one transaction. Where a suspiciously large share would go it gives a
	// *SweepError and deletes nothing, until a second refresh in a row would
	// delete exactly the same.
	Complete(ctx context.Context, cookie string) (deleted int, err error)
	// Abort ends a refresh without deleting anything. Safe after Complete.
	Abort()
}

// SweepError says that a refresh would delete a suspiciously large share.
type SweepError struct{ Gone, Of int }

// Error names the numbers.
func (e *SweepError) Error() string {
	return fmt.Sprintf("%d of %d entries are missing from the directory's answer", e.Gone, e.Of)
}
