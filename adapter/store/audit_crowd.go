package store

import (
	"sync/atomic"
	"time"
)

const (
	// minCrowd is how many callers are a crowd. Fewer seldom keep the processors
	// busy, and would only wait longer.
	minCrowd = 8
	// maxLinger bounds how long records wait for others to share their transaction.
	maxLinger = 2 * time.Millisecond
)

// crowd decides how long the writer of the security log waits for more callers
// before the next transaction. A transaction costs the processor as much as some
// dozens of records in it, so with many callers fewer and larger ones let the
// machine do more sign-ins. A few callers never wait.
type crowd struct {
	want   atomic.Int64  // callers in the queue that end the waiting; 0: nobody waits
	enough chan struct{} // told when they are there
}

// joined is called by a caller that has joined the queue.
func (c *crowd) joined(queued int) {
	if want := c.want.Load(); want > 0 && int64(queued) >= want {
		select {
		case c.enough <- struct{}{}:
		default: // somebody else has said so
		}
	}
}

// linger waits after a transaction until most of those who are around are in the
// queue: they wrote in the last one or came while it ran. It gives up after the
// time that the transaction took, for some of them may be gone.
func (c *crowd) linger(wrote int, took time.Duration, queued func() int) {
	around := wrote + queued()
	if around < minCrowd {
		return
	}
	select {
	case <-c.enough: // of an earlier time
	default:
	}
	want := min(around-around/4, auditBatch)
	c.want.Store(int64(want))
	defer c.want.Store(0)
	if queued() >= want { // after want was set: whoever joins later looks at it
		return
	}
	limit := time.NewTimer(min(took, maxLinger))
	defer limit.Stop()
	select {
	case <-c.enough:
	case <-limit.C:
	}
}
