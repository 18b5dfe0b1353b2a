package store

import (
	"context"
	"database/sql"
)

// personTables are the tables whose rows of a person ForgetPerson deletes, each
// with the column of the numeric id.
func personTables() []struct{ table, column string } {
	return []struct{ table, column string }{
		{"app_passwords", "uid"},
		{"mobile_codes", "uid"},
		{"onetime_codes", "uid"},
		{"login_keys", "uid"},
		{"user_permissions", "uid"},
		{"notifications", "uid"},
		{"collab_members", "uid"},
		{"team_titles", "uid"},
		{"user_extras", "uid"},
		{"public_keys", "uid"},
	}
}

// ForgetPerson deletes what is stored of a person, in one transaction: PIN, TOTP
// secret, app passwords, mobile and other codes, permissions, local relations
// and notifications; sessions end, and API keys that stand for the person are revoked. The numeric
// id and the status overlay stay: somebody terminated who comes back is still
// terminated. Twice is no error. ErrNotFound when no person has that id.
func (s *Store) ForgetPerson(ctx context.Context, uid int64, note ...Record) error {
	return s.changeLocal(ctx, "forget person", uid, note, func(ctx context.Context, t *tx) error { return t.forgetPerson(ctx, uid) })
}

func (t *tx) forgetPerson(ctx context.Context, uid int64) error {
	for _, p := range personTables() {
		if _, err := t.exec(ctx, "DELETE FROM "+p.table+" WHERE "+p.column+" = ?", uid); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, `UPDATE locals SET pin_hash = NULL, totp_secret = NULL, totp_step = 0,
		totp_pending = NULL, totp_pending_until = 0 WHERE uid = ?`, uid)
	if err != nil {
		return err
	}
	if err := t.endSessionsOf(ctx, uid); err != nil {
		return err
	}
	for _, table := range []string{TablePermissions, TableNotifications} {
		if err := t.changed(ctx, table, uid); err != nil {
			return err
		}
	}
	if err := t.forgetRelations(ctx, uid); err != nil {
		return err
	}
	return t.revokeKeysOf(ctx, uid)
}

func (t *tx) forgetRelations(ctx context.Context, uid int64) error {
	touched := []int64{uid}
	err := t.each(ctx, "SELECT manager_uid, employee_uid FROM managers WHERE manager_uid = ? OR employee_uid = ?",
		[]any{uid, uid}, func(rows *sql.Rows) error {
			var manager, employee int64
			err := rows.Scan(&manager, &employee)
			touched = append(touched, manager+employee-uid) // the other one
			return err
		})
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, "DELETE FROM managers WHERE manager_uid = ? OR employee_uid = ?", uid, uid); err != nil {
		return err
	}
	for _, id := range touched {
		if err := t.changed(ctx, TableManagers, id); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) revokeKeysOf(ctx context.Context, uid int64) error {
	var keys []int64
	err := t.each(ctx, "UPDATE api_keys SET revoked_at = ? WHERE user_uid = ? AND revoked_at = 0 RETURNING id",
		[]any{micros(t.store.clock()), uid}, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			keys = append(keys, id)
			return err
		})
	for _, id := range keys {
		if err == nil {
			err = t.changed(ctx, TableKeys, id)
		}
	}
	return err
}
