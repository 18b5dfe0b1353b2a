// Package directory holds the terms in which the rest of Portico speaks of LDAP
// directories: entries, identities, account states and bind verdicts.
//
// It does no input or output. The packages below it do: client speaks LDAP,
// mapping turns LDAP entries into Entry values, mirror keeps them in a local
// read model, feed follows changes, population joins several directories into
// one. Nothing here knows of HTTP, of an API, or of the local database.
package directory

import (
	"strings"
	"time"
)

// ID names an entry for ever: the configured name of its directory and the
// server's own permanent id (entryUUID, nsUniqueId, ipaUniqueID or objectGUID,
// as lower-case text). DNs and login names may change; an ID never does.
type ID struct {
	Directory string
	Stable    string
}

// String gives "directory/stable", for logs.
func (id ID) String() string { return id.Directory + "/" + id.Stable }

// IsZero tells whether the ID names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Kind says what an entry is to Portico.
type Kind uint8

// The kinds of entry that a directory is read for. A container is an entry
// that others may hang below (ou, o, dc): it is kept because its rename changes
// the DNs of everything below it without any event for them.
const (
	KindPerson Kind = iota + 1
	KindGroup
	KindContainer
)

// String gives the kind's name for logs and reports.
func (k Kind) String() string {
	switch k {
	case KindPerson:
		return "person"
	case KindGroup:
		return "group"
	case KindContainer:
		return "container"
	default:
		return "unknown"
	}
}

// Attributes are mapped values by Portico's attribute name ("name", "mail",
// "manager", ...; see the presets). Absent and empty are the same.
type Attributes map[string][]string

// First is the first value, or "".
func (a Attributes) First(name string) string {
	if v := a[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Portico's names of the attributes that the program itself reads. A preset
// or a configuration may map more; they are carried along untouched.
const (
	AttrUsername    = "username"
	AttrName        = "name" // display name
	AttrGivenName   = "given_name"
	AttrFamilyName  = "family_name"
	AttrMail        = "mail"
	AttrPhone       = "phone"
	AttrMobile      = "mobile"
	AttrManager     = "manager" // DNs
	AttrDescription = "description"
	AttrOwner       = "owner"  // DNs, groups
	AttrHidden      = "hidden" // groups
	AttrNumber      = "number" // uidNumber, gidNumber
)

// Entry is one LDAP entry as Portico keeps it. It never holds a credential.
// Entries that were handed out are shared between goroutines: do not change them.
type Entry struct {
	ID   ID
	Kind Kind

	// DN is spelled as the server spells it. Compare DNs only in the normal
	// form of mapping.DNKey.
	DN string

	// Name is the login name of a person or the name of a group, as stored.
	// It lacks the directory's suffix; see Login.
	Name string

	// Login is the name under which the whole population knows a person:
	// lower case, with "@suffix" where the directory has a suffix. Empty for
	// groups and containers.
	Login string

	Attributes Attributes

	// Signals are the raw values behind the account state, by LDAP attribute
	// name in lower case (pwdaccountlockedtime, nsaccountlock, ...). People only.
	Signals Attributes

	// Members are the references of a group as the server gave them, DNs or
	// login names (see MembersByName). Nil except on the way from LDAP into the
	// mirror: look-ups do not load them.
	Members       []string
	MembersByName bool // Members are login names (memberUid), not DNs

	// PrimaryGroup joins people with the one group that has them as members without
	// listing them (Active Directory's primaryGroupID): both carry the same text,
	// the group's security identifier. Like Members it is not loaded by look-ups.
	PrimaryGroup string

	Created  time.Time // zero where the server does not tell
	Modified time.Time
	Version  string // entryCSN, uSNChanged, ...: changes with every write; may be ""
}

// DisplayName is the mapped display name, else the login name.
func (e *Entry) DisplayName() string {
	if n := e.Attributes.First(AttrName); n != "" {
		return n
	}
	return e.Name
}

// FoldName is the one way in which login names, group names and mail addresses
// are made comparable: surrounding space trimmed, lower case. Accents are kept
// (LDAP's caseIgnoreMatch).
func FoldName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
