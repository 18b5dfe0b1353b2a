package store

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	columnTOTP        = "totp_secret"
	columnTOTPPending = "totp_pending"
)

// SetTOTPSecret stores a person's TOTP secret, encrypted; nil removes it. An
// enrolment that was begun ends. ErrNotFound when no person has that id.
func (s *Store) SetTOTPSecret(ctx context.Context, uid int64, secret []byte, note ...Record) error {
	var sealed []byte
	if len(secret) > 0 {
		sealed = s.sealLocal(columnTOTP, uid, secret)
	}
	return s.changeLocal(ctx, "TOTP secret", uid, note, func(ctx context.Context, t *tx) error {
		return t.setTOTP(ctx, uid, sealed, 0)
	})
}

// ResetTOTP removes a person's TOTP secret and ends the person's sessions: what
// was signed in with a factor that is gone is signed in no more.
func (s *Store) ResetTOTP(ctx context.Context, uid int64, note ...Record) error {
	return s.changeLocal(ctx, "TOTP secret", uid, note, func(ctx context.Context, t *tx) error {
		if err := t.setTOTP(ctx, uid, nil, 0); err != nil {
			return err
		}
		return t.endSessionsOf(ctx, uid)
	})
}

func (t *tx) setTOTP(ctx context.Context, uid int64, sealed []byte, step int64) error {
	_, err := t.exec(ctx, `UPDATE locals SET totp_secret = ?, totp_step = ?, totp_pending = NULL, totp_pending_until = 0
		WHERE uid = ?`, sealed, step, uid)
	return err
}

// TOTPSecret reads and decrypts a person's TOTP secret. ErrNotFound when
// there is none, ErrUnreadable.
func (s *Store) TOTPSecret(ctx context.Context, uid int64) ([]byte, error) {
	var sealed []byte
	err := s.one(ctx, "TOTP secret",
		"SELECT totp_secret FROM locals WHERE uid = ? AND totp_secret IS NOT NULL", []any{uid}, &sealed)
	if err != nil {
		return nil, err
	}
	secret, err := s.openLocal(columnTOTP, uid, sealed)
	return secret, s.fail(ctx, "TOTP secret", err)
}

// UseTOTPStep uses up a person's one-time password of that step and tells
// whether it was to be had: the steps of one secret only rise, for all
// processes together.
func (s *Store) UseTOTPStep(ctx context.Context, uid, step int64) (bool, error) {
	var won bool
	err := s.write(ctx, "TOTP step", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "UPDATE locals SET totp_step = ? WHERE uid = ? AND totp_secret IS NOT NULL AND totp_step < ?",
			step, uid, step)
		won = n == 1
		return err
	})
	return won && err == nil, err
}

// SetPendingTOTP stores a secret that is not in use until ConfirmTOTP; it
// replaces an earlier one. ErrNotFound when no person has that id.
func (s *Store) SetPendingTOTP(ctx context.Context, uid int64, secret []byte, until time.Time) error {
	sealed := s.sealLocal(columnTOTPPending, uid, secret)
	return s.changeLocal(ctx, "TOTP enrolment", uid, nil, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE locals SET totp_pending = ?, totp_pending_until = ? WHERE uid = ?",
			sealed, micros(until), uid)
		return err
	})
}

const pendingQuery = "SELECT totp_pending FROM locals WHERE uid = ? AND totp_pending IS NOT NULL AND totp_pending_until > ?"

// PendingTOTP reads the secret that a person still has to prove. ErrNotFound
// when there is none or it is too old, ErrUnreadable.
func (s *Store) PendingTOTP(ctx context.Context, uid int64) ([]byte, error) {
	var sealed []byte
	err := s.one(ctx, "TOTP enrolment", pendingQuery, []any{uid, micros(s.clock())}, &sealed)
	if err != nil {
		return nil, err
	}
	secret, err := s.openLocal(columnTOTPPending, uid, sealed)
	return secret, s.fail(ctx, "TOTP enrolment", err)
}

// ConfirmTOTP puts a pending secret into use, with the step that proved it as
// used. ErrNotFound when that secret is not the pending one any more.
func (s *Store) ConfirmTOTP(ctx context.Context, uid int64, secret []byte, step int64, note ...Record) error {
	return s.changeLocal(ctx, "TOTP enrolment", uid, note, func(ctx context.Context, t *tx) error {
		var sealed []byte
		if err := t.row(ctx, pendingQuery, uid, micros(s.clock())).Scan(&sealed); err != nil {
			return err
		}
		pending, err := s.openLocal(columnTOTPPending, uid, sealed)
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(pending, secret) != 1 {
			return fmt.Errorf("%w: another enrolment was begun", ErrNotFound)
		}
		return t.setTOTP(ctx, uid, s.sealLocal(columnTOTP, uid, secret), step)
	})
}

// sealLocal encrypts a secret for one column of a person's local data.
func (s *Store) sealLocal(column string, uid int64, secret []byte) []byte {
	return s.box.seal(secret, TableLocals, column, strconv.FormatInt(uid, 10))
}

func (s *Store) openLocal(column string, uid int64, sealed []byte) ([]byte, error) {
	secret, err := s.box.open(sealed, TableLocals, column, strconv.FormatInt(uid, 10))
	if err != nil {
		return nil, errors.Join(ErrUnreadable, err)
	}
	return secret, nil
}

// PINDigest is the keyed digest of a person's PIN, 32 bytes: what the slow hash
// is made of, so that the database alone is not enough to try all PINs.
func (s *Store) PINDigest(uid int64, pin string) []byte {
	return mac(s.macs.pins, uidBytes(uid), []byte(pin))
}

func uidBytes(uid int64) []byte { return strconv.AppendInt(nil, uid, 10) }
