package adapter

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/adapter/store"
	"portico/directory"
	"portico/testenv"
)

const chosenPassword = "correct horse staple"

// testPasswords changes passwords in a testDirectory; before and after as of
// testWrites.
type testPasswords struct {
	*testDirectory
	before, after func() error
}

func (p *testPasswords) ChangePassword(_ context.Context, person *directory.Entry, from, to string) error {
	if p.before != nil {
		if err := p.before(); err != nil {
			return err
		}
	}
	right := false
	p.set(func() {
		if right = p.passwordOf(person.Login) == from; right {
			p.chosen[person.Login] = to
		}
	})
	if !right {
		return &directory.PasswordError{Fault: directory.PasswordOldWrong}
	}
	if p.after != nil {
		return p.after()
	}
	return nil
}

// testLists finds people by mail address.
type testLists struct {
	Lists
	*testDirectory
}

func (l testLists) PeopleByMail(_ context.Context, address string) ([]*directory.Entry, error) {
	e, err := l.find(func(e *directory.Entry) bool {
		return strings.EqualFold(e.Attributes.First(directory.AttrMail), address)
	})
	if errors.Is(err, directory.ErrNotFound) {
		return nil, nil
	}
	return []*directory.Entry{e}, err
}

// inn is a house where invitations are accepted.
type inn struct {
	*house
	writes    *testWrites
	passwords *testPasswords
	token     string
	id        int64
}

func newInn(t *testing.T, storeURL string) *inn {
	t.Helper()
	h := newHouseOn(t, storeURL)
	n := &inn{house: h, writes: h.writable(), passwords: &testPasswords{testDirectory: h.dir}}
	for _, a := range h.both() {
		a.passwords, a.lists = n.passwords, testLists{testDirectory: h.dir}
	}
	n.invite(t)
	return n
}

// invite puts an invitation of grace into the store, with a token that the test
// knows.
func (n *inn) invite(t *testing.T) {
	t.Helper()
	n.token = "token of grace " + n.clock.Now().String()
	var err error
	n.id, err = n.store.Invite(t.Context(), store.Invitation{
		Mail: "grace@example.org", MailShown: "Grace@example.org", GivenName: "Grace", FamilyName: "Hopper", Role: "Users",
		Expires: n.clock.Now().Add(n.invitationLife()),
	}, n.token, nil, 0)
	must(t, err)
}

func (n *inn) accept(a *Adapter, username string) (*Accepted, error) {
	return a.AcceptInvitation(context.Background(), Acceptance{Token: n.token, Username: username, Password: chosenPassword}, testClient())
}

// dies runs do until its goroutine ends, which is all that is left of a process
// that is killed.
func dies(do func()) {
	var gone sync.WaitGroup
	gone.Go(do)
	gone.Wait()
}

func (n *inn) graces() (count int, unknown bool) {
	n.dir.set(func() {
		for _, e := range n.dir.people {
			if strings.HasPrefix(e.Login, "grace") {
				count++
				unknown = unknown || n.dir.passwordOf(e.Login) != chosenPassword
			}
		}
	})
	return count, unknown
}

func onBothStores(t *testing.T, run func(t *testing.T, storeURL string)) {
	t.Run("SQLite", func(t *testing.T) { run(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { run(t, testenv.PostgreSQL(t)) })
}

// TestInvitationDeath kills the process at each step of an acceptance. What is
// left has the chosen password, or is taken away by another process; and the
// person comes in at last, by the same link.
func TestInvitationDeath(t *testing.T) {
	die := func() error { runtime.Goexit(); return nil }
	steps := map[string]func(n *inn){
		"before the entry is made":   func(n *inn) { n.writes.before = func(string) error { return die() } },
		"after the entry was made":   func(n *inn) { n.writes.after = func(string) error { return die() } },
		"before the password is set": func(n *inn) { n.passwords.before = die },
		"after the password was set": func(n *inn) { n.passwords.after = die },
	}
	for step, break_ := range steps {
		t.Run(step, func(t *testing.T) {
			n := newInn(t, "")
			break_(n)
			dies(func() { _, _ = n.accept(n.Adapter, "grace") })
			n.writes.before, n.writes.after, n.passwords.before, n.passwords.after = nil, nil, nil, nil
			n.mended(t)
			n.comesIn(t, "grace")
		})
		t.Run("sign-up, "+step, func(t *testing.T) {
			n := newInn(t, "")
			signUp := SignUp{Username: "grace", Password: chosenPassword, GivenName: "Grace", FamilyName: "Hopper", Mail: "grace@example.net"}
			break_(n)
			dies(func() { _, _ = n.MakeAccount(context.Background(), signUp, testClient()) })
			n.writes.before, n.writes.after, n.passwords.before, n.passwords.after = nil, nil, nil, nil
			n.mended(t)
			signUp.Resume = true
			if _, err := n.other.MakeAccount(t.Context(), signUp, testClient()); err != nil {
				t.Fatal(err)
			}
			if count, unknown := n.graces(); count != 1 || unknown {
				t.Errorf("%d people, password unknown %v", count, unknown)
			}
		})
	}
	t.Run("before the invitation ends", func(t *testing.T) {
		n := newInn(t, "")
		i, err := n.store.TakeInvitation(t.Context(), n.token, acceptLease)
		must(t, err)
		_, err = n.admit(t.Context(), SignUp{
			Username: "grace", Password: chosenPassword, GivenName: i.GivenName, FamilyName: i.FamilyName, Mail: i.MailShown,
		}, i.ID, admin)
		must(t, err)
		n.mended(t)
		n.comesIn(t, "grace")
	})
}

// mended has the other process find out what came of an acceptance.
func (n *inn) mended(t *testing.T) {
	t.Helper()
	n.clock.add(intentLease + time.Second)
	must(t, n.other.Mend(t.Context()))
	if _, unknown := n.graces(); unknown {
		t.Fatal("an entry is left whose password nobody knows")
	}
	if open, err := n.store.OpenIntents(t.Context()); err != nil || open != 0 {
		t.Errorf("%d changes are open, %v", open, err)
	}
}

// comesIn accepts the invitation again: anew, or as the owner of the entry that
// is there.
func (n *inn) comesIn(t *testing.T, username string) {
	t.Helper()
	n.clock.add(acceptLease)
	open, err := n.other.Invitation(t.Context(), n.token)
	must(t, err)
	in := Acceptance{Token: n.token, Username: username, Password: chosenPassword}
	if open.Link {
		r, err := n.other.CheckPassword(t.Context(), SignIn{Surface: SurfacePortal, Username: username, Password: chosenPassword, Client: testClient()})
		if err != nil || !r.OK {
			t.Fatalf("the owner cannot sign in: %+v %v", r, err)
		}
		in.SignedIn = r.Person
	}
	done, err := n.other.AcceptInvitation(t.Context(), in, testClient())
	if err != nil || done.Username != username || done.Key == "" {
		t.Fatalf("%+v %v", done, err)
	}
	if count, unknown := n.graces(); count != 1 || unknown {
		t.Errorf("%d people, password unknown %v", count, unknown)
	}
	if _, err := n.UserCaller(t.Context(), n.cfg.Users.Account+"/"+username, done.Key, testClient()); err != nil {
		t.Errorf("the personal key: %v", err)
	}
}

// The directory refuses, at each step: nothing is left, and the next attempt goes
// through at once.
func TestInvitationRefused(t *testing.T) {
	unavailable := &directory.WriteError{Fault: directory.WriteUnavailable}
	for step, c := range map[string]struct {
		break_ func(n *inn)
		kind   ErrorKind
	}{
		"no entry":         {func(n *inn) { n.writes.before = func(string) error { return unavailable } }, Unavailable},
		"refused password": {func(n *inn) { n.passwords.before = func() error { return &directory.PasswordError{} } }, Invalid},
		"no password":      {func(n *inn) { n.passwords.before = func() error { return directory.ErrUnavailable } }, Unavailable},
	} {
		n := newInn(t, "")
		c.break_(n)
		_, err := n.accept(n.Adapter, "grace")
		if err == nil || KindOf(err) != c.kind {
			t.Errorf("%s: %v", step, err)
		}
		if count, _ := n.graces(); count != 0 {
			t.Errorf("%s: an entry is left", step)
		}
		n.writes.before, n.passwords.before = nil, nil
		if _, err := n.accept(n.other, "grace"); err != nil {
			t.Errorf("%s: the next attempt: %v", step, err)
		}
	}
	n := newInn(t, "") // nor can the entry be taken away
	n.passwords.before = func() error { return &directory.PasswordError{} }
	n.writes.before = func(what string) error {
		if what == "delete" {
			return unavailable
		}
		return nil
	}
	_, err := n.accept(n.Adapter, "grace")
	if err == nil || KindOf(err) != Invalid || FieldOf(err) != FieldNewPassword {
		t.Errorf("%v", err)
	}
	if _, unknown := n.graces(); !unknown {
		t.Error("this test does not test anything")
	}
	n.passwords.before, n.writes.before = nil, nil
	n.mended(t)
	n.comesIn(t, "grace")
}

// D12: two processes on one database, each with several who accept: one is let
// through.
func TestAbuse_D12_TwoProcessesAccept(t *testing.T) {
	onBothStores(t, func(t *testing.T, storeURL string) {
		n := newInn(t, storeURL)
		for range 5 {
			var won atomic.Int64
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					_, err := n.accept(n.both()[i%2], "grace"+string(rune('a'+i)))
					if err == nil {
						won.Add(1)
					} else if k := KindOf(err); k != Conflict && k != NotFound {
						t.Errorf("%v", err)
					}
				})
			}
			all.Wait()
			if count, _ := n.graces(); won.Load() != 1 || count != 1 {
				t.Fatalf("%d were let through, %d were made", won.Load(), count)
			}
			n.dir.set(func() {
				n.dir.people = slices.DeleteFunc(n.dir.people, func(e *directory.Entry) bool { return strings.HasPrefix(e.Login, "grace") })
			})
			n.clock.add(time.Second)
			n.invite(t)
		}
	})
}

// D12: an invitation runs out to the moment, can be sent again, and its address
// is free again for another.
func TestAbuse_D12_Expiry(t *testing.T) {
	onBothStores(t, func(t *testing.T, storeURL string) {
		n := newInn(t, storeURL)
		n.clock.add(n.invitationLife() - time.Microsecond)
		_, err := n.Invitation(t.Context(), n.token)
		must(t, err)
		n.clock.add(time.Microsecond)
		_, err = n.other.Invitation(t.Context(), n.token)
		wantKind(t, err, NotFound, "invitation")
		_, err = n.accept(n.other, "grace")
		wantKind(t, err, NotFound, "invitation")
		list, err := n.Invitations(t.Context(), true)
		if err != nil || len(list) != 1 || list[0].State != "expired" {
			t.Errorf("%+v %v", list, err)
		}
		must(t, n.store.RenewInvitation(t.Context(), n.id, "another", n.clock.Now().Add(time.Hour), nil))
		_, err = n.Invitation(t.Context(), n.token)
		wantKind(t, err, NotFound, "invitation")
		n.token = "another"
		_, err = n.Invitation(t.Context(), n.token)
		must(t, err)
		n.clock.add(time.Hour)
		n.invite(t)
		if _, err := n.accept(n.Adapter, "grace"); err != nil {
			t.Error(err)
		}
	})
}

// Where nobody can be made in the directory, an accepted invitation waits for an
// administrator, who makes the entry and approves.
func TestInvitationWaits(t *testing.T) {
	n := newInn(t, "")
	for _, a := range n.both() {
		a.writes = nil
	}
	open, err := n.Invitation(t.Context(), n.token)
	if err != nil || !open.Waits {
		t.Fatalf("%+v %v", open, err)
	}
	done, err := n.accept(n.Adapter, "Grace")
	if err != nil || !done.Waits || done.Username != "grace" || done.Key != "" {
		t.Fatalf("%+v %v", done, err)
	}
	_, err = n.accept(n.other, "grace")
	wantKind(t, err, NotFound, "invitation")
	_, err = n.ApproveInvitation(t.Context(), n.id, "test")
	wantKind(t, err, NotFound, "user")
	n.dir.set(func() {
		e := newTestDirectory("grace").people[0]
		n.dir.people = append(n.dir.people, e)
	})
	name, err := n.other.ApproveInvitation(t.Context(), n.id, "test")
	if err != nil || name != "grace" {
		t.Fatalf("%q %v", name, err)
	}
	if p, err := n.Person(t.Context(), ByUID(n.id)); err != nil || p.Username != "grace" {
		t.Errorf("the number of the invitation is not the person's: %+v %v", p, err)
	}
	_, err = n.ApproveInvitation(t.Context(), n.id, "test")
	if err == nil || KindOf(err) != NotFound {
		t.Errorf("approved twice: %v", err)
	}
}
