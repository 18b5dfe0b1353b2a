package feed

import (
	"context"
	"fmt"
)

// guarded runs a session that ends when the store loses what it holds: reading
// everything again must not wait until the directory has something to tell.
func (f *follower) guarded(ctx context.Context) error {
	fragile, ok := f.store.(Fragile)
	if !ok {
		return f.session(ctx)
	}
	lost := fragile.Lost()
	again := &restart{why: "what was read of it is lost"}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-lost:
			cancel(again)
		case <-inner.Done():
		}
	}()
	err := f.session(inner)
	cancel(nil)
	<-watched
	select {
	case <-lost:
	default:
		return err
	}
	if ctx.Err() != nil {
		return err
	}
	// Not ready until everything was read again.
	f.status.set(func(s *Status) { s.Complete = false })
	if err := fragile.Renew(ctx); err != nil {
		return fmt.Errorf("begin the read model anew: %w", err)
	}
	return again
}
