package adapter

import (
	"context"
	"errors"
	"time"
)

// errLater is the answer of verbs whose body follows in the next commits.
var errLater = &Error{Kind: Internal, Cause: errors.New("this verb is being built")}

// PINResult is the outcome of a PIN check.
type PINResult struct {
	Set   bool // the person has a PIN
	Valid bool // the PIN is right and the person may sign in
}

// CheckPIN compares a PIN with a person's. Surrounding white space is ignored,
// the digits are compared exactly. Errors: NotFound "user", Ambiguous,
// Unavailable, Throttled when too many checks are waiting.
func (a *Adapter) CheckPIN(ctx context.Context, key PersonKey, pin string, client Client) (PINResult, error) {
	return PINResult{}, errLater
}

// SetPIN sets a person's PIN, 1 to 8 digits; "" removes it. by says who did it,
// "" for the person. Errors: Invalid "pin", NotFound "user", Throttled.
func (a *Adapter) SetPIN(ctx context.Context, key PersonKey, pin, by string, client Client) error {
	return errLater
}

// VerifyTOTP checks an authentication code for another server (verifytotp).
// ASCII spaces in the code are ignored. Without TOTP any code is right; nobody
// has no right code. Errors: Ambiguous, Unavailable.
func (a *Adapter) VerifyTOTP(ctx context.Context, key PersonKey, code string, client Client) (bool, error) {
	return false, errLater
}

// CheckTOTP checks an authentication code as the second factor of a sign-in in
// the browser: exactly six digits, each code once. A person without TOTP has no
// right code: ask Person.HasTOTP first. A right code is logged as a portal
// sign-in, a wrong one as a bad code. Errors: NotFound "user", Unavailable.
func (a *Adapter) CheckTOTP(ctx context.Context, key PersonKey, code string, client Client) (bool, error) {
	return false, errLater
}

// BeginTOTP makes a secret that becomes active when ConfirmTOTP gets a code made
// with it, within 15 minutes. The secret is Base32; the URL is for a QR code.
// Errors: Conflict "totp" when the person has TOTP (see ReplaceTOTP), NotFound "user".
func (a *Adapter) BeginTOTP(ctx context.Context, key PersonKey) (secret, otpauthURL string, err error) {
	return "", "", errLater
}

// ReplaceTOTP is BeginTOTP for a person who has TOTP: it takes a fresh code of
// the secret in use, which stays in use until the new one is confirmed. Errors:
// Denied "code" when the code is wrong, NotFound "user" or "totp".
func (a *Adapter) ReplaceTOTP(ctx context.Context, key PersonKey, code string, client Client) (secret, otpauthURL string, err error) {
	return "", "", errLater
}

// ConfirmTOTP activates the secret of BeginTOTP or ReplaceTOTP when code was
// made with it. Errors: Denied "code", NotFound "enrolment" when none was begun
// or it is too old, NotFound "user".
func (a *Adapter) ConfirmTOTP(ctx context.Context, key PersonKey, code string, client Client) error {
	return errLater
}

// RemoveTOTP removes a person's TOTP. code is a fresh one; "" is for
// administrators, who are named in by. Errors: Denied "code", NotFound "totp" or "user".
func (a *Adapter) RemoveTOTP(ctx context.Context, key PersonKey, code, by string, client Client) error {
	return errLater
}

// SetTOTP gives a person a secret that exists already, as Base32; for
// administrators and importers. Errors: Invalid "secret", NotFound "user".
func (a *Adapter) SetTOTP(ctx context.Context, key PersonKey, secret, by string, client Client) error {
	return errLater
}

// AppPassword is an app password as lists show it.
type AppPassword struct {
	ID          int64      `json:"id"`
	Description string     `json:"description"`
	Created     time.Time  `json:"created"`
	LastUsed    *time.Time `json:"last_used"`
}

// AddAppPassword makes an app password and gives it in plain; it cannot be shown
// again. by says who did it, "" for the person. Errors: NotFound "user",
// Conflict "app password" when the person has 50.
func (a *Adapter) AddAppPassword(ctx context.Context, key PersonKey, description, by string, client Client) (string, error) {
	return "", errLater
}

// ListAppPasswords lists a person's app passwords, oldest first. Errors: NotFound "user".
func (a *Adapter) ListAppPasswords(ctx context.Context, key PersonKey) ([]AppPassword, error) {
	return nil, errLater
}

// RevokeAppPassword ends one app password of a person. Errors: NotFound "user"
// or "app password".
func (a *Adapter) RevokeAppPassword(ctx context.Context, key PersonKey, id int64, by string, client Client) error {
	return errLater
}

// Permission tells whether a person holds a permission code, or ADMIN, which
// makes every code true. The letter case of codes does not matter. Errors:
// NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) Permission(ctx context.Context, key PersonKey, code string) (bool, error) {
	return false, errLater
}

// PermissionInfo is a defined permission code.
type PermissionInfo struct {
	ID          int64  `json:"id"`
	Code        string `json:"code"`
	Description string `json:"description"`
}

// GrantPermission gives a person a permission; twice is no error. Errors:
// NotFound "user" or "permission".
func (a *Adapter) GrantPermission(ctx context.Context, key PersonKey, code, by string, client Client) error {
	return errLater
}

// RevokePermission takes a permission away; twice is no error. Errors: NotFound
// "user" or "permission".
func (a *Adapter) RevokePermission(ctx context.Context, key PersonKey, code, by string, client Client) error {
	return errLater
}

// ListPermissions lists a person's own permissions by code. Errors: NotFound "user".
func (a *Adapter) ListPermissions(ctx context.Context, key PersonKey) ([]PermissionInfo, error) {
	return nil, errLater
}

// Permissions lists all defined permissions by id.
func (a *Adapter) Permissions(ctx context.Context) ([]PermissionInfo, error) { return nil, errLater }

// DefinePermission adds a permission code, or changes the description of one
// that is there. Error: Invalid "code".
func (a *Adapter) DefinePermission(ctx context.Context, code, description, by string) (PermissionInfo, error) {
	return PermissionInfo{}, errLater
}

// AddManager makes manager a manager of employee, besides what the directory
// says; twice is no error. Errors: NotFound "manager" or "employee", Invalid
// "employee" when both are one person.
func (a *Adapter) AddManager(ctx context.Context, manager, employee PersonKey, by string, client Client) error {
	return errLater
}

// RemoveManager ends what AddManager made. Errors: NotFound "manager",
// "employee", or "relation" when there is none here (the directory's cannot be removed).
func (a *Adapter) RemoveManager(ctx context.Context, manager, employee PersonKey, by string, client Client) error {
	return errLater
}

// Notification is one message to a person.
type Notification struct {
	ID        int64
	Time      time.Time // in the zone of the configuration
	Title     string
	Content   string
	URL       string
	Seen      bool
	Sensitive bool
}

// NewNotification asks for a notification.
type NewNotification struct {
	Title   string
	Content string
	URL     string
	// Timestamp is "YYYY-MM-DD", "YYYY-MM-DD HH:MM[:SS]" or RFC 3339; without an
	// offset it is read in the zone of the configuration; anything else is now.
	Timestamp string
	Sensitive bool
}

// Notifications gives a person's notifications: unseen first, then newest
// first, then by falling id. Do not change the slice. Errors: NotFound "user".
func (a *Adapter) Notifications(ctx context.Context, key PersonKey, unseenOnly bool) ([]Notification, error) {
	return nil, errLater
}

// AddNotification adds a notification and gives its id. Errors: NotFound
// "user", Invalid "title" or "content" when empty.
func (a *Adapter) AddNotification(ctx context.Context, key PersonKey, n NewNotification) (int64, error) {
	return 0, errLater
}

// ReadNotification marks a notification as seen; twice is no error. Errors:
// NotFound "user", NotFound "notification" when it is not this person's.
func (a *Adapter) ReadNotification(ctx context.Context, key PersonKey, id int64) error {
	return errLater
}

// DeleteNotification deletes a notification. Errors: as ReadNotification.
func (a *Adapter) DeleteNotification(ctx context.Context, key PersonKey, id int64) error {
	return errLater
}

// MobileCode is a paired mobile device as lists show it.
type MobileCode struct {
	ID          int64      `json:"id"`
	Description string     `json:"description"`
	Created     time.Time  `json:"created"`
	LastUsed    *time.Time `json:"last_used"`
}

// MobileCodeValid tells whether code is a sync code of that person, whatever the
// account's status. Letter case and blanks in the code do not matter. Nobody has
// none. Errors: Unavailable.
func (a *Adapter) MobileCodeValid(ctx context.Context, username, code string) (bool, error) {
	return false, errLater
}

// MobileSignIn is the pair of name and sync code that comes with every request
// of the mobile API.
type MobileSignIn struct {
	Username string
	Code     string
	Client   Client
}

// MobileCaller finds the person behind a name and sync code, whatever the
// account's status. Errors: Unauthenticated when the pair is unknown (logged as
// event 21), Throttled when that happens again within the login interval, Unavailable.
func (a *Adapter) MobileCaller(ctx context.Context, in MobileSignIn) (*Person, error) {
	return nil, errLater
}

// AddMobileCode makes a sync code, 20 upper-case hexadecimal digits, and gives
// it in plain; it cannot be shown again. Errors: NotFound "user", Conflict
// "mobile code" when the person has 50.
func (a *Adapter) AddMobileCode(ctx context.Context, key PersonKey, description, by string, client Client) (string, error) {
	return "", errLater
}

// ListMobileCodes lists a person's sync codes, oldest first. Errors: NotFound "user".
func (a *Adapter) ListMobileCodes(ctx context.Context, key PersonKey) ([]MobileCode, error) {
	return nil, errLater
}

// RevokeMobileCode ends one sync code. Errors: NotFound "user" or "mobile code".
func (a *Adapter) RevokeMobileCode(ctx context.Context, key PersonKey, id int64, by string, client Client) error {
	return errLater
}

// GenerateCode gives a person a one-time code, 100000 to 999999, good for 60
// seconds and one CodeLogin; it replaces one that was given before. Errors:
// Denied "user" for somebody who may not sign in, NotFound "user", Unavailable.
func (a *Adapter) GenerateCode(ctx context.Context, key PersonKey) (int, error) {
	return 0, errLater
}

// CodeLogin uses up a one-time code; a leading "B-" is ignored. Errors: NotFound
// "code" when it is unknown, used, too old, or of somebody who may not sign in;
// Unavailable.
func (a *Adapter) CodeLogin(ctx context.Context, code string, client Client) (*Person, error) {
	return nil, errLater
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
	return "", errLater
}

// LoginKey reads a begun sign-in. Error: NotFound "code" when it is unknown or too old.
func (a *Adapter) LoginKey(ctx context.Context, code string) (LoginKeyState, error) {
	return LoginKeyState{}, errLater
}

// CheckLoginKey gives the uid of the person who signed in with a code, until ten
// minutes after that. Error: NotFound "code", also while nobody has.
func (a *Adapter) CheckLoginKey(ctx context.Context, code string) (int64, error) {
	return 0, errLater
}

// CompleteLoginKey ties a code to the person who signed in, once. Errors:
// NotFound "code" when it is unknown or too old, Conflict "code" when it was used.
func (a *Adapter) CompleteLoginKey(ctx context.Context, code string, uid int64) error {
	return errLater
}
