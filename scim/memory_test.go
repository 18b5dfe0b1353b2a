package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"portico/scim"
	"portico/scim/fault"
	"portico/scim/resource"
	"portico/scim/schema"
)

// memory keeps the resources of all types of a test in memory, as a directory would: what can be had from other
// resources is computed when it is asked for, and references must point at something.
type memory struct {
	mu       sync.Mutex
	now      func() time.Time
	next     int
	stored   map[string]map[string]*resource.Resource // type → id
	password map[string]string
	reads    int // of whole resources
	fail     error
	byMember int // writes of members that needed no reading
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, stored: map[string]map[string]*resource.Resource{}, password: map[string]string{}}
}

// handler is the part of a memory that keeps one type.
type handler struct {
	*memory
	t *schema.Type
}

func (m *memory) of(t *schema.Type) *handler {
	m.stored[t.Name] = map[string]*resource.Resource{}
	return &handler{m, t}
}

func (h *handler) unique() string {
	if h.t.Name == "Group" {
		return "displayName"
	}
	return "userName"
}

// taken tells whether another resource has the name.
func (h *handler) taken(id string, data resource.Object) error {
	name, _ := data[h.unique()].(string)
	for _, other := range h.stored[h.t.Name] {
		if text, _ := other.Data[h.unique()].(string); other.ID != id && resource.FoldName(text) == resource.FoldName(name) {
			return fault.Taken(h.unique())
		}
	}
	return nil
}

// refers checks that references point at something that is there.
func (h *handler) refers(id string, data resource.Object) error {
	members, _ := data["members"].([]any)
	for _, member := range members {
		value, _ := member.(resource.Object)["value"].(string)
		switch {
		case value == id:
			return fault.Bad(fault.InvalidValue, "a group cannot contain itself")
		case h.stored["User"][value] == nil && h.stored["Group"][value] == nil:
			return fault.Bad(fault.InvalidValue, "members: there is no %s", value)
		}
	}
	manager, _ := resource.Get(data, schema.EnterpriseID, "manager").(resource.Object)
	if value, _ := manager["value"].(string); value != "" && h.stored["User"][value] == nil {
		return fault.Bad(fault.InvalidValue, "manager: there is no %s", value)
	}
	return nil
}

func (h *handler) keep(id string, data resource.Object, created time.Time) *resource.Resource {
	data = resource.CloneObject(data)
	if password, ok := data["password"].(string); ok {
		h.password[id] = password
		delete(data, "password")
	}
	if h.t.Name == "User" && data["active"] == nil {
		data["active"] = true
	}
	h.next++
	r := &resource.Resource{
		Type: h.t, ID: id, Created: created, Modified: h.now(), Version: fmt.Sprintf("v%d", h.next), Data: data,
	}
	h.stored[h.t.Name][id] = r
	return h.shown(r)
}

// shown adds what is computed.
func (h *handler) shown(r *resource.Resource) *resource.Resource {
	copied := *r
	copied.Data = resource.CloneObject(r.Data)
	if h.t.Name == "User" {
		var groups []any
		for _, id := range sorted(h.stored["Group"]) {
			g := h.stored["Group"][id]
			members, _ := g.Data["members"].([]any)
			for _, member := range members {
				if member.(resource.Object)["value"] == r.ID {
					groups = append(groups, resource.Object{"value": id, "display": g.Data["displayName"], "type": "direct"})
				}
			}
		}
		resource.Set(copied.Data, "", "groups", groups)
		if manager, ok := resource.Get(copied.Data, schema.EnterpriseID, "manager").(resource.Object); ok {
			id, _ := manager["value"].(string)
			full := resource.Object{"value": id}
			if boss := h.stored["User"][id]; boss != nil && boss.Data["displayName"] != nil {
				full["displayName"] = boss.Data["displayName"]
			}
			resource.Set(copied.Data, schema.EnterpriseID, "manager", full)
		}
		return &copied
	}
	members, _ := copied.Data["members"].([]any)
	for _, member := range members {
		o := member.(resource.Object)
		id := o["value"].(string)
		o["type"] = "User"
		if h.stored["Group"][id] != nil {
			o["type"] = "Group"
		}
	}
	return &copied
}

func sorted(m map[string]*resource.Resource) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (h *handler) Create(_ context.Context, _ *scim.Call, data resource.Object) (*resource.Resource, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return nil, h.fail
	}
	if err := h.taken("", data); err != nil {
		return nil, err
	}
	if err := h.refers("", data); err != nil {
		return nil, err
	}
	h.next++
	return h.keep(fmt.Sprintf("%s%04d", strings.ToLower(h.t.Name[:1]), h.next), data, h.now()), nil
}

func (h *handler) find(id string) (*resource.Resource, error) {
	if h.fail != nil {
		return nil, h.fail
	}
	r := h.stored[h.t.Name][id]
	if r == nil {
		return nil, fault.NotFound(id)
	}
	return r, nil
}

func (h *handler) Get(_ context.Context, _ *scim.Call, id string) (*resource.Resource, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.find(id)
	if err != nil {
		return nil, err
	}
	h.reads++
	return h.shown(r), nil
}

func (h *handler) Delete(_ context.Context, _ *scim.Call, id string, condition scim.Condition) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.find(id)
	if err != nil {
		return err
	}
	if err := condition.Check(r.Version); err != nil {
		return err
	}
	delete(h.stored[h.t.Name], id)
	for _, g := range h.stored["Group"] {
		members, _ := g.Data["members"].([]any)
		resource.Set(g.Data, "", "members", slices.DeleteFunc(slices.Clone(members), func(m any) bool {
			return m.(resource.Object)["value"] == id
		}))
	}
	return nil
}

func (h *handler) Write(_ context.Context, _ *scim.Call, id string, w *scim.Write) (*resource.Resource, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.find(id)
	if err != nil {
		return nil, err
	}
	if err := w.Condition.Check(r.Version); err != nil {
		return nil, err
	}
	current := h.shown(r).Data
	if w.Members != nil {
		h.byMember++
	}
	next, changed, err := w.Apply(current)
	if err != nil || !changed {
		return h.shown(r), err
	}
	if err := h.taken(id, next); err != nil {
		return nil, err
	}
	if err := h.refers(id, next); err != nil {
		return nil, err
	}
	next = resource.CloneObject(next)
	delete(next, "groups")
	return h.keep(id, next, r.Created), nil
}

// order is what a resource is sorted by.
type order struct {
	Absent bool
	Key    string
	ID     string
}

func orderOf(r *resource.Resource, path schema.Path) order {
	o := order{ID: r.ID}
	if path.Attribute == nil {
		return o
	}
	if path.Common {
		switch path.Leaf().Name {
		case "externalId":
			o.Key, _ = r.Data["externalId"].(string)
		case "created":
			o.Key = resource.FormatTime(r.Created)
		case "lastModified":
			o.Key = resource.FormatTime(r.Modified)
		}
	} else {
		o.Key = keyOf(resource.Get(r.Data, path.Extension, path.Attribute.Name), path)
	}
	o.Absent = o.Key == ""
	return o
}

func keyOf(value any, path schema.Path) string {
	switch v := value.(type) {
	case []any:
		first := any(nil)
		for _, element := range v {
			if o, ok := element.(resource.Object); first == nil || ok && o["primary"] == true {
				first = element
			}
		}
		return keyOf(first, path)
	case resource.Object:
		if path.Sub == nil {
			return ""
		}
		return keyOf(v[path.Sub.Name], path)
	case string:
		return resource.Key(path.Leaf(), v)
	case bool:
		return fmt.Sprint(v)
	case json.Number:
		return fmt.Sprintf("%020s", v)
	}
	return ""
}

func compareOrders(a, b order, descending bool) int {
	c := strings.Compare(a.Key, b.Key)
	if a.Absent != b.Absent {
		c = -1
		if a.Absent {
			c = 1
		}
	}
	if descending {
		c = -c
	}
	if c == 0 {
		c = strings.Compare(a.ID, b.ID)
	}
	return c
}

func (h *handler) List(_ context.Context, _ *scim.Call, q *scim.Query) (*scim.Page, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fail != nil {
		return nil, h.fail
	}
	var found []*resource.Resource
	for _, r := range h.stored[h.t.Name] {
		if shown := h.shown(r); q.Filter == nil || q.Filter.Match(shown) {
			found = append(found, shown)
		}
	}
	slices.SortFunc(found, func(a, b *resource.Resource) int {
		return compareOrders(orderOf(a, q.Sort), orderOf(b, q.Sort), q.Descending)
	})
	page := &scim.Page{Total: len(found)}
	from := min(q.Offset, len(found))
	if len(q.After) > 0 {
		var after order
		if err := json.NewDecoder(bytes.NewReader(q.After)).Decode(&after); err != nil {
			return nil, err
		}
		for from = 0; from < len(found) && compareOrders(orderOf(found[from], q.Sort), after, q.Descending) <= 0; from++ {
		}
	}
	to := min(from+q.Limit, len(found))
	page.Resources = found[from:to]
	if to < len(found) && to > from {
		page.Next, _ = json.Marshal(orderOf(found[to-1], q.Sort))
	}
	return page, nil
}
