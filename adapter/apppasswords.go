package adapter

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
)

const (
	randomCodeSize = 10 // bytes; 80 bits need no slow hash
	appGroups      = 4
	appGroupSize   = 5
	maxBcryptCost  = 14
)

// AppPassword is an app password as lists show it.
type AppPassword struct {
	ID          int64      `json:"id"`
	Description string     `json:"description"`
	Created     time.Time  `json:"created"`
	LastUsed    *time.Time `json:"last_used"`
}

// randomCode is 20 random upper-case hexadecimal digits.
func randomCode() string {
	raw := make([]byte, randomCodeSize)
	rand.Read(raw) // never fails
	return strings.ToUpper(hex.EncodeToString(raw))
}

func newAppPassword() string {
	code := randomCode()
	groups := make([]string, appGroups)
	for i := range groups {
		groups[i] = code[i*appGroupSize : (i+1)*appGroupSize]
	}
	return strings.Join(groups, "-")
}

// isAppPassword tells whether text has the form of an app password, exactly.
func isAppPassword(text string) bool {
	if len(text) != appGroups*(appGroupSize+1)-1 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (i+1)%(appGroupSize+1) == 0 {
			if c != '-' {
				return false
			}
			continue
		}
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// AddAppPassword makes an app password and gives it in plain; it cannot be shown
// again. by says who did it, "" for the person. Errors: NotFound "user",
// Conflict "app password" when the person has too many.
func (a *Adapter) AddAppPassword(ctx context.Context, key PersonKey, description, by string, client Client) (string, error) {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return "", err
	}
	plain := newAppPassword()
	_, err = a.store.AddAppPassword(ctx, uid, plain, description,
		record(EventUserEdited, uid, by, client, "app password added: "+description))
	if err != nil {
		return "", fromStore(err, "app password")
	}
	a.notice(ctx, entry, texts.NoticeAppPassword, client)
	return plain, nil
}

// ListAppPasswords lists a person's app passwords, oldest first. Errors: NotFound "user".
func (a *Adapter) ListAppPasswords(ctx context.Context, key PersonKey) ([]AppPassword, error) {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return nil, err
	}
	stored, err := a.store.AppPasswords(ctx, uid)
	if err != nil {
		return nil, fromStore(err, "user")
	}
	list := make([]AppPassword, len(stored))
	for i, s := range stored {
		list[i] = AppPassword{ID: s.ID, Description: s.Description, Created: s.Created, LastUsed: optional(s.LastUsed)}
	}
	return list, nil
}

// RevokeAppPassword ends one app password of a person. Errors: NotFound "user"
// or "app password".
func (a *Adapter) RevokeAppPassword(ctx context.Context, key PersonKey, id int64, by string, client Client) error {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return err
	}
	err = a.store.RemoveAppPassword(ctx, uid, id, record(EventUserEdited, uid, by, client, "app password revoked"))
	if err != nil {
		return fromStore(err, "app password")
	}
	a.notice(ctx, entry, texts.NoticeAppPasswordRevoked, client)
	return nil
}

// ownsAppPassword tells whether text is an app password of the person. What was
// taken over from another system has a slow hash, until it is used here.
func (a *Adapter) ownsAppPassword(ctx context.Context, uid int64, text string) (bool, error) {
	if !isAppPassword(text) {
		return false, nil
	}
	_, err := a.store.FindAppPassword(ctx, uid, text)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return err == nil, fromStore(err, "user")
	}
	imported, err := a.store.ImportedAppPasswords(ctx, uid)
	if err != nil {
		return false, fromStore(err, "user")
	}
	for _, old := range imported {
		match := false
		err := a.slow.do(ctx, func() error {
			cost, err := bcrypt.Cost([]byte(old.Hash))
			match = err == nil && cost <= maxBcryptCost && bcrypt.CompareHashAndPassword([]byte(old.Hash), []byte(text)) == nil
			return nil
		})
		if err != nil {
			return false, err
		}
		if match {
			return true, fromStore(a.store.AdoptAppPassword(ctx, uid, old, text), "user")
		}
	}
	return false, nil
}

// judgeAppPassword turns a right app password and the account's status into the
// outcome. The directory was not asked: the status is what is known of it.
func (a *Adapter) judgeAppPassword(ctx context.Context, in SignIn, person *Person, entry *directory.Entry) (*SignInResult, error) {
	status, err := a.statusOf(ctx, entry)
	if err != nil {
		return nil, err
	}
	result := &SignInResult{Person: person, Status: status, PasswordRight: true, AppPassword: true}
	switch {
	case in.Surface == SurfacePortal:
		return result, a.logEvent(ctx, in.failureEvent(), person.UID, in.Client, in.logText("an app password, which is not for this"))
	case !status.MaySignIn():
		return result, a.logEvent(ctx, in.failureEvent(), person.UID, in.Client, in.logText("app password, but the account is "+status.String()))
	}
	if err := a.succeeded(ctx, person.UID); err != nil {
		return nil, err
	}
	result.OK = true
	result.Alert = status == StatusAlert
	return result, a.logEvent(ctx, in.successEvent(), person.UID, in.Client, in.logText("app password"))
}
