package population

import (
	"context"

	"portico/directory"
	"portico/directory/mirror"
)

// SearchPeople finds people whose login or display name contains text.
func (p *Population) SearchPeople(ctx context.Context, text string, limit int) ([]*directory.Entry, error) {
	return p.mirror.SearchPeople(ctx, text, limit)
}

// SearchGroups finds groups whose name contains text.
func (p *Population) SearchGroups(ctx context.Context, text string, limit int) ([]*directory.Entry, error) {
	return p.mirror.SearchGroups(ctx, text, limit)
}

// AllGroups gives every group of every directory.
func (p *Population) AllGroups(ctx context.Context) ([]*directory.Entry, error) {
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
// directory nests, all.
func (p *Population) GroupsOf(ctx context.Context, person directory.ID) ([]*directory.Entry, error) {
	return p.mirror.GroupsOf(ctx, person, p.nested(person))
}

// MembersOf gives the people of a group, direct ones or, where the group's
// directory nests, all.
func (p *Population) MembersOf(ctx context.Context, group directory.ID) ([]*directory.Entry, error) {
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
	return p.mirror.ManagedBy(ctx, manager)
}

// ManagersOf gives the managers that a person names.
func (p *Population) ManagersOf(ctx context.Context, person directory.ID) ([]*directory.Entry, error) {
	return p.mirror.ManagersOf(ctx, person)
}

func (p *Population) nested(id directory.ID) bool {
	m := p.byName[id.Directory]
	return m != nil && m.Nested
}
