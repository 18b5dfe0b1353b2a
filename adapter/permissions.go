package adapter

import (
	"context"
	"slices"
	"strings"

	"portico/adapter/store"
)

// permissionAdmin makes every other code true.
const permissionAdmin = "ADMIN"

const maxPermissionCode = 100

// PermissionInfo is a defined permission code.
type PermissionInfo struct {
	ID          int64  `json:"id"`
	Code        string `json:"code"`
	Description string `json:"description"`
}

// Permission tells whether a person holds a permission code, or ADMIN, which
// makes every code true. The letter case of codes does not matter. Errors:
// NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) Permission(ctx context.Context, key PersonKey, code string) (bool, error) {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return false, err
	}
	read := func() ([]string, error) {
		held, err := a.store.PermissionsOf(ctx, uid)
		codes := make([]string, len(held))
		for i, p := range held {
			codes[i] = p.Code
		}
		return codes, fromStore(err, "user")
	}
	var codes []string
	if a.store.Live() {
		codes, err = a.permissions.Load(uid, read)
	} else {
		codes, err = read()
	}
	if err != nil {
		return false, err
	}
	return slices.Contains(codes, permissionAdmin) || slices.Contains(codes, foldCode(code)), nil
}

// foldCode brings a code into its one form. Only ASCII letters have a case here:
// no other letter may turn into one of a privileged code.
func foldCode(code string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, strings.Trim(code, " \t\r\n"))
}

// permissionLetters are what codes are made of.
const permissionLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/"

// readCode is foldCode for codes that are to be stored.
func readCode(code string) (string, error) {
	code = foldCode(code)
	foreign := strings.ContainsFunc(code, func(r rune) bool { return !strings.ContainsRune(permissionLetters, r) })
	if code == "" || len(code) > maxPermissionCode || foreign {
		return "", invalid("code", "a permission code has 1 to %d letters, digits or any of _ - . : /", maxPermissionCode)
	}
	return code, nil
}

// GrantPermission gives a person a permission; twice is no error. Errors:
// NotFound "user" or "permission".
func (a *Adapter) GrantPermission(ctx context.Context, key PersonKey, code, by string, client Client) error {
	return a.changePermission(ctx, key, code, by, client, "permission granted: ", a.store.GrantPermission)
}

// RevokePermission takes a permission away; twice is no error. Errors: NotFound
// "user" or "permission".
func (a *Adapter) RevokePermission(ctx context.Context, key PersonKey, code, by string, client Client) error {
	return a.changePermission(ctx, key, code, by, client, "permission revoked: ", a.store.RevokePermission)
}

func (a *Adapter) changePermission(ctx context.Context, key PersonKey, code, by string, client Client, text string,
	change func(ctx context.Context, uid int64, code string, note ...store.Record) (bool, error),
) error {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return err
	}
	code = foldCode(code)
	_, err = change(ctx, uid, code, record(EventUserEdited, uid, by, client, text+code))
	return fromStore(err, "permission")
}

// ListPermissions lists a person's own permissions by code. Errors: NotFound "user".
func (a *Adapter) ListPermissions(ctx context.Context, key PersonKey) ([]PermissionInfo, error) {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return nil, err
	}
	held, err := a.store.PermissionsOf(ctx, uid)
	return permissionInfos(held), fromStore(err, "user")
}

// Permissions lists all defined permissions by id.
func (a *Adapter) Permissions(ctx context.Context) ([]PermissionInfo, error) {
	all, err := a.store.Permissions(ctx)
	return permissionInfos(all), fromStore(err, "permission")
}

func permissionInfos(stored []store.Permission) []PermissionInfo {
	list := make([]PermissionInfo, len(stored))
	for i, p := range stored {
		list[i] = PermissionInfo(p)
	}
	return list
}

// DefinePermission adds a permission code, or changes the description of one
// that is there. Error: Invalid "code".
func (a *Adapter) DefinePermission(ctx context.Context, code, description, by string) (PermissionInfo, error) {
	code, err := readCode(code)
	if err != nil {
		return PermissionInfo{}, err
	}
	p, err := a.store.DefinePermission(ctx, code, description,
		record(EventUserEdited, 0, by, Client{}, "permission defined: "+code))
	return PermissionInfo(p), fromStore(err, "code")
}
