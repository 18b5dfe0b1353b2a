package mirror

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/directory"
)

func people(n int) (all []*directory.Entry) {
	for i := range n {
		all = append(all, person(fmt.Sprintf("p%03d", i)))
	}
	return all
}

func begin(t testing.TB, m *Mirror) *Refresh {
	t.Helper()
	r, err := m.BeginRefresh(bg, "corp")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func count(t testing.TB, m *Mirror) int {
	t.Helper()
	n, err := m.Count(bg, directory.KindPerson, "")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRefresh(t *testing.T) {
	open := func(t *testing.T) *Mirror {
		m := loaded(t, "corp")
		refresh(t, m, "corp", "c1", people(20)...)
		return m
	}
	t.Run("what was neither read nor present goes, with the cookie in one step", func(t *testing.T) {
		m := open(t)
		r := begin(t, m)
		if err := r.Upsert(bg, people(12)); err != nil {
			t.Fatal(err)
		}
		if err := r.Present(bg, []string{"id-p012", "id-p013", "id-p014", "id-p015", "id-p016", "id-p017", "unknown"}); err != nil {
			t.Fatal(err)
		}
		if n := count(t, m); n != 20 {
			t.Error("before Complete:", n)
		}
		deleted, err := r.Complete(bg, "c2")
		if deleted != 2 || err != nil || count(t, m) != 18 {
			t.Error(deleted, err, count(t, m))
		}
		if s, _ := m.FeedState(bg, "corp"); s.Cookie != "c2" || s.CompletedAt.IsZero() {
			t.Error(s)
		}
	})
	t.Run("the same again changes nothing and tells nobody", func(t *testing.T) {
		m := open(t)
		before := m.Revision()
		if n := refresh(t, m, "corp", "c2", people(20)...); n != 0 || m.Revision() != before {
			t.Error(n, m.Revision()-before)
		}
	})
	t.Run("an aborted refresh deletes nothing and keeps the cookie", func(t *testing.T) {
		m := open(t)
		r := begin(t, m)
		if err := r.Upsert(bg, people(1)); err != nil {
			t.Fatal(err)
		}
		r.Abort()
		r.Abort()
		if _, err := r.Complete(bg, "c2"); !errors.Is(err, ErrSuperseded) {
			t.Error(err)
		}
		if err := r.Upsert(bg, people(1)); !errors.Is(err, ErrSuperseded) {
			t.Error(err)
		}
		if s, _ := m.FeedState(bg, "corp"); s.Cookie != "c1" || count(t, m) != 20 {
			t.Error(s)
		}
	})
	t.Run("a new refresh ends the one before", func(t *testing.T) {
		m := open(t)
		old, r := begin(t, m), begin(t, m)
		if err := old.Present(bg, []string{"id-p001"}); !errors.Is(err, ErrSuperseded) {
			t.Error(err)
		}
		old.Abort()
		if err := r.Upsert(bg, people(20)); err != nil {
			t.Error(err)
		}
		if _, err := r.Complete(bg, "c2"); err != nil {
			t.Error(err)
		}
	})
	t.Run("later news of an entry are not undone by an older read", func(t *testing.T) {
		m := open(t)
		at := func(sec int64, name string) func(*directory.Entry) {
			return func(e *directory.Entry) {
				e.Modified, e.Attributes[directory.AttrName] = time.Unix(sec, 0), []string{name}
			}
		}
		r := begin(t, m)
		apply(t, m, "corp", person("p001", at(200, "new")), person("newcomer"), person("p002", at(200, "new")))
		remove(t, m, "corp", "id-p000")
		all := people(20)
		all[1], all[2] = person("p001", at(100, "old")), person("p002", at(300, "newest"))
		if err := r.Upsert(bg, all); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Complete(bg, "c2"); err != nil {
			t.Fatal(err)
		}
		want(t, "deleted", stables(m.ByLogin(bg, "p000")), "")
		want(t, "created", stables(m.ByLogin(bg, "newcomer")), "newcomer")
		want(t, "newer kept", stables(m.SearchPeople(bg, "new", 9)), "p001 p002 newcomer")
		want(t, "newer still taken", stables(m.SearchPeople(bg, "newest", 9)), "p002")
	})
	t.Run("a cookie before the first complete read is refused", func(t *testing.T) {
		m := openFresh(t, "corp")
		cookie := "c"
		if err := m.Apply(bg, "corp", Batch{Upserts: people(1), Cookie: &cookie}); !errors.Is(err, ErrNoRefresh) {
			t.Error(err)
		}
		if s, _ := m.FeedState(bg, "corp"); s.Cookie != "" || count(t, m) != 0 {
			t.Error("half a transaction", s)
		}
		if err := m.SetFeedState(bg, "corp", FeedState{Cookie: "x", Fingerprint: "f", CompletedAt: time.Now()}); err != nil {
			t.Error(err)
		}
		if s, _ := m.FeedState(bg, "corp"); s.Fingerprint != "f" || !s.CompletedAt.IsZero() {
			t.Error(s)
		}
	})
	t.Run("an entry of the wrong directory is refused", func(t *testing.T) {
		m := open(t)
		r := begin(t, m)
		defer r.Abort()
		if err := r.Upsert(bg, []*directory.Entry{person("x", in("other"))}); err == nil {
			t.Error("accepted")
		}
	})
}

func openFresh(t testing.TB, dirs ...string) *Mirror {
	return open(t, filepath.Join(t.TempDir(), "mirror.db"), testOptions(dirs...))
}

// TestSweep: more than 20 % and more than ten entries need a second, equal read.
func TestSweep(t *testing.T) {
	attempt := func(t *testing.T, m *Mirror, n int, allow bool) (int, error) {
		r := begin(t, m)
		if allow {
			r.AllowSweep()
		}
		if err := r.Upsert(bg, people(n)); err != nil {
			t.Fatal(err)
		}
		return r.Complete(bg, "c2")
	}
	at := func(t *testing.T, n int) *Mirror {
		m := loaded(t, "corp")
		refresh(t, m, "corp", "c1", people(n)...)
		return m
	}
	refused := func(t *testing.T, m *Mirror, err error, deletes, of int) {
		t.Helper()
		var s *SweepError
		if !errors.As(err, &s) || s.Deletes != deletes || s.Of != of || !strings.Contains(s.Error(), "corp") {
			t.Fatal(err)
		}
		if n := count(t, m); n != of {
			t.Error("entries left:", n)
		}
		if s, _ := m.FeedState(bg, "corp"); s.Cookie != "c1" {
			t.Error("cookie", s.Cookie)
		}
	}
	t.Run("a fifth may go", func(t *testing.T) {
		if n, err := attempt(t, at(t, 100), 80, false); n != 20 || err != nil {
			t.Error(n, err)
		}
	})
	t.Run("ten may go, also if that is everything", func(t *testing.T) {
		if n, err := attempt(t, at(t, 10), 0, false); n != 10 || err != nil {
			t.Error(n, err)
		}
	})
	t.Run("more is refused until a second read says the same", func(t *testing.T) {
		m := at(t, 100)
		_, err := attempt(t, m, 79, false)
		refused(t, m, err, 21, 100)
		_, err = attempt(t, m, 70, false)
		refused(t, m, err, 30, 100)
		if n, err := attempt(t, m, 70, false); n != 30 || err != nil {
			t.Error(n, err)
		}
	})
	t.Run("an empty answer is refused", func(t *testing.T) {
		m := at(t, 100)
		_, err := attempt(t, m, 0, false)
		refused(t, m, err, 100, 100)
	})
	t.Run("the share is of what was there, not of what came new", func(t *testing.T) {
		m := at(t, 100)
		var renumbered []*directory.Entry
		for _, p := range people(600) {
			p.ID.Stable = "new-" + p.ID.Stable
			renumbered = append(renumbered, p)
		}
		r := begin(t, m)
		if err := r.Upsert(bg, renumbered); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Complete(bg, "c2"); err == nil {
			t.Error("all old entries went")
		}
	})
	t.Run("the caller may allow it", func(t *testing.T) {
		if n, err := attempt(t, at(t, 100), 0, true); n != 100 || err != nil {
			t.Error(n, err)
		}
	})
}

// TestFirstLoad: the first read of an empty mirror goes another way and ends in
// the same state.
func TestFirstLoad(t *testing.T) {
	t.Run("what changes meanwhile, and entries that come twice", func(t *testing.T) {
		m := openFresh(t, "corp", "branch")
		r := begin(t, m)
		put := func(e ...*directory.Entry) {
			t.Helper()
			if err := r.Upsert(bg, e); err != nil {
				t.Fatal(err)
			}
		}
		put(people(50)...)
		put(group("staff", dnOf("p001"), dnOf("p002"), dnOf("twice")), person("twice"), person("boss"), person("ann", managers(dnOf("boss"))))
		put(person("twice", func(e *directory.Entry) { e.Attributes[directory.AttrName] = []string{"Second"} }))
		remove(t, m, "corp", "id-p002")
		apply(t, m, "corp", person("newcomer"))
		apply(t, m, "branch", person("p001", in("branch")), person("only", in("branch")))
		put(person("p002"))
		want(t, "nothing is visible yet", stables(m.ByLogin(bg, "p001"))+stables(m.SearchPeople(bg, "p00", 5)), "")
		if _, err := m.Get(bg, id("p001")); !errors.Is(err, directory.ErrNotFound) {
			t.Error(err)
		}
		if _, err := r.Complete(bg, "c1"); err != nil {
			t.Fatal(err)
		}
		want(t, "members", members(t, m, "staff", false), "p001 twice")
		want(t, "the last word counts", stables(m.SearchPeople(bg, "second", 5))+stables(m.SearchPeople(bg, "of twice", 5)), "twice")
		want(t, "applied meanwhile", stables(m.ByLogin(bg, "newcomer")), "newcomer")
		want(t, "deleted meanwhile", stables(m.ByLogin(bg, "p002")), "")
		want(t, "shadowed", stables(m.ByLogin(bg, "p001"))+" "+stables(m.ByLogin(bg, "only")), "p001 branch/only")
		want(t, "managers", stables(m.ManagersOf(bg, id("ann"))), "boss")
		if err := m.Check(bg); err != nil {
			t.Error(err)
		}
		apply(t, m, "corp", person("p003", func(e *directory.Entry) { e.Name, e.Login = "later", "later" }))
		want(t, "afterwards as ever", stables(m.ByLogin(bg, "later")), "p003")
	})
	t.Run("an aborted one is begun again from nothing", func(t *testing.T) {
		m := openFresh(t, "corp")
		r := begin(t, m)
		if err := r.Upsert(bg, people(60)); err != nil {
			t.Fatal(err)
		}
		r.Abort()
		if n := refresh(t, m, "corp", "c1", people(40)...); n != 0 || count(t, m) != 40 {
			t.Error(n, count(t, m))
		}
	})
	t.Run("two directories at once", func(t *testing.T) {
		m := openFresh(t, "corp", "branch")
		one := begin(t, m)
		two, err := m.BeginRefresh(bg, "branch")
		if err != nil {
			t.Fatal(err)
		}
		var others []*directory.Entry
		for _, p := range people(30) {
			p.ID.Directory = "branch"
			others = append(others, p)
		}
		if err := errors.Join(one.Upsert(bg, people(20)), two.Upsert(bg, others[:15])); err != nil {
			t.Fatal(err)
		}
		if _, err := one.Complete(bg, "c1"); err != nil {
			t.Fatal(err)
		}
		if err := two.Upsert(bg, others[15:]); err != nil {
			t.Fatal(err)
		}
		if n, err := two.Complete(bg, "c1"); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if n := count(t, m); n != 30 {
			t.Error(n)
		}
	})
}

// TestReadersDuringRefresh: whoever reads while a directory is read anew never
// sees it emptied, and sees every answer whole.
func TestReadersDuringRefresh(t *testing.T) {
	m := loaded(t, "corp")
	all := people(300)
	var dns []string
	for _, p := range all {
		dns = append(dns, p.DN)
	}
	all = append(all, group("staff", dns...))
	refresh(t, m, "corp", "c0", all...)
	var done atomic.Bool
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for !done.Load() {
				i := rand.IntN(300)
				uid := fmt.Sprintf("p%03d", i)
				p, _, err := m.MembersOf(bg, id("staff"), true, 0, "")
				n, cerr := m.Count(bg, directory.KindPerson, "corp")
				if len(p) != 300 || n != 300 || err != nil || cerr != nil {
					t.Error("members", len(p), n, err, cerr)
				}
				want(t, "login", stables(m.ByLogin(bg, uid)), uid)
				want(t, "search", stables(m.SearchPeople(bg, "of "+uid, 5)), uid)
				want(t, "groups", stables(m.GroupsOf(bg, id(uid), false)), "staff")
				if t.Failed() {
					return
				}
			}
		})
	}
	for round := range 8 {
		for _, e := range all[:300] {
			c := *e
			c.Version = fmt.Sprint(round)
			all = append(all[1:300:300], &c, all[300])
		}
		r := begin(t, m)
		for i := 0; i < len(all); i += 50 {
			if err := r.Upsert(context.Background(), all[i:min(i+50, len(all))]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Complete(bg, fmt.Sprint(round)); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	wait.Wait()
}
