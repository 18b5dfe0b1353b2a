package collaboration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// Directory keeps groups in a directory.
type Directory interface { //nolint:interfacebloat // reading and writing of one thing
	Writable(dir string) (string, error)
	Roster(ctx context.Context, group adapter.ID, asked []adapter.ID) (*adapter.Roster, error)
	GroupAt(ctx context.Context, dir, dn string) (*adapter.Entry, error)
	GroupVersion(ctx context.Context, group adapter.ID) (string, error)
	CreateGroup(ctx context.Context, n adapter.NewGroup, by adapter.By) (*adapter.Group, error)
	ChangeGroup(ctx context.Context, key adapter.GroupKey, c adapter.GroupChange, by adapter.By) (*adapter.Group, error)
	DeleteGroup(ctx context.Context, key adapter.GroupKey, ifVersion string, by adapter.By) error
}

// Times of writing to the directory: how long one process keeps the others from a
// collaboration, and how long it rests after a failure.
const (
	entryLease = 5 * time.Minute
	entryRest  = 5 * time.Minute
)

// desired is what the store says of a collaboration that is written to a directory.
type desired struct {
	gone    bool // the collaboration is deleted
	urn     string
	parent  string // DN that its entry lies below
	collab  store.Collaboration
	groups  []store.CollabGroup
	members map[int64]store.Member // by uid
	people  map[int64]map[int64]bool
	entries map[int64]store.CollabEntry           // by group; 0 is the collaboration
	noted   map[int64]map[int64]store.EntryMember // by entry and uid
}

// writes tells whether collaborations are written to a directory.
func (s *Collaborations) writes() bool { return s.directory != nil && s.cfg.Container != "" }

// desire reads what is wanted of one collaboration, and what was written.
func (s *Collaborations) desire(ctx context.Context, c *store.CollabTx, id int64) (*desired, error) {
	d := &desired{
		members: map[int64]store.Member{}, people: map[int64]map[int64]bool{},
		entries: map[int64]store.CollabEntry{}, noted: map[int64]map[int64]store.EntryMember{},
	}
	entries, err := c.Entries(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		d.entries[e.Group] = e
	}
	noted, err := c.EntryMembers(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, m := range noted {
		if d.noted[m.Entry] == nil {
			d.noted[m.Entry] = map[int64]store.EntryMember{}
		}
		d.noted[m.Entry][m.UID] = m
	}
	d.collab, err = c.Collaboration(ctx, store.CollabKey{ID: id})
	if missing(err) {
		d.gone = true
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	return d, s.desirePeople(ctx, c, d)
}

func (s *Collaborations) desirePeople(ctx context.Context, c *store.CollabTx, d *desired) error {
	org, err := c.OrgByID(ctx, d.collab.Org)
	if err != nil {
		return err
	}
	d.urn = org.ShortName + ":" + d.collab.ShortName
	d.parent = strings.ReplaceAll(s.cfg.Container, "{org}", org.ShortName)
	members, err := c.Members(ctx, d.collab.ID)
	if err != nil {
		return err
	}
	if d.groups, err = c.Groups(ctx, d.collab.ID); err != nil {
		return err
	}
	in, err := c.GroupMembers(ctx, d.collab.ID)
	if err != nil {
		return err
	}
	now := s.now()
	active := collabStatus(&d.collab, now) == Active
	d.people[0] = map[int64]bool{}
	byID := map[int64]int64{}
	for _, m := range members {
		d.members[m.UID] = m
		if active && memberStatus(&m, now) == Active {
			d.people[0][m.UID] = m.Role == Admin
			byID[m.ID] = m.UID
		}
	}
	for _, g := range d.groups {
		d.people[g.ID] = map[int64]bool{}
		for _, member := range in[g.ID] {
			if uid, ok := byID[member]; ok {
				d.people[g.ID][uid] = false
			}
		}
	}
	return nil
}

// entryName is what the entry of a collaboration is called: its short name, with
// the organisation's before where the container does not tell them apart.
func (s *Collaborations) entryName(d *desired) string {
	if strings.Contains(s.cfg.Container, "{org}") {
		return d.collab.ShortName
	}
	return strings.ReplaceAll(d.urn, ":", ".")
}

// description is what is written of a collaboration (group nil) or a group.
func (d *desired) description(g *store.CollabGroup) string {
	text, name := d.collab.Description, d.collab.Name
	if g != nil {
		text, name = g.Description, g.Name
	}
	if text = strings.TrimSpace(text); text == "" {
		text = name
	}
	return text
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// inStep tells, without asking the directory itself, whether everything that is
// wanted was written and nothing has changed there since.
func (s *Collaborations) inStep(ctx context.Context, d *desired) (bool, error) {
	if d.gone {
		return len(d.entries) == 0, nil
	}
	groups := []*store.CollabGroup{nil}
	for i := range d.groups {
		groups = append(groups, &d.groups[i])
	}
	if len(d.entries) != len(groups) {
		return false, nil
	}
	for _, g := range groups {
		id := int64(0)
		if g != nil {
			id = g.ID
		}
		e, ok := d.entries[id]
		if !ok {
			return false, nil
		}
		if e.Detached || s.now().Before(e.Retry) {
			continue
		}
		if e.Stable == "" || e.Written != digest(d.description(g)) || !samePeople(d.people[id], d.noted[e.ID]) {
			return false, nil
		}
		version, err := s.directory.GroupVersion(ctx, adapter.ID{Directory: e.Directory, Stable: e.Stable})
		if err != nil || version != e.Version {
			return false, err
		}
	}
	return true, nil
}

func samePeople(want map[int64]bool, noted map[int64]store.EntryMember) bool {
	if len(want) != len(noted) {
		return false
	}
	for uid, admin := range want {
		if m, ok := noted[uid]; !ok || m.State != store.EntryIn || m.Admin != admin {
			return false
		}
	}
	return true
}

// WriteOut brings one collaboration and its groups in step with the directory.
// Several processes may try: one does.
func (s *Collaborations) WriteOut(ctx context.Context, id int64) error {
	var d *desired
	look := func(ctx context.Context, c *store.CollabTx) (err error) {
		d, err = s.desire(ctx, c, id)
		return err
	}
	if err := s.read(ctx, "collaboration", look); err != nil {
		return err
	}
	if ok, err := s.inStep(ctx, d); ok || err != nil {
		return err
	}
	dir, err := s.directory.Writable(s.cfg.WriteDirectory)
	if err != nil {
		return err
	}
	mine := false
	err = s.write(ctx, "collaboration", func(ctx context.Context, c *store.CollabTx) (err error) {
		if d, err = s.desire(ctx, c, id); err != nil || d.gone && len(d.entries) == 0 {
			return err
		}
		mine, err = c.LeaseEntries(ctx, id, dir, s.entryName(d), s.now().Add(entryLease))
		if err == nil && mine {
			d, err = s.desire(ctx, c, id) // with the first entry
		}
		return err
	})
	if err != nil || !mine {
		return err
	}
	work, cancel := context.WithTimeout(ctx, entryLease-30*time.Second)
	defer cancel()
	err = s.writeAll(work, d)
	last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancelLast()
	return errors.Join(err, s.write(last, "collaboration", func(ctx context.Context, c *store.CollabTx) error {
		return c.ReleaseEntries(ctx, id)
	}))
}

// writeAll writes the collaboration first: its groups hang below it. What is to be
// deleted goes in the other direction.
func (s *Collaborations) writeAll(ctx context.Context, d *desired) error {
	alive := map[int64]*store.CollabGroup{}
	for i := range d.groups {
		alive[d.groups[i].ID] = &d.groups[i]
	}
	for _, group := range slices.Backward(slices.Sorted(maps.Keys(d.entries))) {
		if group == 0 && !d.gone || alive[group] != nil {
			continue
		}
		if err := s.deleteEntry(ctx, d.entries[group]); err != nil {
			return err
		}
	}
	if d.gone {
		return nil
	}
	parent, err := s.writeEntry(ctx, d, nil, d.parent)
	if err != nil || parent == "" {
		return err
	}
	for i := range d.groups {
		if _, err := s.writeEntry(ctx, d, &d.groups[i], parent); err != nil {
			return err
		}
	}
	return nil
}

// by names the job in the security log.
func (s *Collaborations) by() adapter.By { return adapter.By{Actor: "collaborations"} }

func (s *Collaborations) deleteEntry(ctx context.Context, e store.CollabEntry) error {
	if e.Stable != "" && !e.Detached {
		err := s.directory.DeleteGroup(ctx, adapter.GroupByID(adapter.ID{Directory: e.Directory, Stable: e.Stable}), "", s.by())
		switch k := adapter.KindOf(err); {
		case err == nil, k == adapter.NotFound:
		case k == adapter.Conflict:
			s.log.WarnContext(ctx, "the entry of a deleted collaboration stays: other entries hang below it", "entry", e.Name, "error", err)
		default:
			return fmt.Errorf("delete the entry %s: %w", e.Name, err)
		}
	}
	return s.write(ctx, "entry", func(ctx context.Context, c *store.CollabTx) error { return c.DeleteEntry(ctx, e.ID) })
}
