package people

import (
	"context"
	"encoding/base64"
	"io"
	"slices"
	"strings"

	"portico/adapter"
	"portico/directory"
	"portico/scim"
	"portico/scim/fault"
	"portico/scim/mapping"
	"portico/scim/resource"
	"portico/scim/schema"
)

// usersOf makes resources of people: what is asked for of references is read in one query each.
func (w *world) usersOf(ctx context.Context, c *scim.Call, entries []*adapter.Entry) ([]*resource.Resource, error) {
	extras, err := w.extras(ctx, c, entries)
	if err != nil {
		return nil, err
	}
	ids := make([]adapter.ID, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	var groups, managers map[adapter.ID][]*adapter.Entry
	if wants(c, "groups") {
		if groups, err = w.a.GroupsOfMany(ctx, ids); err != nil {
			return nil, refusal(err, "")
		}
	}
	if wants(c, schema.EnterpriseID+":manager") && slices.ContainsFunc(entries, func(e *adapter.Entry) bool { return len(e.Attributes[directory.AttrManager]) > 0 }) {
		if managers, err = w.a.ManagersOfMany(ctx, ids); err != nil {
			return nil, refusal(err, "")
		}
	}
	out := make([]*resource.Resource, len(entries))
	for i, e := range entries {
		if out[i], err = w.userOf(ctx, e, extras[e.ID], groups[e.ID], managers[e.ID]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// wants tells whether an answer can have an attribute; without a projection it can have all.
func wants(c *scim.Call, name string) bool { return c.Projection == nil || c.Projection.Wants(name) }

func (w *world) userOf(ctx context.Context, e *adapter.Entry, x extra, groups, managers []*adapter.Entry) (*resource.Resource, error) {
	r := w.resourceOf(e, w.user.Type, x)
	r.Data["userName"] = userName(e)
	r.Data["active"] = w.a.Active(e, w.now())
	if x.ExternalID != "" {
		r.Data["externalId"] = x.ExternalID
	}
	if len(groups) > 0 {
		list := make([]any, len(groups))
		for i, g := range groups {
			list[i] = resource.Object{"value": g.ID.Stable, "display": g.Name, "type": "direct"}
		}
		r.Data["groups"] = list
	}
	if len(managers) > 0 {
		manager := resource.Object{"value": managers[0].ID.Stable}
		if name := managers[0].Attributes.First("display_name"); name != "" {
			manager["displayName"] = name
		}
		resource.Set(r.Data, schema.EnterpriseID, "manager", manager)
	}
	var err error
	r.Version, err = w.versionOf(ctx, e, x)
	return r, err
}

// userName is the login name in the letter case that is stored, with the suffix under which the population knows it.
func userName(e *adapter.Entry) string {
	if suffix, ok := strings.CutPrefix(e.Login, directory.FoldName(e.Name)); ok {
		return e.Name + suffix
	}
	return e.Login
}

func (w *world) oneUser(ctx context.Context, c *scim.Call, e *adapter.Entry) (*resource.Resource, error) {
	list, err := w.usersOf(ctx, c, []*adapter.Entry{e})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// everything is a call that wants all attributes.
func everything(c *scim.Call) *scim.Call {
	all := *c
	all.Projection = nil
	return &all
}

// Get finds a person.
func (u *Users) Get(ctx context.Context, c *scim.Call, id string) (*resource.Resource, error) {
	e, err := u.find(ctx, adapter.KindPerson, id)
	if err != nil {
		return nil, err
	}
	return u.oneUser(ctx, c, e)
}

// Create makes a person in the directory of the principal, or in the first that may be written.
func (u *Users) Create(ctx context.Context, c *scim.Call, data resource.Object) (*resource.Resource, error) {
	if err := mayWrite(c, data); err != nil {
		return nil, err
	}
	dir, err := u.a.Writable(c.Principal.Directory)
	if err != nil {
		return nil, refusal(err, "")
	}
	parts := u.user.Decode(data, u.room(dir, adapter.KindPerson))
	n := adapter.NewPerson{Directory: dir, Attributes: filled(parts.Attributes), Disabled: data["active"] == false}
	n.Username, _ = data["userName"].(string)
	n.Password, _ = data["password"].(string)
	if id := managerID(data); id != "" {
		if n.Managers, err = managers(dir, id); err != nil {
			return nil, err
		}
	}
	n.Extras = newExtras(c, data, parts.Extras)
	made, err := u.a.CreatePerson(ctx, n, by(c))
	if n.Password == "" && adapter.KindOf(err) == adapter.Invalid && adapter.FieldOf(err) == adapter.FieldPassword {
		// Active Directory enables no account without a password: it gets one that nobody knows.
		if n.Password, err = u.unknownPassword(); err == nil {
			made, err = u.a.CreatePerson(ctx, n, by(c))
		}
	}
	if err != nil {
		return nil, refusal(err, "")
	}
	return u.oneUser(ctx, c, made.Entry)
}

// unknownPassword is long, of all kinds of characters, and told to nobody.
func (w *world) unknownPassword() (string, error) {
	raw := make([]byte, 24)
	if _, err := io.ReadFull(w.rand, raw); err != nil {
		return "", err
	}
	return "aA1-" + base64.RawURLEncoding.EncodeToString(raw), nil
}

// filled leaves out attributes without a value.
func filled(attributes map[string][]string) map[string][]string {
	out := make(map[string][]string, len(attributes))
	for name, list := range attributes {
		if len(list) > 0 {
			out[name] = list
		}
	}
	return out
}

func managerID(data resource.Object) string {
	manager, _ := resource.Get(data, schema.EnterpriseID, "manager").(resource.Object)
	id, _ := manager["value"].(string)
	return strings.ToLower(id)
}

func managers(dir, id string) ([]adapter.PersonKey, error) {
	if !possible(id) {
		return nil, fault.Bad(fault.InvalidValue, "manager: there is no %s", fault.Clip(id))
	}
	return []adapter.PersonKey{adapter.ByIdentity(dir, id)}, nil
}

// Write changes a person: what the change computes is compared with what there is, and no more than the difference is
// written, on condition that nobody else has written meanwhile.
func (u *Users) Write(ctx context.Context, c *scim.Call, id string, w *scim.Write) (*resource.Resource, error) {
	var out *resource.Resource
	err := u.write(ctx, c, adapter.KindPerson, id, w, func(p *present) (err error) {
		out, err = u.change(ctx, c, p, w)
		return err
	})
	return out, refusal(err, id)
}

func (u *Users) change(ctx context.Context, c *scim.Call, p *present, w *scim.Write) (*resource.Resource, error) {
	current, err := u.oneUser(ctx, everything(c), p.entry)
	if err != nil {
		return nil, err
	}
	next, changed, err := w.Apply(current.Data)
	if err != nil || !changed {
		return current, err
	}
	if err := mayWrite(c, next); err != nil {
		return nil, err
	}
	change, err := u.difference(c, p, current.Data, next)
	if err != nil {
		return nil, err
	}
	after, err := u.a.ChangePerson(ctx, adapter.ByID(p.entry.ID), change, by(c))
	if err != nil {
		return nil, err
	}
	return u.oneUser(ctx, c, after.Entry)
}

// difference is what has to be written to get from one state to the next.
func (u *Users) difference(c *scim.Call, p *present, current, next resource.Object) (adapter.PersonChange, error) {
	dir := p.entry.ID.Directory
	change := adapter.PersonChange{IfVersion: p.entry.Version}
	if name, _ := next["userName"].(string); name != current["userName"] {
		change.Username = &name
	}
	if active, ok := next["active"].(bool); ok && active != current["active"] {
		disabled := !active
		change.Disabled = &disabled
	}
	if password, ok := next["password"].(string); ok && password != "" {
		change.Password = &password
	}
	if id := managerID(next); id != managerID(current) {
		var list []adapter.PersonKey
		if id != "" {
			var err error
			if list, err = managers(dir, id); err != nil {
				return change, err
			}
		}
		change.Managers = &list
	}
	room := u.room(dir, adapter.KindPerson)
	was, is := u.user.Decode(current, room), u.user.Decode(next, room)
	change.Attributes = changedAttributes(was, is, change.Username != nil)
	change.Extras = changedExtras(c, p, current, next, was.Extras, is.Extras)
	return change, nil
}

// changedAttributes names what is different, with its new values.
func changedAttributes(was, is mapping.Parts, renamed bool) map[string][]string {
	out := map[string][]string{}
	for name, list := range is.Attributes {
		if !slices.Equal(list, was.Attributes[name]) {
			out[name] = list
		}
	}
	// Names that the client knows must not follow others, as names do that the directory was given on its own.
	if len(out) > 0 || renamed {
		for _, name := range []string{"common_name", "family_name"} {
			if list := is.Attributes[name]; len(list) > 0 {
				out[name] = list
			}
		}
	}
	return out
}

// Delete removes a person.
func (u *Users) Delete(ctx context.Context, c *scim.Call, id string, condition scim.Condition) error {
	if err := mayWrite(c, nil); err != nil {
		return err
	}
	return u.remove(ctx, c, adapter.KindPerson, id, condition, func(e *adapter.Entry, version string) error {
		return u.a.DeletePerson(ctx, adapter.ByID(e.ID), version, by(c))
	})
}

// remove deletes an entry; where the client names no version, in whatever version it is.
func (w *world) remove(ctx context.Context, c *scim.Call, kind adapter.Kind, id string, condition scim.Condition, remove func(*adapter.Entry, string) error) error {
	defer w.locks.Take(kind.String() + "\x00" + strings.ToLower(id))()
	if condition.Versions() == nil {
		e, err := w.find(ctx, kind, id)
		if err == nil {
			if err = condition.Check(""); err == nil {
				err = remove(e, "")
			}
		}
		return refusal(err, id)
	}
	var err error
	for try := range attempts {
		var p *present
		if p, err = w.begin(ctx, c, kind, id, condition, try > 0); err != nil {
			return err
		}
		if err = remove(p.entry, p.entry.Version); !stale(err) {
			break
		}
	}
	return refusal(err, id)
}
