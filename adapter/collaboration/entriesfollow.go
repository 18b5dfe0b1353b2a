package collaboration

import (
	"context"
	"sync"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// byDirectory is who changed what an administrator changed in the directory.
const byDirectory = "directory"

// follow lets the store do what an administrator did in the directory.
func (t *step) follow(ctx context.Context, c *store.CollabTx, d *desired, uid int64, o outcome) error {
	what := ""
	switch {
	case o.join:
		what = "joined"
		if err := t.joinFromDirectory(ctx, c, d, uid, o.admin); err != nil {
			return err
		}
	case o.leave && t.group == nil:
		what = "left"
		if err := c.DeleteMember(ctx, d.members[uid]); err != nil {
			return err
		}
	case o.leave:
		what = "left the group " + t.group.ShortName + " of"
		if err := c.RemoveGroupMember(ctx, t.group.ID, d.members[uid].ID); err != nil && !missing(err) {
			return err
		}
	case o.role:
		what = "got another role in"
		m := d.members[uid]
		m.Role, m.Updated, m.UpdatedBy = role(o.admin), t.now(), byDirectory
		if err := c.PutMember(ctx, &m); err != nil {
			return err
		}
	default:
		return nil
	}
	d.collab.Active = t.now()
	if err := t.active(ctx, c, &d.collab, byDirectory); err != nil {
		return err
	}
	return c.Note(ctx, adapter.Record(adapter.EventCollabMember, uid, byDirectory, adapter.Client{}, what+" "+d.urn+" in the directory"))
}

func role(admin bool) string {
	if admin {
		return Admin
	}
	return Plain
}

// joinFromDirectory makes somebody an active member whom an administrator put into
// an entry; in a group's entry, of the group as well.
func (t *step) joinFromDirectory(ctx context.Context, c *store.CollabTx, d *desired, uid int64, admin bool) error {
	now := t.now()
	m, known := d.members[uid]
	fresh := !known || memberStatus(&m, now) != Active
	if !known {
		m = store.Member{Collab: d.collab.ID, UID: uid, Stamp: store.Stamp{Created: now, CreatedBy: byDirectory}}
	}
	if fresh {
		m.Role, m.Status, m.Expires, m.Warned = role(admin && t.group == nil), Active, time.Time{}, time.Time{}
		m.Updated, m.UpdatedBy = now, byDirectory
		if err := c.PutMember(ctx, &m); err != nil {
			return err
		}
		d.members[uid] = m
	}
	for _, g := range d.groups {
		if fresh && g.AutoProvision || t.group != nil && g.ID == t.group.ID {
			if _, err := c.AddGroupMember(ctx, g.ID, m.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// changedSet is the collaborations in which something has changed.
type changedSet struct {
	mu   sync.Mutex
	ids  map[int64]bool
	all  bool
	wake chan struct{}
}

func (n *changedSet) note(c store.Change) {
	if !c.All && (c.Table != store.TableCollaborations || c.ID == 0) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ids == nil {
		n.ids = map[int64]bool{}
	}
	n.all = n.all || c.All
	if !n.all {
		n.ids[c.ID] = true
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *changedSet) take() (ids map[int64]bool, all bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ids, all = n.ids, n.all
	n.ids, n.all = nil, false
	return ids, all
}

// settleFor is how long the writing waits for more changes.
const settleFor = 200 * time.Millisecond

// RunWrites keeps the directory in step until ctx ends: soon after each change, and
// now and then everything, as an administrator may have changed the directory.
func (s *Collaborations) RunWrites(ctx context.Context) {
	tick := time.NewTicker(s.cfg.JobInterval)
	defer tick.Stop()
	s.writeEverything(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.writeEverything(ctx)
		case <-s.changed.wake:
			select {
			case <-ctx.Done():
				return
			case <-time.After(settleFor):
			}
			ids, all := s.changed.take()
			if all {
				s.writeEverything(ctx)
			}
			for id := range ids {
				s.writeOne(ctx, id)
			}
		}
	}
}

func (s *Collaborations) writeEverything(ctx context.Context) {
	for after := int64(0); ctx.Err() == nil; {
		var ids []int64
		err := s.read(ctx, "collaborations", func(ctx context.Context, c *store.CollabTx) (err error) {
			ids, err = c.WrittenCollaborations(ctx, after, jobBatch)
			return err
		})
		if err != nil {
			s.log.WarnContext(ctx, "collaborations could not be listed for the directory; it is tried again", "error", err)
			return
		}
		for _, id := range ids {
			s.writeOne(ctx, id)
			after = id
		}
		if len(ids) < jobBatch {
			return
		}
	}
}

func (s *Collaborations) writeOne(ctx context.Context, id int64) {
	if err := s.WriteOut(ctx, id); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "a collaboration is not in step with the directory; it is tried again", "id", id, "error", err)
	}
}
