package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/pressly/goose/v3"
)

// Migrations are pairs of files with the same number and name, one for each
// database. A migration only adds: processes of the version before go on
// working beside it.
//
//go:embed migrations
var embeddedMigrations embed.FS

const (
	schemaTable = "portico_schema"
	schemaLock  = 0x706f727469636f // "portico"
)

// migrate brings the schema up to date. The caller holds lockSQLite or
// lockPostgres: of several processes one migrates while the others wait.
func (s *Store) migrate(ctx context.Context, migrations fs.FS) error {
	folder, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(s.dialect.goose, s.w, folder,
		goose.WithTableName(schemaTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if err := refuseNewer(ctx, provider); err != nil {
		return err
	}
	applied, err := provider.Up(ctx)
	for _, m := range applied {
		s.log.Info("database schema migrated", "version", m.Source.Version, "duration", m.Duration)
	}
	if err != nil {
		var partial *goose.PartialError
		if errors.As(err, &partial) && partial.Failed != nil {
			return fmt.Errorf("migration %d of the database failed and was rolled back; nothing of it remains, "+
				"start again when the cause is mended: %w", partial.Failed.Source.Version, err)
		}
		return fmt.Errorf("the database could not be migrated: %w", err)
	}
	return nil
}

// refuseNewer keeps an old program away from a schema that it does not know.
func refuseNewer(ctx context.Context, provider *goose.Provider) error {
	have, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	var known int64
	for _, source := range provider.ListSources() { // in no order
		known = max(known, source.Version)
	}
	if have > known {
		return fmt.Errorf("%w: the database has version %d, this program knows versions up to %d; "+
			"start the newer program again, or restore a backup from before its first start", ErrSchemaNewer, have, known)
	}
	return nil
}

// lockPostgres waits until no other process migrates the database. The lock
// belongs to a session, so it is gone when the process or its connection dies.
func (s *Store) lockPostgres(ctx context.Context) (unlock func(), err error) {
	conn, err := s.w.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var free bool
	err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", schemaLock).Scan(&free)
	if err == nil && !free {
		s.log.Info("another process is preparing the database: waiting for it")
		_, err = conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", schemaLock)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", schemaLock); err != nil {
			// The session must not go back to the pool with the lock: end it.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}, nil
}

// lockSQLite waits until no other process opens or migrates the file. The lock
// is an exclusive transaction on an empty database beside it, which the system
// releases even when the process is killed.
func lockSQLite(ctx context.Context, path string) (unlock func(), err error) {
	db, err := sql.Open("sqlite", sqliteDSN(path+"-open", url.Values{"_txlock": {"exclusive"}}))
	if err != nil {
		return nil, err
	}
	keepOpen(db, 1)
	held, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), db.Close())
	}
	return func() {
		// Closing releases the lock whatever these answer.
		_ = held.Rollback()
		_ = db.Close()
	}, nil
}
