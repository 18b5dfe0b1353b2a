package adapter

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"portico/directory"
)

// IntegrationConfig says what the verbs for members and teams go by.
type IntegrationConfig struct {
	// Keys are accepted besides those of the store.
	Keys []ConfiguredKey
	// AllowEmail lets the member list carry mail addresses.
	AllowEmail bool
	// NoMailSignIn keeps people from signing in with their mail address.
	NoMailSignIn bool
	// HiddenMark is the value of a group's "hidden" attribute that keeps it out of
	// the list of teams; default "hidden".
	HiddenMark string
	// HideGroup tells of further groups that are hidden; nil: none.
	HideGroup func(dn string) bool
	// ActiveOnly leaves people whose accounts are not active out of a team.
	ActiveOnly bool
}

// TeamList is the names of the teams that are not hidden, in order. It is shared:
// do not change it.
type TeamList struct{ Names []string }

// Team is one team with its people.
type Team struct {
	Name        string
	Description string
	Hidden      bool
	Leaders     []string // user names, in order
	Members     []TeamRole
}

// TeamNames lists the teams that are not hidden, by name. The same pointer is
// given as long as nothing has changed. Error: Unavailable.
func (a *Adapter) TeamNames(ctx context.Context) (*TeamList, error) {
	v := a.version(&a.titleChanges)
	v.store = 0
	return a.teamList.load(ctx, v, a.now(), a.lasting(-1), func(ctx context.Context) (*TeamList, error) {
		list := &TeamList{}
		err := a.everybody(ctx, directory.KindGroup, func(page []*directory.Entry) error {
			for _, e := range page {
				if !a.hidden(e) {
					list.Names = append(list.Names, e.Name)
				}
			}
			return nil
		})
		slices.Sort(list.Names)
		list.Names = slices.Compact(list.Names)
		return list, err
	})
}

// hidden tells whether a group is kept out of lists.
func (a *Adapter) hidden(group *directory.Entry) bool {
	mark := cmp.Or(a.cfg.Integration.HiddenMark, "hidden")
	for _, value := range group.Attributes[directory.AttrHidden] {
		if strings.EqualFold(strings.TrimSpace(value), mark) {
			return true
		}
	}
	return a.cfg.Integration.HideGroup != nil && a.cfg.Integration.HideGroup(group.DN)
}

// Team finds a team by its exact name, hidden ones too. Of teams with the same
// name in several directories the first directory's is meant. Errors: NotFound
// "team", Unavailable.
func (a *Adapter) Team(ctx context.Context, name string) (*Team, error) {
	if a.lists == nil {
		return nil, &Error{Kind: Unavailable, Field: "team", Text: "lists are not available"}
	}
	found, err := a.lists.GroupsByName(ctx, name)
	if err != nil {
		return nil, fromDirectory(err, "team")
	}
	for _, e := range found {
		if e.Name == name {
			return a.team(ctx, e)
		}
	}
	return nil, notFound("team")
}

func (a *Adapter) team(ctx context.Context, group *directory.Entry) (*Team, error) {
	t := &Team{
		Name: group.Name, Description: group.Attributes.First(directory.AttrDescription), Hidden: a.hidden(group),
		Leaders: []string{},
	}
	gids, err := a.numbersOf(ctx, groupNumber, []*directory.Entry{group})
	if err != nil {
		return nil, err
	}
	owners, err := a.lists.OwnersOf(ctx, group.ID)
	if err != nil {
		return nil, fromDirectory(err, "team")
	}
	if owners, err = a.shown(ctx, owners); err != nil {
		return nil, err
	}
	for _, e := range owners {
		t.Leaders = append(t.Leaders, e.Login)
	}
	slices.Sort(t.Leaders)
	members, err := a.dir.MembersOf(ctx, group.ID)
	if err != nil {
		return nil, fromDirectory(err, "team")
	}
	if members, err = a.shown(ctx, members); err != nil {
		return nil, err
	}
	uids, err := a.numbersOf(ctx, personNumber, members)
	if err != nil {
		return nil, err
	}
	overlay, err := a.titleOverlay(ctx)
	if err != nil {
		return nil, err
	}
	titles := a.lists.TitlesIn(ctx, group)
	for i, e := range members {
		role := TeamRole{Name: e.Login}
		var ok bool
		if role.Title, ok = titles(e); !ok {
			role.Title = overlay[titleKey{gids[0], uids[i]}]
		}
		t.Members = append(t.Members, role)
	}
	slices.SortFunc(t.Members, func(x, y TeamRole) int { return cmp.Compare(x.Name, y.Name) })
	return t, nil
}

// shown drops people whose accounts are not active, where the configuration wants
// that.
func (a *Adapter) shown(ctx context.Context, people []*directory.Entry) ([]*directory.Entry, error) {
	if !a.cfg.Integration.ActiveOnly || len(people) == 0 {
		return people, nil
	}
	active, err := a.activeOf(ctx, people)
	if err != nil {
		return nil, err
	}
	kept := make([]*directory.Entry, 0, len(people))
	for i, e := range people {
		if active[i] {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// titleKey names a person in a group.
type titleKey struct{ gid, uid int64 }

// titleOverlay gives the role titles that are kept here, for directories that
// have no entries for them. There are few.
func (a *Adapter) titleOverlay(ctx context.Context) (map[titleKey]string, error) {
	v := version{store: a.titleChanges.Load()}
	return a.overlay.load(ctx, v, a.now(), a.lasting(-1), func(ctx context.Context) (map[titleKey]string, error) {
		all, err := a.store.TeamTitles(ctx)
		if err != nil {
			return nil, fromStore(err, "title")
		}
		titles := make(map[titleKey]string, len(all))
		for _, t := range all {
			titles[titleKey{t.GID, t.UID}] = t.Title
		}
		return titles, nil
	})
}

// SetTeamTitle sets the role title of a person in a team, for directories that
// have no entries for it; "" removes it. Errors: NotFound "team" or "user",
// Invalid "title".
func (a *Adapter) SetTeamTitle(ctx context.Context, team string, key PersonKey, title, by string) error {
	if a.lists == nil {
		return &Error{Kind: Unavailable, Field: "team"}
	}
	if len(title) > 255 || strings.ContainsFunc(title, isLineEnd) {
		return invalid("title", "a title is one line of at most 255 bytes")
	}
	found, err := a.lists.GroupsByName(ctx, team)
	if err != nil {
		return fromDirectory(err, "team")
	}
	i := slices.IndexFunc(found, func(e *directory.Entry) bool { return e.Name == team })
	if i < 0 {
		return notFound("team")
	}
	gids, err := a.numbersOf(ctx, groupNumber, found[i:i+1])
	if err != nil {
		return err
	}
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return err
	}
	return fromStore(a.store.SetTeamTitle(ctx, gids[0], uid, title,
		record(EventUserEdited, uid, by, Client{}, "title in team "+team+" set")), "user")
}
