package collaboration

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// maxInvites bounds one request.
const maxInvites = 500

// Bulk asks for invitations to one collaboration.
type Bulk struct {
	ShortName     string // this, or
	Collaboration string // this: identifier
	Emails        []string
	Role          string // anything but "admin" is "member"
	Message       string
	Sender        string // "": the organisation
	Expires       time.Time
	MemberEnds    time.Time
	Groups        []string // identifiers or short names
}

// Sent is one invitation as answered to a bulk request. Note is "" or "already a member".
type Sent struct {
	Invite
	Note string
}

// InviteView is an invitation with its collaboration.
type InviteView struct {
	Invite
	Collaboration store.Collaboration
	Org           string // short name
	OrgTitle      string
	Groups        []Group
	Services      []Service
	User          *User `json:"-"` // who accepted
	SignUp        bool  `json:"-"` // a stranger may make an account to accept
	Begun         bool  `json:"-"` // one was made, under SignUpName, and did not get further
}

// Invite sends invitations (I1), all of them or none.
func (s *Collaborations) Invite(ctx context.Context, caller *Caller, in Bulk) ([]Sent, error) {
	if (in.ShortName == "") == (in.Collaboration == "") {
		return nil, invalid("short_name", "exactly one of short_name and collaboration_identifier is needed")
	}
	members, err := s.memberAddresses(ctx, caller, in)
	if err != nil {
		return nil, err
	}
	return once(ctx, s, caller, "invitations", func(ctx context.Context, c *store.CollabTx) ([]Sent, error) {
		org, collab, err := bulkTarget(ctx, c, caller, in)
		if err != nil {
			return nil, err
		}
		list, err := s.bulkList(ctx, c, org, collab, in)
		if err != nil {
			return nil, err
		}
		inviter, err := s.actor(ctx, org, members)
		if err != nil {
			return nil, err
		}
		invites, err := s.invite(ctx, c, org, collab, inviter, list, caller)
		if err != nil {
			return nil, err
		}
		if err := s.active(ctx, c, &collab, caller.By()); err != nil {
			return nil, err
		}
		sent := make([]Sent, len(invites))
		notes := make([]store.Record, len(invites))
		for i, made := range invites {
			sent[i] = Sent{Invite: made}
			if members.addresses[made.EmailKey] {
				sent[i].Note = "already a member"
			}
			notes[i] = caller.record(adapter.EventCollabInvite, 0, "invitation "+made.Identifier+" to "+org.ShortName+":"+collab.ShortName+" as "+made.Role)
		}
		return sent, c.Note(ctx, notes...)
	})
}

// bulkTarget finds the collaboration; one that is not there is Denied, as is a
// foreign one.
func bulkTarget(ctx context.Context, c *store.CollabTx, caller *Caller, in Bulk) (store.Org, store.Collaboration, error) {
	org, err := orgOf(ctx, c, caller)
	if err != nil {
		return org, store.Collaboration{}, err
	}
	collab, err := c.Collaboration(ctx, store.CollabKey{Org: org.ID, Identifier: in.Collaboration, ShortName: in.ShortName})
	if missing(err) {
		return org, collab, denied("collaboration", "the organisation has no such collaboration")
	}
	if err != nil {
		return org, collab, err
	}
	return org, collab, caller.reach(org, collab)
}

// memberList is who is in a collaboration already, and who acts for the key.
type memberList struct {
	addresses map[string]bool
	admin     string // name of the first administrator
}

func (s *Collaborations) memberAddresses(ctx context.Context, caller *Caller, in Bulk) (memberList, error) {
	list := memberList{addresses: map[string]bool{}}
	var v View
	err := s.read(ctx, "collaboration", func(ctx context.Context, c *store.CollabTx) error {
		_, collab, err := bulkTarget(ctx, c, caller, in)
		if err != nil {
			return err
		}
		v.Memberships, err = c.Members(ctx, collab.ID)
		return err
	})
	if err != nil {
		return list, err
	}
	users, err := s.withPeople(ctx, &v)
	for _, m := range v.Memberships {
		user := users[m.UID]
		if m.Role == Admin && list.admin == "" {
			list.admin = user.Name
		}
		for _, a := range user.Mail {
			list.addresses[addressKey(a)] = true
		}
	}
	return list, err
}

// actor is the name of who invites: the first administrator, else one of the organisation.
func (s *Collaborations) actor(ctx context.Context, org store.Org, members memberList) (string, error) {
	if members.admin != "" || len(org.Settings.Admins) == 0 {
		return members.admin, nil
	}
	people, err := s.people.PeopleByUID(ctx, org.Settings.Admins[:1])
	if p := people[org.Settings.Admins[0]]; p != nil {
		return p.Name, err
	}
	return "", err
}

// bulkList makes the checks of a bulk request, in their order.
func (s *Collaborations) bulkList(ctx context.Context, c *store.CollabTx, org store.Org, collab store.Collaboration, in Bulk) ([]inviting, error) {
	if len(in.Emails) > maxInvites {
		return nil, invalid("invites", "more than 500 invitations in one request")
	}
	ends := in.Expires
	if ends.IsZero() {
		ends = s.inviteEnd(org)
	}
	switch now := s.now(); {
	case !ends.After(now):
		return nil, invalid("invitation_expiry_date", "invitation_expiry_date lies behind")
	case !in.MemberEnds.IsZero() && !in.MemberEnds.After(now):
		return nil, invalid("membership_expiry_date", "membership_expiry_date lies behind")
	}
	if err := checkText("message", in.Message); err != nil {
		return nil, err
	}
	if longer(in.Sender, maxName) {
		return nil, invalid("sender_name", "sender_name is longer than 255 characters")
	}
	role := Plain
	if in.Role == Admin {
		role = Admin
	}
	var list []inviting
	seen := map[string]bool{}
	for _, text := range in.Emails {
		to, ok := address(text)
		if !ok || seen[addressKey(to)] {
			continue
		}
		seen[addressKey(to)] = true
		list = append(list, inviting{email: to, role: role, message: in.Message, sender: in.Sender, expires: ends, memberEnds: in.MemberEnds})
	}
	if len(list) == 0 {
		return nil, invalid("invites", "invites has no valid mail address")
	}
	if err := s.refuseOpen(ctx, c, collab, seen); err != nil {
		return nil, err
	}
	groups, err := groupIDs(ctx, c, collab.ID, in.Groups)
	for i := range list {
		list[i].groups = groups
	}
	return list, err
}

// refuseOpen refuses addresses that have an open invitation, naming them.
func (s *Collaborations) refuseOpen(ctx context.Context, c *store.CollabTx, collab store.Collaboration, wanted map[string]bool) error {
	open, err := c.Invites(ctx, collab.ID, Open)
	if err != nil {
		return err
	}
	var doubles []string
	now := s.now()
	for i := range open {
		if wanted[open[i].EmailKey] && inviteStatus(&open[i], now) == Open {
			doubles = append(doubles, open[i].Email)
		}
	}
	if len(doubles) > 0 {
		return invalid("invites", "there is an open invitation for "+strings.Join(doubles, ", "))
	}
	return nil
}

// groupIDs finds groups by their identifiers or short names.
func groupIDs(ctx context.Context, c *store.CollabTx, collab int64, names []string) ([]int64, error) {
	if len(names) == 0 {
		return nil, nil
	}
	groups, err := c.Groups(ctx, collab)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, name := range names {
		if strings.TrimSpace(name) == "" {
			continue
		}
		at := slices.IndexFunc(groups, func(g store.CollabGroup) bool { return g.Identifier == strings.ToLower(name) || g.ShortName == name })
		if at < 0 {
			return nil, invalid("groups", "the collaboration has no such group")
		}
		if !slices.Contains(ids, groups[at].ID) {
			ids = append(ids, groups[at].ID)
		}
	}
	return ids, nil
}

// inviting is one invitation to be made.
type inviting struct {
	email, role, message, sender string
	expires, memberEnds          time.Time
	groups                       []int64
}

// invite stores invitations and queues their mails. What ran out for the same
// address makes room.
func (s *Collaborations) invite(ctx context.Context, c *store.CollabTx, org store.Org, collab store.Collaboration,
	inviter string, list []inviting, caller *Caller,
) ([]Invite, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if err := c.Lock(ctx, collab.ID); err != nil {
		return nil, err
	}
	open, err := c.Invites(ctx, collab.ID, Open)
	if err != nil {
		return nil, err
	}
	now, by := s.now(), caller.By()
	services, err := c.Connected(ctx, collab.ID)
	if err != nil {
		return nil, err
	}
	made := make([]Invite, 0, len(list))
	var mails []store.Message
	for _, n := range list {
		key := addressKey(n.email)
		for i := range open {
			if open[i].EmailKey == key && inviteStatus(&open[i], now) == Expired {
				if _, err := c.MoveInvite(ctx, open[i].ID, Open, Expired, 0, by); err != nil {
					return nil, err
				}
			}
		}
		token := rand.Text()
		i := Invite{
			Collab: collab.ID, Identifier: store.NewUUID(), TokenHash: s.store.TokenHash(token), Email: n.email, EmailKey: key,
			Role: n.role, Status: Open, Message: n.message, Sender: n.sender, Inviter: inviter, Groups: n.groups,
			Expires: n.expires, MemberEnds: n.memberEnds, Key: caller.KeyID,
			Stamp: store.Stamp{Created: now, CreatedBy: by, Updated: now, UpdatedBy: by},
		}
		if err := c.PutInvite(ctx, &i); err != nil {
			return nil, err
		}
		made = append(made, i)
		letter, err := s.inviteLetter(org, collab, services, i, token, false)
		if err != nil {
			return nil, err
		}
		mails = append(mails, letter...)
	}
	return made, c.QueueMail(ctx, mails...)
}

// active notes that something happened in a collaboration.
func (s *Collaborations) active(ctx context.Context, c *store.CollabTx, collab *store.Collaboration, by string) error {
	collab.Active, collab.Updated, collab.UpdatedBy = s.now(), s.now(), by
	return c.PutCollaboration(ctx, collab)
}
