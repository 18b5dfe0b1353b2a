package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

func TestAbuse_I05_DR15_IdleConnectionCutSilently(t *testing.T) {
	s := startSlapd(t)
	r := startRelay(t, s.addr)
	c := open(t, shortTimes(r.url))
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	// As if nobody had used the connection for a while; from here on it
	// swallows everything. A new connection goes straight through.
	k := c.service.idle[0]
	k.used = time.Now().Add(-10 * time.Second)
	old := k.nc
	r.deaf.Store(true)
	_, _ = old.Write(nil)
	done := make(chan struct{})
	go func() { // the firewall forgets one connection only
		defer close(done)
		time.Sleep(300 * time.Millisecond)
		r.deaf.Store(false)
	}()
	d := took(func() {
		if _, err := c.Search(t.Context(), byName("alice")); err != nil {
			t.Error(err)
		}
	})
	<-done
	if d > probeTimeout+time.Second+slack {
		t.Errorf("took %s", d)
	}
}

func TestAbuse_I05_IdleConnectionClosedByTheServer(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	for range 5 {
		if _, err := c.Search(t.Context(), byName("alice")); err != nil {
			t.Error(err)
		}
		if r := c.Bind(t.Context(), person("alice"), "pw-alice"); r.Verdict != directory.VerdictSignedIn {
			t.Errorf("%+v", r)
		}
		s.kill()
		s.start()
	}
}

// TestStaleBindIsRepeatedOnce cuts a kept connection at the moment of the next
// bind, once before and once after a part of an answer.
func TestStaleBindIsRepeatedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		partial bool
		binds   int64
		want    directory.Verdict
	}{
		"stale":       {false, 3, directory.VerdictSignedIn},
		"half answer": {true, 2, directory.VerdictUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var users atomic.Int64
			f := listen(t, func(f *fake, nc net.Conn) {
				answer(func(_ *fake, id int64, op *ber.Packet) []byte {
					if bindDN(op) == person("alice") && users.Add(1) == 2 {
						if c.partial {
							_, _ = nc.Write(result(id, ldap.ApplicationBindResponse, 0, "").Bytes()[:5])
						}
						_ = nc.Close()
					}
					return nil
				})(f, nc)
			})
			cl := open(t, shortTimes(f.url))
			cl.Bind(t.Context(), person("alice"), "x")
			if r := cl.Bind(t.Context(), person("alice"), "x"); r.Verdict != c.want {
				t.Errorf("%+v", r)
			}
			if users.Load() != c.binds {
				t.Errorf("%d binds", users.Load())
			}
		})
	}
}

func TestWaitForAConnectionIsBounded(t *testing.T) {
	s := startSlapd(t)
	cfg := s.cfg()
	cfg.PoolSize, cfg.Timeout = 1, 500*time.Millisecond
	c := open(t, cfg)
	busy, free := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = c.Do(context.Background(), func(*ldap.Conn) error { close(busy); <-free; return nil })
	})
	<-busy
	var err error
	if d := took(func() { err = c.Ping(t.Context()) }); d > slack {
		t.Errorf("waited %s", d)
	}
	mustSay(t, err, directory.ErrUnavailable, "pool.size")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if d := took(func() { err = c.Ping(ctx) }); d > cfg.Timeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited %s: %v", d, err)
	}
	close(free)
	wg.Wait()
}

func TestIdleAndOldConnectionsAreReplaced(t *testing.T) {
	s := startSlapd(t)
	cfg := s.cfg()
	cfg.IdleTimeout, cfg.MaxAge = 100*time.Millisecond, time.Hour
	c := open(t, cfg)
	_ = c.Ping(t.Context())
	c.Bind(t.Context(), person("alice"), "pw-alice")
	eventually(t, patience, func() bool { return c.Stats().Open == 0 })

	cfg.IdleTimeout, cfg.MaxAge = time.Minute, 100*time.Millisecond
	c = open(t, cfg)
	_ = c.Ping(t.Context())
	dials := c.Stats().Dials
	time.Sleep(150 * time.Millisecond)
	_ = c.Ping(t.Context())
	if c.Stats().Dials != dials+1 {
		t.Error("an old connection was used")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	conn, _, err := c.Dedicated(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Ping(t.Context())
	_ = c.Close()
	_ = c.Close()
	eventually(t, patience, func() bool { return conn.IsClosing() && c.Stats().Open == 0 })
	if err := c.Ping(t.Context()); !errors.Is(err, directory.ErrUnavailable) || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}
