package mirror

import (
	"maps"
	"slices"
	"strings"

	"portico/directory"
)

// model is the mirror done naively in memory: everything is computed at the
// question, by the rules of the package comment and nothing else.
type model struct {
	suffixes []string
	entries  map[directory.ID]*modelEntry
}

type modelEntry struct {
	e     directory.Entry
	rank  int
	refs  []modelRef
	doubt bool
}

// modelRef is a reference: to an entry once it was resolved, else text.
type modelRef struct {
	rel    int
	text   string
	target *modelEntry
	gone   string // the id of a deleted target, which alone can come back
}

func (m *model) key(dn string) string {
	k, err := testKey(dn)
	if err != nil {
		return "?" + dn
	}
	return k
}

// logical is what a reference says in terms of the directory.
func (m *model) logical(r modelRef) string {
	switch {
	case r.gone != "":
		return "\x00" + r.gone
	case r.target != nil:
		return m.key(r.target.e.DN)
	}
	return r.text
}

func (m *model) wanted(e *directory.Entry) (refs []modelRef) {
	add := func(rel int, dns []string) {
		for _, dn := range dns {
			r := modelRef{rel: rel, text: m.key(dn)}
			if rel == relByName {
				r.text = directory.FoldName(dn)
			}
			if !slices.ContainsFunc(refs, func(o modelRef) bool { return o.rel == r.rel && o.text == r.text }) {
				refs = append(refs, r)
			}
		}
	}
	if e.MembersByName {
		add(relByName, e.Members)
	} else {
		add(relMember, e.Members)
	}
	add(relManager, e.Attributes[directory.AttrManager])
	return refs
}

// resolve binds every text to the entry with that DN.
func (m *model) resolve() {
	at := make(map[string]*modelEntry)
	for _, e := range m.entries {
		at[m.key(e.e.DN)] = e
	}
	for _, e := range m.entries {
		for i, r := range e.refs {
			if r.rel != relByName && r.target == nil && r.gone == "" {
				e.refs[i].target = at[r.text]
			}
			if r.gone != "" {
				for id, back := range m.entries {
					if id.String() == r.gone {
						e.refs[i].target, e.refs[i].gone = back, ""
					}
				}
			}
		}
	}
}

// doubtReferrers marks who refers to an entry, but for the one that was just read.
func (m *model) doubtReferrers(of, read *modelEntry) {
	for _, e := range m.entries {
		if e != read && slices.ContainsFunc(e.refs, func(r modelRef) bool { return r.target == of }) {
			e.doubt = true
		}
	}
}

func sameContent(a, b *directory.Entry) bool {
	return a.DN == b.DN && a.Name == b.Name && a.Version == b.Version && slices.Equal(a.Members, b.Members) &&
		a.MembersByName == b.MembersByName && maps.EqualFunc(a.Attributes, b.Attributes, slices.Equal) &&
		maps.EqualFunc(a.Signals, b.Signals, slices.Equal) && a.Created.Equal(b.Created) && a.Modified.Equal(b.Modified)
}

func (m *model) upsert(rank int, e *directory.Entry) {
	old := m.entries[e.ID]
	if old == nil {
		m.entries[e.ID] = &modelEntry{e: *e, rank: rank, refs: m.wanted(e)}
		m.resolve()
		return
	}
	if sameContent(&old.e, e) && !old.doubt {
		return
	}
	before := old.e.DN
	old.e = *e
	refs := m.wanted(e)
	for i, r := range refs {
		for _, had := range old.refs {
			if had.rel == r.rel && m.logical(had) == r.text {
				refs[i] = had
			}
		}
	}
	old.refs, old.doubt = refs, false
	if m.key(before) != m.key(e.DN) {
		m.doubtReferrers(old, old)
		for _, child := range m.entries {
			if rest, below := strings.CutSuffix(child.e.DN, ","+before); below && child.rank == rank {
				child.e.DN = rest + "," + e.DN
				m.doubtReferrers(child, nil)
			}
		}
	}
	m.resolve()
}

// forgetHistory makes the model what it would be if every entry had come once,
// as it is now: all that a first load knows.
func (m *model) forgetHistory() {
	old := m.entries
	m.entries = make(map[directory.ID]*modelEntry)
	for _, e := range old {
		m.upsert(e.rank, &e.e)
	}
}

func (m *model) remove(id directory.ID) {
	old := m.entries[id]
	if old == nil {
		return
	}
	delete(m.entries, id)
	m.doubtReferrers(old, old)
	for _, e := range m.entries {
		for i, r := range e.refs {
			if r.target == old {
				e.refs[i].target, e.refs[i].gone = nil, id.String()
			}
		}
	}
}

func (m *model) visible(e *modelEntry) bool {
	for _, o := range m.entries {
		if e.e.Kind == directory.KindPerson && o.e.Kind == directory.KindPerson && o.e.Login == e.e.Login && o.rank < e.rank {
			return false
		}
	}
	return true
}

// where lists the ids of entries in order of their text.
func (m *model) where(f func(*modelEntry) bool) string {
	var all []string
	for id, e := range m.entries {
		if f(e) {
			all = append(all, id.String())
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (m *model) people(f func(*directory.Entry) bool) string {
	return m.where(func(e *modelEntry) bool { return e.e.Kind == directory.KindPerson && m.visible(e) && f(&e.e) })
}

// targets are the entries a reference means now.
func (m *model) targets(e *modelEntry, rel int) (all []*modelEntry) {
	for _, r := range e.refs {
		if r.rel != rel {
			continue
		}
		if rel != relByName {
			if r.target != nil {
				all = append(all, r.target)
			}
			continue
		}
		var named []*modelEntry
		login := r.text
		if s := m.suffixes[e.rank]; s != "" {
			login += "@" + s
		}
		for _, p := range m.entries {
			if p.e.Kind == directory.KindPerson && p.rank == e.rank && p.e.Login == login {
				named = append(named, p)
			}
		}
		if len(named) == 1 {
			all = append(all, named[0])
		}
	}
	return all
}

func (m *model) members(g *modelEntry) []*modelEntry {
	return append(m.targets(g, relMember), m.targets(g, relByName)...)
}

// inside is what a group holds: with nested also through groups.
func (m *model) inside(g *modelEntry, nested bool) map[*modelEntry]bool {
	found := make(map[*modelEntry]bool)
	var walk func(*modelEntry)
	walk = func(g *modelEntry) {
		for _, e := range m.members(g) {
			if !found[e] {
				found[e] = true
				if nested && e.e.Kind == directory.KindGroup {
					walk(e)
				}
			}
		}
	}
	walk(g)
	return found
}

func (m *model) groupsOf(p *modelEntry, nested bool) string {
	return m.where(func(g *modelEntry) bool { return g.e.Kind == directory.KindGroup && m.inside(g, nested)[p] })
}

func (m *model) membersOf(g *modelEntry, nested bool) string {
	in := m.inside(g, nested)
	return m.where(func(e *modelEntry) bool { return in[e] && e.e.Kind == directory.KindPerson && m.visible(e) })
}

func (m *model) subgroupsOf(g *modelEntry, nested bool) string {
	in := m.inside(g, nested)
	return m.where(func(e *modelEntry) bool { return in[e] && e.e.Kind == directory.KindGroup && e != g })
}
