package adapter

import (
	"context"
	"sync"
)

// turns lets no more password checks of one account run at the same time than
// may still fail: a burst of guesses must not all begin before the first is
// counted. It is one process's own, and holds only accounts that are being checked.
type turns struct {
	mu      sync.Mutex
	running map[int64]*turn // by uid
}

type turn struct {
	asking int           // who run or wait
	active int           // who run
	ended  chan struct{} // closed when the next one ends
}

func newTurns() *turns { return &turns{running: map[int64]*turn{}} }

// take waits until one more check may run. left tells how many more may fail;
// ok is false when none may. After ok, call done when the outcome is counted.
func (t *turns) take(ctx context.Context, uid int64, left func() (int, error)) (done func(), ok bool, err error) {
	t.mu.Lock()
	mine := t.running[uid]
	if mine == nil {
		mine = &turn{ended: make(chan struct{})}
		t.running[uid] = mine
	}
	mine.asking++
	for {
		ended := mine.ended
		t.mu.Unlock()
		n, err := left()
		t.mu.Lock()
		switch {
		case err != nil || n <= 0:
			t.leave(uid, mine)
			return nil, false, err
		case mine.ended != ended: // one ended meanwhile, so n may be out of date
			continue
		case mine.active < n:
			mine.active++
			t.mu.Unlock()
			return func() { t.done(uid, mine) }, true, nil
		}
		t.mu.Unlock()
		select {
		case <-ended:
			t.mu.Lock()
		case <-ctx.Done():
			t.mu.Lock()
			t.leave(uid, mine)
			return nil, false, &Error{Kind: Unavailable, Cause: ctx.Err()}
		}
	}
}

func (t *turns) done(uid int64, mine *turn) {
	t.mu.Lock()
	mine.active--
	close(mine.ended)
	mine.ended = make(chan struct{})
	t.leave(uid, mine)
}

// leave gives the lock back.
func (t *turns) leave(uid int64, mine *turn) {
	mine.asking--
	if mine.asking == 0 {
		delete(t.running, uid)
	}
	t.mu.Unlock()
}
