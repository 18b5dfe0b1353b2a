package collaboration

import (
	"context"
	"slices"
	"strings"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// NewCollaboration asks for a collaboration. The required members are there, of
// the right type; what they hold is checked here.
type NewCollaboration struct {
	Name           string
	Description    string
	ShortName      string // "": made from the name
	NoRequests     bool
	ShowMembers    bool
	ShowMail       bool
	Administrators []string
	Administrator  string // platform id, "": none
	Message        string
	Expires        time.Time
	Logo           []byte // decoded, nil for none
	LogoAddress    string // of a picture elsewhere
	Website        string
	Tags           []string
	Units          []string
}

// Create makes a collaboration with its invitations (C1).
func (s *Collaborations) Create(ctx context.Context, caller *Caller, in NewCollaboration) (*View, error) {
	prepared := creation{NewCollaboration: in, service: s, caller: caller}
	if err := prepared.lookUp(ctx); err != nil {
		return nil, err
	}
	v, err := once(ctx, s, caller, "collaboration", prepared.do)
	if err != nil {
		return nil, err
	}
	_, err = s.withPeople(ctx, &v)
	return &v, err
}

// creation is one request to make a collaboration, with what had to be read
// outside the transaction.
type creation struct {
	NewCollaboration
	service *Collaborations
	caller  *Caller

	admin     *adapter.Person // who becomes administrator at once
	adminErr  error
	logo      *store.Logo
	logoErr   error
	inviter   *adapter.Person // who acts for the key
	inviterID int64
}

// lookUp reads people and decodes the picture; what is wrong with them is told
// when their turn comes.
func (n *creation) lookUp(ctx context.Context) error {
	s := n.service
	if n.Administrator != "" {
		key, ok := s.personKey(n.Administrator)
		if n.adminErr = invalid("administrator", "administrator is nobody"); ok {
			person, err := s.people.Person(ctx, key)
			if kind := adapter.KindOf(err); kind != adapter.NotFound && kind != adapter.Ambiguous {
				n.admin, n.adminErr = person, err
			}
		}
	}
	n.logo, n.logoErr = s.newLogo(ctx, "collaborations", n.Logo, n.LogoAddress)
	var org store.Org
	err := s.read(ctx, "organisation", func(ctx context.Context, c *store.CollabTx) (err error) {
		org, err = orgOf(ctx, c, n.caller)
		return err
	})
	if err != nil || len(org.Settings.Admins) == 0 {
		return err
	}
	people, err := s.people.PeopleByUID(ctx, org.Settings.Admins)
	for _, uid := range org.Settings.Admins {
		if p := people[uid]; p != nil {
			n.inviter, n.inviterID = p, uid
			break
		}
	}
	return err
}

func (n *creation) do(ctx context.Context, c *store.CollabTx) (View, error) {
	s := n.service
	org, err := orgOf(ctx, c, n.caller)
	if err != nil {
		return View{}, err
	}
	if org.Settings.NoCreation {
		return View{}, denied("organisation", "the organisation may not have more collaborations")
	}
	collab, addresses, err := n.check(ctx, c, org)
	if err != nil {
		return View{}, err
	}
	if n.logo != nil && len(n.logo.Data) > 0 {
		n.logo.UUID4 = collab.UUID4
		if err := c.PutLogo(ctx, *n.logo); err != nil {
			return View{}, err
		}
	}
	if err := c.PutCollaboration(ctx, &collab); err != nil {
		return View{}, err
	}
	made := View{Collaboration: collab, OrgName: org.ShortName, Organisation: &org}
	notes := []store.Record{n.caller.record(adapter.EventCollabMade, 0, "collaboration "+org.ShortName+":"+collab.ShortName+" made")}
	if n.admin != nil {
		m := Member{Collab: collab.ID, UID: n.admin.UID, Role: Admin, Status: Active, Stamp: collab.Stamp}
		if err := c.PutMember(ctx, &m); err != nil {
			return View{}, err
		}
		made.Memberships = []Member{m}
		notes = append(notes, n.caller.record(adapter.EventCollabMember, m.UID, "administrator of "+org.ShortName+":"+collab.ShortName))
	}
	list := make([]inviting, len(addresses))
	for i, to := range addresses {
		list[i] = inviting{email: to, role: Admin, message: n.Message, expires: s.inviteEnd(org)}
	}
	invites, err := s.invite(ctx, c, org, collab, n.inviterName(), list, n.caller)
	if err != nil {
		return View{}, err
	}
	for _, i := range invites {
		notes = append(notes, n.caller.record(adapter.EventCollabInvite, 0, "invitation "+i.Identifier+" to "+org.ShortName+":"+collab.ShortName+" as admin"))
	}
	if err := c.Note(ctx, notes...); err != nil {
		return View{}, err
	}
	made.Invitations = len(invites)
	s.present(&made)
	return made, nil
}

func (n *creation) inviterName() string {
	if n.inviter == nil {
		return ""
	}
	return n.inviter.Name
}

// check makes the documented checks in the documented order.
func (n *creation) check(ctx context.Context, c *store.CollabTx, org store.Org) (store.Collaboration, []string, error) {
	s, none := n.service, store.Collaboration{}
	if err := n.checkTexts(); err != nil {
		return none, nil, err
	}
	short, err := n.shortName()
	if err != nil {
		return none, nil, err
	}
	tags, err := checkTags(n.Tags)
	if err != nil {
		return none, nil, err
	}
	units, err := n.units(org)
	if err != nil {
		return none, nil, err
	}
	ends, err := s.collabEnd(n.Expires)
	if err != nil {
		return none, nil, err
	}
	if short, err = n.free(ctx, c, org, short); err != nil {
		return none, nil, err
	}
	addresses, err := n.addresses()
	if err != nil {
		return none, nil, err
	}
	website, err := checkWebsite(n.Website)
	switch {
	case err != nil:
	case n.logoErr != nil:
		err = n.logoErr
	case n.adminErr != nil:
		err = n.adminErr
	}
	now := s.now()
	collab := store.Collaboration{
		Org: org.ID, Identifier: store.NewUUID(), UUID4: store.NewUUID(), Name: strings.TrimSpace(n.Name), NameKey: NameKey(n.Name),
		ShortName: short, Description: n.Description, Website: website, NoRequests: n.NoRequests,
		ShowMembers: n.ShowMembers, ShowMail: n.ShowMail, Tags: addNew(tags, org.Settings.Tags...), Units: units,
		Status: Active, Expires: ends, Active: now,
		Stamp: store.Stamp{Created: now, CreatedBy: n.caller.By(), Updated: now, UpdatedBy: n.caller.By()},
	}
	if n.logo != nil {
		collab.Logo = n.logo.MediaType
	}
	return collab, addresses, err
}

func (n *creation) checkTexts() error {
	if err := checkName("name", n.Name); err != nil {
		return err
	}
	if strings.TrimSpace(n.Description) == "" {
		return invalid("description", "description must not be empty")
	}
	if err := checkText("description", n.Description); err != nil {
		return err
	}
	return checkText("message", n.Message)
}

// shortName checks the short name's form; "" is one to be made.
func (n *creation) shortName() (string, error) {
	if n.ShortName == "" {
		if n.service.cfg.RequireShortName {
			return "", invalid("short_name", "short_name is missing")
		}
		return "", nil
	}
	canonical := ShortName(n.ShortName)
	if canonical == "" || canonical != n.ShortName && !n.service.cfg.Cleanse {
		return "", invalid("short_name", "short_name must be 1 to 16 of a-z, 0-9 and _, and begin with no digit")
	}
	return canonical, nil
}

func (n *creation) units(org store.Org) ([]string, error) {
	if len(n.caller.Units) > 0 {
		return n.caller.Units, nil
	}
	return knownUnits(org, n.Units)
}

func knownUnits(org store.Org, names []string) ([]string, error) {
	var list []string
	for _, name := range names {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		at := slices.IndexFunc(org.Settings.Units, func(u string) bool { return NameKey(u) == NameKey(name) })
		if at < 0 {
			return nil, invalid("units", "the organisation has no such unit")
		}
		list = addNew(list, org.Settings.Units[at])
	}
	return list, nil
}

// free checks that name and short name are free, and makes a short name.
func (n *creation) free(ctx context.Context, c *store.CollabTx, org store.Org, short string) (string, error) {
	taken, err := c.CountCollaborations(ctx, store.CollabKey{Org: org.ID, NameKey: NameKey(n.Name)})
	if err != nil {
		return "", err
	}
	if taken > 0 {
		return "", invalid("name", "the organisation has a collaboration with this name, or one that looks like it")
	}
	if short != "" {
		taken, err = c.CountCollaborations(ctx, store.CollabKey{Org: org.ID, ShortName: short})
		if err == nil && taken > 0 {
			err = invalid("short_name", "the organisation has a collaboration with this short name")
		}
		return short, err
	}
	stem := ShortName(n.Name)
	if stem == "" {
		stem = "short_name"
	}
	short = stem
	for i := 2; ; i++ {
		taken, err = c.CountCollaborations(ctx, store.CollabKey{ShortName: short})
		if err != nil || taken == 0 {
			return short, err
		}
		short = numbered(stem, i)
	}
}

// addresses gives the administrators' addresses without the acting person's own.
func (n *creation) addresses() ([]string, error) {
	if len(n.Administrators) > maxInvites {
		return nil, invalid("administrators", "too many administrators in one request")
	}
	var list []string
	seen := map[string]bool{}
	if n.inviter != nil {
		for _, own := range n.inviter.Mail {
			seen[addressKey(own)] = true
		}
	}
	for _, text := range n.Administrators {
		if strings.TrimSpace(text) == "" {
			continue
		}
		to, ok := address(text)
		if !ok {
			return nil, invalid("administrators", "administrators has an entry that is no mail address")
		}
		if key := addressKey(to); !seen[key] {
			seen[key] = true
			list = append(list, to)
		}
	}
	return list, nil
}
