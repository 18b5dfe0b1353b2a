package population

import (
	"context"
	"errors"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mirror"
)

// Revision grows with every change of what the mirror holds: an answer made from
// lists is good as long as the number is the same.
func (p *Population) Revision() uint64 { return p.mirror.Revision() }

// Page gives one page of all visible entries of a kind, in the order of their
// names, and where the next begins; "" at the end. Limit is 1 to 10000. Error:
// directory.ErrUnavailable until all was read once.
func (p *Population) Page(ctx context.Context, kind directory.Kind, after string, limit int) (list []*directory.Entry, next string, err error) {
	ctx, err = p.whole(ctx, p.names()...)
	if err != nil {
		return nil, "", err
	}
	page, err := p.mirror.ListPage(ctx, mirror.Query{Kind: kind, SortBy: mirror.SortName, After: after, Limit: limit})
	return page.Entries, page.Next, err
}

// GroupsByName finds the groups of a name: those spelled so first, then those
// that differ in letter case. Until all was read once, LDAP is asked. Error:
// directory.ErrUnavailable.
func (p *Population) GroupsByName(ctx context.Context, name string) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, p.names()...)
	if err != nil {
		return p.live(ctx, directory.KindGroup, func(m Mapper) (*ldap.SearchRequest, error) { return m.GroupByName(name) })
	}
	return p.mirror.GroupByName(ctx, name)
}

// PeopleByMail finds the people who have an address among theirs, whatever its
// letter case. Until all was read once, LDAP is asked. Error:
// directory.ErrUnavailable.
func (p *Population) PeopleByMail(ctx context.Context, address string) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, p.names()...)
	if err != nil {
		return p.live(ctx, directory.KindPerson, func(m Mapper) (*ldap.SearchRequest, error) { return m.PersonByMail(address) })
	}
	return p.mirror.ByMail(ctx, address)
}

// live asks every directory for entries of a kind, past the mirror.
func (p *Population) live(ctx context.Context, kind directory.Kind, request func(Mapper) (*ldap.SearchRequest, error)) ([]*directory.Entry, error) {
	var found []*directory.Entry
	for i := range p.members {
		m := &p.members[i]
		req, err := request(m.Mapper)
		if err != nil {
			continue // nothing that this directory could hold
		}
		result, err := m.LDAP.Search(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, raw := range result.Entries {
			e, err := m.Mapper.Entry(raw)
			if err != nil || e == nil || e.Kind != kind {
				continue
			}
			if err := p.mirror.Apply(ctx, m.Name, mirror.Batch{Upserts: []*directory.Entry{e}}); err != nil {
				return nil, err
			}
			found = append(found, e)
		}
	}
	return found, nil
}

// OwnersOf gives the people who own a group, by name; groups among its owners
// are left out.
func (p *Population) OwnersOf(ctx context.Context, group directory.ID) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, group.Directory)
	if err != nil {
		return nil, err
	}
	all, err := p.mirror.OwnersOf(ctx, group)
	if err != nil {
		return nil, err
	}
	var people []*directory.Entry
	for _, e := range all {
		if e.Kind == directory.KindPerson {
			people = append(people, e)
		}
	}
	return people, nil
}

// Known gives the visible people with these identities as the mirror has them,
// in their order; nil in the place of one that it does not have. Error:
// directory.ErrUnavailable until all was read once.
func (p *Population) Known(ctx context.Context, ids []directory.ID) ([]*directory.Entry, error) {
	ctx, err := p.whole(ctx, p.names()...)
	if err != nil {
		return nil, err
	}
	list := make([]*directory.Entry, len(ids))
	for i, id := range ids {
		e, err := p.mirror.Get(ctx, id)
		switch {
		case errors.Is(err, directory.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		case e.Kind != directory.KindPerson:
			continue
		}
		if len(p.members) > 1 {
			shadowed, err := p.mirror.Shadowed(ctx, id)
			if err != nil && !errors.Is(err, directory.ErrNotFound) {
				return nil, err
			}
			if shadowed {
				continue
			}
		}
		list[i] = e
	}
	return list, nil
}
