package population

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mirror"
)

// maxLogin bounds a login name, in bytes: longer ones belong to nobody.
const maxLogin = 256

// PersonByLogin finds the one person with that login name; letter case and
// surrounding space do not matter. Errors: directory.ErrNotFound, ErrAmbiguous
// (two entries of one directory have it), ErrUnavailable (the mirror does not
// know the name, or an earlier directory might own it, and LDAP cannot be asked).
func (p *Population) PersonByLogin(ctx context.Context, name string) (*directory.Entry, error) {
	login := directory.FoldName(name)
	if login == "" || len(login) > maxLogin || strings.ContainsRune(login, 0) {
		return nil, directory.ErrNotFound
	}
	if e, ok := p.logins.Get(login); ok {
		return e, nil
	}
	if until, ok := p.nobody.Get(login); ok && p.now().Before(until) {
		return nil, directory.ErrNotFound
	}
	ticket, byID := p.logins.Begin(), p.entries.Begin()
	found, err := p.mirror.ByLogin(ctx, login)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look up a login name in the mirror: %w", err)
	case len(found) > 1:
		return nil, directory.ErrAmbiguous
	case len(found) == 1 && p.precedes(ctx, found[0]):
		p.logins.Keep(ticket, login, found[0])
		p.entries.Keep(byID, found[0].ID, found[0])
		return found[0], nil
	}
	return p.askByLogin(ctx, login)
}

// precedes tells whether a person's directory is the first that could own the
// login name: of each earlier one the mirror must have held everything.
func (p *Population) precedes(ctx context.Context, e *directory.Entry) bool {
	for i := range p.members {
		m := &p.members[i]
		if m.Name == e.ID.Directory {
			break
		}
		if _, err := m.Mapper.PersonByUsername(e.Login); err == nil && !p.complete(ctx, m) {
			return false
		}
	}
	return true
}

// askByLogin asks LDAP for a login name that the mirror does not know. Equal
// questions that come meanwhile wait for the same answer.
func (p *Population) askByLogin(ctx context.Context, login string) (*directory.Entry, error) {
	answer := p.flight.DoChan("login\x00"+login, func() (any, error) {
		// The asker may go away; the answer serves the others and the mirror.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		ticket := p.nobody.Begin()
		e, err := p.searchByLogin(ctx, login)
		if errors.Is(err, directory.ErrNotFound) {
			p.nobody.Keep(ticket, login, p.now().Add(p.cfg.NegativeTTL))
		}
		return e, err
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", directory.ErrUnavailable, ctx.Err())
	case r := <-answer:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*directory.Entry), nil
	}
}

// SpendMiss asks every directory for a login name that is known, as for one that
// nobody has, and as often. How long a refusal takes shall not tell which it was.
func (p *Population) SpendMiss(ctx context.Context, login string) {
	login = directory.FoldName(login)
	key := "miss\x00" + login
	if until, ok := p.nobody.Get(key); ok && p.now().Before(until) {
		return
	}
	done := p.flight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		ticket := p.nobody.Begin()
		for i := range p.members {
			m := &p.members[i]
			if req, err := m.Mapper.PersonByUsername(login); err == nil {
				_, _ = m.LDAP.Search(ctx, req) // what it finds is known
			}
		}
		p.nobody.Keep(ticket, key, p.now().Add(p.cfg.NegativeTTL))
		return nil, nil
	})
	select {
	case <-ctx.Done():
	case <-done:
	}
}

const lookupTimeout = 10 * time.Second

func (p *Population) searchByLogin(ctx context.Context, login string) (*directory.Entry, error) {
	var down error
	for i := range p.members {
		m := &p.members[i]
		req, err := m.Mapper.PersonByUsername(login)
		if err != nil {
			continue // not a name that this directory could hold
		}
		e, err := p.searchOne(ctx, m, req)
		switch {
		case err == nil && e.Kind == directory.KindPerson && e.Login == login:
			return e, nil
		case err == nil, errors.Is(err, directory.ErrNotFound):
		case errors.Is(err, directory.ErrAmbiguous):
			return nil, err
		case p.complete(ctx, m):
			// Down, but read to the end before: what the mirror does not know is not there.
			down = err
		default:
			return nil, err
		}
	}
	if down != nil {
		return nil, down
	}
	return nil, directory.ErrNotFound
}

// searchOne runs a search that may find one entry at the most, maps it and lets
// the mirror learn it.
func (p *Population) searchOne(ctx context.Context, m *Member, req *ldap.SearchRequest) (*directory.Entry, error) {
	result, err := m.LDAP.Search(ctx, req)
	if err != nil {
		return nil, err
	}
	var found *directory.Entry
	for _, raw := range result.Entries {
		e, err := m.Mapper.Entry(raw)
		if err != nil {
			p.log.WarnContext(ctx, "entry cannot be mapped", "directory", m.Name, "dn", raw.DN, "error", err)
			continue
		}
		if e == nil {
			continue
		}
		if found != nil {
			return nil, directory.ErrAmbiguous
		}
		found = e
	}
	if found == nil {
		return nil, directory.ErrNotFound
	}
	batch := mirror.Batch{Upserts: []*directory.Entry{found}}
	if err := p.mirror.Apply(ctx, m.Name, batch); err != nil {
		return nil, fmt.Errorf("keep an entry in the mirror: %w", err)
	}
	return found, nil
}

// complete tells whether the mirror once held everything of a directory.
func (p *Population) complete(ctx context.Context, m *Member) bool {
	if _, ok := p.completed.Load(m.Name); ok {
		return true
	}
	revision := p.mirror.Revision()
	state, err := p.mirror.FeedState(ctx, m.Name)
	if err != nil || state.CompletedAt.IsZero() {
		return false
	}
	p.completed.Store(m.Name, true)
	if p.mirror.Revision() != revision { // the mirror may have begun anew meanwhile
		p.completed.Delete(m.Name)
	}
	return true
}

// PersonByID finds a person by permanent identity. Errors: directory.ErrNotFound
// (also where an earlier directory owns the login name), ErrUnavailable.
func (p *Population) PersonByID(ctx context.Context, id directory.ID) (*directory.Entry, error) {
	return p.byID(ctx, id, directory.KindPerson)
}

// GroupByID finds a group by permanent identity. Errors: directory.ErrNotFound,
// ErrUnavailable.
func (p *Population) GroupByID(ctx context.Context, id directory.ID) (*directory.Entry, error) {
	return p.byID(ctx, id, directory.KindGroup)
}

func (p *Population) byID(ctx context.Context, id directory.ID, kind directory.Kind) (*directory.Entry, error) {
	e, err := p.entries.Load(id, func() (*directory.Entry, error) {
		e, err := p.mirror.Get(ctx, id)
		if errors.Is(err, directory.ErrNotFound) {
			e, err = p.askByID(ctx, id)
		}
		if err != nil || e.Kind != directory.KindPerson {
			return e, err
		}
		shadowed, err := p.mirror.Shadowed(ctx, id)
		switch {
		case shadowed:
			return nil, directory.ErrNotFound
		case err != nil && !errors.Is(err, directory.ErrNotFound): // a first load may hide what was just read
			return nil, err
		}
		return e, nil
	})
	if err != nil {
		return nil, err
	}
	if e.Kind != kind {
		return nil, directory.ErrNotFound
	}
	return e, nil
}

func (p *Population) askByID(ctx context.Context, id directory.ID) (*directory.Entry, error) {
	m := p.byName[id.Directory]
	if m == nil {
		return nil, directory.ErrNotFound // of a directory that is not configured any more
	}
	key := "id\x00" + id.String()
	if until, ok := p.nobody.Get(key); ok && p.now().Before(until) {
		return nil, directory.ErrNotFound
	}
	req, err := m.Mapper.ByStableID(id.Stable)
	if err != nil {
		return nil, directory.ErrNotFound
	}
	answer, err, _ := p.flight.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		ticket := p.nobody.Begin()
		e, err := p.searchOne(ctx, m, req)
		if errors.Is(err, directory.ErrNotFound) {
			p.nobody.Keep(ticket, key, p.now().Add(p.cfg.NegativeTTL))
		}
		return e, err
	})
	if err != nil {
		return nil, err
	}
	return answer.(*directory.Entry), nil
}
