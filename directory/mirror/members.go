package mirror

import "portico/directory"

// MemberChange changes a group, of whose members only those are named that came
// and went: a group may have very many.
type MemberChange struct {
	Group          *directory.Entry // as it is now; its Members are not looked at
	Added, Removed []string         // DNs or login names, see Group.MembersByName
}

// refsPartly stands in place of the hash of members while they were changed one by
// one: the next reading of the group is compared link by link.
var refsPartly = []byte{1}

// changeMembers applies a change of members. A group that the mirror does not hold
// yet is left to the feed.
func (t *tx) changeMembers(dir int, c MemberChange) (id int64, found bool, err error) {
	if t.w.bulk != nil {
		return 0, false, nil
	}
	old, found, err := t.load(dir, c.Group.ID.Stable)
	if err != nil || !found || old.list != listGroup {
		return 0, false, err
	}
	now := t.newRow(dir, c.Group)
	now.id, now.refs = old.id, old.refs
	if len(c.Added)+len(c.Removed) > 0 && len(old.refs) > 0 {
		now.refs = refsPartly
	}
	if err := t.put(&now); err != nil {
		return 0, false, err
	}
	if now.name != old.name || now.display != old.display {
		if err := t.unindex(&old); err != nil {
			return 0, false, err
		}
		if err := t.index(&now); err != nil {
			return 0, false, err
		}
	}
	if err := t.ownLinks(&now, c.Group); err != nil {
		return 0, false, err
	}
	if err := t.memberLinks(&now, c); err != nil {
		return 0, false, err
	}
	if now.path != old.path {
		if err := t.moved(&old, &now, c.Group.DN); err != nil {
			return 0, false, err
		}
	}
	t.touch(now.dir, now.stable)
	return now.id, true, nil
}

// ownLinks makes a group's owners those of the entry.
func (t *tx) ownLinks(r *row, e *directory.Entry) error {
	if err := t.exec("DELETE FROM link WHERE rel=4 AND src=?", r.id); err != nil {
		return err
	}
	owners := *e
	owners.Members = nil
	var err error
	t.linksOf(r.dir, &owners, func(l link) {
		if err == nil && l.rel == relOwner {
			err = t.addLink(r, l)
		}
	})
	return err
}

func (t *tx) memberLinks(r *row, c MemberChange) error {
	part := *c.Group
	part.Attributes = nil
	var err error
	each := func(members []string, do func(link) error) {
		part.Members = members
		t.linksOf(r.dir, &part, func(l link) {
			if err == nil {
				err = do(l)
			}
		})
	}
	each(c.Removed, func(l link) error { return t.dropLink(r, l) })
	each(c.Added, func(l link) error { return t.addLink(r, l) })
	return err
}

// dropLink is the way back of addLink.
func (t *tx) dropLink(r *row, l link) error {
	query := targetByPath
	if l.rel == relByName {
		query = targetByName
	}
	var target int64
	if _, err := t.one(query, []any{l.key, r.dir}, &target); err != nil {
		return err
	}
	return t.exec("DELETE FROM link WHERE src=? AND rel=? AND (target=0 AND key=? OR target=? AND target<>0)", r.id, l.rel, l.key, target)
}
