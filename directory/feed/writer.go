package feed

import (
	"context"
	"sync"
	"sync/atomic"
)

// writer does one job after the other in a goroutine of its own, so that reading
// from the directory and writing to the store overlap. After the first failure, or
// the end of its context, the jobs that wait are dropped.
type writer struct {
	ctx    context.Context
	jobs   chan job
	free   chan struct{} // something to look at: no job waits or runs any more
	ended  chan struct{}
	queued atomic.Int32
	once   sync.Once
}

// job is one step of writing.
type job struct {
	do     func(context.Context) error
	always bool         // clears up: done even after a failure
	result chan<- error // nil where nobody waits
}

// startWriter begins; a failed job cancels ctx with its error as the cause.
func startWriter(ctx context.Context, cancel context.CancelCauseFunc, queue int) *writer {
	w := &writer{ctx: ctx, jobs: make(chan job, queue), free: make(chan struct{}, 1), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for j := range w.jobs {
			err := context.Cause(ctx)
			if err == nil || j.always {
				err = j.do(ctx)
			}
			if err != nil {
				cancel(err)
			}
			if j.result != nil {
				j.result <- err
			}
			if w.queued.Add(-1) == 0 {
				select {
				case w.free <- struct{}{}:
				default:
				}
			}
		}
	}()
	return w
}

// do queues a job, waiting for room.
func (w *writer) do(f func(context.Context) error) error { return w.queue(job{do: f}) }

// run queues a job and waits until it is done or dropped.
func (w *writer) run(f func(context.Context) error) error {
	result := make(chan error, 1)
	if err := w.queue(job{do: f, result: result}); err != nil {
		return err
	}
	return <-result
}

// clearUp runs a job even after a failure.
func (w *writer) clearUp(f func()) {
	done := make(chan error, 1)
	w.queued.Add(1)
	w.jobs <- job{do: func(context.Context) error { f(); return nil }, always: true, result: done}
	<-done //nolint:errcheck // f has no error
}

func (w *writer) queue(j job) error {
	w.queued.Add(1)
	select {
	case w.jobs <- j:
		return nil
	case <-w.ctx.Done():
		w.queued.Add(-1)
		return context.Cause(w.ctx)
	}
}

// idle tells whether no job waits or runs.
func (w *writer) idle() bool { return w.queued.Load() == 0 }

// stop does what waits, or drops it if the context has ended, and returns when
// nothing runs any more. Nothing may be queued after it.
func (w *writer) stop() {
	w.once.Do(func() { close(w.jobs) })
	<-w.ended
}
