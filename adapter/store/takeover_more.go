package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Pair is a manager and an employee, by number.
type Pair struct{ Manager, Employee int64 }

// MaxImport is the largest number of relations or records in one call of
// ImportManagers or ImportRecords.
const MaxImport = 500

// ImportManagers takes relations of another system over, each once, and gives
// the results in their order. With rehearse nothing is stored, and the people
// need not have their numbers yet. ErrNotFound when one of them is nobody.
func (s *Store) ImportManagers(ctx context.Context, source string, pairs []Pair, rehearse bool) ([]Result, error) {
	if len(pairs) > MaxImport {
		return nil, s.fail(ctx, "import managers", invalidf("%d at once", len(pairs)))
	}
	results := make([]Result, len(pairs))
	err := s.write(ctx, "import managers", func(ctx context.Context, t *tx) error {
		for i, p := range pairs {
			added, err := t.importManager(ctx, source, p, rehearse)
			if err != nil {
				return err
			}
			results[i] = TakenBefore
			if added {
				results[i] = TakenNow
			}
		}
		return nil
	})
	return results, err
}

func (t *tx) importManager(ctx context.Context, source string, p Pair, rehearse bool) (bool, error) {
	item := "manager/" + strconv.FormatInt(p.Manager, 10)
	var there int
	err := t.row(ctx, `SELECT (SELECT count(*) FROM imported WHERE source = ? AND uid = ? AND item = ?)
		+ (SELECT count(*) FROM managers WHERE manager_uid = ? AND employee_uid = ?)`,
		source, p.Employee, item, p.Manager, p.Employee).Scan(&there)
	if err != nil || there > 0 || rehearse {
		return there == 0, err
	}
	for _, uid := range []int64{min(p.Manager, p.Employee), max(p.Manager, p.Employee)} {
		if err := t.lockPerson(ctx, uid); err != nil {
			return false, err
		}
	}
	_, err = t.exec(ctx, "INSERT INTO managers (manager_uid, employee_uid) VALUES (?, ?)", p.Manager, p.Employee)
	if err == nil {
		err = t.remember(ctx, source, p.Employee, item, 0)
	}
	for _, uid := range []int64{p.Manager, p.Employee} {
		if err == nil {
			err = t.changed(ctx, TableManagers, uid)
		}
	}
	return true, err
}

// importedLog is the item that remembers how far a foreign log was taken over.
const importedLog = "log"

// ImportedLog gives the number of the last record of another system's log that
// was taken over, 0 when none was.
func (s *Store) ImportedLog(ctx context.Context, source string) (int64, error) {
	var last int64
	err := s.one(ctx, "imported log", "SELECT value FROM imported WHERE source = ? AND uid = 0 AND item = ?",
		[]any{source, importedLog}, &last)
	if isNotFound(err) {
		return 0, nil
	}
	return last, err
}

// ImportRecords takes a piece of another system's log over into the security
// log: the records after number from, up to number last. ErrConflict when the
// last piece did not end at from.
func (s *Store) ImportRecords(ctx context.Context, source string, from, last int64, records []Record) error {
	if len(records) > MaxImport || last <= from {
		return s.fail(ctx, "import log", invalidf("%d records, %d to %d", len(records), from, last))
	}
	return s.write(ctx, "import log", func(ctx context.Context, t *tx) error {
		// The counter is the lock: two imports at a time must not both write a piece.
		if _, err := t.lockCounter(ctx, KindPerson); err != nil {
			return err
		}
		before, err := t.imported(ctx, source, 0)
		if err != nil {
			return err
		}
		if before[importedLog] != from {
			return fmt.Errorf("%w: the log was taken over up to %d meanwhile", ErrConflict, before[importedLog])
		}
		if err := t.remember(ctx, source, 0, importedLog, last); err != nil {
			return err
		}
		return t.note(ctx, records)
	})
}

// HasKey tells whether an API key is stored here, in whatever state and for
// whatever API.
func (s *Store) HasKey(ctx context.Context, plain string) (bool, error) {
	var id int64
	err := s.one(ctx, "look for key", "SELECT id FROM api_keys WHERE hash = ?", []any{s.keyHash(plain)}, &id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
