package writer

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/client"
	"portico/directory/mapping"
	"portico/internal/keylock"
)

// Reader reads one directory (package client).
type Reader interface {
	Search(ctx context.Context, req *ldap.SearchRequest) (*ldap.SearchResult, error)
	SearchPaged(ctx context.Context, req *ldap.SearchRequest, pageSize uint32, each func(*ldap.Entry) error) error
	Features(ctx context.Context) (client.Features, error)
	Bind(ctx context.Context, dn, password string) directory.BindResult
}

// Updater changes one directory (package client). Where an answer is lost, its
// errors wrap client.ErrOutcomeUnknown.
type Updater interface {
	Add(ctx context.Context, req *ldap.AddRequest) error
	Modify(ctx context.Context, req *ldap.ModifyRequest) (*ldap.Entry, error)
	ModifyDN(ctx context.Context, req *ldap.ModifyDNRequest) error
	Delete(ctx context.Context, req *ldap.DelRequest) error
	SetPassword(ctx context.Context, dn, password string, activeDirectory bool) error
}

// LDAP is the connection to one directory.
type LDAP interface {
	Reader
	Updater
}

// Config says how one directory wants to be written.
type Config struct {
	Directory string // configured name
	Lock      Lock   // how accounts are disabled

	// ServerKeepsReferences: the server itself removes and renames references to
	// an entry, as Active Directory does.
	ServerKeepsReferences bool
	ActiveDirectory       bool // unicodePwd, accounts that are born disabled

	Numbers Numbers // of new entries; the zero value gives none

	Chunk int // how many members one request carries at the most; 0: 1000

	// Settle is how long a lost write may take to show; 2 s. Patience is how long
	// the directory may be away before an outcome is called unknown; 15 s.
	Settle, Patience time.Duration
}

// Writer changes one directory. Safe for concurrent use: changes of one entry in
// this process come one after the other.
type Writer struct {
	cfg   Config
	enc   *mapping.Encoder
	m     *mapping.Mapper
	ldap  LDAP
	log   *slog.Logger
	locks keylock.Locks
}

// New makes a writer. It asks the directory nothing.
func New(cfg Config, enc *mapping.Encoder, connection LDAP, log *slog.Logger) *Writer {
	if cfg.Settle <= 0 {
		cfg.Settle = 2 * time.Second
	}
	if cfg.Chunk <= 0 {
		cfg.Chunk = defaultChunk
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 15 * time.Second
	}
	return &Writer{
		cfg: cfg, enc: enc, m: enc.Mapper(), ldap: connection, log: log.With("directory", cfg.Directory),
	}
}

// Ref is a person or a group as a reference names it.
type Ref struct{ DN, Name string }

// NewEntry is an entry that is to be made, its references resolved.
type NewEntry struct {
	directory.NewEntry
	References map[string][]string // DNs by Portico's name
	Members    []Ref
}

// Edit is a change with its references resolved.
type Edit struct {
	directory.Change
	References  map[string][]string
	Add, Remove []Ref
	Replace     *[]Ref
	// Visible tells for a stored member, a DN or a login name, whether it is a
	// person or group that APIs show. Others are never removed by Replace.
	Visible func(value string, byName bool) bool
}

// Result is an entry as it is after a write.
type Result struct {
	Entry *directory.Entry
	// Whole: Entry.Members are all members. Else Added and Removed are how the
	// members of a group changed, DNs or login names (Entry.MembersByName).
	Whole          bool
	Added, Removed []string
	Changed        []string // Portico's names of the attributes that changed
}

// Encoder is what entries are written with.
func (w *Writer) Encoder() *mapping.Encoder { return w.enc }

// Room is how many values of an attribute entries of a kind can hold: 0, 1, or many.
func (w *Writer) Room(kind directory.Kind, attribute string) int { return w.enc.Room(kind, attribute) }

// pageSize of searches for references.
const pageSize = 500
