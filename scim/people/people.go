// Package people answers SCIM requests for users and groups out of the directories: it stands between the protocol
// (package scim) and the verbs of the adapter.
//
// What a resource has comes from three places: the entry of the directory by the mapping (package mapping), what the
// read model knows of references (groups, members, managers), and the extras, which hold what the directory has no place
// for. Every change goes through one verb of the adapter; it names no more than what is different.
//
// A change that has to know the present state is computed on it and made on condition that it is still the present
// one; otherwise it is computed again.
package people

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"portico/adapter"
	"portico/internal/keylock"
	"portico/scim"
	"portico/scim/fault"
	"portico/scim/mapping"
	"portico/scim/resource"
	"portico/scim/schema"
)

// Config says which part of the population is served. Zero values are the defaults named here.
type Config struct {
	Directories []string // names in order of precedence
	// MembersInline is the largest group whose members are in lists; 10,000. A group that is asked for alone has them all.
	MembersInline int
	ScanLimit     int // entries that a filter may look at one by one; 200,000
	BaseURL       string
}

// Deps are the parts that the handlers stand on. All are required.
type Deps struct {
	Adapter *adapter.Adapter
	Log     *slog.Logger
	Now     func() time.Time
	Rand    io.Reader // of passwords that are told to nobody
	// User and Group are the mappings.
	User, Group *mapping.Mapping
}

// world is what both handlers share.
type world struct {
	cfg   Config
	a     *adapter.Adapter
	log   *slog.Logger
	now   func() time.Time
	rand  io.Reader
	user  *mapping.Mapping
	group *mapping.Mapping
	locks keylock.Locks
}

// Users keeps people.
type Users struct{ *world }

// Groups keeps groups.
type Groups struct{ *world }

// New makes the handlers of both types.
func New(cfg Config, deps Deps) (*Users, *Groups) {
	cfg.MembersInline = cmp.Or(cfg.MembersInline, 10_000)
	cfg.ScanLimit = cmp.Or(cfg.ScanLimit, 200_000)
	w := &world{cfg: cfg, a: deps.Adapter, log: deps.Log, now: deps.Now, rand: deps.Rand}
	w.user = deps.User.WithRoom(w.leastRoom(adapter.KindPerson))
	w.group = deps.Group.WithRoom(w.leastRoom(adapter.KindGroup))
	return &Users{w}, &Groups{w}
}

// leastRoom is the room that every directory has for an attribute.
func (w *world) leastRoom(kind adapter.Kind) mapping.Room {
	return func(attribute string) int {
		least := 1 << 30
		for _, dir := range w.cfg.Directories {
			least = min(least, w.a.Room(dir, kind, attribute))
		}
		return least
	}
}

// room is that of one directory.
func (w *world) room(dir string, kind adapter.Kind) mapping.Room {
	return func(attribute string) int { return w.a.Room(dir, kind, attribute) }
}

func (w *world) mappingOf(kind adapter.Kind) *mapping.Mapping {
	if kind == adapter.KindGroup {
		return w.group
	}
	return w.user
}

// find looks an entry up by the id of its resource. What cannot be an id, and what is not to be seen, is a 404.
func (w *world) find(ctx context.Context, kind adapter.Kind, id string) (*adapter.Entry, error) {
	stable := strings.ToLower(id)
	if !possible(stable) {
		return nil, fault.NotFound(id)
	}
	for _, dir := range w.candidates(ctx, stable) {
		e, err := w.look(ctx, kind, adapter.ID{Directory: dir, Stable: stable})
		switch {
		case err == nil:
			return e, nil
		case adapter.KindOf(err) != adapter.NotFound:
			return nil, refusal(err, id)
		}
	}
	return nil, fault.NotFound(id)
}

func (w *world) look(ctx context.Context, kind adapter.Kind, id adapter.ID) (*adapter.Entry, error) {
	if kind == adapter.KindGroup {
		return w.a.GroupEntry(ctx, id)
	}
	return w.a.PersonEntry(ctx, adapter.ByID(id))
}

// candidates are the directories that an id may be in. With several, the read model knows which.
func (w *world) candidates(ctx context.Context, stable string) []string {
	if len(w.cfg.Directories) < 2 {
		return w.cfg.Directories
	}
	ids := make([]adapter.ID, len(w.cfg.Directories))
	for i, dir := range w.cfg.Directories {
		ids[i] = adapter.ID{Directory: dir, Stable: stable}
	}
	if known, err := w.a.EntriesByID(ctx, ids); err == nil && len(known) > 0 {
		return []string{known[0].ID.Directory}
	}
	return w.cfg.Directories
}

// possible tells whether a text can be the permanent id of an entry: hexadecimal digits and hyphens.
func possible(id string) bool {
	return len(id) >= 8 && len(id) <= 64 && strings.Trim(id, "0123456789abcdef-") == ""
}

// by says who asks, for the security log.
func by(c *scim.Call) adapter.By {
	return adapter.By{KeyID: c.Principal.KeyID, Actor: c.Principal.Name, Client: adapter.Client{Address: c.Principal.Address, RequestID: c.RequestID}}
}

// mayWrite checks the scopes again, at the place where the change is made.
func mayWrite(c *scim.Call, data resource.Object) error {
	if !c.Principal.Write {
		return fault.New(403, "", "the token may not write")
	}
	if resource.Present(data["password"]) && !c.Principal.Password {
		return fault.New(403, "", "the token may not set passwords")
	}
	return nil
}

// resourceOf begins a resource with what its entry holds.
func (w *world) resourceOf(e *adapter.Entry, t *schema.Type, x extra) *resource.Resource {
	return &resource.Resource{
		Type: t, ID: e.ID.Stable, Created: e.Created, Modified: e.Modified,
		Data: w.mappingOf(e.Kind).Encode(e, mapping.Extras(x.Values)),
	}
}
