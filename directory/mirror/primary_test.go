package mirror

import (
	"path/filepath"
	"testing"

	"portico/directory"
)

// primary puts an entry into a primary group, or says that a group is one.
func primary(mark string) func(*directory.Entry) {
	return func(e *directory.Entry) { e.PrimaryGroup = mark }
}

func marked(name, mark string, members ...string) *directory.Entry {
	g := group(name, members...)
	g.PrimaryGroup = mark
	return g
}

// TestPrimaryGroup: people are in a group that does not list them, whichever of
// the two comes first, also in a first load.
func TestPrimaryGroup(t *testing.T) {
	for _, first := range []bool{true, false} {
		m := open(t, filepath.Join(t.TempDir(), "mirror.db"), testOptions("corp"))
		if !first {
			refresh(t, m, "corp", "c0", container("ou=people,"+base, "people"))
		}
		refresh(t, m, "corp", "c1", container("ou=people,"+base, "people"), person("ann", primary("S-513")), marked("users", "S-513", dnOf("bob")),
			person("bob", primary("S-513")), person("eve", primary("S-512")), group("outer", "cn=users,ou=groups,"+base))
		groups := func(of string, nested bool) string { return stables(m.GroupsOf(bg, id(of), nested)) }
		want(t, "members", members(t, m, "users", false), "ann bob")
		want(t, "members of the outer group", members(t, m, "outer", true), "ann bob")
		want(t, "groups", groups("ann", false), "users")
		want(t, "groups, nested", groups("ann", true), "outer users")
		want(t, "groups of one whose group is not there", groups("eve", true), "")
		if n, err := m.CountMembers(bg, id("users"), false); n != 2 || err != nil {
			t.Errorf("%d members, %v", n, err)
		}
		if yes, err := m.IsMember(bg, id("users"), id("ann"), false); !yes || err != nil {
			t.Errorf("is a member: %v, %v", yes, err)
		}

		apply(t, m, "corp", marked("admins", "S-512"))
		want(t, "the group comes later", members(t, m, "admins", false), "eve")
		apply(t, m, "corp", person("ann", primary("S-512"), func(e *directory.Entry) { e.Version = "2" }))
		want(t, "another primary group", members(t, m, "admins", false)+", "+members(t, m, "users", false), "ann eve, bob")
		remove(t, m, "corp", "id-admins", "id-eve")
		want(t, "no group", groups("ann", true), "")
		apply(t, m, "corp", marked("admins", "S-512"))
		want(t, "the group is back", members(t, m, "admins", false), "ann")
		apply(t, m, "corp", person("ann", func(e *directory.Entry) { e.Version = "3" }))
		want(t, "no primary group", members(t, m, "admins", false), "")
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPrimaryGroup_TwoDirectories: the same mark in another directory is another.
func TestPrimaryGroup_TwoDirectories(t *testing.T) {
	m := loaded(t, "corp", "branch")
	apply(t, m, "corp", person("ann", primary("S-513")), marked("users", "S-513"))
	apply(t, m, "branch", person("zoe", in("branch"), primary("S-513")))
	want(t, "members", members(t, m, "users", false), "ann")
}
