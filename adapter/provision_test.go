package adapter

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// testWrites is the writing side of a testDirectory. before is called ahead of
// each change, after behind it; an error of either is the answer.
type testWrites struct {
	*testDirectory
	before, after func(what string) error
	changes       []directory.Change
}

func (w *testWrites) step(f func(string) error, what string) error {
	if f == nil {
		return nil
	}
	return f(what)
}

func (w *testWrites) Room(string, directory.Kind, string) int { return 2 }

func (w *testWrites) Create(_ context.Context, dir string, n directory.NewEntry) (*directory.Entry, error) {
	if err := w.step(w.before, "create"); err != nil {
		return nil, err
	}
	e := &directory.Entry{ID: directory.ID{Directory: dir, Stable: "id-" + n.Name}, Kind: n.Kind, Name: n.Name, Login: n.Name, Attributes: n.Attributes}
	w.set(func() {
		w.people = append(w.people, e)
		if n.Password != "" {
			w.chosen[n.Name] = n.Password
		}
	})
	return e, w.step(w.after, "create")
}

func (w *testWrites) Modify(_ context.Context, id directory.ID, c directory.Change) (*directory.Entry, error) {
	if err := w.step(w.before, "modify"); err != nil {
		return nil, err
	}
	e, err := w.find(func(e *directory.Entry) bool { return e.ID == id })
	if err != nil {
		return nil, &directory.WriteError{Fault: directory.WriteNotFound}
	}
	w.set(func() {
		w.changes = append(w.changes, c)
		if c.Disabled != nil {
			w.states[e.Login] = directory.AccountState{Disabled: *c.Disabled}
		}
		if c.Password != nil {
			w.chosen[e.Login] = *c.Password
		}
	})
	return e, w.step(w.after, "modify")
}

func (w *testWrites) Delete(_ context.Context, id directory.ID, _ string) error {
	if err := w.step(w.before, "delete"); err != nil {
		return err
	}
	w.set(func() {
		w.people = slices.DeleteFunc(w.people, func(e *directory.Entry) bool { return e.ID == id })
	})
	return w.step(w.after, "delete")
}

func (w *testWrites) Writable(dir string) (string, error) { return "corp", nil }

func (w *testWrites) LoginIn(_, name string) string { return name }

func (w *testWrites) Reread(ctx context.Context, id directory.ID, _, _ string) (*directory.Entry, error) {
	return w.PersonByID(ctx, id)
}

// writable gives both processes of a house a writing side.
func (h *house) writable() *testWrites {
	w := &testWrites{testDirectory: h.dir}
	for _, a := range h.both() {
		a.writes = w
	}
	return w
}

// ways counts the ways in that ann has.
func (h *house) ways(t *testing.T) (n int) {
	t.Helper()
	uid := h.uid(t, "ann")
	passwords, err := h.store.AppPasswords(t.Context(), uid)
	must(t, err)
	codes, err := h.store.MobileCodes(t.Context(), uid)
	must(t, err)
	if _, open, err := h.Session(t.Context(), "session-of-ann"); err != nil || open {
		n++
	}
	keys, err := h.store.ListKeys(t.Context(), "")
	must(t, err)
	for _, k := range keys {
		if k.User == uid && k.Revoked.IsZero() {
			n++
		}
	}
	return n + len(passwords) + len(codes)
}

func (h *house) giveWays(t *testing.T) {
	t.Helper()
	uid := h.uid(t, "ann")
	must(t, h.PutSession(t.Context(), "session-of-ann", uid, store.AnyEpoch, []byte("x"), h.clock.Now().Add(time.Hour)))
	_, err := h.store.AddMobileCode(t.Context(), uid, "code", "phone")
	must(t, err)
	_, _, err = h.store.CreateKey(t.Context(), store.NewKey{API: "action", User: uid})
	must(t, err)
	if h.ways(t) != 3 {
		t.Fatalf("%d ways in", h.ways(t))
	}
}

func (h *house) annComesIn(t *testing.T) bool {
	t.Helper()
	r, err := h.CheckPassword(t.Context(), SignIn{Surface: SurfaceAPI, Username: "ann", Password: "ann-pw", Client: testClient()})
	must(t, err)
	return r.OK
}

var admin = By{Actor: "provisioning"}

func TestE09_DisablingEndsEveryWayInAtOnce(t *testing.T) {
	h := newHouse(t)
	w := h.writable()
	h.giveWays(t)
	yes := true
	w.before = func(string) error {
		h.settled(t)
		for _, a := range h.both() {
			r, err := a.CheckPassword(context.Background(), SignIn{Surface: SurfaceAPI, Username: "ann", Password: "ann-pw"})
			if err != nil || r.OK {
				t.Errorf("signed in while the directory was being asked: %+v %v", r, err)
			}
		}
		return nil
	}
	_, err := h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Disabled: &yes}, admin)
	must(t, err)
	if n := h.ways(t); n != 0 || h.annComesIn(t) {
		t.Errorf("%d ways in are left", n)
	}
	found := false
	for _, r := range h.events(t) {
		found = found || r.Type == int(EventUserEdited) && r.Actor == "provisioning" && strings.Contains(r.Text, "disabled")
	}
	if !found {
		t.Error("no record in the security log")
	}
	no := false
	w.before = nil
	_, err = h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Disabled: &no}, admin)
	must(t, err)
	if !h.annComesIn(t) {
		t.Error("enabled again, and kept out")
	}
}

// The process dies after the directory was changed and before the database was.
func TestE09_ADeathInBetweenIsMended(t *testing.T) {
	yes := true
	for name, c := range map[string]struct {
		change func(h *house) error
		closed bool
		before bool // it dies before the directory is changed
	}{
		"disable": {closed: true, change: func(h *house) error {
			_, err := h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Disabled: &yes}, admin)
			return err
		}},
		"disable, not done": {before: true, change: func(h *house) error {
			_, err := h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Disabled: &yes}, admin)
			return err
		}},
		"delete": {closed: true, change: func(h *house) error { return h.DeletePerson(t.Context(), ByUsername("ann"), "", admin) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			w := h.writable()
			h.giveWays(t)
			uid := h.uid(t, "ann")
			die := func(string) error { panic("the process dies") }
			if c.before {
				w.before = die
			} else {
				w.after = die
			}
			func() {
				defer func() { _ = recover() }()
				_ = c.change(h)
			}()
			w.before, w.after = nil, nil
			h.settled(t)
			must(t, h.other.Mend(t.Context())) // its lease runs
			if n, err := h.store.OpenIntents(t.Context()); err != nil || n != 1 {
				t.Fatalf("%d changes under way, %v", n, err)
			}
			if local, err := h.local(t.Context(), uid); err != nil || !local.Closing {
				t.Errorf("sign-in is open meanwhile: %+v %v", local, err)
			}
			h.clock.add(intentLease + time.Second)
			must(t, h.other.Mend(t.Context()))
			h.settled(t)
			if n, err := h.store.OpenIntents(t.Context()); err != nil || n != 0 {
				t.Errorf("%d changes under way, %v", n, err)
			}
			if local, err := h.local(t.Context(), uid); err != nil || local.Closing {
				t.Errorf("%+v %v", local, err)
			}
			if _, open, err := h.Session(t.Context(), "session-of-ann"); err != nil || open == c.closed {
				t.Errorf("session open: %v %v", open, err)
			}
			codes, err := h.store.MobileCodes(t.Context(), uid)
			if err != nil || (len(codes) == 0) != c.closed {
				t.Errorf("codes %v %v", codes, err)
			}
		})
	}
}

func TestWriteOutcomes(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.ClosingLimit = 3 })
	w := h.writable()
	yes := true
	for fault, want := range map[directory.WriteFault]ErrorKind{
		directory.WriteExists: Conflict, directory.WriteStale: Conflict, directory.WriteDenied: Denied, directory.WriteReadOnly: Denied,
		directory.WriteInvalid: Invalid, directory.WriteUnavailable: Unavailable, directory.WriteUnknown: Unavailable,
		directory.WriteMisconfigured: Denied, directory.WriteFailed: Internal, directory.WriteNotFound: NotFound, directory.WritePassword: Invalid,
	} {
		w.before = func(string) error { return &directory.WriteError{Fault: fault} }
		_, err := h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Attributes: map[string][]string{"mail": {"x"}}}, admin)
		if KindOf(err) != want {
			t.Errorf("%s: %v", fault, err)
		}
	}
	w.before = nil
	for i := range 4 {
		_, err := h.both()[i%2].ChangePerson(t.Context(), ByUsername("bob"), PersonChange{Disabled: &yes}, admin)
		if i < 3 && err != nil || i == 3 && KindOf(err) != Throttled {
			t.Errorf("S-07, number %d: %v", i+1, err)
		}
	}
	if _, err := h.ChangePerson(t.Context(), ByUsername("bob"), PersonChange{Disabled: &yes}, By{Actor: "another"}); err != nil {
		t.Errorf("another caller is slowed down too: %v", err)
	}
	must(t, errors.Join(h.DeletePerson(t.Context(), ByUsername("cid"), "", By{Actor: "another"})))
	_, err := h.Person(t.Context(), ByUsername("cid"))
	wantKind(t, err, NotFound, "user")
	p, err := h.CreatePerson(t.Context(), NewPerson{Username: "eve", Managers: []PersonKey{ByUsername("ann")}}, admin)
	if err != nil || p.Username != "eve" {
		t.Errorf("%+v %v", p, err)
	}
	_, err = h.CreatePerson(t.Context(), NewPerson{Username: "fay", Managers: []PersonKey{ByUsername("nobody")}}, admin)
	wantKind(t, err, Invalid, "manager")
	h.writes = nil
	_, err = h.CreatePerson(t.Context(), NewPerson{Username: "gus"}, admin)
	wantKind(t, err, Denied, "read-only")
}

// A sign-in that was let in before the account was closed leaves no session, and
// no key, however late it stores them.
func TestE09_SignInJustBeforeTheEnd(t *testing.T) {
	yes, no := true, false
	h := newHouse(t)
	w := h.writable()
	uid := h.uid(t, "ann")
	letIn := func() *Person {
		t.Helper()
		r, err := h.CheckPassword(t.Context(), SignIn{Surface: SurfacePortal, Username: "ann", Password: "ann-pw", Client: testClient()})
		must(t, err)
		if !r.OK {
			t.Fatalf("ann is kept out: %+v", r)
		}
		return r.Person
	}
	stays := func(token string, p *Person) bool {
		t.Helper()
		must(t, h.other.PutSession(t.Context(), token, uid, p.Epoch, []byte("x"), h.clock.Now().Add(time.Hour)))
		_, open, err := h.Session(t.Context(), token)
		must(t, err)
		return open
	}
	early := letIn()
	w.before = func(string) error {
		if stays("while it is closed", early) {
			t.Error("a session is begun while the account is being closed")
		}
		if _, err := h.store.AddMobileCode(t.Context(), uid, "late", "phone"); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a code is given while the account is being closed: %v", err)
		}
		if _, _, err := h.store.CreateKey(t.Context(), store.NewKey{API: "action", User: uid}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a key is given while the account is being closed: %v", err)
		}
		return nil
	}
	_, err := h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Disabled: &yes}, admin)
	must(t, err)
	w.before = nil
	h.settled(t)
	_, err = h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Disabled: &no}, admin)
	must(t, err)
	if stays("after it was closed", early) {
		t.Error("a session is begun by a sign-in from before the account was closed")
	}
	h.settled(t)
	if p := letIn(); !stays("afterwards", p) {
		t.Error("a session after the account was opened again is not kept")
	}
	late, secret := letIn(), "another"
	_, err = h.ChangePerson(t.Context(), ByUsername("ann"), PersonChange{Password: &secret}, admin)
	must(t, err)
	if stays("old password", late) {
		t.Error("a session is begun with a password that was replaced meanwhile")
	}
}
