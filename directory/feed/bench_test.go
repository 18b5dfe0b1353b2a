package feed

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory/mapping"
	"portico/directory/mirror"
)

// peopleVariable sets the size of the directory of BenchmarkFirstRead:
//
//	FEED_PEOPLE=100000 go test ./directory/feed -run '^$' -bench FirstRead -benchtime 3x
const peopleVariable = "FEED_PEOPLE"

// BenchmarkFirstRead compares the first full read into an empty mirror with the
// same refresh by go-ldap alone, which throws everything away.
func BenchmarkFirstRead(b *testing.B) {
	n := fromEnvironment(b, peopleVariable, 5000)
	w := newWorld(b, Config{Mode: ModeSyncrepl})
	w.must(w.server.Load(strings.NewReader(manyPeople(w.server.BaseDN, n))))
	b.Run("go-ldap alone", func(b *testing.B) {
		for b.Loop() {
			refreshAlone(b, w)
		}
	})
	b.Run("into the mirror", func(b *testing.B) {
		for b.Loop() {
			m, err := mirror.Open(b.Context(), filepath.Join(b.TempDir(), "mirror.db"), slog.New(slog.DiscardHandler), mirror.Options{
				Directories: []mirror.Directory{{Name: "corp"}}, DNKey: mapping.DNKey, ParentKey: mapping.ParentKey,
			})
			w.must(err)
			readOnce(b, w, OnMirror(m))
			b.StopTimer()
			w.must(m.Close())
			b.StartTimer()
		}
	})
	b.Run("mapped only", func(b *testing.B) {
		for b.Loop() {
			readOnce(b, w, newSink())
		}
	})
}

// refreshAlone reads the refresh stage and nothing more.
func refreshAlone(b *testing.B, w *world) {
	b.Helper()
	conn, _, err := w.dir.Dedicated(b.Context())
	w.must(err)
	ctx, cancel := context.WithCancel(b.Context())
	r := conn.Syncrepl(ctx, w.m.All(0), 256, ldap.SyncRequestModeRefreshAndPersist, nil, false)
	for done := false; !done; {
		if !r.Next() {
			b.Fatal(r.Err())
		}
		for _, c := range r.Controls() {
			info, ok := c.(*ldap.ControlSyncInfo)
			done = done || ok && (info.RefreshDelete != nil && info.RefreshDelete.RefreshDone || info.RefreshPresent != nil && info.RefreshPresent.RefreshDone)
		}
	}
	cancel()
	w.must(conn.Close())
}

// readOnce runs a feed until it follows.
func readOnce(b *testing.B, w *world, to Store) {
	b.Helper()
	feed, err := New(w.cfg, w.dir, w.m, to, slog.New(slog.DiscardHandler), time.Now)
	w.must(err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	for feed.Status().Phase != PhaseFollowing {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	cancel()
	w.must(<-done)
	b.StartTimer()
}
