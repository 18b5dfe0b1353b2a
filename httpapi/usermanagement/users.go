package usermanagement

import (
	"net/http"
	"strconv"
	"strings"

	"portico/adapter"
)

// userRecord is the documented form of a user. The key is there in the profile
// only, and is what the caller has just shown.
func userRecord(u *adapter.User, key string) record {
	projects := make([]record, len(u.Assignments))
	for i, p := range u.Assignments {
		projects[i] = projectRecord(p)
	}
	primary := ""
	if len(u.Mail) > 0 {
		primary = u.Mail[0]
	}
	mails := u.Mail
	if mails == nil {
		mails = []string{}
	}
	return record{
		{name: "company", value: orNil(u.Company)},
		{name: "access-level"},
		{name: "last-activity-at"},
		{name: "api-key", value: orNil(key)},
		{name: "email-address", value: primary},
		{name: "email-addresses", value: mails, item: "email-address"},
		{name: "id", value: u.ID},
		{name: "last-name", value: u.FamilyName},
		{name: "first-name", value: u.GivenName},
		{name: "time-zone", value: orNil(zoneLabel(u.TimeZone))},
		{name: "username", value: orNil(u.Username)},
		{name: "assignments", value: projects, item: "assignment"},
		{name: "enabled", value: u.Enabled},
	}
}

// shortUser is the form of a user in a project.
func shortUser(u *adapter.User) record {
	primary := ""
	if len(u.Mail) > 0 {
		primary = u.Mail[0]
	}
	return record{
		{name: "company", value: orNil(u.Company)},
		{name: "first-name", value: u.GivenName},
		{name: "id", value: u.ID},
		{name: "last-name", value: u.FamilyName},
		{name: "username", value: orNil(u.Username)},
		{name: "email-address", value: primary},
	}
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// zoneLabel is how clients know a time zone: its city.
func zoneLabel(zone string) string {
	return strings.ReplaceAll(zone[strings.LastIndexByte(zone, '/')+1:], "_", " ")
}

func (a *API) profile(c *call) error {
	u, err := a.adapter.Profile(c.r.Context(), c.caller)
	if err != nil {
		return err
	}
	return a.one(c, "user", userRecord(u, c.secret))
}

func (a *API) listUsers(c *call) error {
	return a.list(c, "users", "user", func(emit func(record) error) error {
		return a.adapter.EachUser(c.r.Context(), c.caller, func(u *adapter.User) error { return emit(userRecord(u, "")) })
	})
}

func (a *API) showUser(c *call) error {
	u, err := a.adapter.User(c.r.Context(), c.caller, c.name)
	if err != nil {
		return err
	}
	return a.one(c, "user", userRecord(u, ""))
}

// invite reads an invitation; everything that is wrong with it is told at once.
func (a *API) invite(c *call) error {
	if !c.caller.May(adapter.MayManageUsers) {
		return &adapter.Error{Kind: adapter.Denied}
	}
	n, err := a.readBody(c, "user")
	if err != nil {
		return err
	}
	var in adapter.NewInvitation
	for name, to := range map[string]*string{"first-name": &in.GivenName, "last-name": &in.FamilyName, "email-address": &in.Mail} {
		if *to, _, err = n.value(name); err != nil {
			return err
		}
	}
	if in.RoleID, err = n.number("role-id"); err != nil {
		return err
	}
	u, err := a.adapter.Invite(c.r.Context(), c.caller, in, c.client)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", a.cfg.BaseURL+a.cfg.Prefix+"/users/"+strconv.FormatInt(u.ID, 10))
	c.status = http.StatusCreated
	return a.one(c, "user", userRecord(u, ""))
}

func (a *API) changeUser(c *call) error {
	if !c.caller.May(adapter.MayManageUsers) {
		return &adapter.Error{Kind: adapter.Denied}
	}
	n, err := a.readBody(c, "user")
	if err != nil {
		return err
	}
	ch, err := readChange(n)
	if err != nil {
		return err
	}
	if err := a.adapter.ChangeUser(c.r.Context(), c.caller, c.name, ch, c.client); err != nil {
		return err
	}
	return a.nothing(c)
}

func readChange(n *node) (adapter.UserChange, error) {
	var ch adapter.UserChange
	for name, to := range map[string]**string{"first-name": &ch.GivenName, "last-name": &ch.FamilyName} {
		text, ok, err := n.value(name)
		if err != nil {
			return ch, err
		}
		if ok {
			*to = &text
		}
	}
	var err error
	if ch.RoleID, err = n.number("role-id"); err != nil {
		return ch, err
	}
	text, ok, err := n.value("enabled")
	switch {
	case err != nil || !ok || text == "":
		return ch, err
	case text != "true" && text != "false" && text != "1" && text != "0":
		return ch, adapter.Faults{{Kind: adapter.Invalid, Field: "enabled", Text: "Enabled must be true or false"}}
	}
	enabled := text == "true" || text == "1"
	ch.Enabled = &enabled
	return ch, nil
}

func (a *API) removeUser(c *call) error {
	if err := a.adapter.RemoveUser(c.r.Context(), c.caller, c.name, c.client); err != nil {
		return err
	}
	return a.nothing(c)
}

func (a *API) resend(c *call) error {
	if err := a.adapter.ResendInvitation(c.r.Context(), c.caller, c.name, c.client); err != nil {
		return err
	}
	return a.nothing(c)
}

// nothing answers 200 without a body, as changes do.
func (a *API) nothing(c *call) error {
	c.w.Header().Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (a *API) listRoles(c *call) error {
	roles, err := a.adapter.Roles(c.r.Context())
	if err != nil {
		return err
	}
	return a.list(c, "roles", "role", func(emit func(record) error) error {
		for _, r := range roles {
			permissions := r.Permissions
			if permissions == nil {
				permissions = []string{}
			}
			err := emit(record{
				{name: "name", value: r.Name},
				{name: "id", value: r.ID},
				{name: "default", value: r.Default},
				{name: "permissions", value: permissions, item: "permission"},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
