package adapter

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"portico/directory"
)

// Groups gives all groups, in order of gid.
func (a *Adapter) Groups(ctx context.Context) ([]*Group, error) {
	entries, err := a.dir.AllGroups(ctx)
	if err != nil {
		return nil, fromDirectory(err, "group")
	}
	if entries, err = a.withLocal(ctx, entries, 0, func(*LocalGroup) bool { return true }); err != nil {
		return nil, err
	}
	return a.groups(ctx, entries)
}

// SearchGroups finds at most limit groups whose name contains text literally,
// letter case aside, in order of gid.
func (a *Adapter) SearchGroups(ctx context.Context, text string, limit int) ([]*Group, error) {
	entries, err := a.dir.SearchGroups(ctx, text, limit)
	if err != nil {
		return nil, fromDirectory(err, "group")
	}
	folded := directory.FoldName(text)
	entries, err = a.withLocal(ctx, entries, limit, func(g *LocalGroup) bool { return strings.Contains(directory.FoldName(g.Entry.Name), folded) })
	if err != nil {
		return nil, err
	}
	return a.groups(ctx, entries)
}

// GroupsOf gives the groups of a person, in order of gid: the direct ones, and
// the indirect ones where the directory is configured to nest. Errors:
// NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) GroupsOf(ctx context.Context, key PersonKey) ([]*Group, error) {
	person, err := a.entry(ctx, key)
	if err != nil {
		return nil, err
	}
	entries, err := a.dir.GroupsOf(ctx, person.ID)
	if err != nil {
		return nil, fromDirectory(err, "user")
	}
	if a.source == nil {
		return a.groups(ctx, entries)
	}
	uids, err := a.numbersOf(ctx, personNumber, []*directory.Entry{person})
	if err != nil {
		return nil, err
	}
	all, err := a.localGroups(ctx)
	if err != nil {
		return nil, err
	}
	return a.groups(ctx, append(slices.Clip(entries), entriesOf(all.Of[uids[0]])...))
}

// MembersOf gives the people of a group in order of uid, whatever their
// status. Error: NotFound "group".
func (a *Adapter) MembersOf(ctx context.Context, gid int64) ([]*Person, error) {
	if gid < 1 || gid > math.MaxInt32 {
		return nil, notFound("group")
	}
	id, err := a.identity(ctx, groupNumber, gid)
	if err != nil {
		return nil, err
	}
	if id.Directory == LocalDirectory {
		g, err := a.localGroup(ctx, id)
		if err != nil {
			return nil, err
		}
		people, err := a.localPeople(ctx, g)
		if err != nil {
			return nil, err
		}
		return a.peopleByUID(ctx, people)
	}
	if _, err := a.dir.GroupByID(ctx, id); err != nil {
		return nil, fromDirectory(err, "group")
	}
	entries, err := a.dir.MembersOf(ctx, id)
	if err != nil {
		return nil, fromDirectory(err, "group")
	}
	return a.peopleByUID(ctx, entries)
}

// groups turns entries into groups, in order of gid.
func (a *Adapter) groups(ctx context.Context, entries []*directory.Entry) ([]*Group, error) {
	groups, err := a.groupsInOrder(ctx, entries)
	slices.SortFunc(groups, func(x, y *Group) int { return cmp.Compare(x.GID, y.GID) })
	return groups, err
}

// groupsInOrder turns entries into groups, in their order.
func (a *Adapter) groupsInOrder(ctx context.Context, entries []*directory.Entry) ([]*Group, error) {
	gids, err := a.numbersOf(ctx, groupNumber, entries)
	if err != nil {
		return nil, err
	}
	groups := make([]*Group, len(entries))
	for i, e := range entries {
		groups[i] = &Group{
			GID:         gids[i],
			ID:          e.ID,
			Name:        e.Name,
			Description: e.Attributes.First(directory.AttrDescription),
			Attributes:  e.Attributes,
			Entry:       e,
		}
	}
	return groups, nil
}
