package client

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maxAuthPause bounds the pause between service binds after one was refused:
// each try may count against the account.
const maxAuthPause = time.Minute

// server is one URL and what is known of it. A server is unknown until a check
// (connect, TLS, service bind) has ended; callers wait for that one check
// together. A server that is down is not dialed by callers at all: they use the
// next URL, or fail at once, while one probe after another runs in the
// background until the server is back.
type server struct {
	c *Client
	target

	mu       sync.Mutex
	known    bool
	netErr   error         // it cannot be reached or does not answer
	authErr  error         // it answers, but refuses the service account
	gen      int           // counts what was learnt, so that old failures do not count
	checking chan struct{} // closed when the check under way ends
	doubted  bool          // a request on it timed out: cut all when the check fails
	probing  bool
}

// fault is why the server cannot be used, for the service account or for user
// binds only: those need nothing but an answering server.
func (s *server) fault(service bool) error {
	if s.netErr != nil || !service {
		return s.netErr
	}
	return s.authErr
}

// ready waits until the server is known and tells why it cannot be used.
func (s *server) ready(ctx context.Context, service bool) (gen int, err error) {
	s.mu.Lock()
	if !s.known {
		done := s.check()
		s.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-s.c.ctx.Done():
			return 0, errClosed
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	return s.gen, s.fault(service)
}

// check begins a check unless one runs. s.mu is held.
func (s *server) check() <-chan struct{} {
	if s.checking == nil {
		s.checking = make(chan struct{})
		s.c.spawn(func() { s.learn(s.c.probe(s)) })
	}
	return s.checking
}

// suspect is called when a request on a kept connection got no answer: the
// server may hang. One check finds out; if it fails, everything that still
// waits on that server is cut, so that nobody waits longer than he must.
func (s *server) suspect() {
	s.mu.Lock()
	if s.known && s.netErr != nil {
		s.mu.Unlock()
		s.c.kill(s)
		return
	}
	s.known, s.doubted = false, true
	s.check()
	s.mu.Unlock()
}

// failed is called when a dial failed of which gen was known before.
func (s *server) failed(gen int, err error) {
	s.mu.Lock()
	stale := !s.known || s.gen != gen
	s.mu.Unlock()
	if !stale {
		s.learn(err)
	}
}

// learn notes the outcome of a check, a probe or a failed dial.
func (s *server) learn(err error) {
	s.mu.Lock()
	was := s.fault(true)
	s.netErr, s.authErr = err, nil
	if refused(err) {
		s.netErr, s.authErr = nil, err
	}
	first := !s.known && s.gen == 0
	s.known = true
	s.gen++
	if s.checking != nil {
		close(s.checking)
		s.checking = nil
	}
	hangs := s.doubted && s.netErr != nil
	s.doubted = false
	probe := err != nil && !s.probing
	if probe {
		s.probing = true
	}
	s.mu.Unlock()

	closed := s.c.ctx.Err() != nil
	switch {
	case closed:
	case err != nil && (was == nil || refused(was) != refused(err)):
		s.c.log.Warn("LDAP server cannot be used", "server", s.raw, "error", err)
	case err == nil && (was != nil || first):
		s.c.log.Info("LDAP server is up", "server", s.raw)
	}
	if hangs {
		s.c.kill(s)
	}
	if probe {
		s.c.spawn(s.revive)
	}
}

// revive probes the server until it can be used again.
func (s *server) revive() {
	authPause := s.c.cfg.Cooldown
	for {
		s.mu.Lock()
		fault, pause := s.fault(true), s.c.cfg.Cooldown
		if fault == nil {
			s.probing = false
			s.mu.Unlock()
			return
		}
		if s.netErr == nil {
			pause, authPause = authPause, min(2*authPause, maxAuthPause)
		}
		s.mu.Unlock()
		timer := time.NewTimer(jitter(pause))
		select {
		case <-timer.C:
		case <-s.c.ctx.Done():
			timer.Stop()
			return
		}
		s.learn(s.c.probe(s))
	}
}

func (s *server) stats() ServerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := ServerStats{URL: s.raw, Known: s.known, Up: s.known && s.fault(true) == nil}
	if err := s.fault(true); err != nil {
		st.Err = err.Error()
	}
	return st
}

// probe makes one connection as the service account and closes it.
func (c *Client) probe(s *server) error {
	k, err := c.dial(c.ctx, s, forService)
	if err != nil {
		return err
	}
	defer k.close()
	if c.anonymous(s) {
		// No bind has shown that anybody answers.
		err, cut := k.within(c.ctx, c.cfg.DialTimeout, func() error { _, err := k.l.Search(pingRequest()); return err })
		if err != nil && !answered(err) {
			return c.dialError(s, err, cut)
		}
	}
	return nil
}

// healthy asks a connection that was unused for a while for a sign of life.
func (c *Client) healthy(ctx context.Context, k *conn) bool {
	err, _ := k.within(ctx, min(probeTimeout, c.cfg.Timeout), func() error { _, err := k.l.Search(pingRequest()); return err })
	return err == nil || answered(err)
}

// dialAny connects to the first server in the list that can be used.
func (c *Client) dialAny(ctx context.Context, p purpose) (*conn, error) {
	var faults []error
	for _, s := range c.servers {
		gen, err := s.ready(ctx, p == forService)
		if err == nil {
			var k *conn
			if k, err = c.dial(ctx, s, p); err == nil {
				return k, nil
			}
			if ctx.Err() != nil {
				s.suspect() // the caller was in a hurry: let a check find out
				return nil, ctx.Err()
			}
			s.failed(gen, err)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		faults = append(faults, fmt.Errorf("%s: %w", s.raw, err))
	}
	return nil, noServer(faults)
}

// allDown is nil while any server may be dialed.
func (c *Client) allDown(service bool) error {
	var faults []error
	for _, s := range c.servers {
		s.mu.Lock()
		err := s.fault(service)
		s.mu.Unlock()
		if err == nil {
			return nil
		}
		faults = append(faults, fmt.Errorf("%s: %w", s.raw, err))
	}
	return noServer(faults)
}
