package directory

import (
	"errors"
	"time"
)

// Errors of look-ups. They carry no text for clients.
var (
	// ErrNotFound: no entry under the configured base and filter has that key.
	ErrNotFound = errors.New("no such entry")
	// ErrAmbiguous: two entries of one directory answer to the same login name.
	ErrAmbiguous = errors.New("more than one entry has that name")
	// ErrUnavailable: the directory did not answer and the mirror does not know.
	ErrUnavailable = errors.New("directory unavailable")
	// ErrIncomplete: the server cut an answer short (size, time or
	// administrative limit); what arrived must not be taken for everything.
	ErrIncomplete = errors.New("directory answer incomplete")
)

// Verdict is what a bind said about a person's password and account.
type Verdict uint8

// The verdicts, in the order in which signals are judged: the first that fits wins.
const (
	// VerdictUnavailable: no connection, time-out, busy, or a code that says
	// nothing about the password. Never counted as a wrong password.
	VerdictUnavailable Verdict = iota
	// VerdictMisconfigured: the server wants TLS, or refuses our way of binding.
	VerdictMisconfigured
	// VerdictLocked: locked by failures. Says nothing about the password.
	VerdictLocked
	// VerdictDisabled: disabled, expired account, or not now and not here.
	VerdictDisabled
	// VerdictPasswordExpired: the password was right, and is too old.
	VerdictPasswordExpired
	// VerdictMustChange: the password was right; it must be changed before
	// anything else. Not a sign-in.
	VerdictMustChange
	// VerdictGrace: signed in with an expired password, Grace sign-ins left.
	VerdictGrace
	// VerdictSignedIn: the password is right and the account may be used.
	VerdictSignedIn
	// VerdictWrong: wrong credentials, or nobody there.
	VerdictWrong
)

// String gives the verdict's name for logs and the security log.
func (v Verdict) String() string {
	names := [...]string{
		"unavailable", "misconfigured", "locked", "disabled", "password expired",
		"must change password", "signed in with grace", "signed in", "wrong credentials",
	}
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

// BindResult is the outcome of one password check by LDAP bind.
type BindResult struct {
	Verdict Verdict
	// PasswordRight is true where the answer proves it: a success, and on Active
	// Directory the sub-codes that are only given for a right password.
	PasswordRight bool
	// Grace is the number of sign-ins left with VerdictGrace.
	Grace int
	// ExpiresIn is the time until the password expires; 0 when not told.
	ExpiresIn time.Duration
	// Code and Detail are the LDAP result code and a short text for the log of
	// the administrator. They hold no credential and are never shown to clients.
	Code   uint16
	Detail string
}

// SignedIn tells whether the person may come in: only full success and grace
// sign-ins do.
func (r BindResult) SignedIn() bool {
	return r.Verdict == VerdictSignedIn || r.Verdict == VerdictGrace
}
