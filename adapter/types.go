package adapter

import (
	"time"

	"portico/directory"
)

// Status is a person's account status as the older APIs know it.
type Status uint8

// The statuses, by their AccountHub numbers.
const (
	StatusUnknown        Status = 0 // no such person
	StatusNormal         Status = 1
	StatusLocked         Status = 2 // locked, disabled, or the account's period is over
	StatusChangePassword Status = 3
	StatusTerminated     Status = 4
	StatusAlert          Status = 5 // like normal; the administrator is told of each sign-in
)

// MaySignIn tells whether somebody with this status may come in.
func (s Status) MaySignIn() bool { return s == StatusNormal || s == StatusAlert }

// Person is one person of the population, as every API sees it.
type Person struct {
	UID        int64        // numeric id, 1..2147483647, given out once, never reused
	ID         directory.ID // permanent identity
	Username   string       // lower case, with "@suffix" where the directory has one
	Name       string       // display name; never empty
	GivenName  string
	FamilyName string
	Mail       []string // first is the primary address
	Phone      string
	Mobile     string
	HasPIN     bool
	HasTOTP    bool
	Epoch      int64 // grows when the sessions are ended because the account changed; see PutSession
	Attributes directory.Attributes
	Entry      *directory.Entry // as the directory has it
}

// Email is the primary address, or "".
func (p *Person) Email() string {
	if len(p.Mail) == 0 {
		return ""
	}
	return p.Mail[0]
}

// Group is one group of the population.
type Group struct {
	GID         int64 // numeric id, given out once, never reused
	ID          directory.ID
	Name        string
	Description string
	Attributes  directory.Attributes
	Entry       *directory.Entry // as the directory has it
}

// PersonKey says which person is meant. Make one with ByUID, ByUsername or ByID.
type PersonKey struct {
	uid      int64
	username string
	id       directory.ID
}

// ByUID asks for the person with that numeric id.
func ByUID(uid int64) PersonKey { return PersonKey{uid: uid} }

// ByUsername asks for the person with that login name; letter case and
// surrounding space do not matter.
func ByUsername(name string) PersonKey { return PersonKey{username: name} }

// ByID asks for the person with that permanent identity.
func ByID(id directory.ID) PersonKey { return PersonKey{id: id} }

// Level is what an API key may do, on the ladder of the action API.
type Level uint8

// The levels, lowest first. A key may do what its level and those below allow.
const (
	LevelNone Level = iota
	LevelAuth
	LevelRead
	LevelFull
)

// Caller is the holder of an API key, or nobody.
type Caller struct {
	KeyID    int64
	API      string // the one API the key is good for
	Label    string
	Level    Level
	Enforced bool   // false for keys taken over from another system: warn, do not refuse
	Masked   string // for the security log: first and last two characters of the key

	Org      string   // short name of the one organisation; collaboration API only
	Units    []string // of that organisation; none: all
	ReadOnly bool     // collaboration API only
}

// Client says where a request came from; it goes into the security log.
type Client struct {
	Address   string // without port; the real client behind trusted proxies
	RequestID string
	// Exempt lets the login interval pass: the configuration exempts this caller.
	Exempt bool
}

// Surface says where somebody types a password. It decides the log types, and
// what else is asked for.
type Surface uint8

// The surfaces.
const (
	// SurfaceAPI: another server asks for its user. App passwords are accepted;
	// that server checks the second factor itself.
	SurfaceAPI Surface = iota
	// SurfaceMobile: the mobile API. The status must be exactly normal; the sync
	// code is the second factor. With FullSignIn it is gated as such.
	SurfaceMobile
	// SurfacePortal: the sign-in page. People with TOTP get NeedsCode instead of OK.
	SurfacePortal
)

// SignIn asks for one password check.
type SignIn struct {
	Surface  Surface
	Caller   *Caller
	Client   Client
	Username string
	Password string
	// AppPasswordOnly refuses the directory password of people with TOTP: the
	// caller cannot ask for a second factor.
	AppPasswordOnly bool
	// FullSignIn marks the check as a whole sign-in ("login") rather than a
	// check of credentials ("auth"): other log types, least time between two of
	// them, and an alert mail is owed for people with an alert flag.
	FullSignIn bool
}

// SignInResult is the outcome of a password check. OK is the only thing that
// lets anybody in; Status and PasswordRight tell why not.
type SignInResult struct {
	OK            bool
	Person        *Person // nil when there is no such person
	Status        Status
	PasswordRight bool // proven right, even if the person may not come in
	Alert         bool // an alert mail is owed
	// NeedsCode: all is well so far, but only CheckTOTP lets the person in. Not
	// logged as a sign-in. SurfacePortal only.
	NeedsCode bool
	// AppPassword: what was typed is an app password. On the portal it is refused.
	AppPassword bool
}

// Event is one record of the security log.
type Event struct {
	ID        int64
	Time      time.Time
	Type      EventType
	UID       int64 // 0: nobody
	Address   string
	RequestID string
	Text      string // at most 255 characters, no secret
}

// EventType numbers the kinds of security events as AccountHub does.
type EventType uint8

// The event types (AccountHub contract, section 13).
const (
	EventPortalLoginOK     EventType = 1
	EventPortalLoginFailed EventType = 2
	EventPasswordChanged   EventType = 3
	EventAPILoginOK        EventType = 4
	EventAPILoginFailed    EventType = 5
	EventPortalBadTOTP     EventType = 6
	EventAPIBadTOTP        EventType = 7
	EventTOTPAdded         EventType = 9
	EventTOTPRemoved       EventType = 10
	EventLogout            EventType = 11
	EventAPIAuthOK         EventType = 12
	EventAPIAuthFailed     EventType = 13
	EventAPIBadKey         EventType = 14
	EventLogCleared        EventType = 15
	EventUserRemoved       EventType = 16
	EventUserAdded         EventType = 17
	EventUserEdited        EventType = 18
	EventMobileLoginOK     EventType = 19
	EventMobileLoginFailed EventType = 20
	EventMobileBadKey      EventType = 21
	EventKeyCreated        EventType = 30 // ours from here on
	EventKeyRevoked        EventType = 31
	EventLogRead           EventType = 32
	EventGroupAdded        EventType = 70 // in a directory
	EventGroupEdited       EventType = 71
	EventGroupRemoved      EventType = 72
	EventClosingRefused    EventType = 73 // too many accounts disabled or deleted at once

	EventOrgChanged    EventType = 60 // organisations and services
	EventCollabMade    EventType = 61
	EventCollabChanged EventType = 62
	EventCollabEnded   EventType = 63
	EventCollabMember  EventType = 64 // memberships and their roles
	EventCollabGroup   EventType = 65
	EventCollabInvite  EventType = 66
	EventCollabService EventType = 67 // connections and requests for them
	EventCollabRefused EventType = 68
)
