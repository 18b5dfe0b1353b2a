package adapter

import (
	"context"
	"strings"
)

// GiveRole gives a person a role by its name, for administrators at the command
// line; "" takes away what was given here. by says who did. Errors: NotFound
// "user", Invalid "role" with the names that there are, Unavailable.
func (a *Adapter) GiveRole(ctx context.Context, key PersonKey, name, by string) error {
	roles, err := a.Roles(ctx)
	if err != nil {
		return err
	}
	if role := roleByName(roles, name); role != nil {
		name = role.Name
	} else if name != "" {
		names := make([]string, len(roles))
		for i, r := range roles {
			names[i] = r.Name
		}
		return invalid("role", "%q is none of %s", name, strings.Join(names, ", "))
	}
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return err
	}
	always := func(context.Context) error { return nil }
	return fromStore(a.store.SetUserRole(ctx, uid, name, always, record(EventUserEdited, uid, by, Client{}, "role "+name+" given")), "user")
}
