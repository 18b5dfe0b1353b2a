package adapter

import (
	"context"
	"fmt"
	"math"
	"strings"

	"portico/adapter/store"
	"portico/directory"
)

// GroupKey says which group is meant. Make one with GroupByGID or GroupByID.
type GroupKey struct {
	gid int64
	id  directory.ID
}

// GroupByGID asks for the group with that numeric id.
func GroupByGID(gid int64) GroupKey { return GroupKey{gid: gid} }

// GroupByID asks for the group with that permanent identity.
func GroupByID(id ID) GroupKey { return GroupKey{id: id} }

// NewGroup is a group that is to be made.
type NewGroup struct {
	Directory  string // configured name; "": the first that may be written
	Name       string
	Attributes map[string][]string
	Owners     []ID
	Members    []ID   // people and groups of the same directory
	Parent     string // DN that it is made below; "": where the directory's groups go
	Extras     *ExtraChange
}

// GroupChange says what is to be different about a group; what is nil or not
// named stays. Adding who is in, and removing who is not, are no errors.
// ReplaceMembers excludes the other two, and leaves alone who is shown to nobody.
type GroupChange struct {
	Name                      *string
	Attributes                map[string][]string // an empty list removes
	Owners                    *[]ID
	AddMembers, RemoveMembers []ID
	ReplaceMembers            *[]ID
	Extras                    *ExtraChange
	IfVersion                 string // only if the entry has this version; "": in any case
}

// Group finds one group. Errors: NotFound "group", Unavailable.
func (a *Adapter) Group(ctx context.Context, key GroupKey) (*Group, error) {
	entry, err := a.groupEntry(ctx, key)
	if err != nil {
		return nil, err
	}
	return a.groupOf(ctx, entry)
}

func (a *Adapter) groupOf(ctx context.Context, entry *directory.Entry) (*Group, error) {
	groups, err := a.groups(ctx, []*directory.Entry{entry})
	if err != nil {
		return nil, err
	}
	return groups[0], nil
}

func (a *Adapter) groupEntry(ctx context.Context, key GroupKey) (*directory.Entry, error) {
	id := key.id
	if key.gid != 0 {
		if key.gid < 1 || key.gid > math.MaxInt32 {
			return nil, notFound("group")
		}
		var err error
		if id, err = a.identity(ctx, groupNumber, key.gid); err != nil {
			return nil, err
		}
	}
	if id.IsZero() {
		return nil, notFound("group")
	}
	return a.GroupEntry(ctx, id)
}

// CreateGroup makes a group in a directory. Errors: Conflict "name", Invalid with
// the attribute or "members", Denied, Unavailable.
func (a *Adapter) CreateGroup(ctx context.Context, n NewGroup, by By) (*Group, error) {
	dir, err := a.Writable(n.Directory)
	if err != nil {
		return nil, err
	}
	entry := directory.NewEntry{
		Kind: directory.KindGroup, Name: strings.TrimSpace(n.Name), Attributes: n.Attributes, Members: n.Members, Parent: n.Parent,
	}
	if len(n.Owners) > 0 {
		entry.References = map[string][]directory.ID{directory.AttrOwner: n.Owners}
	}
	act := a.newAct(store.IntentCreate, by)
	act.intent.Directory, act.intent.Name, act.intent.Group, act.extras = dir, entry.Name, true, n.Extras
	entry.Begun = act.begun
	var made *directory.Entry
	err = act.run(ctx, func(ctx context.Context) (store.Aftermath, []store.Record, error) {
		if made, err = a.writes.Create(ctx, dir, entry); err != nil {
			return 0, nil, err
		}
		act.made = made.ID.Stable
		text := fmt.Sprintf("group %s added to %s, %d members", made.Name, dir, len(n.Members))
		return store.LeaveAlone, []store.Record{record(EventGroupAdded, 0, by.Actor, by.Client, text)}, nil
	})
	if err != nil {
		return nil, a.fromWrite(ctx, err, "group")
	}
	return a.groupOf(ctx, made)
}

// ChangeGroup changes a group. A change that only adds and removes members does
// not read the others, however many there are. Errors: NotFound "group", Conflict
// "name" or "version", Invalid with the attribute or "members", Denied, Unavailable.
func (a *Adapter) ChangeGroup(ctx context.Context, key GroupKey, c GroupChange, by By) (*Group, error) {
	entry, err := a.groupEntry(ctx, key)
	if err != nil {
		return nil, err
	}
	change := directory.Change{
		Attributes: c.Attributes, AddMembers: c.AddMembers, RemoveMembers: c.RemoveMembers, ReplaceMembers: c.ReplaceMembers, IfVersion: c.IfVersion,
	}
	if c.Name != nil {
		name := strings.TrimSpace(*c.Name)
		change.Name = &name
	}
	if c.Owners != nil {
		change.References = map[string][]directory.ID{directory.AttrOwner: *c.Owners}
	}
	if _, err := a.Writable(entry.ID.Directory); err != nil {
		return nil, err
	}
	switch {
	case c.ReplaceMembers != nil && len(c.AddMembers)+len(c.RemoveMembers) > 0:
		return nil, invalid(FieldMembers, "members are replaced, or some are added and removed: not both")
	case change.Empty():
		if err := a.onlyExtras(ctx, entry, 0, c.IfVersion, c.Extras, by); err != nil {
			return nil, err
		}
		return a.groupOf(ctx, entry)
	}
	act := a.newAct("", by)
	act.extras = c.Extras
	if change.Name != nil && *change.Name != entry.Name {
		act.intent.Kind = store.IntentRename
	}
	act.about(entry, 0)
	var changed *directory.Entry
	err = act.run(ctx, func(ctx context.Context) (store.Aftermath, []store.Record, error) {
		if changed, err = a.writes.Modify(ctx, entry.ID, change); err != nil {
			return 0, nil, err
		}
		text := "group " + changed.Name + " changed"
		if names := changedNames(change); names != "" {
			text += ": " + names
		}
		if n, m := len(c.AddMembers), len(c.RemoveMembers); n+m > 0 {
			text += fmt.Sprintf(", members +%d -%d", n, m)
		}
		return store.LeaveAlone, []store.Record{record(EventGroupEdited, 0, by.Actor, by.Client, text)}, nil
	})
	if err != nil {
		return nil, a.fromWrite(ctx, err, "group")
	}
	return a.groupOf(ctx, changed)
}

// DeleteGroup deletes a group and what refers to it. Errors: NotFound "group",
// Conflict "version", Denied, Throttled, Unavailable.
func (a *Adapter) DeleteGroup(ctx context.Context, key GroupKey, ifVersion string, by By) error {
	entry, err := a.groupEntry(ctx, key)
	if err != nil {
		return err
	}
	if _, err := a.Writable(entry.ID.Directory); err != nil {
		return err
	}
	act := a.newAct(store.IntentDelete, by)
	act.about(entry, 0)
	err = act.run(ctx, func(ctx context.Context) (store.Aftermath, []store.Record, error) {
		if err := a.writes.Delete(ctx, entry.ID, ifVersion); err != nil {
			return 0, nil, err
		}
		text := "group " + entry.Name + " deleted from " + entry.ID.Directory
		return store.LeaveAlone, []store.Record{record(EventGroupRemoved, 0, by.Actor, by.Client, text)}, nil
	})
	return a.fromWrite(ctx, err, "group")
}

// wrote notes a change that was made.
func (a *Adapter) wrote(ctx context.Context, event EventType, by By, text string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	return fromStore(a.store.Append(ctx, record(event, 0, by.Actor, by.Client, text)), "security log")
}
