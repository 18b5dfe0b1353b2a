package mirror

import (
	"database/sql"

	"portico/directory"
)

// subtreeChunk is how many entries of a renamed container are rewritten at once.
const subtreeChunk = 500

// moved follows a known entry to its new DN. References to it stay: they name
// its row. What lies below it moves along, because no server tells of that.
func (t *tx) moved(old, now *row, dn string) error {
	if err := t.exec(doubt, now.id); err != nil {
		return err
	}
	if err := t.bindPath(now.path); err != nil {
		return err
	}
	return t.moveSubtree(now.dir, old.path, now.path, dn)
}

type below struct {
	id           int64
	stable, path string
	body         []byte
}

const (
	inSubtree  = `dir=? AND path>? AND path<?`
	belowQuery = `SELECT id, stable, path, body FROM entry WHERE path>? AND path<? AND dir=? ORDER BY path LIMIT ?`
)

// moveSubtree rewrites the DNs of everything below a path.
func (t *tx) moveSubtree(dir int, from, to, dn string) error {
	low, high := from+separator, from+separatorEnd
	var one int
	if any, err := t.one("SELECT 1 FROM entry WHERE "+inSubtree+" LIMIT 1", []any{dir, low, high}, &one); err != nil || !any {
		return err
	}
	err := t.exec(`UPDATE entry SET refs=x'' WHERE refs<>x'' AND id IN (SELECT l.src FROM entry e CROSS JOIN link l
		ON l.target=e.id AND l.target<>0 AND l.rel IN (1,3,4) WHERE e.dir=? AND e.path>? AND e.path<?)`, dir, low, high)
	if err != nil {
		return err
	}
	for {
		var chunk []below
		err := t.each(belowQuery, []any{low, high, dir, subtreeChunk}, func(r *sql.Rows) error {
			var b below
			err := r.Scan(&b.id, &b.stable, &b.path, &b.body)
			chunk = append(chunk, b)
			return err
		})
		if err != nil {
			return err
		}
		for i := range chunk {
			if err := t.moveOne(dir, &chunk[i], from, to, dn); err != nil {
				return err
			}
			low = chunk[i].path
		}
		if len(chunk) < subtreeChunk {
			break
		}
	}
	return t.healSubtree(to)
}

func (t *tx) moveOne(dir int, b *below, from, to, dn string) error {
	id := directory.ID{Directory: t.m.opts.Directories[dir].Name, Stable: b.stable}
	e, err := decode(id, b.body)
	if err != nil {
		return err
	}
	e.DN = moveDN(e.DN, depth(b.path), depth(from), dn)
	t.touch(dir, b.stable)
	return t.exec("UPDATE entry SET path=?, body=? WHERE id=?", to+b.path[len(from):], encode(nil, e), b.id)
}

// healSubtree resolves the references that waited for the new DNs.
func (t *tx) healSubtree(to string) error {
	var paths []string
	err := t.each(`SELECT DISTINCT key FROM link WHERE rel IN (1,3,4) AND target=0 AND key>? AND key<?`,
		[]any{to + separator, to + separatorEnd}, func(r *sql.Rows) error {
			var p string
			err := r.Scan(&p)
			paths = append(paths, p)
			return err
		})
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := t.bindPath(p); err != nil {
			return err
		}
	}
	return nil
}
