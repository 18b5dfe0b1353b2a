package adapter

import (
	"context"
	"slices"
	"strings"
	"time"

	"portico/directory"
)

// UsersConfig says what the verbs of the user management go by.
type UsersConfig struct {
	Account      string // the tenant, before the slash of a caller's name
	BareUsername bool   // callers may leave the account out
	Restrict     bool   // mail addresses and assignments of others need a permission
	// Roles are the roles from the highest to the lowest; none: DefaultRoles.
	Roles []RoleConfig
	// Reserved are words that no project may have as its address.
	Reserved []string
	// Directory is where people are made; "": the first that may be written.
	Directory string
	// ProjectGroups says what puts projects into groups; "": nothing.
	ProjectGroups string
	// InvitationLifetime is how long an invitation can be accepted; default 14 days.
	InvitationLifetime time.Duration
	// InvitationPath is the page that accepts invitations, below the public URL.
	InvitationPath string
}

// RoleConfig is a role as configured.
type RoleConfig struct {
	Name        string
	Permissions []string
	Groups      []string // names of groups whose members have the role
	Default     bool     // of people who have no other
}

// The permissions that the verbs ask for. Roles may have others: they are names
// that other programs read.
const (
	MayManageUsers    = "users.manage"
	MayReadUsers      = "users.read"
	MayReadProjects   = "projects.read_all"
	MayWriteProjects  = "projects.write_all"
	MayManageProjects = "projects.manage"
)

// Role is a role with its number, which stays when the configuration changes.
type Role struct {
	ID          int64
	Name        string
	Permissions []string
	Default     bool

	groups []string // folded
}

// Has tells whether the role has a permission.
func (r *Role) Has(permission string) bool { return slices.Contains(r.Permissions, permission) }

// covers tells whether the role has every permission of another one.
func (r *Role) covers(other *Role) bool {
	return !slices.ContainsFunc(other.Permissions, func(p string) bool { return !r.Has(p) })
}

// DefaultRoles are the roles where none are configured, highest first.
func DefaultRoles() []RoleConfig {
	staff := []string{MayWriteProjects, MayReadProjects, "repositories.manage"}
	admins := []string{
		MayManageUsers, MayManageProjects, MayWriteProjects, MayReadProjects,
		"repositories.manage", "discussions.manage", "calendar.manage",
	}
	return []RoleConfig{
		{Name: "Account Administrators", Permissions: append([]string{"account.manage", "roles.manage", "admins.manage"}, admins...)},
		{Name: "Administrators", Permissions: admins},
		{Name: "Staff Members", Permissions: staff},
		{Name: "Trusted Users", Permissions: []string{MayReadProjects}},
		{Name: "Users", Default: true},
	}
}

// Roles gives the roles, highest first. Error: Internal.
func (a *Adapter) Roles(ctx context.Context) ([]Role, error) {
	return a.roleList.load(ctx, version{}, a.now(), -1, func(ctx context.Context) ([]Role, error) {
		configured := a.cfg.Users.Roles
		if len(configured) == 0 {
			configured = DefaultRoles()
		}
		names := make([]string, len(configured))
		for i, r := range configured {
			names[i] = r.Name
		}
		ids, err := a.store.RoleIDs(ctx, names)
		if err != nil {
			return nil, fromStore(err, "role")
		}
		roles := make([]Role, len(configured))
		for i, r := range configured {
			roles[i] = Role{ID: ids[r.Name], Name: r.Name, Permissions: slices.Clone(r.Permissions), Default: r.Default}
			for _, g := range r.Groups {
				roles[i].groups = append(roles[i].groups, directory.FoldName(g))
			}
		}
		return roles, nil
	})
}

// roleOf is the role of a person: the highest that one of his groups has, else
// the one that was given here, else the default.
func roleOf(roles []Role, groups []*directory.Entry, given string) *Role {
	for i := range roles {
		for _, g := range groups {
			if slices.Contains(roles[i].groups, directory.FoldName(g.Name)) {
				return &roles[i]
			}
		}
	}
	var fallback *Role
	for i := range roles {
		if given != "" && roles[i].Name == given {
			return &roles[i]
		}
		if roles[i].Default {
			fallback = &roles[i]
		}
	}
	if fallback == nil { // none is marked: the lowest
		fallback = &roles[len(roles)-1]
	}
	return fallback
}

// personRole finds the role of one person, from what is true now.
func (a *Adapter) personRole(ctx context.Context, uid int64, entry *directory.Entry) (*Role, error) {
	roles, err := a.Roles(ctx)
	if err != nil {
		return nil, err
	}
	var groups []*directory.Entry
	if slices.ContainsFunc(roles, func(r Role) bool { return len(r.groups) > 0 }) {
		if groups, err = a.dir.GroupsOf(ctx, entry.ID); err != nil {
			return nil, fromDirectory(err, "user")
		}
	}
	extras, err := a.store.UserExtras(ctx, []int64{uid})
	if err != nil {
		return nil, fromStore(err, "user")
	}
	return roleOf(roles, groups, extras[uid].Role), nil
}

// grantable finds the role with a number that a caller may give: none above his
// own. nil asks for the default. Errors: Invalid "role-id", Denied "role-id".
func (a *Adapter) grantable(ctx context.Context, by *Role, id *int64) (*Role, error) {
	roles, err := a.Roles(ctx)
	if err != nil {
		return nil, err
	}
	wanted := roleOf(roles, nil, "")
	if id != nil {
		i := slices.IndexFunc(roles, func(r Role) bool { return r.ID == *id })
		if i < 0 {
			return nil, invalid("role-id", "Role does not exist")
		}
		wanted = &roles[i]
	}
	if by != nil && !by.covers(wanted) {
		return nil, &Error{Kind: Denied, Field: "role-id", Text: "the role " + wanted.Name + " has permissions that you do not have"}
	}
	return wanted, nil
}

// roleByName finds a configured role; nil when there is none of that name now.
func roleByName(roles []Role, name string) *Role {
	for i := range roles {
		if strings.EqualFold(roles[i].Name, name) {
			return &roles[i]
		}
	}
	return nil
}
