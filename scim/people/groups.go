package people

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"portico/adapter"
	"portico/scim"
	"portico/scim/fault"
	"portico/scim/patch"
	"portico/scim/resource"
)

// groupsOf makes resources of groups. Lists leave out the members of groups that have too many.
func (w *world) groupsOf(ctx context.Context, c *scim.Call, entries []*adapter.Entry, inline bool) ([]*resource.Resource, error) {
	extras, err := w.extras(ctx, c, entries)
	if err != nil {
		return nil, err
	}
	out := make([]*resource.Resource, len(entries))
	for i, e := range entries {
		if out[i], err = w.groupOf(ctx, e, extras[e.ID]); err != nil {
			return nil, err
		}
		if !wants(c, "members") {
			continue
		}
		if inline {
			n, err := w.a.CountMembers(ctx, e.ID)
			if err != nil {
				return nil, refusal(err, e.ID.Stable)
			}
			if n > w.cfg.MembersInline {
				continue
			}
		}
		if err := w.members(ctx, e, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (w *world) groupOf(ctx context.Context, e *adapter.Entry, x extra) (*resource.Resource, error) {
	r := w.resourceOf(e, w.group.Type, x)
	r.Data["displayName"] = e.Name
	if x.ExternalID != "" {
		r.Data["externalId"] = x.ExternalID
	}
	var err error
	r.Version, err = w.versionOf(ctx, e, x)
	return r, err
}

// members reads who is directly in a group.
func (w *world) members(ctx context.Context, e *adapter.Entry, r *resource.Resource) error {
	var list []any
	err := w.a.EachMember(ctx, e.ID, func(m adapter.Reference) error {
		kind := "User"
		if m.Kind == adapter.KindGroup {
			kind = "Group"
		}
		list = append(list, resource.Object{"value": m.ID.Stable, "type": kind})
		return nil
	})
	if list != nil {
		r.Data["members"] = list
	}
	return refusal(err, r.ID)
}

func (w *world) oneGroup(ctx context.Context, c *scim.Call, e *adapter.Entry) (*resource.Resource, error) {
	list, err := w.groupsOf(ctx, c, []*adapter.Entry{e}, false)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// Get finds a group, with all its members.
func (g *Groups) Get(ctx context.Context, c *scim.Call, id string) (*resource.Resource, error) {
	e, err := g.find(ctx, adapter.KindGroup, id)
	if err != nil {
		return nil, err
	}
	return g.oneGroup(ctx, c, e)
}

// Create makes a group in the directory of the principal, or in the first that may be written.
func (g *Groups) Create(ctx context.Context, c *scim.Call, data resource.Object) (*resource.Resource, error) {
	if err := mayWrite(c, data); err != nil {
		return nil, err
	}
	dir, err := g.a.Writable(c.Principal.Directory)
	if err != nil {
		return nil, refusal(err, "")
	}
	parts := g.group.Decode(data, g.room(dir, adapter.KindGroup))
	n := adapter.NewGroup{Directory: dir, Attributes: filled(parts.Attributes)}
	n.Name, _ = data["displayName"].(string)
	n.Extras = newExtras(c, data, parts.Extras)
	if n.Members, err = identities(dir, memberIDs(data)); err != nil {
		return nil, err
	}
	made, err := g.a.CreateGroup(ctx, n, by(c))
	if err != nil {
		return nil, refusal(err, "")
	}
	return g.oneGroup(ctx, c, made.Entry)
}

// memberIDs lists the members of a resource, in lower case, each once.
func memberIDs(data resource.Object) []string {
	list, _ := data["members"].([]any)
	ids := make([]string, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, element := range list {
		object, _ := element.(resource.Object)
		id, _ := object["value"].(string)
		if id = strings.ToLower(id); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// identities are people and groups of a directory by the ids of their resources.
func identities(dir string, ids []string) ([]adapter.ID, error) {
	out := make([]adapter.ID, len(ids))
	for i, id := range ids {
		id = strings.ToLower(id)
		if !possible(id) {
			return nil, noMember(id)
		}
		out[i] = adapter.ID{Directory: dir, Stable: id}
	}
	return out, nil
}

func noMember(id string) error {
	return fault.Bad(fault.InvalidValue, "members: there is no %s", fault.Clip(id))
}

// Write changes a group. A change of nothing but members is made without reading the others.
func (g *Groups) Write(ctx context.Context, c *scim.Call, id string, w *scim.Write) (*resource.Resource, error) {
	if err := mayWrite(c, nil); err != nil {
		return nil, err
	}
	if w.Members != nil {
		out, err := g.changeMembers(ctx, c, id, w)
		return out, refusal(err, id)
	}
	var out *resource.Resource
	err := g.write(ctx, c, adapter.KindGroup, id, w, func(p *present) (err error) {
		out, err = g.change(ctx, c, p, w)
		return err
	})
	return out, refusal(err, id)
}

// changeMembers is the short way: ids become identities, and one change is sent.
func (g *Groups) changeMembers(ctx context.Context, c *scim.Call, id string, w *scim.Write) (*resource.Resource, error) {
	if w.Condition.Versions() != nil {
		var out *resource.Resource
		err := g.write(ctx, c, adapter.KindGroup, id, w, func(p *present) (err error) {
			out, err = g.sendMembers(ctx, c, p.entry, w.Members, p.entry.Version)
			return err
		})
		return out, err
	}
	e, err := g.find(ctx, adapter.KindGroup, id)
	if err != nil {
		return nil, err
	}
	if err := w.Condition.Check(""); err != nil {
		return nil, err
	}
	return g.sendMembers(ctx, c, e, w.Members, "")
}

func (g *Groups) sendMembers(ctx context.Context, c *scim.Call, e *adapter.Entry, m *patch.Members, version string) (*resource.Resource, error) {
	change := adapter.GroupChange{IfVersion: version}
	ids := make([]string, len(m.Add))
	for i, member := range m.Add {
		ids[i] = member.ID
	}
	add, err := identities(e.ID.Directory, ids)
	if err != nil {
		return nil, err
	}
	if m.All {
		if change.ReplaceMembers = &add; add == nil {
			change.ReplaceMembers = &[]adapter.ID{}
		}
	} else {
		change.AddMembers = add
		for _, id := range m.Remove {
			if id = strings.ToLower(id); possible(id) { // nobody else can be in the group
				change.RemoveMembers = append(change.RemoveMembers, adapter.ID{Directory: e.ID.Directory, Stable: id})
			}
		}
	}
	after, err := g.a.ChangeGroup(ctx, adapter.GroupByID(e.ID), change, by(c))
	if err != nil {
		return nil, err
	}
	x, err := g.extraOf(ctx, c, after.Entry)
	if err != nil {
		return nil, err
	}
	r := &resource.Resource{Type: g.group.Type, ID: e.ID.Stable}
	r.Version, err = g.versionOf(ctx, after.Entry, x)
	return r, err
}

func (g *Groups) change(ctx context.Context, c *scim.Call, p *present, w *scim.Write) (*resource.Resource, error) {
	current, err := g.oneGroup(ctx, everything(c), p.entry)
	if err != nil {
		return nil, err
	}
	next, changed, err := w.Apply(current.Data)
	if err != nil || !changed {
		return current, err
	}
	dir := p.entry.ID.Directory
	change := adapter.GroupChange{IfVersion: p.entry.Version}
	if name, _ := next["displayName"].(string); name != current.Data["displayName"] {
		change.Name = &name
	}
	if change.AddMembers, change.RemoveMembers, err = membersBetween(dir, current.Data, next); err != nil {
		return nil, err
	}
	room := g.room(dir, adapter.KindGroup)
	was, is := g.group.Decode(current.Data, room), g.group.Decode(next, room)
	change.Attributes = changedAttributes(was, is, false)
	change.Extras = changedExtras(c, p, current.Data, next, was.Extras, is.Extras)
	after, err := g.a.ChangeGroup(ctx, adapter.GroupByID(p.entry.ID), change, by(c))
	if err != nil {
		return nil, err
	}
	return g.oneGroup(ctx, c, after.Entry)
}

// membersBetween finds who comes and who goes.
func membersBetween(dir string, current, next resource.Object) (add, remove []adapter.ID, err error) {
	was, is := memberIDs(current), memberIDs(next)
	in := func(list []string) map[string]bool {
		set := make(map[string]bool, len(list))
		for _, id := range list {
			set[id] = true
		}
		return set
	}
	before, after := in(was), in(is)
	come := slices.DeleteFunc(slices.Clone(is), func(id string) bool { return before[id] })
	leave := slices.DeleteFunc(slices.Clone(was), func(id string) bool { return after[id] })
	if add, err = identities(dir, come); err != nil {
		return nil, nil, err
	}
	remove, err = identities(dir, leave)
	return add, remove, err
}

// Delete removes a group.
func (g *Groups) Delete(ctx context.Context, c *scim.Call, id string, condition scim.Condition) error {
	if !c.Principal.Write {
		return fault.New(http.StatusForbidden, "", "the token may not write")
	}
	return g.remove(ctx, c, adapter.KindGroup, id, condition, func(e *adapter.Entry, version string) error {
		return g.a.DeleteGroup(ctx, adapter.GroupByID(e.ID), version, by(c))
	})
}
