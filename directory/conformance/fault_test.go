package conformance

import (
	"encoding/json"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/configs"
	"portico/directory"
	"portico/directory/feed"
	"portico/directory/mirror"
	"portico/testenv"
)

// setCookie changes the server's cookie in the position that the mirror keeps.
func (w *world) setCookie(cookie string) {
	w.t.Helper()
	state, err := w.mirror.FeedState(w.t.Context(), w.cfg.Name)
	w.must(err)
	position := map[string]any{}
	w.must(json.Unmarshal([]byte(state.Cookie), &position))
	position["cookie"] = cookie
	text, err := json.Marshal(position)
	w.must(err)
	state.Cookie = string(text)
	w.must(w.mirror.SetFeedState(w.t.Context(), w.cfg.Name, mirror.FeedState{Cookie: state.Cookie, CompletedAt: state.CompletedAt}))
}

// watch gives the smallest number of people that the mirror had until it is called.
func (w *world) watch() (least func() int) {
	done, low := make(chan struct{}), 1<<30
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
			if n, err := w.mirror.Count(w.t.Context(), directory.KindPerson, w.cfg.Name); err == nil {
				low = min(low, n)
			}
		}
	})
	return func() int {
		close(done)
		watcher.Wait()
		return low
	}
}

// testCookies is DR11: a position that the server cannot go on from costs a full
// read beside what is there, and nothing else.
func testCookies(t *testing.T, f *fixture) {
	if !f.traits.syncrepl {
		return
	}
	w := newWorld(t, f)
	for i := range 40 {
		w.addPerson(numbered("p", i))
	}
	w.following()
	for i, cookie := range append([]string{"", "no cookie at all", "a#b#c", "rid=000"}, f.traits.foreign...) {
		w.stop()
		w.setCookie(cookie)
		w.remove(w.person(numbered("p", i)))
		w.addPerson(numbered("new", i))
		least := w.watch()
		w.following()
		if n := least(); n < 39 {
			t.Errorf("cookie %q: the mirror was down to %d people", cookie, n)
		}
		if i < 4 && w.feed.Status().Refreshes != 1 {
			t.Errorf("cookie %q: %d full reads", cookie, w.feed.Status().Refreshes)
		}
	}
}

// testCuts is DR15: connections that break in a first read, in a later one and
// while changes come, and one that is silently dead.
func testCuts(t *testing.T, f *fixture) {
	if f.addr == "" {
		return
	}
	proxy := testenv.OpenProxy(t, f.addr)
	w := newWorld(t, f, func(d *configs.Directory) {
		_, port, err := net.SplitHostPort(proxy.Address())
		if err != nil {
			t.Fatal(err)
		}
		scheme, _, _ := strings.Cut(d.URLs[0], "://")
		d.URLs = []string{scheme + "://localhost:" + port}
	})
	for i := range 400 {
		w.addPerson(numbered("p", i), "description", strings.Repeat("d", 200))
	}
	proxy.CutAfter(60_000)
	w.following()
	if w.feed.Status().Reconnects == 0 {
		t.Error("nothing was cut in the first read")
	}
	proxy.Cut()
	w.remove(w.person(numbered("p", 7)))
	w.modify(w.person(numbered("p", 8)), "description", "cut")
	w.equal()
	if !f.traits.syncrepl {
		return
	}
	w.eventually("it follows again", func() bool { return w.feed.Status().Phase == feed.PhaseFollowing })
	w.stop()
	w.setCookie("") // everything again, and cut in the middle
	least := w.watch()
	proxy.CutAfter(60_000)
	w.following()
	if n := least(); n < 399 {
		t.Errorf("a broken read deleted %d people", 399-n)
	}
	proxy.Pause()
	w.remove(w.person(numbered("p", 9)))
	w.eventually("the silence is noticed", func() bool { return w.feed.Status().Phase != feed.PhaseFollowing })
	proxy.Cut()
	proxy.Resume()
	w.equal()
}

// testSizeLimit is DR14: an answer that the server cuts short deletes nobody, and
// the error says what to do.
func testSizeLimit(t *testing.T, f *fixture) {
	if f.traits.sizeLimit == nil {
		return
	}
	w := newWorld(t, f)
	for i := range 40 {
		w.addPerson(numbered("p", i))
	}
	w.following()
	w.stop()
	f.traits.sizeLimit(t, 20)
	w.setCookie("")
	least := w.watch()
	w.start()
	w.eventually("the limit is explained", func() bool {
		s := w.feed.Status()
		return s.Phase == feed.PhaseWaiting && strings.Contains(s.Err, "nsSizeLimit") && s.Reconnects > 1
	})
	if n := least(); n < 40 {
		t.Errorf("%d people were deleted", 40-n)
	}
	f.traits.sizeLimit(t, 0)
	w.equal()
}

// testTrimmed is DR12: the server's log of changes does not reach back to where we
// stopped.
func testTrimmed(t *testing.T, f *fixture) {
	if f.traits.trim == nil {
		return
	}
	w := newWorld(t, f)
	for i := range 20 {
		w.addPerson(numbered("p", i))
	}
	w.following()
	w.stop()
	for i := range 3 {
		w.remove(w.person(numbered("p", i)))
	}
	f.traits.trim(t)
	w.reconnect()
	w.addPerson("new")
	w.following()
	if w.feed.Status().Refreshes == 0 {
		t.Error("the loss was not noticed")
	}
}

// testServerRestart is DR10: the server ends, decently and by a crash, while we are
// away and while we follow.
func testServerRestart(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	for i := range 30 {
		w.addPerson(numbered("p", i))
	}
	w.addGroup("staff", w.person(numbered("p", 20)), w.person(numbered("p", 21)))
	w.following()
	w.stop()
	for i := range 3 {
		w.remove(w.person(numbered("p", i)))
	}
	w.modify(w.person(numbered("p", 20)), "description", "before")
	f.life.Stop()
	w.must(f.life.Start(t.Context()))
	w.reconnect()
	w.addPerson("after")
	least := w.watch()
	w.following()
	if n := least(); n < 27 { // three were deleted
		t.Errorf("the mirror was down to %d people", n)
	}
	for round := range 2 {
		f.life.Kill()
		if e, err := w.pop.PersonByLogin(t.Context(), numbered("p", 10)); err != nil || e.Name != numbered("p", 10) {
			t.Errorf("while the server is down: %v, %v", e, err)
		}
		if r, _ := w.pop.Authenticate(t.Context(), w.somebody("after"), password("after")); r.Verdict != directory.VerdictUnavailable {
			t.Errorf("a sign-in while the server is down: %+v", r)
		}
		w.must(f.life.Start(t.Context()))
		w.reconnect()
		w.remove(w.person(numbered("p", 3+round)))
		w.modify(w.person(numbered("p", 10)), "description", numbered("round ", round))
		w.equal()
	}
}
