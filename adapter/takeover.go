package adapter

import (
	"context"
	"encoding/base32"
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"portico/adapter/store"
	"portico/directory"
)

// foreignSystem names AccountHub in the list of what was taken over, and in the
// status of people whose status came from there.
const foreignSystem = "accounthub"

// ForeignPerson is an account of an AccountHub installation, as it is stored there.
type ForeignPerson struct {
	Person        directory.ID // whom it belongs to here, as MatchPerson found
	Username      string
	UID           int64
	Status        int    // 1 to 5; see Status
	TOTP          string // Base32; "": none
	PIN           string // in clear; "": none
	Permissions   []PermissionInfo
	AppPasswords  []store.ForeignSecret // Value is a bcrypt hash
	MobileCodes   []store.ForeignSecret // Value is the code
	Notifications []store.Notification
}

// MatchPerson finds whom a user name of another system belongs to, and gives
// nobody a numeric id. Errors: NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) MatchPerson(ctx context.Context, username string) (directory.ID, string, error) {
	entry, err := a.dir.PersonByLogin(ctx, username)
	if err != nil {
		return directory.ID{}, "", fromDirectory(err, "user")
	}
	return entry.ID, entry.Login, nil
}

// TakeOverPerson stores what AccountHub knows of a person, under the numeric id
// that the person has there: all or nothing, and what was taken over before is
// left alone. It waits for no other slow hash; the caller bounds how many run at
// a time. With rehearse nothing is stored. Errors: Conflict "uid", whose cause
// says why, when the person cannot have that number; Invalid "uid".
func (a *Adapter) TakeOverPerson(ctx context.Context, p ForeignPerson, rehearse bool) ([]store.Outcome, error) {
	in, pin, refused := a.takeover(p)
	outcomes, err := a.store.TakeOver(ctx, in, true)
	if err != nil {
		return nil, fromStore(err, "uid")
	}
	if rehearse || !slices.ContainsFunc(outcomes, isNew) {
		return append(outcomes, refused...), nil
	}
	if slices.ContainsFunc(outcomes, func(o store.Outcome) bool { return o.Item == "pin" && isNew(o) }) {
		in.PINHash = hashSlowly(a.store.PINDigest(p.UID, pin), pinCost())
	}
	outcomes, err = a.store.TakeOver(ctx, in, false,
		record(EventUserEdited, p.UID, "import", Client{}, "taken over from AccountHub: "+namesOf(outcomes)))
	if err != nil {
		return nil, fromStore(err, "uid")
	}
	return append(outcomes, refused...), nil
}

func isNew(o store.Outcome) bool { return o.Result == store.TakenNow }

// namesOf lists the kinds of things that are new.
func namesOf(outcomes []store.Outcome) string {
	var names []string
	for _, o := range outcomes {
		if isNew(o) && !slices.Contains(names, o.Item) {
			names = append(names, o.Item)
		}
	}
	return strings.Join(names, ", ")
}

// takeover brings what AccountHub holds into our forms. What has none is refused.
func (a *Adapter) takeover(p ForeignPerson) (in store.Takeover, pin string, refused []store.Outcome) {
	refuse := func(item string, id int64, reason string) {
		refused = append(refused, store.Outcome{Item: item, ID: id, Result: store.TakenNot, Reason: reason})
	}
	in = store.Takeover{
		Source: foreignSystem, Actor: foreignSystem, UID: p.UID, PlainStatus: int64(StatusNormal),
		Subject: store.Subject{Directory: p.Person.Directory, Stable: p.Person.Stable, Name: p.Username},
	}
	if p.Status >= int(StatusNormal) && p.Status <= int(StatusAlert) {
		in.StatusCode, in.Status = int64(p.Status), overlayOf(Status(p.Status))
	} else {
		refuse("status", 0, "status "+strconv.Itoa(p.Status)+" has no meaning here")
	}
	if p.TOTP != "" {
		secret, ok := readTOTPSecret(p.TOTP)
		if ok {
			in.TOTP = []byte(secret)
		} else {
			refuse("totp", 0, "the TOTP secret is not Base32 of 16 characters or more: the person has no second factor here")
		}
	}
	if p.PIN != "" {
		if pin, in.HasPIN = readPIN(p.PIN); !in.HasPIN {
			refuse("pin", 0, "the PIN is not 1 to 8 digits")
		}
	}
	for _, perm := range p.Permissions {
		code, err := readCode(perm.Code)
		if err != nil {
			refuse("permission", perm.ID, "the code is not made of letters, digits and _ - . : /")
			continue
		}
		in.Permissions = append(in.Permissions, store.Permission{ID: perm.ID, Code: code, Description: perm.Description})
	}
	for _, s := range p.AppPasswords {
		if cost, err := bcrypt.Cost([]byte(s.Value)); err != nil || cost > maxBcryptCost {
			refuse("app password", s.ID, "the hash is not bcrypt of cost "+strconv.Itoa(maxBcryptCost)+" or less")
			continue
		}
		in.AppPasswords = append(in.AppPasswords, s)
	}
	for _, c := range p.MobileCodes {
		if c.Value = readMobileCode(c.Value); c.Value == "" {
			refuse("mobile code", c.ID, "the code is empty")
			continue
		}
		in.MobileCodes = append(in.MobileCodes, c)
	}
	in.Notifications = p.Notifications
	return in, pin, refused
}

// overlayOf is the local part of a status.
func overlayOf(s Status) Overlay {
	return Overlay{
		Terminated: s == StatusTerminated, Locked: s == StatusLocked,
		MustChange: s == StatusChangePassword, Alert: s == StatusAlert,
	}
}

// readTOTPSecret brings a secret into its one form.
func readTOTPSecret(text string) (string, bool) {
	secret := strings.TrimRight(strings.ToUpper(strings.ReplaceAll(text, " ", "")), "=")
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	return secret, err == nil && len(raw) >= 10 && len(secret) <= maxTOTPSecret
}

// TakeOverPermission defines a permission code of another system unless it is
// there. Errors: Invalid "code".
func (a *Adapter) TakeOverPermission(ctx context.Context, code, description string, rehearse bool) (store.Result, error) {
	code, err := readCode(code)
	if err != nil {
		return store.TakenNot, err
	}
	added, err := a.store.ImportPermission(ctx, code, description, rehearse)
	return resultOf(added), fromStore(err, "code")
}

// TakeOverKey takes over an API key of AccountHub. Its level is kept but not
// enforced: there it never was. Errors: Invalid "value" or "level".
func (a *Adapter) TakeOverKey(ctx context.Context, value, level, label string, rehearse bool) (store.Result, error) {
	white := func(r rune) bool { return r <= ' ' || r == 0x7f }
	if value == "" || len(value) > 512 || strings.ContainsFunc(value, white) {
		return store.TakenNot, invalid("value", "a key has 1 to 512 characters without white space")
	}
	if level = strings.ToLower(strings.TrimSpace(level)); level != "" && !slices.Contains(LevelNames(), level) {
		return store.TakenNot, invalid("level", "the type is none of %s", strings.Join(LevelNames(), ", "))
	}
	there, err := a.store.HasKey(ctx, value)
	if err != nil || there || rehearse {
		return resultOf(!there), fromStore(err, "key")
	}
	label = strings.ToValidUTF8(strings.TrimSpace(label), "")
	if runes := []rune(label); len(label) > 200 {
		label = string(runes[:min(len(runes), 50)]) // 200 bytes at most
	}
	if label == "" {
		label = "taken over from AccountHub"
	}
	_, _, err = a.CreateKey(ctx, KeyRequest{API: "action", Level: level, Label: label, Value: value, Lenient: true})
	if KindOf(err) == Conflict && err != nil {
		return store.TakenBefore, nil // another import was faster
	}
	return resultOf(err == nil), err
}

func resultOf(added bool) store.Result {
	if added {
		return store.TakenNow
	}
	return store.TakenBefore
}

// WhyNot is the reason why something was not taken over, for the report; "" when
// err is no such reason but a failure.
func WhyNot(err error) string {
	for _, kind := range []error{store.ErrConflict, store.ErrInvalid} {
		if _, reason, found := strings.Cut(err.Error(), kind.Error()+": "); found && errors.Is(err, kind) {
			return strings.TrimPrefix(reason, kind.Error()+": ")
		}
	}
	var e *Error
	switch {
	case !errors.As(err, &e):
		return ""
	case e.Kind == NotFound:
		return "nobody in the directory has this user name"
	case e.Kind == Ambiguous:
		return "several people in the directory have this user name"
	case e.Kind == Invalid, e.Kind == Conflict:
		return e.Text
	}
	return ""
}
