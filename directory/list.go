package directory

import (
	"errors"
	"time"
)

var (
	// ErrPosition says that a page position is not one of ours, or not one of this order.
	ErrPosition = errors.New("malformed page position")
	// ErrScan says that a query would have to look at more entries than it may.
	ErrScan = errors.New("too many entries to look through")
)

// ListQuery asks for one page of the visible entries of a kind. The order is total
// and the same in every process: by the first value of SortBy, then by permanent
// id, then by directory; all of that backwards with Descending. Text is folded (see
// Fold) unless Exact, and compared by its first 256 bytes; entries without a value
// come last, and first with Descending. AttrName sorts by the display name, or the
// name where there is none. Indexed orders are AttrID, AttrLogin, AttrName, given and
// family name, AttrCreated and AttrModified; others go through all entries that
// match (see ScanLimit).
type ListQuery struct {
	Kind      Kind
	Directory string     // "" for all
	Where     *Predicate // nil: all
	// Keep narrows what Where leaves; each entry counts as one that is looked at.
	// It may be called more than once for an entry and must not call back. KeepKey
	// names what it does, so that totals can be remembered; "" forgets them.
	Keep    func(*Entry) bool
	KeepKey string

	SortBy     string // an attribute; "" is AttrID
	Exact      bool   // letter by letter; has no index
	Descending bool

	Offset int    // entries to leave out; costs time linear in it
	Limit  int    // 1..10000; 0 means 10000; negative: none, for totals alone
	After  string // Page.Next of the page before; costs nothing, and Offset is not needed
	Total  bool   // count all that match

	Now       time.Time // for AttrActive; default: the present
	ScanLimit int       // entries that may be looked at one by one; default 200,000
}

// Page is a part of a list. Next means the same in every process and survives
// restarts, and what comes or goes meanwhile makes nothing else appear twice.
type Page struct {
	Entries []*Entry
	Next    string // for ListQuery.After; "" when this page is the last
	Total   int    // with ListQuery.Total
}

// Reference names an entry without its content.
type Reference struct {
	ID   ID
	Kind Kind
}

// Roster is a group as its directory has it at this moment.
type Roster struct {
	Group      *Entry
	ByName     bool // it names its members by login name
	Members    map[ID]bool
	Owners     map[ID]bool
	MoreOwners bool // it has owners who are no person that is known
}
