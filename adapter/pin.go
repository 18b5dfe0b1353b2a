package adapter

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
)

const maxPINLen = 8

// PINResult is the outcome of a PIN check.
type PINResult struct {
	Set   bool // the person has a PIN
	Valid bool // the PIN is right and the person may sign in
}

// CheckPIN compares a PIN with a person's. Surrounding white space is ignored,
// the digits are compared exactly. After too many wrong ones every PIN is wrong
// for a while; the count is one for all processes. Errors: NotFound "user",
// Ambiguous, Unavailable, Throttled when too many checks are waiting.
func (a *Adapter) CheckPIN(ctx context.Context, key PersonKey, pin string, client Client) (PINResult, error) {
	if err := a.slow.full(); err != nil {
		return PINResult{}, err
	}
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return PINResult{}, err
	}
	hash, err := a.store.PINHash(ctx, uid)
	if errors.Is(err, store.ErrNotFound) {
		return PINResult{}, nil
	}
	if err != nil {
		return PINResult{}, fromStore(err, "user")
	}
	refusal, err := a.checkPIN(ctx, entry, uid, pin, hash)
	switch {
	case err != nil:
		return PINResult{}, err
	case refusal != "":
		err := a.logEvent(ctx, EventAPIAuthFailed, uid, client, "user "+entry.Login+", PIN: "+refusal)
		return PINResult{Set: true}, err
	}
	return PINResult{Set: true, Valid: true}, nil
}

// checkPIN gives the reason of a refusal, "" when the PIN is right.
func (a *Adapter) checkPIN(ctx context.Context, entry *directory.Entry, uid int64, pin, hash string) (refusal string, err error) {
	pin, ok := readPIN(pin)
	if !ok {
		return "not 1 to 8 digits", nil
	}
	switch may, err := a.mayEnter(ctx, entry); {
	case err != nil:
		return "", err
	case !may:
		return "the account may not sign in", nil
	}
	// Who is stopped shall not take the place of others in the queue.
	switch stopped, err := a.stopped(ctx, a.limits(guessPIN, strconv.FormatInt(uid, 10))); {
	case err != nil:
		return "", err
	case stopped:
		return "too many failures", nil
	}
	err = a.slow.do(ctx, func() error {
		switch may, err := a.mayGuess(ctx, guessPIN, uid); {
		case err != nil:
			return err
		case !may:
			refusal = "too many failures"
			return nil
		}
		match, err := matchesSlowly(a.store.PINDigest(uid, pin), hash)
		if err != nil {
			return &Error{Kind: Internal, Field: "PIN", Cause: err}
		}
		if !match {
			refusal = "wrong"
			return nil
		}
		return a.guessedRight(ctx, guessPIN, uid)
	})
	return refusal, err
}

// readPIN brings a PIN into its one form.
func readPIN(text string) (string, bool) {
	pin := strings.Trim(text, " \t\r\n")
	if pin == "" || len(pin) > maxPINLen || strings.Trim(pin, "0123456789") != "" {
		return "", false
	}
	return pin, true
}

// SetPIN sets a person's PIN, 1 to 8 digits; "" removes it. by says who did it,
// "" for the person. Errors: Invalid "pin", NotFound "user", Throttled.
func (a *Adapter) SetPIN(ctx context.Context, key PersonKey, pin, by string, client Client) error {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return err
	}
	var hash string
	text, told := "PIN removed", texts.NoticePINRemoved
	if pin != "" {
		digits, ok := readPIN(pin)
		if !ok {
			return invalid("pin", "a PIN is 1 to %d digits", maxPINLen)
		}
		text, told = "PIN set", texts.NoticePIN
		err := a.slow.do(ctx, func() error {
			hash = hashSlowly(a.store.PINDigest(uid, digits), pinCost())
			return nil
		})
		if err != nil {
			return err
		}
	}
	err = a.store.SetPINHash(ctx, uid, hash, record(EventUserEdited, uid, by, client, text))
	if err != nil {
		return fromStore(err, "user")
	}
	a.notice(ctx, entry, told, client)
	return nil
}
