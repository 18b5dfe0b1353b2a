package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// TableInvitations is the table that a Watch names when an invitation changed.
const TableInvitations = "invitations"

// MaxInvitations bounds the invitations that nobody has accepted yet.
const MaxInvitations = 10000

// InvitationState says what has become of an invitation.
type InvitationState string

// The states. Somebody is accepting one that is being taken; one that waits was
// accepted by the person and waits for an administrator.
const (
	InvitationPending   InvitationState = "pending"
	InvitationTaking    InvitationState = "taking"
	InvitationWaiting   InvitationState = "waiting"
	InvitationAccepted  InvitationState = "accepted"
	InvitationWithdrawn InvitationState = "withdrawn"
)

// Invitation asks somebody to have an account.
type Invitation struct {
	ID         int64 // from the numbers of people; the person's, once there is one
	State      InvitationState
	Mail       string // folded
	MailShown  string // as it was written
	GivenName  string
	FamilyName string
	Role       string
	Inviter    int64 // numeric id; 0: an administrator at the command line
	Username   string
	TimeZone   string
	UID        int64 // who accepted it
	Created    time.Time
	Expires    time.Time
}

const invitationColumns = `id, state, mail, mail_shown, given_name, family_name, role, inviter, username, time_zone,
	uid, created_at, expires_at`

func scanInvitation(scan func(...any) error) (Invitation, error) {
	var i Invitation
	var created, expires int64
	err := scan(&i.ID, &i.State, &i.Mail, &i.MailShown, &i.GivenName, &i.FamilyName, &i.Role, &i.Inviter, &i.Username, &i.TimeZone,
		&i.UID, &created, &expires)
	i.Created, i.Expires = when(created), when(expires)
	return i, err
}

func (s *Store) invitationHash(token string) []byte {
	return mac(s.macs.loginKeys, []byte("invitation"), []byte(token))
}

// Invite stores an invitation with the mail that carries its token; both or none.
// KeyID, unless 0, must still be a good key. ErrConflict when the address is
// invited already, ErrExhausted when too many wait, ErrKeyRefused.
func (s *Store) Invite(ctx context.Context, in Invitation, token string, mail *Message, keyID int64, note ...Record) (int64, error) {
	var id int64
	err := s.write(ctx, "invite", func(ctx context.Context, t *tx) error {
		now := micros(s.clock())
		var err error
		if id, err = t.lockCounter(ctx, KindPerson); err != nil {
			return err
		}
		if err := t.keyStillGood(ctx, keyID); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "UPDATE invitations SET state = ?, ended_at = ? WHERE mail = ? AND state = ? AND expires_at <= ?",
			InvitationWithdrawn, now, in.Mail, InvitationPending, now); err != nil {
			return err
		}
		var there, all int
		err = t.row(ctx, `SELECT count(CASE WHEN mail = ? THEN 1 END), count(*) FROM invitations WHERE state IN (?, ?, ?)`,
			in.Mail, InvitationPending, InvitationTaking, InvitationWaiting).Scan(&there, &all)
		switch {
		case err != nil:
			return err
		case there > 0:
			return fmt.Errorf("%w: the address is invited already", ErrConflict)
		case all >= MaxInvitations || id > MaxUID:
			return fmt.Errorf("%w: %d invitations are open", ErrExhausted, all)
		}
		_, err = t.exec(ctx, `INSERT INTO invitations (id, token, mail, mail_shown, given_name, family_name, role, inviter, created_at, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, s.invitationHash(token), in.Mail, in.MailShown, clean(in.GivenName, maxNameLen),
			clean(in.FamilyName, maxNameLen), in.Role, in.Inviter, now, micros(in.Expires))
		if err != nil {
			return err
		}
		if err := t.setCounter(ctx, KindPerson, id+1); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "INSERT INTO retired_ids (kind, id, retired_at) VALUES (?, ?, ?)", string(KindPerson), id, now); err != nil {
			return err
		}
		return t.endInvitation(ctx, id, mail, note)
	})
	return id, err
}

// endInvitation finishes a change of an invitation: the mail, who is told, the
// security log.
func (t *tx) endInvitation(ctx context.Context, id int64, mail *Message, note []Record) error {
	if mail != nil {
		if _, err := t.queueMail(ctx, *mail); err != nil {
			return err
		}
	}
	if err := t.changed(ctx, TableInvitations, id); err != nil {
		return err
	}
	for i := range note {
		if note[i].UID == 0 {
			note[i].UID = id
		}
	}
	return t.note(ctx, note)
}

// keyStillGood refuses a key that was revoked or has run out since it was shown.
func (t *tx) keyStillGood(ctx context.Context, id int64) error {
	if id == 0 {
		return nil
	}
	var revoked, expires int64
	if err := t.row(ctx, "SELECT revoked_at, expires_at FROM api_keys WHERE id = ?"+t.store.dialect.forUpdate, id).Scan(&revoked, &expires); err != nil {
		return err
	}
	if revoked != 0 || expires != 0 && expires <= micros(t.store.clock()) {
		return fmt.Errorf("%w: key %d", ErrKeyRefused, id)
	}
	return nil
}

// Invitation reads one by its number. ErrNotFound.
func (s *Store) Invitation(ctx context.Context, id int64) (Invitation, error) {
	return s.invitation(ctx, "id = ?", id)
}

// InvitationByToken reads the one that a token opens. ErrNotFound.
func (s *Store) InvitationByToken(ctx context.Context, token string) (Invitation, error) {
	return s.invitation(ctx, "token = ?", s.invitationHash(token))
}

func (s *Store) invitation(ctx context.Context, condition string, arg any) (i Invitation, err error) {
	err = s.oneFunc(ctx, "invitation", "SELECT "+invitationColumns+" FROM invitations WHERE "+condition, []any{arg},
		func(scan func(...any) error) (err error) {
			i, err = scanInvitation(scan)
			return err
		})
	return i, err
}

// Invitations lists those that are open, by number; with all also the others.
func (s *Store) Invitations(ctx context.Context, all bool) ([]Invitation, error) {
	var list []Invitation
	err := s.many(ctx, "invitations", "SELECT "+invitationColumns+` FROM invitations WHERE ? = 1 OR state IN (?, ?) OR state = ? AND expires_at > ?
		ORDER BY id LIMIT ?`, []any{oneIf(all), string(InvitationTaking), string(InvitationWaiting), string(InvitationPending), micros(s.clock()), 2 * MaxInvitations},
		func(rows *sql.Rows) error {
			i, err := scanInvitation(rows.Scan)
			list = append(list, i)
			return err
		})
	return list, err
}

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// RenewInvitation gives a pending invitation, also one that ran out, a new token
// and time, and queues its mail. ErrNotFound when it is not pending any more.
func (s *Store) RenewInvitation(ctx context.Context, id int64, token string, expires time.Time, mail *Message, note ...Record) error {
	return s.write(ctx, "renew invitation", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "UPDATE invitations SET token = ?, expires_at = ? WHERE id = ? AND state = ?",
			s.invitationHash(token), micros(expires), id, InvitationPending)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.endInvitation(ctx, id, mail, note)
	})
}

// WithdrawInvitation ends an open invitation. ErrNotFound when it is not open.
func (s *Store) WithdrawInvitation(ctx context.Context, id int64, note ...Record) error {
	return s.write(ctx, "withdraw invitation", func(ctx context.Context, t *tx) error {
		now := micros(s.clock())
		n, err := t.exec(ctx, `UPDATE invitations SET state = ?, ended_at = ? WHERE id = ? AND (state IN (?, ?) OR state = ? AND lease_at <= ?)`,
			InvitationWithdrawn, now, id, InvitationPending, InvitationWaiting, InvitationTaking, now)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.endInvitation(ctx, id, nil, note)
	})
}

// TakeInvitation lets one of several who accept at the same time go on, for the
// length of the lease. ErrNotFound for a token that opens nothing (any more),
// ErrConflict while somebody else is at it.
func (s *Store) TakeInvitation(ctx context.Context, token string, lease time.Duration) (Invitation, error) {
	var i Invitation
	err := s.write(ctx, "take invitation", func(ctx context.Context, t *tx) (err error) {
		now := s.clock()
		var lent int64
		hash := s.invitationHash(token)
		if err := t.row(ctx, "SELECT lease_at FROM invitations WHERE token = ?"+t.store.dialect.forUpdate, hash).Scan(&lent); err != nil {
			return err
		}
		if i, err = scanInvitation(t.row(ctx, "SELECT "+invitationColumns+" FROM invitations WHERE token = ?", hash).Scan); err != nil {
			return err
		}
		switch {
		case i.State != InvitationPending && i.State != InvitationTaking, !now.Before(i.Expires):
			return ErrNotFound
		case i.State == InvitationTaking && lent > micros(now):
			return fmt.Errorf("%w: somebody is accepting it", ErrConflict)
		}
		if _, err = t.exec(ctx, "UPDATE invitations SET state = ?, lease_at = ? WHERE id = ?", InvitationTaking, micros(now.Add(lease)), i.ID); err != nil {
			return err
		}
		return t.changed(ctx, TableInvitations, i.ID)
	})
	return i, err
}

// ReleaseInvitation gives back one that was taken: accepting it failed.
func (s *Store) ReleaseInvitation(ctx context.Context, id int64) error {
	return s.write(ctx, "release invitation", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE invitations SET state = ?, lease_at = 0 WHERE id = ? AND state = ?", InvitationPending, id, InvitationTaking)
		return err
	})
}

// WaitInvitation notes what the person chose, for an administrator to go on.
func (s *Store) WaitInvitation(ctx context.Context, id int64, username, timeZone string, note ...Record) error {
	return s.write(ctx, "invitation waits", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "UPDATE invitations SET state = ?, username = ?, time_zone = ?, lease_at = 0 WHERE id = ? AND state = ?",
			InvitationWaiting, clean(username, maxNameLen), timeZone, id, InvitationTaking)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		return t.endInvitation(ctx, id, nil, note)
	})
}

// AcceptInvitation ends an invitation that is being taken, or waits, with the
// person who accepted it: that person gets the invitation's number, unless he has
// one, and its role. It gives the number. ErrNotFound when it is neither.
func (s *Store) AcceptInvitation(ctx context.Context, id int64, who Subject, timeZone string, note ...Record) (int64, error) {
	uid := id
	err := s.write(ctx, "accept invitation", func(ctx context.Context, t *tx) error {
		now := micros(s.clock())
		if _, err := t.lockCounter(ctx, KindPerson); err != nil {
			return err
		}
		var role string
		err := t.row(ctx, "SELECT role FROM invitations WHERE id = ? AND state IN (?, ?)"+t.store.dialect.forUpdate,
			id, InvitationTaking, InvitationWaiting).Scan(&role)
		if err != nil {
			return err
		}
		uid = id
		err = t.row(ctx, "SELECT id FROM person_ids WHERE directory = ? AND stable = ?", who.Directory, who.Stable).Scan(&uid)
		if errors.Is(err, sql.ErrNoRows) {
			if _, err = t.exec(ctx, "DELETE FROM retired_ids WHERE kind = ? AND id = ?", string(KindPerson), id); err != nil {
				return err
			}
			_, err = t.exec(ctx, "INSERT INTO person_ids (id, directory, stable, name, created_at) VALUES (?, ?, ?, ?, ?)",
				id, who.Directory, who.Stable, clean(who.Name, maxNameLen), now)
		}
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO user_extras (uid, role, time_zone) VALUES (?, ?, ?)
			ON CONFLICT (uid) DO UPDATE SET role = excluded.role, time_zone = excluded.time_zone`, uid, role, timeZone)
		if err != nil {
			return err
		}
		if _, err = t.exec(ctx, "UPDATE invitations SET state = ?, uid = ?, ended_at = ?, lease_at = 0 WHERE id = ?", InvitationAccepted, uid, now, id); err != nil {
			return err
		}
		for _, table := range []string{TableIDs, TableUsers} {
			if err := t.changed(ctx, table, uid); err != nil {
				return err
			}
		}
		return t.endInvitation(ctx, id, nil, note)
	})
	return uid, err
}
