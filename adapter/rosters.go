package adapter

import (
	"context"

	"portico/directory"
)

// Roster is a group as its directory has it at this moment.
type Roster = directory.Roster

// Rosters reads groups past the mirror (package population). A Directory that
// does not do it keeps nothing in step.
type Rosters interface {
	Roster(ctx context.Context, id directory.ID, asked []directory.ID) (*directory.Roster, error)
	GroupAt(ctx context.Context, dir, dn string) (*directory.Entry, error)
}

// Roster reads a group with its members and owners from its directory, for those
// who keep it in step with a list of their own. asked are people whose part in it
// matters. Errors: NotFound "group", Unavailable.
func (a *Adapter) Roster(ctx context.Context, group ID, asked []ID) (*Roster, error) {
	rosters, ok := a.dir.(Rosters)
	if !ok {
		return nil, &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	r, err := rosters.Roster(ctx, group, asked)
	return r, fromDirectory(err, "group")
}

// GroupAt reads the group that has a DN from its directory. Errors: NotFound
// "group", Unavailable.
func (a *Adapter) GroupAt(ctx context.Context, dir, dn string) (*Entry, error) {
	rosters, ok := a.dir.(Rosters)
	if !ok {
		return nil, &Error{Kind: Unavailable, Text: "this directory offers no lists"}
	}
	e, err := rosters.GroupAt(ctx, dir, dn)
	return e, fromDirectory(err, "group")
}

// GroupVersion is the version of a group as the mirror has it, for those who look
// whether anything changed; "" where it is not known.
func (a *Adapter) GroupVersion(ctx context.Context, group ID) (string, error) {
	found, err := a.EntriesByID(ctx, []ID{group})
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].Version, nil
}
