package adapter

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/cache"
)

// People looks people up in the population and checks their passwords.
type People interface {
	// PersonByLogin and PersonByID answer with directory.ErrNotFound,
	// ErrAmbiguous or ErrUnavailable.
	PersonByLogin(ctx context.Context, login string) (*directory.Entry, error)
	PersonByID(ctx context.Context, id directory.ID) (*directory.Entry, error)
	SearchPeople(ctx context.Context, text string, limit int) ([]*directory.Entry, error)
	// Authenticate checks a password by a live bind. The entry returned is the
	// person as known after the bind; nobody (nil) is checked against an account
	// that does not exist, so that it takes as long.
	Authenticate(ctx context.Context, person *directory.Entry, password string) (directory.BindResult, *directory.Entry)
	// State is the account state of a person at that moment.
	State(ctx context.Context, person *directory.Entry, now time.Time) directory.AccountState
}

// Groups reads groups and their members.
type Groups interface {
	GroupByID(ctx context.Context, id directory.ID) (*directory.Entry, error)
	SearchGroups(ctx context.Context, text string, limit int) ([]*directory.Entry, error)
	AllGroups(ctx context.Context) ([]*directory.Entry, error)
	GroupsOf(ctx context.Context, person directory.ID) ([]*directory.Entry, error)
	MembersOf(ctx context.Context, group directory.ID) ([]*directory.Entry, error)
}

// Managers reads who manages whom.
type Managers interface {
	ManagedBy(ctx context.Context, manager directory.ID) ([]*directory.Entry, error)
	ManagersOf(ctx context.Context, person directory.ID) ([]*directory.Entry, error)
}

// Misses makes refusals cost the same whether or not there is somebody of that name.
type Misses interface {
	// SpendMiss spends what looking up a name costs that nobody has.
	SpendMiss(ctx context.Context, login string)
}

// Directory is the population of all configured directories.
type Directory interface {
	People
	Misses
	Groups
	Managers
}

// Config holds the choices of the configuration that the verbs depend on. The
// zero value of a member stands for the default named beside it.
type Config struct {
	// LoginInterval is the least time between two full sign-ins of one person
	// from one address, and between two wrong API keys from one address. Default
	// 2 s; negative switches the gate off.
	LoginInterval time.Duration
	// FailureLimit failed password checks of one account within FailureWindow
	// stop further checks until the window has passed. Defaults 10 and 5 min;
	// a negative limit switches the throttle off. Keep it below the directory's own limit.
	FailureLimit  int
	FailureWindow time.Duration
	// RefusalStep: a refused password, code or sync code is answered only after a
	// whole number of these steps, so that its time does not tell whether somebody
	// has the name. 0: at once.
	RefusalStep time.Duration
	// TOTPReplay makes VerifyTOTP accept each code once. The browser always does.
	TOTPReplay bool
	// Issuer names this installation in authenticator apps. Default "Portico".
	Issuer string
	// Timezone is the zone of timestamps that come without one, and of those that
	// go out. Default UTC.
	Timezone *time.Location
	// SlowHashes is the number of slow hashes (PINs, app passwords taken over)
	// that are computed at the same time. Default: half the processors, at least 1.
	SlowHashes int
	// Mail says how alert mails and others are sent; the zero value sends none.
	Mail MailConfig
	// MinPasswordLength is the least number of characters of a new password. Default 8.
	MinPasswordLength int
	Integration       IntegrationConfig
	Users             UsersConfig
	// ClosingLimit is how many accounts one actor may disable or delete in a minute.
	// Default 500; negative: any number.
	ClosingLimit int
	// CacheSize bounds each of the caches, in entries. Default 20000.
	CacheSize int
}

// Deps are the parts that the adapter stands on.
type Deps struct {
	Directory Directory
	Store     *store.Store
	Passwords Passwords // nil: no password can be changed
	Lists     Lists     // nil: no verb that lists everybody works
	Writes    Writes    // nil: every directory is read-only
	Log       *slog.Logger
	Now       func() time.Time // default time.Now
}

// Adapter offers the verbs. All methods may be called concurrently.
type Adapter struct {
	cfg       Config
	dir       Directory
	store     *store.Store
	passwords Passwords
	lists     Lists
	writes    Writes
	log       *slog.Logger
	now       func() time.Time

	numbers *cache.Cache[directory.ID, int64]     // uid or gid
	owners  *cache.Cache[numberKey, directory.ID] // the way back
	locals  *cache.Cache[int64, store.Local]      // by uid
	keys    *cache.Cache[keyHash, store.Key]      // keys that were good
	extras  *cache.Cache[extraKey, Extra]         // of single entries
	guesses *cache.Cache[int64, store.Failures]   // by uid
	gate    *gate                                 // of this process
	turns   *turns                                // of this process
	uses    *keyUses

	mailQueued chan struct{} // wakes the outbox
	restarts   atomic.Int64  // of background work that panicked

	teamwork
	source GroupSource // nil: none

	process string       // names this process among those that share the store
	acts    atomic.Int64 // changes under way

	personal
}

// New makes the adapter. The store and the directory stay the caller's to close.
func New(cfg Config, deps Deps) (*Adapter, error) {
	cfg = withDefaults(cfg)
	if deps.Now == nil {
		deps.Now = time.Now
	}
	gate, err := newGate(cfg.LoginInterval, cfg.CacheSize, deps.Now)
	if err != nil {
		return nil, err
	}
	a := &Adapter{
		cfg: cfg, dir: deps.Directory, store: deps.Store, passwords: deps.Passwords, lists: deps.Lists,
		writes: deps.Writes, log: deps.Log, now: deps.Now,
		numbers: cache.New[directory.ID, int64](2 * cfg.CacheSize),
		owners:  cache.New[numberKey, directory.ID](2 * cfg.CacheSize),
		locals:  cache.New[int64, store.Local](cfg.CacheSize),
		keys:    cache.New[keyHash, store.Key](1024),
		extras:  cache.New[extraKey, Extra](cfg.CacheSize),
		guesses: cache.New[int64, store.Failures](cfg.CacheSize),
		gate:    gate,
		turns:   newTurns(),
		uses:    newKeyUses(),

		mailQueued: make(chan struct{}, 1),
		process:    rand.Text(),

		personal: newPersonal(cfg),
		teamwork: newTeamwork(cfg.CacheSize),
	}
	deps.Store.Watch(a.storeChanged)
	return a, nil
}

func withDefaults(cfg Config) Config {
	if cfg.LoginInterval == 0 {
		cfg.LoginInterval = 2 * time.Second
	}
	if cfg.FailureLimit == 0 {
		cfg.FailureLimit = 10
	}
	if cfg.FailureWindow <= 0 {
		cfg.FailureWindow = 5 * time.Minute
	}
	if cfg.MinPasswordLength <= 0 {
		cfg.MinPasswordLength = 8
	}
	if cfg.ClosingLimit == 0 {
		cfg.ClosingLimit = 500
	}
	if cfg.CacheSize <= 0 {
		cfg.CacheSize = 20000
	}
	if cfg.Issuer == "" {
		cfg.Issuer = "Portico"
	}
	if cfg.Timezone == nil {
		cfg.Timezone = time.UTC
	}
	if cfg.SlowHashes <= 0 {
		cfg.SlowHashes = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return cfg
}

// fromDirectory turns the errors of look-ups into kinds. what names the thing
// that was asked for.
func fromDirectory(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, directory.ErrNotFound):
		return notFound(what)
	case errors.Is(err, directory.ErrAmbiguous):
		return &Error{Kind: Ambiguous, Field: what, Cause: err}
	case errors.Is(err, directory.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: Unavailable, Cause: err, RetryAfter: 5 * time.Second}
	default:
		return &Error{Kind: Internal, Field: what, Cause: err}
	}
}
