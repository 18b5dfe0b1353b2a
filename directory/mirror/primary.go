package mirror

import (
	"database/sql"
	"strconv"

	"portico/directory"
)

// A primary group has members that it does not list: each person names it by its
// mark, and so the link belongs to the person although it leads from the group. It
// always keeps the mark as its key; while the group is not there its source is 0.

// mark is the key of an entry's primary group, or of a group itself; "" for none.
// Marks are those of one directory.
func mark(dir int, e *directory.Entry) string {
	if e.PrimaryGroup == "" {
		return ""
	}
	return strconv.Itoa(dir) + "/" + e.PrimaryGroup
}

// relOfMark is the relation that an entry's mark stands in.
func relOfMark(e *directory.Entry) int {
	if e.Kind == directory.KindGroup {
		return relMark
	}
	return relPrimary
}

// primary makes the stored primary group of a person, or the mark of a group, what
// the entry says, and tells whether that changed something.
func (t *tx) primary(r *row, e *directory.Entry) (bool, error) {
	want := mark(r.dir, e)
	if e.Kind == directory.KindGroup {
		return t.setMark(r, want)
	}
	if e.Kind != directory.KindPerson {
		return false, nil
	}
	var src int64
	var have string
	found, err := t.one("SELECT src, key FROM link WHERE target=? AND target<>0 AND rel=6", []any{r.id}, &src, &have)
	if err != nil || have == want {
		return false, err
	}
	if found {
		if err := t.exec("DELETE FROM link WHERE rel=6 AND src=? AND target=? AND key=?", src, r.id, have); err != nil {
			return false, err
		}
	}
	if want == "" {
		return true, nil
	}
	return true, t.exec(`INSERT INTO link(src, rel, target, key)
		SELECT coalesce((SELECT src FROM link WHERE rel=7 AND key=?1 AND target=0 ORDER BY src LIMIT 1), 0), 6, ?2, ?1`, want, r.id)
}

// setMark stores the mark of a group and takes in the people who wait for it.
func (t *tx) setMark(r *row, want string) (bool, error) {
	var have string
	if _, err := t.one("SELECT key FROM link WHERE rel=7 AND src=?", []any{r.id}, &have); err != nil || have == want {
		return false, err
	}
	if err := t.unmark(r.id); err != nil || want == "" {
		return true, err
	}
	if err := t.exec("INSERT INTO link(src, rel, target, key) VALUES(?,7,0,?)", r.id, want); err != nil {
		return false, err
	}
	return true, t.exec("UPDATE link SET src=? WHERE rel=6 AND src=0 AND key=?", r.id, want)
}

// unmark takes the mark from a group; who names it waits for another one.
func (t *tx) unmark(id int64) error {
	if err := t.exec("DELETE FROM link WHERE rel=7 AND src=?", id); err != nil {
		return err
	}
	return t.exec("UPDATE link SET src=0 WHERE rel=6 AND src=?", id)
}

// primaryGone forgets what an entry that is deleted says of primary groups.
func (t *tx) primaryGone(r *row) error {
	if r.list == listGroup {
		return t.unmark(r.id)
	}
	var held []string // the rows cannot be changed while they are read
	var sources []int64
	err := t.each("SELECT src, key FROM link WHERE target=? AND target<>0 AND rel=6", []any{r.id}, func(rows *sql.Rows) error {
		var src int64
		var key string
		err := rows.Scan(&src, &key)
		held, sources = append(held, key), append(sources, src)
		return err
	})
	for i := range held {
		if err == nil {
			err = t.exec("DELETE FROM link WHERE rel=6 AND src=? AND target=? AND key=?", sources[i], r.id, held[i])
		}
	}
	return err
}

// primaryStaged resolves the primary groups of a first load at once.
func (t *tx) primaryStaged() error {
	var one int
	if any, err := t.one("SELECT 1 FROM stage WHERE rel>=6 LIMIT 1", nil, &one); err != nil || !any {
		return err
	}
	return t.execAll("DROP TABLE IF EXISTS temp.marks",
		"CREATE TEMP TABLE marks(key TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID",
		"INSERT OR IGNORE INTO temp.marks SELECT key, src FROM stage WHERE rel=7 ORDER BY src",
		"INSERT OR IGNORE INTO link(src, rel, target, key) SELECT src, 7, 0, key FROM stage WHERE rel=7",
		`INSERT OR IGNORE INTO link(src, rel, target, key) SELECT coalesce(m.id, 0), 6, s.src, s.key
			FROM stage s LEFT JOIN temp.marks m ON m.key=s.key WHERE s.rel=6 ORDER BY 1, 3`,
		"DROP TABLE temp.marks")
}
