package mirror

import (
	"context"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"portico/directory"
)

func (h *harness) same(what string, got []*directory.Entry, err error, want string) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
	var ids []string
	for _, e := range got {
		ids = append(ids, e.ID.String())
	}
	slices.Sort(ids)
	if g := strings.Join(ids, " "); g != want {
		h.t.Fatalf("%s: mirror has %q, model %q", what, g, want)
	}
}

// compare asks everything.
func (h *harness) compare() {
	if h.m.loading.Load() {
		h.refresh(h.t)
	}
	ctx := context.Background()
	h.compareKeys(ctx)
	h.compareLists(ctx)
	h.compareQueries(ctx)
	for id, e := range h.model.entries {
		got, err := h.m.Get(ctx, id)
		if err != nil {
			h.t.Fatal(id, err)
		}
		expected := e.e
		expected.Members = nil
		if diff := cmp.Diff(&expected, got); diff != "" {
			h.t.Fatalf("%s: %s", id, diff)
		}
		byDN, err := h.m.ByDN(ctx, id.Directory, h.model.key(e.e.DN))
		h.same("by dn", []*directory.Entry{byDN}, err, id.String())
		h.compareRelations(ctx, id, e)
	}
	for rank, d := range h.options.Directories {
		ids, err := h.m.Doubtful(ctx, d.Name, 1000)
		var got []*directory.Entry
		for _, id := range ids {
			got = append(got, &directory.Entry{ID: id})
		}
		h.same("doubtful", got, err, h.model.where(func(e *modelEntry) bool { return e.doubt && e.rank == rank }))
	}
}

func (h *harness) compareKeys(ctx context.Context) {
	for _, name := range modelNames {
		for _, login := range []string{directory.FoldName(name), directory.FoldName(name) + "@b"} {
			got, err := h.m.ByLogin(ctx, " "+strings.ToUpper(login))
			h.same("login "+login, got, err, h.model.people(func(e *directory.Entry) bool { return e.Login == login }))
		}
		got, err := h.m.ByMail(ctx, name+"@X.ORG")
		h.same("mail "+name, got, err, h.model.people(func(e *directory.Entry) bool { return e.Name == name }))
	}
	for _, name := range modelGroups {
		got, err := h.m.GroupByName(ctx, name)
		h.same("group "+name, got, err, h.model.where(func(e *modelEntry) bool {
			return e.e.Kind == directory.KindGroup && strings.EqualFold(e.e.Name, name)
		}))
		if len(got) > 1 && got[0].Name != name && slices.ContainsFunc(got, func(e *directory.Entry) bool { return e.Name == name }) {
			h.t.Fatalf("group %s: the exact spelling is not first", name)
		}
	}
	for _, text := range []string{"a", "an", "ann", "NN", "%", "n%", "_", "b_b", "0% bo", "müll", "δυσ", `q"t`, "'", "anna m", "@b", "zzz", "*"} {
		has := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(text)) }
		got, err := h.m.SearchPeople(ctx, text, 1000)
		h.same("people "+text, got, err, h.model.people(func(e *directory.Entry) bool { return has(e.Login) || has(e.DisplayName()) }))
		got, err = h.m.SearchGroups(ctx, text, 1000)
		h.same("groups "+text, got, err, h.model.where(func(e *modelEntry) bool { return e.e.Kind == directory.KindGroup && has(e.e.Name) }))
	}
}

func (h *harness) compareLists(ctx context.Context) {
	for _, kind := range []directory.Kind{directory.KindPerson, directory.KindGroup} {
		for rank, name := range []string{"corp", "branch", "third", ""} {
			expected := h.model.where(func(e *modelEntry) bool {
				return e.e.Kind == kind && h.model.visible(e) && (name == "" || e.rank == rank)
			})
			n, err := h.m.Count(ctx, kind, name)
			if err != nil || n != len(strings.Fields(expected)) {
				h.t.Fatalf("count of %s in %q: %d, %v; model %q", kind, name, n, err, expected)
			}
			for _, by := range []string{SortID, SortName, SortDisplay, directory.AttrGivenName, directory.AttrModified, "title"} {
				for _, down := range []bool{false, true} {
					h.pages(ctx, Query{Kind: kind, Directory: name, SortBy: by, Descending: down, Limit: 2}, expected)
				}
			}
		}
	}
}

// pages reads a list in pages and checks its order.
func (h *harness) pages(ctx context.Context, q Query, expected string) {
	var all []*directory.Entry
	for {
		p, err := h.m.ListPage(ctx, q)
		if err != nil {
			h.t.Fatal(err)
		}
		byOffset, err := h.m.List(ctx, Query{
			Kind: q.Kind, Directory: q.Directory, SortBy: q.SortBy, Descending: q.Descending, Limit: 2, Offset: len(all),
		})
		if diff := cmp.Diff(p.Entries, byOffset); diff != "" || err != nil {
			h.t.Fatal("offset and position disagree", diff, err)
		}
		all = append(all, p.Entries...)
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	h.same("list", all, nil, expected)
	key := func(e *directory.Entry) string {
		switch {
		case q.SortBy == SortDisplay:
			return directory.FoldName(e.DisplayName())
		case e.Kind == directory.KindPerson:
			return e.Login
		}
		return directory.FoldName(e.Name)
	}
	if (q.SortBy == SortName || q.SortBy == SortDisplay) && !slices.IsSortedFunc(all, func(a, b *directory.Entry) int {
		if q.Descending {
			a, b = b, a
		}
		return strings.Compare(key(a), key(b))
	}) {
		h.t.Fatalf("list %+v is not sorted", q)
	}
}

func (h *harness) compareRelations(ctx context.Context, id directory.ID, e *modelEntry) {
	for _, nested := range []bool{false, true} {
		got, err := h.m.GroupsOf(ctx, id, nested)
		h.same("groups of", got, err, h.model.groupsOf(e, nested))
		if e.e.Kind != directory.KindGroup {
			continue
		}
		got, err = h.m.SubgroupsOf(ctx, id, nested)
		h.same("subgroups of", got, err, h.model.subgroupsOf(e, nested))
		people := h.model.membersOf(e, nested)
		var all []*directory.Entry
		for next := ""; ; {
			got, after, err := h.m.MembersOf(ctx, id, nested, 1, next)
			if err != nil {
				h.t.Fatal(err)
			}
			all = append(all, got...)
			if next = after; next == "" {
				break
			}
		}
		h.same("members of "+id.String(), all, nil, people)
		if n, err := h.m.CountMembers(ctx, id, nested); err != nil || n != len(all) {
			h.t.Fatalf("count of members: %d, %v", n, err)
		}
		for other, o := range h.model.entries {
			got, err := h.m.IsMember(ctx, id, other, nested)
			if err != nil || got != h.model.inside(e, nested)[o] {
				h.t.Fatalf("%s in %s: %v %v", other, id, got, err)
			}
		}
	}
	if e.e.Kind != directory.KindPerson {
		return
	}
	got, err := h.m.ManagedBy(ctx, id)
	h.same("managed by", got, err, h.model.where(func(o *modelEntry) bool {
		return o.e.Kind == directory.KindPerson && h.model.visible(o) && slices.Contains(h.model.targets(o, relManager), e)
	}))
	got, err = h.m.ManagersOf(ctx, id)
	bosses := h.model.targets(e, relManager)
	h.same("managers of", got, err, h.model.where(func(o *modelEntry) bool {
		return o.e.Kind == directory.KindPerson && h.model.visible(o) && slices.Contains(bosses, o)
	}))
	for other, o := range h.model.entries {
		if yes, err := h.m.IsManagerOf(ctx, other, id); err != nil || yes != slices.Contains(bosses, o) {
			h.t.Fatalf("%s manages %s: %v %v", other, id, yes, err)
		}
	}
}
