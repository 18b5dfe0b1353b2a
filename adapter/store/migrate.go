package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrations are pairs of files with the same number and name, one for each
// database. A migration only adds: processes of the version before go on
// working beside it.
//
//go:embed migrations
var embeddedMigrations embed.FS

const schemaTable = "portico_schema"

// migrate brings the schema up to date. With PostgreSQL a session lock lets one
// process migrate while others wait; with SQLite the caller holds lockSQLite.
func (s *Store) migrate(ctx context.Context, migrations fs.FS) error {
	// A broken address or password shall be told as such, not as a failed migration.
	if err := s.w.PingContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	folder, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{
		goose.WithTableName(schemaTable),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()),
	}
	if s.dialect.name == dialectPostgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 10))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(s.dialect.goose, s.w, folder, options...)
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
	sources := provider.ListSources()
	known := sources[len(sources)-1].Version
	if have > known {
		return fmt.Errorf("%w: the database has version %d, this program knows versions up to %d; "+
			"start the newer program again, or restore a backup from before its first start", ErrSchemaNewer, have, known)
	}
	return nil
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
