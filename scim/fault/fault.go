// Package fault is the vocabulary of what can be wrong with a SCIM request: an HTTP status, the keyword that RFC 7644
// section 3.12 and RFC 9865 give it, and a sentence for the administrator of the client.
//
// Every package of the protocol returns these errors for what a client did; one writer in package scim puts them on the
// wire. What a client must not see (names of hosts, DNs, texts of the directory) goes into Cause and from there into the
// log only.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Type is a detail error keyword (RFC 7644, table 9; RFC 9865 section 2.1).
type Type string

// The keywords.
const (
	InvalidFilter Type = "invalidFilter"
	TooMany       Type = "tooMany"
	Uniqueness    Type = "uniqueness"
	Mutability    Type = "mutability"
	InvalidSyntax Type = "invalidSyntax"
	InvalidPath   Type = "invalidPath"
	NoTarget      Type = "noTarget"
	InvalidValue  Type = "invalidValue"
	InvalidVers   Type = "invalidVers"
	Sensitive     Type = "sensitive"
	InvalidCursor Type = "invalidCursor"
	ExpiredCursor Type = "expiredCursor"
	InvalidCount  Type = "invalidCount"
)

// Error is one refusal.
type Error struct {
	Status     int    // of HTTP
	Type       Type   // "" where there is none
	Detail     string // for people; may be shown outside
	RetryAfter time.Duration
	Cause      error // for the log only
}

// Error gives everything, for logs.
func (e *Error) Error() string {
	text := fmt.Sprintf("%d", e.Status)
	if e.Type != "" {
		text += " " + string(e.Type)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes a refusal with any status.
func New(status int, kind Type, format string, args ...any) *Error {
	return &Error{Status: status, Type: kind, Detail: fmt.Sprintf(format, args...)}
}

// Bad makes a 400 with a keyword.
func Bad(kind Type, format string, args ...any) *Error {
	return New(http.StatusBadRequest, kind, format, args...)
}

// NotFound is the one answer for what is not there and what may not be seen.
func NotFound(id string) *Error {
	return New(http.StatusNotFound, "", "no such resource: %s", Clip(id))
}

// Taken is a 409 for a value that another resource has.
func Taken(attribute string) *Error {
	return New(http.StatusConflict, Uniqueness, "%s is taken", attribute)
}

// Stale is a 412: the resource is not in the version that the request asks for.
func Stale() *Error {
	return New(http.StatusPreconditionFailed, "", "the resource has changed: its version is another one")
}

// Of gives the refusal inside any error; what is none is a 500 with the error as its cause.
func Of(err error) *Error {
	if found, ok := errors.AsType[*Error](err); ok {
		return found
	}
	return &Error{Status: http.StatusInternalServerError, Detail: "internal error", Cause: err}
}

// Is tells whether an error is a refusal with this keyword.
func Is(err error, kind Type) bool {
	found, ok := errors.AsType[*Error](err)
	return ok && found.Type == kind
}

// Clip shortens what a client sent before it is shown again.
func Clip(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	end := most
	for end > 0 && text[end]&0xC0 == 0x80 {
		end--
	}
	return text[:end] + "..."
}
