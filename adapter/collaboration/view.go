package collaboration

import (
	"context"
	"slices"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// The stored forms that verbs answer with.
type (
	// Org is an organisation.
	Org = store.Org
	// Service is a service that collaborations connect to.
	Service = store.Service
	// Member is a membership.
	Member = store.Member
	// Invite is an invitation.
	Invite = store.Invite
)

// Statuses of collaborations, memberships and invitations.
const (
	Active    = "active"
	Expired   = "expired"
	Suspended = "suspended"
	Open      = "open"
	Accepted  = "accepted"
	Declined  = "declined"
	Withdrawn = "withdrawn"
	Admin     = "admin"
	Plain     = "member"
)

// User is somebody as shown in memberships.
type User struct {
	*adapter.Person
	Platform  string // platform id
	Suspended bool
}

// Group is a group of a collaboration with the ids of its memberships.
type Group struct {
	store.CollabGroup
	URN     string
	Members []int64
}

// View is one collaboration with what belongs to it.
type View struct {
	store.Collaboration
	OrgName      string // short name of the organisation
	Organisation *Org
	Invitations  int
	Memberships  []Member
	Groups       []Group
	Services     []Service
	People       map[int64]User `json:"-"` // by uid
}

// URN is the name of the collaboration in the whole installation.
func (v *View) URN() string { return v.OrgName + ":" + v.ShortName }

// OrgView is an organisation with everything.
type OrgView struct {
	Org
	Collaborations []View
	Count          int // of collaborations
	Members        int // of the organisation
	People         map[int64]User
}

// status is what a collaboration is at a time.
func collabStatus(o *store.Collaboration, now time.Time) string {
	if o.Status == Active && !o.Expires.IsZero() && !now.Before(o.Expires) {
		return Expired
	}
	return o.Status
}

func memberStatus(m *Member, now time.Time) string {
	if m.Status == Active && !m.Expires.IsZero() && !now.Before(m.Expires) {
		return Expired
	}
	return m.Status
}

func inviteStatus(i *Invite, now time.Time) string {
	if i.Status == Open && !now.Before(i.Expires) {
		return Expired
	}
	return i.Status
}

// load reads what belongs to a collaboration, people aside.
func (s *Collaborations) load(ctx context.Context, c *store.CollabTx, org store.Org, collab store.Collaboration) (View, error) {
	v := View{Collaboration: collab, OrgName: org.ShortName, Organisation: &org}
	var err error
	if v.Memberships, err = c.Members(ctx, collab.ID); err != nil {
		return v, err
	}
	groups, err := c.Groups(ctx, collab.ID)
	if err != nil {
		return v, err
	}
	inGroups, err := c.GroupMembers(ctx, collab.ID)
	if err != nil {
		return v, err
	}
	v.Groups = groupViews(v.URN(), groups, inGroups)
	if v.Services, err = c.Connected(ctx, collab.ID); err != nil {
		return v, err
	}
	counts, err := c.CountInvites(ctx, org.ID, collab.ID)
	v.Invitations = counts[collab.ID]
	s.present(&v)
	return v, err
}

func groupViews(urn string, groups []store.CollabGroup, members map[int64][]int64) []Group {
	views := make([]Group, len(groups))
	for i, g := range groups {
		views[i] = Group{CollabGroup: g, URN: urn + ":" + g.ShortName, Members: members[g.ID]}
	}
	return views
}

// present makes statuses those of now.
func (s *Collaborations) present(v *View) {
	now := s.now()
	v.Status = collabStatus(&v.Collaboration, now)
	for i := range v.Memberships {
		v.Memberships[i].Status = memberStatus(&v.Memberships[i], now)
	}
}

// withPeople adds the people; memberships of those whom the directory does not
// have any more are not shown.
func (s *Collaborations) withPeople(ctx context.Context, views ...*View) (map[int64]User, error) {
	var uids []int64
	seen := map[int64]bool{}
	for _, v := range views {
		for i := range v.Memberships {
			if uid := v.Memberships[i].UID; !seen[uid] {
				seen[uid] = true
				uids = append(uids, uid)
			}
		}
	}
	users, err := s.users(ctx, uids)
	if err != nil {
		return nil, err
	}
	for _, v := range views {
		v.People = users
		v.Memberships = slices.DeleteFunc(v.Memberships, func(m Member) bool {
			_, known := users[m.UID]
			return !known
		})
	}
	return users, nil
}

func (s *Collaborations) users(ctx context.Context, uids []int64) (map[int64]User, error) {
	people, err := s.people.PeopleByUID(ctx, uids)
	if err != nil {
		return nil, err
	}
	users := make(map[int64]User, len(people))
	for uid, p := range people {
		status, err := s.people.AccountStatus(ctx, adapter.ByUID(uid))
		if err != nil {
			return nil, err
		}
		users[uid] = User{Person: p, Platform: s.PlatformID(p), Suspended: !status.MaySignIn()}
	}
	return users, nil
}

// Get reads one collaboration (C2). Errors: NotFound, Denied.
func (s *Collaborations) Get(ctx context.Context, caller *Caller, identifier string) (*View, error) {
	var v View
	err := s.read(ctx, "collaboration", func(ctx context.Context, c *store.CollabTx) error {
		org, collab, err := collabOf(ctx, c, caller, identifier)
		if err == nil {
			v, err = s.load(ctx, c, org, collab)
		}
		return err
	})
	if err == nil {
		_, err = s.withPeople(ctx, &v)
	}
	return &v, err
}

// Filter chooses collaborations of an organisation; every value must be there,
// letter case aside. Limit 0 is all.
type Filter struct {
	Units, Tags, Services []string
	Offset, Limit         int
}

func (f *Filter) empty() bool { return len(f.Units)+len(f.Tags)+len(f.Services) == 0 }

// Organisation reads the caller's organisation with everything (O1).
func (s *Collaborations) Organisation(ctx context.Context, caller *Caller, f Filter) (*OrgView, error) {
	view := &OrgView{}
	var rows orgRows
	ticket := s.rosters.Begin()
	err := s.read(ctx, "organisation", func(ctx context.Context, c *store.CollabTx) error {
		org, err := orgOf(ctx, c, caller)
		if err == nil {
			view.Org = org
			rows, err = readOrg(ctx, c, org, func(ctx context.Context, c *store.CollabTx, org store.Org, collabs []store.Collaboration) ([]Member, error) {
				return s.membersOf(ctx, c, org, collabs, ticket)
			})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	view.Members = len(view.Settings.Admins)
	all := len(rows.collabs)
	views := rows.views(view.ShortName)
	views = slices.DeleteFunc(views, func(v View) bool { return !caller.inScope(v.Units) || !f.fits(&v) })
	view.Count = all
	if !f.empty() || len(caller.Units) > 0 {
		view.Count = len(views)
	}
	views = views[min(f.Offset, len(views)):]
	if f.Limit > 0 {
		views = views[:min(f.Limit, len(views))]
	}
	pointers := make([]*View, len(views))
	for i := range views {
		s.present(&views[i])
		pointers[i] = &views[i]
	}
	view.Collaborations = views
	view.People, err = s.withPeople(ctx, pointers...)
	return view, err
}

func (f *Filter) fits(v *View) bool {
	abbreviations := make([]string, len(v.Services))
	for i := range v.Services {
		abbreviations[i] = v.Services[i].Abbreviation
	}
	return holdsAll(v.Units, f.Units) && holdsAll(v.Tags, f.Tags) && holdsAll(abbreviations, f.Services)
}

func holdsAll(have, want []string) bool {
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h string) bool { return NameKey(h) == NameKey(w) }) {
			return false
		}
	}
	return true
}

// orgRows is what is stored of an organisation's collaborations.
type orgRows struct {
	collabs   []store.Collaboration
	members   []Member
	groups    []store.CollabGroup
	inGroups  map[int64][]int64
	services  map[int64]Service
	connected map[int64][]int64
	invites   map[int64]int
}

// readOrg reads everything of an organisation; members reads the memberships of
// its collaborations, in the order of those.
func readOrg(ctx context.Context, c *store.CollabTx, org store.Org,
	members func(context.Context, *store.CollabTx, store.Org, []store.Collaboration) ([]Member, error),
) (orgRows, error) {
	r := orgRows{services: map[int64]Service{}}
	var services []Service
	for _, read := range []func() error{
		func() (err error) { r.collabs, err = c.Collaborations(ctx, store.CollabKey{Org: org.ID}); return err },
		func() (err error) { r.members, err = members(ctx, c, org, r.collabs); return err },
		func() (err error) { r.groups, err = c.GroupsOfOrg(ctx, org.ID); return err },
		func() (err error) { r.inGroups, err = c.GroupMembersOfOrg(ctx, org.ID); return err },
		func() (err error) { services, err = c.Services(ctx); return err },
		func() (err error) { r.connected, err = c.ConnectedOfOrg(ctx, org.ID); return err },
		func() (err error) { r.invites, err = c.CountInvites(ctx, org.ID, 0); return err },
	} {
		if err := read(); err != nil {
			return r, err
		}
	}
	for _, service := range services {
		r.services[service.ID] = service
	}
	return r, nil
}

// views parts the rows by collaboration; members and groups come in its order.
func (r *orgRows) views(org string) []View {
	views := make([]View, len(r.collabs))
	members, groups := r.members, r.groups
	for i, collab := range r.collabs {
		v := View{Collaboration: collab, OrgName: org, Invitations: r.invites[collab.ID]}
		n := 0
		for n < len(members) && members[n].Collab == collab.ID {
			n++
		}
		v.Memberships, members = members[:n:n], members[n:]
		for n = 0; n < len(groups) && groups[n].Collab == collab.ID; {
			n++
		}
		v.Groups, groups = groupViews(v.URN(), groups[:n], r.inGroups), groups[n:]
		for _, id := range r.connected[collab.ID] {
			v.Services = append(v.Services, r.services[id])
		}
		views[i] = v
	}
	return views
}
