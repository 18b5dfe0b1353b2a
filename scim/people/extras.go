package people

import (
	"bytes"
	"context"
	"encoding/json"

	"portico/adapter"
	"portico/scim"
	"portico/scim/mapping"
	"portico/scim/resource"
)

// extra is what is kept beside an entry.
type extra = adapter.Extra

// extras reads what is kept beside entries, in one query.
func (w *world) extras(ctx context.Context, c *scim.Call, entries []*adapter.Entry) (map[adapter.ID]extra, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	ids := make([]adapter.ID, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	found, err := w.a.Extras(ctx, ids, c.Principal.Domain)
	return found, refusal(err, "")
}

func (w *world) extraOf(ctx context.Context, c *scim.Call, e *adapter.Entry) (extra, error) {
	all, err := w.extras(ctx, c, []*adapter.Entry{e})
	return all[e.ID], err
}

// newExtras is what is kept beside an entry that is made; nil for nothing.
func newExtras(c *scim.Call, data resource.Object, extras mapping.Extras) *adapter.ExtraChange {
	change := &adapter.ExtraChange{Domain: c.Principal.Domain, Values: extras}
	if id, _ := data["externalId"].(string); id != "" {
		change.ExternalID = &id
	}
	if change.ExternalID == nil && len(extras) == 0 {
		return nil
	}
	return change
}

// changedExtras is what is different beside an entry; nil for nothing. It is written on condition that what is kept is
// still what the change was computed from.
func changedExtras(c *scim.Call, p *present, current, next resource.Object, was, is mapping.Extras) *adapter.ExtraChange {
	change := &adapter.ExtraChange{Domain: c.Principal.Domain, Values: map[string]json.RawMessage{}, IfRevision: &p.extra.Revision}
	for name, value := range is {
		if !bytes.Equal(value, was[name]) {
			change.Values[name] = value
		}
	}
	for name := range was {
		if _, stays := is[name]; !stays {
			change.Values[name] = json.RawMessage("null")
		}
	}
	// What the directory has taken over, or nobody can read, goes.
	for name := range p.extra.Values {
		_, stays := is[name]
		if _, known := was[name]; !stays && !known {
			change.Values[name] = json.RawMessage("null")
		}
	}
	old, _ := current["externalId"].(string)
	if id, _ := next["externalId"].(string); id != old {
		change.ExternalID = &id
	}
	if change.ExternalID == nil && len(change.Values) == 0 {
		return nil
	}
	return change
}
