package store

import (
	"context"
	"database/sql"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const maxAttempts = 6

// tx is one write transaction.
type tx struct {
	sql     *sql.Tx
	store   *Store
	changes []Change // told to the watchers after the commit
}

func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := t.sql.ExecContext(ctx, t.store.dialect.bind(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *tx) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.sql.QueryRowContext(ctx, t.store.dialect.bind(query), args...)
}

func (t *tx) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := t.sql.QueryContext(ctx, t.store.dialect.bind(query), args...)
	if err != nil {
		return err
	}
	return scanAll(rows, scan)
}

// scanAll calls scan for each row and closes rows.
func scanAll(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// bound gives ctx the time limit of one call.
func (s *Store) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// write runs do in one transaction. When the database rolled it back for the
// sake of another transaction, or the connection broke before the commit, do
// runs again, a few times: it must have no effects outside the transaction
// except setting its results. The watchers are told before write returns.
func (s *Store) write(ctx context.Context, what string, do func(context.Context, *tx) error) error {
	if s.closed.Load() {
		return s.fail(ctx, what, ErrClosed)
	}
	return s.writeAnyway(ctx, what, do)
}

// writeAnyway is write for the security log, which empties its queue while the
// store closes.
func (s *Store) writeAnyway(outer context.Context, what string, do func(context.Context, *tx) error) error {
	ctx, cancel := s.bound(outer)
	defer cancel()
	var err error
	for attempt := 1; ; attempt++ {
		var t *tx
		var again bool
		if t, again, err = s.attempt(ctx, do); err == nil {
			s.sick.Store(false)
			s.watch.tell(t.changes)
			return nil
		}
		if !again || attempt == maxAttempts || ctx.Err() != nil {
			break
		}
		pause := time.Duration(attempt*attempt) * 5 * time.Millisecond
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
	if fault := s.dialect.faultOf(err); fault == faultUnavailable && outer.Err() == nil {
		s.sick.Store(true)
	}
	return s.fail(outer, what, err)
}

// attempt runs do once; again tells that it left nothing behind and may be repeated.
func (s *Store) attempt(ctx context.Context, do func(context.Context, *tx) error) (t *tx, again bool, err error) {
	sqlTx, err := s.w.BeginTx(ctx, nil)
	if err != nil {
		return nil, s.dialect.lost(err), err
	}
	t = &tx{sql: sqlTx, store: s}
	if err := do(ctx, t); err != nil {
		// The answer to a rollback changes nothing: what was not committed is undone.
		_ = sqlTx.Rollback()
		return nil, s.dialect.faultOf(err) == faultRetry || s.dialect.lost(err), err
	}
	if err := sqlTx.Commit(); err != nil {
		return nil, s.dialect.faultOf(err) == faultRetry, err
	}
	return t, false, nil
}

// stmt gives the prepared form of a query that never changes.
func (s *Store) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if known, ok := s.stmts.Load(query); ok {
		return known.(*sql.Stmt), nil
	}
	made, err := s.r.PrepareContext(ctx, s.dialect.bind(query))
	if err != nil {
		return nil, err
	}
	if known, taken := s.stmts.LoadOrStore(query, made); taken {
		// Somebody else was faster; nothing depends on this one.
		_ = made.Close() //nolint:sqlclosecheck // not to the end of the function
		return known.(*sql.Stmt), nil
	}
	return made, nil
}

// one reads one row by a query that never changes. No row is ErrNotFound.
func (s *Store) one(ctx context.Context, what, query string, args []any, dest ...any) error {
	return s.oneFunc(ctx, what, query, args, func(scan func(...any) error) error { return scan(dest...) })
}

// oneFunc is one for rows that need more than Scan; read gets the row's Scan.
func (s *Store) oneFunc(outer context.Context, what, query string, args []any, read func(scan func(...any) error) error) error {
	if s.closed.Load() {
		return s.fail(outer, what, ErrClosed)
	}
	ctx, cancel := s.bound(outer)
	defer cancel()
	stmt, err := s.stmt(ctx, query) //nolint:sqlclosecheck // kept prepared, closed with the store
	if err == nil {
		err = read(stmt.QueryRowContext(ctx, args...).Scan)
	}
	return s.fail(outer, what, err)
}

// many reads rows by a query that may have been put together.
func (s *Store) many(outer context.Context, what, query string, args []any, scan func(*sql.Rows) error) error {
	if s.closed.Load() {
		return s.fail(outer, what, ErrClosed)
	}
	ctx, cancel := s.bound(outer)
	defer cancel()
	rows, err := s.r.QueryContext(ctx, s.dialect.bind(query), args...)
	if err == nil {
		err = scanAll(rows, scan)
	}
	return s.fail(outer, what, err)
}

// sortedKeys gives the ids of a map in order.
func sortedKeys[V any](m map[int64]V) []int64 { return slices.Sorted(maps.Keys(m)) }

// micros is how times are stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// when is the time of a stored number.
func when(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// clean makes text storable in both databases: valid UTF-8 without NUL, at most
// limit characters.
func clean(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	if len(text) <= limit {
		return text
	}
	for i := range text {
		if limit == 0 {
			return text[:i]
		}
		limit--
	}
	return text
}
