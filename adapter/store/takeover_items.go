package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// locals takes status, TOTP secret and PIN over.
func (t *takeover) locals(ctx context.Context) error {
	_, hadStatus := t.ledger["status"]
	status := t.in.StatusCode != 0 && (hadStatus || t.in.StatusCode != t.in.PlainStatus)
	if !status && t.in.TOTP == nil && !t.in.HasPIN {
		return nil
	}
	var here Local
	var at int64
	err := t.row(ctx, "SELECT "+localColumns+" FROM locals WHERE uid = ?", t.in.UID).Scan(here.fields(&at)...)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = t.exec(ctx, "INSERT INTO locals (uid) VALUES (?)", t.in.UID)
	}
	if err != nil {
		return err
	}
	if status {
		if err := t.status(ctx, here); err != nil {
			return err
		}
	}
	if t.in.TOTP != nil {
		if err := t.totp(ctx, here); err != nil {
			return err
		}
	}
	if t.in.HasPIN {
		return t.pin(ctx, here)
	}
	return nil
}

func (t *takeover) status(ctx context.Context, here Local) error {
	return t.once(ctx, "status", 0, t.in.StatusCode, TableLocals, func() (bool, error) {
		switch {
		case here.StatusBy != "" && here.StatusBy != t.in.Actor:
			return false, fmt.Errorf("%w: the status was set here by %s and stays", ErrConflict, here.StatusBy)
		case here.StatusBy != "" && here.Status == t.in.Status:
			return false, nil
		}
		_, err := t.exec(ctx, `UPDATE locals SET terminated = ?, locked = ?, must_change = ?, alert = ?,
			status_by = ?, status_at = ? WHERE uid = ?`,
			t.in.Status.Terminated, t.in.Status.Locked, t.in.Status.MustChange, t.in.Status.Alert,
			clean(t.in.Actor, maxActorLen), micros(t.store.clock()), t.in.UID)
		return true, err
	})
}

func (t *takeover) totp(ctx context.Context, here Local) error {
	return t.once(ctx, "totp", 0, 0, TableLocals, func() (bool, error) {
		if here.HasTOTP {
			return false, fmt.Errorf("%w: a TOTP secret was set here and stays", ErrConflict)
		}
		return true, t.setTOTP(ctx, t.in.UID, t.store.sealLocal(columnTOTP, t.in.UID, t.in.TOTP), 0)
	})
}

func (t *takeover) pin(ctx context.Context, here Local) error {
	return t.once(ctx, "pin", 0, 0, TableLocals, func() (bool, error) {
		switch {
		case here.HasPIN:
			return false, fmt.Errorf("%w: a PIN was set here and stays", ErrConflict)
		case t.in.PINHash == "" && !t.rehearse:
			return false, invalidf("the hash of the PIN is missing")
		}
		_, err := t.exec(ctx, "UPDATE locals SET pin_hash = ? WHERE uid = ?", t.in.PINHash, t.in.UID)
		return true, err
	})
}

func (t *takeover) permissions(ctx context.Context) error {
	for _, p := range t.in.Permissions {
		err := t.once(ctx, "permission", p.ID, 0, TablePermissions, func() (bool, error) {
			if _, err := t.definePermission(ctx, p); err != nil {
				return false, err
			}
			n, err := t.exec(ctx, `INSERT INTO user_permissions (uid, permission_id)
				SELECT ?, id FROM permissions WHERE code = ? ON CONFLICT DO NOTHING`, t.in.UID, p.Code)
			return n == 1, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// definePermission adds a permission unless its code is there.
func (t *tx) definePermission(ctx context.Context, p Permission) (bool, error) {
	n, err := t.exec(ctx, "INSERT INTO permissions (code, description) VALUES (?, ?) ON CONFLICT DO NOTHING",
		p.Code, clean(p.Description, maxDescriptionLen))
	return n == 1, err
}

// ImportPermission defines a permission of another system unless the code is
// there, and tells whether it was missing. The caller has brought the code into
// its one form. With rehearse nothing is stored.
func (s *Store) ImportPermission(ctx context.Context, code, description string, rehearse bool) (bool, error) {
	var added bool
	err := s.write(ctx, "import permission", func(ctx context.Context, t *tx) (err error) {
		added, err = t.definePermission(ctx, Permission{Code: code, Description: description})
		if err == nil && rehearse {
			err = errRehearsal
		}
		return err
	})
	if errors.Is(err, errRehearsal) {
		err = nil
	}
	return added && err == nil, err
}

func (t *takeover) appPasswords(ctx context.Context) error {
	for _, p := range t.in.AppPasswords {
		err := t.once(ctx, "app password", p.ID, 0, "", func() (bool, error) {
			return t.importAppPassword(ctx, t.in.UID, p.Value, p.Description, fmt.Sprintf("%s:%d", t.in.Source, p.ID))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *takeover) mobileCodes(ctx context.Context) error {
	for _, c := range t.in.MobileCodes {
		err := t.once(ctx, "mobile code", c.ID, 0, "", func() (bool, error) {
			return t.importMobileCode(ctx, t.in.UID, c.Value, c.Description)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *takeover) notifications(ctx context.Context) error {
	for _, n := range t.in.Notifications {
		err := t.once(ctx, "notification", n.ID, 0, TableNotifications, func() (bool, error) {
			added, err := t.importNotification(ctx, t.in.UID, n.storable())
			if !added || err != nil || t.rehearse { // a rollback does not bring counters back
				return added, err
			}
			return true, t.skipTo(ctx, TableNotifications, n.ID)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
