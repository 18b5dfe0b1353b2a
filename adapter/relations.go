package adapter

import (
	"context"

	"portico/adapter/store"
	"portico/directory"
)

// relationsOf gives the local managers and employees of a person.
func (a *Adapter) relationsOf(ctx context.Context, uid int64) (store.Relations, error) {
	read := func() (store.Relations, error) {
		r, err := a.store.Relations(ctx, uid)
		return r, fromStore(err, "user")
	}
	if !a.store.Live() {
		return read()
	}
	return a.relations.Load(uid, read)
}

// joined adds to the people whom the directory names those of the local
// relations, once each. Who has left the directory is left out.
func (a *Adapter) joined(ctx context.Context, entries []*directory.Entry, uids []int64) ([]*directory.Entry, error) {
	if len(uids) == 0 {
		return entries, nil
	}
	seen := make(map[directory.ID]bool, len(entries)+len(uids))
	all := make([]*directory.Entry, 0, len(entries)+len(uids))
	for _, e := range entries {
		seen[e.ID] = true
		all = append(all, e)
	}
	for _, uid := range uids {
		entry, err := a.entry(ctx, ByUID(uid))
		switch {
		case KindOf(err) == NotFound && err != nil:
		case err != nil:
			return nil, err
		case !seen[entry.ID]:
			seen[entry.ID] = true
			all = append(all, entry)
		}
	}
	return all, nil
}

// AddManager makes manager a manager of employee, besides what the directory
// says; twice is no error. Errors: NotFound "manager" or "employee", Invalid
// "employee" when both are one person.
func (a *Adapter) AddManager(ctx context.Context, manager, employee PersonKey, by string, client Client) error {
	m, e, err := a.pair(ctx, manager, employee)
	if err != nil {
		return err
	}
	if m.uid == e.uid {
		return invalid("employee", "nobody manages himself")
	}
	_, err = a.store.AddManager(ctx, m.uid, e.uid,
		record(EventUserEdited, e.uid, by, client, "manager added: "+m.login))
	return fromStore(err, "employee")
}

// RemoveManager ends what AddManager made. Errors: NotFound "manager",
// "employee", or "relation" when there is none here (the directory's cannot be removed).
func (a *Adapter) RemoveManager(ctx context.Context, manager, employee PersonKey, by string, client Client) error {
	m, e, err := a.pair(ctx, manager, employee)
	if err != nil {
		return err
	}
	removed, err := a.store.RemoveManager(ctx, m.uid, e.uid,
		record(EventUserEdited, e.uid, by, client, "manager removed: "+m.login))
	if err == nil && !removed {
		return notFound("relation")
	}
	return fromStore(err, "employee")
}

// party is one side of a relation.
type party struct {
	uid   int64
	login string
}

func (a *Adapter) pair(ctx context.Context, manager, employee PersonKey) (m, e party, err error) {
	for _, side := range []struct {
		key   PersonKey
		field string
		to    *party
	}{{manager, "manager", &m}, {employee, "employee", &e}} {
		entry, uid, err := a.known(ctx, side.key)
		if err != nil {
			return m, e, named(err, side.field)
		}
		*side.to = party{uid: uid, login: entry.Login}
	}
	return m, e, nil
}
