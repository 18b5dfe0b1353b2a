package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var errClosed = errors.New("the client is closed")

type poolConfig struct {
	option  string // the configuration key of its size, for the error text
	size    int
	wait    time.Duration // for a free slot
	idle    time.Duration
	age     time.Duration
	dial    func(context.Context) (*conn, error)
	down    func() error                      // not nil: no server can be dialed now
	healthy func(context.Context, *conn) bool // asked before a long unused connection is given out; may be nil
}

// pool keeps connections of one identity. It dials when somebody needs one and
// none is idle, up to its size.
type pool struct {
	poolConfig
	slots chan struct{}

	mu     sync.Mutex
	idle   []*conn // the most recently used last
	timer  *time.Timer
	closed bool
}

func newPool(cfg poolConfig) *pool {
	return &pool{poolConfig: cfg, slots: make(chan struct{}, cfg.size)}
}

// acquire gives a connection to its caller alone, who must release it. With
// fresh it is a new one. The wait for a slot is bounded by ctx and by the
// pool's own limit, and ends at once when no server is there.
func (p *pool) acquire(ctx context.Context, fresh bool) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	k, err := p.take(ctx, fresh)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return k, nil
}

func (p *pool) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	if err := p.down(); err != nil {
		return err
	}
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for a free connection: %w", ctx.Err())
	case <-timer.C:
		return fmt.Errorf("all %d connections were busy for %s (%s raises their number)", p.size, p.wait, p.option)
	}
}

func (p *pool) take(ctx context.Context, fresh bool) (*conn, error) {
	if !fresh {
		if k := p.pop(); k != nil {
			if p.healthy == nil || time.Since(k.used) < probeIdleAfter || p.healthy(ctx, k) {
				return k, nil
			}
			// What cut one silently has most likely cut its neighbours too.
			k.kill()
			p.flush()
		}
	}
	return p.dial(ctx)
}

// release takes a connection back. Without keep it is cut.
func (p *pool) release(k *conn, keep bool) {
	if keep && !k.broken() && time.Since(k.born) < p.age && p.push(k) {
		<-p.slots
		return
	}
	k.kill()
	<-p.slots
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for n := len(p.idle); n > 0; n = len(p.idle) {
		k := p.idle[n-1]
		p.idle = p.idle[:n-1]
		if p.usable(k, now) {
			return k
		}
		k.kill()
	}
	return nil
}

func (p *pool) usable(k *conn, now time.Time) bool {
	return !k.broken() && now.Sub(k.used) < p.poolConfig.idle && now.Sub(k.born) < p.age
}

func (p *pool) push(k *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	k.used, k.reused = time.Now(), true
	p.idle = append(p.idle, k)
	if p.timer == nil {
		p.timer = time.AfterFunc(p.poolConfig.idle, p.reap)
	}
	return true
}

// reap closes what has been idle for too long. It runs by a timer as long as
// anything is idle.
func (p *pool) reap() {
	p.mu.Lock()
	now, kept, old := time.Now(), p.idle[:0], []*conn(nil)
	next := p.poolConfig.idle
	for _, k := range p.idle {
		if !p.usable(k, now) {
			old = append(old, k)
			continue
		}
		kept = append(kept, k)
		next = min(next, p.poolConfig.idle-now.Sub(k.used))
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	switch {
	case p.closed:
	case len(kept) == 0:
		p.timer = nil
	default:
		p.timer.Reset(max(next, 10*time.Millisecond))
	}
	p.mu.Unlock()
	for _, k := range old {
		k.close()
	}
}

// flush cuts all idle connections.
func (p *pool) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.idle {
		k.kill()
	}
	clear(p.idle)
	p.idle = p.idle[:0]
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	p.flush()
}

func (p *pool) stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Size: p.size, Busy: len(p.slots), Idle: len(p.idle)}
}
