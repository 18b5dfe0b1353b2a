package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const (
	maxAppNameLen = 255
	maxAppIconLen = 2048
	// maxLoginKeys bounds the sign-ins that applications may have begun.
	maxLoginKeys = 100_000
)

// PutOneTimeCode gives a person a code that can be taken once; it replaces the
// person's earlier one. ErrConflict when somebody else has that code now,
// ErrNotFound when no person has that id.
func (s *Store) PutOneTimeCode(ctx context.Context, uid int64, code string, expires time.Time) error {
	hash := mac(s.macs.oneTime, []byte(code))
	return s.write(ctx, "one-time code", func(ctx context.Context, t *tx) error {
		if err := t.lockPerson(ctx, uid); err != nil {
			return err
		}
		_, err := t.exec(ctx, "DELETE FROM onetime_codes WHERE uid = ? OR (hash = ? AND expires_at <= ?)",
			uid, hash, micros(s.clock()))
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "INSERT INTO onetime_codes (uid, hash, expires_at) VALUES (?, ?, ?)", uid, hash, micros(expires))
		return err
	})
}

// TakeOneTimeCode uses a code up and tells whose it was. Of several calls at the
// same time, in any process, one gets it. ErrNotFound.
func (s *Store) TakeOneTimeCode(ctx context.Context, code string) (uid int64, err error) {
	hash := mac(s.macs.oneTime, []byte(code))
	// Wrong codes are many in a flood, so they read and do not write.
	err = s.one(ctx, "one-time code", "SELECT uid FROM onetime_codes WHERE hash = ? AND expires_at > ?",
		[]any{hash, micros(s.clock())}, &uid)
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, "one-time code", func(ctx context.Context, t *tx) error {
		return t.row(ctx, "DELETE FROM onetime_codes WHERE hash = ? AND expires_at > ? RETURNING uid",
			hash, micros(s.clock())).Scan(&uid)
	})
	if err != nil {
		return 0, err
	}
	return uid, nil
}

// LoginKey is a sign-in that an application has begun.
type LoginKey struct {
	AppName string
	AppIcon string
	UID     int64 // 0 until somebody has signed in
	Expires time.Time
}

func (s *Store) loginKeyHash(code string) []byte { return mac(s.macs.loginKeys, []byte(code)) }

// AddLoginKey stores the keyed hash of a login code. ErrConflict when it is
// there already.
func (s *Store) AddLoginKey(ctx context.Context, code string, k LoginKey) error {
	return s.write(ctx, "login key", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "INSERT INTO login_keys (hash, app_name, app_icon, expires_at) VALUES (?, ?, ?, ?)",
			s.loginKeyHash(code), clean(k.AppName, maxAppNameLen), clean(k.AppIcon, maxAppIconLen), micros(k.Expires))
		return err
	})
}

// LoginKey reads a login code that has not run out. ErrNotFound.
func (s *Store) LoginKey(ctx context.Context, code string) (LoginKey, error) {
	var k LoginKey
	var uid sql.NullInt64
	var expires int64
	err := s.one(ctx, "login key", "SELECT app_name, app_icon, uid, expires_at FROM login_keys WHERE hash = ? AND expires_at > ?",
		[]any{s.loginKeyHash(code), micros(s.clock())}, &k.AppName, &k.AppIcon, &uid, &expires)
	k.UID, k.Expires = uid.Int64, when(expires)
	return k, err
}

// CompleteLoginKey ties a login code to a person, once, and keeps it until a new
// time. ErrNotFound when there is no such code or it ran out, ErrConflict when
// it was used.
func (s *Store) CompleteLoginKey(ctx context.Context, code string, uid int64, until time.Time, note ...Record) error {
	hash := s.loginKeyHash(code)
	return s.write(ctx, "login key", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "UPDATE login_keys SET uid = ?, expires_at = ? WHERE hash = ? AND uid IS NULL AND expires_at > ?",
			uid, micros(until), hash, micros(s.clock()))
		if err != nil {
			return err
		}
		if n == 1 {
			return t.note(ctx, note)
		}
		var used int
		err = t.row(ctx, "SELECT 1 FROM login_keys WHERE hash = ? AND expires_at > ?", hash, micros(s.clock())).Scan(&used)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return errors.Join(ErrConflict, err)
	})
}

// purgeCodes deletes codes that ran out, and of too many login codes those that
// run out first.
func (s *Store) purgeCodes(ctx context.Context) error {
	return s.write(ctx, "tidy codes", func(ctx context.Context, t *tx) error {
		now := micros(s.clock())
		if _, err := t.exec(ctx, "DELETE FROM onetime_codes WHERE expires_at <= ?", now); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "DELETE FROM login_keys WHERE expires_at <= ?", now); err != nil {
			return err
		}
		var rows int
		if err := t.row(ctx, "SELECT count(*) FROM login_keys").Scan(&rows); err != nil || rows <= maxLoginKeys {
			return err
		}
		_, err := t.exec(ctx, "DELETE FROM login_keys WHERE hash IN (SELECT hash FROM login_keys ORDER BY expires_at LIMIT ?)",
			rows-maxLoginKeys)
		return err
	})
}
