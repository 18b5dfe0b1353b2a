package collaboration

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/adapter"
	collab "portico/adapter/collaboration"
	"portico/adapter/store"
	"portico/directory"
	"portico/httpapi"
	"portico/internal/texts"
	"portico/testenv"
)

// people is a directory in memory: everybody's password is the name and "-pw".
type people struct {
	adapter.Directory // groups and managers are not asked for
	names             []string
	known             map[string]*directory.Entry
}

// index makes the entries of everybody.
func (p *people) index() {
	p.known = map[string]*directory.Entry{}
	for _, name := range p.names {
		p.known[name] = p.entry(name)
	}
}

func (p *people) entry(login string) *directory.Entry {
	return &directory.Entry{
		ID: directory.ID{Directory: "corp", Stable: "stable-" + login}, Kind: directory.KindPerson, Login: login, Name: login,
		Attributes: directory.Attributes{directory.AttrName: {strings.ToUpper(login[:1]) + login[1:]}, directory.AttrMail: {login + "@example.org"}},
	}
}

func (p *people) PersonByLogin(_ context.Context, login string) (*directory.Entry, error) {
	if entry, ok := p.known[directory.FoldName(login)]; ok {
		return entry, nil
	}
	return nil, directory.ErrNotFound
}

func (p *people) PersonByID(ctx context.Context, id directory.ID) (*directory.Entry, error) {
	return p.PersonByLogin(ctx, strings.TrimPrefix(id.Stable, "stable-"))
}

func (*people) SpendMiss(context.Context, string) {} // memory answers alike for everybody

func (p *people) Authenticate(_ context.Context, person *directory.Entry, password string) (directory.BindResult, *directory.Entry) {
	if person == nil || password != person.Login+"-pw" {
		return directory.BindResult{Verdict: directory.VerdictWrong}, person
	}
	return directory.BindResult{Verdict: directory.VerdictSignedIn, PasswordRight: true}, person
}

func (p *people) State(context.Context, *directory.Entry, time.Time) directory.AccountState {
	return directory.AccountState{}
}

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// mailbox takes what the letters are, tokens included.
type mailbox struct{ *adapter.Adapter }

// discard is a mail server that takes everything.
type discard struct{}

func (discard) Send(context.Context, store.Message) error { return nil }

// house is the API on a real store, behind a real server.
type house struct {
	t       testing.TB
	clock   *clock
	people  *people
	store   *store.Store
	adapter *adapter.Adapter
	collabs *collab.Collaborations
	letters *letters
	addr    string
	keys    map[string]string
}

// letters keeps what was written, beside the outbox.
type letters struct {
	mailbox
	mu   sync.Mutex
	list []store.Message
}

func (l *letters) ComposeLetter(letter adapter.Letter) (store.Message, error) {
	m, err := l.mailbox.ComposeLetter(letter)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, m)
	return m, err
}

// token gives the token of the newest mail to an address.
func (l *letters) token(to string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, letter := range slices.Backward(l.list) {
		if letter.To != to {
			continue
		}
		if _, rest, ok := strings.Cut(letter.Text, "token="); ok {
			return rest[:26], nil
		}
	}
	return "", fmt.Errorf("no mail to %s", to)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stores are the two databases; each test of a contract runs on both.
func stores(t *testing.T, run func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { run(t, "") })
	t.Run("postgres", func(t *testing.T) { run(t, testenv.PostgreSQL(t)) })
}

// newHouse serves the API over a store: SQLite in a new folder for "".
func newHouse(t testing.TB, url string, change ...func(*collab.Config)) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, keys: map[string]string{}}
	h.open(url, t.TempDir(), change...)
	h.furnish()
	return h
}

// open makes one process on the store.
func (h *house) open(url, dir string, change ...func(*collab.Config)) {
	h.t.Helper()
	t := h.t
	log := slog.New(slog.DiscardHandler)
	var err error
	h.store, err = store.Open(t.Context(), url, store.Options{
		DataDir: dir, Key: bytes.Repeat([]byte{7}, store.KeySize), Log: log, Clock: h.clock.Now, Timeout: time.Minute,
	})
	must(t, err)
	t.Cleanup(func() { _ = h.store.Close() })
	words, err := texts.Load("en", "")
	must(t, err)
	h.people = &people{names: []string{"ada", "bob", "cyd", "dan"}}
	h.people.index()
	h.adapter, err = adapter.New(adapter.Config{LoginInterval: -1, FailureLimit: -1, Mail: adapter.MailConfig{
		Mailer: discard{}, From: "portico@example.org", Texts: words, BaseURL: "https://id.example.org", Title: "Portico",
	}}, adapter.Deps{Directory: h.people, Store: h.store, Log: log, Now: h.clock.Now})
	must(t, err)
	h.letters = &letters{mailbox: mailbox{h.adapter}}
	var cfg collab.Config
	for _, c := range change {
		c(&cfg)
	}
	h.collabs = collab.New(cfg, collab.Deps{People: h.adapter, Post: h.letters, Store: h.store, Texts: words, Log: log, Now: h.clock.Now})
	api := New(Config{BaseURL: "https://id.example.org/"}, Deps{Adapter: h.collabs, People: h.adapter, Log: log})
	h.addr = serve(t, api, log)
}

func serve(t testing.TB, d httpapi.Dialect, log *slog.Logger) string {
	t.Helper()
	server, err := httpapi.New(httpapi.Config{Listen: "127.0.0.1:0", LargerBodies: LargerBodies()}, httpapi.Deps{
		Log: log, Now: time.Now, Rand: rand.Reader, Dialects: []httpapi.Dialect{d},
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	must(t, server.Listen(ctx))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server ended with %v", err)
		}
	})
	return server.Addr().String()
}

// furnish makes organisations, services and keys. Ada is number 1, bob 2, cyd 3,
// dan 4; ada acts for acme.
func (h *house) furnish() {
	h.t.Helper()
	t, ctx := h.t, h.t.Context()
	for i, name := range []string{"ada", "bob", "cyd", "dan"} {
		p, err := h.adapter.Person(ctx, adapter.ByUsername(name))
		must(t, err)
		if p.UID != int64(i+1) {
			t.Fatalf("%s is number %d", name, p.UID)
		}
	}
	for _, o := range []collab.Org{
		{ShortName: "acme", Name: "Acme Works", Settings: store.OrgSettings{Units: []string{"North", "South"}, Tags: []string{"std"}, Admins: []int64{1}}},
		{ShortName: "zeta", Name: "Zeta", Settings: store.OrgSettings{RestrictServices: true, RequiresApproval: true, Admins: []int64{4}}},
	} {
		_, err := h.collabs.PutOrg(ctx, o, nil)
		must(t, err)
	}
	for _, s := range []collab.Service{
		{EntityID: "https://wiki.example.org", Abbreviation: "wiki", Name: "Wiki", Settings: store.ServiceSettings{
			AutomaticAll: true, AccessAll: true, AllowRestricted: true, Groups: []store.ServiceGroup{{Name: "Wiki editors", ShortName: "editors", AutoProvision: true}},
		}},
		{EntityID: "https://grid.example.org", Abbreviation: "grid", Name: "Grid", Settings: store.ServiceSettings{
			AccessAll: true, Managers: []string{"grid@example.org"},
		}},
		{EntityID: "urn:closed", Abbreviation: "closed", Name: "Closed", Settings: store.ServiceSettings{AutomaticAll: true, AccessAll: true, NoConnections: true}},
		{EntityID: "urn:members", Abbreviation: "members", Name: "Members", Settings: store.ServiceSettings{AutomaticAll: true, AccessOrgs: []string{"zeta"}}},
	} {
		_, err := h.collabs.PutService(ctx, s, nil)
		must(t, err)
	}
	for name, r := range map[string]adapter.KeyRequest{
		"ACME": {Org: "acme"}, "READER": {Org: "acme", ReadOnly: true}, "NORTH": {Org: "acme", Units: []string{"North"}}, "ZETA": {Org: "zeta"},
	} {
		r.API, r.Label = "collaboration", strings.ToLower(name)
		_, plain, err := h.adapter.CreateKey(ctx, r)
		must(t, err)
		h.keys["K-"+name] = plain
	}
}
