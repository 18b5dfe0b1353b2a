package feed

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// event is one message of the stream. The last one has end set.
type event struct {
	entry *ldap.Entry
	state *ldap.ControlSyncState
	info  *ldap.ControlSyncInfo
	end   error
}

// errStreamEnded is a stream that ends without an error: the server must not do
// that in persist mode.
var errStreamEnded = errors.New("the server ended the feed of changes")

// pump reads a stream as fast as its consumer takes it and knows when it last
// moved.
type pump struct {
	done    chan struct{}
	moved   atomic.Int64 // Unix nanoseconds of the last message
	blocked atomic.Bool  // waits for the consumer, not for the server
}

// startPump starts the search and hands its messages to out.
func startPump(ctx context.Context, conn *ldap.Conn, req *ldap.SearchRequest, cookie string, out chan<- event) *pump {
	p := &pump{done: make(chan struct{})}
	p.moved.Store(time.Now().UnixNano())
	var sent []byte
	if cookie != "" {
		sent = []byte(cookie)
	}
	stream := conn.Syncrepl(ctx, req, streamBuffer, ldap.SyncRequestModeRefreshAndPersist, sent, false)
	go func() {
		defer close(p.done)
		for stream.Next() {
			p.moved.Store(time.Now().UnixNano())
			if !p.hand(ctx, out, read(stream)) {
				return
			}
		}
		err := stream.Err()
		if err == nil {
			err = errStreamEnded
		}
		p.hand(ctx, out, event{end: err})
	}()
	return p
}

// hand passes an event on; false if nobody wants it any more.
func (p *pump) hand(ctx context.Context, out chan<- event, e event) bool {
	select {
	case out <- e:
		return true
	default:
	}
	p.blocked.Store(true)
	defer p.blocked.Store(false)
	select {
	case out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// silence is how long the server has said nothing, 0 while the delay is ours.
func (p *pump) silence() time.Duration {
	if p.blocked.Load() {
		return 0
	}
	return time.Since(time.Unix(0, p.moved.Load()))
}

func (p *pump) wait() { <-p.done }

// read makes an event of a message. A referral gives an empty one.
func read(r ldap.Response) event {
	e := event{entry: r.Entry()}
	for _, control := range r.Controls() {
		switch c := control.(type) {
		case *ldap.ControlSyncState:
			e.state = c
		case *ldap.ControlSyncInfo:
			e.info = c
		}
	}
	return e
}

// heartbeat tests the stream's own connection whenever nothing came for a while: a
// search of the root DSE shares its way through firewalls and its reader in the
// server, so an answer proves that events would arrive too. It ends the session
// when none comes. The returned function ends the heartbeat and waits for it.
func (s *syncrepl) heartbeat(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, s.cfg.Heartbeat/2) {
			if s.pump.silence() < s.cfg.Heartbeat/2 {
				s.status.contact()
				continue
			}
			err := s.beat(ctx)
			if err == nil && s.pump.silence() > s.cfg.Heartbeat {
				err = s.probeLimit(ctx)
			}
			if err != nil && ctx.Err() == nil {
				s.cancel(err)
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// errSilent is a connection on which nothing comes through any more.
var errSilent = errors.New("the server does not answer on the connection of the feed")

// beat asks for the root DSE and waits for the answer, but no longer than patience
// unless other messages keep arriving.
func (s *syncrepl) beat(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() { // ends with the connection at the latest
		_, err := s.conn.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
			"(objectClass=*)", []string{"1.1"}, nil))
		answer <- err
	}()
	started := time.Now()
	for {
		timer := time.NewTimer(s.cfg.Patience / 4)
		select {
		case err := <-answer:
			timer.Stop()
			if err != nil && code(err) >= ldap.ErrorNetwork || errors.Is(err, errStreamEnded) {
				return err
			}
			s.status.contact() // any result code is a sign of life
			return nil
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if time.Since(started) > s.cfg.Patience && s.pump.silence() > s.cfg.Patience {
			return errSilent
		}
	}
}
