package scim

import (
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"portico/scim/fault"
)

// guards bound how often one principal may do something: requests by the second, removals of people by the minute.
type guards struct {
	now      func() time.Time
	rate     float64
	removals float64
	mu       sync.Mutex
	buckets  *lru.Cache[string, *bucket]
}

// bucket holds what a principal has left.
type bucket struct {
	requests, removals float64
	at                 time.Time
}

func newGuards(rate, removals int, now func() time.Time) (*guards, error) {
	buckets, err := lru.New[string, *bucket](10_000)
	return &guards{now: now, rate: float64(rate), removals: float64(removals), buckets: buckets}, err
}

// of gives a principal's bucket, filled up to this moment. The lock is held.
func (g *guards) of(name string) *bucket {
	now := g.now()
	b, ok := g.buckets.Get(name)
	if !ok {
		b = &bucket{requests: 1.5 * g.rate, removals: g.removals, at: now}
		g.buckets.Add(name, b)
		return b
	}
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.requests = min(1.5*g.rate, b.requests+passed*g.rate)
		b.removals = min(g.removals, b.removals+passed*g.removals/60)
		b.at = now
	}
	return b
}

// request takes one request off a principal's share. The error is a 429.
func (g *guards) request(name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.of(name)
	if b.requests < 1 {
		return &fault.Error{Status: http.StatusTooManyRequests, Detail: "too many requests", RetryAfter: time.Second}
	}
	b.requests--
	return nil
}

// removal takes one deletion or deactivation off a principal's share. The error is a 429.
func (g *guards) removal(name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.of(name)
	if b.removals < 1 {
		return &fault.Error{
			Status: http.StatusTooManyRequests, RetryAfter: time.Minute,
			Detail: "too many deletions and deactivations: ask the administrator if they are meant",
		}
	}
	b.removals--
	return nil
}
