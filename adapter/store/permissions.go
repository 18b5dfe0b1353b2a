package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const (
	// TablePermissions is the table that a Watch names when the permissions of a
	// person changed; ID is the person's numeric id.
	TablePermissions = "user_permissions"
	// TableManagers is the table that a Watch names when the local managers or
	// employees of a person changed; ID is the person's numeric id.
	TableManagers = "managers"

	maxDescriptionLen = 1000
)

// Permission is a permission code that applications ask for.
type Permission struct {
	ID          int64
	Code        string // upper case
	Description string
}

func scanPermission(rows *sql.Rows, list *[]Permission) error {
	var p Permission
	err := rows.Scan(&p.ID, &p.Code, &p.Description)
	*list = append(*list, p)
	return err
}

// Permissions lists all permissions that are defined, by id.
func (s *Store) Permissions(ctx context.Context) ([]Permission, error) {
	var list []Permission
	err := s.many(ctx, "permissions", "SELECT id, code, description FROM permissions ORDER BY id", nil,
		func(rows *sql.Rows) error { return scanPermission(rows, &list) })
	return list, err
}

// DefinePermission adds a permission, or changes the description of one. The
// caller has brought the code into its one form.
func (s *Store) DefinePermission(ctx context.Context, code, description string, note ...Record) (Permission, error) {
	p := Permission{Code: code, Description: clean(description, maxDescriptionLen)}
	err := s.write(ctx, "permission", func(ctx context.Context, t *tx) error {
		err := t.row(ctx, `INSERT INTO permissions (code, description) VALUES (?, ?)
			ON CONFLICT (code) DO UPDATE SET description = excluded.description RETURNING id`, p.Code, p.Description).Scan(&p.ID)
		if err != nil {
			return err
		}
		return t.note(ctx, note)
	})
	return p, err
}

// PermissionsOf lists the permissions of a person by code.
func (s *Store) PermissionsOf(ctx context.Context, uid int64) ([]Permission, error) {
	var list []Permission
	err := s.many(ctx, "permissions", `SELECT p.id, p.code, p.description FROM user_permissions u
		JOIN permissions p ON p.id = u.permission_id WHERE u.uid = ? ORDER BY p.code`, []any{uid},
		func(rows *sql.Rows) error { return scanPermission(rows, &list) })
	return list, err
}

// GrantPermission gives a person a permission and tells whether that changed
// anything; only then the records of note are written. ErrNotFound when there is
// no such person or code; the error names which.
func (s *Store) GrantPermission(ctx context.Context, uid int64, code string, note ...Record) (bool, error) {
	return s.changePermission(ctx, uid, code,
		"INSERT INTO user_permissions (uid, permission_id) VALUES (?, ?) ON CONFLICT DO NOTHING", note)
}

// RevokePermission takes a permission away and tells whether that changed
// anything. Errors are those of GrantPermission.
func (s *Store) RevokePermission(ctx context.Context, uid int64, code string, note ...Record) (bool, error) {
	return s.changePermission(ctx, uid, code, "DELETE FROM user_permissions WHERE uid = ? AND permission_id = ?", note)
}

func (s *Store) changePermission(ctx context.Context, uid int64, code, query string, note []Record) (bool, error) {
	var changed bool
	err := s.write(ctx, "permission", func(ctx context.Context, t *tx) error {
		changed = false
		if err := t.lockPerson(ctx, uid); err != nil {
			return err
		}
		var id int64
		err := t.row(ctx, "SELECT id FROM permissions WHERE code = ?", code).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%w: permission %q", ErrNotFound, code)
		}
		if err != nil {
			return err
		}
		n, err := t.exec(ctx, query, uid, id)
		if err != nil || n == 0 {
			return err
		}
		changed = true
		if err := t.changed(ctx, TablePermissions, uid); err != nil {
			return err
		}
		return t.note(ctx, note)
	})
	return changed && err == nil, err
}

// AddManager makes one person a manager of another and tells whether that
// changed anything; only then the records of note are written. ErrNotFound when
// one of them is nobody, ErrConflict when both are the same.
func (s *Store) AddManager(ctx context.Context, manager, employee int64, note ...Record) (bool, error) {
	return s.changeManager(ctx, manager, employee,
		"INSERT INTO managers (manager_uid, employee_uid) VALUES (?, ?) ON CONFLICT DO NOTHING", note)
}

// RemoveManager ends what AddManager made and tells whether there was anything.
func (s *Store) RemoveManager(ctx context.Context, manager, employee int64, note ...Record) (bool, error) {
	return s.changeManager(ctx, manager, employee, "DELETE FROM managers WHERE manager_uid = ? AND employee_uid = ?", note)
}

func (s *Store) changeManager(ctx context.Context, manager, employee int64, query string, note []Record) (bool, error) {
	var changed bool
	err := s.write(ctx, "manager", func(ctx context.Context, t *tx) error {
		changed = false
		// Always in the same order: no deadlock between processes.
		for _, uid := range []int64{min(manager, employee), max(manager, employee)} {
			if err := t.lockPerson(ctx, uid); err != nil {
				return err
			}
		}
		n, err := t.exec(ctx, query, manager, employee)
		if err != nil || n == 0 {
			return err
		}
		changed = true
		if err := t.changed(ctx, TableManagers, manager); err != nil {
			return err
		}
		if err := t.changed(ctx, TableManagers, employee); err != nil {
			return err
		}
		return t.note(ctx, note)
	})
	return changed && err == nil, err
}

// Relations are the local managers and employees of a person, by numeric id.
type Relations struct {
	Managers  []int64
	Employees []int64
}

// Relations reads the local relations of a person.
func (s *Store) Relations(ctx context.Context, uid int64) (Relations, error) {
	var r Relations
	err := s.many(ctx, "managers", `SELECT manager_uid, employee_uid FROM managers WHERE manager_uid = ? OR employee_uid = ?
		ORDER BY manager_uid, employee_uid`, []any{uid, uid}, func(rows *sql.Rows) error {
		var manager, employee int64
		err := rows.Scan(&manager, &employee)
		if manager == uid {
			r.Employees = append(r.Employees, employee)
		} else {
			r.Managers = append(r.Managers, manager)
		}
		return err
	})
	return r, err
}
