package population

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
	"portico/directory/mirror"
)

// fakeLDAP is a server that knows entries by login and permanent id. Passwords
// are "<stable>-pw"; the DN is the permanent id.
type fakeLDAP struct {
	dir      string
	mu       sync.Mutex
	down     bool
	wantsTLS bool
	entries  map[string]string // stable to login
	bases    []string          // of the searches with one
	searches int
	binds    int
}

func (f *fakeLDAP) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeLDAP) Search(_ context.Context, req *ldap.SearchRequest) (*ldap.SearchResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, directory.ErrUnavailable
	}
	f.searches++
	result := &ldap.SearchResult{}
	if req.BaseDN != "" {
		f.bases = append(f.bases, req.BaseDN)
	}
	for stable, login := range f.entries {
		if req.Filter == "id="+stable || req.Filter == "login="+login {
			result.Entries = append(result.Entries, ldap.NewEntry(stable, map[string][]string{"login": {login}}))
		}
	}
	return result, nil
}

func (f *fakeLDAP) Bind(_ context.Context, dn, password string) directory.BindResult {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.binds++
	switch {
	case f.down:
		return directory.BindResult{}
	case f.wantsTLS:
		return directory.BindResult{Verdict: directory.VerdictMisconfigured}
	case password == strings.TrimPrefix(dn, "cn=")+"-pw":
		return directory.BindResult{Verdict: directory.VerdictSignedIn, PasswordRight: true}
	}
	return directory.BindResult{Verdict: directory.VerdictWrong}
}

func (f *fakeLDAP) Entry(e *ldap.Entry) (*directory.Entry, error) {
	return f.entry(e.DN, e.GetAttributeValue("login")), nil
}

func (f *fakeLDAP) entry(stable, login string) *directory.Entry {
	return &directory.Entry{
		ID: directory.ID{Directory: f.dir, Stable: stable}, Kind: directory.KindPerson,
		DN: "cn=" + stable, Name: login, Login: login,
	}
}

func (f *fakeLDAP) PersonByUsername(name string) (*ldap.SearchRequest, error) {
	return &ldap.SearchRequest{Filter: "login=" + name}, nil
}

func (f *fakeLDAP) GroupByName(name string) (*ldap.SearchRequest, error) {
	return &ldap.SearchRequest{Filter: "group=" + name}, nil
}

func (f *fakeLDAP) PersonByMail(mail string) (*ldap.SearchRequest, error) {
	return &ldap.SearchRequest{Filter: "mail=" + mail}, nil
}

func (f *fakeLDAP) ByStableID(stable string) (*ldap.SearchRequest, error) {
	return &ldap.SearchRequest{Filter: "id=" + stable}, nil
}

func (f *fakeLDAP) ByDN(dn string) (*ldap.SearchRequest, error) {
	return &ldap.SearchRequest{BaseDN: dn}, nil
}

type following bool

func (f following) Live() bool { return bool(f) }

// world is two directories, "one" before "two", over one mirror.
type world struct {
	*Population
	mirror   *mirror.Mirror
	one, two *fakeLDAP
}

func newWorld(t *testing.T, live bool) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	m, err := mirror.Open(t.Context(), filepath.Join(t.TempDir(), "mirror.db"), log, mirror.Options{
		Directories: []mirror.Directory{{Name: "one"}, {Name: "two"}}, DNKey: mapping.DNKey, ParentKey: mapping.ParentKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	w := &world{mirror: m}
	var members []Member
	for _, d := range []struct {
		name string
		to   **fakeLDAP
	}{{"one", &w.one}, {"two", &w.two}} {
		*d.to = &fakeLDAP{dir: d.name, entries: map[string]string{}}
		members = append(members, Member{Name: d.name, NobodyDN: "cn=nobody", LDAP: *d.to, Mapper: *d.to, Feed: following(live)})
	}
	w.Population, err = New(Config{}, members, m, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// read makes the mirror hold everything of a directory.
func (w *world) read(t *testing.T, f *fakeLDAP) {
	t.Helper()
	r, err := w.mirror.BeginRefresh(t.Context(), f.dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []*directory.Entry
	for stable, login := range f.entries {
		all = append(all, f.entry(stable, login))
	}
	if err := r.Upsert(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Complete(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
}

// learn brings one change of a directory into the mirror.
func (w *world) learn(t *testing.T, f *fakeLDAP, stable, login string) {
	t.Helper()
	f.set(func() { f.entries[stable] = login })
	if err := w.mirror.Apply(t.Context(), f.dir, mirror.Batch{Upserts: []*directory.Entry{f.entry(stable, login)}}); err != nil {
		t.Fatal(err)
	}
}

// want looks a login name up; stable "" stands for the error.
func (w *world) want(t *testing.T, login, stable string, wantErr error) *directory.Entry {
	t.Helper()
	e, err := w.PersonByLogin(t.Context(), login)
	if !errors.Is(err, wantErr) || (err == nil && e.ID.Stable != stable) {
		t.Errorf("%s: %v, %v; want %s, %v", login, e, err, stable, wantErr)
	}
	return e
}

func TestAbuse_A09_RenamedOntoACachedName(t *testing.T) {
	w := newWorld(t, true)
	w.one.entries = map[string]string{"x": "ann", "y": "bob"}
	w.read(t, w.one)
	w.read(t, w.two)
	w.want(t, "ann", "x", nil)
	w.want(t, "bob", "y", nil)
	w.learn(t, w.one, "x", "bob")
	w.want(t, "bob", "", directory.ErrAmbiguous)
	w.learn(t, w.one, "x", "ann")
	w.want(t, "bob", "y", nil)
}

// A person was renamed and the old name given to somebody else, and the mirror
// has not heard of it: the old password must not open the new person's name.
func TestAbuse_A19_NamePassedOn(t *testing.T) {
	w := newWorld(t, false)
	w.one.entries = map[string]string{"x": "ann"}
	w.read(t, w.one)
	w.read(t, w.two)
	e := w.want(t, "ann", "x", nil)
	w.one.set(func() { w.one.entries = map[string]string{"x": "anna", "y": "ann"} })
	if r, _ := w.Authenticate(t.Context(), e, "x-pw"); r.SignedIn() || r.Verdict == directory.VerdictWrong {
		t.Errorf("the former holder of a name signed in with it, or was counted: %+v", r)
	}
	e = w.want(t, "ann", "y", nil)
	if r, _ := w.Authenticate(t.Context(), e, "x-pw"); r.Verdict != directory.VerdictWrong {
		t.Errorf("the former holder's password: %+v", r)
	}
	if r, _ := w.Authenticate(t.Context(), e, "y-pw"); !r.SignedIn() {
		t.Errorf("the new holder: %+v", r)
	}
}

func TestEarlierDirectoryThatWasNeverRead(t *testing.T) {
	w := newWorld(t, true)
	w.one.entries = map[string]string{"x": "ann"}
	w.two.entries = map[string]string{"y": "ann", "z": "bob"}
	w.one.down = true
	w.read(t, w.two)
	w.want(t, "ann", "", directory.ErrUnavailable)
	w.one.set(func() { w.one.down = false })
	w.want(t, "ann", "x", nil)
	w.want(t, "bob", "z", nil)
	w.read(t, w.one)
	w.one.set(func() { w.one.down = true })
	w.want(t, "ann", "x", nil)
	w.want(t, "bob", "z", nil)
}

func TestShadowedPersonIsNobody(t *testing.T) {
	w := newWorld(t, true)
	w.two.entries = map[string]string{"y": "ann"}
	w.read(t, w.one)
	w.read(t, w.two)
	id := directory.ID{Directory: "two", Stable: "y"}
	if _, err := w.PersonByID(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.learn(t, w.one, "x", "ann")
	if e, err := w.PersonByID(t.Context(), id); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("a person whose login name belongs to another: %v, %v", e, err)
	}
	w.learn(t, w.one, "x", "anna")
	if _, err := w.PersonByID(t.Context(), id); err != nil {
		t.Errorf("visible again: %v", err)
	}
}

func TestAbuse_I07_PartOfTheMirrorIsNotAll(t *testing.T) {
	w := newWorld(t, true)
	ctx := t.Context()
	w.one.entries = map[string]string{"x": "ann"}
	w.read(t, w.one)
	w.two.entries = map[string]string{"y": "bob"}
	here, there := w.want(t, "ann", "x", nil), w.want(t, "bob", "y", nil)
	ask := func(want error) {
		t.Helper()
		_, people := w.SearchPeople(ctx, "ann", 10)
		_, groups := w.SearchGroups(ctx, "ann", 10)
		_, all := w.AllGroups(ctx)
		_, of := w.GroupsOf(ctx, there.ID)
		_, managed := w.ManagedBy(ctx, there.ID)
		_, managers := w.ManagersOf(ctx, there.ID)
		for i, err := range []error{people, groups, all, of, managed, managers} {
			if !errors.Is(err, want) {
				t.Errorf("question %d: %v, want %v", i, err, want)
			}
		}
	}
	ask(directory.ErrUnavailable)
	if _, err := w.GroupsOf(ctx, here.ID); err != nil {
		t.Error(err)
	}
	w.read(t, w.two)
	ask(nil)
}

func TestPolicyNamedInTheEntry(t *testing.T) {
	w := newWorld(t, true)
	for signal, want := range map[string]string{"pwdpolicysubentry": "cn=strict", "krbpwdpolicyreference": "cn=kerberos"} {
		e := w.one.entry("x", "ann")
		e.Signals = directory.Attributes{signal: {want}}
		w.one.bases = nil
		w.State(t.Context(), e, time.Now())
		if len(w.one.bases) != 1 || w.one.bases[0] != want {
			t.Errorf("%s: read %v, want %s", signal, w.one.bases, want)
		}
	}
}

func TestAbuse_A15_NobodyOnAServerThatRefusesBinds(t *testing.T) {
	w := newWorld(t, true)
	w.one.wantsTLS = true
	if r, _ := w.Authenticate(t.Context(), nil, "x"); r.Verdict != directory.VerdictMisconfigured {
		t.Errorf("a refusal that says nothing about the password was taken for %s", r.Verdict)
	}
}

// TestAbuse_B01_SameSearchesForNobody: a refusal asks the directories as often for
// a name that somebody has as for one that nobody has.
func TestAbuse_B01_SameSearchesForNobody(t *testing.T) {
	w := newWorld(t, true)
	clock := time.Now()
	w.now = func() time.Time { return clock }
	w.one.entries = map[string]string{"x": "ann"}
	w.two.entries = map[string]string{"y": "bob"}
	w.read(t, w.one)
	w.read(t, w.two)
	type work struct{ oneSearches, oneBinds, twoSearches, twoBinds int }
	spent := func(f func()) work {
		a, b, c, d := w.one.searches, w.one.binds, w.two.searches, w.two.binds
		f()
		return work{w.one.searches - a, w.one.binds - b, w.two.searches - c, w.two.binds - d}
	}
	try := func(login string) {
		person, err := w.PersonByLogin(t.Context(), login)
		if err != nil {
			w.Authenticate(t.Context(), nil, "wrong")
			return
		}
		w.Authenticate(t.Context(), person, "wrong")
		w.SpendMiss(t.Context(), login)
	}
	for round := range 12 {
		nobody, somebody := spent(func() { try("nobody") }), spent(func() { try("ann") })
		if nobody != somebody {
			t.Errorf("round %d: %+v for nobody, %+v for somebody", round, nobody, somebody)
		}
		clock = clock.Add(time.Second)
	}
}
