package mirror

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"portico/directory"
)

// writer is the one writing connection with its prepared statements. Who uses
// it holds the mirror's token.
type writer struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	keys  *keyer
	bulk  *bulk // while a first load runs
}

func (w *writer) close() error {
	errs := make([]error, 0, len(w.stmts)+1)
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

func (w *writer) stmt(query string) (*sql.Stmt, error) {
	if s := w.stmts[query]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		w.stmts[query] = s
	}
	return s, err
}

// acquire waits for the right to write.
func (m *Mirror) acquire(ctx context.Context) error {
	select {
	case m.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Mirror) release() { <-m.token }

// tx is one writing transaction. Its methods hold no context: a transaction
// that has begun is short and is finished.
type tx struct {
	m       *Mirror
	w       *writer
	ctx     context.Context // never ends
	changed []directory.ID
	all     bool // more changed than is worth naming
}

// update runs f in one transaction with the token held, and tells the hooks.
func (m *Mirror) update(ctx context.Context, f func(*tx) error) error {
	if err := m.acquire(ctx); err != nil {
		return err
	}
	t, err := func() (*tx, error) {
		defer m.release()
		return m.updateHeld(f)
	}()
	if err == nil {
		m.notify(t.changed, t.all)
	}
	return err
}

// updateHeld is update for who holds the token already and notifies himself.
func (m *Mirror) updateHeld(f func(*tx) error) (*tx, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.usable(); err != nil {
		return nil, err
	}
	t := &tx{m: m, w: m.w, ctx: context.Background()}
	var before bulk
	if m.w.bulk != nil {
		before = *m.w.bulk
	}
	wasBulk, wasListed := m.w.bulk, m.listed.Load()
	err := t.run(f)
	if err != nil {
		if wasBulk != nil {
			*wasBulk = before
		}
		m.w.bulk = wasBulk
		m.loading.Store(wasBulk != nil)
		m.listed.Store(wasListed)
		return nil, m.checked(err)
	}
	m.loading.Store(m.w.bulk != nil)
	return t, nil
}

func (t *tx) run(f func(*tx) error) (err error) {
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			if rerr := t.exec("ROLLBACK"); rerr != nil && err == nil {
				err = rerr
			}
		}
	}()
	if err := f(t); err != nil {
		return err
	}
	if t.w.bulk != nil {
		if err := t.flushBulk(true); err != nil {
			return err
		}
	}
	if err := t.exec("COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.result(query, args...)
	return err
}

func (t *tx) result(query string, args ...any) (sql.Result, error) {
	s, err := t.w.stmt(query) //nolint:sqlclosecheck // kept prepared, closed with the writer
	if err != nil {
		return nil, err
	}
	return s.ExecContext(t.ctx, args...)
}

// one reads a single row; found is false where there is none.
func (t *tx) one(query string, args []any, into ...any) (found bool, err error) {
	s, err := t.w.stmt(query) //nolint:sqlclosecheck // kept prepared, closed with the writer
	if err != nil {
		return false, err
	}
	err = s.QueryRowContext(t.ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// each reads all rows. The connection serves nothing else meanwhile.
func (t *tx) each(query string, args []any, row func(*sql.Rows) error) error {
	s, err := t.w.stmt(query) //nolint:sqlclosecheck // kept prepared, closed with the writer
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ids reads the rows of a query that gives one number each.
func (t *tx) ids(query string, args ...any) (ids []int64, err error) {
	err = t.each(query, args, func(r *sql.Rows) error {
		var id int64
		if err := r.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

// touch notes a change for the hooks.
func (t *tx) touch(dir int, stable string) {
	if t.all {
		return
	}
	if len(t.changed) > notifyLimit {
		t.all, t.changed = true, nil
		return
	}
	t.changed = append(t.changed, directory.ID{Directory: t.m.opts.Directories[dir].Name, Stable: stable})
}

// Batch is a set of changes of one directory, applied in one transaction: first
// the deletes, so that who takes over a DN or a name finds it free, then the
// upserts in their order.
type Batch struct {
	Upserts []*directory.Entry
	Deletes []string       // stable ids; unknown ones are ignored
	Members []MemberChange // come last
	Cookie  *string        // the feed's new position; nil leaves the old one

	// Stream: the upserts are events, which may be older than what is here. A group
	// is then left alone where the mirror has the same version of it or a later
	// one: the event may spell members as they were called before they were renamed.
	Stream bool
}

// Apply puts a batch into the mirror, with its cookie, in one transaction. What
// is there already costs little and is no change. A cookie for a directory that
// was never read completely gives ErrNoRefresh.
func (m *Mirror) Apply(ctx context.Context, dir string, b Batch) error {
	rank, err := m.rank(dir)
	if err != nil {
		return err
	}
	if err := checkEntries(dir, b.Upserts); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.update(ctx, func(t *tx) error {
		if b.Cookie != nil {
			r, err := t.result("UPDATE directory SET cookie=? WHERE rank=? AND completed<>0", []byte(*b.Cookie), rank)
			if err != nil {
				return err
			}
			if n, err := r.RowsAffected(); err != nil || n == 0 {
				return errors.Join(err, fmt.Errorf("%s: %w", dir, ErrNoRefresh))
			}
		}
		return t.apply(rank, b)
	})
}

func (t *tx) apply(rank int, b Batch) error {
	r := t.m.refreshes[rank]
	for _, stable := range b.Deletes {
		if err := t.remove(rank, stable); err != nil {
			return err
		}
		if r != nil {
			r.noteGone(stable)
		}
	}
	for _, e := range b.Upserts {
		if old, err := t.older(rank, e); err != nil || old {
			if err != nil {
				return err
			}
			continue
		}
		if b.Stream {
			known, err := t.outrun(rank, e)
			if err != nil {
				return err
			}
			if known {
				continue
			}
		}
		id, err := t.upsert(rank, e)
		if err != nil {
			return err
		}
		if r != nil {
			r.note(id, e)
		}
	}
	for _, c := range b.Members {
		id, found, err := t.changeMembers(rank, c)
		if err != nil {
			return err
		}
		if found && r != nil {
			r.note(id, c.Group)
		}
	}
	return nil
}

func checkEntries(dir string, entries []*directory.Entry) error {
	for _, e := range entries {
		if e.ID.Directory != dir || e.ID.Stable == "" {
			return fmt.Errorf("mirror: entry %q has the id %s, which is not one of directory %s", e.DN, e.ID, dir)
		}
		if e.Kind != directory.KindPerson && e.Kind != directory.KindGroup && e.Kind != directory.KindContainer {
			return fmt.Errorf("mirror: entry %s has no kind", e.ID)
		}
	}
	return nil
}
