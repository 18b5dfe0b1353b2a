package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// sharer runs the small transactions of many callers in common ones, each within
// a savepoint of its own: with SQLite, which has one writer, a commit costs much
// more than what is written.
type sharer struct {
	mu     sync.RWMutex // held for reading while a call is put in the queue
	closed bool
	queue  chan *sharedCall
	done   chan struct{}
}

type sharedCall struct {
	ctx    context.Context //nolint:containedctx // of the caller, who may leave
	do     func(context.Context, *tx) error
	err    error
	result chan error
}

const (
	sharedQueue = 256
	sharedBatch = 64
)

// errAlone makes a call run again in a transaction of its own.
var errAlone = errors.New("the common transaction failed")

// writeShared is write for small transactions that come many at a time.
func (s *Store) writeShared(ctx context.Context, what string, do func(context.Context, *tx) error) error {
	if s.dialect.name != dialectSQLite {
		return s.write(ctx, what, do)
	}
	call := &sharedCall{ctx: ctx, do: do, result: make(chan error, 1)}
	if err := s.shared.put(ctx, call); err != nil {
		return s.fail(ctx, what, err)
	}
	err := <-call.result
	if errors.Is(err, errAlone) {
		return s.write(ctx, what, do)
	}
	return s.fail(ctx, what, err)
}

func (h *sharer) put(ctx context.Context, call *sharedCall) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return ErrClosed
	}
	select {
	case h.queue <- call:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *sharer) start(s *Store) {
	h.queue, h.done = make(chan *sharedCall, sharedQueue), make(chan struct{})
	go func() {
		defer close(h.done)
		for first := range h.queue {
			calls := []*sharedCall{first}
			for open := true; open && len(calls) < sharedBatch; {
				select {
				case call, more := <-h.queue:
					if open = more; more {
						calls = append(calls, call)
					}
				default:
					open = false
				}
			}
			s.runShared(calls)
		}
	}()
}

// close lets nobody in any more and waits until the queue is done.
func (h *sharer) close() {
	h.mu.Lock()
	h.closed = true
	if h.queue != nil {
		close(h.queue)
	}
	h.mu.Unlock()
	if h.done != nil {
		<-h.done
	}
}

// runShared runs the calls in one transaction and answers them. A caller who has
// gone is passed over. When the whole fails, each is tried by itself.
func (s *Store) runShared(calls []*sharedCall) {
	err := s.writeAnyway(context.Background(), "common transaction", func(ctx context.Context, t *tx) error {
		for _, call := range calls {
			if call.err = call.ctx.Err(); call.err != nil {
				continue
			}
			if err := t.within(ctx, call); err != nil {
				return err
			}
		}
		return nil
	})
	for _, call := range calls {
		switch {
		case err != nil && len(calls) == 1:
			call.err = err
		case err != nil:
			call.err = errAlone
		}
		call.result <- call.err
	}
}

// within runs one call inside a savepoint. The error is one of the transaction.
func (t *tx) within(ctx context.Context, call *sharedCall) error {
	if _, err := t.exec(ctx, "SAVEPOINT shared"); err != nil {
		return err
	}
	told := len(t.changes)
	if call.err = guarded(ctx, t, call.do); call.err == nil {
		_, err := t.exec(ctx, "RELEASE shared")
		return err
	}
	t.changes = t.changes[:told]
	if _, err := t.exec(ctx, "ROLLBACK TO shared"); err != nil {
		return err
	}
	_, err := t.exec(ctx, "RELEASE shared")
	return err
}

// guarded turns a panic into an error: it must not end the callers beside it.
func guarded(ctx context.Context, t *tx, do func(context.Context, *tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do(ctx, t)
}
