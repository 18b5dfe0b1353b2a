package mirror

import (
	"context"
	"database/sql"

	"portico/directory"
)

// Nested groups are followed by recursive queries whose rows are group numbers
// alone, joined by UNION: each group is entered once, so cycles and depth cost
// nothing and an answer is finite however groups contain one another.
const (
	// Groups that contain a row, directly or through groups.
	//nolint:gosec // a query
	upwards = `WITH RECURSIVE up(id) AS (
		SELECT l.src FROM link l WHERE l.target=?1 AND l.target<>0 AND l.rel IN (1,2,6)
		UNION SELECT l.src FROM up CROSS JOIN link l ON l.target=up.id AND l.target<>0 AND l.rel IN (1,2,6)) `
	// A group and the groups in it.
	downwards = `WITH RECURSIVE down(id) AS (
		SELECT ?1
		UNION SELECT e.id FROM down CROSS JOIN link l ON l.src=down.id AND l.rel IN (1,2)
			CROSS JOIN entry e ON e.id=l.target AND e.list=2) `
)

// rowOf is the row number of an entry; ErrNotFound while a first load runs.
func (m *Mirror) rowOf(ctx context.Context, id directory.ID) (int64, error) {
	rank, err := m.rank(id.Directory)
	if err != nil || m.loading.Load() {
		return 0, directory.ErrNotFound
	}
	var row int64
	err = m.row(ctx, "SELECT id FROM entry WHERE stable=? AND dir=?", []any{id.Stable, rank}, &row)
	return row, err
}

// related runs a query about one entry; ErrNotFound where it is not there.
func (m *Mirror) related(ctx context.Context, id directory.ID, query string) ([]*directory.Entry, error) {
	row, err := m.rowOf(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.entries(ctx, query, row)
}

// GroupsOf gives the groups that have an entry as a member, by name; with
// nested also those that have it through other groups. A group in a cycle is
// then among its own groups.
func (m *Mirror) GroupsOf(ctx context.Context, member directory.ID, nested bool) ([]*directory.Entry, error) {
	if nested {
		return m.related(ctx, member, upwards+"SELECT "+columns+` FROM up CROSS JOIN entry e ON e.id=up.id
			WHERE e.list=2 ORDER BY e.name, e.dir, e.id`)
	}
	return m.related(ctx, member, "SELECT "+columns+` FROM (SELECT DISTINCT src FROM link WHERE target=?1 AND target<>0 AND rel IN (1,2,6)) l
		CROSS JOIN entry e ON e.id=l.src WHERE e.list=2 ORDER BY e.name, e.dir, e.id`)
}

// SubgroupsOf gives the groups that are members of a group, by name; with
// nested those in them too, without the group itself.
func (m *Mirror) SubgroupsOf(ctx context.Context, group directory.ID, nested bool) ([]*directory.Entry, error) {
	if nested {
		return m.related(ctx, group, downwards+"SELECT "+columns+` FROM down CROSS JOIN entry e ON e.id=down.id
			WHERE e.id<>?1 ORDER BY e.name, e.dir, e.id`)
	}
	return m.related(ctx, group, "SELECT "+columns+` FROM link l CROSS JOIN entry e ON e.id=l.target
		WHERE l.src=?1 AND l.rel=1 AND e.list=2 AND e.id<>?1 ORDER BY e.name, e.dir, e.id`)
}

// MembersOf gives the visible people in a group, each once, in the order in
// which the mirror met them: up to limit (1..10000; 0 means 10000) after the
// position that the call before gave, and the next position, "" at the end.
func (m *Mirror) MembersOf(ctx context.Context, group directory.ID, nested bool, limit int, after string) (people []*directory.Entry, next string, err error) {
	row, err := m.rowOf(ctx, group)
	if err != nil {
		return nil, "", err
	}
	var from position
	if after != "" {
		if from, err = parsePosition(after); err != nil {
			return nil, "", err
		}
	}
	if limit <= 0 || limit > listLimit {
		limit = listLimit
	}
	// The inner queries give row numbers in their order, straight from the table.
	// The LIMIT that limits nothing keeps SQLite from dropping that order.
	query := "SELECT " + columns + `, e.id FROM (
			SELECT target FROM link WHERE src=?1 AND rel=1 AND target>?2
			UNION SELECT target FROM link WHERE src=?1 AND rel=2 AND target>?2
			UNION SELECT target FROM link WHERE src=?1 AND rel=6 AND target>?2 ORDER BY 1 LIMIT -1) l
		CROSS JOIN entry e ON e.id=l.target WHERE e.list=1 LIMIT ?3`
	if nested {
		query = downwards + "SELECT " + columns + `, e.id FROM (
				SELECT DISTINCT l.target AS target FROM down CROSS JOIN link l ON l.src=down.id AND l.rel IN (1,2,6) AND l.target>?2
				ORDER BY 1 LIMIT -1) l
			CROSS JOIN entry e ON e.id=l.target WHERE e.list=1 LIMIT ?3`
	}
	var last position
	err = m.each(ctx, query, []any{row, from.Row, limit + 1}, func(r *sql.Rows) error {
		if len(people) == limit {
			next = last.token()
			return nil
		}
		e, err := m.scan(r, &last.Row)
		people = append(people, e)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return people, next, nil
}

// CountMembers is the number of visible people in a group, each once.
func (m *Mirror) CountMembers(ctx context.Context, group directory.ID, nested bool) (n int, err error) {
	row, err := m.rowOf(ctx, group)
	if err != nil {
		return 0, err
	}
	query := `SELECT count(DISTINCT l.target) FROM link l CROSS JOIN entry e ON e.id=l.target
		WHERE l.src=?1 AND l.rel IN (1,2,6) AND e.list=1`
	if nested {
		query = downwards + `SELECT count(DISTINCT l.target) FROM down CROSS JOIN link l ON l.src=down.id AND l.rel IN (1,2,6)
			CROSS JOIN entry e ON e.id=l.target WHERE e.list=1`
	}
	return n, m.row(ctx, query, []any{row}, &n)
}

// IsMember tells whether a person or group is in a group.
func (m *Mirror) IsMember(ctx context.Context, group, member directory.ID, nested bool) (bool, error) {
	query := "SELECT EXISTS(SELECT 1 FROM link WHERE target=?1 AND target<>0 AND rel IN (1,2,6) AND src=?2)"
	if nested {
		query = upwards + "SELECT EXISTS(SELECT 1 FROM up WHERE id=?2)"
	}
	return m.holds(ctx, query, member, group)
}

// ManagedBy gives the visible people whose manager an entry is, by login name.
func (m *Mirror) ManagedBy(ctx context.Context, manager directory.ID) ([]*directory.Entry, error) {
	return m.related(ctx, manager, "SELECT "+columns+` FROM link l CROSS JOIN entry e ON e.id=l.src
		WHERE l.target=?1 AND l.target<>0 AND l.rel=3 AND e.list=1 ORDER BY e.name, e.dir, e.id`)
}

// ManagersOf gives the visible people who are managers of a person, by login name.
func (m *Mirror) ManagersOf(ctx context.Context, person directory.ID) ([]*directory.Entry, error) {
	return m.related(ctx, person, "SELECT "+columns+` FROM link l CROSS JOIN entry e ON e.id=l.target
		WHERE l.src=?1 AND l.rel=3 AND e.list=1 ORDER BY e.name, e.dir, e.id`)
}

// IsManagerOf tells whether one person is a direct manager of another.
func (m *Mirror) IsManagerOf(ctx context.Context, manager, employee directory.ID) (bool, error) {
	return m.holds(ctx, "SELECT EXISTS(SELECT 1 FROM link WHERE target=?1 AND target<>0 AND rel=3 AND src=?2)", manager, employee)
}

// OwnersOf gives the visible people and the groups that own a group, by name.
func (m *Mirror) OwnersOf(ctx context.Context, group directory.ID) ([]*directory.Entry, error) {
	return m.related(ctx, group, "SELECT "+columns+` FROM link l CROSS JOIN entry e ON e.id=l.target
		WHERE l.src=?1 AND l.rel=4 AND e.list IN (1,2) ORDER BY e.name, e.dir, e.id`)
}

// Referrers lists the entries of the same directory that refer to one by its DN, as
// a member, manager or owner, by stable id; none for an entry that is not there.
func (m *Mirror) Referrers(ctx context.Context, id directory.ID) (list []string, err error) {
	row, err := m.rowOf(ctx, id)
	if err != nil {
		return nil, notFoundIsNil(err)
	}
	err = m.each(ctx, `SELECT DISTINCT e.stable FROM link l CROSS JOIN entry e ON e.id=l.src
		WHERE l.target=?1 AND l.target<>0 AND l.rel IN (1,3,4) AND e.dir=(SELECT dir FROM entry WHERE id=?1)`, []any{row}, func(r *sql.Rows) error {
		var stable string
		err := r.Scan(&stable)
		list = append(list, stable)
		return err
	})
	return list, err
}

// holds answers a yes-or-no question about two entries; one that is not there
// makes it no.
func (m *Mirror) holds(ctx context.Context, query string, a, b directory.ID) (yes bool, err error) {
	one, err := m.rowOf(ctx, a)
	if err != nil {
		return false, notFoundIsNil(err)
	}
	other, err := m.rowOf(ctx, b)
	if err != nil {
		return false, notFoundIsNil(err)
	}
	return yes, m.row(ctx, query, []any{one, other}, &yes)
}
