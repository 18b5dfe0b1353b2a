// Package mirror keeps the people, groups and containers of all configured
// directories in one local SQLite file: the read model that makes hard reads
// cheap (any key, substrings, nested groups, reverse relations, sorted pages).
//
// The file may be deleted at any time and is rebuilt from LDAP. Content and the
// feed's cookie change in one transaction, so what a cookie claims is there. The
// package resolves references between entries, shadows people whose login name
// an earlier directory owns, and refuses sweeps that would empty a directory.
//
// It does not speak LDAP, does not parse DNs (see Options.DNKey), holds no
// credentials, and knows neither account states nor APIs. Nothing here decides
// when to read a directory; feeds do.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico/directory"
)

// Errors of the mirror besides directory.ErrNotFound.
var (
	// ErrCorrupt: the file is damaged. Every call answers so until Rebuild.
	ErrCorrupt = fmt.Errorf("%w: mirror file is damaged", directory.ErrUnavailable)
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("mirror file is in use")
	// ErrNoRefresh: changes with a cookie arrived for a directory that was never
	// read completely since the file was begun. The feed must begin a refresh.
	ErrNoRefresh = errors.New("directory has not been read completely yet")
	// ErrSuperseded: the refresh was ended by Abort, by a later refresh of the
	// same directory, or by Rebuild.
	ErrSuperseded = errors.New("refresh was superseded")
	// ErrClosed: the mirror was closed.
	ErrClosed = errors.New("mirror is closed")
)

// Directory is one configured directory as the mirror needs it.
type Directory struct {
	Name   string
	Suffix string // without "@"; "" for none
	// StatusRules is handed to Options.Activity. Other rules begin the file anew.
	StatusRules string
}

// Options of a mirror. DNKey, ParentKey and at least one directory are needed.
type Options struct {
	// Directories in order of precedence: the first that owns a login name wins.
	Directories []Directory
	// DNKey gives the normal form of a DN; equal DNs have equal keys.
	DNKey func(dn string) (string, error)
	// ParentKey gives the key without its first RDN and separator; "" at the top.
	ParentKey func(key string) string
	// Activity tells when a person's account is active; nil: always.
	Activity func(statusRules string, e *directory.Entry) directory.Activity
	// Clock defaults to time.Now.
	Clock func() time.Time
	// Readers is the number of reading connections; default 4.
	Readers int
	// SkipCheck leaves out the page check that runs in the background after an
	// existing file was opened.
	SkipCheck bool
}

// notifyLimit is the number of changed entries up to which OnChange names them.
const notifyLimit = 1000

// Mirror is the read model of all directories. Its methods may be called from
// any goroutine; there is one writer at a time, and readers never wait for it.
type Mirror struct {
	path string
	log  *slog.Logger
	opts Options
	dirs map[string]int // name to rank
	lock *fileLock

	mu         sync.RWMutex // guards the next two against Rebuild and Close
	db         *handles     // nil when closed
	generation int          // counts Rebuilds

	token     chan struct{}    // the right to write; guards the next three
	closing   bool             // no further refreshes
	w         *writer          // nil when closed
	refreshes map[int]*Refresh // by rank of the directory

	loading  atomic.Bool // a first load is under way: nothing can be read yet
	listed   atomic.Bool // the indexes of lists are built
	revision atomic.Uint64
	damage   atomic.Pointer[damage]
	lost     atomic.Pointer[chan struct{}] // closed when the file is found damaged
	totals   totals
	fewest   float64 // so few rows are always fetched and sorted, see list.few
	grams    gramCache

	hooksMu sync.RWMutex
	hooks   []func([]directory.ID)

	background sync.WaitGroup
	stop       context.CancelFunc
	stopped    context.Context
}

type damage struct{ err error }

// Open opens the mirror file at path or begins a new one. A file that is
// damaged, foreign, of another version, of other directories or of an
// interrupted first load is put aside or removed, with a log line, and begun
// anew. A file that another process uses gives ErrLocked.
func Open(ctx context.Context, path string, log *slog.Logger, opts Options) (*Mirror, error) {
	if opts.DNKey == nil || opts.ParentKey == nil || len(opts.Directories) == 0 {
		return nil, errors.New("mirror: DNKey, ParentKey and a directory are needed")
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Readers <= 0 {
		opts.Readers = 4
	}
	opts.Directories = slices.Clone(opts.Directories)
	m := &Mirror{
		path: path, log: log, opts: opts,
		dirs:      make(map[string]int),
		token:     make(chan struct{}, 1),
		refreshes: make(map[int]*Refresh),
		fewest:    2000,
	}
	m.renewLost()
	for i, d := range opts.Directories {
		if _, twice := m.dirs[d.Name]; twice || d.Name == "" {
			return nil, fmt.Errorf("mirror: directory name %q is empty or used twice", d.Name)
		}
		opts.Directories[i].Suffix = directory.FoldName(strings.TrimPrefix(d.Suffix, "@"))
		m.dirs[d.Name] = i
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	m.lock = lock
	existed, err := m.openOrBegin(ctx)
	if err != nil {
		m.lock.release()
		return nil, err
	}
	m.stopped, m.stop = context.WithCancel(context.Background())
	if existed && !opts.SkipCheck {
		m.background.Go(func() { _ = m.Check(m.stopped) })
	}
	if !m.listed.Load() {
		m.background.Go(m.buildLists)
	}
	return m, nil
}

// Close ends refreshes that are still open, closes the file and gives up the
// lock. Calls after it answer ErrClosed.
func (m *Mirror) Close() error {
	m.stop()
	m.token <- struct{}{}
	m.closing = true
	m.endRefreshes()
	<-m.token
	m.background.Wait()
	m.token <- struct{}{}
	defer func() { <-m.token }()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.db == nil {
		return nil
	}
	err := m.closeHandles()
	m.lock.release()
	return err
}

// OnChange adds a function that is called after each commit with the entries
// whose content, DN or visibility changed or that went, before the call that
// changed them returns. Nil means "too many to name, anything may have changed".
// A changed group is named; the people in it are not.
func (m *Mirror) OnChange(f func(ids []directory.ID)) {
	m.hooksMu.Lock()
	defer m.hooksMu.Unlock()
	m.hooks = append(m.hooks, f)
}

// Revision grows with every commit that changed something. Who caches what he
// read compares it before and after.
func (m *Mirror) Revision() uint64 { return m.revision.Load() }

// Healthy is nil, or says why the mirror cannot be used (ErrCorrupt, ErrClosed).
func (m *Mirror) Healthy() error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.usable()
}

// usable is called with mu held.
func (m *Mirror) usable() error {
	if m.db == nil {
		return ErrClosed
	}
	if d := m.damage.Load(); d != nil {
		return d.err
	}
	return nil
}

// Check reads every page of the file and compares its structure. Damage gives
// an error that wraps ErrCorrupt, here and from every later call.
func (m *Mirror) Check(ctx context.Context) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.usable(); err != nil {
		return err
	}
	var verdict string
	err := m.db.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	if err == nil && verdict != "ok" {
		err = fmt.Errorf("%w: %s", ErrCorrupt, verdict)
	}
	return m.checked(err)
}

// checked translates errors of SQLite and remembers damage.
func (m *Mirror) checked(err error) error {
	if err == nil {
		return nil
	}
	err = translate(err)
	if errors.Is(err, ErrCorrupt) && m.damage.CompareAndSwap(nil, &damage{err}) {
		m.log.Error("the mirror file is damaged and must be rebuilt", "file", m.path, "error", err)
		close(*m.lost.Load())
	}
	return err
}

// pinned is the key of the generation that a context may read.
type pinned struct{}

// Pin gives a context for several reads that belong together: after a Rebuild they
// give ErrCorrupt, instead of what the empty file holds.
func (m *Mirror) Pin(ctx context.Context) context.Context {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return context.WithValue(ctx, pinned{}, m.generation)
}

// readable is usable, for a context that may be pinned; called with mu held.
func (m *Mirror) readable(ctx context.Context) error {
	if g, ok := ctx.Value(pinned{}).(int); ok && g != m.generation {
		return ErrCorrupt
	}
	return m.usable()
}

// Lost is closed once the content there is now turns out to be damaged. After a
// Rebuild there is another one. Who fills the mirror waits for it, for it is
// mostly readers who meet the damage.
func (m *Mirror) Lost() <-chan struct{} { return *m.lost.Load() }

func (m *Mirror) renewLost() {
	c := make(chan struct{})
	m.lost.Store(&c)
}

// Rebuild puts the file aside and begins an empty one, if the file is damaged;
// otherwise it does nothing. Open refreshes answer ErrSuperseded afterwards and
// all feed states are empty, so that feeds read everything again.
func (m *Mirror) Rebuild(ctx context.Context) error {
	if err := m.acquire(ctx); err != nil {
		return err
	}
	defer m.release()
	if m.damage.Load() == nil {
		return nil
	}
	m.endRefreshes()
	if err := m.replaceFile(ctx); err != nil {
		return err
	}
	// Nobody reads the empty file before the caches know that it is.
	m.notify(nil, true)
	m.renewLost()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.generation++
	m.damage.Store(nil)
	return nil
}

func (m *Mirror) replaceFile(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.db == nil {
		return ErrClosed
	}
	if err := m.closeHandles(); err != nil {
		m.log.Warn("closing the damaged mirror file", "file", m.path, "error", err)
	}
	return m.begin(ctx, "damaged", asideDamaged)
}

// notify tells the hooks what changed.
func (m *Mirror) notify(ids []directory.ID, all bool) {
	if len(ids) == 0 && !all {
		return
	}
	m.revision.Add(1)
	if all || len(ids) > notifyLimit {
		ids = nil
	}
	m.hooksMu.RLock()
	defer m.hooksMu.RUnlock()
	for _, f := range m.hooks {
		f(ids)
	}
}

// rank is the place of a configured directory.
func (m *Mirror) rank(dir string) (int, error) {
	r, ok := m.dirs[dir]
	if !ok {
		return 0, fmt.Errorf("mirror: no directory named %q", dir)
	}
	return r, nil
}
