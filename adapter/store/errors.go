package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// What can go wrong. Every error of this package wraps at most one of these;
// an error that wraps none is a fault of the program or of the schema.
var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the value is taken, or other rows depend on the old one.
	ErrConflict = errors.New("conflict")
	// ErrStale: another change came first.
	ErrStale = errors.New("changed meanwhile")
	// ErrInvalid: a value that may not be stored.
	ErrInvalid = errors.New("invalid value")
	// ErrUnavailable: the database does not answer, does not accept writes, or
	// is too busy. Whether the change was made is unknown only when the
	// connection broke during the commit.
	ErrUnavailable = errors.New("the database is unavailable")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrExhausted: all 2,147,483,647 ids of a kind were given out.
	ErrExhausted = errors.New("no numeric id is left")
	// ErrWrongKey: the database was made with another secret key.
	ErrWrongKey = errors.New("wrong secret key")
	// ErrSchemaNewer: the database was made by a newer version of the program.
	ErrSchemaNewer = errors.New("the database schema is newer than this program")
	// ErrTampered: the security log was changed by somebody without the secret key.
	ErrTampered = errors.New("the security log was tampered with")
	// ErrUnreadable: a stored secret does not decrypt in its place.
	ErrUnreadable = errors.New("a stored secret cannot be decrypted")
	// ErrKeyRefused: an API key that opens nothing. The reason is in *KeyRefusal
	// and is for the log only.
	ErrKeyRefused = errors.New("API key refused")
)

// ours tells whether err already speaks the vocabulary of this package.
func ours(err error) bool {
	for _, known := range []error{
		ErrNotFound, ErrConflict, ErrStale, ErrInvalid, ErrUnavailable, ErrClosed, ErrExhausted,
		ErrWrongKey, ErrSchemaNewer, ErrTampered, ErrUnreadable, ErrKeyRefused,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// fail turns what a driver said into the vocabulary of this package. ctx is the
// caller's: when it ended, the error says so; a time limit of our own is
// ErrUnavailable.
func (s *Store) fail(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ours(err):
		return fmt.Errorf("store: %s: %w", what, err)
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("store: %s: %w", what, ErrNotFound)
	case ctx.Err() != nil:
		return fmt.Errorf("store: %s: %w", what, ctx.Err())
	case errors.Is(err, sql.ErrConnDone) && s.closed.Load():
		return fmt.Errorf("store: %s: %w", what, ErrClosed)
	}
	switch s.dialect.faultOf(err) {
	case faultConstraint:
		return fmt.Errorf("store: %s: %w: %w", what, ErrConflict, err)
	case faultRetry, faultUnavailable:
		return fmt.Errorf("store: %s: %w: %w", what, ErrUnavailable, err)
	}
	return fmt.Errorf("store: %s: %w", what, err)
}

func invalidf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// RowError turns what a query of a CollabTx said, while its transaction runs,
// into ErrNotFound where it means that; other errors stay as they are.
func RowError(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
