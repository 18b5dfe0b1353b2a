package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"portico/adapter/store"
)

func testCodes(t *testing.T, b Backend) {
	t.Run("OneTime", func(t *testing.T) { oneTimeCodes(t, b) })
	t.Run("Abuse_C10_TakenOnceUnderConcurrency", func(t *testing.T) {
		db := b.Fresh(t)
		processes := []*store.Store{db.Open(t), db.Open(t)}
		ctx := t.Context()
		ann := person(t, processes[0], "ann")
		for round := range 5 {
			code := fmt.Sprint(100000 + round)
			must(t, processes[0].PutOneTimeCode(ctx, ann, code, time.Now().Add(time.Minute)))
			var winners atomic.Int32
			parallel(t, 20, func(i int) error {
				uid, err := processes[i%2].TakeOneTimeCode(ctx, code)
				if err == nil && uid == ann {
					winners.Add(1)
				}
				if errors.Is(err, store.ErrNotFound) {
					return nil
				}
				return err
			})
			if winners.Load() != 1 {
				t.Errorf("%d got the code", winners.Load())
			}
		}
	})
	t.Run("LoginKeys", func(t *testing.T) { loginKeys(t, b) })
}

func oneTimeCodes(t *testing.T, b Backend) {
	clock := NewClock()
	db := b.Fresh(t)
	s := db.Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	soon := func() time.Time { return clock.Now().Add(time.Minute) }
	wantErr(t, "nobody", s.PutOneTimeCode(ctx, 99, "1", soon()), store.ErrNotFound)
	must(t, s.PutOneTimeCode(ctx, ann, "111111", soon()))
	wantErr(t, "taken", s.PutOneTimeCode(ctx, bob, "111111", soon()), store.ErrConflict)
	must(t, s.PutOneTimeCode(ctx, ann, "222222", soon()))
	_, err := s.TakeOneTimeCode(ctx, "111111")
	wantErr(t, "replaced", err, store.ErrNotFound)
	if uid, err := s.TakeOneTimeCode(ctx, "222222"); err != nil || uid != ann {
		t.Errorf("take: %d, %v", uid, err)
	}
	_, err = s.TakeOneTimeCode(ctx, "222222")
	wantErr(t, "used", err, store.ErrNotFound)
	must(t, s.PutOneTimeCode(ctx, ann, "333333", soon()))
	clock.Add(time.Minute)
	_, err = s.TakeOneTimeCode(ctx, "333333")
	wantErr(t, "too old", err, store.ErrNotFound)
	must(t, s.PutOneTimeCode(ctx, bob, "333333", soon()))
	if uid, err := s.TakeOneTimeCode(ctx, "333333"); err != nil || uid != bob {
		t.Errorf("an old code given out again: %d, %v", uid, err)
	}
	must(t, s.PutOneTimeCode(ctx, ann, "444444", soon()))
	clock.Add(time.Hour)
	must(t, s.Maintain(ctx))
	var rows int
	must(t, db.SQL.QueryRow("SELECT count(*) FROM onetime_codes").Scan(&rows))
	if rows != 0 {
		t.Errorf("%d codes that ran out", rows)
	}
}

func loginKeys(t *testing.T, b Backend) {
	clock := NewClock()
	db := b.Fresh(t)
	s := db.Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	ann := person(t, s, "ann")
	end := clock.Now().Add(10 * time.Minute)
	must(t, s.AddLoginKey(ctx, "code", store.LoginKey{AppName: "Clock", AppIcon: "/icon.svg", Expires: end}))
	wantErr(t, "twice", s.AddLoginKey(ctx, "code", store.LoginKey{Expires: end}), store.ErrConflict)
	want := store.LoginKey{AppName: "Clock", AppIcon: "/icon.svg", Expires: end}
	if k, err := s.LoginKey(ctx, "code"); err != nil || k != want {
		t.Errorf("begun: %+v, %v", k, err)
	}
	clock.Add(9 * time.Minute)
	var done, late atomic.Int32
	parallel(t, 8, func(int) error {
		err := s.CompleteLoginKey(ctx, "code", ann, clock.Now().Add(10*time.Minute))
		switch {
		case err == nil:
			done.Add(1)
		case errors.Is(err, store.ErrConflict):
			late.Add(1)
		default:
			return err
		}
		return nil
	})
	if done.Load() != 1 || late.Load() != 7 {
		t.Errorf("%d completed, %d came late", done.Load(), late.Load())
	}
	clock.Add(9 * time.Minute)
	if k, err := s.LoginKey(ctx, "code"); err != nil || k.UID != ann {
		t.Errorf("completed: %+v, %v", k, err)
	}
	clock.Add(time.Minute)
	_, err := s.LoginKey(ctx, "code")
	wantErr(t, "too old", err, store.ErrNotFound)
	wantErr(t, "too old", s.CompleteLoginKey(ctx, "code", ann, clock.Now()), store.ErrNotFound)
	wantErr(t, "unknown", s.CompleteLoginKey(ctx, "other", ann, clock.Now()), store.ErrNotFound)
	must(t, s.Maintain(ctx))
	var rows int
	must(t, db.SQL.QueryRow("SELECT count(*) FROM login_keys").Scan(&rows))
	if rows != 0 {
		t.Errorf("%d login codes that ran out", rows)
	}
}
