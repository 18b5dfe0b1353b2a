package collaboration

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"portico/adapter"
	"portico/adapter/store"
)

// part is what store, notes and directory say of one person in one entry.
type part struct {
	uid      int64
	id       adapter.ID
	wanted   bool // by the store
	admin    bool
	noted    store.EntryMember // State "": not noted
	listed   bool              // in the directory
	owner    bool
	hasOwner bool // the entry has owners: it is a collaboration's
}

// outcome is what one person's part comes to. The notes before and after the
// directory is changed are states of store.EntryMember, "" for none.
type outcome struct {
	before, after string
	admin         bool
	add, remove   bool
	join, leave   bool // the store follows the directory
	role          bool // the store's role becomes admin's
}

// decide weighs what has changed since the notes. The directory wins over the
// store; what is about to be written is noted before, so that a change that was
// cut short is not taken for an administrator's.
func decide(p part) outcome {
	was := p.noted.State
	switch {
	case p.wanted && p.listed && p.hasOwner && was == store.EntryIn && p.owner != p.noted.Admin:
		return outcome{before: store.EntryIn, after: store.EntryIn, admin: p.owner, role: p.admin != p.owner}
	case p.wanted && p.listed:
		return outcome{before: was, after: store.EntryIn, admin: p.admin}
	case p.listed && was == "":
		return outcome{after: store.EntryIn, admin: p.owner, join: true}
	case p.listed:
		return outcome{before: store.EntryRemoving, remove: true}
	case p.wanted && was == store.EntryIn:
		return outcome{leave: true}
	case p.wanted:
		return outcome{before: store.EntryAdding, after: store.EntryIn, admin: p.admin, add: true}
	default:
		return outcome{}
	}
}

// step is the work on one entry.
type step struct {
	*Collaborations
	d      *desired
	group  *store.CollabGroup // nil: the collaboration
	entry  store.CollabEntry
	roster *adapter.Roster
	ids    map[int64]adapter.ID // of people in this directory
	listed map[int64]bool       // uid: owner

	outcomes map[int64]outcome
}

func (t *step) groupID() int64 {
	if t.group == nil {
		return 0
	}
	return t.group.ID
}

// writeEntry brings one entry in step and gives its DN, "" for one that is not
// there.
func (s *Collaborations) writeEntry(ctx context.Context, d *desired, group *store.CollabGroup, parent string) (string, error) {
	t := &step{Collaborations: s, d: d, group: group, ids: map[int64]adapter.ID{}, listed: map[int64]bool{}}
	e, ok := d.entries[t.groupID()]
	if !ok { // of a group; the collaboration's was made with the lease
		e = store.CollabEntry{Collab: d.collab.ID, Group: group.ID, Directory: d.entries[0].Directory, Name: group.ShortName}
		err := s.write(ctx, "entry", func(ctx context.Context, c *store.CollabTx) error { e.ID = 0; return c.PutEntry(ctx, &e) })
		if err != nil {
			return "", err
		}
	}
	t.entry = e
	if e.Detached || s.now().Before(e.Retry) {
		return "", nil
	}
	dn, err := t.run(ctx, parent)
	if err != nil {
		t.rest(ctx, err)
	}
	return dn, err
}

// rest notes that an entry could not be written and waits a while.
func (t *step) rest(ctx context.Context, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), entryRest)
	defer cancel()
	t.log.WarnContext(ctx, "a collaboration is not in step with the directory; it is tried again in five minutes",
		"collaboration", t.d.urn, "entry", t.entry.Name, "error", why)
	t.entry.Retry = t.now().Add(entryRest)
	_ = t.save(ctx) // the lease ends in any case
}

func (t *step) save(ctx context.Context) error {
	return t.write(ctx, "entry", func(ctx context.Context, c *store.CollabTx) error { return c.PutEntry(ctx, &t.entry) })
}

func (t *step) run(ctx context.Context, parent string) (string, error) {
	if err := t.knowPeople(ctx); err != nil {
		return "", err
	}
	made := false
	if t.entry.Stable == "" {
		ok, err := t.create(ctx, parent)
		if err != nil || !ok {
			return "", err
		}
		made = true
	}
	var asked []adapter.ID
	for _, uid := range slices.Sorted(maps.Keys(t.ids)) {
		asked = append(asked, t.ids[uid])
	}
	var err error
	t.roster, err = t.directory.Roster(ctx, adapter.ID{Directory: t.entry.Directory, Stable: t.entry.Stable}, asked)
	if adapter.KindOf(err) == adapter.NotFound && err != nil {
		return "", t.detach(ctx, "an administrator deleted the entry of a collaboration; it is not written any more")
	}
	if err != nil {
		return "", err
	}
	if err := t.knowListed(ctx); err != nil {
		return "", err
	}
	if err := t.before(ctx); err != nil {
		return "", err
	}
	version, err := t.change(ctx, made)
	if err != nil {
		return "", err
	}
	return t.roster.Group.DN, t.after(ctx, version)
}

// detach stops writing an entry that an administrator has taken for himself.
func (t *step) detach(ctx context.Context, text string) error {
	t.log.WarnContext(ctx, "an entry of a collaboration is no longer written", "why", text, "collaboration", t.d.urn, "entry", t.entry.Name)
	t.entry.Detached = true
	return t.write(ctx, "entry", func(ctx context.Context, c *store.CollabTx) error {
		if err := c.PutEntry(ctx, &t.entry); err != nil {
			return err
		}
		return c.Note(ctx, jobNote(adapter.EventCollabChanged, 0, t.d.urn+": "+text))
	})
}

// knowPeople finds the identities of those who are wanted or noted.
func (t *step) knowPeople(ctx context.Context) error {
	uids := slices.Collect(maps.Keys(t.d.people[t.groupID()]))
	for uid := range t.d.noted[t.entry.ID] {
		uids = append(uids, uid)
	}
	people, err := t.people.PeopleByUID(ctx, uids)
	for uid, p := range people {
		if p.ID.Directory == t.entry.Directory {
			t.ids[uid] = p.ID
		}
	}
	return err
}

// knowListed finds the numbers of those whom the directory lists.
func (t *step) knowListed(ctx context.Context) error {
	known := make(map[adapter.ID]int64, len(t.ids))
	for uid, id := range t.ids {
		known[id] = uid
	}
	for id := range t.roster.Members {
		uid, ok := known[id]
		if !ok {
			p, err := t.people.Person(ctx, adapter.ByIdentity(id.Directory, id.Stable))
			if k := adapter.KindOf(err); err != nil && (k == adapter.NotFound || k == adapter.Ambiguous) {
				continue
			}
			if err != nil {
				return err
			}
			uid, t.ids[p.UID] = p.UID, p.ID
		}
		t.listed[uid] = t.roster.Owners[id]
	}
	return nil
}

// create makes the entry. What lies under its name already is taken for ours only
// when it is what an attempt that was cut short would have made.
func (t *step) create(ctx context.Context, parent string) (bool, error) {
	wanted := t.d.people[t.groupID()]
	n := adapter.NewGroup{
		Directory: t.entry.Directory, Name: t.entry.Name, Parent: parent,
		Attributes: map[string][]string{"description": {t.d.description(t.group)}},
	}
	err := t.write(ctx, "entry", func(ctx context.Context, c *store.CollabTx) error {
		for uid, admin := range wanted {
			if _, ok := t.ids[uid]; !ok {
				continue
			}
			if err := c.PutEntryMember(ctx, store.EntryMember{Entry: t.entry.ID, UID: uid, State: store.EntryAdding, Admin: admin}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, uid := range slices.Sorted(maps.Keys(wanted)) {
		if id, ok := t.ids[uid]; ok {
			n.Members = append(n.Members, id)
			if wanted[uid] && t.group == nil {
				n.Owners = append(n.Owners, id)
			}
		}
	}
	made, err := t.directory.CreateGroup(ctx, n, t.by())
	if adapter.KindOf(err) == adapter.Conflict && err != nil {
		return t.adopt(ctx, parent, n)
	}
	if err != nil {
		return false, err
	}
	t.entry.Stable, t.entry.Written = made.ID.Stable, digest(t.d.description(t.group))
	return true, t.save(ctx)
}

// adopt takes an entry for ours that is what we would have made.
func (t *step) adopt(ctx context.Context, parent string, n adapter.NewGroup) (bool, error) {
	const foreign = "there is another entry under the name of a collaboration; it is not written"
	found, err := t.directory.GroupAt(ctx, t.entry.Directory, "cn="+n.Name+","+parent)
	if adapter.KindOf(err) == adapter.NotFound && err != nil {
		return false, t.detach(ctx, foreign)
	}
	if err != nil {
		return false, err
	}
	roster, err := t.directory.Roster(ctx, found.ID, nil)
	if err != nil {
		return false, err
	}
	ours := found.Attributes.First("description") == t.d.description(t.group)
	for id := range roster.Members {
		ours = ours && slices.Contains(n.Members, id)
	}
	if !ours {
		return false, t.detach(ctx, foreign)
	}
	t.entry.Stable, t.entry.Written = found.ID.Stable, digest(t.d.description(t.group))
	return true, t.save(ctx)
}

// before decides, lets the store follow the directory, and notes what is about to
// be written, in one transaction.
func (t *step) before(ctx context.Context) error {
	return t.write(ctx, "entry", func(ctx context.Context, c *store.CollabTx) error {
		if err := c.Lock(ctx, t.d.collab.ID); err != nil {
			return err
		}
		d, err := t.desire(ctx, c, t.d.collab.ID)
		if err != nil {
			return err
		}
		wanted, noted := d.people[t.groupID()], d.noted[t.entry.ID]
		t.outcomes = make(map[int64]outcome, len(t.ids))
		for _, uid := range slices.Sorted(maps.Keys(t.ids)) {
			p := part{uid: uid, id: t.ids[uid], noted: noted[uid], hasOwner: t.group == nil}
			p.admin, p.wanted = wanted[uid]
			p.owner, p.listed = t.listed[uid]
			o := decide(p)
			t.outcomes[uid] = o
			if err := t.follow(ctx, c, d, uid, o); err != nil {
				return err
			}
			if o.before != p.noted.State {
				m := store.EntryMember{Entry: t.entry.ID, UID: uid, State: o.before, Admin: p.noted.Admin}
				if err := c.PutEntryMember(ctx, m); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// change changes the entry and gives the version that was looked at, "" when it is
// to be looked at again.
func (t *step) change(ctx context.Context, made bool) (string, error) {
	var c adapter.GroupChange
	owners, other := map[adapter.ID]bool{}, false
	maps.Copy(owners, t.roster.Owners)
	for _, uid := range slices.Sorted(maps.Keys(t.outcomes)) {
		o, id := t.outcomes[uid], t.ids[uid]
		switch {
		case o.add:
			c.AddMembers = append(c.AddMembers, id)
		case o.remove:
			c.RemoveMembers = append(c.RemoveMembers, id)
		}
		is := o.after == store.EntryIn && o.admin
		if t.group == nil && owners[id] != is && (o.after == store.EntryIn || o.remove) {
			owners[id], other = is, true
		}
	}
	if other && t.roster.MoreOwners {
		t.log.WarnContext(ctx, "an entry has owners that are no people known here; its owners are left alone", "entry", t.roster.Group.DN)
		other = false
	}
	if other {
		list := []adapter.ID{}
		for id, is := range owners {
			if is {
				list = append(list, id)
			}
		}
		c.Owners = &list
	}
	if text := t.d.description(t.group); !made && digest(text) != t.entry.Written {
		c.Attributes = map[string][]string{"description": {text}}
	}
	if len(c.AddMembers)+len(c.RemoveMembers) == 0 && c.Owners == nil && c.Attributes == nil {
		return t.roster.Group.Version, nil
	}
	group := adapter.ID{Directory: t.entry.Directory, Stable: t.entry.Stable}
	if _, err := t.directory.ChangeGroup(ctx, adapter.GroupByID(group), c, t.by()); err != nil {
		return "", fmt.Errorf("change the entry %s: %w", t.entry.Name, err)
	}
	return "", nil // the next look at it finds what somebody else may have changed meanwhile
}

// after notes what was written.
func (t *step) after(ctx context.Context, version string) error {
	t.entry.Written, t.entry.Version = digest(t.d.description(t.group)), version
	return t.write(ctx, "entry", func(ctx context.Context, c *store.CollabTx) error {
		for uid, o := range t.outcomes {
			m := store.EntryMember{Entry: t.entry.ID, UID: uid, State: o.after, Admin: o.admin && t.group == nil}
			if err := c.PutEntryMember(ctx, m); err != nil {
				return err
			}
		}
		return c.PutEntry(ctx, &t.entry)
	})
}
