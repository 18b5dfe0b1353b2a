package store

import (
	"context"
	"database/sql"
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
	Closing  bool  // the account is being disabled or deleted at this moment
	Closings int64 // how often sessions were ended because of a change of the account
	Revision int64 // grows with every change
}

// Overlay is the overlay as it holds at this moment: an account that is being
// closed is locked.
func (l Local) Overlay() Status {
	s := l.Status
	s.Locked = s.Locked || l.Closing
	return s
}

const localColumns = `terminated, locked, must_change, alert, status_by, status_at,
	pin_hash IS NOT NULL, totp_secret IS NOT NULL, closing <> 0, closings, revision`

func (l *Local) fields(at *int64) []any {
	return []any{
		&l.Terminated, &l.Locked, &l.MustChange, &l.Alert, &l.StatusBy, at,
		&l.HasPIN, &l.HasTOTP, &l.Closing, &l.Closings, &l.Revision,
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

// SetStatus replaces the overlay of a person; by says who did it. The records
// of note go into the security log together with the change, here and wherever
// a method takes them. ErrNotFound when no person has that id.
func (s *Store) SetStatus(ctx context.Context, uid int64, status Status, by string, note ...Record) error {
	return s.ChangeStatus(ctx, uid, by, func(Status) Status { return status }, note...)
}

// ChangeStatus replaces the overlay by what change makes of it; two changes at
// the same time both have their effect. The sessions of somebody terminated or
// locked end with it. change may be called more than once.
// ErrNotFound when no person has that id.
func (s *Store) ChangeStatus(ctx context.Context, uid int64, by string, change func(Status) Status, note ...Record) error {
	return s.changeLocal(ctx, "status", uid, note, func(ctx context.Context, t *tx) error {
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
		if err != nil || !st.Terminated && !st.Locked {
			return err
		}
		return t.endSessionsOf(ctx, uid)
	})
}

// changeLocal locks the person, makes sure that there is a row, lets do change
// it, notes it in the security log, and tells everybody.
func (s *Store) changeLocal(ctx context.Context, what string, uid int64, note []Record, do func(context.Context, *tx) error) error {
	return s.write(ctx, what, func(ctx context.Context, t *tx) error {
		if err := t.lockPerson(ctx, uid); err != nil {
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
		if err := t.changed(ctx, TableLocals, uid); err != nil {
			return err
		}
		return t.note(ctx, note)
	})
}

// lockPerson keeps other changes of a person's data waiting until t ends. No row
// when no person has that id.
func (t *tx) lockPerson(ctx context.Context, uid int64) error {
	var id int64
	return t.row(ctx, "SELECT id FROM person_ids WHERE id = ?"+t.store.dialect.forUpdate, uid).Scan(&id)
}

// SetPINHash stores the slow salted hash of a person's PIN, as text; "" removes
// the PIN. ErrNotFound when no person has that id.
func (s *Store) SetPINHash(ctx context.Context, uid int64, hash string, note ...Record) error {
	value := sql.NullString{String: hash, Valid: hash != ""}
	return s.changeLocal(ctx, "PIN", uid, note, func(ctx context.Context, t *tx) error {
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
