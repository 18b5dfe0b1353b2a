// Package adapter says what the APIs mean: one file a capability (people,
// groups, sign-in, account status, keys, the security log). A handler of any API
// decodes a request, calls one verb of this package and encodes the answer.
//
// It imports the directory and the store; no API imports those. It knows no
// HTTP status, no element name and no wire format.
package adapter

import (
	"errors"
	"fmt"
	"time"
)

// ErrorKind is the closed list of what can go wrong. Each API maps the kinds
// onto its own wire form in one function.
type ErrorKind uint8

// The kinds of error.
const (
	// Internal is everything that is nobody's fault outside: logged in full,
	// shown as nothing but an id.
	Internal        ErrorKind = iota
	NotFound                  // Field says what: "user", "group", "manager", "employee", ...
	Ambiguous                 // more than one entry answers to that name
	Conflict                  // Field is taken already
	Denied                    // known caller, not allowed
	Unauthenticated           // no caller: key missing, unknown, revoked, expired
	Invalid                   // Field is malformed or out of range
	Throttled                 // try again after RetryAfter
	Unavailable               // the directory does not answer: try later
)

// String gives the kind's name for logs.
func (k ErrorKind) String() string {
	names := [...]string{
		"internal", "not found", "ambiguous", "conflict", "denied",
		"unauthenticated", "invalid", "throttled", "unavailable",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Error is what every verb returns. Text may be shown outside; the wrapped
// cause may not.
type Error struct {
	Kind       ErrorKind
	Field      string        // which input or thing; "" when it does not apply
	Text       string        // plain English, safe to show; "" when the kind says it all
	RetryAfter time.Duration // with Throttled and Unavailable
	Cause      error
}

// Error gives kind, field, text and cause, for logs only.
func (e *Error) Error() string {
	s := e.Kind.String()
	if e.Field != "" {
		s += " " + e.Field
	}
	if e.Text != "" {
		s += ": " + e.Text
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf is the kind of any error; what is not an *Error is Internal.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// FieldOf is the field that an error names, or "".
func FieldOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Field
	}
	return ""
}

func notFound(field string) error { return &Error{Kind: NotFound, Field: field} }

func invalid(field, format string, args ...any) error {
	return &Error{Kind: Invalid, Field: field, Text: fmt.Sprintf(format, args...)}
}
