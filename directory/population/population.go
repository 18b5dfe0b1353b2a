// Package population joins all configured directories into one population of
// people and groups. It is what the rest of Portico asks.
//
// A look-up goes through bounded caches of decoded entries, then the mirror,
// then, on a miss by key, once to LDAP (equal look-ups are collapsed, and a
// short-lived negative answer is remembered). Searches and relations are
// answered by the mirror alone. Passwords are checked by live binds only.
//
// The first directory in the configured order that owns a login name wins,
// unless a directory has a suffix: then its people are name@suffix.
package population

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"portico/directory"
	"portico/directory/mirror"
	"portico/internal/cache"
	"portico/internal/keylock"
)

// LDAP is the connection to one directory (package client).
type LDAP interface {
	Search(ctx context.Context, req *ldap.SearchRequest) (*ldap.SearchResult, error)
	Bind(ctx context.Context, dn, password string) directory.BindResult
}

// Mapper turns LDAP entries of one directory into ours (package mapping). The
// requests it makes carry escaped values only.
type Mapper interface { //nolint:interfacebloat // one question for each key
	Entry(e *ldap.Entry) (*directory.Entry, error)
	PersonByUsername(name string) (*ldap.SearchRequest, error)
	PersonByMail(mail string) (*ldap.SearchRequest, error)
	GroupByName(name string) (*ldap.SearchRequest, error)
	ByStableID(stable string) (*ldap.SearchRequest, error)
	ByDN(dn string) (*ldap.SearchRequest, error)
}

// Follower tells how current the mirror is for one directory (package feed).
type Follower interface {
	// Live is true while changes arrive as they happen.
	Live() bool
}

// Member is one directory of the population.
type Member struct {
	Name        string
	NobodyDN    string // a DN that no entry has
	StatusRules string // how account states are read, see mapping.State
	Policy      string // DN of the default password policy; "" when unknown
	Nested      bool   // memberships count through groups
	LDAP        LDAP
	Mapper      Mapper
	Feed        Follower
	Passwords   PasswordWriter // nil: passwords cannot be changed

	Suffix    string      // of login names, without "@"; "" for none
	Writer    Writer      // nil: the directory is read-only
	Protected []string    // groups that are never changed: names, DNs, or permanent ids
	Titles    PagedReader // reads role titles; nil: there are none
	TitleBase string      // DN below which the entries of roles lie
}

// PagedReader reads any number of entries (package client).
type PagedReader interface {
	SearchPaged(ctx context.Context, req *ldap.SearchRequest, pageSize uint32, each func(*ldap.Entry) error) error
}

// Config bounds the caches. Zero values stand for the defaults beside them.
type Config struct {
	CacheSize   int           // decoded entries of people and of groups each; 20000
	NegativeTTL time.Duration // how long "nobody has that name" is believed; 3 s
	TitleTTL    time.Duration // how long role titles are believed; 10 s
	PolicyTTL   time.Duration // how long a password policy is believed; 1 min
}

// Population answers for all members. Safe for concurrent use.
type Population struct {
	members []Member // in order of precedence
	byName  map[string]*Member
	mirror  *mirror.Mirror
	cfg     Config
	log     *slog.Logger
	now     func() time.Time

	logins   *cache.Cache[string, *directory.Entry]
	entries  *cache.Cache[directory.ID, *directory.Entry]
	nobody   *cache.Cache[string, time.Time]                // until when to believe it
	groups   *cache.Cache[directory.ID, []*directory.Entry] // by person; shares the entries
	policies *lru.Cache[string, policyRead]
	titles   titleTables
	flight   singleflight.Group
	claims   keylock.Locks // names that are being given out

	completed sync.Map // names of directories of which the mirror held everything
}

// New joins the members over one mirror.
func New(cfg Config, members []Member, m *mirror.Mirror, log *slog.Logger, now func() time.Time) (*Population, error) {
	if cfg.CacheSize <= 0 {
		cfg.CacheSize = 20000
	}
	if cfg.NegativeTTL <= 0 {
		cfg.NegativeTTL = 3 * time.Second
	}
	if cfg.TitleTTL <= 0 {
		cfg.TitleTTL = 10 * time.Second
	}
	if cfg.PolicyTTL <= 0 {
		cfg.PolicyTTL = time.Minute
	}
	policies, err := lru.New[string, policyRead](256)
	if err != nil {
		return nil, err
	}
	p := &Population{
		members: members, byName: make(map[string]*Member, len(members)), mirror: m,
		cfg: cfg, log: log, now: now,
		logins:   cache.New[string, *directory.Entry](cfg.CacheSize),
		entries:  cache.New[directory.ID, *directory.Entry](cfg.CacheSize),
		nobody:   cache.New[string, time.Time](cfg.CacheSize),
		groups:   cache.New[directory.ID, []*directory.Entry](cfg.CacheSize),
		policies: policies,
	}
	for i := range members {
		p.byName[members[i].Name] = &p.members[i]
	}
	m.OnChange(p.changed)
	return p, nil
}

// changed drops what a committed change touches. Nil means everything. A change
// may bring an entry a login name that is cached for another one: the name it
// has now is looked up again too, and where it is not known what the name was
// before, all are.
func (p *Population) changed(ids []directory.ID) {
	p.nobody.Purge()
	if ids == nil {
		p.completed.Clear() // the mirror may have begun anew
		p.entries.Purge()
		p.logins.Purge()
		p.groups.Purge()
		return
	}
	for _, id := range ids {
		p.groups.Drop(id)
		old, cached := p.entries.Drop(id)
		if !cached || old.Kind != directory.KindPerson { // a group: its members are not named
			p.groups.Purge()
		}
		if !cached {
			p.logins.Purge()
			continue
		}
		p.logins.Drop(old.Login)
		switch now, err := p.mirror.Get(context.Background(), id); {
		case err == nil:
			p.logins.Drop(now.Login)
		case !errors.Is(err, directory.ErrNotFound):
			p.logins.Purge()
		}
	}
}
