package mirror

import (
	"context"
	"database/sql"
	"encoding/json"

	"portico/directory"
)

// batchLimit is how many ids one call may name.
const batchLimit = 10000

// stablesOf is a JSON list of the permanent ids, for json_each: one bound
// parameter however many there are.
func stablesOf(ids []directory.ID) (string, error) {
	stable := make([]string, 0, len(ids))
	for _, id := range ids[:min(len(ids), batchLimit)] {
		if plainText(id.Stable) {
			stable = append(stable, id.Stable)
		}
	}
	b, err := json.Marshal(stable)
	return string(b), err
}

func asSet(ids []directory.ID) map[directory.ID]bool {
	set := make(map[directory.ID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// GetMany gives the visible people, the groups and the containers with those ids,
// 10,000 at most, in no order. Ids of nothing are left out.
func (m *Mirror) GetMany(ctx context.Context, ids []directory.ID) ([]*directory.Entry, error) {
	list, err := stablesOf(ids)
	if err != nil {
		return nil, err
	}
	all, err := m.entries(ctx, "SELECT "+columns+` FROM json_each(?) j CROSS JOIN entry e ON e.stable=j.value WHERE e.list<10`, list)
	if err != nil {
		return nil, err
	}
	asked, found := asSet(ids), all[:0]
	for _, e := range all {
		if asked[e.ID] {
			delete(asked, e.ID) // each once
			found = append(found, e)
		}
	}
	return found, nil
}

// GroupsOfMany gives for each of the entries, 10,000 at most, the groups that have
// it as a direct member, by name. Who is in none is left out.
func (m *Mirror) GroupsOfMany(ctx context.Context, ids []directory.ID) (map[directory.ID][]*directory.Entry, error) {
	return m.relatedMany(ctx, ids, `link l ON l.target=x.id AND l.target<>0 AND l.rel IN (1,2,6) CROSS JOIN entry e ON e.id=l.src AND e.list=2`)
}

// ManagersOfMany gives for each of the people, 10,000 at most, the visible
// managers, by login name. Who has none is left out.
func (m *Mirror) ManagersOfMany(ctx context.Context, ids []directory.ID) (map[directory.ID][]*directory.Entry, error) {
	return m.relatedMany(ctx, ids, `link l ON l.src=x.id AND l.rel=3 AND l.target<>0 CROSS JOIN entry e ON e.id=l.target AND e.list=1`)
}

// relatedMany joins what belongs to each of many entries x. An entry that
// belongs to many of them is decoded once.
func (m *Mirror) relatedMany(ctx context.Context, ids []directory.ID, join string) (map[directory.ID][]*directory.Entry, error) {
	if m.loading.Load() {
		return nil, m.Healthy()
	}
	list, err := stablesOf(ids)
	if err != nil {
		return nil, err
	}
	asked := asSet(ids)
	related := make(map[directory.ID][]*directory.Entry)
	decoded := make(map[int64]*directory.Entry)
	err = m.each(ctx, `SELECT x.dir, x.stable, e.id, e.dir, e.stable, e.body FROM json_each(?) j CROSS JOIN entry x ON x.stable=j.value
		CROSS JOIN `+join+` ORDER BY x.id, e.name, e.dir, e.id`, []any{list}, func(r *sql.Rows) error {
		var rank, dir int
		var row int64
		var of, stable string
		var body sql.RawBytes
		if err := r.Scan(&rank, &of, &row, &dir, &stable, &body); err != nil {
			return err
		}
		id, err := m.idOf(rank, of)
		if err != nil || !asked[id] {
			return err
		}
		e := decoded[row]
		if e == nil {
			named, err := m.idOf(dir, stable)
			if err != nil {
				return err
			}
			if e, err = decode(named, body); err != nil {
				return err
			}
			decoded[row] = e
		}
		if had := related[id]; len(had) == 0 || had[len(had)-1] != e { // a member twice, by DN and by name
			related[id] = append(had, e)
		}
		return nil
	})
	return related, err
}

// MemberIDs names the visible people and the groups that are direct members of a
// group, each once, in the order in which the mirror met them: up to limit
// (1..10000; 0 means 10000) after the position that the call before gave, and
// the next position, "" at the end. Nothing is read but ids. The position is good
// for this mirror file only.
func (m *Mirror) MemberIDs(ctx context.Context, group directory.ID, limit int, after string) (members []directory.Reference, next string, err error) {
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
	err = m.each(ctx, `SELECT e.id, e.dir, e.stable, e.list FROM (
			SELECT target FROM link WHERE src=?1 AND rel=1 AND target>?2
			UNION SELECT target FROM link WHERE src=?1 AND rel=2 AND target>?2
			UNION SELECT target FROM link WHERE src=?1 AND rel=6 AND target>?2 ORDER BY 1 LIMIT -1) l
		CROSS JOIN entry e ON e.id=l.target WHERE e.list IN (1,2) LIMIT ?3`, []any{row, from.Row, limit + 1}, func(r *sql.Rows) error {
		if len(members) == limit {
			next = (&position{Row: from.Row}).token()
			return nil
		}
		var rank, list int
		var stable string
		if err := r.Scan(&from.Row, &rank, &stable, &list); err != nil {
			return err
		}
		id, err := m.idOf(rank, stable)
		members = append(members, directory.Reference{ID: id, Kind: directory.Kind(list)})
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return members, next, nil
}

// CountMemberIDs is the number of what MemberIDs names.
func (m *Mirror) CountMemberIDs(ctx context.Context, group directory.ID) (n int, err error) {
	row, err := m.rowOf(ctx, group)
	if err != nil {
		return 0, err
	}
	return n, m.row(ctx, `SELECT count(DISTINCT l.target) FROM link l CROSS JOIN entry e ON e.id=l.target
		WHERE l.src=?1 AND l.rel IN (1,2,6) AND e.list IN (1,2)`, []any{row}, &n)
}

// AreMembers tells which of the entries, 10,000 at most, are direct members of a
// group: one look-up each, however large the group is.
func (m *Mirror) AreMembers(ctx context.Context, group directory.ID, ids []directory.ID) (map[directory.ID]bool, error) {
	row, err := m.rowOf(ctx, group)
	if err != nil {
		return nil, err
	}
	list, err := stablesOf(ids)
	if err != nil {
		return nil, err
	}
	asked, members := asSet(ids), make(map[directory.ID]bool)
	err = m.each(ctx, `SELECT e.dir, e.stable FROM json_each(?) j CROSS JOIN entry e ON e.stable=j.value
		WHERE EXISTS(SELECT 1 FROM link l WHERE l.src=? AND l.rel IN (1,2,6) AND l.target=e.id)`, []any{list, row}, func(r *sql.Rows) error {
		var rank int
		var stable string
		if err := r.Scan(&rank, &stable); err != nil {
			return err
		}
		id, err := m.idOf(rank, stable)
		if err == nil && asked[id] {
			members[id] = true
		}
		return err
	})
	return members, err
}
