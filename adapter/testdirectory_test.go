package adapter

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// testDirectory is a population in memory. Passwords are "<login>-pw".
type testDirectory struct {
	mu       sync.Mutex
	people   []*directory.Entry
	states   map[string]directory.AccountState // by login
	managers map[string][]string               // employee to managers, by login
	down     bool
	binds    int
	misses   []string // names for which a miss was spent
}

func newTestDirectory(logins ...string) *testDirectory {
	d := &testDirectory{states: map[string]directory.AccountState{}, managers: map[string][]string{}}
	for _, login := range logins {
		d.people = append(d.people, &directory.Entry{
			ID: directory.ID{Directory: "corp", Stable: "id-" + login}, Kind: directory.KindPerson,
			Name: login, Login: login,
			Attributes: directory.Attributes{
				directory.AttrName: {strings.ToUpper(login[:1]) + login[1:] + " Doe"},
				directory.AttrMail: {login + "@example.org"},
			},
		})
	}
	return d
}

// set changes the directory under its lock.
func (d *testDirectory) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func (d *testDirectory) find(match func(*directory.Entry) bool) (*directory.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, directory.ErrUnavailable
	}
	for _, e := range d.people {
		if match(e) {
			return e, nil
		}
	}
	return nil, directory.ErrNotFound
}

func (d *testDirectory) PersonByLogin(_ context.Context, login string) (*directory.Entry, error) {
	e, err := d.find(func(e *directory.Entry) bool { return e.Login == directory.FoldName(login) })
	if errors.Is(err, directory.ErrNotFound) {
		d.SpendMiss(context.Background(), login)
	}
	return e, err
}

func (d *testDirectory) PersonByID(_ context.Context, id directory.ID) (*directory.Entry, error) {
	return d.find(func(e *directory.Entry) bool { return e.ID == id })
}

func (d *testDirectory) SearchPeople(context.Context, string, int) ([]*directory.Entry, error) {
	return nil, nil
}

func (d *testDirectory) Authenticate(_ context.Context, person *directory.Entry, password string) (directory.BindResult, *directory.Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.binds++
	switch {
	case d.down:
		return directory.BindResult{Verdict: directory.VerdictUnavailable}, person
	case person == nil || password != person.Login+"-pw":
		return directory.BindResult{Verdict: directory.VerdictWrong}, person
	}
	return directory.BindResult{Verdict: directory.VerdictSignedIn, PasswordRight: true}, person
}

// searches is how often LDAP would have been asked for a login name: misses, and
// what is spent like them.
func (d *testDirectory) searches() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.misses)
}

func (d *testDirectory) SpendMiss(_ context.Context, login string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.misses = append(d.misses, login)
}

func (d *testDirectory) State(_ context.Context, person *directory.Entry, _ time.Time) directory.AccountState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.states[person.Login]
}

func (d *testDirectory) GroupByID(context.Context, directory.ID) (*directory.Entry, error) {
	return nil, directory.ErrNotFound
}

func (d *testDirectory) SearchGroups(context.Context, string, int) ([]*directory.Entry, error) {
	return nil, nil
}
func (d *testDirectory) AllGroups(context.Context) ([]*directory.Entry, error) { return nil, nil }

func (d *testDirectory) GroupsOf(context.Context, directory.ID) ([]*directory.Entry, error) {
	return nil, nil
}

func (d *testDirectory) MembersOf(context.Context, directory.ID) ([]*directory.Entry, error) {
	return nil, nil
}

func (d *testDirectory) ManagedBy(_ context.Context, manager directory.ID) ([]*directory.Entry, error) {
	return d.related(func(employee, m string) (string, bool) { return employee, "id-"+m == manager.Stable })
}

func (d *testDirectory) ManagersOf(_ context.Context, person directory.ID) ([]*directory.Entry, error) {
	return d.related(func(employee, m string) (string, bool) { return m, "id-"+employee == person.Stable })
}

func (d *testDirectory) related(pick func(employee, manager string) (string, bool)) ([]*directory.Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []*directory.Entry
	for employee, managers := range d.managers {
		for _, m := range managers {
			login, ok := pick(employee, m)
			if !ok {
				continue
			}
			for _, e := range d.people {
				if e.Login == login {
					out = append(out, e)
				}
			}
		}
	}
	return out, nil
}

// testClock is a clock that tests set.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// house is a directory, a database and adapters that share them as processes do.
type house struct {
	dir   *testDirectory
	clock *testClock
	log   *logBuffer
	data  string
	*Adapter
	other *Adapter // another process
}

func newHouse(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	h := &house{
		dir:   newTestDirectory("ann", "bob", "cid"),
		clock: &testClock{now: time.Date(2026, 5, 1, 12, 0, 10, 0, time.UTC)},
		log:   &logBuffer{},
		data:  t.TempDir(),
	}
	cfg := Config{LoginInterval: -1}
	for _, c := range change {
		c(&cfg)
	}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	for _, to := range []**Adapter{&h.Adapter, &h.other} {
		s, err := store.Open(t.Context(), "", store.Options{
			DataDir: h.data, Key: bytes.Repeat([]byte{7}, store.KeySize), Log: log, Clock: h.clock.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if *to, err = New(cfg, Deps{Directory: h.dir, Store: s, Log: log, Now: h.clock.Now}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// logBuffer keeps what was logged, for any number of writers and readers.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// both gives the two processes.
func (h *house) both() []*Adapter { return []*Adapter{h.Adapter, h.other} }

// settled waits until each process has heard of what the other changed.
func (h *house) settled(t testing.TB) {
	t.Helper()
	for _, pair := range [][2]*Adapter{{h.Adapter, h.other}, {h.other, h.Adapter}} {
		heard := make(chan store.Change, 1000)
		stop := pair[1].store.Watch(func(c store.Change) { heard <- c })
		mark, _, err := pair[0].store.CreateKey(t.Context(), store.NewKey{API: "action"})
		must(t, err)
		for limit, done := time.After(30*time.Second), false; !done; {
			select {
			case c := <-heard:
				done = c == store.Change{Table: store.TableKeys, ID: mark.ID}
			case <-limit:
				t.Fatal("one process does not hear of the other")
			}
		}
		stop()
	}
}

// uid gives the numeric id of a login.
func (h *house) uid(t testing.TB, login string) int64 {
	t.Helper()
	p, err := h.Person(t.Context(), ByUsername(login))
	if err != nil {
		t.Fatal(err)
	}
	return p.UID
}

// events gives the security log as "type text" of what came after the first n.
func (h *house) events(t testing.TB) []store.Record {
	t.Helper()
	list, err := h.store.ListRecords(t.Context(), store.RecordFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// count tells how many records of a type there are.
func (h *house) count(t testing.TB, event EventType) int {
	t.Helper()
	n := 0
	for _, r := range h.events(t) {
		if r.Type == int(event) {
			n++
		}
	}
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind reports an error of another kind or field.
func wantKind(t testing.TB, err error, kind ErrorKind, field string) {
	t.Helper()
	e, ok := err.(*Error) //nolint:errorlint // verbs return it unwrapped
	if !ok || e.Kind != kind || e.Field != field {
		t.Errorf("error %v, want %v %s", err, kind, field)
	}
}

func testClient() Client { return Client{Address: "192.0.2.7", RequestID: "r1"} }
