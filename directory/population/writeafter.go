package population

import (
	"context"
	"errors"

	"portico/directory"
	"portico/directory/mapping"
	"portico/directory/mirror"
	"portico/directory/writer"
)

// Delete removes a person or a group, with what refers to it. Errors:
// *directory.WriteError; WriteNotFound for what is not there.
func (p *Population) Delete(ctx context.Context, id directory.ID, ifVersion string) error {
	m, known, err := p.writableEntry(ctx, id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := m.Writer.Delete(ctx, known, ifVersion); err != nil {
		return p.gone(ctx, m, id, err)
	}
	return p.forget(ctx, m, id)
}

// gone lets the mirror forget an entry that turned out not to be there.
func (p *Population) gone(ctx context.Context, m *Member, id directory.ID, err error) error {
	var e *directory.WriteError
	if errors.As(err, &e) && e.Fault == directory.WriteNotFound && e.Attribute == "" {
		return errors.Join(err, p.forget(ctx, m, id))
	}
	return err
}

func (p *Population) forget(ctx context.Context, m *Member, id directory.ID) error {
	if err := p.mirror.Apply(ctx, m.Name, mirror.Batch{Deletes: []string{id.Stable}}); err != nil {
		p.log.WarnContext(ctx, "an entry is deleted, and the mirror does not know it yet", "id", id.String(), "error", err)
	}
	return nil
}

// learn puts what was written into the mirror, so that whoever wrote reads it.
func (p *Population) learn(ctx context.Context, m *Member, r *writer.Result) (*directory.Entry, error) {
	b := mirror.Batch{Upserts: []*directory.Entry{r.Entry}}
	if r.Entry.Kind == directory.KindGroup && !r.Whole {
		b = mirror.Batch{Members: []mirror.MemberChange{{Group: r.Entry, Added: r.Added, Removed: r.Removed}}}
	}
	if err := p.mirror.Apply(ctx, m.Name, b); err != nil {
		// The directory has it; the feed brings it.
		p.log.WarnContext(ctx, "a change is made, and the mirror does not know it yet", "id", r.Entry.ID.String(), "error", err)
	}
	return r.Entry, nil
}

// Reread reads an entry from its directory, past mirror and caches, and has the
// mirror learn it. Where it has another DN than the former one, references to the
// former DN and name are changed: a rename may have been cut short. Errors:
// directory.ErrNotFound (the mirror forgets it then), others.
func (p *Population) Reread(ctx context.Context, id directory.ID, formerDN, formerName string) (*directory.Entry, error) {
	m := p.byName[id.Directory]
	if m == nil {
		return nil, directory.ErrNotFound
	}
	e, err := p.refresh(ctx, m, id)
	if errors.Is(err, directory.ErrNotFound) {
		return nil, errors.Join(err, p.forget(ctx, m, id))
	}
	if err != nil || formerDN == "" || m.Writer == nil {
		return e, err
	}
	was, err := mapping.DNKey(formerDN)
	if err != nil {
		return e, nil
	}
	is, err := mapping.DNKey(e.DN)
	if err != nil || was == is {
		return e, err
	}
	name := ""
	if e.Kind == directory.KindPerson {
		name = formerName
	}
	return e, m.Writer.MoveReferences(ctx, formerDN, e.DN, name, e.Name)
}

// Room is how many values of an attribute (Portico's name) the entries of a directory
// can be given: 0, 1, or many. A directory that is not written has none.
func (p *Population) Room(dir string, kind directory.Kind, attribute string) int {
	m := p.byName[dir]
	if m == nil || m.Writer == nil {
		return 0
	}
	return m.Writer.Room(kind, attribute)
}

// LoginIn is the login name under which somebody named so in a directory is
// known: folded, with the suffix.
func (p *Population) LoginIn(dir, name string) string {
	m := p.byName[dir]
	if m == nil {
		return directory.FoldName(name)
	}
	if local, err := p.localName(m, directory.KindPerson, name); err == nil {
		name = local
	}
	return m.login(name)
}
