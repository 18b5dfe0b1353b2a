package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"portico/directory"
)

func TestMany(t *testing.T) {
	bg := context.Background()
	m := loaded(t, "corp", "branch")
	apply(t, m, "corp", person("ann"), person("bob", managers(dnOf("ann"))), person("cy", managers(dnOf("ann"), dnOf("bob"))),
		group("staff", dnOf("ann"), dnOf("bob"), "cn=ops,ou=groups,"+base), group("ops", dnOf("cy")))
	apply(t, m, "branch", person("ann2", in("branch"), func(e *directory.Entry) { e.ID.Stable = "id-ann" }))
	all := []directory.ID{id("cy"), id("nobody"), id("ann"), id("bob"), id("ann"), {Directory: "no", Stable: "id-bob"}}

	got, err := m.GetMany(bg, all)
	want(t, "many", sorted(stables(got, err)), "ann bob cy")
	groups, err := m.GroupsOfMany(bg, all)
	if err != nil || len(groups) != 3 {
		t.Fatal(groups, err)
	}
	want(t, "groups of ann", stables(groups[id("ann")], nil), "staff")
	want(t, "groups of cy", stables(groups[id("cy")], nil), "ops")
	bosses, err := m.ManagersOfMany(bg, all)
	want(t, "managers of cy", stables(bosses[id("cy")], err), "ann bob")
	if len(bosses) != 2 {
		t.Error(bosses)
	}

	var names []string
	for after := ""; ; {
		members, next, err := m.MemberIDs(bg, id("staff"), 1, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range members {
			names = append(names, r.Kind.String()+" "+r.ID.Stable)
		}
		if after = next; after == "" {
			break
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"group id-ops", "person id-ann", "person id-bob"}) {
		t.Error(names)
	}
	if n, err := m.CountMemberIDs(bg, id("staff")); n != 3 || err != nil {
		t.Error(n, err)
	}
	is, err := m.AreMembers(bg, id("staff"), append(all, id("ops"), directory.ID{Directory: "branch", Stable: "id-ann"}))
	if err != nil || len(is) != 3 || !is[id("ann")] || !is[id("bob")] || !is[id("ops")] {
		t.Error(is, err)
	}
	if _, err := m.AreMembers(bg, id("gone"), all); !errors.Is(err, directory.ErrNotFound) {
		t.Error(err)
	}
}

// TestList_PositionsOutliveTheFile: a page position means the same after a
// restart and in another process, and what comes and goes between pages makes
// nobody else appear twice or not at all.
func TestList_PositionsOutliveTheFile(t *testing.T) {
	bg := context.Background()
	one, other := loaded(t, "corp"), loaded(t, "corp")
	for i := range 30 {
		p := person(fmt.Sprintf("p%02d", i), func(e *directory.Entry) { e.Attributes[directory.AttrFamilyName] = []string{"Same"} })
		apply(t, one, "corp", p)
	}
	for i := range 30 { // met in another order
		p := person(fmt.Sprintf("p%02d", 29-i), func(e *directory.Entry) { e.Attributes[directory.AttrFamilyName] = []string{"Same"} })
		apply(t, other, "corp", p)
	}
	q := Query{Kind: directory.KindPerson, SortBy: directory.AttrFamilyName, Limit: 7, Total: true}
	var seen []string
	for i := 0; ; i++ {
		m := []*Mirror{one, other}[i%2]
		page, err := m.ListPage(bg, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			seen = append(seen, e.Name)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
		for _, each := range []*Mirror{one, other} { // one that was shown goes, one comes before the position
			remove(t, each, "corp", fmt.Sprintf("id-p%02d", i))
			apply(t, each, "corp", person(fmt.Sprintf("p00%d", i), func(e *directory.Entry) { e.Attributes[directory.AttrFamilyName] = []string{"Same"} }))
		}
	}
	if len(seen) != 30 || !slices.IsSorted(seen) {
		t.Error(len(seen), seen)
	}
	q.After = (&position{Order: "given_name", Stable: "x"}).token()
	if _, err := one.ListPage(bg, q); !errors.Is(err, ErrPosition) {
		t.Error("a position of another order", err)
	}
}

func TestList_Bounds(t *testing.T) {
	bg := context.Background()
	m := loaded(t, "corp")
	for i := range 20 {
		apply(t, m, "corp", person(fmt.Sprintf("p%02d", i), func(e *directory.Entry) { e.Attributes["title"] = []string{"Boss"} }))
	}
	title := directory.Compare("title", directory.OpContains, "boss")
	q := Query{Kind: directory.KindPerson, Where: title, Total: true, ScanLimit: 19}
	if _, err := m.ListPage(bg, q); !errors.Is(err, ErrScan) {
		t.Error("a scan over the limit", err)
	}
	q.Where = directory.And(title, directory.Compare(directory.AttrLogin, directory.OpStarts, "p0"))
	if p, err := m.ListPage(bg, q); err != nil || p.Total != 10 || len(p.Entries) != 10 {
		t.Error("an indexed part bounds the scan", p.Total, err)
	}
	q.Where = directory.Compare(directory.AttrManager, directory.OpStarts, "x")
	if _, err := m.ListPage(bg, q); !errors.Is(err, directory.ErrPredicate) {
		t.Error("a reference has no order", err)
	}
	deep := title
	for range 100 {
		deep = directory.Not(deep)
	}
	q.Where = deep
	if _, err := m.ListPage(bg, q); !errors.Is(err, directory.ErrPredicate) {
		t.Error("deep", err)
	}
	many := directory.Or()
	for i := range directory.PredicateComparisons {
		many.Of = append(many.Of, directory.Compare(directory.AttrMail, directory.OpEqual, fmt.Sprintf("p%02d@example.org", i)))
	}
	q.Where, q.ScanLimit = many, 0
	if p, err := m.ListPage(bg, q); err != nil || p.Total != 20 {
		t.Error("the largest", p.Total, err)
	}
	ended, cancel := context.WithCancel(bg)
	cancel()
	if _, err := m.ListPage(ended, q); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestList_CountsOnce: a total is counted once for each predicate and revision.
func TestList_CountsOnce(t *testing.T) {
	bg := context.Background()
	m := loaded(t, "corp")
	apply(t, m, "corp", person("ann"), person("bob"))
	looked := 0
	q := Query{
		Kind: directory.KindPerson, Limit: -1, Total: true, KeepKey: "looked", Now: time.Unix(1, 0),
		Keep: func(*directory.Entry) bool { looked++; return true },
	}
	for range 3 {
		if p, err := m.ListPage(bg, q); err != nil || p.Total != 2 || looked != 2 {
			t.Error(p.Total, looked, err)
		}
	}
	apply(t, m, "corp", person("cy"))
	if p, err := m.ListPage(bg, q); err != nil || p.Total != 3 || looked != 5 {
		t.Error(p.Total, looked, err)
	}
}

// TestLists_BuiltAfterACrash: what a first load leaves for later is built at the next start.
func TestLists_BuiltAfterACrash(t *testing.T) {
	m := loaded(t, "corp")
	waitListed(t, m)
	apply(t, m, "corp", person("ann"), person("bob"))
	err := m.update(context.Background(), func(t *tx) error {
		return t.execAll("DELETE FROM meta WHERE name='listed'", "DROP INDEX entry_list", "DROP INDEX entry_limited")
	})
	if err != nil {
		t.Fatal(err)
	}
	path := m.path
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open(t, path, testOptions("corp"))
	waitListed(t, m)
	want(t, "list", stables(m.List(context.Background(), Query{Kind: directory.KindPerson, Descending: true})), "bob ann")
}
