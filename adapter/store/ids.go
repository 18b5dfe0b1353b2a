package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"strings"
)

// Kind says whose numeric id is meant.
type Kind string

// The kinds. Each has ids of its own: person 7 and group 7 are unrelated.
const (
	KindPerson Kind = "person"
	KindGroup  Kind = "group"
)

// MaxUID is the largest numeric id that clients can hold.
const MaxUID = math.MaxInt32

const (
	idChunk     = 500 // subjects in one statement
	maxNameLen  = 255
	maxIDTexLen = 1024
)

// Subject is a person or group as the directory names it for ever, with the
// login or group name seen last.
type Subject struct {
	Directory string // name of the directory, not empty
	Stable    string // stable id within it, not empty
	Name      string // last seen name; "" when asking leaves the stored one
}

type subjectKey struct{ directory, stable string }

func (s Subject) key() subjectKey { return subjectKey{s.Directory, s.Stable} }

func (s Subject) valid() error {
	for _, text := range []string{s.Directory, s.Stable} {
		if text == "" || clean(text, maxIDTexLen) != text {
			return invalidf("directory %q, id %q", s.Directory, s.Stable)
		}
	}
	return nil
}

// idQueries are the queries of one kind.
type idQueries struct {
	byStable, byStables, insert, byUID, byUIDs, setName, setUID, putUID, analyze string
}

func (k Kind) queries() (idQueries, error) {
	switch k {
	case KindPerson:
		return idQueriesFor("person_ids"), nil
	case KindGroup:
		return idQueriesFor("group_ids"), nil
	}
	return idQueries{}, invalidf("kind %q", string(k))
}

// idQueriesFor puts the name of the table in; it is one of two constants.
func idQueriesFor(table string) idQueries {
	return idQueries{
		byStable:  "SELECT id, name FROM " + table + " WHERE directory = ? AND stable = ?",
		byStables: "SELECT stable, id, name FROM " + table + " WHERE directory = ? AND stable IN (",
		insert:    "INSERT INTO " + table + " (id, directory, stable, name, created_at) VALUES ",
		byUID:     "SELECT directory, stable, name FROM " + table + " WHERE id = ?",
		byUIDs:    "SELECT id, directory, stable, name FROM " + table + " WHERE id IN (",
		setName:   "UPDATE " + table + " SET name = ? WHERE directory = ? AND stable = ?",
		setUID:    "UPDATE " + table + " SET id = ? WHERE directory = ? AND stable = ?",
		putUID:    "INSERT INTO " + table + " (id, directory, stable, name, created_at) VALUES (?, ?, ?, ?, ?)",
		analyze:   "ANALYZE " + table,
	}
}

// known is what the database holds of a subject.
type known struct {
	uid  int64
	name string
}

// UIDs gives the numeric ids of subjects, in their order, each 1..MaxUID. Who
// has none yet gets one; an id is given out once and never again. The stored
// names follow those given. All missing ids are made in one transaction.
// Errors: ErrInvalid, ErrExhausted, ErrUnavailable.
func (s *Store) UIDs(ctx context.Context, kind Kind, subjects []Subject) ([]int64, error) {
	q, err := kind.queries()
	if err != nil {
		return nil, s.fail(ctx, "numeric ids", err)
	}
	for _, sub := range subjects {
		if err := sub.valid(); err != nil {
			return nil, s.fail(ctx, "numeric ids", err)
		}
	}
	have, err := s.knownUIDs(ctx, q, subjects)
	if err != nil {
		return nil, err
	}
	missing, renamed := missingAndRenamed(subjects, have)
	if len(missing) > 0 {
		err := s.write(ctx, "numeric ids", func(ctx context.Context, t *tx) error {
			return t.giveUIDs(ctx, kind, q, missing, have)
		})
		if err != nil {
			return nil, err
		}
		s.analyze(ctx, q.analyze, len(missing))
	}
	if len(renamed) > 0 {
		s.rename(ctx, q, renamed)
	}
	uids := make([]int64, len(subjects))
	for i, sub := range subjects {
		uids[i] = have[sub.key()].uid
	}
	return uids, nil
}

// knownUIDs reads what is there already, outside any transaction.
func (s *Store) knownUIDs(ctx context.Context, q idQueries, subjects []Subject) (map[subjectKey]known, error) {
	have := make(map[subjectKey]known, len(subjects))
	if len(subjects) == 1 {
		var k known
		sub := subjects[0]
		err := s.one(ctx, "numeric ids", q.byStable, []any{sub.Directory, sub.Stable}, &k.uid, &k.name)
		if isNotFound(err) {
			return have, nil
		}
		have[sub.key()] = k
		return have, err
	}
	return have, eachStableChunk(subjects, func(directory string, args []any) error {
		return s.many(ctx, "numeric ids", q.byStables+textsIn(len(args)-1)+")", args, scanKnown(directory, have))
	})
}

func scanKnown(directory string, have map[subjectKey]known) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var stable string
		var k known
		if err := rows.Scan(&stable, &k.uid, &k.name); err != nil {
			return err
		}
		have[subjectKey{directory, stable}] = k
		return nil
	}
}

// eachStableChunk calls do with the arguments of byStables: a directory and at
// most idChunk stable ids.
func eachStableChunk(subjects []Subject, do func(directory string, args []any) error) error {
	byDirectory := map[string][]any{}
	var order []string
	for _, sub := range subjects {
		if byDirectory[sub.Directory] == nil {
			order = append(order, sub.Directory)
		}
		byDirectory[sub.Directory] = append(byDirectory[sub.Directory], sub.Stable)
	}
	for _, directory := range order {
		for ids := byDirectory[directory]; len(ids) > 0; {
			n := min(len(ids), idChunk)
			args := append(make([]any, 0, n+1), directory)
			if err := do(directory, append(args, ids[:n]...)); err != nil {
				return err
			}
			ids = ids[n:]
		}
	}
	return nil
}

// missingAndRenamed sorts out who has no id, each once, and whose name changed.
func missingAndRenamed(subjects []Subject, have map[subjectKey]known) (missing, renamed []Subject) {
	seen := make(map[subjectKey]bool)
	for _, sub := range subjects {
		k, ok := have[sub.key()]
		name := clean(sub.Name, maxNameLen)
		switch {
		case seen[sub.key()]:
		case !ok:
			missing = append(missing, sub)
		case name != "" && name != k.name:
			renamed = append(renamed, sub)
		default:
			continue
		}
		seen[sub.key()] = true
	}
	return missing, renamed
}

// giveUIDs locks the counter, looks again who is still missing, and gives ids
// without a gap. have is completed.
func (t *tx) giveUIDs(ctx context.Context, kind Kind, q idQueries, missing []Subject, have map[subjectKey]known) error {
	next, err := t.lockCounter(ctx, kind)
	if err != nil {
		return err
	}
	err = eachStableChunk(missing, func(directory string, args []any) error {
		return t.each(ctx, q.byStables+textsIn(len(args)-1)+")", args, scanKnown(directory, have))
	})
	if err != nil {
		return err
	}
	first := next
	given := make(map[subjectKey]known, len(missing))
	args := make([]any, 0, idChunk*5)
	now := micros(t.store.clock())
	insert := func() error {
		if len(args) == 0 {
			return nil
		}
		_, err := t.exec(ctx, q.insert+rowMarks(len(args)/5, 5), args...)
		args = args[:0]
		return err
	}
	for _, sub := range missing {
		if _, ok := have[sub.key()]; ok {
			continue
		}
		if next > MaxUID {
			return fmt.Errorf("%w: kind %s", ErrExhausted, kind)
		}
		given[sub.key()] = known{uid: next}
		args = append(args, next, sub.Directory, sub.Stable, clean(sub.Name, maxNameLen), now)
		next++
		if len(args) == cap(args) {
			if err := insert(); err != nil {
				return err
			}
		}
	}
	if err := insert(); err != nil {
		return err
	}
	if next > first {
		if err := t.setCounter(ctx, kind, next); err != nil {
			return err
		}
	}
	// Only here: a repeated attempt must find have as the database is.
	maps.Copy(have, given)
	return nil
}

// lockCounter gives the next free id of a kind and keeps others from giving ids
// until the transaction ends.
func (t *tx) lockCounter(ctx context.Context, kind Kind) (int64, error) {
	var next int64
	err := t.row(ctx, "SELECT next_id FROM id_counters WHERE kind = ?"+t.store.dialect.forUpdate, string(kind)).Scan(&next)
	return next, err
}

func (t *tx) setCounter(ctx context.Context, kind Kind, next int64) error {
	_, err := t.exec(ctx, "UPDATE id_counters SET next_id = ? WHERE kind = ?", next, string(kind))
	return err
}

// analyze tells PostgreSQL at once that a table has grown a lot: until it looks
// by itself, a minute later, it would read the whole table for each question.
// It is a help only, so a failure costs nobody an answer.
func (s *Store) analyze(ctx context.Context, query string, grown int) {
	if s.dialect.name != dialectPostgres || grown < idChunk {
		return
	}
	if _, err := s.w.ExecContext(ctx, query); err != nil {
		s.log.Debug("statistics were not refreshed", "error", err)
	}
}

// rename stores the names seen last. They are a help for people who read the
// database, so a failure costs nobody an answer.
func (s *Store) rename(ctx context.Context, q idQueries, renamed []Subject) {
	err := s.write(ctx, "names", func(ctx context.Context, t *tx) error {
		for _, sub := range renamed {
			if _, err := t.exec(ctx, q.setName, clean(sub.Name, maxNameLen), sub.Directory, sub.Stable); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.Debug("last seen names were not stored", "count", len(renamed), "error", err)
	}
}

// UIDOf looks up the numeric id of a subject and makes none. ErrNotFound when it
// has none.
func (s *Store) UIDOf(ctx context.Context, kind Kind, directory, stable string) (int64, error) {
	q, err := kind.queries()
	if err != nil {
		return 0, s.fail(ctx, "numeric id", err)
	}
	var k known
	err = s.one(ctx, "numeric id", q.byStable, []any{directory, stable}, &k.uid, &k.name)
	return k.uid, err
}

// SubjectByUID tells who has a numeric id; ErrNotFound when nobody ever had it.
func (s *Store) SubjectByUID(ctx context.Context, kind Kind, uid int64) (Subject, error) {
	q, err := kind.queries()
	if err != nil {
		return Subject{}, s.fail(ctx, "numeric id", err)
	}
	var sub Subject
	err = s.one(ctx, "numeric id", q.byUID, []any{uid}, &sub.Directory, &sub.Stable, &sub.Name)
	return sub, err
}

// SubjectsByUID is SubjectByUID for many; unknown ids are absent from the map.
func (s *Store) SubjectsByUID(ctx context.Context, kind Kind, uids []int64) (map[int64]Subject, error) {
	q, err := kind.queries()
	if err != nil {
		return nil, s.fail(ctx, "numeric ids", err)
	}
	found := make(map[int64]Subject, len(uids))
	return found, eachUIDChunk(uids, func(args []any) error {
		return s.many(ctx, "numeric ids", q.byUIDs+numbersIn(len(args))+")", args, func(rows *sql.Rows) error {
			var uid int64
			var sub Subject
			if err := rows.Scan(&uid, &sub.Directory, &sub.Stable, &sub.Name); err != nil {
				return err
			}
			found[uid] = sub
			return nil
		})
	})
}

func eachUIDChunk(uids []int64, do func(args []any) error) error {
	for len(uids) > 0 {
		n := min(len(uids), idChunk)
		args := make([]any, n)
		for i, uid := range uids[:n] {
			args[i] = uid
		}
		if err := do(args); err != nil {
			return err
		}
		uids = uids[n:]
	}
	return nil
}

func trimID(sub Subject) Subject {
	sub.Name = clean(strings.TrimSpace(sub.Name), maxNameLen)
	return sub
}
