package adapter

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"

	"portico/adapter/store"
	"portico/directory"
)

// UserCaller is a person who calls the user management with a key of his own.
type UserCaller struct {
	Person *Person
	KeyID  int64
	Role   *Role
	entry  *directory.Entry
}

// May tells whether the caller's role has a permission.
func (c *UserCaller) May(permission string) bool { return c.Role.Has(permission) }

// name is how the security log calls the caller.
func (c *UserCaller) name() string { return c.Person.Username }

// UserCaller finds the person behind a name "account/username" and his personal
// key. Everything that is wrong is Unauthenticated, all alike. Errors:
// Unauthenticated, Throttled after too many failures, Unavailable.
func (a *Adapter) UserCaller(ctx context.Context, name, key string, client Client) (*UserCaller, error) {
	sum := sha256.Sum256([]byte(directory.FoldName(name) + "\x00" + addressGroup(client.Address)))
	bucket := "personal key/" + string(sum[:])
	if err := a.memberMayTry(ctx, bucket); err != nil {
		return nil, err
	}
	caller, err := a.userCaller(ctx, name, key, client)
	if err != nil && KindOf(err) == Unauthenticated {
		if failed := a.fail(ctx, bucket); failed != nil {
			return nil, failed
		}
	}
	return caller, err
}

func (a *Adapter) userCaller(ctx context.Context, name, presented string, client Client) (*UserCaller, error) {
	username, ok := a.tenantUser(name)
	key, err := a.lookupKey(ctx, "usermanagement", presented)
	switch {
	case errors.Is(err, store.ErrKeyRefused):
		return nil, a.badKey(ctx, "usermanagement", presented, err, client)
	case err != nil:
		return nil, fromStore(err, "key")
	case !ok || key.User == 0:
		return nil, a.badKey(ctx, "usermanagement", presented, err, client)
	}
	entry, err := a.entry(ctx, ByUID(key.User))
	switch {
	case err != nil && (KindOf(err) == NotFound || KindOf(err) == Ambiguous):
		return nil, a.badKey(ctx, "usermanagement", presented, err, client)
	case err != nil:
		return nil, err
	case entry.Login != directory.FoldName(username):
		return nil, a.badKey(ctx, "usermanagement", presented, nil, client)
	}
	status, err := a.statusOf(ctx, entry)
	if err != nil {
		return nil, err
	}
	if !status.Active() {
		return nil, a.badKey(ctx, "usermanagement", presented, nil, client)
	}
	c := &UserCaller{KeyID: key.ID, entry: entry}
	if c.Person, err = a.personOf(ctx, entry); err != nil {
		return nil, err
	}
	if c.Role, err = a.personRole(ctx, c.Person.UID, entry); err != nil {
		return nil, err
	}
	a.uses.note(key.ID, a.now())
	return c, nil
}

// tenantUser cuts the account off a caller's name, at the first slash.
func (a *Adapter) tenantUser(name string) (username string, ok bool) {
	account, username, found := strings.Cut(name, "/")
	if !found {
		return name, a.cfg.Users.BareUsername
	}
	return username, account == a.cfg.Users.Account
}

// MaxPersonalKeys is the number of good keys of one API that a person may have.
const MaxPersonalKeys = 20

// AddPersonalKey makes a key for the user management that stands for a person and
// gives it in plain; it cannot be shown again. Errors: NotFound "user", Conflict
// "key" when the person has too many, Invalid "label".
func (a *Adapter) AddPersonalKey(ctx context.Context, key PersonKey, label string, client Client) (string, error) {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return "", err
	}
	keys, err := a.personalKeys(ctx, uid)
	if err != nil {
		return "", err
	}
	if len(keys) >= MaxPersonalKeys {
		return "", &Error{Kind: Conflict, Field: "key"}
	}
	_, plain, err := a.CreateKey(ctx, KeyRequest{API: "usermanagement", Label: label, User: ByUID(uid)})
	return plain, err
}

func (a *Adapter) personalKeys(ctx context.Context, uid int64) ([]store.Key, error) {
	all, err := a.store.KeysOf(ctx, "usermanagement", uid)
	if err != nil {
		return nil, fromStore(err, "key")
	}
	var good []store.Key
	for _, k := range all {
		if k.Usable("usermanagement", a.now()) {
			good = append(good, k)
		}
	}
	return good, nil
}

// ListPersonalKeys lists the good keys of a person for the user management,
// oldest first. Errors: NotFound "user".
func (a *Adapter) ListPersonalKeys(ctx context.Context, key PersonKey) ([]KeyInfo, error) {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return nil, err
	}
	keys, err := a.personalKeys(ctx, uid)
	list := make([]KeyInfo, len(keys))
	for i, k := range keys {
		list[i] = keyInfo(k)
	}
	return list, err
}

// RevokePersonalKey ends one of a person's keys. Errors: NotFound "user" or "key".
func (a *Adapter) RevokePersonalKey(ctx context.Context, key PersonKey, id int64, client Client) error {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return err
	}
	keys, err := a.personalKeys(ctx, uid)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID == id {
			return a.RevokeKey(ctx, id)
		}
	}
	return notFound("key")
}
