package collaboration

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// inviteOf reads an invitation of the caller. What was declined or withdrawn is
// gone. Errors: NotFound "invitation", Denied.
func (s *Collaborations) inviteOf(ctx context.Context, c *store.CollabTx, caller *Caller, identifier string) (store.Org, store.Collaboration, Invite, error) {
	none := store.Collaboration{}
	org, err := orgOf(ctx, c, caller)
	if err != nil {
		return org, none, Invite{}, err
	}
	i, err := c.Invite(ctx, strings.ToLower(identifier))
	gone := err == nil && (i.Status == Withdrawn || i.Status == Declined && !org.Settings.ReportDeclinedInv)
	if missing(err) || gone {
		return org, none, i, notFound("invitation")
	}
	if err != nil {
		return org, none, i, err
	}
	collab, err := c.Collaboration(ctx, store.CollabKey{ID: i.Collab})
	if err != nil {
		return org, none, i, err
	}
	return org, collab, i, caller.reach(org, collab)
}

func (s *Collaborations) inviteView(ctx context.Context, c *store.CollabTx, org store.Org, collab store.Collaboration, i Invite) (InviteView, error) {
	v := InviteView{Invite: i, Collaboration: collab, Org: org.ShortName, OrgTitle: org.Name}
	v.Status = inviteStatus(&i, s.now())
	if len(i.Groups) == 0 {
		return v, nil
	}
	groups, err := c.Groups(ctx, collab.ID)
	for _, g := range groupViews(org.ShortName+":"+collab.ShortName, groups, nil) {
		for _, id := range i.Groups {
			if g.ID == id {
				v.Groups = append(v.Groups, g)
			}
		}
	}
	return v, err
}

// withAccepter adds who accepted.
func (s *Collaborations) withAccepter(ctx context.Context, views ...*InviteView) error {
	var uids []int64
	for _, v := range views {
		if v.UID != 0 {
			uids = append(uids, v.UID)
		}
	}
	users, err := s.users(ctx, uids)
	for _, v := range views {
		if u, ok := users[v.UID]; ok {
			v.User = &u
		}
	}
	return err
}

// Invitation reads the state of an invitation (I2). Errors: NotFound, Denied.
func (s *Collaborations) Invitation(ctx context.Context, caller *Caller, identifier string) (*InviteView, error) {
	var v InviteView
	err := s.read(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		org, collab, i, err := s.inviteOf(ctx, c, caller, identifier)
		if err == nil {
			v, err = s.inviteView(ctx, c, org, collab, i)
		}
		return err
	})
	if err == nil {
		err = s.withAccepter(ctx, &v)
	}
	return &v, err
}

// Invitations lists the open invitations of a collaboration (I6), by its
// identifier or its number.
func (s *Collaborations) Invitations(ctx context.Context, caller *Caller, identifier string, id int64) ([]InviteView, error) {
	list := []InviteView{}
	err := s.read(ctx, "invitations", func(ctx context.Context, c *store.CollabTx) error {
		if id != 0 {
			collab, err := c.Collaboration(ctx, store.CollabKey{ID: id})
			if missing(err) {
				return notFound("collaboration")
			}
			if err != nil {
				return err
			}
			identifier = collab.Identifier
		}
		org, collab, err := collabOf(ctx, c, caller, identifier)
		if err != nil {
			return err
		}
		open, err := c.Invites(ctx, collab.ID, Open)
		for _, i := range open {
			if err == nil && inviteStatus(&i, s.now()) == Open {
				var v InviteView
				v, err = s.inviteView(ctx, c, org, collab, i)
				list = append(list, v)
			}
		}
		return err
	})
	return list, err
}

// Withdraw takes an invitation back (I3). Errors: NotFound, Denied.
func (s *Collaborations) Withdraw(ctx context.Context, caller *Caller, identifier string) error {
	return s.write(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		if err := mayWrite(ctx, c, caller); err != nil {
			return err
		}
		_, collab, i, err := s.inviteOf(ctx, c, caller, identifier)
		if err != nil {
			return err
		}
		if err := c.Lock(ctx, collab.ID); err != nil {
			return err
		}
		moved, err := c.MoveInvite(ctx, i.ID, i.Status, Withdrawn, i.UID, caller.By())
		if err != nil {
			return err
		}
		if !moved {
			return notFound("invitation")
		}
		if err := s.active(ctx, c, &collab, caller.By()); err != nil {
			return err
		}
		return c.Note(ctx, caller.record(adapter.EventCollabInvite, 0, "invitation "+i.Identifier+" withdrawn"))
	})
}

// Resend sends the mail again, as a reminder with a new link (I4); one that ran
// out is open again. Errors: NotFound, Denied, Conflict when it was accepted.
func (s *Collaborations) Resend(ctx context.Context, caller *Caller, identifier string) (*InviteView, error) {
	return s.changeInvite(ctx, caller, identifier, "sent again", func(ctx context.Context, c *store.CollabTx, org store.Org, collab store.Collaboration, i *Invite) error {
		if i.Status == Accepted || i.Status == Declined {
			return conflict("invitation", "the invitation was "+i.Status)
		}
		if inviteStatus(i, s.now()) == Expired {
			i.Status, i.Expires, i.Created, i.Reminded = Open, s.inviteEnd(org), s.now(), time.Time{}
		}
		token := rand.Text()
		i.TokenHash = s.store.TokenHash(token)
		services, err := c.Connected(ctx, collab.ID)
		if err != nil {
			return err
		}
		mails, err := s.inviteLetter(org, collab, services, *i, token, true)
		if err != nil {
			return err
		}
		return c.QueueMail(ctx, mails...)
	})
}

// InviteChange changes an invitation; nil leaves a member as it is.
type InviteChange struct {
	Role   *string
	Groups *[]string
}

// UpdateInvitation changes role and groups (I5). Errors: NotFound, Denied, Invalid.
func (s *Collaborations) UpdateInvitation(ctx context.Context, caller *Caller, identifier string, change InviteChange) (*InviteView, error) {
	return s.changeInvite(ctx, caller, identifier, "changed", func(ctx context.Context, c *store.CollabTx, _ store.Org, collab store.Collaboration, i *Invite) error {
		if inviteStatus(i, s.now()) != Open {
			return conflict("invitation", "the invitation is not open")
		}
		if change.Role != nil {
			i.Role = Plain
			if *change.Role == Admin {
				i.Role = Admin
			}
		}
		if change.Groups == nil {
			return nil
		}
		var err error
		i.Groups, err = groupIDs(ctx, c, collab.ID, *change.Groups)
		return err
	})
}

func (s *Collaborations) changeInvite(ctx context.Context, caller *Caller, identifier, what string,
	change func(context.Context, *store.CollabTx, store.Org, store.Collaboration, *Invite) error,
) (*InviteView, error) {
	var v InviteView
	err := s.write(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		if err := mayWrite(ctx, c, caller); err != nil {
			return err
		}
		_, collab, _, err := s.inviteOf(ctx, c, caller, identifier)
		if err != nil {
			return err
		}
		if err := c.Lock(ctx, collab.ID); err != nil {
			return err
		}
		org, collab, i, err := s.inviteOf(ctx, c, caller, identifier)
		if err != nil {
			return err
		}
		if err := change(ctx, c, org, collab, &i); err != nil {
			return err
		}
		i.Updated, i.UpdatedBy, i.Key = s.now(), caller.By(), caller.KeyID
		if err := c.PutInvite(ctx, &i); err != nil {
			return err
		}
		if err := s.active(ctx, c, &collab, caller.By()); err != nil {
			return err
		}
		if err := c.Note(ctx, caller.record(adapter.EventCollabInvite, 0, "invitation "+i.Identifier+" "+what)); err != nil {
			return err
		}
		v, err = s.inviteView(ctx, c, org, collab, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &v, s.withAccepter(ctx, &v)
}
