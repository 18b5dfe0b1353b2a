package population

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"portico/directory"
	"portico/directory/mapping"
	"portico/directory/writer"
)

// Writer changes one directory (package writer).
type Writer interface { //nolint:interfacebloat // three changes, and what belongs to them
	Create(ctx context.Context, n writer.NewEntry) (*writer.Result, error)
	Modify(ctx context.Context, known *directory.Entry, c writer.Edit) (*writer.Result, error)
	Delete(ctx context.Context, known *directory.Entry, ifVersion string) error
	MoveReferences(ctx context.Context, oldDN, newDN, oldName, newName string) error
	Lockable(ctx context.Context) error
	Room(kind directory.Kind, attribute string) int
}

// writeTimeout bounds one write with all its steps. A caller who goes away does
// not end it: a change is made or it is not.
const writeTimeout = 2 * time.Minute

func wrong(f directory.WriteFault, attribute, format string, args ...any) error {
	return &directory.WriteError{Fault: f, Attribute: attribute, Detail: fmt.Sprintf(format, args...)}
}

// Writable names the directory that a new entry goes into: the one that is asked
// for or, for "", the first that may be written. Errors: *directory.WriteError.
func (p *Population) Writable(name string) (string, error) {
	m, err := p.writable(name)
	if err != nil {
		return "", err
	}
	return m.Name, nil
}

func (p *Population) writable(name string) (*Member, error) {
	if name == "" {
		for i := range p.members {
			if p.members[i].Writer != nil {
				return &p.members[i], nil
			}
		}
		return nil, wrong(directory.WriteReadOnly, "", "no directory is configured for writing (write.enabled)")
	}
	m := p.byName[name]
	switch {
	case m == nil:
		return nil, wrong(directory.WriteNotFound, "directory", "there is no directory %q", name)
	case m.Writer == nil:
		return nil, wrong(directory.WriteReadOnly, "", "directory %s is not configured for writing (write.enabled)", name)
	}
	return m, nil
}

// Create makes a person or a group in a directory, "" for the first that may be
// written, and gives the entry once the mirror has it. A login name that anybody
// in the population has is taken. Errors: *directory.WriteError.
func (p *Population) Create(ctx context.Context, dir string, n directory.NewEntry) (*directory.Entry, error) {
	m, err := p.writable(dir)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, &directory.WriteError{Fault: directory.WriteUnavailable, Err: err}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if n.Name, err = p.localName(m, n.Kind, n.Name); err != nil {
		return nil, err
	}
	full := writer.NewEntry{NewEntry: n}
	if full.References, err = p.references(ctx, m, n.References); err != nil {
		return nil, err
	}
	if full.Members, err = p.refs(ctx, m, n.Members, directory.ID{}); err != nil {
		return nil, err
	}
	defer p.claim(n.Kind, n.Name)()
	if n.Parent == "" { // else the server sees to it
		if err := p.free(ctx, m, n.Kind, n.Name, directory.ID{}); err != nil {
			return nil, err
		}
	}
	result, err := m.Writer.Create(ctx, full)
	if err != nil {
		return nil, err
	}
	if err := p.stillUnique(ctx, m, result.Entry); err != nil {
		return nil, err
	}
	return p.learn(ctx, m, result)
}

// localName cuts the directory's suffix off a login name.
func (p *Population) localName(m *Member, kind directory.Kind, name string) (string, error) {
	if kind != directory.KindPerson || m.Suffix == "" {
		return name, nil
	}
	suffix := "@" + m.Suffix
	if cut := len(name) - len(suffix); cut > 0 && strings.EqualFold(name[cut:], suffix) {
		return name[:cut], nil
	}
	if strings.Contains(name, "@") {
		return "", wrong(directory.WriteInvalid, directory.AttrUsername, "login names of directory %s end in %s", m.Name, suffix)
	}
	return name, nil
}

// claim keeps others in this process from using a name while it is looked for and
// taken.
func (p *Population) claim(kind directory.Kind, name string) (release func()) {
	return p.claims.Take(kind.String() + "\x00" + directory.FoldName(name))
}

// free looks whether a name can be taken, in every directory that could own it,
// past the mirror. own is who may have it already.
func (p *Population) free(ctx context.Context, m *Member, kind directory.Kind, name string, own directory.ID) error {
	if kind == directory.KindGroup {
		return p.freeGroup(ctx, m, name, own)
	}
	login := m.login(name)
	for i := range p.members {
		other := &p.members[i]
		req, err := other.Mapper.PersonByUsername(login)
		if err != nil {
			if other == m {
				return wrong(directory.WriteInvalid, directory.AttrUsername, "%v", err)
			}
			continue
		}
		e, err := p.searchOne(ctx, other, req)
		switch {
		case errors.Is(err, directory.ErrNotFound):
		case errors.Is(err, directory.ErrAmbiguous), err == nil && e.ID != own && e.Login == login:
			return wrong(directory.WriteExists, directory.AttrUsername, "taken in directory %s", other.Name)
		case err != nil && other != m && p.complete(ctx, other):
			found, err := p.mirror.ByLogin(ctx, login)
			if err != nil || slices.ContainsFunc(found, func(e *directory.Entry) bool { return e.ID != own }) {
				return wrong(directory.WriteExists, directory.AttrUsername, "taken in directory %s", other.Name)
			}
		case err != nil:
			return &directory.WriteError{Fault: directory.WriteUnavailable, Detail: "look for the name", Err: err}
		}
	}
	return nil
}

func (p *Population) freeGroup(ctx context.Context, m *Member, name string, own directory.ID) error {
	req, err := m.Mapper.GroupByName(name)
	if err != nil {
		return wrong(directory.WriteInvalid, directory.AttrName, "%v", err)
	}
	e, err := p.searchOne(ctx, m, req)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return nil
	case errors.Is(err, directory.ErrAmbiguous), err == nil && e.ID != own && directory.FoldName(e.Name) == directory.FoldName(name):
		return wrong(directory.WriteExists, directory.AttrName, "taken in directory %s", m.Name)
	case err != nil:
		return &directory.WriteError{Fault: directory.WriteUnavailable, Detail: "look for the name", Err: err}
	}
	return nil
}

// login is the name under which the population knows a person of the directory.
func (m *Member) login(name string) string {
	login := directory.FoldName(name)
	if m.Suffix != "" {
		login += "@" + directory.FoldName(m.Suffix)
	}
	return login
}

// stillUnique looks again after somebody was made: another process may have made
// one of the same name elsewhere in the directory. Of two, the one with the
// smaller permanent id stays.
func (p *Population) stillUnique(ctx context.Context, m *Member, e *directory.Entry) error {
	if e.Kind != directory.KindPerson {
		return nil
	}
	req, err := m.Mapper.PersonByUsername(e.Login)
	if err != nil {
		return nil
	}
	result, err := m.LDAP.Search(ctx, req)
	if err != nil {
		p.log.WarnContext(ctx, "whether a new login name is unique could not be made sure", "directory", m.Name, "dn", e.DN, "error", err)
		return nil
	}
	for _, raw := range result.Entries {
		other, err := m.Mapper.Entry(raw)
		if err != nil || other == nil || other.ID == e.ID || other.Login != e.Login {
			continue
		}
		p.log.WarnContext(ctx, "two people were given one login name at the same time; one is taken away again",
			"directory", m.Name, "dn", e.DN, "other", other.DN)
		if other.ID.Stable > e.ID.Stable {
			continue // the other one goes: whoever made it finds us
		}
		if err := m.Writer.Delete(ctx, e, ""); err != nil {
			return err
		}
		return wrong(directory.WriteExists, directory.AttrUsername, "taken in directory %s", m.Name)
	}
	return nil
}

// references turns identities into DNs of the same directory.
func (p *Population) references(ctx context.Context, m *Member, given map[string][]directory.ID) (map[string][]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	out := make(map[string][]string, len(given))
	for attribute, ids := range given {
		list := make([]string, 0, len(ids))
		for _, id := range ids {
			e, err := p.referred(ctx, m, id, attribute)
			if err != nil {
				return nil, err
			}
			list = append(list, e.DN)
		}
		out[attribute] = list
	}
	return out, nil
}

// refs turns identities into what a group names its members by.
func (p *Population) refs(ctx context.Context, m *Member, ids []directory.ID, group directory.ID) ([]writer.Ref, error) {
	list := make([]writer.Ref, 0, len(ids))
	for _, id := range ids {
		if id == group {
			return nil, wrong(directory.WriteInvalid, "members", "a group cannot be its own member")
		}
		e, err := p.referred(ctx, m, id, "members")
		if err != nil {
			return nil, err
		}
		ref := writer.Ref{DN: e.DN}
		if e.Kind == directory.KindPerson {
			ref.Name = e.Name
		}
		list = append(list, ref)
	}
	return list, nil
}

// referred finds whom an identity means, in the mirror or else in LDAP.
func (p *Population) referred(ctx context.Context, m *Member, id directory.ID, attribute string) (*directory.Entry, error) {
	if id.Directory != m.Name && p.byName[id.Directory] != nil {
		return nil, wrong(directory.WriteInvalid, attribute, "%s is in another directory", id)
	}
	e, err := p.mirror.Get(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		e, err = p.askByID(ctx, id)
	}
	switch {
	case errors.Is(err, directory.ErrNotFound), err == nil && e.Kind == directory.KindContainer:
		return nil, wrong(directory.WriteInvalid, attribute, "nobody has the id %s", id)
	case err != nil:
		return nil, &directory.WriteError{Fault: directory.WriteUnavailable, Attribute: attribute, Err: err}
	}
	return e, nil
}

// Modify changes a person or a group and gives the entry once the mirror has it.
// A change that only adds and removes members does not read the others. Errors:
// *directory.WriteError.
func (p *Population) Modify(ctx context.Context, id directory.ID, c directory.Change) (*directory.Entry, error) {
	m, known, err := p.writableEntry(ctx, id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	edit := writer.Edit{Change: c, Visible: p.visible(ctx, m)}
	if c.Name != nil {
		name, err := p.localName(m, known.Kind, *c.Name)
		if err != nil {
			return nil, err
		}
		edit.Name = &name
		if name != known.Name {
			defer p.claim(known.Kind, name)()
			if err := p.free(ctx, m, known.Kind, name, id); err != nil {
				return nil, err
			}
		}
	}
	if edit.References, err = p.references(ctx, m, c.References); err != nil {
		return nil, err
	}
	if edit.Add, err = p.refs(ctx, m, c.AddMembers, id); err != nil {
		return nil, err
	}
	if edit.Remove, err = p.leaving(ctx, m, c.RemoveMembers); err != nil {
		return nil, err
	}
	if c.ReplaceMembers != nil {
		all, err := p.refs(ctx, m, *c.ReplaceMembers, id)
		if err != nil {
			return nil, err
		}
		edit.Replace = &all
	}
	result, err := m.Writer.Modify(ctx, known, edit)
	if err != nil {
		return nil, p.gone(ctx, m, id, err)
	}
	return p.learn(ctx, m, result)
}

// leaving is refs for members that are to go: somebody whom nobody knows any more
// is in no group.
func (p *Population) leaving(ctx context.Context, m *Member, ids []directory.ID) ([]writer.Ref, error) {
	var known []directory.ID
	for _, id := range ids {
		switch _, err := p.referred(ctx, m, id, "members"); directory.WriteFaultOf(err) {
		case directory.WriteInvalid:
			continue
		default:
			if err != nil {
				return nil, err
			}
			known = append(known, id)
		}
	}
	return p.refs(ctx, m, known, directory.ID{})
}

// writableEntry finds an entry that may be changed.
func (p *Population) writableEntry(ctx context.Context, id directory.ID) (*Member, *directory.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, &directory.WriteError{Fault: directory.WriteUnavailable, Err: err}
	}
	known, err := p.mirror.Get(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		known, err = p.askByID(ctx, id)
	}
	switch {
	case errors.Is(err, directory.ErrNotFound), err == nil && known.Kind == directory.KindContainer:
		return nil, nil, wrong(directory.WriteNotFound, "", "%s", id)
	case err != nil:
		return nil, nil, &directory.WriteError{Fault: directory.WriteUnavailable, Err: err}
	}
	m, err := p.writable(id.Directory)
	if err != nil {
		return nil, nil, err
	}
	if known.Kind == directory.KindGroup && m.protects(known) {
		return nil, nil, wrong(directory.WriteDenied, "", "the configuration protects the group %s (write.protected_groups)", known.DN)
	}
	return m, known, nil
}

// protects tells whether a group is on the list of those that APIs must not change.
func (m *Member) protects(group *directory.Entry) bool {
	key, err := mapping.DNKey(group.DN)
	for _, p := range m.Protected {
		if directory.FoldName(p) == directory.FoldName(group.Name) || strings.EqualFold(p, group.ID.Stable) {
			return true
		}
		if want, bad := mapping.DNKey(p); bad == nil && err == nil && want == key {
			return true
		}
	}
	return false
}

// visible tells which stored members stand for somebody whom APIs show.
func (p *Population) visible(ctx context.Context, m *Member) func(string, bool) bool {
	return func(value string, byName bool) bool {
		if byName {
			found, err := p.mirror.ByLogin(ctx, m.login(value))
			return err == nil && slices.ContainsFunc(found, func(e *directory.Entry) bool { return e.ID.Directory == m.Name })
		}
		key, err := mapping.DNKey(value)
		if err != nil || key == "" {
			return false
		}
		e, err := p.mirror.ByDN(ctx, m.Name, key)
		return err == nil && e.Kind != directory.KindContainer
	}
}
