package collaboration

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"portico/adapter"
	"portico/adapter/store"
)

// maxToken bounds what may be a token.
const maxToken = 128

// ByToken reads an open invitation by the token of its mail. Errors: NotFound
// "invitation"; Conflict "invitation" when it is not open any more.
func (s *Collaborations) ByToken(ctx context.Context, token string) (*InviteView, error) {
	var v InviteView
	may := true
	err := s.read(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		i, collab, org, err := s.tokenInvite(ctx, c, token)
		if err != nil {
			return err
		}
		if may, err = inviterMay(ctx, c, i, org, collab); err != nil {
			return err
		}
		if v, err = s.inviteView(ctx, c, org, collab, i); err == nil {
			v.SignUp = org.Settings.SignUp
			v.Services, err = c.Connected(ctx, collab.ID)
		}
		return err
	})
	if err == nil && v.Status != Open {
		err = conflict("invitation", "the invitation is "+v.Status)
	}
	if err == nil && !may {
		err = errInviter()
	}
	if err == nil && v.SignUp {
		v.SignUp, v.Begun, err = s.maySignUp(ctx, &v.Invite)
	}
	return &v, err
}

func (s *Collaborations) tokenInvite(ctx context.Context, c *store.CollabTx, token string) (Invite, store.Collaboration, store.Org, error) {
	if token == "" || len(token) > maxToken {
		return Invite{}, store.Collaboration{}, store.Org{}, notFound("invitation")
	}
	i, err := c.InviteByToken(ctx, token)
	if missing(err) || err == nil && (i.Status == Withdrawn || i.Status == Declined) {
		return i, store.Collaboration{}, store.Org{}, notFound("invitation")
	}
	if err != nil {
		return i, store.Collaboration{}, store.Org{}, err
	}
	collab, err := c.Collaboration(ctx, store.CollabKey{ID: i.Collab})
	if err != nil {
		return i, collab, store.Org{}, err
	}
	org, err := c.OrgByID(ctx, collab.Org)
	return i, collab, org, err
}

// Accept makes a person a member who holds the token of an invitation (A1). Who
// the person is must have been shown. Errors: NotFound; Conflict when somebody is
// a member already (then the invitation is gone), when it is not open, or late.
func (s *Collaborations) Accept(ctx context.Context, token string, uid int64, client adapter.Client) (*InviteView, error) {
	var v InviteView
	var refusal error
	err := s.write(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		refusal = nil
		_, collab, _, err := s.tokenInvite(ctx, c, token)
		if err != nil {
			return err
		}
		if err := c.Lock(ctx, collab.ID); err != nil {
			return err
		}
		// Once more, now that nobody else can change it.
		i, collab, org, err := s.tokenInvite(ctx, c, token)
		if err != nil {
			return err
		}
		if refusal, err = s.refuseAccept(ctx, c, i, org, collab, uid, client); refusal != nil || err != nil {
			return err
		}
		if err := s.join(ctx, c, i, collab, uid); err != nil {
			return err
		}
		i.Status, i.UID = Accepted, uid
		text := "joined " + org.ShortName + ":" + collab.ShortName + " as " + i.Role + " by invitation " + i.Identifier
		if err := c.Note(ctx, adapter.Record(adapter.EventCollabMember, uid, "", client, text)); err != nil {
			return err
		}
		v, err = s.inviteView(ctx, c, org, collab, i)
		return err
	})
	if err == nil && refusal != nil {
		return nil, refusal
	}
	if err != nil {
		return nil, err
	}
	return &v, s.withAccepter(ctx, &v)
}

// refuseAccept says why an invitation cannot be accepted. What is to be written
// for that is committed, so it is not an error of the transaction.
func (s *Collaborations) refuseAccept(ctx context.Context, c *store.CollabTx, i Invite, org store.Org, collab store.Collaboration,
	uid int64, client adapter.Client,
) (refusal, err error) {
	note := func(to, text string) error {
		if to != "" {
			if _, err := c.MoveInvite(ctx, i.ID, Open, to, i.UID, ""); err != nil {
				return err
			}
		}
		return c.Note(ctx, adapter.Record(adapter.EventCollabRefused, uid, "", client, "invitation "+i.Identifier+" not accepted: "+text))
	}
	now := s.now()
	switch inviteStatus(&i, now) {
	case Open:
	case Expired:
		to := ""
		if i.Status == Open {
			to = Expired
		}
		return conflict("invitation", "the invitation is expired"), note(to, "late")
	default:
		return conflict("invitation", "the invitation is "+i.Status), note("", i.Status)
	}
	if collabStatus(&collab, now) != Active {
		return conflict("collaboration", "the collaboration is not active"), note("", "collaboration not active")
	}
	if may, err := inviterMay(ctx, c, i, org, collab); err != nil || !may {
		return errInviter(), cmp.Or(err, note("", "the key that invited has lost its right"))
	}
	m, err := c.Member(ctx, collab.ID, uid)
	switch {
	case err == nil && memberStatus(&m, now) == Expired:
		return nil, c.DeleteMember(ctx, m) // it begins anew
	case err == nil:
		return conflict("invitation", "already a member"), note(Withdrawn, "already a member")
	case missing(err):
		return nil, nil
	default:
		return nil, err
	}
}

func errInviter() error {
	return conflict("invitation", "who invited may not invite any more")
}

// inviterMay looks again whether the key that answers for an invitation still
// reaches the collaboration. Sending the invitation again puts another in its place.
func inviterMay(ctx context.Context, c *store.CollabTx, i Invite, org store.Org, collab store.Collaboration) (bool, error) {
	if i.Key == 0 { // a command, by somebody who may do anything
		return true, nil
	}
	short, units, err := c.KeyReach(ctx, i.Key)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	key := Caller{Caller: &adapter.Caller{Org: short}}
	if units != "" {
		key.Units = strings.Split(units, "\n")
	}
	return short == org.ShortName && key.inScope(collab.Units), nil
}

// join makes the membership, in the invitation's groups and in those that take
// everybody.
func (s *Collaborations) join(ctx context.Context, c *store.CollabTx, i Invite, collab store.Collaboration, uid int64) error {
	moved, err := c.MoveInvite(ctx, i.ID, Open, Accepted, uid, "")
	if err != nil {
		return err
	}
	if !moved {
		return conflict("invitation", "the invitation is not open")
	}
	now := s.now()
	m := Member{
		Collab: collab.ID, UID: uid, Role: i.Role, Status: Active, Expires: i.MemberEnds, Invitation: i.ID,
		Stamp: store.Stamp{Created: now, CreatedBy: i.CreatedBy, Updated: now, UpdatedBy: i.CreatedBy},
	}
	if err := c.PutMember(ctx, &m); err != nil {
		return err
	}
	groups, err := c.Groups(ctx, collab.ID)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.AutoProvision || slices.Contains(i.Groups, g.ID) {
			if _, err := c.AddGroupMember(ctx, g.ID, m.ID); err != nil {
				return err
			}
		}
	}
	return s.active(ctx, c, &collab, i.CreatedBy)
}

// Decline ends an invitation for who holds its token (A1); uid is 0 when that is
// not known. Errors: NotFound, Conflict when it is not open.
func (s *Collaborations) Decline(ctx context.Context, token string, uid int64, client adapter.Client) error {
	return s.write(ctx, "invitation", func(ctx context.Context, c *store.CollabTx) error {
		i, collab, org, err := s.tokenInvite(ctx, c, token)
		if err != nil {
			return err
		}
		moved, err := c.MoveInvite(ctx, i.ID, Open, Declined, uid, "")
		if err != nil {
			return err
		}
		if !moved {
			return conflict("invitation", "the invitation is "+i.Status)
		}
		return c.Note(ctx, adapter.Record(adapter.EventCollabInvite, uid, "", client,
			"invitation "+i.Identifier+" to "+org.ShortName+":"+collab.ShortName+" declined"))
	})
}
