package mirror

import (
	"database/sql"
	"strconv"

	"portico/directory"
)

// link is a reference of an entry in the form in which it can be compared.
type link struct {
	rel int
	key string // path, login name or mail address
}

// linksOf lists the references of an entry, each once.
func (t *tx) linksOf(dir int, e *directory.Entry, each func(link)) {
	switch {
	case e.MembersByName:
		for _, name := range e.Members {
			each(link{relByName, t.m.login(dir, name)})
		}
	default:
		for _, dn := range e.Members {
			if dn != "" {
				each(link{relMember, t.w.keys.path(dn)})
			}
		}
	}
	for _, dn := range e.Attributes[directory.AttrManager] {
		if dn != "" {
			each(link{relManager, t.w.keys.path(dn)})
		}
	}
	for _, dn := range e.Attributes[directory.AttrOwner] {
		if dn != "" {
			each(link{relOwner, t.w.keys.path(dn)})
		}
	}
	if e.Kind != directory.KindPerson {
		return
	}
	for _, mail := range e.Attributes[directory.AttrMail] {
		if key := foldName(mail); key != "" {
			each(link{relMail, key})
		}
	}
}

// login is the login name that a member's name in that directory stands for.
func (m *Mirror) login(dir int, name string) string {
	name = foldLogin(name)
	if s := m.opts.Directories[dir].Suffix; s != "" && name != "" {
		name += "@" + s
	}
	return name
}

const linksNow = `SELECT l.rel, l.target, l.key,
	CASE WHEN l.target=0 THEN l.key WHEN l.rel=2 THEN e.name ELSE e.path END
	FROM link l LEFT JOIN entry e ON e.id=l.target WHERE l.rel IN (1,2,3,4,5) AND l.src=?`

// diffLinks makes the stored references of r what e says, writing only the
// difference, and tells whether there was one.
func (t *tx) diffLinks(r *row, e *directory.Entry) (bool, error) {
	want := make(map[link]bool)
	t.linksOf(r.dir, e, func(l link) { want[l] = true })
	type stored struct {
		rel    int
		target int64
		key    string
	}
	var gone []stored
	err := t.each(linksNow, []any{r.id}, func(rows *sql.Rows) error {
		var s stored
		var key sql.NullString
		if err := rows.Scan(&s.rel, &s.target, &s.key, &key); err != nil {
			return err
		}
		l := link{s.rel, key.String}
		if want[l] {
			delete(want, l)
		} else {
			gone = append(gone, s)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, s := range gone {
		if err := t.exec("DELETE FROM link WHERE src=? AND rel=? AND target=? AND key=?", r.id, s.rel, s.target, s.key); err != nil {
			return false, err
		}
	}
	for l := range want {
		if err := t.addLink(r, l); err != nil {
			return false, err
		}
	}
	return len(gone)+len(want) > 0, nil
}

// The entry that a DN means: one of the same directory before others, then by
// the order of the directories.
const (
	targetByPath = `SELECT coalesce((SELECT id FROM entry WHERE path=?1 AND dir=?2 ORDER BY id LIMIT 1),
		(SELECT id FROM entry WHERE path=?1 ORDER BY dir, id LIMIT 1), 0)`
	targetByName = `SELECT CASE WHEN count(*)=1 THEN min(id) ELSE 0 END FROM entry WHERE list IN (1,11) AND name=? AND dir=?`
)

func (t *tx) addLink(r *row, l link) error {
	var target int64
	var err error
	switch l.rel {
	case relMail:
	case relByName:
		_, err = t.one(targetByName, []any{l.key, r.dir}, &target)
	default:
		_, err = t.one(targetByPath, []any{l.key, r.dir}, &target)
	}
	if err != nil {
		return err
	}
	key := l.key
	if target != 0 {
		key = ""
	}
	return t.exec("INSERT OR IGNORE INTO link(src, rel, target, key) VALUES(?,?,?,?)", r.id, l.rel, target, key)
}

const healPath = `UPDATE OR REPLACE link SET target=?, key='' WHERE rel IN (1,3,4) AND key=? AND target=0`

// bindPath resolves the references to a DN after an entry came to it or left.
func (t *tx) bindPath(path string) error {
	at, err := t.ids("SELECT id FROM entry WHERE path=? ORDER BY dir, id", path)
	if err != nil {
		return err
	}
	switch len(at) {
	case 0:
		return nil
	case 1:
		return t.exec(healPath, at[0], path)
	}
	// Several directories, or a stale entry, claim the DN: everything that
	// means it is decided again.
	for _, id := range at {
		if err := t.unbindPath(id, path); err != nil {
			return err
		}
	}
	return t.exec(`UPDATE OR REPLACE link SET key='', target=(SELECT e.id FROM entry e WHERE e.path=?1
		ORDER BY e.dir<>(SELECT s.dir FROM entry s WHERE s.id=link.src), e.dir, e.id LIMIT 1)
		WHERE rel IN (1,3,4) AND key=?1 AND target=0`, path)
}

// departed keeps the references to an entry that is deleted for its own return
// only: whether the server dropped them too is not known, and a new entry with
// the old DN must not inherit them. The entries that refer are doubtful now.
func (t *tx) departed(r *row) error {
	if err := t.exec(doubt, r.id); err != nil {
		return err
	}
	return t.exec("UPDATE OR REPLACE link SET target=0, key=? WHERE target=? AND target<>0 AND rel IN (1,3,4)", departedKey(r), r.id)
}

// returned gives an entry back what departed kept for it.
func (t *tx) returned(r *row) error {
	return t.exec(healPath, r.id, departedKey(r))
}

func departedKey(r *row) string {
	return "\x03" + strconv.Itoa(r.dir) + "/" + r.stable
}

// doubt marks the entries that refer to a row by its DN: what the server says
// of them now may differ from what is stored, without any event.
const doubt = `UPDATE entry SET refs=x'' WHERE refs<>x'' AND id<>?1
	AND id IN (SELECT src FROM link WHERE target=?1 AND target<>0 AND rel IN (1,3,4))`

// unbindPath turns references to a row back into the text of its DN.
func (t *tx) unbindPath(id int64, path string) error {
	return t.exec("UPDATE OR REPLACE link SET target=0, key=? WHERE target=? AND target<>0 AND rel IN (1,3,4)", path, id)
}

// unbindName turns references by login name back into that name.
func (t *tx) unbindName(id int64, name string) error {
	return t.exec("UPDATE OR REPLACE link SET target=0, key=? WHERE target=? AND target<>0 AND rel=2", name, id)
}

// nameChanged resolves what depends on a login name after a person of the
// directory got or lost it: members by name, and who is shadowed.
func (t *tx) nameChanged(dir int, name string) error {
	if name == "" {
		return nil
	}
	ids, err := t.ids("SELECT id FROM entry WHERE list IN (1,11) AND name=? AND dir=?", name, dir)
	if err != nil {
		return err
	}
	if len(ids) == 1 {
		err = t.exec(`UPDATE OR REPLACE link SET target=?1, key='' WHERE target=0 AND rel=2 AND key=?2
			AND (SELECT dir FROM entry WHERE id=link.src)=?3`, ids[0], name, dir)
	} else {
		// Nobody, or two: a name that is ambiguous makes nobody a member.
		for _, id := range ids {
			if err = t.unbindName(id, name); err != nil {
				break
			}
		}
	}
	if err != nil || len(t.m.opts.Directories) == 1 {
		return err
	}
	return t.shadow(name)
}

// shadow decides which of the people with that login name are visible: those of
// the first directory that has one.
func (t *tx) shadow(name string) error {
	type holder struct {
		id     int64
		dir    int
		list   int
		stable string
	}
	var all []holder
	err := t.each("SELECT id, dir, list, stable FROM entry WHERE list IN (1,11) AND name=?", []any{name}, func(r *sql.Rows) error {
		var h holder
		err := r.Scan(&h.id, &h.dir, &h.list, &h.stable)
		all = append(all, h)
		return err
	})
	if err != nil || len(all) == 0 {
		return err
	}
	first := all[0].dir
	for _, h := range all {
		first = min(first, h.dir)
	}
	for _, h := range all {
		list := listPerson
		if h.dir != first {
			list = listShadowed
		}
		if list != h.list {
			if err := t.exec("UPDATE entry SET list=? WHERE id=?", list, h.id); err != nil {
				return err
			}
			t.touch(h.dir, h.stable)
		}
	}
	return nil
}
