// Package store is Portico's own database: what LDAP cannot hold. It owns the
// numeric ids of people and groups, the status overlay, API keys, the security
// log, failure counters, and the encryption of what must not be readable in a
// copy of the database.
//
// One set of queries serves SQLite (a file, one writer, several readers) and
// PostgreSQL (several Portico processes). The same suite, package storetest,
// proves both.
//
// It knows nothing of LDAP, of HTTP or of any API: a person is a numeric id, or
// the pair of directory name and stable id. It caches nothing; who caches what
// it read must listen with Watch and respect Live.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// KeySize is the size of Options.Key in bytes.
const KeySize = 32

const (
	sqliteFile       = "portico.db"
	defaultTimeout   = 15 * time.Second
	maintainInterval = 30 * time.Second
	anchorInterval   = time.Hour
)

// Options are what a Store needs besides its URL.
type Options struct {
	// DataDir is the folder of the SQLite file; not used with PostgreSQL.
	DataDir string
	// Key is the secret of this installation, KeySize random bytes that are kept
	// outside the database. Without it hashes cannot be looked up, secrets not
	// read and the security log not verified.
	Key []byte `json:"-"`
	// Log is required.
	Log *slog.Logger
	// Clock tells the time; default time.Now.
	Clock func() time.Time
	// Timeout bounds each call whose context has no nearer end; default 15 s.
	// Verify, ListRecords and Open are bounded by their context alone.
	Timeout time.Duration
	// ThrottleRows bounds the table of failure counters; default 200,000.
	ThrottleRows int
}

// Format keeps the secret out of every printed form.
func (o Options) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{DataDir:%s Key:***}", o.DataDir) }

// Store is the open database. All methods may be used by many goroutines.
type Store struct {
	log     *slog.Logger
	clock   func() time.Time
	timeout time.Duration
	dialect *dialect
	w, r    *sql.DB // writer and readers; one pool with PostgreSQL
	listen  *pgx.ConnConfig
	origin  string // this process, in announcements of changes

	box     *box
	macs    macs
	stmts   sync.Map // query -> *sql.Stmt on r
	audit   auditor
	shared  sharer
	watch   watchers
	maxRows int
	fails   atomic.Int64 // failures counted since the last Maintain

	sick       atomic.Bool // the last write failed with ErrUnavailable
	closed     atomic.Bool
	stop       context.CancelFunc
	background sync.WaitGroup
}

// Open opens the database and brings its schema up to date. rawURL is "" for the
// file portico.db in DataDir, "sqlite:PATH", or a postgres:// URL. Processes that
// start at the same time wait for the one that migrates. Errors wrap
// ErrSchemaNewer, ErrWrongKey, ErrInvalid or ErrUnavailable where these apply.
func Open(ctx context.Context, rawURL string, opts Options) (*Store, error) {
	return open(ctx, rawURL, opts, embeddedMigrations)
}

func open(ctx context.Context, rawURL string, opts Options, migrations fs.FS) (*Store, error) {
	if len(opts.Key) != KeySize {
		return nil, fmt.Errorf("store: %w", invalidf("the secret key must have %d bytes, not %d", KeySize, len(opts.Key)))
	}
	if opts.Log == nil {
		return nil, fmt.Errorf("store: %w", invalidf("no logger"))
	}
	s := &Store{
		log:     opts.Log,
		clock:   opts.Clock,
		timeout: opts.Timeout,
		origin:  rand.Text(),
		maxRows: opts.ThrottleRows,
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	if s.maxRows <= 0 {
		s.maxRows = 200_000
	}
	var err error
	if s.macs, s.box, err = deriveKeys(opts.Key); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if strings.HasPrefix(rawURL, "postgres://") || strings.HasPrefix(rawURL, "postgresql://") {
		err = s.openPostgres(ctx, rawURL, migrations)
	} else {
		err = s.openSQLite(ctx, rawURL, opts.DataDir, migrations)
	}
	if err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		_ = s.closePools()
		return nil, s.fail(ctx, "open", err)
	}
	return s, nil
}

func (s *Store) openPostgres(ctx context.Context, rawURL string, migrations fs.FS) error {
	s.dialect = postgresDialect()
	db, cfg, err := openPostgres(rawURL)
	if err != nil {
		return invalidf("%v", err)
	}
	s.w, s.r, s.listen = db, db, cfg
	unlock, err := s.lockPostgres(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.migrate(ctx, migrations)
}

func (s *Store) openSQLite(ctx context.Context, rawURL, dataDir string, migrations fs.FS) error {
	s.dialect = sqliteDialect()
	path := strings.TrimPrefix(rawURL, "sqlite:")
	switch {
	case strings.Contains(path, "://"):
		return invalidf("the URL of the database must begin with postgres:// or sqlite:")
	case path == "" && dataDir == "":
		return invalidf("neither a data folder nor a database is given")
	case path == "":
		path = filepath.Join(dataDir, sqliteFile)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	unlock, err := lockSQLite(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	if err := createPrivate(path); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if s.w, err = openSQLiteWriter(path); err != nil {
		return err
	}
	if err := s.migrate(ctx, migrations); err != nil {
		return err
	}
	s.r, err = openSQLiteReader(path)
	return err
}

// createPrivate makes the database file readable for its owner only; SQLite
// gives its side files the same rights.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// begin does what follows the migration: the check of the secret key and the
// start of the background work.
func (s *Store) begin(ctx context.Context) error {
	if err := s.checkKey(ctx); err != nil {
		return err
	}
	if err := s.audit.prepare(ctx, s); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	follow, err := s.watcher(ctx)
	if err != nil {
		stop()
		return err
	}
	s.background.Go(func() { follow(background) })
	s.background.Go(func() { s.maintainLoop(background) })
	s.audit.start(s)
	if s.dialect.name == dialectSQLite {
		s.shared.start(s)
	}
	return nil
}

// Close writes what Append was given, says where the security log ends, and
// closes the database. Later calls fail with ErrClosed.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.shared.close()
	s.audit.close()
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	s.logHead(ctx)
	cancel()
	s.stop()
	s.background.Wait()
	return s.closePools()
}

func (s *Store) closePools() error {
	var err error
	if s.r != nil && s.r != s.w {
		err = s.r.Close()
	}
	if s.w != nil {
		err = errors.Join(err, s.w.Close())
	}
	return err
}

// Dialect is "sqlite" or "postgres".
func (s *Store) Dialect() string { return s.dialect.name }

// Ping tells whether the database answers and, when the last write failed,
// whether it accepts writes again. Errors: ErrUnavailable, ErrClosed.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.one(ctx, "ping", "SELECT 1", nil, &one); err != nil {
		return err
	}
	if !s.sick.Load() {
		return nil
	}
	return s.write(ctx, "ping", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE meta SET value = value WHERE name = ?", metaKeyCheck)
		return err
	})
}

// maintainLoop runs Maintain now and then, and logs the head of the security
// log so that a copy of it is outside the database.
func (s *Store) maintainLoop(ctx context.Context) {
	tick := time.NewTicker(maintainInterval)
	defer tick.Stop()
	anchored := time.Now()
	s.logHead(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.audit.behind:
			if err := s.indexRecords(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("the index of the security log is behind", "error", err)
			}
			continue
		case <-tick.C:
		}
		if err := s.Maintain(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the local database could not be tidied", "error", err)
		}
		if time.Since(anchored) >= anchorInterval {
			anchored = time.Now()
			s.logHead(ctx)
		}
	}
}

// Maintain deletes what is no longer needed: failure counters and codes that ran
// out or are too many, and announcements that everybody has read; it also indexes
// the security log. It runs by itself every half minute.
func (s *Store) Maintain(ctx context.Context) error {
	s.fails.Store(0)
	if err := s.purgeThrottle(ctx); err != nil {
		return err
	}
	if err := s.purgeCodes(ctx); err != nil {
		return err
	}
	if err := s.purgeMail(ctx); err != nil {
		return err
	}
	if err := s.purgeSessions(ctx); err != nil {
		return err
	}
	if err := s.purgeIntents(ctx); err != nil {
		return err
	}
	if err := s.purgeAnswers(ctx); err != nil {
		return err
	}
	if err := s.indexRecords(ctx); err != nil {
		return err
	}
	return s.purgeChanges(ctx)
}
