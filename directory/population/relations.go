package population

import (
	"context"
	"fmt"
	"slices"

	"portico/directory"
	"portico/directory/mirror"
)

// whole is directory.ErrUnavailable while the mirror has never held everything of
// the directories: what it knows must not be taken for all there is. With the
// context that it gives the mirror reads no other file than the one that was whole.
func (p *Population) whole(ctx context.Context, directories ...string) (context.Context, error) {
	ctx = p.mirror.Pin(ctx)
	for _, name := range directories {
		if m := p.byName[name]; m != nil && !p.complete(ctx, m) {
			return ctx, fmt.Errorf("%w: %s has not been read to the end yet", directory.ErrUnavailable, name)
		}
	}
	return ctx, nil
}

func (p *Population) names() []string {
	names := make([]string, len(p.members))
	for i := range p.members {
		names[i] = p.members[i].Name
	}
	return names
}

// SearchPeople finds people whose login or display name contains text. This and
// what follows gives directory.ErrUnavailable until all was read once.
func (p *Population) SearchPeople(ctx context.Context, text string, limit int) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, p.names()...)
	if err != nil {
		return nil, err
	}
	return p.mirror.SearchPeople(ctx, text, limit)
}

// SearchGroups finds groups whose name contains text.
func (p *Population) SearchGroups(ctx context.Context, text string, limit int) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, p.names()...)
	if err != nil {
		return nil, err
	}
	return p.mirror.SearchGroups(ctx, text, limit)
}

// AllGroups gives every group of every directory.
func (p *Population) AllGroups(ctx context.Context) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, p.names()...)
	if err != nil {
		return nil, err
	}
	var all []*directory.Entry
	query := mirror.Query{Kind: directory.KindGroup}
	for {
		page, err := p.mirror.ListPage(ctx, query)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Entries...)
		if page.Next == "" {
			return all, nil
		}
		query.After = page.Next
	}
}

// GroupsOf gives the groups of a person, direct ones or, where the person's
// directory nests, all. Do not change the slice.
func (p *Population) GroupsOf(ctx context.Context, person directory.ID) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, person.Directory)
	if err != nil {
		return nil, err
	}
	return p.groups.Load(person, func() ([]*directory.Entry, error) {
		groups, err := p.mirror.GroupsOf(ctx, person, p.nested(person))
		if err != nil {
			return nil, err
		}
		for i, g := range groups {
			groups[i], _ = p.entries.Load(g.ID, func() (*directory.Entry, error) { return g, nil })
		}
		return slices.Clip(groups), nil
	})
}

// MembersOf gives the people of a group, direct ones or, where the group's
// directory nests, all.
func (p *Population) MembersOf(ctx context.Context, group directory.ID) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, group.Directory)
	if err != nil {
		return nil, err
	}
	var all []*directory.Entry
	after := ""
	for {
		people, next, err := p.mirror.MembersOf(ctx, group, p.nested(group), membersPage, after)
		if err != nil {
			return nil, err
		}
		all = append(all, people...)
		if next == "" {
			return all, nil
		}
		after = next
	}
}

// membersPage is how many people are read from the mirror at once.
const membersPage = 5000

// ManagedBy gives the people who name this person as a manager.
func (p *Population) ManagedBy(ctx context.Context, manager directory.ID) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, manager.Directory)
	if err != nil {
		return nil, err
	}
	return p.mirror.ManagedBy(ctx, manager)
}

// ManagersOf gives the managers that a person names.
func (p *Population) ManagersOf(ctx context.Context, person directory.ID) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, person.Directory)
	if err != nil {
		return nil, err
	}
	return p.mirror.ManagersOf(ctx, person)
}

func (p *Population) nested(id directory.ID) bool {
	m := p.byName[id.Directory]
	return m != nil && m.Nested
}
