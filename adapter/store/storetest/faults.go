package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"portico/adapter/store"
)

func testWatch(t *testing.T, b Backend) {
	db := b.Fresh(t)
	here, there := db.Open(t), db.Open(t)
	ctx := t.Context()
	var mu sync.Mutex
	var atHome, abroad []store.Change
	stop := here.Watch(func(c store.Change) {
		mu.Lock()
		defer mu.Unlock()
		atHome = append(atHome, c)
	})
	there.Watch(func(c store.Change) {
		mu.Lock()
		defer mu.Unlock()
		abroad = append(abroad, c)
	})
	if !here.Live() || !there.Live() {
		t.Fatal("not live")
	}
	count := func(list *[]store.Change, want store.Change) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range *list {
			if c == want {
				n++
			}
		}
		return n
	}
	ann := person(t, here, "ann")
	must(t, here.SetStatus(ctx, ann, store.Status{Locked: true}, "test"))
	locked := store.Change{Table: store.TableLocals, ID: ann}
	if count(&atHome, locked) != 1 {
		t.Errorf("own change: %v", atHome)
	}
	k, _, err := here.CreateKey(ctx, store.NewKey{API: "action"})
	must(t, err)
	must(t, here.RevokeKey(ctx, k.ID))
	keyChange := store.Change{Table: store.TableKeys, ID: k.ID}
	begun := time.Now()
	eventually(t, "the other process hears", func() bool { return count(&abroad, locked) == 1 && count(&abroad, keyChange) == 2 })
	if took := time.Since(begun); took > time.Second {
		t.Errorf("heard after %v", took)
	}
	must(t, there.SetPINHash(ctx, ann, "x"))
	eventually(t, "the first process hears", func() bool { return count(&atHome, locked) == 2 })
	must(t, here.Append(ctx, store.Record{}))
	stop()
	must(t, here.SetStatus(ctx, ann, store.Status{}, "test"))
	eventually(t, "the other process hears again", func() bool { return count(&abroad, locked) == 3 })
	if n := count(&atHome, locked); n != 2 {
		t.Errorf("%d after stop", n)
	}
	if n := count(&abroad, store.Change{All: true}) + count(&atHome, store.Change{All: true}); n != 0 {
		t.Errorf("%d changes of everything", n)
	}
}

func testFaults(t *testing.T, b Backend) {
	t.Run("Abuse_J03_FiftyConcurrentWriters", func(t *testing.T) {
		db := b.Fresh(t)
		processes := []*store.Store{db.Open(t), db.Open(t)}
		ctx := t.Context()
		begun := time.Now()
		parallel(t, 50, func(i int) error {
			s := processes[i%2]
			for n := range 10 {
				sub := store.Subject{Directory: "corp", Stable: fmt.Sprint(i, "-", n)}
				uids, err := s.UIDs(ctx, store.KindPerson, []store.Subject{sub})
				if err != nil {
					return err
				}
				_, _, keyErr := s.CreateKey(ctx, store.NewKey{API: "action", User: uids[0]})
				_, failErr := s.Fail(ctx, "all", time.Hour)
				err = errors.Join(keyErr, failErr,
					s.Append(ctx, store.Record{UID: uids[0]}),
					s.SetStatus(ctx, uids[0], store.Status{Alert: true}, "test"))
				if err != nil {
					return err
				}
			}
			return nil
		})
		t.Logf("2,500 writes of 50 writers in two stores took %v", time.Since(begun))
		if v, err := processes[0].Verify(ctx); err != nil || v.Records != 500 {
			t.Errorf("verify: %+v, %v", v, err)
		}
		if f, err := processes[1].Failures(ctx, "all"); err != nil || f.Count != 500 {
			t.Errorf("failures: %+v, %v", f, err)
		}
	})
	t.Run("Abuse_B09_K03_CannotBeWritten", func(t *testing.T) { faultBlocked(t, b) })
}

// faultBlocked: while the database does not accept writes, everything that must
// be written fails, in bounded time; afterwards the same store goes on.
func faultBlocked(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s := db.Open(t, func(o *store.Options) { o.Timeout = 300 * time.Millisecond })
	ctx := t.Context()
	ann := person(t, s, "ann")
	unblock := db.Block(t)
	for name, call := range map[string]func() error{
		"Append":    func() error { return s.Append(ctx, store.Record{}) },
		"Fail":      func() error { _, err := s.Fail(ctx, "x", time.Hour); return err },
		"Gate":      func() error { _, err := s.Gate(ctx, "x", time.Hour); return err },
		"SetStatus": func() error { return s.SetStatus(ctx, ann, store.Status{}, "test") },
		"UIDs": func() error {
			_, err := s.UIDs(ctx, store.KindPerson, subjects("corp", 0, 1))
			return err
		},
		"Ping": func() error { return s.Ping(ctx) },
	} {
		if name == "Ping" && b.Name != "sqlite" {
			continue // the reading half of Ping is blocked too, in its own way
		}
		begun := time.Now()
		if err := call(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := s.Append(short, store.Record{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own limit: %v", err)
	}
	unblock()
	eventually(t, "the store works again", func() bool { return s.Ping(ctx) == nil && s.Append(ctx, store.Record{}) == nil })
	if _, err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
}
