package collaboration

import (
	"context"
	"slices"
	"strings"

	"portico/adapter"
	"portico/adapter/store"
)

// NewGroup asks for a group in a collaboration.
type NewGroup struct {
	Collaboration string // identifier
	Name          string
	ShortName     string // cleansed
	Description   string
	AutoProvision bool
}

// GroupView is a group with its memberships and people.
type GroupView struct {
	Group
	Memberships []Member
	People      map[int64]User `json:"-"`
}

func (s *Collaborations) groupView(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration, g store.CollabGroup) (GroupView, error) {
	in, err := c.GroupMembers(ctx, collab.ID)
	if err != nil {
		return GroupView{}, err
	}
	v := GroupView{Group: groupViews(org.ShortName+":"+collab.ShortName, []store.CollabGroup{g}, in)[0]}
	members, err := c.Members(ctx, collab.ID)
	for _, m := range members {
		if slices.Contains(v.Members, m.ID) {
			m.Status = memberStatus(&m, s.now())
			v.Memberships = append(v.Memberships, m)
		}
	}
	return v, err
}

func (s *Collaborations) groupPeople(ctx context.Context, g *GroupView) error {
	v := View{Memberships: g.Memberships}
	var err error
	g.People, err = s.withPeople(ctx, &v)
	g.Memberships = v.Memberships
	return err
}

// CreateGroup makes a group (G1). Errors: NotFound, Denied, Invalid, Conflict.
func (s *Collaborations) CreateGroup(ctx context.Context, caller *Caller, in NewGroup) (*GroupView, error) {
	v, err := once(ctx, s, caller, "group", func(ctx context.Context, c *store.CollabTx) (GroupView, error) {
		var v GroupView
		err := s.locked(ctx, c, caller, in.Collaboration, func(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration) error {
			if err := checkName("name", in.Name); err != nil {
				return err
			}
			short := ShortName(in.ShortName)
			if short == "" {
				return invalid("short_name", "short_name has no letter that it may have")
			}
			if err := checkText("description", in.Description); err != nil {
				return err
			}
			now := s.now()
			g := store.CollabGroup{
				Collab: collab.ID, Identifier: store.NewUUID(), Name: strings.TrimSpace(in.Name), NameKey: NameKey(in.Name),
				ShortName: short, Description: in.Description, AutoProvision: in.AutoProvision,
				Stamp: store.Stamp{Created: now, CreatedBy: caller.By(), Updated: now, UpdatedBy: caller.By()},
			}
			if err := s.addGroup(ctx, c, &g); err != nil {
				return err
			}
			if err := s.active(ctx, c, collab, caller.By()); err != nil {
				return err
			}
			if err := c.Note(ctx, caller.record(adapter.EventCollabGroup, 0, "group "+org.ShortName+":"+collab.ShortName+":"+short+" made")); err != nil {
				return err
			}
			var err error
			v, err = s.groupView(ctx, c, org, collab, g)
			return err
		})
		return v, err
	})
	if err == nil {
		err = s.groupPeople(ctx, &v)
	}
	return &v, err
}

// addGroup stores a group whose names must be free, with all members and in all
// open invitations when it takes everybody.
func (s *Collaborations) addGroup(ctx context.Context, c *store.CollabTx, g *store.CollabGroup) error {
	groups, err := c.Groups(ctx, g.Collab)
	if err != nil {
		return err
	}
	for _, other := range groups {
		switch {
		case other.NameKey == g.NameKey:
			return conflict("name", "the collaboration has a group with this name, or one that looks like it")
		case other.ShortName == g.ShortName:
			return conflict("short_name", "the collaboration has a group with this short name")
		}
	}
	if err := c.PutGroup(ctx, g); err != nil || !g.AutoProvision {
		return err
	}
	return s.provision(ctx, c, *g)
}

func (s *Collaborations) provision(ctx context.Context, c *store.CollabTx, g store.CollabGroup) error {
	members, err := c.Members(ctx, g.Collab)
	if err != nil {
		return err
	}
	for _, m := range members {
		if _, err := c.AddGroupMember(ctx, g.ID, m.ID); err != nil {
			return err
		}
	}
	open, err := c.Invites(ctx, g.Collab, Open)
	if err != nil {
		return err
	}
	for _, i := range open {
		if slices.Contains(i.Groups, g.ID) {
			continue
		}
		i.Groups = append(i.Groups, g.ID)
		if err := c.PutInvite(ctx, &i); err != nil {
			return err
		}
	}
	return nil
}

// changeGroup runs a change of one group of the caller. A group is found first,
// so an unknown one is NotFound and a foreign one Denied.
func (s *Collaborations) changeGroup(ctx context.Context, caller *Caller, identifier, what string, uid int64,
	do func(context.Context, *store.CollabTx, *store.Collaboration, *store.CollabGroup) error,
) (*GroupView, error) {
	var v GroupView
	err := s.write(ctx, "group", func(ctx context.Context, c *store.CollabTx) error {
		if err := mayWrite(ctx, c, caller); err != nil {
			return err
		}
		g, err := c.Group(ctx, strings.ToLower(identifier))
		if missing(err) {
			return notFound("group")
		} else if err != nil {
			return err
		}
		owner, err := c.Collaboration(ctx, store.CollabKey{ID: g.Collab})
		if err != nil {
			return err
		}
		return s.locked(ctx, c, caller, owner.Identifier, func(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration) error {
			g, err := c.Group(ctx, g.Identifier)
			if missing(err) {
				return notFound("group")
			} else if err != nil {
				return err
			}
			if err := do(ctx, c, collab, &g); err != nil {
				return err
			}
			if err := s.active(ctx, c, collab, caller.By()); err != nil {
				return err
			}
			if err := c.Note(ctx, caller.record(adapter.EventCollabGroup, uid, "group "+org.ShortName+":"+collab.ShortName+":"+g.ShortName+" "+what)); err != nil {
				return err
			}
			v, err = s.groupView(ctx, c, org, collab, g)
			return err
		})
	})
	if err == nil {
		err = s.groupPeople(ctx, &v)
	}
	return &v, err
}

// GroupChange changes a group; nil leaves a member as it is.
type GroupChange struct {
	Name          *string
	Description   *string
	AutoProvision *bool
}

// UpdateGroup changes a group (G2). Errors: NotFound, Denied, Invalid, Conflict.
func (s *Collaborations) UpdateGroup(ctx context.Context, caller *Caller, identifier string, change GroupChange) (*GroupView, error) {
	return s.changeGroup(ctx, caller, identifier, "changed", 0, func(ctx context.Context, c *store.CollabTx, collab *store.Collaboration, g *store.CollabGroup) error {
		if g.Service != 0 && (change.Name != nil || change.Description != nil) {
			return invalid("name", "of a group that a service brought, only auto_provision_members can be changed")
		}
		if change.Name != nil {
			if err := checkName("name", *change.Name); err != nil {
				return err
			}
			groups, err := c.Groups(ctx, collab.ID)
			if err != nil {
				return err
			}
			key := NameKey(*change.Name)
			if slices.ContainsFunc(groups, func(o store.CollabGroup) bool { return o.ID != g.ID && o.NameKey == key }) {
				return conflict("name", "the collaboration has a group with this name, or one that looks like it")
			}
			g.Name, g.NameKey = strings.TrimSpace(*change.Name), key
		}
		if change.Description != nil {
			if err := checkText("description", *change.Description); err != nil {
				return err
			}
			g.Description = *change.Description
		}
		fill := change.AutoProvision != nil && *change.AutoProvision && !g.AutoProvision
		if change.AutoProvision != nil {
			g.AutoProvision = *change.AutoProvision
		}
		g.Updated, g.UpdatedBy = s.now(), caller.By()
		if err := c.PutGroup(ctx, g); err != nil || !fill {
			return err
		}
		return s.provision(ctx, c, *g)
	})
}

// DeleteGroup removes a group (G3). Errors: NotFound, Denied.
func (s *Collaborations) DeleteGroup(ctx context.Context, caller *Caller, identifier string) error {
	_, err := s.changeGroup(ctx, caller, identifier, "deleted", 0, func(ctx context.Context, c *store.CollabTx, _ *store.Collaboration, g *store.CollabGroup) error {
		return c.DeleteGroup(ctx, *g)
	})
	return err
}

// AddToGroup puts a member into a group (G4). Errors: NotFound, Denied; Conflict
// when the person is no member, or in the group already.
func (s *Collaborations) AddToGroup(ctx context.Context, caller *Caller, identifier, platform string) (*GroupView, error) {
	person, personErr := s.person(ctx, platform)
	uid := int64(0)
	if personErr == nil {
		uid = person.UID
	}
	return s.changeGroup(ctx, caller, identifier, "got a member", uid, func(ctx context.Context, c *store.CollabTx, collab *store.Collaboration, g *store.CollabGroup) error {
		if personErr != nil {
			return personErr
		}
		m, err := c.Member(ctx, collab.ID, uid)
		if missing(err) {
			return conflict("uid", "not a member of the collaboration")
		} else if err != nil {
			return err
		}
		added, err := c.AddGroupMember(ctx, g.ID, m.ID)
		if err == nil && !added {
			err = conflict("uid", "in the group already")
		}
		return err
	})
}

// RemoveFromGroup takes a member out of a group (G5). Errors: NotFound, Denied.
func (s *Collaborations) RemoveFromGroup(ctx context.Context, caller *Caller, identifier, platform string) error {
	person, personErr := s.person(ctx, platform)
	uid := int64(0)
	if personErr == nil {
		uid = person.UID
	}
	_, err := s.changeGroup(ctx, caller, identifier, "lost a member", uid, func(ctx context.Context, c *store.CollabTx, collab *store.Collaboration, g *store.CollabGroup) error {
		if personErr != nil {
			return personErr
		}
		m, err := c.Member(ctx, collab.ID, uid)
		if err == nil {
			err = c.RemoveGroupMember(ctx, g.ID, m.ID)
		}
		if missing(err) {
			return notFound("member")
		}
		return err
	})
	return err
}
