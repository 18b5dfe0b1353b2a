package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const (
	// MaxAppPasswords is the number of app passwords that a person may have.
	MaxAppPasswords = 50
	// MaxMobileCodes is the number of mobile codes that a person may have.
	MaxMobileCodes = 50
	// usedEvery is how exactly the last use of a password or code is stored.
	usedEvery = time.Minute
)

// Secret is an app password or a mobile code as stored: without the secret.
type Secret struct {
	ID          int64
	UID         int64
	Description string
	Created     time.Time
	LastUsed    time.Time // zero: never; exact to a minute
}

const secretColumns = "id, uid, description, created_at, used_at" //nolint:gosec // names of columns

func scanSecret(rows *sql.Rows, list *[]Secret) error {
	var p Secret
	var created, used int64
	err := rows.Scan(&p.ID, &p.UID, &p.Description, &created, &used)
	p.Created, p.LastUsed = when(created), when(used)
	*list = append(*list, p)
	return err
}

func (s *Store) appPasswordHash(uid int64, plain string) []byte {
	return mac(s.macs.appPasswords, uidBytes(uid), []byte(plain))
}

// AddAppPassword stores the keyed hash of a random app password. ErrNotFound
// when no person has that id, ErrConflict when there are MaxAppPasswords.
func (s *Store) AddAppPassword(ctx context.Context, uid int64, plain, description string, note ...Record) (int64, error) {
	var id int64
	err := s.write(ctx, "app password", func(ctx context.Context, t *tx) (err error) {
		err = t.roomFor(ctx, uid, "SELECT count(*) FROM app_passwords WHERE uid = ?", MaxAppPasswords)
		if err != nil {
			return err
		}
		err = t.row(ctx, "INSERT INTO app_passwords (uid, hash, description, created_at) VALUES (?, ?, ?, ?) RETURNING id",
			uid, s.appPasswordHash(uid, plain), clean(description, maxLabelLen), micros(s.clock())).Scan(&id)
		if err != nil {
			return err
		}
		return t.note(ctx, note)
	})
	return id, err
}

// roomFor locks a person who may have limit rows at most, as counted by query, and
// whose account is not being closed.
func (t *tx) roomFor(ctx context.Context, uid int64, query string, limit int) error {
	if err := t.lockPerson(ctx, uid); err != nil {
		return err
	}
	var n int
	if err := t.row(ctx, query, uid).Scan(&n); err != nil {
		return err
	}
	if n >= limit {
		return fmt.Errorf("%w: person %d has %d, no more are allowed", ErrConflict, uid, n)
	}
	return t.notClosing(ctx, uid)
}

// FindAppPassword finds a person's app password by its keyed hash and notes its
// use. ErrNotFound.
func (s *Store) FindAppPassword(ctx context.Context, uid int64, plain string) (int64, error) {
	var id, used int64
	err := s.one(ctx, "app password", "SELECT id, used_at FROM app_passwords WHERE uid = ? AND hash = ?",
		[]any{uid, s.appPasswordHash(uid, plain)}, &id, &used)
	if err != nil {
		return 0, err
	}
	return id, s.touch(ctx, "UPDATE app_passwords SET used_at = ? WHERE id = ?", id, used)
}

// touch stores the use of a secret, once a minute.
func (s *Store) touch(ctx context.Context, query string, id, used int64) error {
	now := s.clock()
	if ago := now.Sub(when(used)); used != 0 && ago >= 0 && ago < usedEvery {
		return nil
	}
	return s.write(ctx, "last use", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, query, micros(now), id)
		return err
	})
}

// ImportedHash is a slow hash that came from another system.
type ImportedHash struct {
	ID   int64
	Hash string
}

// ImportAppPassword takes over the slow hash of an app password. source names it
// in the other system: a second time changes nothing and gives false. ErrNotFound
// when no person has that id, ErrConflict when there are MaxAppPasswords.
func (s *Store) ImportAppPassword(ctx context.Context, uid int64, hash, description, source string) (bool, error) {
	if hash == "" || source == "" {
		return false, s.fail(ctx, "import app password", invalidf("hash and source must not be empty"))
	}
	var added bool
	err := s.write(ctx, "import app password", func(ctx context.Context, t *tx) (err error) {
		added, err = t.importAppPassword(ctx, uid, hash, description, source)
		return err
	})
	return added && err == nil, err
}

func (t *tx) importAppPassword(ctx context.Context, uid int64, hash, description, source string) (bool, error) {
	var there int
	if err := t.row(ctx, "SELECT count(*) FROM app_passwords WHERE source = ?", source).Scan(&there); err != nil || there > 0 {
		return false, err
	}
	err := t.roomFor(ctx, uid, "SELECT count(*) FROM app_passwords WHERE uid = ?", MaxAppPasswords)
	if err != nil {
		return false, err
	}
	n, err := t.exec(ctx, `INSERT INTO app_passwords (uid, hash, imported, description, source, created_at)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		uid, []byte(hash), true, clean(description, maxLabelLen), source, micros(t.store.clock()))
	return n == 1, err
}

// ImportedAppPasswords gives the hashes of a person's app passwords that still
// are as they were taken over.
func (s *Store) ImportedAppPasswords(ctx context.Context, uid int64) ([]ImportedHash, error) {
	var list []ImportedHash
	err := s.many(ctx, "app passwords", "SELECT id, hash FROM app_passwords WHERE uid = ? AND imported = ? ORDER BY id",
		[]any{uid, true}, func(rows *sql.Rows) error {
			var h ImportedHash
			var hash []byte
			err := rows.Scan(&h.ID, &hash)
			h.Hash = string(hash)
			list = append(list, h)
			return err
		})
	return list, err
}

// AdoptAppPassword replaces the hash of a password taken over by ours, now that
// the password is known.
func (s *Store) AdoptAppPassword(ctx context.Context, uid int64, old ImportedHash, plain string) error {
	return s.write(ctx, "app password", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE app_passwords SET hash = ?, imported = ?, used_at = ? WHERE id = ? AND uid = ? AND hash = ?",
			s.appPasswordHash(uid, plain), false, micros(s.clock()), old.ID, uid, []byte(old.Hash))
		return err
	})
}

// AppPasswords lists a person's app passwords by their ids.
func (s *Store) AppPasswords(ctx context.Context, uid int64) ([]Secret, error) {
	var list []Secret
	err := s.many(ctx, "app passwords", "SELECT "+secretColumns+" FROM app_passwords WHERE uid = ? ORDER BY id",
		[]any{uid}, func(rows *sql.Rows) error { return scanSecret(rows, &list) })
	return list, err
}

// RemoveAppPassword ends an app password of a person. ErrNotFound.
func (s *Store) RemoveAppPassword(ctx context.Context, uid, id int64, note ...Record) error {
	return s.removeOne(ctx, "app password", "DELETE FROM app_passwords WHERE uid = ? AND id = ?", []any{uid, id}, note)
}

// removeOne runs a query that must find exactly one row.
func (s *Store) removeOne(ctx context.Context, what, query string, args []any, note []Record) error {
	return s.write(ctx, what, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, query, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		return t.note(ctx, note)
	})
}
