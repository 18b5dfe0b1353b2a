package population

import (
	"context"

	"portico/directory"
	"portico/directory/mapping"
)

// List gives one page of the people or groups that a query asks for; all of it
// comes from the mirror. Errors: directory.ErrPredicate, ErrPosition, ErrScan, and
// ErrUnavailable until all was read once.
func (p *Population) List(ctx context.Context, q directory.ListQuery) (directory.Page, error) {
	ctx, err := p.whole(ctx, p.names()...)
	if err != nil {
		return directory.Page{}, err
	}
	if q.Now.IsZero() {
		q.Now = p.now()
	}
	return p.mirror.ListPage(ctx, q)
}

// EntriesByID gives the visible people and the groups with those ids, 10,000 at
// most, in the order of the ids. Who is not known is left out, without asking LDAP.
func (p *Population) EntriesByID(ctx context.Context, ids []directory.ID) ([]*directory.Entry, error) {
	all, err := p.mirror.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[directory.ID]*directory.Entry, len(all))
	for _, e := range all {
		if e.Kind != directory.KindContainer {
			found[e.ID] = e
		}
	}
	ordered := all[:0]
	for _, id := range ids {
		if e := found[id]; e != nil {
			ordered = append(ordered, e)
			delete(found, id)
		}
	}
	return ordered, nil
}

// GroupsOfMany gives the direct groups of many people, 10,000 at most, at once.
func (p *Population) GroupsOfMany(ctx context.Context, people []directory.ID) (map[directory.ID][]*directory.Entry, error) {
	return p.mirror.GroupsOfMany(ctx, people)
}

// ManagersOfMany gives the managers of many people, 10,000 at most, at once.
func (p *Population) ManagersOfMany(ctx context.Context, people []directory.ID) (map[directory.ID][]*directory.Entry, error) {
	return p.mirror.ManagersOfMany(ctx, people)
}

// MemberIDs names the direct members of a group, people and groups, page by page;
// next is "" at the end. Positions are good for this process only.
func (p *Population) MemberIDs(ctx context.Context, group directory.ID, limit int, after string) (members []directory.Reference, next string, err error) {
	ctx, err = p.whole(ctx, group.Directory)
	if err != nil {
		return nil, "", err
	}
	return p.mirror.MemberIDs(ctx, group, limit, after)
}

// CountMemberIDs is the number of direct members of a group.
func (p *Population) CountMemberIDs(ctx context.Context, group directory.ID) (int, error) {
	ctx, err := p.whole(ctx, group.Directory)
	if err != nil {
		return 0, err
	}
	return p.mirror.CountMemberIDs(ctx, group)
}

// AreMembers tells which of the entries, 10,000 at most, are direct members of a
// group, without reading the group.
func (p *Population) AreMembers(ctx context.Context, group directory.ID, ids []directory.ID) (map[directory.ID]bool, error) {
	ctx, err := p.whole(ctx, group.Directory)
	if err != nil {
		return nil, err
	}
	return p.mirror.AreMembers(ctx, group, ids)
}

// Active tells when an account may be used: what directory.AttrActive of a
// predicate asks, to the letter.
func (p *Population) Active(person *directory.Entry) directory.Activity {
	m := p.byName[person.ID.Directory]
	if m == nil {
		return directory.Activity{Never: true}
	}
	return mapping.Activity(m.StatusRules, person)
}
