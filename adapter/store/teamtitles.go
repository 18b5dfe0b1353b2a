package store

import (
	"context"
	"database/sql"
)

// TableTitles is the table that a Watch names when a role title changed; ID is
// the numeric id of the group.
const TableTitles = "team_titles"

// TeamTitle is what a person is called in a group.
type TeamTitle struct {
	GID, UID int64
	Title    string
}

// TeamTitles lists all role titles.
func (s *Store) TeamTitles(ctx context.Context) ([]TeamTitle, error) {
	var list []TeamTitle
	err := s.many(ctx, "role titles", "SELECT gid, uid, title FROM team_titles ORDER BY gid, uid", nil, func(rows *sql.Rows) error {
		var t TeamTitle
		err := rows.Scan(&t.GID, &t.UID, &t.Title)
		list = append(list, t)
		return err
	})
	return list, err
}

// SetTeamTitle sets the title of a person in a group; "" removes it. ErrNotFound
// when no person has that id.
func (s *Store) SetTeamTitle(ctx context.Context, gid, uid int64, title string, note ...Record) error {
	return s.write(ctx, "role title", func(ctx context.Context, t *tx) error {
		if err := t.lockPerson(ctx, uid); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM team_titles WHERE gid = ? AND uid = ?", gid, uid); err != nil {
			return err
		}
		if title != "" {
			if _, err := t.exec(ctx, "INSERT INTO team_titles (gid, uid, title) VALUES (?, ?, ?)", gid, uid, clean(title, maxLabelLen)); err != nil {
				return err
			}
		}
		if err := t.changed(ctx, TableTitles, gid); err != nil {
			return err
		}
		return t.note(ctx, note)
	})
}
