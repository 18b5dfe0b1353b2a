package directory

import "time"

// AccountState is the technical state of a person's account at one moment,
// computed from stored times at each question (the end of a timed lock is
// announced by nobody). Several members may be true at once; who maps it onto
// an API decides the precedence.
type AccountState struct {
	Disabled        bool // by an administrator
	Locked          bool // by failures, and the lock still runs
	OutsidePeriod   bool // the account's period has not begun or is over
	MustChange      bool // at the next sign-in
	PasswordExpired bool // too old, grace left or not
	GraceLeft       int  // grace sign-ins left; -1 when not known

	// PolicyUnknown: the password policy could never be read, for the directory is
	// down. Passwords that are too old and the ends of locks may go unseen.
	PolicyUnknown bool

	LockedUntil time.Time // zero: until an administrator acts, or unknown

	// Reasons name the attribute and value behind each true member, for
	// "portico explain".
	Reasons []Reason
}

// Reason is one signal behind an account state.
type Reason struct {
	State     string // "disabled", "locked", "outside period", "must change", "password expired"
	Attribute string // as LDAP spells it
	Value     string
	Detail    string // how the value was read, e.g. "locked until 2026-01-01T00:00:00Z"
}

// Policy is the part of a password policy that an account state depends on.
// The zero value is "no policy known".
type Policy struct {
	DN              string
	Lockout         bool          // pwdLockout
	LockoutDuration time.Duration // 0: until an administrator acts
	MaxAge          time.Duration // 0: passwords never expire
	MustChange      bool          // pwdMustChange
	GraceLimit      int
	MaxFailures     int // failures that lock an account; 0: not known or none
}
