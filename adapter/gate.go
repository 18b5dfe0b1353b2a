package adapter

import (
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"portico/directory"
)

// The gates that are kept for each address and person.
const (
	gateLogin  = "login"
	gateMobile = "mobile"
)

// MobileGate lets one guarded request of the mobile API pass for each address,
// person and login interval. CheckPassword with FullSignIn and Mobile passes it
// by itself. Error: Throttled.
func (a *Adapter) MobileGate(username string, client Client) error {
	return a.passGate(gateMobile, username, client)
}

// passGate is for the gates kept for each address and person.
func (a *Adapter) passGate(name, username string, client Client) error {
	if client.Exempt {
		return nil
	}
	if wait := a.gate.pass(name, client.Address, directory.FoldName(username)); wait > 0 {
		return &Error{Kind: Throttled, RetryAfter: wait}
	}
	return nil
}

// gate refuses what comes too soon after something that it let pass. Refused
// requests do not extend the wait. It is one process's own, and bounded: an
// entry that is pushed out was the one unused for longest.
type gate struct {
	interval time.Duration
	now      func() time.Time

	mu     sync.Mutex
	passed *lru.Cache[[sha256.Size]byte, time.Time] // by hash: names can be long
}

func newGate(interval time.Duration, size int, now func() time.Time) (*gate, error) {
	passed, err := lru.New[[sha256.Size]byte, time.Time](size)
	if err != nil {
		return nil, err
	}
	return &gate{interval: interval, now: now, passed: passed}, nil
}

// pass is 0 when the caller may go on, else the time to wait.
func (g *gate) pass(parts ...string) time.Duration {
	if g.interval < 0 {
		return 0
	}
	key := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	now := g.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if last, ok := g.passed.Peek(key); ok {
		// A clock that was set back must not lock anybody out for longer than the interval.
		if elapsed := now.Sub(last); elapsed >= 0 && elapsed < g.interval {
			return g.interval - elapsed
		}
	}
	g.passed.Add(key, now)
	return 0
}
