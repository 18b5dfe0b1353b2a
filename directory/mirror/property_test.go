package mirror

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"portico/directory"
)

// TestProperty_AgreesWithModel does random things to a mirror and to a naive
// model of it, and asks both everything.
func TestProperty_AgreesWithModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		h := &harness{t: rt, path: path, options: testOptions("corp", "branch@b", "third")}
		h.model = &model{suffixes: []string{"", "b", ""}, entries: make(map[directory.ID]*modelEntry)}
		h.open()
		defer func() {
			_ = h.m.Close()
			_ = os.Remove(path)
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"upsert": h.upsert, "delete": h.remove, "refresh": h.refresh, "rename": h.rename,
			"again": h.again, "reopen": h.reopen, "": func(*rapid.T) {},
		})
		h.compare()
	})
}

type harness struct {
	t       *rapid.T
	path    string
	options Options
	m       *Mirror
	model   *model
}

var (
	modelNames  = []string{"ann", "Bob", "ann%", "b_b", "Ünal", "o'x", `q"t`, "ann@b"}
	modelGroups = []string{"Staff", "staff", "Ops", "Öl*", "a_b"}
	modelPlaces = []string{"ou=people", "ou=Groups", "ou=north,ou=people", `ou=a\, b`}
)

func modelBase(rank int) string { return fmt.Sprintf("dc=d%d,dc=org", rank) }

func (h *harness) open() {
	m, err := Open(context.Background(), h.path, quiet(), h.options)
	if err != nil {
		h.t.Fatal(err)
	}
	h.m = m
}

func (h *harness) reopen(*rapid.T) {
	if h.m.loading.Load() {
		h.refresh(h.t) // a first load that is cut short is begun anew, which is tested elsewhere
	}
	if err := h.m.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

func (h *harness) rank() int { return rapid.IntRange(0, 2).Draw(h.t, "rank") }

func (h *harness) taken(id directory.ID, dn string) bool {
	for other, e := range h.model.entries {
		if other != id && h.model.key(e.e.DN) == h.model.key(dn) {
			return true
		}
	}
	return false
}

// dns are DNs to refer to: of what is there, and of what is not.
func (h *harness) dns(name string) []string {
	pool := []string{"cn=nobody,dc=org", "not a dn", "cn=Staff,ou=Groups," + modelBase(0), "uid=ANN , ou=people," + modelBase(1)}
	for _, e := range h.model.entries {
		pool = append(pool, e.e.DN)
	}
	slices.Sort(pool)
	return rapid.SliceOfN(rapid.SampledFrom(pool), 0, 4).Draw(h.t, name)
}

// entry draws content for an id of a directory; the kind belongs to the id.
func (h *harness) entry(rank int) *directory.Entry {
	number := rapid.IntRange(0, 11).Draw(h.t, "entry")
	e := &directory.Entry{
		ID:      directory.ID{Directory: h.options.Directories[rank].Name, Stable: fmt.Sprintf("s%02d", number)},
		Version: rapid.SampledFrom([]string{"1", "2"}).Draw(h.t, "version"),
	}
	place := rapid.SampledFrom(modelPlaces).Draw(h.t, "place") + "," + modelBase(rank)
	switch {
	case number < 6:
		e.Kind, e.Name = directory.KindPerson, rapid.SampledFrom(modelNames).Draw(h.t, "name")
		e.DN = "uid=" + strings.ReplaceAll(e.Name, `"`, `\"`) + "," + place
		e.Login = directory.FoldName(e.Name)
		if rank == 1 {
			e.Login += "@b"
		}
		e.Attributes = directory.Attributes{directory.AttrMail: {e.Name + "@x.org", "all@x.org"}}
		if d := rapid.SampledFrom([]string{"", "Anna Müller", "100% Bob", "ΟΔΥΣΣΕΥΣ _"}).Draw(h.t, "display"); d != "" {
			e.Attributes[directory.AttrName] = []string{d}
		}
		if m := h.dns("manager"); len(m) > 0 {
			e.Attributes[directory.AttrManager] = m
		}
	case number < 10:
		e.Kind, e.Name = directory.KindGroup, rapid.SampledFrom(modelGroups).Draw(h.t, "name")
		e.DN = "cn=" + e.Name + "," + place
		if e.MembersByName = rapid.Bool().Draw(h.t, "byname"); e.MembersByName {
			e.Members = rapid.SliceOfN(rapid.SampledFrom(modelNames), 0, 4).Draw(h.t, "members")
		} else {
			e.Members = h.dns("members")
		}
	default:
		e.Kind, e.Name = directory.KindContainer, "people"
		e.DN = rapid.SampledFrom(modelPlaces).Draw(h.t, "container") + "," + modelBase(rank)
	}
	return e
}

func (h *harness) apply(rank int, b Batch) {
	if err := h.m.Apply(context.Background(), h.options.Directories[rank].Name, b); err != nil {
		h.t.Fatal(err)
	}
}

// fits tells whether a directory could hold the entry: its DN is free, and a
// container that moves does not move into itself or onto others' names.
func (h *harness) fits(e *directory.Entry) bool {
	if h.taken(e.ID, e.DN) {
		return false
	}
	old := h.model.entries[e.ID]
	if old == nil || h.model.key(old.e.DN) == h.model.key(e.DN) {
		return true
	}
	for _, other := range h.model.entries {
		k := h.model.key(other.e.DN)
		if strings.HasSuffix(k, ","+h.model.key(e.DN)) {
			return false
		}
	}
	return !strings.HasSuffix(h.model.key(e.DN), ","+h.model.key(old.e.DN))
}

func (h *harness) upsert(*rapid.T) {
	rank := h.rank()
	if e := h.entry(rank); h.fits(e) {
		h.apply(rank, Batch{Upserts: []*directory.Entry{e}})
		h.model.upsert(rank, e)
	}
}

func (h *harness) pick() *modelEntry {
	var ids []string
	for id := range h.model.entries {
		ids = append(ids, id.String())
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	chosen := rapid.SampledFrom(ids).Draw(h.t, "pick")
	for id, e := range h.model.entries {
		if id.String() == chosen {
			return e
		}
	}
	return nil
}

// rename moves a known entry, with what is below it.
func (h *harness) rename(*rapid.T) {
	p := h.pick()
	if p == nil {
		return
	}
	e := p.e
	rdn := cutDN(e.DN, 1)
	if e.Kind == directory.KindContainer {
		rdn = rapid.SampledFrom([]string{"ou=moved", `ou=a\,b`, "ou=people"}).Draw(h.t, "rdn")
	}
	e.DN = rdn + "," + rapid.SampledFrom([]string{"", "ou=new,"}).Draw(h.t, "below") + modelBase(p.rank)
	if h.fits(&e) {
		h.apply(p.rank, Batch{Upserts: []*directory.Entry{&e}})
		h.model.upsert(p.rank, &e)
	}
}

// again applies what is there: nothing may change.
func (h *harness) again(*rapid.T) {
	p := h.pick()
	if p == nil || h.m.loading.Load() {
		return
	}
	doubt, before := p.doubt, h.m.Revision()
	e := p.e
	h.apply(p.rank, Batch{Upserts: []*directory.Entry{&e}})
	h.model.upsert(p.rank, &e)
	if !doubt && h.m.Revision() != before {
		h.t.Fatalf("applying %s again was a change", e.ID)
	}
}

func (h *harness) remove(*rapid.T) {
	if p := h.pick(); p != nil {
		h.apply(p.rank, Batch{Deletes: []string{p.e.ID.Stable, "unknown"}})
		h.model.remove(p.e.ID)
	}
}

// refresh reads a directory anew: some entries changed, some new, some gone.
func (h *harness) refresh(*rapid.T) {
	ctx := context.Background()
	rank := h.rank()
	name := h.options.Directories[rank].Name
	r, err := h.m.BeginRefresh(ctx, name)
	if err != nil {
		h.t.Fatal(err)
	}
	r.AllowSweep()
	kept := make(map[directory.ID]bool)
	var ids []directory.ID
	for id, e := range h.model.entries {
		if e.rank == rank {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b directory.ID) int { return strings.Compare(a.Stable, b.Stable) })
	first := h.m.loading.Load()
	put := func(e *directory.Entry) {
		kept[e.ID] = true
		h.model.upsert(rank, e)
		if first {
			h.model.forgetHistory()
		}
		if err := r.Upsert(ctx, []*directory.Entry{e}); err != nil {
			h.t.Fatal(err)
		}
	}
	for _, id := range ids {
		switch rapid.IntRange(0, 3).Draw(h.t, "fate") {
		case 0:
			if first {
				put(ptr(h.model.entries[id].e))
				continue
			}
			kept[id] = true
			if err := r.Present(ctx, []string{id.Stable}); err != nil {
				h.t.Fatal(err)
			}
		case 1, 2:
			put(ptr(h.model.entries[id].e))
		}
	}
	for range rapid.IntRange(0, 4).Draw(h.t, "more") {
		e := h.entry(rank)
		if first && kept[e.ID] && e.Kind == directory.KindContainer {
			continue // a first load does not follow a container that moves while it runs
		}
		if h.fits(e) {
			put(e)
		}
	}
	if _, err := r.Complete(ctx, "cookie"); err != nil {
		h.t.Fatal(err)
	}
	for _, id := range ids {
		if !kept[id] {
			h.model.remove(id)
		}
	}
	if !first {
		h.compare()
	}
}

func ptr[T any](v T) *T { return &v }

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
			for _, by := range []Sort{SortName, SortDisplay, SortModified} {
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
		case q.SortBy == SortModified:
			return ""
		case e.Kind == directory.KindPerson:
			return e.Login
		}
		return directory.FoldName(e.Name)
	}
	if !slices.IsSortedFunc(all, func(a, b *directory.Entry) int {
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
