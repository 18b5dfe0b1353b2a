package action

import (
	"context"
	"net/http"

	"portico/adapter"
)

// Keys is how the API learns who calls.
type Keys interface {
	// KeyCaller gives the holder of an API key. Errors: Unauthenticated,
	// Throttled (a wrong key again too soon from that address).
	KeyCaller(ctx context.Context, api, presented string, client adapter.Client) (*adapter.Caller, error)
	// KeyRefused notes in the security log that a valid key's level was too low
	// for an action.
	KeyRefused(ctx context.Context, caller *adapter.Caller, client adapter.Client, action string) error
}

// SignIns checks passwords and account states.
type SignIns interface {
	// CheckPassword checks one password. Errors: Throttled, Unavailable.
	CheckPassword(ctx context.Context, in adapter.SignIn) (*adapter.SignInResult, error)
	// AccountStatus is StatusUnknown for nobody. Errors: Unavailable.
	AccountStatus(ctx context.Context, key adapter.PersonKey) (adapter.Status, error)
}

// People looks people up.
type People interface {
	// Person gives one person. Errors: NotFound, Ambiguous, Unavailable.
	Person(ctx context.Context, key adapter.PersonKey) (*adapter.Person, error)
	// PersonExists does not call an outage a no. Errors: Unavailable.
	PersonExists(ctx context.Context, key adapter.PersonKey) (bool, error)
	// SearchPeople finds by a part of login or display name, ordered by uid.
	SearchPeople(ctx context.Context, text string, limit int) ([]*adapter.Person, error)
}

// Groups looks groups up.
type Groups interface {
	// SearchGroups finds by a part of the name.
	SearchGroups(ctx context.Context, text string, limit int) ([]*adapter.Group, error)
	// Groups gives all, ordered by gid.
	Groups(ctx context.Context) ([]*adapter.Group, error)
	// GroupsOf gives a person's. Errors: NotFound "user".
	GroupsOf(ctx context.Context, key adapter.PersonKey) ([]*adapter.Group, error)
	// MembersOf gives a group's people, ordered by uid. Errors: NotFound "group".
	MembersOf(ctx context.Context, gid int64) ([]*adapter.Person, error)
}

// Managers knows who manages whom, directly.
type Managers interface {
	// IsManagerOf has the errors NotFound "manager" and NotFound "employee".
	IsManagerOf(ctx context.Context, manager, employee adapter.PersonKey) (bool, error)
	// Managed gives a manager's people, ordered by uid. Errors: NotFound "user".
	Managed(ctx context.Context, key adapter.PersonKey) ([]*adapter.Person, error)
	// Managers gives a person's managers, ordered by uid. Errors: NotFound "user".
	Managers(ctx context.Context, key adapter.PersonKey) ([]*adapter.Person, error)
}

// Factors checks and makes what stands beside the password.
type Factors interface {
	// CheckPIN has the errors NotFound "user" and Throttled, when too many wait.
	CheckPIN(ctx context.Context, key adapter.PersonKey, pin string, client adapter.Client) (adapter.PINResult, error)
	// VerifyTOTP says no for nobody, and yes for a person without TOTP.
	VerifyTOTP(ctx context.Context, key adapter.PersonKey, code string, client adapter.Client) (bool, error)
	// AddAppPassword gives the new password in plain. Errors: NotFound "user", Conflict.
	AddAppPassword(ctx context.Context, key adapter.PersonKey, description, by string, client adapter.Client) (string, error)
}

// Permissions knows who may do what.
type Permissions interface {
	// Permission has the error NotFound "user".
	Permission(ctx context.Context, key adapter.PersonKey, code string) (bool, error)
}

// Notifications keeps messages to people. All have the error NotFound "user".
type Notifications interface {
	// Notifications gives unseen ones first, then the newest first.
	Notifications(ctx context.Context, key adapter.PersonKey, unseenOnly bool) ([]adapter.Notification, error)
	// AddNotification gives the new one's id. Error: Invalid.
	AddNotification(ctx context.Context, key adapter.PersonKey, n adapter.NewNotification) (int64, error)
	// ReadNotification has the error NotFound "notification".
	ReadNotification(ctx context.Context, key adapter.PersonKey, id int64) error
	// DeleteNotification has the error NotFound "notification".
	DeleteNotification(ctx context.Context, key adapter.PersonKey, id int64) error
}

// Codes hands out and takes the codes of sign-ins that begin in one place and
// end in another. They all have the error NotFound "code".
type Codes interface {
	// NewLoginKey begins a sign-in in the browser for an application.
	NewLoginKey(ctx context.Context, appName, appIcon string) (string, error)
	// CheckLoginKey gives the uid of who has signed in with it.
	CheckLoginKey(ctx context.Context, code string) (int64, error)
	// CodeLogin uses up a one-time code.
	CodeLogin(ctx context.Context, code string, client adapter.Client) (*adapter.Person, error)
}

// Mobile is what the mobile API stands on.
type Mobile interface {
	// MobileCodeValid says no for nobody.
	MobileCodeValid(ctx context.Context, username, code string) (bool, error)
	// MobileCaller has the errors Unauthenticated and Throttled.
	MobileCaller(ctx context.Context, in adapter.MobileSignIn) (*adapter.Person, error)
	// MobileGate has the error Throttled.
	MobileGate(username string, client adapter.Client) error
	// AddMobileCode gives the new sync code in plain. Errors: NotFound "user", Conflict.
	AddMobileCode(ctx context.Context, key adapter.PersonKey, description, by string, client adapter.Client) (string, error)
	// GenerateCode has the error Denied for somebody who may not sign in.
	GenerateCode(ctx context.Context, key adapter.PersonKey) (int, error)
}

// Adapter is everything that the API asks for.
type Adapter interface { //nolint:interfacebloat // composed of narrow ones
	Keys
	SignIns
	People
	Groups
	Managers
	Factors
	Permissions
	Notifications
	Codes
	Mobile
}

// Alerts tells the administrator that somebody has signed in.
type Alerts interface {
	// AlertMail queues the mail. Errors: NotFound "user", Throttled, and with a
	// Text that says why no mail can be sent.
	AlertMail(ctx context.Context, username, appName string, client adapter.Client) error
}

// Sessions begins sessions of the pages for people.
type Sessions interface {
	// Begin signs a person in to the pages and sets the cookie; mobile marks a
	// session that the phone app began.
	Begin(w http.ResponseWriter, r *http.Request, person *adapter.Person, mobile bool) error
}
