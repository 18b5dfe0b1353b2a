package adapter

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"portico/adapter/store"
	"portico/directory"
	"portico/directory/mapping"
)

// What puts projects into groups.
const (
	ProjectGroupsByUnit     = "ou"       // the organisational unit right above the group
	ProjectGroupsByCategory = "category" // the first value of "hidden" that marks no state
)

// ProjectGroup is a group of projects.
type ProjectGroup struct {
	ID    int64
	Label string
}

// projectGroup names the group of projects that a project is in.
func (a *Adapter) projectGroup(group *directory.Entry) string {
	switch a.cfg.Users.ProjectGroups {
	case ProjectGroupsByUnit:
		return mapping.UnitAbove(group.DN)
	case ProjectGroupsByCategory:
		marks := []string{ProjectArchived, ProjectOnHold, ProjectActive, strings.ToLower(cmp.Or(a.cfg.Integration.HiddenMark, "hidden"))}
		for _, value := range group.Attributes[directory.AttrHidden] {
			if value = strings.TrimSpace(value); value != "" && !slices.Contains(marks, strings.ToLower(value)) {
				return value
			}
		}
	}
	return ""
}

// ProjectGroups gives the groups of the projects that the caller may see, by id.
// Errors: Unavailable.
func (a *Adapter) ProjectGroups(ctx context.Context, by *UserCaller) ([]ProjectGroup, error) {
	var names []string
	if a.cfg.Users.ProjectGroups != "" {
		seen := map[string]bool{}
		err := a.EachProject(ctx, by, func(p *Project) error {
			if p.Group != "" && !seen[p.Group] {
				seen[p.Group] = true
				names = append(names, p.Group)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	slices.Sort(names)
	ids, err := a.store.ProjectGroupIDs(ctx, names)
	if err != nil {
		return nil, fromStore(err, "project")
	}
	list := make([]ProjectGroup, len(names))
	for i, name := range names {
		list[i] = ProjectGroup{ID: ids[name], Label: name}
	}
	slices.SortFunc(list, func(x, y ProjectGroup) int { return cmp.Compare(x.ID, y.ID) })
	return list, nil
}

// maxIcon is the highest number of an icon; the lowest is 1.
const maxIcon = 84

// StartPages are the pages that a project may begin with.
func StartPages() []string {
	return []string{"overview", "repositories", "tickets", "milestones", "notebook", "files"}
}

// SetProjectPage sets the icon and the first page of a project; 0 and "" leave
// them as they are. by says who did. Errors: NotFound "project", Invalid "icon" or
// "start-page", Unavailable.
func (a *Adapter) SetProjectPage(ctx context.Context, slug string, icon int, startPage, by string) error {
	switch {
	case icon < 0 || icon > maxIcon:
		return invalid("icon", "an icon is a number from 1 to %d", maxIcon)
	case startPage != "" && !slices.Contains(StartPages(), startPage):
		return invalid("start-page", "a start page is one of %s", strings.Join(StartPages(), ", "))
	}
	if err := a.slugEverything(ctx); err != nil {
		return err
	}
	gid, err := a.store.GroupBySlug(ctx, slug)
	if err != nil {
		return fromStore(err, "project")
	}
	now, err := a.store.Slugs(ctx, []int64{gid})
	if err != nil {
		return fromStore(err, "project")
	}
	page := store.Slug{GID: gid, Icon: cmp.Or(icon, now[gid].Icon), StartPage: cmp.Or(startPage, now[gid].StartPage)}
	return fromStore(a.store.SetProjectPage(ctx, page, record(EventGroupEdited, 0, by, Client{}, "page of project "+slug+" changed")), "project")
}
