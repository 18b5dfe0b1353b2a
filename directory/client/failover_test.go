package client

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

func took(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

func TestAbuse_I01_DownAtStart(t *testing.T) {
	s := startSlapd(t)
	s.kill()
	c := open(t, s.cfg())
	mustSay(t, c.Ping(t.Context()), directory.ErrUnavailable, "refused")
	if r := c.Bind(t.Context(), person("alice"), "pw-alice"); r.Verdict != directory.VerdictUnavailable || r.Detail == "" {
		t.Errorf("%+v", r)
	}
	if st := c.Stats().Servers[0]; !st.Known || st.Up || st.Err == "" {
		t.Errorf("%+v", st)
	}
	s.start()
	eventually(t, patience, func() bool { return c.Ping(t.Context()) == nil })
	if r := c.Bind(t.Context(), person("alice"), "pw-alice"); r.Verdict != directory.VerdictSignedIn {
		t.Errorf("%+v", r)
	}
}

func TestAbuse_I02_GoneUnderLoadAndBack(t *testing.T) {
	s := startSlapd(t)
	cfg := s.cfg()
	cfg.Cooldown = 0 // the default
	c := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var good, bad, slowest atomic.Int64
	var down atomic.Bool
	for i := range 20 {
		wg.Go(func() {
			for ctx.Err() == nil {
				begin, ok := time.Now(), false
				wasDown := down.Load()
				if i%2 == 0 {
					r := c.Bind(ctx, person("alice"), "pw-alice")
					ok = r.Verdict == directory.VerdictSignedIn
					if r.Verdict == directory.VerdictWrong {
						t.Error("an outage looks like a wrong password")
					}
				} else {
					_, err := c.Search(ctx, byName("alice"))
					ok = err == nil
				}
				if ok {
					good.Add(1)
					continue
				}
				bad.Add(1)
				if spent := int64(time.Since(begin)); wasDown && spent > slowest.Load() {
					slowest.Store(spent)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	s.kill()
	time.Sleep(100 * time.Millisecond)
	down.Store(true)
	dials := c.Stats().Dials
	goroutines := runtime.NumGoroutine()
	time.Sleep(1200 * time.Millisecond)
	down.Store(false)
	if more := runtime.NumGoroutine() - goroutines; more > 5 {
		t.Errorf("%d goroutines more during the outage", more)
	}
	if n := c.Stats().Dials - dials; n > 0 {
		t.Errorf("%d connections to a dead server", n)
	}
	if d := time.Duration(slowest.Load()); d > slack {
		t.Errorf("the slowest failure took %s", d)
	}
	if bad.Load() == 0 {
		t.Error("nothing failed: the test shows nothing")
	}
	s.start()
	back := eventually(t, patience, func() bool { return c.Ping(t.Context()) == nil })
	if back > 2*time.Second+slack {
		t.Errorf("recovered after %s", back)
	}
	before := good.Load()
	eventually(t, patience, func() bool { return good.Load() > before })
	cancel()
	wg.Wait()
	if st := c.Stats(); st.Open > st.Service.Size+st.Binds.Size {
		t.Errorf("%+v", st)
	}
}

func TestBreakerFailsAtOnceAndProbesAlone(t *testing.T) {
	var refuse atomic.Bool
	refuse.Store(true)
	f := listen(t, func(f *fake, nc net.Conn) {
		if !refuse.Load() {
			answer(nil)(f, nc)
		}
	})
	cfg := shortTimes(f.url)
	cfg.Cooldown = 200 * time.Millisecond
	c := open(t, cfg)
	_ = c.Ping(t.Context())
	before := f.accepted.Load()
	begin := time.Now()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	for range 50 {
		wg.Go(func() {
			for time.Since(begin) < time.Second {
				d := took(func() { _ = c.Ping(context.Background()) })
				mu.Lock()
				times = append(times, d)
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Wait()
	slices.Sort(times)
	if median := times[len(times)/2]; median > 50*time.Millisecond {
		t.Errorf("failing calls take %s", median)
	}
	if n := f.accepted.Load() - before; n < 1 || n > 8 {
		t.Errorf("%d probes in a second with a cool-down of 200 ms", n)
	}
	refuse.Store(false)
	eventually(t, patience, func() bool { return c.Ping(t.Context()) == nil })
}

func TestAbuse_I03_SilentServer(t *testing.T) {
	f := listen(t, hold)
	c := open(t, shortTimes(f.url))
	if d := took(func() { mustSay(t, c.Ping(t.Context()), directory.ErrUnavailable, "no answer within 1s") }); d > time.Second+slack {
		t.Errorf("a silent server took %s", d)
	}
	if d := took(func() { c.Bind(t.Context(), person("alice"), "x") }); d > 500*time.Millisecond {
		t.Errorf("the next call took %s", d)
	}
}

func TestAbuse_I03_OneByteASecond(t *testing.T) {
	f := listen(t, func(f *fake, nc net.Conn) {
		answer(func(_ *fake, id int64, op *ber.Packet) []byte {
			if bindDN(op) == serviceDN || isPing(op) || op.Tag == ldap.ApplicationUnbindRequest {
				return nil
			}
			for _, b := range entry(id, person("alice")).Bytes() {
				if _, err := nc.Write([]byte{b}); err != nil {
					return nil
				}
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		})(f, nc)
	})
	cfg := shortTimes(f.url)
	cfg.Timeout = 400 * time.Millisecond
	c := open(t, cfg)
	for name, call := range map[string]func() error{
		"search": func() error { _, err := c.Search(t.Context(), everybody()); return err },
		"paged": func() error {
			return c.SearchPaged(t.Context(), everybody(), 10, func(*ldap.Entry) error { return nil })
		},
		"bind": func() error {
			if r := c.Bind(t.Context(), person("alice"), "x"); r.Verdict != directory.VerdictUnavailable {
				t.Errorf("%+v", r)
			}
			return directory.ErrUnavailable
		},
	} {
		var err error
		if d := took(func() { err = call() }); d > 400*time.Millisecond+slack || !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("%s took %s and gave %v", name, d, err)
		}
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("other requests suffer after %s: %v", name, err)
		}
	}
}

func TestAbuse_I03_FrozenServer(t *testing.T) {
	s := startSlapd(t)
	second := startSlapd(t)
	cfg := s.cfg()
	cfg.URLs = []string{s.url, second.url}
	c := open(t, cfg)
	for range 2 {
		if r := c.Bind(t.Context(), person("alice"), "pw-alice"); r.Verdict != directory.VerdictSignedIn {
			t.Fatalf("%+v", r)
		}
	}
	s.freeze()
	defer s.thaw()
	d := took(func() { c.Bind(t.Context(), person("alice"), "pw-alice") })
	if d > cfg.Timeout+slack {
		t.Errorf("the first bind took %s", d)
	}
	d = took(func() {
		if r := c.Bind(t.Context(), person("alice"), "pw-alice"); r.Verdict != directory.VerdictSignedIn {
			t.Errorf("%+v", r)
		}
	})
	if d > cfg.DialTimeout+slack {
		t.Errorf("the second bind took %s", d)
	}
	d = took(func() {
		if err := c.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if d > cfg.DialTimeout {
		t.Errorf("a ping on the second server took %s", d)
	}
}

func TestAbuse_I12_FirstServerHangs(t *testing.T) {
	s := startSlapd(t)
	hanging := listen(t, hold)
	unroutable := "ldap://" + blackhole(t)
	for name, first := range map[string]string{"accepts and is silent": hanging.url, "does not accept": unroutable} {
		t.Run(name, func(t *testing.T) {
			cfg := shortTimes(first, s.url)
			cfg.Cooldown = 50 * time.Millisecond
			c := open(t, cfg)
			var wg sync.WaitGroup
			for i := range 30 {
				wg.Go(func() {
					d := took(func() {
						if i%2 == 0 {
							if err := c.Ping(context.Background()); err != nil {
								t.Error(err)
							}
						} else if r := c.Bind(context.Background(), person("alice"), "pw-alice"); r.Verdict != directory.VerdictSignedIn {
							t.Errorf("%+v", r)
						}
					})
					if d > cfg.DialTimeout+slack {
						t.Errorf("the first call took %s", d)
					}
				})
			}
			wg.Wait()
			// Probes hang all the time now; nobody may notice.
			for end := time.Now().Add(time.Second); time.Now().Before(end); {
				c.service.flush()
				c.binds.flush()
				d := took(func() {
					c.Bind(t.Context(), person("alice"), "pw-alice")
					if err := c.Ping(t.Context()); err != nil {
						t.Error(err)
					}
				})
				if d > cfg.DialTimeout {
					t.Errorf("a later call took %s", d)
				}
			}
			st := c.Stats().Servers
			if st[0].Up || !st[1].Up {
				t.Errorf("%+v", st)
			}
		})
	}
}

// blackhole is an address that takes no more connections: its queue is full.
func blackhole(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	shrinkBacklog(t, raw)
	t.Cleanup(func() { _ = l.Close() })
	for range 10 {
		nc, err := net.DialTimeout("tcp", l.Addr().String(), 100*time.Millisecond)
		if err != nil {
			return l.Addr().String()
		}
		t.Cleanup(func() { _ = nc.Close() })
	}
	t.Fatal("the queue of connections does not fill")
	return ""
}

func TestFirstServerIsUsedAgainAfterAProbe(t *testing.T) {
	s, second := startSlapd(t), startSlapd(t)
	s.kill()
	c := open(t, shortTimes(s.url, second.url))
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.start()
	eventually(t, patience, func() bool {
		conn, server, err := c.Dedicated(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		return server == s.url
	})
}

func TestShortPatienceStillFindsTheSecondServer(t *testing.T) {
	s := startSlapd(t)
	hanging := listen(t, hold)
	c := open(t, shortTimes(hanging.url, s.url))
	eventually(t, patience, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return c.Ping(ctx) == nil
	})
}
