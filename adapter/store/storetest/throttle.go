package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"portico/adapter/store"
)

func testThrottle(t *testing.T, b Backend) {
	t.Run("Window", func(t *testing.T) { throttleWindow(t, b) })
	t.Run("Abuse_B08_SharedByProcessesAndRestarts", func(t *testing.T) {
		db := b.Fresh(t)
		processes := []*store.Store{db.Open(t), db.Open(t)}
		seen := make([]int, 40)
		parallel(t, len(seen), func(i int) error {
			f, err := processes[i%2].Fail(t.Context(), "ann", time.Hour)
			if err == nil {
				seen[f.Count-1]++
			}
			return err
		})
		for i, n := range seen {
			if n != 1 {
				t.Errorf("count %d was given %d times", i+1, n)
			}
		}
		must(t, processes[0].Close())
		must(t, processes[1].Close())
		if f, err := db.Open(t).Failures(t.Context(), "ann"); err != nil || f.Count != len(seen) {
			t.Errorf("after a restart: %+v, %v", f, err)
		}
	})
	t.Run("Abuse_B10_BoundedAndHotKeysStay", func(t *testing.T) {
		const rows = 200
		clock := NewClock()
		s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now; o.ThrottleRows = rows })
		ctx := t.Context()
		for range 5 {
			_, err := s.Fail(ctx, "victim", time.Hour)
			must(t, err)
		}
		for i := range 3 * rows {
			clock.Add(time.Millisecond)
			_, err := s.Fail(ctx, fmt.Sprint("invented-", i), time.Hour)
			must(t, err)
		}
		must(t, s.Maintain(ctx))
		if f, err := s.Failures(ctx, "victim"); err != nil || f.Count != 5 {
			t.Errorf("the hot bucket: %+v, %v", f, err)
		}
		if f, err := s.Failures(ctx, "invented-0"); err != nil || f.Count != 0 {
			t.Errorf("the oldest cold bucket: %+v, %v", f, err)
		}
		if f, err := s.Failures(ctx, fmt.Sprint("invented-", 3*rows-1)); err != nil || f.Count != 1 {
			t.Errorf("the newest cold bucket: %+v, %v", f, err)
		}
	})
	t.Run("Gate", func(t *testing.T) { throttleGate(t, b) })
	t.Run("Many", func(t *testing.T) { throttleMany(t, b) })
}

func throttleWindow(t *testing.T, b Backend) {
	clock := NewClock()
	db := b.Fresh(t)
	s := db.Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	begin := clock.Now()
	if f, err := s.Failures(ctx, "ann"); err != nil || f != (store.Failures{}) {
		t.Fatalf("nothing yet: %+v, %v", f, err)
	}
	for i := 1; i <= 3; i++ {
		f, err := s.Fail(ctx, "ann", time.Minute)
		must(t, err)
		want := store.Failures{Count: i, First: begin, Last: clock.Now()}
		if f != want {
			t.Errorf("got %+v, want %+v", f, want)
		}
		if read, err := s.Failures(ctx, "ann"); err != nil || read != want {
			t.Errorf("read %+v, %v, want %+v", read, err, want)
		}
		clock.Add(50 * time.Second)
	}
	if f, err := s.Failures(ctx, "bob"); err != nil || f.Count != 0 {
		t.Errorf("another bucket: %+v, %v", f, err)
	}
	clock.Add(10 * time.Second) // a minute of quiet
	if f, err := s.Failures(ctx, "ann"); err != nil || f.Count != 0 {
		t.Errorf("after the window: %+v, %v", f, err)
	}
	if f, err := s.Fail(ctx, "ann", time.Minute); err != nil || f.Count != 1 || !f.First.Equal(clock.Now()) {
		t.Errorf("begins again: %+v, %v", f, err)
	}
	must(t, s.Clear(ctx, "ann"))
	if f, err := s.Failures(ctx, "ann"); err != nil || f.Count != 0 {
		t.Errorf("cleared: %+v, %v", f, err)
	}
	for _, bad := range []time.Duration{0, -1, 1000 * time.Hour} {
		if _, err := s.Fail(ctx, "ann", bad); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("window %v: %v", bad, err)
		}
	}
	_, err := s.Fail(ctx, "ann", time.Minute)
	must(t, err)
	clock.Add(time.Hour)
	must(t, s.Maintain(ctx))
	var rows int
	must(t, db.SQL.QueryRow("SELECT count(*) FROM throttle").Scan(&rows))
	if rows != 0 {
		t.Errorf("%d rows that ran out", rows)
	}
}

func throttleGate(t *testing.T, b Backend) {
	clock := NewClock()
	db := b.Fresh(t)
	open := func() *store.Store { return db.Open(t, func(o *store.Options) { o.Clock = clock.Now }) }
	processes := []*store.Store{open(), open()}
	ctx := t.Context()
	var through atomic.Int32
	parallel(t, 20, func(i int) error {
		wait, err := processes[i%2].Gate(ctx, "203.0.113.9", 2*time.Second)
		if wait == 0 {
			through.Add(1)
		}
		return err
	})
	if through.Load() != 1 {
		t.Errorf("%d came through at once", through.Load())
	}
	clock.Add(1500 * time.Millisecond)
	if wait, err := processes[0].Gate(ctx, "203.0.113.9", 2*time.Second); err != nil || wait != 500*time.Millisecond {
		t.Errorf("too early: %v, %v", wait, err)
	}
	clock.Add(500 * time.Millisecond)
	if wait, err := processes[1].Gate(ctx, "203.0.113.9", 2*time.Second); err != nil || wait != 0 {
		t.Errorf("in time: %v, %v", wait, err)
	}
	if wait, err := processes[1].Gate(ctx, "203.0.113.10", 2*time.Second); err != nil || wait != 0 {
		t.Errorf("another address: %v, %v", wait, err)
	}
	clock.Add(-time.Hour) // the clock is set back: nobody waits for an hour
	if wait, err := processes[0].Gate(ctx, "203.0.113.9", 2*time.Second); err != nil || wait != 0 {
		t.Errorf("clock set back: %v, %v", wait, err)
	}
}

func throttleMany(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	for i := 1; i <= 2; i++ {
		counts, err := s.FailAll(ctx, store.Window{Bucket: "a", Length: time.Minute}, store.Window{Bucket: "b", Length: time.Hour})
		must(t, err)
		if len(counts) != 2 || counts[0].Count != i || counts[1].Count != i {
			t.Errorf("counts %+v, want %d each", counts, i)
		}
	}
	if _, err := s.FailAll(ctx, store.Window{Bucket: "a", Length: time.Minute}, store.Window{Bucket: "b"}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a bad window: %v", err)
	}
	clock.Add(time.Minute)
	for bucket, want := range map[string]int{"a": 0, "b": 2} {
		if f, err := s.Failures(ctx, bucket); err != nil || f.Count != want {
			t.Errorf("%s: %+v, %v, want %d", bucket, f, err, want)
		}
	}
	// Taking back: one each, never below nothing, and what is not counted is none.
	must(t, s.Unfail(ctx, "a", "b", "never"))
	must(t, s.Unfail(ctx))
	for bucket, want := range map[string]int{"a": 0, "b": 1, "never": 0} {
		if f, err := s.Failures(ctx, bucket); err != nil || f.Count != want {
			t.Errorf("%s after taking back: %+v, %v, want %d", bucket, f, err, want)
		}
	}
	for range 3 {
		must(t, s.Unfail(ctx, "b"))
	}
	if counts, err := s.FailAll(ctx, store.Window{Bucket: "b", Length: time.Hour}); err != nil || counts[0].Count != 1 {
		t.Errorf("after taking back more than there was: %+v, %v", counts, err)
	}
	must(t, s.ClearAll(ctx, "a", "b"))
	if f, err := s.Failures(ctx, "b"); err != nil || f.Count != 0 {
		t.Errorf("cleared: %+v, %v", f, err)
	}
}
