package adapter

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Run does the adapter's work in the background until ctx ends: it writes down
// when keys were last used, and clears away what the store needs no more.
func (a *Adapter) Run(ctx context.Context) error {
	var others sync.WaitGroup
	others.Go(func() { a.restarting(ctx, "mail", a.runMail) })
	others.Go(func() { a.restarting(ctx, "changes", a.runWrites) })
	defer others.Wait()
	a.restarting(ctx, "upkeep", a.runUpkeep)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	a.writeKeyUses(last)
	return nil
}

// Restarts counts how often a part of the background work was started again
// after a panic.
func (a *Adapter) Restarts() int64 { return a.restarts.Load() }

// How long a part of the background work rests after a panic.
const (
	restartMinPause = time.Second
	restartMaxPause = time.Minute
)

// restarting runs a part of the background work, and again after a panic, with
// pauses that grow while it goes on panicking.
func (a *Adapter) restarting(ctx context.Context, name string, work func(context.Context)) {
	pause := restartMinPause
	for begun := time.Now(); a.panicked(ctx, name, work); begun = time.Now() {
		a.restarts.Add(1)
		if time.Since(begun) > restartMaxPause {
			pause = restartMinPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, restartMaxPause)
	}
}

// Restarting runs a part of the background work of a package that stands on the
// adapter, and again after a panic.
func (a *Adapter) Restarting(ctx context.Context, name string, work func(context.Context)) {
	a.restarting(ctx, name, work)
}

// panicked runs work and tells whether it ended in a panic.
func (a *Adapter) panicked(ctx context.Context, name string, work func(context.Context)) (yes bool) {
	defer func() {
		if cause := recover(); cause != nil {
			yes = true
			a.log.ErrorContext(ctx, "a panic in the background; the work is started again",
				"work", name, "cause", clip(fmt.Sprint(cause)), "stack", string(debug.Stack()))
		}
	}()
	work(ctx)
	return false
}

// runUpkeep writes down the use of keys and tidies the store until ctx ends.
func (a *Adapter) runUpkeep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	sweep := time.NewTicker(time.Hour)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			if n, err := a.SweepExtras(ctx); (err != nil || n > 0) && ctx.Err() == nil {
				a.log.InfoContext(ctx, "stored attributes of entries that are gone were swept", "entries", n, "error", err)
			}
		case <-tick.C:
			a.writeKeyUses(ctx)
			if err := a.store.Maintain(ctx); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "the database could not be tidied; it is tried again in a minute", "error", err)
			}
		}
	}
}
