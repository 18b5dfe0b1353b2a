package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"
)

// TableLocals is the table that a Watch names when the local data of a person
// changed; ID is the person's numeric id.
const TableLocals = "locals"

const maxActorLen = 255

// Status is the overlay on what the directory says of an account.
type Status struct {
	Terminated bool
	Locked     bool
	MustChange bool // must change the password before anything else
	Alert      bool // the administrator is told of each sign-in
}

// Local is what the database knows of a person. The zero Local is somebody of
// whom nothing is stored.
type Local struct {
	Status
	StatusBy string    // who set the status last; "" when nobody did
	StatusAt time.Time // when; zero when nobody did
	HasPIN   bool
	HasTOTP  bool
	Revision int64 // grows with every change
}

const localColumns = `terminated, locked, must_change, alert, status_by, status_at,
	pin_hash IS NOT NULL, totp_secret IS NOT NULL, revision`

func (l *Local) fields(at *int64) []any {
	return []any{
		&l.Terminated, &l.Locked, &l.MustChange, &l.Alert, &l.StatusBy, at,
		&l.HasPIN, &l.HasTOTP, &l.Revision,
	}
}

// Local reads what is stored of a person; somebody unknown is the zero Local.
func (s *Store) Local(ctx context.Context, uid int64) (Local, error) {
	var l Local
	var at int64
	err := s.one(ctx, "local data", "SELECT "+localColumns+" FROM locals WHERE uid = ?", []any{uid}, l.fields(&at)...)
	if isNotFound(err) {
		return Local{}, nil
	}
	l.StatusAt = when(at)
	return l, err
}

// Locals is Local for many; who has nothing stored is absent from the map.
func (s *Store) Locals(ctx context.Context, uids []int64) (map[int64]Local, error) {
	found := make(map[int64]Local)
	return found, eachUIDChunk(uids, func(args []any) error {
		query := "SELECT uid, " + localColumns + " FROM locals WHERE uid IN (" + numbersIn(len(args)) + ")"
		return s.many(ctx, "local data", query, args, func(rows *sql.Rows) error {
			var uid, at int64
			var l Local
			if err := rows.Scan(append([]any{&uid}, l.fields(&at)...)...); err != nil {
				return err
			}
			l.StatusAt = when(at)
			found[uid] = l
			return nil
		})
	})
}

// SetStatus replaces the overlay of a person; by says who did it. ErrNotFound
// when no person has that id.
func (s *Store) SetStatus(ctx context.Context, uid int64, status Status, by string) error {
	return s.ChangeStatus(ctx, uid, by, func(Status) Status { return status })
}

// ChangeStatus replaces the overlay by what change makes of it; two changes at
// the same time both have their effect. change may be called more than once.
// ErrNotFound when no person has that id.
func (s *Store) ChangeStatus(ctx context.Context, uid int64, by string, change func(Status) Status) error {
	return s.changeLocal(ctx, "status", uid, func(ctx context.Context, t *tx) error {
		var old Status
		err := t.row(ctx, "SELECT terminated, locked, must_change, alert FROM locals WHERE uid = ?", uid).
			Scan(&old.Terminated, &old.Locked, &old.MustChange, &old.Alert)
		if err != nil {
			return err
		}
		st := change(old)
		_, err = t.exec(ctx, `UPDATE locals SET terminated = ?, locked = ?, must_change = ?, alert = ?,
			status_by = ?, status_at = ? WHERE uid = ?`,
			st.Terminated, st.Locked, st.MustChange, st.Alert,
			clean(by, maxActorLen), micros(s.clock()), uid)
		return err
	})
}

// changeLocal locks the person, makes sure that there is a row, lets do change
// it, and tells everybody.
func (s *Store) changeLocal(ctx context.Context, what string, uid int64, do func(context.Context, *tx) error) error {
	return s.write(ctx, what, func(ctx context.Context, t *tx) error {
		var id int64
		if err := t.row(ctx, "SELECT id FROM person_ids WHERE id = ?"+s.dialect.forUpdate, uid).Scan(&id); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "INSERT INTO locals (uid) VALUES (?) ON CONFLICT (uid) DO NOTHING", uid); err != nil {
			return err
		}
		if err := do(ctx, t); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "UPDATE locals SET revision = revision + 1 WHERE uid = ?", uid); err != nil {
			return err
		}
		return t.changed(ctx, TableLocals, uid)
	})
}

// SetPINHash stores the slow salted hash of a person's PIN, as text; "" removes
// the PIN. ErrNotFound when no person has that id.
func (s *Store) SetPINHash(ctx context.Context, uid int64, hash string) error {
	value := sql.NullString{String: hash, Valid: hash != ""}
	return s.changeLocal(ctx, "PIN", uid, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE locals SET pin_hash = ? WHERE uid = ?", value, uid)
		return err
	})
}

// PINHash reads the hash of a person's PIN. ErrNotFound when there is none.
func (s *Store) PINHash(ctx context.Context, uid int64) (string, error) {
	var hash string
	err := s.one(ctx, "PIN", "SELECT pin_hash FROM locals WHERE uid = ? AND pin_hash IS NOT NULL", []any{uid}, &hash)
	return hash, err
}

// SetTOTPSecret stores a person's TOTP secret, encrypted; nil removes it.
// ErrNotFound when no person has that id.
func (s *Store) SetTOTPSecret(ctx context.Context, uid int64, secret []byte) error {
	var sealed []byte
	if len(secret) > 0 {
		sealed = s.box.seal(secret, "locals", "totp_secret", strconv.FormatInt(uid, 10))
	}
	return s.changeLocal(ctx, "TOTP secret", uid, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE locals SET totp_secret = ? WHERE uid = ?", sealed, uid)
		return err
	})
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
	secret, err := s.box.open(sealed, "locals", "totp_secret", strconv.FormatInt(uid, 10))
	if err != nil {
		return nil, s.fail(ctx, "TOTP secret", fmt.Errorf("%w: %w", ErrUnreadable, err))
	}
	return secret, nil
}
