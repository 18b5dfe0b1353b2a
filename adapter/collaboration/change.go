package collaboration

import (
	"context"

	"portico/adapter"
	"portico/adapter/store"
	"portico/internal/texts"
)

// change runs a change of one collaboration of the caller, under its lock.
func (s *Collaborations) change(ctx context.Context, caller *Caller, identifier string,
	do func(context.Context, *store.CollabTx, store.Org, *store.Collaboration) error,
) error {
	return s.write(ctx, "collaboration", func(ctx context.Context, c *store.CollabTx) error {
		if err := mayWrite(ctx, c, caller); err != nil {
			return err
		}
		return s.locked(ctx, c, caller, identifier, do)
	})
}

// locked finds a collaboration, locks it, and reads it again: what was checked
// before the lock may have changed.
func (s *Collaborations) locked(ctx context.Context, c *store.CollabTx, caller *Caller, identifier string,
	do func(context.Context, *store.CollabTx, store.Org, *store.Collaboration) error,
) error {
	_, collab, err := collabOf(ctx, c, caller, identifier)
	if err != nil {
		return err
	}
	if err := c.Lock(ctx, collab.ID); err != nil {
		if missing(err) {
			return notFound("collaboration")
		}
		return err
	}
	org, collab, err := collabOf(ctx, c, caller, identifier)
	if err != nil {
		return err
	}
	return do(ctx, c, org, &collab)
}

// Delete removes a collaboration with everything in it (C3). Errors: NotFound, Denied.
func (s *Collaborations) Delete(ctx context.Context, caller *Caller, identifier string) error {
	return s.change(ctx, caller, identifier, func(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration) error {
		if err := c.DeleteCollaboration(ctx, *collab); err != nil {
			return err
		}
		return c.Note(ctx, caller.record(adapter.EventCollabEnded, 0, "collaboration "+org.ShortName+":"+collab.ShortName+" deleted"))
	})
}

// person finds who a platform id means. Error: NotFound "member".
func (s *Collaborations) person(ctx context.Context, platform string) (*adapter.Person, error) {
	key, ok := s.personKey(platform)
	if !ok {
		return nil, notFound("member")
	}
	person, err := s.people.Person(ctx, key)
	if k := adapter.KindOf(err); err != nil && (k == adapter.NotFound || k == adapter.Ambiguous) {
		return nil, notFound("member")
	}
	return person, err
}

// SetRole changes the role of a member (C4). Errors: NotFound, Denied, Invalid.
func (s *Collaborations) SetRole(ctx context.Context, caller *Caller, identifier, platform, role string) (*Member, *User, error) {
	if role != Admin && role != Plain {
		return nil, nil, invalid("role", "role is admin or member")
	}
	person, personErr := s.person(ctx, platform)
	var m Member
	var alert bool
	err := s.change(ctx, caller, identifier, func(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration) error {
		if personErr != nil {
			return personErr
		}
		var err error
		if m, err = c.Member(ctx, collab.ID, person.UID); missing(err) {
			return notFound("member")
		} else if err != nil {
			return err
		}
		was := m.Role
		m.Role, m.Updated, m.UpdatedBy = role, s.now(), caller.By()
		if err := c.PutMember(ctx, &m); err != nil {
			return err
		}
		if alert, err = s.adminLeft(ctx, c, org, *collab, was == Admin && role != Admin); err != nil {
			return err
		}
		if err := s.active(ctx, c, collab, caller.By()); err != nil {
			return err
		}
		return c.Note(ctx, caller.record(adapter.EventCollabMember, person.UID, "role in "+org.ShortName+":"+collab.ShortName+": "+role))
	})
	if err != nil {
		return nil, nil, err
	}
	s.alert(ctx, alert, identifier)
	m.Status = memberStatus(&m, s.now())
	users, err := s.users(ctx, []int64{person.UID})
	user := users[person.UID]
	return &m, &user, err
}

// RemoveMember ends a membership (C5). Errors: NotFound, Denied.
func (s *Collaborations) RemoveMember(ctx context.Context, caller *Caller, identifier, platform string) error {
	person, personErr := s.person(ctx, platform)
	var alert bool
	err := s.change(ctx, caller, identifier, func(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration) error {
		if personErr != nil {
			return personErr
		}
		m, err := c.Member(ctx, collab.ID, person.UID)
		if missing(err) {
			return notFound("member")
		} else if err != nil {
			return err
		}
		if err := c.DeleteMember(ctx, m); err != nil {
			return err
		}
		if alert, err = s.adminLeft(ctx, c, org, *collab, m.Role == Admin); err != nil {
			return err
		}
		if err := s.active(ctx, c, collab, caller.By()); err != nil {
			return err
		}
		return c.Note(ctx, caller.record(adapter.EventCollabMember, person.UID, "left "+org.ShortName+":"+collab.ShortName))
	})
	s.alert(ctx, alert && err == nil, identifier)
	return err
}

// alert warns in the log of a collaboration that nobody administers any more.
func (s *Collaborations) alert(ctx context.Context, yes bool, identifier string) {
	if yes {
		s.log.WarnContext(ctx, "a collaboration has no administrator any more", "collaboration", identifier)
	}
}

// adminLeft tells, and tells the organisation's administrators, that the last
// administrator has gone.
func (s *Collaborations) adminLeft(ctx context.Context, c *store.CollabTx, org store.Org, collab store.Collaboration, gone bool) (bool, error) {
	if !gone {
		return false, nil
	}
	members, err := c.Members(ctx, collab.ID)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if m.Role == Admin && memberStatus(&m, s.now()) == Active {
			return false, nil
		}
	}
	people, err := s.people.PeopleByUID(ctx, org.Settings.Admins)
	if err != nil {
		return true, err
	}
	var to []*adapter.Person
	for _, p := range people {
		to = append(to, p)
	}
	mails, err := s.notice(to, texts.CollabLastAdminSubject, texts.CollabLastAdminBody, "collaboration", collab.Name)
	if err != nil {
		return true, err
	}
	return true, c.QueueMail(ctx, mails...)
}

// SetUnits replaces the units (C6). A foreign collaboration is NotFound here.
// Errors: NotFound, Denied, Invalid.
func (s *Collaborations) SetUnits(ctx context.Context, caller *Caller, identifier string, names []string) (*View, error) {
	var v View
	err := s.write(ctx, "collaboration", func(ctx context.Context, c *store.CollabTx) error {
		if err := mayWrite(ctx, c, caller); err != nil {
			return err
		}
		if len(caller.Units) > 0 {
			return denied("units", "a key that is limited to units cannot change them")
		}
		err := s.locked(ctx, c, caller, identifier, func(ctx context.Context, c *store.CollabTx, org store.Org, collab *store.Collaboration) error {
			var err error
			if collab.Units, err = knownUnits(org, names); err != nil {
				return err
			}
			if err := s.active(ctx, c, collab, caller.By()); err != nil {
				return err
			}
			if err := c.Note(ctx, caller.record(adapter.EventCollabChanged, 0, "units of "+org.ShortName+":"+collab.ShortName+" changed")); err != nil {
				return err
			}
			v, err = s.load(ctx, c, org, *collab)
			return err
		})
		if adapter.KindOf(err) == adapter.Denied && adapter.FieldOf(err) == "collaboration" {
			return notFound("collaboration")
		}
		return err
	})
	if err == nil {
		_, err = s.withPeople(ctx, &v)
	}
	return &v, err
}
