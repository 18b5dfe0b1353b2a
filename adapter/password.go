package adapter

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
)

// Passwords changes people's passwords in their directory.
type Passwords interface {
	// ChangePassword verifies the old password and sets the new one. Errors:
	// *directory.PasswordError, directory.ErrUnavailable.
	ChangePassword(ctx context.Context, person *directory.Entry, oldPassword, newPassword string) error
}

// maxPassword bounds a new password, in bytes: some servers hash only so much.
const maxPassword = 256

//go:embed commonpasswords.txt
var commonPasswords string

// The fields that ChangePassword's errors name.
const (
	FieldOldPassword = "oldpassword"
	FieldNewPassword = "newpassword"
)

// ChangePassword changes a person's password in the directory, clears the local
// "must change" flag, and ends all of the person's sessions. People who must
// change their password may, others who cannot sign in may not.
//
// Errors: Invalid "oldpassword" (empty or wrong), Invalid "newpassword" with a
// text that may be shown, Conflict "newpassword" when old and new are the same,
// Denied for accounts that are closed, Throttled, Unavailable, NotFound "user".
func (a *Adapter) ChangePassword(ctx context.Context, key PersonKey, oldPassword, newPassword string, client Client) error {
	entry, err := a.entry(ctx, key)
	if err != nil {
		return err
	}
	person, err := a.personOf(ctx, entry)
	if err != nil {
		return err
	}
	if err := a.checkNewPassword(person, oldPassword, newPassword); err != nil {
		return err
	}
	status, err := a.statusOf(ctx, entry)
	if err != nil {
		return err
	}
	if !status.MaySignIn() && status != StatusChangePassword {
		return &Error{Kind: Denied, Field: "user"}
	}
	done, may, err := a.mayTry(ctx, person.UID)
	if err != nil {
		return err
	}
	if !may {
		return &Error{Kind: Throttled, RetryAfter: a.cfg.FailureWindow}
	}
	defer done()
	if a.passwords == nil {
		return &Error{Kind: Unavailable, Cause: errors.New("no directory takes new passwords")}
	}
	if err := a.passwords.ChangePassword(ctx, entry, oldPassword, newPassword); err != nil {
		return a.notChanged(ctx, person, client, err)
	}
	a.notice(ctx, entry, texts.NoticePassword, client)
	return a.passwordChanged(ctx, person, client)
}

// passwordChanged does what follows a change in the directory, with its record.
func (a *Adapter) passwordChanged(ctx context.Context, person *Person, client Client) error {
	// The directory has the new password whatever becomes of the caller.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	note := record(EventPasswordChanged, person.UID, "", client, "user "+person.Username)
	local, err := a.local(ctx, person.UID)
	if err != nil {
		return err
	}
	if local.MustChange {
		clearFlag := func(s store.Status) store.Status {
			s.MustChange = false
			return s
		}
		if err := a.store.ChangeStatus(ctx, person.UID, person.Username, clearFlag, note); err != nil {
			return fromStore(err, "user")
		}
	} else if err := a.store.Append(ctx, note); err != nil {
		return fromStore(err, "security log")
	}
	if err := a.succeeded(ctx, person.UID); err != nil {
		return err
	}
	return a.EndSessions(ctx, person.UID, client, "all sessions ended: password changed")
}

// notChanged turns a directory's refusal into an error; a wrong old password is
// counted like one at a sign-in.
func (a *Adapter) notChanged(ctx context.Context, person *Person, client Client, err error) error {
	var refusal *directory.PasswordError
	if !errors.As(err, &refusal) {
		a.log.WarnContext(ctx, "password not changed", "uid", person.UID, "error", err)
		return &Error{Kind: Unavailable, Cause: err, RetryAfter: 5 * time.Second}
	}
	text := "user " + person.Username + ", password change: " + refusal.Fault.String()
	if refusal.Fault == directory.PasswordOldWrong {
		if err := a.fail(ctx, passwordBucket(person.UID)); err != nil {
			return err
		}
	}
	if err := a.logEvent(ctx, EventPortalLoginFailed, person.UID, client, text); err != nil {
		return err
	}
	switch refusal.Fault {
	case directory.PasswordOldWrong:
		return &Error{Kind: Invalid, Field: FieldOldPassword, Text: "the current password is wrong", Cause: err}
	case directory.PasswordAccountClosed:
		return &Error{Kind: Denied, Field: "user", Cause: err}
	default:
		return &Error{Kind: Invalid, Field: FieldNewPassword, Text: faultText(refusal.Fault), Cause: err}
	}
}

// Reasons why a new password is not taken, besides those of the directory.
var (
	errShortPassword = errors.New("too short")
	errLongPassword  = errors.New("too long")
	errWeakPassword  = errors.New("too weak")
)

// ReasonOf is one word for why a new password was refused, for texts in other
// languages: short, long, weak, history, young, forbidden or policy.
func ReasonOf(err error) string {
	var refusal *directory.PasswordError
	switch {
	case errors.Is(err, errShortPassword):
		return "short"
	case errors.Is(err, errLongPassword):
		return "long"
	case !errors.As(err, &refusal):
		return "weak"
	}
	switch refusal.Fault {
	case directory.PasswordTooShort:
		return "short"
	case directory.PasswordTooWeak:
		return "weak"
	case directory.PasswordInHistory:
		return "history"
	case directory.PasswordTooYoung:
		return "young"
	case directory.PasswordNotAllowed:
		return "forbidden"
	}
	return "policy"
}

func refusePassword(cause error, format string, args ...any) error {
	return &Error{Kind: Invalid, Field: FieldNewPassword, Text: fmt.Sprintf(format, args...), Cause: cause}
}

// faultText says in plain English what the directory has against a password.
func faultText(f directory.PasswordFault) string {
	switch f {
	case directory.PasswordTooShort:
		return "the directory wants a longer password"
	case directory.PasswordTooWeak:
		return "the directory finds the password too easy to guess"
	case directory.PasswordInHistory:
		return "the password was used before"
	case directory.PasswordTooYoung:
		return "the password was changed only recently and cannot be changed again yet"
	case directory.PasswordNotAllowed:
		return "the directory does not let this password be changed"
	default:
		return "the password does not meet the directory's rules"
	}
}

// checkNewPassword refuses what no directory is asked for.
func (a *Adapter) checkNewPassword(person *Person, oldPassword, newPassword string) error {
	switch {
	case oldPassword == "":
		return invalid(FieldOldPassword, "the current password is empty")
	case newPassword == "":
		return invalid(FieldNewPassword, "the new password is empty")
	case oldPassword == newPassword:
		return &Error{Kind: Conflict, Field: FieldNewPassword, Text: "the new password must differ from the old one"}
	case !utf8.ValidString(newPassword), strings.ContainsFunc(newPassword, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return invalid(FieldNewPassword, "the new password holds a control character")
	case utf8.RuneCountInString(newPassword) < a.cfg.MinPasswordLength:
		return refusePassword(errShortPassword, "the new password must have at least %d characters", a.cfg.MinPasswordLength)
	case len(newPassword) > maxPassword:
		return refusePassword(errLongPassword, "the new password is too long")
	case isCommon(newPassword), strings.EqualFold(newPassword, person.Username), strings.EqualFold(newPassword, person.Email()):
		return refusePassword(errWeakPassword, "the new password is too easy to guess")
	}
	return nil
}

// isCommon tells whether a password is on the list of common ones, letter case
// aside, or is one character over and over.
func isCommon(password string) bool {
	folded := strings.ToLower(password)
	first, _ := utf8.DecodeRuneInString(folded)
	if strings.Trim(folded, string(first)) == "" {
		return true
	}
	_, found := slices.BinarySearch(strings.Split(strings.TrimSpace(commonPasswords), "\n"), folded)
	return found
}
