package usermanagement

import (
	"strconv"

	"portico/adapter"
)

// projectRecord is the form of a project among a user's assignments.
func projectRecord(p *adapter.Project) record {
	return record{
		{name: "group-id", value: p.Group},
		{name: "icon", value: int64(p.Icon)},
		{name: "name", value: p.Name},
		{name: "overview", value: orNil(p.Overview)},
		{name: "start-page", value: p.StartPage},
		{name: "status", value: p.Status},
		{name: "permalink", value: p.Slug},
	}
}

// wholeProject is the form of a project by itself. Portico keeps no tickets and no
// files.
func (a *API) wholeProject(p *adapter.Project) record {
	return append(projectRecord(p),
		part{name: "account-name", value: a.cfg.Account},
		part{name: "project-id", value: p.ID},
		part{name: "total-tickets", value: int64(0)},
		part{name: "open-tickets", value: int64(0)},
		part{name: "closed-tickets", value: int64(0)},
		part{name: "disk-usage", value: int64(0)})
}

func (a *API) listProjects(c *call) error {
	return a.list(c, "projects", "project", func(emit func(record) error) error {
		return a.adapter.EachProject(c.r.Context(), c.caller, func(p *adapter.Project) error { return emit(a.wholeProject(p)) })
	})
}

func (a *API) showProject(c *call) error {
	p, err := a.adapter.Project(c.r.Context(), c.caller, c.slug)
	if err != nil {
		return err
	}
	return a.one(c, "project", a.wholeProject(p))
}

func (a *API) listProjectGroups(c *call) error {
	groups, err := a.adapter.ProjectGroups(c.r.Context(), c.caller)
	if err != nil {
		return err
	}
	return a.list(c, "project-groups", "project-group", func(emit func(record) error) error {
		for _, g := range groups {
			if err := emit(record{{name: "id", value: g.ID}, {name: "label", value: g.Label}}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *API) listAssignments(c *call) error {
	users, err := a.adapter.Assigned(c.r.Context(), c.caller, c.slug)
	if err != nil {
		return err
	}
	return a.shortUsers(c, users)
}

func (a *API) shortUsers(c *call, users []*adapter.User) error {
	return a.list(c, "users", "user", func(emit func(record) error) error {
		for _, u := range users {
			if err := emit(shortUser(u)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *API) assign(c *call) error {
	if !c.caller.May(adapter.MayManageProjects) {
		return &adapter.Error{Kind: adapter.Denied}
	}
	n, err := a.readBody(c, "users")
	if err != nil {
		return err
	}
	ids, err := readIDs(n)
	if err != nil {
		return err
	}
	users, err := a.adapter.Assign(c.r.Context(), c.caller, c.slug, ids, c.client)
	if err != nil {
		return err
	}
	return a.shortUsers(c, users)
}

// readIDs reads the numbers of users in each of the forms that clients write:
// <users><user><id/></user></users>, {"users": {"user": [{"id": 5}]}}, and the
// same with one object instead of a list or the list right below "users".
func readIDs(n *node) ([]int64, error) {
	var users []*node
	switch {
	case n.list:
		users = n.children
	default:
		for _, u := range n.children {
			switch {
			case u.name == "user" && u.list:
				users = append(users, u.children...)
			case u.name == "user":
				users = append(users, u)
			case u.name == "id": // one object right below "users"
				users = append(users, n)
			}
		}
	}
	ids := []int64{}
	for _, u := range users {
		if wrapped, err := u.child("user"); err != nil || wrapped != nil {
			if err != nil {
				return nil, err
			}
			u = wrapped
		}
		text, _, err := u.value("id")
		if err != nil {
			return nil, err
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 1 {
			return nil, adapter.Faults{{Kind: adapter.Invalid, Field: "id", Text: "User has no valid id"}}
		}
		ids = append(ids, id)
	}
	return ids, nil
}
