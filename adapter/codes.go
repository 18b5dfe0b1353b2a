package adapter

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"time"

	"portico/adapter/store"
)

const (
	oneTimeLife     = 60 * time.Second
	oneTimeDigits   = 6
	oneTimeFirst    = 100_000
	oneTimeCount    = 900_000
	oneTimeAttempts = 20

	loginKeySize = 32 // bytes
	loginKeyLife = 600 * time.Second
	loginKeyKept = 10 * time.Minute // after the sign-in
)

// GenerateCode gives a person a one-time code, 100000 to 999999, good for 60
// seconds and one CodeLogin; it replaces one that was given before. Errors:
// Denied "user" for somebody who may not sign in, NotFound "user", Unavailable.
func (a *Adapter) GenerateCode(ctx context.Context, key PersonKey) (int, error) {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return 0, err
	}
	switch may, err := a.mayEnter(ctx, entry); {
	case err != nil:
		return 0, err
	case !may:
		return 0, &Error{Kind: Denied, Field: "user"}
	}
	for range oneTimeAttempts {
		n, err := rand.Int(rand.Reader, big.NewInt(oneTimeCount))
		if err != nil {
			return 0, &Error{Kind: Internal, Cause: err}
		}
		code := oneTimeFirst + int(n.Int64())
		err = a.store.PutOneTimeCode(ctx, uid, strconv.Itoa(code), a.now().Add(oneTimeLife))
		if err == nil {
			return code, nil
		}
		if !errors.Is(err, store.ErrConflict) { // somebody else has that one
			return 0, fromStore(err, "user")
		}
	}
	return 0, &Error{Kind: Internal, Cause: errors.New("no one-time code is free")}
}

// CodeLogin uses up a one-time code; a leading "B-" is ignored. Errors: NotFound
// "code" when it is unknown, used, too old, or of somebody who may not sign in,
// and for every code after too many wrong ones from the address; Unavailable.
func (a *Adapter) CodeLogin(ctx context.Context, code string, client Client) (*Person, error) {
	if rest, ok := strings.CutPrefix(foldCode(code), "B-"); ok {
		code = rest
	}
	person, refusal, err := a.codeLogin(ctx, strings.Trim(code, " "), client)
	if err != nil {
		return nil, err
	}
	var uid int64
	if person != nil {
		uid = person.UID
	}
	if refusal != "" {
		if err := a.logEvent(ctx, EventAPIAuthFailed, uid, client, "one-time code: "+refusal); err != nil {
			return nil, err
		}
		return nil, notFound("code")
	}
	if err := a.logEvent(ctx, EventAPIAuthOK, uid, client, "user "+person.Username+", one-time code"); err != nil {
		return nil, err
	}
	return person, nil
}

// codeLogin gives the reason of a refusal, "" when the person may come in.
func (a *Adapter) codeLogin(ctx context.Context, code string, client Client) (person *Person, refusal string, err error) {
	if !isDigits(code, oneTimeDigits) {
		return nil, "not six digits", nil
	}
	limits := a.limits(guessCode, addressGroup(client.Address))
	switch may, err := a.counted(ctx, limits); {
	case err != nil:
		return nil, "", err
	case !may:
		return nil, "too many failures", nil
	}
	uid, err := a.store.TakeOneTimeCode(ctx, code)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "unknown or too old", nil
	}
	if err != nil {
		return nil, "", fromStore(err, "code")
	}
	entry, err := a.entry(ctx, ByUID(uid))
	if err != nil {
		if KindOf(err) == NotFound {
			return nil, "the person is gone", nil
		}
		return nil, "", err
	}
	if person, err = a.personOf(ctx, entry); err != nil {
		return nil, "", err
	}
	switch may, err := a.mayEnter(ctx, entry); {
	case err != nil:
		return nil, "", err
	case !may:
		return person, "the account may not sign in", nil
	}
	return person, "", a.uncount(ctx, limits)
}

// LoginKeyState is a sign-in that an application has begun.
type LoginKeyState struct {
	AppName string
	AppIcon string
	UID     int64 // 0 until somebody has signed in with it
	Expires time.Time
}

// NewLoginKey begins a sign-in for an application: a code, good for 600 seconds,
// that needs no encoding in a URL. Error: Invalid "appname".
func (a *Adapter) NewLoginKey(ctx context.Context, appName, appIcon string) (string, error) {
	if strings.TrimSpace(appName) == "" {
		return "", invalid("appname", "the name of the application is empty")
	}
	raw := make([]byte, loginKeySize)
	rand.Read(raw) // never fails
	code := base64.RawURLEncoding.EncodeToString(raw)
	err := a.store.AddLoginKey(ctx, code, store.LoginKey{AppName: appName, AppIcon: appIcon, Expires: a.now().Add(loginKeyLife)})
	if err != nil {
		return "", fromStore(err, "code")
	}
	return code, nil
}

// readLoginKey makes good what a URL does to codes that were pasted into it
// unencoded: a blank was a plus sign.
func readLoginKey(code string) string { return strings.ReplaceAll(code, " ", "+") }

// LoginKey reads a begun sign-in. Error: NotFound "code" when it is unknown or too old.
func (a *Adapter) LoginKey(ctx context.Context, code string) (LoginKeyState, error) {
	k, err := a.store.LoginKey(ctx, readLoginKey(code))
	return LoginKeyState(k), fromStore(err, "code")
}

// CheckLoginKey gives the uid of the person who signed in with a code, until ten
// minutes after that. Error: NotFound "code", also while nobody has.
func (a *Adapter) CheckLoginKey(ctx context.Context, code string) (int64, error) {
	k, err := a.LoginKey(ctx, code)
	if err != nil {
		return 0, err
	}
	if k.UID == 0 {
		return 0, notFound("code")
	}
	return k.UID, nil
}

// CompleteLoginKey ties a code to the person who signed in, once. Errors:
// NotFound "code" when it is unknown or too old, Conflict "code" when it was used.
func (a *Adapter) CompleteLoginKey(ctx context.Context, code string, uid int64) error {
	err := a.store.CompleteLoginKey(ctx, readLoginKey(code), uid, a.now().Add(loginKeyKept))
	return fromStore(err, "code")
}
