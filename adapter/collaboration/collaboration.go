// Package collaboration says what organisations, collaborations, invitations,
// groups and service connections mean: the verbs behind the collaboration API,
// its pages and its commands, and the jobs that end what has run out.
//
// It stands on the adapter, which knows the people, and on the store, which holds
// everything else. Each verb that changes something does so in one transaction,
// in which it also looks once more whether the key is still good, writes the
// security log, and queues the mail.
package collaboration

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"portico/adapter"
	"portico/adapter/store"
	"portico/internal/cache"
	"portico/internal/texts"
)

// People looks people up and writes letters.
type People interface {
	Person(ctx context.Context, key adapter.PersonKey) (*adapter.Person, error)
	PeopleByUID(ctx context.Context, uids []int64) (map[int64]*adapter.Person, error)
	AccountStatus(ctx context.Context, key adapter.PersonKey) (adapter.Status, error)
	KeyCaller(ctx context.Context, api, presented string, client adapter.Client) (*adapter.Caller, error)
}

// Accounts makes accounts for people who sign up.
type Accounts interface {
	CanSignUp(directory string) bool
	PeopleByMail(ctx context.Context, mail string) ([]*adapter.Person, error)
	MakeAccount(ctx context.Context, n adapter.SignUp, client adapter.Client) (*adapter.Person, error)
	TakeBack(ctx context.Context, person *adapter.Person, client adapter.Client)
}

// Post composes letters; the store queues them.
type Post interface {
	CanMail() bool
	ComposeLetter(l adapter.Letter) (store.Message, error)
	WakeMail()
}

// Fetcher reads a picture from the web. Nil in Deps: logos by address are
// stored as addresses and never read.
type Fetcher interface {
	Fetch(ctx context.Context, address string) ([]byte, error)
}

// Config holds the choices of the configuration. The zero value of a member
// stands for the default named beside it.
type Config struct {
	// UserID says what the platform id of a person is: "number" (default, the
	// numeric id), "username", or "id" (permanent identity, STABLE@DIRECTORY).
	UserID string
	// Cleanse takes a short name of another form for its canonical form, instead
	// of refusing it.
	Cleanse          bool
	RequireShortName bool
	PastExpiry       bool   // accept expiry dates that lie behind
	PagePath         string // public path of the pages, before "/account/"
	// Container is the DN below which collaborations are written, {org} standing for
	// the organisation's short name; "": they are not. WriteDirectory is the
	// configured name of the directory, "" the first that may be written.
	Container       string
	WriteDirectory  string
	VisibleAsGroups bool   // as groups of the other APIs
	SignUpDirectory string // where people who sign up are made; "": the first that may be written

	InvitationDays   int // from the day of sending; 15
	InvitationRemind time.Duration
	InvitationPurge  time.Duration // after the expiry date; 30 days
	CollabWarn       time.Duration // before the end; 5 days
	CollabPurge      time.Duration // after the end; 90 days
	CollabIdle       time.Duration // without activity; 360 days
	MembershipWarn   time.Duration // before the end; 14 days
	MembershipPurge  time.Duration // after the end; 90 days
	JobInterval      time.Duration // of the jobs; 1 minute
}

// Deps are the parts that the service stands on. Accounts (then nobody signs up),
// Directory, Fetch and Now may be nil.
type Deps struct {
	People    People
	Accounts  Accounts
	Directory Directory
	Post      Post
	Store     *store.Store
	Texts     *texts.Catalogue
	Fetch     Fetcher
	Log       *slog.Logger
	Now       func() time.Time
}

// Collaborations offers the verbs. All methods may be called concurrently.
type Collaborations struct {
	cfg      Config
	people   People
	accounts Accounts
	post     Post
	store    *store.Store
	texts    *texts.Catalogue
	fetch    Fetcher
	log      *slog.Logger
	now      func() time.Time

	directory Directory
	changed   changedSet
	shown     shown
	rosters   *cache.Cache[int64, []Member] // memberships by collaboration
}

// New makes the service.
func New(cfg Config, deps Deps) *Collaborations {
	const day = 24 * time.Hour
	for _, d := range []struct {
		to      *time.Duration
		instead time.Duration
	}{
		{&cfg.InvitationRemind, 5 * day},
		{&cfg.InvitationPurge, 30 * day},
		{&cfg.CollabWarn, 5 * day},
		{&cfg.CollabPurge, 90 * day},
		{&cfg.CollabIdle, 360 * day},
		{&cfg.MembershipWarn, 14 * day},
		{&cfg.MembershipPurge, 90 * day},
		{&cfg.JobInterval, time.Minute},
	} {
		if *d.to <= 0 {
			*d.to = d.instead
		}
	}
	if cfg.InvitationDays <= 0 {
		cfg.InvitationDays = 15
	}
	s := &Collaborations{
		cfg: cfg, people: deps.People, accounts: deps.Accounts, directory: deps.Directory, post: deps.Post, store: deps.Store, texts: deps.Texts,
		fetch: deps.Fetch, log: deps.Log, now: deps.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.changed.wake = make(chan struct{}, 1)
	s.rosters = cache.New[int64, []Member](keptRosters)
	deps.Store.Watch(s.forget)
	if cfg.VisibleAsGroups {
		deps.Store.Watch(func(c store.Change) {
			if c.All || c.Table == store.TableCollaborations {
				s.shown.changes.Add(1)
			}
		})
	}
	if s.writes() {
		deps.Store.Watch(s.changed.note)
	}
	return s
}

// Caller is who asks: the holder of a key of one organisation.
type Caller struct {
	*adapter.Caller
	Client adapter.Client
	// Once is the Idempotency-Key of the request, "" for none; Fingerprint tells
	// its requests apart.
	Once        string
	Fingerprint []byte
}

// By is how the caller is named in what is stored.
func (c *Caller) By() string { return "ext_api" }

// Enter finds the holder of a key. Errors: Unauthenticated, Throttled.
func (s *Collaborations) Enter(ctx context.Context, presented string, client adapter.Client) (*Caller, error) {
	caller, err := s.people.KeyCaller(ctx, "collaboration", presented, client)
	if err != nil {
		return nil, err
	}
	return &Caller{Caller: caller, Client: client}, nil
}

// errors in the words of the adapter.

func invalid(field, text string) error {
	return &adapter.Error{Kind: adapter.Invalid, Field: field, Text: text}
}

func notFound(field string) error { return &adapter.Error{Kind: adapter.NotFound, Field: field} }

func denied(field, text string) error {
	return &adapter.Error{Kind: adapter.Denied, Field: field, Text: text}
}

func conflict(field, text string) error {
	return &adapter.Error{Kind: adapter.Conflict, Field: field, Text: text}
}

// is tells whether an error of the store means that there is no such row.
func missing(err error) bool { return err != nil && errors.Is(store.RowError(err), store.ErrNotFound) }

// orgOf reads the caller's organisation; a key whose organisation is gone opens
// nothing.
func orgOf(ctx context.Context, c *store.CollabTx, caller *Caller) (store.Org, error) {
	org, err := c.Org(ctx, caller.Org)
	if missing(err) {
		return org, &adapter.Error{Kind: adapter.Unauthenticated, Field: "key"}
	}
	return org, err
}

// mayWrite is the last look at the key before something changes.
func mayWrite(ctx context.Context, c *store.CollabTx, caller *Caller) error {
	if caller.KeyID == 0 { // a command
		return nil
	}
	if caller.ReadOnly {
		return denied("key", "this key may only read")
	}
	good, err := c.KeyGood(ctx, caller.KeyID)
	if err == nil && !good {
		err = &adapter.Error{Kind: adapter.Unauthenticated, Field: "key"}
	}
	return err
}

// inScope tells whether a key that is limited to units reaches a collaboration.
func (c *Caller) inScope(units []string) bool {
	if len(c.Units) == 0 {
		return true
	}
	return len(units) > 0 && !slices.ContainsFunc(units, func(u string) bool { return !slices.Contains(c.Units, u) })
}

// reach checks that a collaboration is the caller's.
func (c *Caller) reach(org store.Org, collab store.Collaboration) error {
	if collab.Org != org.ID {
		return denied("collaboration", "the collaboration belongs to another organisation")
	}
	if !c.inScope(collab.Units) {
		return denied("units", "the collaboration is outside the units of this key")
	}
	return nil
}

// collabOf reads a collaboration of the caller by its identifier. Errors:
// NotFound "collaboration", Denied.
func collabOf(ctx context.Context, c *store.CollabTx, caller *Caller, identifier string) (store.Org, store.Collaboration, error) {
	org, err := orgOf(ctx, c, caller)
	if err != nil {
		return org, store.Collaboration{}, err
	}
	collab, err := c.Collaboration(ctx, store.CollabKey{Identifier: identifier})
	if missing(err) {
		return org, collab, notFound("collaboration")
	}
	if err != nil {
		return org, collab, err
	}
	return org, collab, caller.reach(org, collab)
}

// write runs a change; read runs a look. Both turn the errors of the store into
// kinds. A value that was taken at the same moment makes the change run again.
func (s *Collaborations) write(ctx context.Context, what string, do func(context.Context, *store.CollabTx) error) error {
	const attempts = 5
	var err error
	for range attempts {
		err = s.store.Collab(ctx, what, do)
		if err == nil {
			s.post.WakeMail()
			return nil
		}
		if _, ours := errors.AsType[*adapter.Error](err); ours || !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return kind(err, what)
}

func (s *Collaborations) read(ctx context.Context, what string, do func(context.Context, *store.CollabTx) error) error {
	return kind(s.store.CollabRead(ctx, what, do), what)
}

func kind(err error, what string) error {
	if known, ok := errors.AsType[*adapter.Error](err); ok {
		return known
	}
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return &adapter.Error{Kind: adapter.Unavailable, Field: what, Cause: err, RetryAfter: 5 * time.Second}
	case errors.Is(err, store.ErrExhausted):
		return &adapter.Error{Kind: adapter.Unavailable, Field: "mail", Text: "too much mail waits for the mail server", Cause: err}
	}
	return adapter.FromStore(err, what)
}

// record makes a record of the security log for a key's change.
func (c *Caller) record(event adapter.EventType, uid int64, text string) store.Record {
	r := adapter.Record(event, uid, c.Label, c.Client, text)
	r.KeyID = c.KeyID
	return r
}
