package directory

import (
	"context"
	"errors"
)

// NewEntry is a person or a group that is to be made. Attribute names are
// Portico's; the directory's mapping decides where the values go. It is not printed.
type NewEntry struct {
	Kind Kind // KindPerson or KindGroup
	Name string
	// Attributes besides the name. References by DN (manager, owner) stand in
	// References. Empty lists are as good as absent.
	Attributes Attributes
	References map[string][]ID // AttrManager, AttrOwner: people and groups of the same directory
	Members    []ID            // groups only
	// Parent is the DN that a group is made below, such as that of another group;
	// "" is where the directory's groups go. Names below a Parent need not be unique
	// in the directory.
	Parent   string
	Password string // people only; "": none is set
	Disabled bool   // people only

	// Begun, if not nil, is told the identity of an entry that is there and is not
	// complete yet: more members follow, or the password. An error takes it away.
	Begun func(ctx context.Context, id ID) error
}

// String hides the password and the values.
func (n NewEntry) String() string { return "new " + n.Kind.String() + " " + n.Name }

// Change says what is to be different about an entry. What it does not name
// stays as it is. It is not printed.
type Change struct {
	Name       *string         // login name of a person, name of a group
	Attributes Attributes      // only named ones change; an empty list removes
	References map[string][]ID // likewise

	// Groups only. Adding who is in and removing who is not in are no errors.
	// ReplaceMembers excludes the other two; it leaves members alone that are no
	// visible person or group.
	AddMembers, RemoveMembers []ID
	ReplaceMembers            *[]ID

	Password *string // people only
	Disabled *bool   // people only

	// IfVersion makes the change conditional on the entry's Version; "" does not.
	IfVersion string
}

// String hides the password and the values.
func (c Change) String() string { return "change" }

// Empty tells whether nothing is to change.
func (c Change) Empty() bool {
	return c.Name == nil && len(c.Attributes) == 0 && len(c.References) == 0 && len(c.AddMembers) == 0 &&
		len(c.RemoveMembers) == 0 && c.ReplaceMembers == nil && c.Password == nil && c.Disabled == nil
}

// OnlyMembers tells whether members are added or removed and nothing else: a
// change for which the group's other members need not be known.
func (c Change) OnlyMembers() bool {
	return len(c.AddMembers)+len(c.RemoveMembers) > 0 && c.Name == nil && len(c.Attributes) == 0 &&
		len(c.References) == 0 && c.ReplaceMembers == nil && c.Password == nil && c.Disabled == nil
}

// WriteFault says why a directory was not changed.
type WriteFault uint8

// The faults. After WriteUnknown the change may have been made; after all
// others nothing has changed, except where Detail says so.
const (
	// WriteFailed: the server refused for a reason that is nobody's but ours or
	// the administrator's.
	WriteFailed WriteFault = iota
	// WriteExists: Attribute's value is taken ("username", "name").
	WriteExists
	// WriteNotFound: the entry is not there, or Attribute refers to nobody.
	WriteNotFound
	// WriteStale: the entry's version is not IfVersion any more.
	WriteStale
	// WriteDenied: the service account has no right to it, or the configuration
	// protects the entry.
	WriteDenied
	// WriteReadOnly: the directory is not configured for writing.
	WriteReadOnly
	// WriteInvalid: Attribute's value cannot be stored in this directory.
	WriteInvalid
	// WritePassword: the password was refused; the error wraps a *PasswordError.
	WritePassword
	// WriteNotLeaf: something hangs below the entry.
	WriteNotLeaf
	// WriteUnavailable: the directory does not answer; nothing was changed.
	WriteUnavailable
	// WriteUnknown: the directory stopped answering after it got the request, and
	// does not say whether it was carried out.
	WriteUnknown
	// WriteMisconfigured: the server or the configuration does not allow it at all
	// (a read-only replica that refers elsewhere, a lock that is not enforced).
	WriteMisconfigured
)

// String gives the fault's name for logs.
func (f WriteFault) String() string {
	names := [...]string{
		"failed", "exists", "not found", "stale", "denied", "read-only", "invalid", "password refused",
		"not a leaf", "unavailable", "unknown outcome", "misconfigured",
	}
	if int(f) < len(names) {
		return names[f]
	}
	return "unknown"
}

// WriteError is what every write gives back. Detail is for the administrator's
// log: it names DNs and what the server said, never a value that was written.
type WriteError struct {
	Fault     WriteFault
	Attribute string // Portico's name of the attribute at fault; "" when none is
	Detail    string
	Err       error // the cause; may be nil
}

// Error gives fault, attribute, detail and cause, for logs.
func (e *WriteError) Error() string {
	s := "directory write: " + e.Fault.String()
	if e.Attribute != "" {
		s += " " + e.Attribute
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause, and ErrUnavailable or ErrNotFound where they fit.
func (e *WriteError) Unwrap() []error {
	list := make([]error, 0, 2)
	if e.Err != nil {
		list = append(list, e.Err)
	}
	switch e.Fault {
	case WriteUnavailable, WriteUnknown:
		list = append(list, ErrUnavailable)
	case WriteNotFound:
		list = append(list, ErrNotFound)
	}
	return list
}

// WriteFaultOf is the fault of an error of a write; WriteFailed where the error
// is none of ours.
func WriteFaultOf(err error) WriteFault {
	if e, ok := errors.AsType[*WriteError](err); ok {
		return e.Fault
	}
	return WriteFailed
}
