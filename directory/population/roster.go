package population

import (
	"context"
	"errors"
	"strings"

	"portico/directory"
	"portico/directory/mapping"
)

// Roster reads a group with its members and owners from its directory, past the
// mirror, for those who keep it in step with a list of their own. asked are people
// whose part in it matters: one who seems to be missing is read from the directory
// too, as a rename may be on its way. Errors: directory.ErrNotFound, others.
func (p *Population) Roster(ctx context.Context, id directory.ID, asked []directory.ID) (*directory.Roster, error) {
	m := p.byName[id.Directory]
	if m == nil {
		return nil, directory.ErrNotFound
	}
	if _, err := p.whole(ctx, id.Directory); err != nil {
		return nil, err
	}
	r, listed, err := p.readRoster(ctx, m, id)
	if err != nil {
		return nil, err
	}
	late := false
	for _, who := range asked {
		if who.Directory != m.Name || r.Members[who] {
			continue
		}
		was, err := p.mirror.Get(ctx, who)
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		is, err := p.refresh(ctx, m, who)
		switch {
		case errors.Is(err, directory.ErrNotFound):
		case err != nil:
			return nil, err
		case is.DN != was.DN || listed[memberKey(is, r.ByName)]:
			late = true
		}
	}
	if late { // the mirror knows the new DNs now
		r, _, err = p.readRoster(ctx, m, id)
	}
	return r, err
}

// memberKey is how a group names a person, in the form that is compared.
func memberKey(e *directory.Entry, byName bool) string {
	if byName {
		return strings.ToLower(e.Name)
	}
	key, err := mapping.DNKey(e.DN)
	if err != nil {
		return e.DN
	}
	return key
}

// readRoster reads the group, and gives what its members are named by, too.
func (p *Population) readRoster(ctx context.Context, m *Member, id directory.ID) (*directory.Roster, map[string]bool, error) {
	e, err := p.refresh(ctx, m, id)
	if err != nil {
		return nil, nil, err
	}
	if e.Kind != directory.KindGroup {
		return nil, nil, directory.ErrNotFound
	}
	r := &directory.Roster{Group: e, ByName: e.MembersByName, Members: map[directory.ID]bool{}, Owners: map[directory.ID]bool{}}
	listed := map[string]bool{}
	for _, value := range e.Members {
		who, key, err := p.named(ctx, m, value, e.MembersByName)
		if err != nil {
			return nil, nil, err
		}
		listed[key] = true
		if who != nil {
			r.Members[who.ID] = true
		}
	}
	for _, value := range e.Attributes[directory.AttrOwner] {
		who, _, err := p.named(ctx, m, value, false)
		if err != nil {
			return nil, nil, err
		}
		if who == nil {
			r.MoreOwners = true
			continue
		}
		r.Owners[who.ID] = true
	}
	return r, listed, nil
}

// named finds the person whom a value of a group names, nil for anything else.
func (p *Population) named(ctx context.Context, m *Member, value string, byName bool) (*directory.Entry, string, error) {
	if byName {
		found, err := p.mirror.ByLogin(ctx, m.login(value))
		if err != nil {
			return nil, "", err
		}
		for _, e := range found {
			if e.ID.Directory == m.Name {
				return e, strings.ToLower(value), nil
			}
		}
		return nil, strings.ToLower(value), nil
	}
	key, err := mapping.DNKey(value)
	if err != nil || key == "" {
		return nil, value, nil
	}
	e, err := p.mirror.ByDN(ctx, m.Name, key)
	switch {
	case errors.Is(err, directory.ErrNotFound), err == nil && e.Kind != directory.KindPerson:
		return nil, key, nil
	case err != nil:
		return nil, key, err
	}
	return e, key, nil
}

// GroupAt reads the group that has a DN from a directory, past the mirror.
// Errors: directory.ErrNotFound, others.
func (p *Population) GroupAt(ctx context.Context, dir, dn string) (*directory.Entry, error) {
	m := p.byName[dir]
	if m == nil {
		return nil, directory.ErrNotFound
	}
	req, err := m.Mapper.ByDN(dn)
	if err != nil {
		return nil, err
	}
	e, err := p.searchOne(ctx, m, req)
	if err == nil && e.Kind != directory.KindGroup {
		err = directory.ErrNotFound
	}
	return e, err
}
