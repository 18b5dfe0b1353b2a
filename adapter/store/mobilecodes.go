package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

func (s *Store) mobileCodeHash(plain string) []byte { return mac(s.macs.mobileCodes, []byte(plain)) }

// AddMobileCode stores the keyed hash of a random mobile code; the caller has
// brought the code into its one form. ErrNotFound when no person has that id,
// ErrConflict when the code is there already or there are MaxMobileCodes.
func (s *Store) AddMobileCode(ctx context.Context, uid int64, plain, description string, note ...Record) (int64, error) {
	var id int64
	err := s.write(ctx, "mobile code", func(ctx context.Context, t *tx) (err error) {
		id, err = t.addMobileCode(ctx, uid, plain, description)
		if err != nil {
			return err
		}
		return t.note(ctx, note)
	})
	return id, err
}

func (t *tx) addMobileCode(ctx context.Context, uid int64, plain, description string) (id int64, err error) {
	err = t.roomFor(ctx, uid, "SELECT count(*) FROM mobile_codes WHERE uid = ?", MaxMobileCodes)
	if err != nil {
		return 0, err
	}
	err = t.row(ctx, "INSERT INTO mobile_codes (uid, hash, description, created_at) VALUES (?, ?, ?, ?) RETURNING id",
		uid, t.store.mobileCodeHash(plain), clean(description, maxLabelLen), micros(t.store.clock())).Scan(&id)
	return id, err
}

// ImportMobileCode is AddMobileCode for a code of another system: a second time
// changes nothing and gives false. ErrConflict also when the code is somebody else's.
func (s *Store) ImportMobileCode(ctx context.Context, uid int64, plain, description string) (bool, error) {
	var added bool
	err := s.write(ctx, "import mobile code", func(ctx context.Context, t *tx) error {
		added = false
		var owner int64
		err := t.row(ctx, "SELECT uid FROM mobile_codes WHERE hash = ?", s.mobileCodeHash(plain)).Scan(&owner)
		switch {
		case err == nil && owner == uid:
			return nil
		case err == nil:
			return fmt.Errorf("%w: the code is of person %d", ErrConflict, owner)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		added = true
		_, err = t.addMobileCode(ctx, uid, plain, description)
		return err
	})
	return added && err == nil, err
}

// FindMobileCode tells whose mobile code that is and notes its use. ErrNotFound.
func (s *Store) FindMobileCode(ctx context.Context, plain string) (uid int64, err error) {
	var id, used int64
	err = s.one(ctx, "mobile code", "SELECT id, uid, used_at FROM mobile_codes WHERE hash = ?",
		[]any{s.mobileCodeHash(plain)}, &id, &uid, &used)
	if err != nil {
		return 0, err
	}
	return uid, s.touch(ctx, "UPDATE mobile_codes SET used_at = ? WHERE id = ?", id, used)
}

// MobileCodes lists a person's mobile codes by their ids.
func (s *Store) MobileCodes(ctx context.Context, uid int64) ([]Secret, error) {
	var list []Secret
	err := s.many(ctx, "mobile codes", "SELECT "+secretColumns+" FROM mobile_codes WHERE uid = ? ORDER BY id",
		[]any{uid}, func(rows *sql.Rows) error { return scanSecret(rows, &list) })
	return list, err
}

// RemoveMobileCode ends a mobile code of a person. ErrNotFound.
func (s *Store) RemoveMobileCode(ctx context.Context, uid, id int64, note ...Record) error {
	return s.removeOne(ctx, "mobile code", "DELETE FROM mobile_codes WHERE uid = ? AND id = ?", []any{uid, id}, note)
}
