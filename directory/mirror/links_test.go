package mirror

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"portico/directory"
)

// TestDR05_AddModifyRenameMoveDelete: identity is the stable id.
func TestDR05_AddModifyRenameMoveDelete(t *testing.T) {
	m := loaded(t, "corp")
	var told []string
	m.OnChange(func(ids []directory.ID) {
		for _, i := range ids {
			told = append(told, strings.TrimPrefix(i.Stable, "id-"))
		}
	})
	step := func(what string, expected ...string) {
		t.Helper()
		want(t, what+" tells", strings.Join(told, " "), strings.Join(expected, " "))
		told = nil
	}
	apply(t, m, "corp", person("ann"), group("staff", dnOf("ann")))
	step("add", "ann", "staff")
	apply(t, m, "corp", person("ann"), group("staff", dnOf("ann")))
	step("the same again")
	apply(t, m, "corp", person("ann", func(e *directory.Entry) { e.Attributes[directory.AttrName] = []string{"Anna"} }))
	step("modify", "ann")
	want(t, "new display name", stables(m.SearchPeople(bg, "anna", 5)), "ann")
	want(t, "old display name", stables(m.SearchPeople(bg, "name of", 5)), "")
	renamed := person("ann", func(e *directory.Entry) {
		e.Name, e.Login, e.DN = "Anne", "anne", "uid=anne,ou=elsewhere,"+base
	})
	apply(t, m, "corp", renamed)
	step("rename and move", "ann")
	want(t, "new login", stables(m.ByLogin(bg, "anne")), "ann")
	want(t, "old login", stables(m.ByLogin(bg, "ann")), "")
	want(t, "the group follows", members(t, m, "staff", false), "ann")
	apply(t, m, "corp", group("staff", renamed.DN))
	step("the group says the same in new words")
	remove(t, m, "corp", "id-ann", "id-nobody")
	step("delete", "ann")
	want(t, "gone", stables(m.SearchPeople(bg, "ann", 5)), "")
	want(t, "no member", members(t, m, "staff", false), "")
}

// TestDR06_ContainerRename: no server tells of the entries below.
func TestDR06_ContainerRename(t *testing.T) {
	m := loaded(t, "corp")
	deep := person("deep", func(e *directory.Entry) { e.DN = `uid=deep\, x,ou=North,OU=People,` + base })
	outside := person("peoples", func(e *directory.Entry) { e.DN = "uid=peoples,ou=people2," + base })
	apply(t, m, "corp", container("ou=people,"+base, "people"), container("ou=North,ou=People,"+base, "north"),
		person("ann"), person("bob", managers(dnOf("ann"))), deep, outside,
		group("staff", dnOf("ann"), dnOf("bob"), deep.DN, outside.DN), group("waits", "uid=ann,ou=staff,"+base))
	var told []directory.ID
	m.OnChange(func(ids []directory.ID) { told = append(told, ids...) })
	apply(t, m, "corp", container("ou=staff,"+base, "people"))

	dn := func(uid string) string {
		e, err := m.Get(bg, id(uid))
		if err != nil {
			t.Fatal(err)
		}
		return e.DN
	}
	want(t, "child", dn("ann"), "uid=ann,ou=staff,"+base)
	want(t, "grandchild keeps its spelling", dn("deep"), `uid=deep\, x,ou=North,ou=staff,`+base)
	want(t, "no child", dn("peoples"), outside.DN)
	want(t, "members", members(t, m, "staff", false), "ann bob deep peoples")
	want(t, "reports", stables(m.ManagedBy(bg, id("ann"))), "bob")
	want(t, "who waited for the new DN", members(t, m, "waits", false), "ann")
	e, err := m.ByDN(bg, "corp", "uid=ann,ou=staff,"+base)
	want(t, "by new DN", stables([]*directory.Entry{e}, err), "ann")
	if len(told) != 5 {
		t.Error("all whose DN changed are told:", told)
	}
	doubtful, err := m.Doubtful(bg, "corp", 10)
	if len(doubtful) != 2 || err != nil {
		t.Error("the group and the report may be different now:", doubtful, err)
	}
	t.Run("a server without referential integrity still says the old DN", func(t *testing.T) {
		apply(t, m, "corp", group("staff", dnOf("ann"), dn("bob")))
		want(t, "members", members(t, m, "staff", false), "bob")
	})
	t.Run("a subtree of thousands", func(t *testing.T) {
		var many []*directory.Entry
		for i := range 3 * subtreeChunk {
			many = append(many, person(fmt.Sprintf("m%04d", i), func(e *directory.Entry) {
				e.DN = fmt.Sprintf("uid=m%04d,ou=a,ou=staff,%s", i, base)
			}))
		}
		apply(t, m, "corp", many...)
		told = nil
		revision := m.Revision()
		apply(t, m, "corp", container("ou=back,"+base, "people"))
		want(t, "last", dn(fmt.Sprintf("m%04d", 3*subtreeChunk-1)), fmt.Sprintf("uid=m%04d,ou=a,ou=back,%s", 3*subtreeChunk-1, base))
		if m.Revision() != revision+1 || len(told) != 0 {
			t.Error("too many to name:", len(told))
		}
	})
}

// TestDR07_DeleteMemberAndManager: nobody tells of the groups and reports.
func TestDR07_DeleteMemberAndManager(t *testing.T) {
	m := loaded(t, "corp")
	apply(t, m, "corp", person("boss"), person("ann", managers(dnOf("boss"))), group("a", dnOf("boss"), dnOf("ann")), group("b", dnOf("boss")))
	remove(t, m, "corp", "id-boss")
	want(t, "a", members(t, m, "a", false), "ann")
	want(t, "b", members(t, m, "b", false), "")
	want(t, "managers", stables(m.ManagersOf(bg, id("ann"))), "")
	if yes, err := m.IsManagerOf(bg, id("boss"), id("ann")); yes || err != nil {
		t.Error(yes, err)
	}
}

// TestDR08_LeavesAndReenters: the same entry finds its groups again.
func TestDR08_LeavesAndReenters(t *testing.T) {
	m := loaded(t, "corp")
	apply(t, m, "corp", person("ann"), group("staff", dnOf("ann")))
	remove(t, m, "corp", "id-ann")
	want(t, "gone", members(t, m, "staff", false), "")
	apply(t, m, "corp", person("ann", func(e *directory.Entry) { e.DN = "uid=ann,ou=other," + base }))
	want(t, "back", members(t, m, "staff", false), "ann")
}

// TestAbuse_A19_NewPersonWithAnOldName: somebody else at the old DN inherits
// nothing until the server itself says so.
func TestAbuse_A19_NewPersonWithAnOldName(t *testing.T) {
	m := loaded(t, "corp")
	apply(t, m, "corp", person("ann"), person("bob", managers(dnOf("ann"))), group("admins", dnOf("ann")))
	newcomer := person("ann", func(e *directory.Entry) { e.ID.Stable = "id-newcomer" })

	t.Run("after a delete", func(t *testing.T) {
		remove(t, m, "corp", "id-ann")
		apply(t, m, "corp", newcomer)
		want(t, "by login", stables(m.ByLogin(bg, "ann")), "newcomer")
		want(t, "groups", stables(m.GroupsOf(bg, id("newcomer"), true)), "")
		want(t, "reports", stables(m.ManagedBy(bg, id("newcomer"))), "")
		apply(t, m, "corp", group("admins", dnOf("ann")))
		want(t, "the server says so", members(t, m, "admins", false), "newcomer")
	})
	t.Run("after a rename", func(t *testing.T) {
		apply(t, m, "corp", person("ann", func(e *directory.Entry) {
			e.ID.Stable, e.DN, e.Name, e.Login = "id-newcomer", dnOf("anne"), "anne", "anne"
		}))
		apply(t, m, "corp", person("ann", func(e *directory.Entry) { e.ID.Stable = "id-third" }))
		want(t, "admins", members(t, m, "admins", false), "newcomer")
	})
	t.Run("in one batch, whatever its order", func(t *testing.T) {
		err := m.Apply(bg, "corp", Batch{Deletes: []string{"id-third"}, Upserts: []*directory.Entry{
			person("ann", func(e *directory.Entry) { e.ID.Stable = "id-fourth" }),
		}})
		want(t, "login", stables(m.ByLogin(bg, "ann")), "fourth")
		if err != nil {
			t.Error(err)
		}
	})
}

// TestMembersByName: posixGroup's memberUid.
func TestMembersByName(t *testing.T) {
	m := loaded(t, "corp", "branch@b")
	posix := func(dir string, names ...string) *directory.Entry {
		g := group("posix", names...)
		g.MembersByName, g.ID.Directory = true, dir
		return g
	}
	apply(t, m, "corp", posix("corp", "ann", "BOB", "later"))
	apply(t, m, "branch", posix("branch", "Eve", "ann"))
	apply(t, m, "corp", person("Ann"), person("bob"))
	apply(t, m, "branch", person("eve", in("branch"), func(e *directory.Entry) { e.Login = "eve@b" }))
	want(t, "in any letter case", members(t, m, "posix", false), "Ann bob")
	p, _, err := m.MembersOf(bg, directory.ID{Directory: "branch", Stable: "id-posix"}, false, 0, "")
	want(t, "of the group's own directory, with its suffix", stables(p, err), "branch/eve")
	apply(t, m, "corp", person("later"))
	want(t, "healed", members(t, m, "posix", false), "Ann bob later")
	apply(t, m, "corp", person("later", func(e *directory.Entry) { e.Name, e.Login = "sooner", "sooner" }))
	want(t, "a rename does not correct a name", members(t, m, "posix", false), "Ann bob")
	apply(t, m, "corp", person("bob2", func(e *directory.Entry) { e.Name, e.Login = "bob", "bob" }))
	want(t, "an ambiguous name is nobody", members(t, m, "posix", false), "Ann")
	remove(t, m, "corp", "id-bob")
	want(t, "and is one again", members(t, m, "posix", false), "Ann bob2")
}

// TestAbuse_I09_NestingAndCycles is also DR24: nested groups of any depth, in a
// cycle, with members outside the base and members not yet known.
func TestAbuse_I09_NestingAndCycles(t *testing.T) {
	m := loaded(t, "corp")
	gdn := func(i int) string { return fmt.Sprintf("cn=g%02d,ou=groups,%s", i, base) }
	for i := range 60 {
		apply(t, m, "corp", group(fmt.Sprintf("g%02d", i), gdn((i+1)%60), dnOf(fmt.Sprintf("p%02d", i%10)), "uid=stranger,dc=other", gdn(i)))
	}
	want(t, "members not yet known", members(t, m, "g00", true), "")
	for i := range 10 {
		apply(t, m, "corp", person(fmt.Sprintf("p%02d", i)))
	}
	want(t, "healed, each once", members(t, m, "g07", true), "p00 p01 p02 p03 p04 p05 p06 p07 p08 p09")
	want(t, "direct", members(t, m, "g07", false), "p07")
	groups, err := m.GroupsOf(bg, id("p03"), true)
	if len(groups) != 60 || err != nil {
		t.Error("each group once:", len(groups), err)
	}
	groups, err = m.GroupsOf(bg, id("p03"), false)
	want(t, "direct groups", stables(groups, err), "g03 g13 g23 g33 g43 g53")
	groups, err = m.SubgroupsOf(bg, id("g00"), true)
	if len(groups) != 59 || err != nil {
		t.Error("all but itself:", len(groups), err)
	}
	want(t, "subgroups", stables(m.SubgroupsOf(bg, id("g00"), false)), "g01")
	if yes, err := m.IsMember(bg, id("g50"), id("p00"), true); !yes || err != nil {
		t.Error(yes, err)
	}
	if n, err := m.CountMembers(bg, id("g00"), true); n != 10 || err != nil {
		t.Error(n, err)
	}
}

// TestReferencesAcrossDirectories: a DN of another directory resolves; one that
// two directories have means the own one.
func TestReferencesAcrossDirectories(t *testing.T) {
	m := loaded(t, "corp", "branch", "third")
	at := func(dir string) *directory.Entry {
		return person("ann", in(dir), func(e *directory.Entry) { e.Login = "ann-" + dir })
	}
	for _, dir := range []string{"corp", "branch", "third"} {
		g := group("g", dnOf("ann"))
		g.ID.Directory = dir
		apply(t, m, dir, g)
	}
	member := func(dir string) string {
		p, _, err := m.MembersOf(bg, directory.ID{Directory: dir, Stable: "id-g"}, false, 0, "")
		return stables(p, err)
	}
	apply(t, m, "third", at("third"))
	want(t, "only one", member("corp")+" "+member("third"), "third/ann third/ann")
	apply(t, m, "branch", at("branch"))
	want(t, "the first of the others", member("corp"), "branch/ann")
	want(t, "own", member("third")+" "+member("branch"), "third/ann branch/ann")
	apply(t, m, "corp", at("corp"))
	want(t, "own before others", member("corp")+" "+member("branch"), "ann branch/ann")
}

// TestDR16_BigGroup: one of 10,000 members is added and removed by writing one
// row, and members are read in pages.
func TestDR16_BigGroup(t *testing.T) {
	m := loaded(t, "corp")
	const n = 10_000
	var people []*directory.Entry
	var dns []string
	for i := range n + 1 {
		p := person(fmt.Sprintf("p%05d", i))
		people, dns = append(people, p), append(dns, p.DN)
	}
	apply(t, m, "corp", people...)
	apply(t, m, "corp", group("big", dns[:n]...))
	writes := func() (rows int64) {
		if err := m.w.conn.QueryRowContext(context.Background(), "SELECT total_changes()").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	before := writes()
	apply(t, m, "corp", group("big", dns...))
	if got := writes() - before; got > 4 {
		t.Errorf("adding one member wrote %d rows", got)
	}
	want(t, "added", stables(m.GroupsOf(bg, id(fmt.Sprintf("p%05d", n)), false)), "big")
	before = writes()
	apply(t, m, "corp", group("big", dns[1:]...))
	if got := writes() - before; got > 4 {
		t.Errorf("removing one member wrote %d rows", got)
	}
	want(t, "removed", stables(m.GroupsOf(bg, id("p00000"), false)), "")
	count, next := 0, ""
	for pages := 1; ; pages++ {
		p, after, err := m.MembersOf(bg, id("big"), pages%2 == 0, 3000, next)
		if err != nil {
			t.Fatal(err)
		}
		count += len(p)
		if next = after; next == "" {
			break
		}
	}
	if count != n {
		t.Error("members in pages:", count)
	}
}

// TestChangeOfKind: an id that becomes something else keeps no trace of what it was.
func TestChangeOfKind(t *testing.T) {
	m := loaded(t, "corp")
	apply(t, m, "corp", person("x"), group("g", dnOf("x")))
	as := group("x")
	as.DN = dnOf("x")
	apply(t, m, "corp", as)
	want(t, "no person", stables(m.ByLogin(bg, "x"))+stables(m.ByMail(bg, "x@example.org")), "")
	want(t, "a group", stables(m.SubgroupsOf(bg, id("g"), false)), "x")
	want(t, "owners", stables(m.OwnersOf(bg, id("g"))), "")
}

// TestAbuse_I08_HugeGroup: a group of 50,000 is loaded in passing and read in
// pages that cost what they hold.
func TestAbuse_I08_HugeGroup(t *testing.T) {
	m := openFresh(t, "corp")
	const n = 50_000
	r := begin(t, m)
	huge := group("huge")
	batch := make([]*directory.Entry, 0, 500)
	for i := range n {
		p := &directory.Entry{
			ID: id(fmt.Sprintf("p%05d", i)), Kind: directory.KindPerson, DN: dnOf(fmt.Sprintf("p%05d", i)), Login: fmt.Sprintf("p%05d", i),
		}
		huge.Members = append(huge.Members, p.DN)
		if batch = append(batch, p); len(batch) == cap(batch) {
			if err := r.Upsert(bg, batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	if err := r.Upsert(bg, []*directory.Entry{huge}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Complete(bg, "c1"); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, next, err := m.MembersOf(bg, id("huge"), false, 100, (&position{Row: n / 2}).token())
	runtime.ReadMemStats(&after)
	if len(p) != 100 || next == "" || err != nil {
		t.Error(len(p), next, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 500_000 {
		t.Errorf("a page of 100 allocated %d bytes", used)
	}
	if count, err := m.CountMembers(bg, id("huge"), true); count != n || err != nil {
		t.Error(count, err)
	}
	e, err := m.Get(bg, id("huge"))
	if err != nil || e.Members != nil {
		t.Error("a look-up loads no members", len(e.Members), err)
	}
}
