package mirror

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/sqlite"

	"portico/directory"
)

// columns are what entries are made of. Every query that scan reads gives them
// first.
const columns = "e.dir, e.stable, e.body"

// prepared is a statement on the reading connections. The text is a constant or
// put together from constants; values are always bound.
func (h *handles) prepared(query string) (*sql.Stmt, error) {
	if s, ok := h.stmts.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := h.read.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	if first, twice := h.stmts.LoadOrStore(query, s); twice {
		_ = s.Close() //nolint:sqlclosecheck // each of many, not to the end of the function
		return first.(*sql.Stmt), nil
	}
	return s, nil
}

// each runs a reading query. A context that can end costs a goroutine for each
// query, so look-ups of single rows do without.
func (m *Mirror) each(ctx context.Context, query string, args []any, row func(*sql.Rows) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.readable(ctx); err != nil {
		return err
	}
	err := m.db.each(ctx, query, args, row)
	if err != nil && m.loading.Load() && !errors.Is(translate(err), ErrCorrupt) {
		return nil // a first load has just taken the indexes away: there is nothing to read
	}
	return m.checked(err)
}

func (h *handles) each(ctx context.Context, query string, args []any, row func(*sql.Rows) error) error {
	return despiteNewSchema(func() (*sql.Rows, error) {
		s, err := h.prepared(query) //nolint:sqlclosecheck // kept prepared, closed with the mirror
		if err != nil {
			return nil, err
		}
		return s.QueryContext(ctx, args...)
	}, row)
}

// despiteNewSchema runs a query again that met an index in the making: SQLite
// does so itself, but not where virtual tables are involved.
func despiteNewSchema(query func() (*sql.Rows, error), row func(*sql.Rows) error) error {
	const schemaChanged, attempts = 17, 10
	for attempt := 1; ; attempt++ {
		n := 0
		err := func() error {
			rows, err := query()
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				n++
				if err := row(rows); err != nil {
					return err
				}
			}
			return rows.Err()
		}()
		var e *sqlite.Error
		if n > 0 || attempt == attempts || !errors.As(err, &e) || e.Code()&0xff != schemaChanged {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// row reads a single row into variables; none is directory.ErrNotFound.
func (m *Mirror) row(ctx context.Context, query string, args []any, into ...any) error {
	found := false
	err := m.each(ctx, query, args, func(r *sql.Rows) error {
		found = true
		return r.Scan(into...)
	})
	if err == nil && !found {
		err = directory.ErrNotFound
	}
	return err
}

// scan decodes one entry; more are further columns of the query.
func (m *Mirror) scan(r *sql.Rows, more ...any) (*directory.Entry, error) {
	var rank int
	var stable string
	var body sql.RawBytes
	if err := r.Scan(append([]any{&rank, &stable, &body}, more...)...); err != nil {
		return nil, err
	}
	id, err := m.idOf(rank, stable)
	if err != nil {
		return nil, err
	}
	return decode(id, body)
}

func (m *Mirror) idOf(rank int, stable string) (directory.ID, error) {
	if rank < 0 || rank >= len(m.opts.Directories) {
		return directory.ID{}, fmt.Errorf("%w: directory number %d", ErrCorrupt, rank)
	}
	return directory.ID{Directory: m.opts.Directories[rank].Name, Stable: stable}, nil
}

// entries reads all entries of a query. While a first load runs there are none.
func (m *Mirror) entries(ctx context.Context, query string, args ...any) ([]*directory.Entry, error) {
	if m.loading.Load() {
		return nil, m.Healthy()
	}
	var all []*directory.Entry
	err := m.each(ctx, query, args, func(r *sql.Rows) error {
		e, err := m.scan(r)
		all = append(all, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// single is entries for a query that gives one at most.
func (m *Mirror) single(ctx context.Context, query string, args ...any) (*directory.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, err := m.entries(context.WithoutCancel(ctx), query, args...)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, directory.ErrNotFound
	}
	return all[0], nil
}

// Get gives the entry with that ID, also a shadowed person or a container.
func (m *Mirror) Get(ctx context.Context, id directory.ID) (*directory.Entry, error) {
	rank, err := m.rank(id.Directory)
	if err != nil {
		return nil, directory.ErrNotFound
	}
	return m.single(ctx, "SELECT "+columns+" FROM entry e WHERE e.stable=? AND e.dir=?", id.Stable, rank)
}

// ByDN gives the entry of a directory with that DN, in the form of
// Options.DNKey.
func (m *Mirror) ByDN(ctx context.Context, dir, dnKey string) (*directory.Entry, error) {
	rank, err := m.rank(dir)
	if err != nil {
		return nil, err
	}
	return m.single(ctx, "SELECT "+columns+" FROM entry e WHERE e.path=? AND e.dir=? ORDER BY e.id LIMIT 1",
		pathOf(dnKey, m.opts.ParentKey), rank)
}

// ByLogin gives the people with that login name (with its suffix), whatever its
// letter case: none, one, or several of one directory, which is ambiguous.
func (m *Mirror) ByLogin(ctx context.Context, login string) ([]*directory.Entry, error) {
	name := foldLogin(login)
	if name == "" {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return m.entries(context.WithoutCancel(ctx),
		"SELECT "+columns+" FROM entry e WHERE e.list=1 AND e.name=? ORDER BY e.dir, e.id LIMIT 100", name)
}

// GroupByName gives the groups of that name: those spelled so first, then those
// that differ in letter case, each in the order of the directories.
func (m *Mirror) GroupByName(ctx context.Context, name string) ([]*directory.Entry, error) {
	folded := foldName(name)
	if folded == "" {
		return nil, nil
	}
	all, err := m.entries(ctx, "SELECT "+columns+" FROM entry e WHERE e.list=2 AND e.name=? ORDER BY e.dir, e.id LIMIT 1000", folded)
	if err != nil {
		return nil, err
	}
	name = strings.TrimSpace(name)
	ordered := make([]*directory.Entry, 0, len(all))
	for _, exact := range []bool{true, false} {
		for _, e := range all {
			if (strings.TrimSpace(e.Name) == name) == exact {
				ordered = append(ordered, e)
			}
		}
	}
	return ordered, nil
}

// ByMail gives the visible people who have that address among theirs, whatever
// its letter case; 100 at most.
func (m *Mirror) ByMail(ctx context.Context, mail string) ([]*directory.Entry, error) {
	return m.entries(ctx, "SELECT "+columns+` FROM link l CROSS JOIN entry e ON e.id=l.src
		WHERE l.rel=5 AND l.key=? AND l.target=0 AND e.list=1 ORDER BY l.src LIMIT 100`, foldName(mail))
}

// Shadowed tells whether a person is invisible because an earlier directory
// owns the login name.
func (m *Mirror) Shadowed(ctx context.Context, id directory.ID) (bool, error) {
	rank, err := m.rank(id.Directory)
	if err != nil {
		return false, directory.ErrNotFound
	}
	var list int
	err = m.row(ctx, "SELECT list FROM entry WHERE stable=? AND dir=?", []any{id.Stable, rank}, &list)
	return list == listShadowed, err
}

// Doubtful lists entries whose references may have changed on the server
// without any event, because what they refer to was renamed or deleted; limit
// at most. A feed should read them again (Apply clears the doubt).
func (m *Mirror) Doubtful(ctx context.Context, dir string, limit int) ([]directory.ID, error) {
	rank, err := m.rank(dir)
	if err != nil || m.loading.Load() {
		return nil, err
	}
	var ids []directory.ID
	err = m.each(ctx, "SELECT stable FROM entry WHERE refs=x'' AND dir=? LIMIT ?", []any{rank, limit}, func(r *sql.Rows) error {
		id := directory.ID{Directory: dir}
		err := r.Scan(&id.Stable)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// Count is the exact number of visible entries of a kind, in one directory or,
// with "", in all.
func (m *Mirror) Count(ctx context.Context, kind directory.Kind, dir string) (n int, err error) {
	if m.loading.Load() {
		return 0, m.Healthy()
	}
	if dir == "" {
		return n, m.row(ctx, "SELECT coalesce(sum(n), 0) FROM tally WHERE list=?", []any{int(kind)}, &n)
	}
	rank, err := m.rank(dir)
	if err != nil {
		return 0, err
	}
	return n, m.row(ctx, "SELECT coalesce(sum(n), 0) FROM tally WHERE list=? AND dir=?", []any{int(kind), rank}, &n)
}

// notFoundIsNil hides the error that only says that there is nothing.
func notFoundIsNil(err error) error {
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	return err
}
