package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// Extra is what is stored of a person or a group that has no place in the directory.
type Extra struct {
	ExternalID string                     // in the domain that was asked for; "": none
	Values     map[string]json.RawMessage // by the name that the API gave
	Revision   int64                      // grows with every change; 0: nothing was ever stored
}

// ExtraChange says what is to be different about an Extra. It is written in the
// transaction that ends the change of the directory, and found and done by
// another process when this one dies in between.
type ExtraChange struct {
	Domain     string                     // of ExternalID
	ExternalID *string                    // "" removes; nobody else of the kind has it in the domain, letter case counts
	Values     map[string]json.RawMessage // what is not named stays; null removes
	// IfRevision makes the change conditional: Conflict "version" where another
	// change came first.
	IfRevision *int64
}

func (c *ExtraChange) empty() bool { return c == nil || c.ExternalID == nil && len(c.Values) == 0 }

func (c *ExtraChange) stored() *store.ExtraChange {
	return &store.ExtraChange{Domain: c.Domain, ExternalID: c.ExternalID, Values: c.Values, IfRevision: c.IfRevision}
}

// Extras reads what is stored of people and groups, with the external ids of one
// domain. Who has nothing is not in the answer, which is not to be changed. Errors:
// Unavailable.
func (a *Adapter) Extras(ctx context.Context, ids []ID, domain string) (map[ID]Extra, error) {
	if len(ids) == 1 && a.store.Live() {
		return a.extraOf(ctx, ids[0], domain)
	}
	return a.extrasOf(ctx, ids, domain)
}

// extraOf is Extras for one, who may be in the cache. What is large is not kept there.
func (a *Adapter) extraOf(ctx context.Context, id ID, domain string) (map[ID]Extra, error) {
	key := extraKey{id, domain}
	x, ok := a.extras.Get(key)
	if !ok {
		ticket := a.extras.Begin()
		all, err := a.extrasOf(ctx, []ID{id}, domain)
		if err != nil {
			return nil, err
		}
		x = all[id]
		size := 0
		for name, value := range x.Values {
			size += len(name) + len(value)
		}
		if size <= maxCachedExtra {
			a.extras.Keep(ticket, key, x)
		}
	}
	if x.Revision == 0 {
		return nil, nil
	}
	return map[ID]Extra{id: x}, nil
}

const maxCachedExtra = 2 << 10

// extraKey names what is stored of an entry, as a domain sees it.
type extraKey struct {
	id     ID
	domain string
}

func (a *Adapter) extrasOf(ctx context.Context, ids []ID, domain string) (map[ID]Extra, error) {
	found := make(map[ID]Extra, len(ids))
	byDirectory := map[string][]string{}
	for _, id := range ids {
		byDirectory[id.Directory] = append(byDirectory[id.Directory], id.Stable)
	}
	for name, stable := range byDirectory {
		extras, err := a.store.Extras(ctx, name, stable, domain)
		if err != nil {
			return nil, fromExtras(err)
		}
		for id, x := range extras {
			found[ID{Directory: name, Stable: id}] = Extra(x)
		}
	}
	return found, nil
}

// FindByExternalID finds those that a domain knows under an external id, letter
// case and all: nobody or one, who may be gone from the directory. Errors: Unavailable.
func (a *Adapter) FindByExternalID(ctx context.Context, kind directory.Kind, domain, value string) ([]ID, error) {
	x, err := a.store.FindExternalID(ctx, storeKind(kind), domain, value)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fromExtras(err)
	}
	return []ID{{Directory: x.Directory, Stable: x.Stable}}, nil
}

func storeKind(kind directory.Kind) store.Kind {
	if kind == directory.KindGroup {
		return store.KindGroup
	}
	return store.KindPerson
}

// fromExtras turns what the store said of stored attributes into kinds.
func fromExtras(err error) error {
	switch {
	case errors.Is(err, store.ErrConflict):
		return &Error{Kind: Conflict, Field: FieldExternalID, Cause: err}
	case errors.Is(err, store.ErrStale):
		return &Error{Kind: Conflict, Field: FieldVersion, Cause: err}
	case errors.Is(err, store.ErrInvalid):
		return &Error{Kind: Invalid, Field: FieldExtras, Text: "this cannot be stored, or is too much", Cause: err}
	case errors.Is(err, store.ErrUnavailable):
		return &Error{Kind: Unavailable, RetryAfter: 5 * time.Second, Cause: err}
	}
	return fromStore(err, "user")
}

// onlyExtras changes what is stored of an entry that the directory is not asked to
// change; nothing at all for an empty change.
func (a *Adapter) onlyExtras(ctx context.Context, entry *directory.Entry, uid int64, ifVersion string, c *ExtraChange, by By) error {
	if ifVersion != "" && entry.Version != ifVersion {
		return &Error{Kind: Conflict, Field: FieldVersion}
	}
	if c.empty() {
		return nil
	}
	if err := a.stillGood(ctx, by); err != nil {
		return err
	}
	event, text := EventUserEdited, "user "+entry.Login+" changed: stored attributes"
	if entry.Kind == directory.KindGroup {
		event, text = EventGroupEdited, "group "+entry.Name+" changed: stored attributes"
	}
	x := store.ExtraSubject{Kind: storeKind(entry.Kind), Directory: entry.ID.Directory, Stable: entry.ID.Stable}
	note := record(event, uid, by.Actor, by.Client, text)
	_, err := a.store.ChangeExtras(ctx, x, *c.stored(), note)
	if errors.Is(err, store.ErrConflict) && a.freeExternalID(ctx, c.stored(), x.Kind == store.KindGroup) {
		_, err = a.store.ChangeExtras(ctx, x, *c.stored(), note)
	}
	return fromExtras(err)
}

// freeExternalID frees an external id whose entry was deleted in the directory by
// somebody else. It tells whether it did.
func (a *Adapter) freeExternalID(ctx context.Context, c *store.ExtraChange, group bool) bool {
	if c == nil || c.ExternalID == nil || a.writes == nil {
		return false
	}
	kind := store.KindPerson
	if group {
		kind = store.KindGroup
	}
	x, err := a.store.FindExternalID(ctx, kind, c.Domain, *c.ExternalID)
	if err != nil {
		return false
	}
	_, err = a.writes.Reread(ctx, ID{Directory: x.Directory, Stable: x.Stable}, "", "")
	if !errors.Is(err, directory.ErrNotFound) {
		return false
	}
	a.log.InfoContext(ctx, "an external id was freed: its entry is no longer in the directory", "id", x.Directory+":"+x.Stable)
	return a.store.DropExtras(ctx, x) == nil
}

// How orphans of stored attributes are swept.
const (
	orphanBatch    = 500
	orphanPatience = 7 * 24 * time.Hour
)

// SweepExtras looks once through all stored attributes for those whose entry the
// directory no longer has. They go when it has been gone for a week: an entry that
// is out of sight for a while, by a mistake in the configuration say, loses nothing.
// It gives the number of entries whose attributes went.
func (a *Adapter) SweepExtras(ctx context.Context) (int, error) {
	queries, ok := a.dir.(Queries)
	if !ok {
		return 0, nil
	}
	dropped := 0
	var after store.ExtraSubject
	for {
		list, err := a.store.ExtraSubjects(ctx, after, orphanBatch)
		if err != nil || len(list) == 0 {
			return dropped, fromExtras(err)
		}
		after = list[len(list)-1]
		ids := make([]ID, len(list))
		for i, x := range list {
			ids[i] = ID{Directory: x.Directory, Stable: x.Stable}
		}
		entries, err := queries.EntriesByID(ctx, ids)
		if err != nil {
			return dropped, fromDirectory(err, "user")
		}
		here := make(map[ID]bool, len(entries))
		for _, e := range entries {
			if e != nil {
				here[e.ID] = true
			}
		}
		n, err := a.store.MissExtras(ctx, list, func(x store.ExtraSubject) bool {
			return here[ID{Directory: x.Directory, Stable: x.Stable}]
		}, orphanPatience)
		if err != nil {
			return dropped, fromExtras(err)
		}
		dropped += n
	}
}
