package adapter

import "context"

// Room is how many values of an attribute (Portico's name) entries of a directory
// can be given: 0 (it has no place for them, or is read-only), 1, or more.
func (a *Adapter) Room(dir string, kind Kind, attribute string) int {
	if a.writes == nil {
		return 0
	}
	return a.writes.Room(dir, kind, attribute)
}

// Fresh reads an entry from its directory, past the read model, which learns it.
// Where nothing is written the read model's word is taken. Errors: NotFound "user"
// or "group", Unavailable.
func (a *Adapter) Fresh(ctx context.Context, kind Kind, id ID) (*Entry, error) {
	what := "user"
	if kind == KindGroup {
		what = "group"
	}
	if a.writes == nil {
		if kind == KindGroup {
			return a.GroupEntry(ctx, id)
		}
		return a.PersonEntry(ctx, ByID(id))
	}
	e, err := a.writes.Reread(ctx, id, "", "")
	if err == nil && e.Kind != kind {
		return nil, notFound(what)
	}
	return e, fromDirectory(err, what)
}
