package adapter

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
)

const (
	totpPeriod     = 30 // seconds, RFC 6238
	totpDigits     = 6
	totpSecretSize = 20 // bytes, RFC 4226 §4
	totpEnrolment  = 15 * time.Minute
	maxTOTPSecret  = 100 // characters, of secrets taken over
	maxTOTPLabel   = 100
)

// VerifyTOTP checks an authentication code for another server (verifytotp).
// ASCII spaces in the code are ignored. Without TOTP any code is right; nobody
// has no right code. Errors: Unavailable.
func (a *Adapter) VerifyTOTP(ctx context.Context, key PersonKey, code string, client Client) (bool, error) {
	begun := time.Now()
	right, err := a.verifyTOTP(ctx, key, code, client)
	if err == nil && !right {
		a.refuseEvenly(ctx, begun)
	}
	return right, err
}

func (a *Adapter) verifyTOTP(ctx context.Context, key PersonKey, code string, client Client) (bool, error) {
	entry, uid, err := a.known(ctx, key)
	switch {
	case err == nil:
	case KindOf(err) == NotFound || KindOf(err) == Ambiguous:
		if err := a.tryNobody(ctx, key, strings.ReplaceAll(code, " ", "")); err != nil {
			return false, err
		}
		return false, a.logEvent(ctx, EventAPIBadTOTP, 0, client, "user "+key.shown()+": unknown user")
	default:
		return false, err
	}
	local, err := a.local(ctx, uid)
	if err != nil || !local.HasTOTP {
		return err == nil, err
	}
	refusal, err := a.tryCode(ctx, uid, strings.ReplaceAll(code, " ", ""), a.cfg.TOTPReplay)
	if err != nil || refusal == "" {
		return err == nil, err
	}
	a.dir.SpendMiss(ctx, entry.Login)
	return false, a.logEvent(ctx, EventAPIBadTOTP, uid, client, "user "+entry.Login+": "+refusal)
}

// tryNobody spends what a wrong code of somebody with TOTP costs: the same
// questions to the store, counted the same way, and the same sums.
func (a *Adapter) tryNobody(ctx context.Context, key PersonKey, code string) error {
	if !isDigits(code, totpDigits) {
		return nil
	}
	if _, err := a.store.TOTPSecret(ctx, 0); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fromStore(err, "user")
	}
	limits := a.limits(guessTOTP, nobodyBucket(key.shown()))
	for i := range limits {
		limits[i].window = a.cfg.FailureWindow // made-up names shall not fill the table for a day
	}
	if may, err := a.counted(ctx, limits); err != nil || !may {
		return err
	}
	_, _, err := totpStep(nobodySecret, code, a.now())
	return err
}

// nobodySecret is only to compute with: no code of it opens anything.
const nobodySecret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// CheckTOTP checks an authentication code as the second factor of a sign-in in
// the browser: exactly six digits, each code once. A person without TOTP has no
// right code: ask Person.HasTOTP first. A right code is logged as a portal
// sign-in, a wrong one as a bad code. Errors: NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) CheckTOTP(ctx context.Context, key PersonKey, code string, client Client) (bool, error) {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return false, err
	}
	right, err := a.freshCode(ctx, entry, uid, code, client)
	if err != nil || !right {
		return false, err
	}
	err = a.logEvent(ctx, EventPortalLoginOK, uid, client, "user "+entry.Login+", with authentication code")
	return err == nil, err
}

// freshCode uses a code up; a wrong one is logged.
func (a *Adapter) freshCode(ctx context.Context, entry *directory.Entry, uid int64, code string, client Client) (bool, error) {
	refusal, err := a.tryCode(ctx, uid, code, true)
	if err != nil || refusal == "" {
		return err == nil, err
	}
	return false, a.logEvent(ctx, EventPortalBadTOTP, uid, client, "user "+entry.Login+": "+refusal)
}

// tryCode gives the reason of a refusal, "" when the code is right. With once
// the code is used up, for all processes.
func (a *Adapter) tryCode(ctx context.Context, uid int64, code string, once bool) (refusal string, err error) {
	if !isDigits(code, totpDigits) {
		return "not six digits", nil
	}
	secret, err := a.store.TOTPSecret(ctx, uid)
	if errors.Is(err, store.ErrNotFound) {
		return "no secret is set", nil
	}
	if err != nil {
		return "", fromStore(err, "user")
	}
	switch may, err := a.mayGuess(ctx, guessTOTP, uid); {
	case err != nil:
		return "", err
	case !may:
		return "too many failures", nil
	}
	step, match, err := totpStep(string(secret), code, a.now())
	switch {
	case err != nil:
		return "", &Error{Kind: Internal, Field: "TOTP secret", Cause: err}
	case !match:
		return "wrong code", nil
	}
	if once {
		won, err := a.store.UseTOTPStep(ctx, uid, step)
		if err != nil {
			return "", fromStore(err, "user")
		}
		if !won {
			return "the code was used before", nil
		}
	}
	return "", a.guessedRight(ctx, guessTOTP, uid)
}

// isDigits tells whether text is exactly n ASCII digits.
func isDigits(text string, n int) bool { //nolint:unparam // the kinds of code need not be of one length
	if len(text) != n {
		return false
	}
	for i := range n {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// totpStep finds the time step that a code belongs to: the present one, the one
// before or the one after; the latest when several fit. code is six digits.
func totpStep(secret, code string, now time.Time) (step int64, match bool, err error) {
	present := now.Unix() / totpPeriod
	for s := present - 1; s <= present+1; s++ {
		want, err := totpCode(secret, s)
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, match = s, true
		}
	}
	return step, match, nil
}

func totpCode(secret string, step int64) (string, error) {
	if step < 0 {
		return "", nil // before 1970 there are no codes
	}
	return hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
}

// BeginTOTP makes a secret that becomes active when ConfirmTOTP gets a code made
// with it, within 15 minutes. The secret is Base32; the URL is for a QR code.
// Errors: Conflict "totp" when the person has TOTP (see ReplaceTOTP), NotFound "user".
func (a *Adapter) BeginTOTP(ctx context.Context, key PersonKey) (secret, otpauthURL string, err error) {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return "", "", err
	}
	switch _, err := a.store.TOTPSecret(ctx, uid); {
	case err == nil, errors.Is(err, store.ErrUnreadable):
		return "", "", &Error{Kind: Conflict, Field: "totp"}
	case !errors.Is(err, store.ErrNotFound):
		return "", "", fromStore(err, "user")
	}
	return a.pendingTOTP(ctx, entry, uid)
}

// ReplaceTOTP is BeginTOTP for a person who has TOTP: it takes a fresh code of
// the secret in use, which stays in use until the new one is confirmed. Errors:
// Denied "code" when the code is wrong, NotFound "user".
func (a *Adapter) ReplaceTOTP(ctx context.Context, key PersonKey, code string, client Client) (secret, otpauthURL string, err error) {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return "", "", err
	}
	right, err := a.freshCode(ctx, entry, uid, code, client)
	if err != nil {
		return "", "", err
	}
	if !right {
		return "", "", &Error{Kind: Denied, Field: "code"}
	}
	return a.pendingTOTP(ctx, entry, uid)
}

func (a *Adapter) pendingTOTP(ctx context.Context, entry *directory.Entry, uid int64) (secret, otpauthURL string, err error) {
	raw := make([]byte, totpSecretSize)
	rand.Read(raw) // never fails
	secret = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	if err := a.store.SetPendingTOTP(ctx, uid, []byte(secret), a.now().Add(totpEnrolment)); err != nil {
		return "", "", fromStore(err, "user")
	}
	label := entry.Attributes.First(directory.AttrMail)
	if label == "" {
		label = entry.DisplayName()
	}
	return secret, otpauthFor(a.cfg.Issuer, label, secret), nil
}

// otpauthFor is the address that authenticator apps read from a QR code. Names
// may hold anything.
func otpauthFor(issuer, label, secret string) string {
	escape := func(text string) string {
		text = strings.Map(func(r rune) rune {
			if r == ':' { // parts the issuer from the label
				return ' '
			}
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(text, ""))
		if runes := []rune(text); len(runes) > maxTOTPLabel {
			text = string(runes[:maxTOTPLabel])
		}
		return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	}
	return "otpauth://totp/" + escape(issuer) + ":" + escape(label) + "?issuer=" + escape(issuer) + "&secret=" + secret
}

// ConfirmTOTP activates the secret of BeginTOTP or ReplaceTOTP when code was
// made with it; the code counts as used. Errors: Denied "code", NotFound
// "enrolment" when none was begun or it is too old, NotFound "user".
func (a *Adapter) ConfirmTOTP(ctx context.Context, key PersonKey, code string, client Client) error {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return err
	}
	secret, err := a.store.PendingTOTP(ctx, uid)
	if err != nil {
		return fromStore(err, "enrolment")
	}
	if !isDigits(code, totpDigits) {
		return &Error{Kind: Denied, Field: "code"}
	}
	step, match, err := totpStep(string(secret), code, a.now())
	if err != nil {
		return &Error{Kind: Internal, Field: "TOTP secret", Cause: err}
	}
	if !match {
		if err := a.logEvent(ctx, EventPortalBadTOTP, uid, client, "user "+entry.Login+", new secret: wrong code"); err != nil {
			return err
		}
		return &Error{Kind: Denied, Field: "code"}
	}
	err = a.store.ConfirmTOTP(ctx, uid, secret, step, record(EventTOTPAdded, uid, "", client, "user "+entry.Login))
	if err != nil {
		return fromStore(err, "enrolment")
	}
	a.notice(ctx, entry, texts.NoticeTOTP, client)
	return nil
}

// RemoveTOTP removes a person's TOTP. code is a fresh one; "" is for
// administrators, who are named in by, and ends the person's sessions. Errors: Denied "code", NotFound "totp" or "user".
func (a *Adapter) RemoveTOTP(ctx context.Context, key PersonKey, code, by string, client Client) error {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return err
	}
	local, err := a.local(ctx, uid)
	switch {
	case err != nil:
		return err
	case !local.HasTOTP:
		return notFound("totp")
	case code == "" && by == "":
		return &Error{Kind: Denied, Field: "code"}
	}
	if code != "" {
		switch right, err := a.freshCode(ctx, entry, uid, code, client); {
		case err != nil:
			return err
		case !right:
			return &Error{Kind: Denied, Field: "code"}
		}
	}
	note := record(EventTOTPRemoved, uid, by, client, "user "+entry.Login)
	if code == "" {
		err = a.store.ResetTOTP(ctx, uid, note)
	} else {
		err = a.store.SetTOTPSecret(ctx, uid, nil, note)
	}
	if err != nil {
		return fromStore(err, "user")
	}
	a.notice(ctx, entry, texts.NoticeTOTPRemoved, client)
	return nil
}

// SetTOTP gives a person a secret that exists already, as Base32; for
// administrators and importers. Errors: Invalid "secret", NotFound "user".
func (a *Adapter) SetTOTP(ctx context.Context, key PersonKey, secret, by string, client Client) error {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return err
	}
	secret, ok := readTOTPSecret(secret)
	if !ok {
		return invalid("secret", "a TOTP secret is 16 to %d characters of Base32", maxTOTPSecret)
	}
	err = a.store.SetTOTPSecret(ctx, uid, []byte(secret), record(EventTOTPAdded, uid, by, client, "user "+entry.Login))
	if err != nil {
		return fromStore(err, "user")
	}
	a.notice(ctx, entry, texts.NoticeTOTP, client)
	return nil
}
