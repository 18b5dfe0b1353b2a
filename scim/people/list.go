package people

import (
	"context"
	"fmt"
	"strings"

	"portico/adapter"
	"portico/scim"
	"portico/scim/filter"
	"portico/scim/resource"
)

// List answers a query about people.
func (u *Users) List(ctx context.Context, c *scim.Call, q *scim.Query) (*scim.Page, error) {
	if name, ok := equality(q.Filter, "userName"); ok && q.Offset == 0 && q.After == nil {
		if page, ok, err := u.byName(ctx, c, q, name); ok || err != nil {
			return page, err
		}
	}
	page, err := u.page(ctx, c, adapter.KindPerson, q)
	if err != nil {
		return nil, err
	}
	out := &scim.Page{Total: page.Total}
	if page.Next != "" {
		out.Next = []byte(page.Next)
	}
	out.Resources, err = u.usersOf(ctx, c, page.Entries)
	return out, err
}

// List answers a query about groups.
func (g *Groups) List(ctx context.Context, c *scim.Call, q *scim.Query) (*scim.Page, error) {
	page, err := g.page(ctx, c, adapter.KindGroup, q)
	if err != nil {
		return nil, err
	}
	out := &scim.Page{Total: page.Total}
	if page.Next != "" {
		out.Next = []byte(page.Next)
	}
	out.Resources, err = g.groupsOf(ctx, c, page.Entries, true)
	return out, err
}

// equality tells whether a filter asks for one value of an attribute and nothing else.
func equality(n *filter.Node, path string) (string, bool) {
	if n == nil || n.Kind != filter.Compare || n.Op != filter.Eq || n.Lacking || n.Value.Null || n.Path.String() != path {
		return "", false
	}
	return n.Value.Text, true
}

// byName answers for one login name by a look-up, which asks LDAP where the read model knows nobody. The second result is
// false when that cannot say.
func (u *Users) byName(ctx context.Context, c *scim.Call, q *scim.Query, name string) (*scim.Page, bool, error) {
	if strings.TrimSpace(name) == "" {
		return nil, false, nil
	}
	e, err := u.a.PersonEntry(ctx, adapter.ByUsername(name))
	switch {
	case err != nil && adapter.KindOf(err) == adapter.NotFound:
		return &scim.Page{}, true, nil
	case err != nil && adapter.KindOf(err) == adapter.Ambiguous:
		return nil, false, nil
	case err != nil:
		return nil, false, refusal(err, "")
	}
	r, err := u.oneUser(ctx, c, e)
	switch {
	case err != nil:
		return nil, false, err
	case !q.Filter.Match(r):
		return &scim.Page{}, true, nil
	case q.Limit < 1:
		return &scim.Page{Total: 1}, true, nil
	}
	return &scim.Page{Total: 1, Resources: []*resource.Resource{r}}, true, nil
}

// page asks the read model. What it cannot tell exactly is looked at entry by entry.
func (w *world) page(ctx context.Context, c *scim.Call, kind adapter.Kind, q *scim.Query) (adapter.EntryPage, error) {
	m := w.mappingOf(kind)
	query := adapter.ListQuery{
		Kind: kind, Descending: q.Descending, Offset: q.Offset, Limit: q.Limit, After: string(q.After), Total: true,
		ScanLimit: w.cfg.ScanLimit, Now: w.now(),
	}
	if query.Limit == 0 {
		query.Limit = -1
	}
	if q.Sort.Attribute != nil {
		query.SortBy, _ = m.Sort(q.Sort)
		query.Exact = query.SortBy != "" && q.Sort.Leaf().CaseExact && !ordered[query.SortBy]
	}
	where, exact := m.Predicate(q.Filter)
	query.Where = where
	if value, ok := equality(q.Filter, "externalId"); ok {
		ids, err := w.a.FindByExternalID(ctx, kind, c.Principal.Domain, value)
		if err != nil {
			return adapter.EntryPage{}, refusal(err, "")
		}
		query.Where, exact = anyOf(ids), true
	}
	if !exact {
		if err := w.narrow(ctx, c, &query, m.Type.Name, q.Filter); err != nil {
			return adapter.EntryPage{}, err
		}
	}
	page, err := w.a.Entries(ctx, query)
	return page, refusal(err, "")
}

// anyOf asks for entries by their identities.
func anyOf(ids []adapter.ID) *adapter.Predicate {
	p := &adapter.Predicate{Node: adapter.NodeOr}
	for _, id := range ids {
		p.Of = append(p.Of, &adapter.Predicate{Node: adapter.NodeAnd, Of: []*adapter.Predicate{
			{Node: adapter.NodeCompare, Attribute: "id", Op: adapter.OpEqual, Value: id.Stable},
			{Node: adapter.NodeCompare, Attribute: "directory", Op: adapter.OpEqual, Value: id.Directory, Exact: true},
		}})
	}
	return p
}

// ordered are attributes whose order has no letter case.
var ordered = map[string]bool{"id": true, "created": true, "modified": true}

// narrow lets through only entries that satisfy the filter.
func (w *world) narrow(ctx context.Context, c *scim.Call, query *adapter.ListQuery, kind string, n *filter.Node) error {
	if !w.needsMore(query.Kind, n) {
		query.Keep = func(e *adapter.Entry) bool { return n.Match(w.bare(e)) }
		query.KeepKey = fmt.Sprintf("scim %s %s", kind, n.Key())
		return nil
	}
	fits, err := w.scan(ctx, c, *query, n)
	if err != nil {
		return err
	}
	query.Keep = func(e *adapter.Entry) bool { return fits[e.ID] }
	return nil
}

// bare is a resource as far as its entry alone tells.
func (w *world) bare(e *adapter.Entry) *resource.Resource {
	r := w.resourceOf(e, w.mappingOf(e.Kind).Type, extra{})
	if e.Kind == adapter.KindGroup {
		r.Data["displayName"] = e.Name
		return r
	}
	r.Data["userName"], r.Data["active"] = userName(e), w.a.Active(e, w.now())
	return r
}

// needsMore tells whether a filter asks for what an entry alone does not tell: references, extras, versions.
func (w *world) needsMore(kind adapter.Kind, n *filter.Node) bool {
	if n == nil {
		return false
	}
	for _, child := range n.Children {
		if w.needsMore(kind, child) {
			return true
		}
	}
	if n.Kind != filter.Compare && n.Kind != filter.Element {
		return false
	}
	return n.Path.Attribute == nil || !w.mappingOf(kind).Alone(n.Path)
}

// scanPage is how many entries are looked at between two looks at what belongs to them.
const scanPage = 1000

// scan finds everything that satisfies a filter by looking at whole resources, page by page.
func (w *world) scan(ctx context.Context, c *scim.Call, query adapter.ListQuery, n *filter.Node) (map[adapter.ID]bool, error) {
	query.SortBy, query.Descending, query.Offset, query.After, query.Limit, query.Total = "", false, 0, "", scanPage, false
	fits, seen := map[adapter.ID]bool{}, 0
	all := everything(c)
	for {
		page, err := w.a.Entries(ctx, query)
		if err != nil {
			return nil, refusal(err, "")
		}
		if seen += len(page.Entries); seen > w.cfg.ScanLimit {
			return nil, invalid(nil, "scan", "")
		}
		var list []*resource.Resource
		if query.Kind == adapter.KindGroup {
			list, err = w.groupsOf(ctx, all, page.Entries, false)
		} else {
			list, err = w.usersOf(ctx, all, page.Entries)
		}
		if err != nil {
			return nil, err
		}
		for i, r := range list {
			if n.Match(r) {
				fits[page.Entries[i].ID] = true
			}
		}
		if query.After = page.Next; page.Next == "" {
			return fits, nil
		}
	}
}
