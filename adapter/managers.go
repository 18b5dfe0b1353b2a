package adapter

import (
	"context"
	"errors"
	"slices"

	"portico/adapter/store"
	"portico/directory"
)

// IsManagerOf tells whether manager is a direct manager of employee, by the
// directory or by a local relation; nobody manages himself. Errors: NotFound "manager", then NotFound "employee";
// Unavailable.
func (a *Adapter) IsManagerOf(ctx context.Context, manager, employee PersonKey) (bool, error) {
	m, muid, err := a.known(ctx, manager)
	if err != nil {
		return false, named(err, "manager")
	}
	e, euid, err := a.known(ctx, employee)
	if err != nil {
		return false, named(err, "employee")
	}
	local, err := a.relationsOf(ctx, euid)
	if err != nil {
		return false, err
	}
	if slices.Contains(local.Managers, muid) {
		return true, nil
	}
	managers, err := a.dir.ManagersOf(ctx, e.ID)
	if err != nil {
		return false, fromDirectory(err, "employee")
	}
	for _, candidate := range managers {
		if candidate.ID == m.ID && m.ID != e.ID {
			return true, nil
		}
	}
	return false, nil
}

// Managed gives the people whom this person manages directly, in order of uid.
// Errors: NotFound "user", Unavailable.
func (a *Adapter) Managed(ctx context.Context, key PersonKey) ([]*Person, error) {
	return a.related(ctx, key, a.dir.ManagedBy, func(r store.Relations) []int64 { return r.Employees })
}

// Managers gives the direct managers of a person, in order of uid. Errors:
// NotFound "user", Unavailable.
func (a *Adapter) Managers(ctx context.Context, key PersonKey) ([]*Person, error) {
	return a.related(ctx, key, a.dir.ManagersOf, func(r store.Relations) []int64 { return r.Managers })
}

func (a *Adapter) related(ctx context.Context, key PersonKey,
	read func(context.Context, directory.ID) ([]*directory.Entry, error),
	local func(store.Relations) []int64,
) ([]*Person, error) {
	person, uid, err := a.known(ctx, key)
	if err != nil {
		return nil, err
	}
	entries, err := read(ctx, person.ID)
	if err != nil {
		return nil, fromDirectory(err, "user")
	}
	relations, err := a.relationsOf(ctx, uid)
	if err != nil {
		return nil, err
	}
	if entries, err = a.joined(ctx, entries, local(relations)); err != nil {
		return nil, err
	}
	return a.peopleByUID(ctx, entries)
}

// named gives an error the field that the caller knows the thing by.
func named(err error, field string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	renamed := *e
	renamed.Field = field
	return &renamed
}
