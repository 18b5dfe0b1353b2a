package feed

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/testenv"
)

func TestDR09_OurRestartReadsOnlyTheChanges(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode})
		for i := range 30 {
			w.addPerson("p" + fiveDigits(i))
		}
		w.start()
		w.following()
		w.equal()
		w.stop()
		_, before, _ := w.store.counters()

		w.modify(w.person("p00001"), "mail", "one@example.com")
		w.must(w.admin.Del(ldap.NewDelRequest(w.person("p00002"), nil)))
		w.addPerson("new")
		w.start()
		w.equal()
		if _, after, _ := w.store.counters(); mode == ModeSyncrepl && after-before != 2 {
			t.Errorf("%d entries were written, 2 changed", after-before)
		}
		if n := w.feed.Status().Refreshes; mode == ModeSyncrepl && n != 0 {
			t.Errorf("%d full reads", n)
		}
	})
}

// Without changes nothing at all is written.
func TestDR09_OurRestartWithoutChanges(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl})
	w.addPerson("ann")
	w.start()
	w.following()
	w.equal()
	w.stop()
	for _, restart := range []bool{false, true} { // of the server, which loses its session log
		if restart {
			w.must(w.server.Restart())
			w.admin = w.server.Admin(t)
		}
		_, before, deleted := w.store.counters()
		w.start()
		w.following()
		if _, after, gone := w.store.counters(); after != before || gone != deleted {
			t.Errorf("restart %v: %d entries were written and %d deleted", restart, after-before, gone-deleted)
		}
		if n := w.feed.Status().Refreshes; n != 0 {
			t.Errorf("restart %v: %d full reads", restart, n)
		}
		w.stop()
	}
	w.equal()
}

func TestDR10_ServerRestartPresentPhase(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode}, testenv.WithSessionLog(5))
		for i := range 40 {
			w.addPerson("p" + fiveDigits(i))
		}
		w.start()
		w.following()
		w.equal()
		w.stop()
		for i := range 8 {
			w.must(w.admin.Del(ldap.NewDelRequest(w.person("p"+fiveDigits(i)), nil)))
		}
		w.modify(w.person("p00020"), "mail", "twenty@example.com")
		w.must(w.server.Restart())
		w.admin = w.server.Admin(t)
		w.addPerson("after")
		_, before, _ := w.store.counters()
		w.start()
		w.equal()
		if _, after, _ := w.store.counters(); mode == ModeSyncrepl && after-before > 10 {
			t.Errorf("%d entries were read again", after-before)
		}
	})
}

// The server goes away and comes back while we follow, and changes happen before
// we are back.
func TestDR10_ServerRestartsUnderneath(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl})
	for i := range 20 {
		w.addPerson("p" + fiveDigits(i))
	}
	w.start()
	w.following()
	w.equal()
	for round := range 3 {
		w.server.Kill()
		w.must(w.server.Start(context.Background()))
		w.admin = w.server.Admin(t)
		w.must(w.admin.Del(ldap.NewDelRequest(w.person("p"+fiveDigits(round)), nil)))
		w.modify(w.person("p00010"), "mail", fmt.Sprintf("round%d@example.com", round))
		w.equal()
	}
}

func TestDR11_UnusableCookies(t *testing.T) {
	const csn = "20380101000000.000000Z#000000#001#000000"
	for name, cookie := range map[string]string{
		"garbage":      "no cookie at all",
		"empty":        "",
		"another form": "host:389#cn=portico:dc=example,dc=com:(a=b)#17",
		"future":       "rid=000,csn=" + csn,
		"another sid":  "rid=000,csn=20200101000000.000000Z#000000#00f#000000",
		"stale":        "rid=000,csn=20000101000000.000000Z#000000#001#000000",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{Mode: ModeSyncrepl}, testenv.WithSessionLog(2))
			for i := range 30 {
				w.addPerson("p" + fiveDigits(i))
			}
			w.start()
			w.following()
			w.equal()
			w.stop()
			w.store.setCookie(func(p position) position { p.Cookie = cookie; return p })
			for i := range 3 {
				w.must(w.admin.Del(ldap.NewDelRequest(w.person("p"+fiveDigits(i)), nil)))
			}
			w.addPerson("new")
			w.store.watch()
			w.start()
			w.equal()
			if least := w.store.least(); least < 30 {
				t.Errorf("the store was down to %d entries", least)
			}
		})
	}
}

func TestDR11_DamagedPositionAndOtherSettings(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl})
	w.addPerson("ann")
	w.start()
	w.following()
	w.stop()
	for name, change := range map[string]func(p position) position{
		"another account":     func(p position) position { p.Fingerprint = "other"; return p },
		"another kind":        func(p position) position { p.Vendor = vendor389; return p },
		"polled before":       func(p position) position { p.Mode = ModePoll; p.Since = "20260101000000Z"; return p },
		"nothing in it":       func(position) position { return position{} },
		"another form of all": func(position) position { return position{Mode: "x"} },
	} {
		w.store.setCookie(change)
		w.start()
		w.following()
		if n := w.feed.Status().Refreshes; n != 1 {
			t.Errorf("%s: %d full reads, want 1", name, n)
		}
		w.equal()
		w.stop()
	}
}

// A large part of the directory vanishes: the store believes it the second time.
func TestLargeSweepNeedsASecondAnswer(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode}, testenv.WithSessionLog(-1))
		for i := range 30 {
			w.addPerson("p" + fiveDigits(i))
		}
		w.start()
		w.following()
		w.equal()
		w.stop()
		for i := range 20 {
			w.must(w.admin.Del(ldap.NewDelRequest(w.person("p"+fiveDigits(i)), nil)))
		}
		w.start()
		w.equal()
	})
}

func TestDR14_SizeLimitIsNoSweep(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode}, testenv.WithServiceSizeLimit(20))
		// The store knows everybody, as from a time before the limit.
		for i := range 40 {
			w.addPerson("p" + fiveDigits(i))
		}
		w.dir.dn, w.dir.password = w.server.AdminDN, w.server.AdminPassword
		w.cfg.BindDN = w.server.AdminDN
		w.start()
		w.following()
		w.equal()
		w.stop()

		w.dir.dn, w.dir.password = w.server.ServiceDN, w.server.ServicePassword
		w.cfg.BindDN = w.server.ServiceDN // other settings: everything is read again
		w.store.watch()
		w.start()
		w.eventually("the limit is explained", func() bool {
			s := w.feed.Status()
			return s.Phase == PhaseWaiting && strings.Contains(s.Err, "limits dn.exact") && s.Reconnects > 2
		})
		if _, _, deleted := w.store.counters(); deleted > 0 || w.store.least() < 40 {
			t.Errorf("%d entries were deleted", deleted)
		}
	})
}

func TestDR15_CutInTheMiddle(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl, Heartbeat: 200 * time.Millisecond, Patience: time.Second})
	const n = 2000
	w.must(w.server.Load(strings.NewReader(manyPeople(w.server.BaseDN, n))))
	w.admin = w.server.Admin(t)
	proxy := testenv.OpenProxy(t, w.server.Address())
	w.dir.url = proxy.URL("ldap")

	t.Run("of a first refresh", func(t *testing.T) {
		proxy.CutAfter(300_000)
		w.start()
		w.following()
		w.equal()
		if w.feed.Status().Reconnects == 0 {
			t.Error("nothing was cut")
		}
		w.stop()
	})
	t.Run("of a refresh beside", func(t *testing.T) {
		w.store.setCookie(func(position) position { return position{} })
		w.store.watch()
		_, _, before := w.store.counters()
		proxy.CutAfter(200_000)
		w.start()
		w.following()
		w.equal()
		if _, _, deleted := w.store.counters(); deleted != before || w.store.least() < n {
			t.Errorf("a broken refresh deleted %d entries", deleted-before)
		}
	})
	t.Run("of persist", func(t *testing.T) {
		reconnects := w.feed.Status().Reconnects
		proxy.Cut()
		w.must(w.admin.Del(ldap.NewDelRequest(w.person("bulk00007"), nil)))
		w.modify(w.person("bulk00008"), "mail", "cut@example.com")
		w.equal()
		if w.feed.Status().Reconnects == reconnects {
			t.Error("no reconnect")
		}
	})
	t.Run("silently", func(t *testing.T) {
		w.following()
		refreshes := w.feed.Status().Refreshes
		proxy.Pause()
		w.must(w.admin.Del(ldap.NewDelRequest(w.person("bulk00009"), nil)))
		started := time.Now()
		w.eventually("the silence is noticed", func() bool { return w.feed.Status().Phase != PhaseFollowing })
		noticed := time.Since(started)
		proxy.Cut()
		proxy.Resume()
		w.equal()
		t.Logf("noticed after %s", noticed.Round(time.Millisecond))
		if noticed > 15*time.Second {
			t.Errorf("noticed only after %s", noticed)
		}
		if got := w.feed.Status().Refreshes; got != refreshes {
			t.Errorf("%d full reads", got-refreshes)
		}
	})
}

// A quiet directory is not taken for a dead one.
func TestDR15_QuietStreamStays(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl, Heartbeat: 50 * time.Millisecond, Patience: 10 * time.Second})
	w.addPerson("ann")
	w.start()
	w.following()
	contact := w.feed.Status().LastContact
	time.Sleep(400 * time.Millisecond)
	w.eventually("the heart beats", func() bool { return w.feed.Status().LastContact.After(contact) })
	s := w.feed.Status()
	if s.Reconnects != 0 || s.Phase != PhaseFollowing {
		t.Errorf("status %+v", s)
	}
	w.modify(w.person("ann"), "mail", "quiet@example.com")
	w.equal()
}

func TestAbuse_I04_PollNeverSweepsAfterABrokenRead(t *testing.T) {
	w := newWorld(t, Config{Mode: ModePoll})
	const n = 500
	w.must(w.server.Load(strings.NewReader(manyPeople(w.server.BaseDN, n))))
	w.admin = w.server.Admin(t)
	proxy := testenv.OpenProxy(t, w.server.Address())
	w.dir.url = proxy.URL("ldap")
	w.start()
	w.following()
	w.equal()
	w.store.watch()
	for range 10 {
		proxy.CutAfter(20_000)
		time.Sleep(60 * time.Millisecond)
	}
	w.modify(w.person("bulk00008"), "mail", "cut@example.com")
	w.equal()
	if least := w.store.least(); least < n {
		t.Errorf("the store was down to %d entries", least)
	}
}

func TestAutoFallsBackToPoll(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeAuto, Interval: 50 * time.Millisecond, Sweep: 100 * time.Millisecond, Margin: time.Second},
		testenv.WithoutSyncprov())
	dn := w.addPerson("ann")
	w.start()
	w.following()
	w.equal()
	if got := w.feed.Status().Mode; got != ModePoll {
		t.Fatalf("auto chose %s", got)
	}
	w.modify(dn, "mail", "ann@example.com")
	w.addPerson("ben")
	w.equal()
	w.must(w.admin.Del(ldap.NewDelRequest(dn, nil)))
	w.equal()
}

// A write that fails must not move the cookie.
func TestFailedWriteIsRepeated(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl})
	w.addPerson("ann")
	w.start()
	w.following()
	w.equal()
	w.store.mu.Lock()
	w.store.failNext = fmt.Errorf("disk full")
	w.store.mu.Unlock()
	w.modify(w.person("ann"), "mail", "ann@example.org")
	w.equal()
}

// Reconciliation finds what was changed without an event, and leaves the rest.
func TestReconciliationFindsSilentChanges(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode, Reconcile: 300 * time.Millisecond})
		w.addPerson("ann")
		w.addPerson("ben")
		w.start()
		w.following()
		w.equal()
		// Damage the store as a bug would.
		ann := w.store.byName("ann")[0]
		w.store.mu.Lock()
		broken := *ann
		broken.Name = "wrong"
		w.store.upsert(&broken)
		ghost := *ann
		ghost.ID.Stable, ghost.DN, ghost.Kind = "ghost", "uid=ghost,"+w.server.BaseDN, directory.KindPerson
		w.store.upsert(&ghost)
		w.store.remove(w.storeID("ben"))
		w.store.mu.Unlock()
		w.equal()
		if w.feed.Status().Reconnects != 0 {
			t.Error("the stream was given up for it")
		}
	})
}

// storeID is called with the store's lock held.
func (w *world) storeID(name string) string {
	for id, row := range w.store.rows {
		if row.e.Name == name {
			return id
		}
	}
	return ""
}
