package mirror

import (
	"strings"

	"portico/directory"
)

// bulk is a first load: while the file holds no entries that anybody could ask
// for, rows are only appended, by whoever writes; the last row of an entry
// counts. Its end drops the others, resolves references and builds the indexes,
// in the transaction that completes the refresh. If the process dies before
// that, the file is begun anew.
type bulk struct {
	next    int64 // row id
	found   int64 // rows up to here are in the substring index
	removed bool  // there are rows that say "deleted"
	pending []any // arguments of rows that are not written yet
	links   []any // references, to be resolved at the end
	mails   []any
}

const (
	bulkRows  = 40 // rows of one statement
	bulkLinks = 80
	bulkFinds = 25_000 // rows that enter the substring index together, as one segment of it

	entryColumns = 16
	linkColumns  = 4
)

// values is an INSERT of n rows of so many columns.
func values(insert string, columns, n int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + "),"
	return insert + " VALUES " + strings.TrimSuffix(strings.Repeat(row, n), ",")
}

var (
	bulkEntryOne, bulkEntryMany = bulkStatements("INSERT INTO entry", entryColumns, bulkRows)
	bulkLinkOne, bulkLinkMany   = bulkStatements("INSERT INTO stage", linkColumns, bulkLinks)
	bulkMailOne, bulkMailMany   = bulkStatements("INSERT OR IGNORE INTO link", linkColumns, bulkLinks)
)

func bulkStatements(insert string, columns, n int) (one, many string) {
	return values(insert, columns, 1), values(insert, columns, n)
}

// startBulk begins a first load if the file is empty.
func (t *tx) startBulk() error {
	var one int
	if any, err := t.one("SELECT 1 FROM entry LIMIT 1", nil, &one); err != nil || any {
		return err
	}
	if t.w.bulk == nil {
		t.m.loading.Store(true) // before any reader can miss the indexes
		t.m.listed.Store(false)
		if err := t.execAll(dropIndexes...); err != nil {
			return err
		}
		for _, x := range listIndexes {
			if err := t.exec("DROP INDEX IF EXISTS " + x.name); err != nil {
				return err
			}
		}
		err := t.execAll(
			"CREATE TABLE stage(src INTEGER NOT NULL, rel INTEGER NOT NULL, dir INTEGER NOT NULL, key TEXT NOT NULL)",
			"INSERT INTO meta(name, value) VALUES('loading', 'yes')",
			"DELETE FROM meta WHERE name='listed'",
			"INSERT INTO find_person(find_person, rank) VALUES('automerge', 0)",
			"INSERT INTO find_group(find_group, rank) VALUES('automerge', 0)",
			"INSERT INTO find_person(find_person, rank) VALUES('hashsize', 4000000)",
			"INSERT INTO find_group(find_group, rank) VALUES('hashsize', 4000000)",
		)
		if err != nil {
			return err
		}
	}
	t.w.bulk = &bulk{next: 1}
	return nil
}

// restartBulk throws away what an abandoned first load left.
func (t *tx) restartBulk() error {
	err := t.execAll("DELETE FROM entry", "DELETE FROM stage", "DELETE FROM link",
		"INSERT INTO find_person(find_person) VALUES('delete-all')",
		"INSERT INTO find_group(find_group) VALUES('delete-all')")
	if err != nil {
		return err
	}
	t.w.bulk = &bulk{next: 1}
	return nil
}

func (t *tx) execAll(statements ...string) error {
	for _, s := range statements {
		if err := t.exec(s); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) bulkPut(dir int, e *directory.Entry) (int64, error) {
	b := t.w.bulk
	r := t.newRow(dir, e)
	r.id = b.next
	b.next++
	b.pending = append(b.pending, r.id, r.dir, r.stable, r.list, r.path, r.name, r.display)
	b.pending = append(append(b.pending, r.more[:]...), r.refs, r.body)
	var err error
	t.linksOf(dir, e, func(l link) {
		if l.rel == relMail {
			b.mails = append(b.mails, r.id, l.rel, 0, l.key)
			return
		}
		b.links = append(b.links, r.id, l.rel, dir, l.key)
		if err == nil && len(b.links) >= bulkLinks*linkColumns {
			err = t.flush(&b.links, linkColumns, bulkLinks, bulkLinkOne, bulkLinkMany, false)
		}
	})
	if err != nil {
		return 0, err
	}
	if key := mark(dir, e); key != "" {
		b.links = append(b.links, r.id, relOfMark(e), dir, key)
	}
	return r.id, t.flushBulk(false)
}

func (t *tx) bulkRemove(dir int, stable string) error {
	b := t.w.bulk
	b.pending = append(b.pending, b.next, dir, stable, listGone, "", "", "", "", "", 0, 0, 0, 0, 0, []byte{}, []byte{})
	b.next++
	b.removed = true
	return t.flushBulk(false)
}

// flushBulk writes full statements, or everything.
func (t *tx) flushBulk(all bool) error {
	b := t.w.bulk
	if err := t.flush(&b.pending, entryColumns, bulkRows, bulkEntryOne, bulkEntryMany, all); err != nil {
		return err
	}
	if err := t.flush(&b.links, linkColumns, bulkLinks, bulkLinkOne, bulkLinkMany, all); err != nil {
		return err
	}
	if err := t.flush(&b.mails, linkColumns, bulkLinks, bulkMailOne, bulkMailMany, all); err != nil {
		return err
	}
	if all && b.next-b.found > bulkFinds {
		return t.findNew()
	}
	return nil
}

// findNew puts the rows that are new into the substring index. Its own order is
// that of the rows; in any other it would write a segment for each.
func (t *tx) findNew() error {
	b := t.w.bulk
	from := b.found
	b.found = b.next - 1
	err := t.exec(`INSERT INTO find_person(rowid, text) SELECT id, name || char(10) || display FROM entry NOT INDEXED
		WHERE id>? AND id<=? AND list=1 ORDER BY id`, from, b.found)
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO find_group(rowid, text) SELECT id, name FROM entry NOT INDEXED
		WHERE id>? AND id<=? AND list=2 ORDER BY id`, from, b.found)
}

func (t *tx) flush(args *[]any, columns, rows int, one, many string, all bool) error {
	a := *args
	for len(a) >= columns*rows {
		if err := t.exec(many, a[:columns*rows]...); err != nil {
			return err
		}
		a = a[columns*rows:]
	}
	for all && len(a) > 0 {
		if err := t.exec(one, a[:columns]...); err != nil {
			return err
		}
		a = a[columns:]
	}
	n := copy(*args, a)
	clear((*args)[n:])
	*args = (*args)[:n]
	return nil
}

// finishBulk makes an ordinary mirror of what was appended.
func (t *tx) finishBulk() error {
	if err := t.flushBulk(true); err != nil {
		return err
	}
	if err := t.findNew(); err != nil {
		return err
	}
	if t.w.bulk.removed || t.exec(stableIndex) != nil {
		if err := t.dropDoubles(); err != nil {
			return err
		}
		if err := t.exec(stableIndex); err != nil {
			return err
		}
	}
	if err := t.execAll(entryIndexes...); err != nil {
		return err
	}
	if err := t.exec(linkStaged); err != nil {
		return err
	}
	if err := t.primaryStaged(); err != nil {
		return err
	}
	if len(t.m.opts.Directories) > 1 {
		err := t.exec(`UPDATE entry SET list=11 WHERE list=1 AND name<>'' AND EXISTS(SELECT 1 FROM entry o
			WHERE o.list IN (1,11) AND o.name=entry.name AND o.dir<entry.dir)`)
		if err != nil {
			return err
		}
	}
	if err := t.execAll(linkIndexes...); err != nil {
		return err
	}
	if err := t.execAll(tallies...); err != nil {
		return err
	}
	t.w.bulk = nil
	t.all = true
	return t.execAll("DROP TABLE stage", "DELETE FROM meta WHERE name='loading'",
		"INSERT INTO find_person(find_person, rank) VALUES('automerge', 4)",
		"INSERT INTO find_group(find_group, rank) VALUES('automerge', 4)",
		"INSERT INTO find_person(find_person, rank) VALUES('hashsize', 1048576)",
		"INSERT INTO find_group(find_group, rank) VALUES('hashsize', 1048576)")
}

// linkStaged resolves all references at once, by the rules of bindPath and
// nameChanged. They come in the order of the rows and so of the table, nearly.
const linkStaged = `INSERT OR IGNORE INTO link(src, rel, target, key)
	SELECT src, rel, coalesce(target, 0), CASE WHEN target IS NULL THEN key ELSE '' END FROM (
		SELECT s.src, s.rel, s.key, CASE s.rel
			WHEN 2 THEN (SELECT CASE WHEN count(*)=1 THEN min(id) END FROM entry WHERE list=1 AND name=s.key AND dir=s.dir)
			ELSE coalesce((SELECT id FROM entry WHERE path=s.key AND dir=s.dir ORDER BY id LIMIT 1),
				(SELECT id FROM entry WHERE path=s.key ORDER BY dir, id LIMIT 1))
		END AS target FROM stage s WHERE s.rel<6)`

// dropDoubles leaves the last row of each entry, and none where that says that
// the entry was deleted.
func (t *tx) dropDoubles() error {
	err := t.execAll("DROP TABLE IF EXISTS temp.doubles", `CREATE TEMP TABLE doubles AS SELECT id FROM (
		SELECT id, list, row_number() OVER (PARTITION BY dir, stable ORDER BY id DESC) AS n FROM entry) WHERE n>1 OR list=0`)
	if err != nil {
		return err
	}
	ids, err := t.ids("SELECT id FROM temp.doubles")
	if err != nil {
		return err
	}
	for _, id := range ids {
		for _, s := range []string{
			"DELETE FROM find_person WHERE rowid=?", "DELETE FROM find_group WHERE rowid=?", "DELETE FROM entry WHERE id=?",
		} {
			if err := t.exec(s, id); err != nil {
				return err
			}
		}
	}
	return t.execAll("DELETE FROM stage WHERE src IN (SELECT id FROM temp.doubles)",
		"DELETE FROM link WHERE rel=5 AND src IN (SELECT id FROM temp.doubles)", "DROP TABLE temp.doubles")
}
