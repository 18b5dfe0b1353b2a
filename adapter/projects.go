package adapter

import (
	"context"
	"errors"
	"slices"
	"strings"

	"portico/adapter/store"
	"portico/directory"
)

// Project is a group as the user management shows it.
type Project struct {
	ID        int64 // the group's numeric id
	Name      string
	Slug      string // the last part of its address; never changes
	Overview  string
	Icon      int
	StartPage string
	Status    string // active | on_hold | archived
	Group     string // name of the group of projects that it is in; "" for none
}

// The states of a project.
const (
	ProjectActive   = "active"
	ProjectOnHold   = "on_hold"
	ProjectArchived = "archived"
)

// projects turns groups into projects, in the same order.
func (a *Adapter) projects(ctx context.Context, groups []*directory.Entry) ([]*Project, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	gids, err := a.numbersOf(ctx, groupNumber, groups)
	if err != nil {
		return nil, err
	}
	slugs, err := a.slugsOf(ctx, gids, groups)
	if err != nil {
		return nil, err
	}
	list := make([]*Project, len(groups))
	for i, g := range groups {
		s := slugs[i]
		list[i] = &Project{
			ID: gids[i], Name: g.Name, Slug: s.Slug, Overview: g.Attributes.First(directory.AttrDescription),
			Icon: s.Icon, StartPage: s.StartPage, Status: projectStatus(g), Group: a.projectGroup(g),
		}
		if display := g.Attributes.First("display_name"); display != "" {
			list[i].Name = display
		}
	}
	return list, nil
}

// projectStatus reads the mark that also tells whether a team is hidden.
func projectStatus(group *directory.Entry) string {
	for _, value := range group.Attributes[directory.AttrHidden] {
		switch strings.ToLower(strings.TrimSpace(value)) {
		case ProjectArchived:
			return ProjectArchived
		case ProjectOnHold:
			return ProjectOnHold
		}
	}
	return ProjectActive
}

func (a *Adapter) slugsOf(ctx context.Context, gids []int64, groups []*directory.Entry) ([]store.Slug, error) {
	slugs := make([]store.Slug, len(gids))
	var missing []int64
	for i, gid := range gids {
		s, ok := a.slugs.Get(gid)
		if !ok {
			missing = append(missing, gid)
		}
		slugs[i] = s
	}
	if len(missing) == 0 {
		return slugs, nil
	}
	ticket := a.slugs.Begin()
	found, err := a.store.Slugs(ctx, missing)
	if err != nil {
		return nil, fromStore(err, "project")
	}
	if len(found) < len(missing) {
		if found, err = a.makeSlugs(ctx, gids, groups, found, missing); err != nil {
			return nil, err
		}
		ticket = a.slugs.Begin()
	}
	for i, gid := range gids {
		if s, ok := found[gid]; ok {
			slugs[i] = s
			a.slugs.Keep(ticket, gid, s)
		}
	}
	return slugs, nil
}

func (a *Adapter) makeSlugs(ctx context.Context, gids []int64, groups []*directory.Entry, found map[int64]store.Slug, missing []int64) (map[int64]store.Slug, error) {
	var wanted []store.Slug
	for i, gid := range gids {
		if _, ok := found[gid]; !ok && slices.Contains(missing, gid) {
			wanted = append(wanted, store.Slug{GID: gid, Slug: slugFor(groups[i].Name)})
		}
	}
	slices.SortFunc(wanted, func(x, y store.Slug) int { return int(x.GID - y.GID) })
	reserved := make(map[string]bool, len(a.cfg.Users.Reserved))
	for _, word := range a.cfg.Users.Reserved {
		reserved[strings.ToLower(word)] = true
	}
	if err := a.store.GiveSlugs(ctx, wanted, func(slug string) bool { return reserved[slug] }); err != nil {
		return nil, fromStore(err, "project")
	}
	again, err := a.store.Slugs(ctx, missing)
	return again, fromStore(err, "project")
}

// maxSlug bounds a slug, in bytes.
const maxSlug = 80

// slugFor makes an address of a name: ASCII letters and digits in lower case,
// everything between them one dash.
func slugFor(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= maxSlug {
			break
		}
	}
	if slug := strings.Trim(b.String(), "-"); slug != "" {
		return slug
	}
	return "project"
}

// projectsOf gives the projects of a person.
func (a *Adapter) projectsOf(ctx context.Context, person *directory.Entry) ([]*Project, error) {
	groups, err := a.dir.GroupsOf(ctx, person.ID)
	if err != nil {
		return nil, fromDirectory(err, "user")
	}
	return a.projects(ctx, groups)
}

// seesProjects tells whether a caller sees all projects or his own only.
func (c *UserCaller) seesProjects() bool {
	return c.May(MayReadProjects) || c.May(MayWriteProjects) || c.May(MayManageProjects)
}

// EachProject calls do with every project that the caller may see, by name.
// Errors: Unavailable, and those of do.
func (a *Adapter) EachProject(ctx context.Context, by *UserCaller, do func(*Project) error) error {
	each := func(groups []*directory.Entry) error {
		projects, err := a.projects(ctx, groups)
		for _, p := range projects {
			if err == nil {
				err = do(p)
			}
		}
		return err
	}
	if by.seesProjects() {
		return a.everybody(ctx, directory.KindGroup, each)
	}
	groups, err := a.dir.GroupsOf(ctx, by.entry.ID)
	if err != nil {
		return fromDirectory(err, "user")
	}
	return each(groups)
}

// Project finds a project by its slug. One that the caller may not see is not
// found. Errors: NotFound "project", Unavailable.
func (a *Adapter) Project(ctx context.Context, by *UserCaller, slug string) (*Project, error) {
	entry, err := a.projectEntry(ctx, by, slug)
	if err != nil {
		return nil, err
	}
	list, err := a.projects(ctx, []*directory.Entry{entry})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

func (a *Adapter) projectEntry(ctx context.Context, by *UserCaller, slug string) (*directory.Entry, error) {
	if slug == "" || len(slug) > maxSlug+10 {
		return nil, notFound("project")
	}
	gid, err := a.store.GroupBySlug(ctx, slug)
	if errors.Is(err, store.ErrNotFound) {
		if err := a.slugEverything(ctx); err != nil {
			return nil, err
		}
		gid, err = a.store.GroupBySlug(ctx, slug)
	}
	if err != nil {
		return nil, fromStore(err, "project")
	}
	id, err := a.identity(ctx, groupNumber, gid)
	if err != nil {
		return nil, notFound("project")
	}
	if !by.seesProjects() {
		groups, err := a.dir.GroupsOf(ctx, by.entry.ID)
		if err != nil {
			return nil, fromDirectory(err, "project")
		}
		if !slices.ContainsFunc(groups, func(g *directory.Entry) bool { return g.ID == id }) {
			return nil, notFound("project")
		}
	}
	entry, err := a.dir.GroupByID(ctx, id)
	return entry, fromDirectory(err, "project")
}

// slugEverything makes sure that every group has a slug, after each change in the
// directory anew.
func (a *Adapter) slugEverything(ctx context.Context) error {
	v := a.version(&a.localChanges)
	v.store = 0
	_, err := a.slugged.load(ctx, v, a.now(), -1, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, a.everybody(ctx, directory.KindGroup, func(groups []*directory.Entry) error {
			_, err := a.projects(ctx, groups)
			return err
		})
	})
	return err
}

// Assigned gives the people of a project, by id. Errors: as Project.
func (a *Adapter) Assigned(ctx context.Context, by *UserCaller, slug string) ([]*User, error) {
	entry, err := a.projectEntry(ctx, by, slug)
	if err != nil {
		return nil, err
	}
	return a.assigned(ctx, by, entry)
}

func (a *Adapter) assigned(ctx context.Context, by *UserCaller, group *directory.Entry) ([]*User, error) {
	members, err := a.dir.MembersOf(ctx, group.ID)
	if err != nil {
		return nil, fromDirectory(err, "project")
	}
	uids, err := a.numbersOf(ctx, personNumber, members)
	if err != nil {
		return nil, err
	}
	list := make([]*User, len(members))
	for i, e := range members {
		list[i] = &User{
			ID: uids[i], Username: e.Login, Company: e.Attributes.First("organization"),
			GivenName: e.Attributes.First(directory.AttrGivenName), FamilyName: e.Attributes.First(directory.AttrFamilyName),
		}
		if a.seesAll(by, uids[i]) {
			list[i].Mail = e.Attributes[directory.AttrMail]
		}
	}
	slices.SortFunc(list, func(x, y *User) int { return int(x.ID - y.ID) })
	return list, nil
}

// maxAssigned bounds the people of one request.
const maxAssigned = 10_000

// Assign makes people, by their numbers, the members of a project: nobody else is
// left. Errors: NotFound "project"; Denied without the permission, or when the
// directory may not be written; Invalid "user" for a number that nobody has,
// nothing is changed then; Unavailable.
func (a *Adapter) Assign(ctx context.Context, by *UserCaller, slug string, ids []int64, client Client) ([]*User, error) {
	group, err := a.projectEntry(ctx, by, slug)
	switch {
	case err != nil:
		return nil, err
	case !by.May(MayManageProjects):
		return nil, &Error{Kind: Denied, Field: MayManageProjects}
	case len(ids) > maxAssigned:
		return nil, invalid("user", "at most %d people can be assigned at once", maxAssigned)
	}
	members := make([]directory.ID, 0, len(ids))
	seen := map[int64]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		entry, err := a.entry(ctx, ByUID(id))
		switch {
		case err == nil:
			members = append(members, entry.ID)
		case KindOf(err) == NotFound:
			return nil, invalid("user", "there is no user %d", id)
		default:
			return nil, err
		}
	}
	if err := a.replaceMembers(ctx, by, group, members, client); err != nil {
		return nil, err
	}
	return a.assigned(ctx, by, group)
}
