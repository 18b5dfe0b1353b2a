package population

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/directory"
	"portico/directory/mapping"
	"portico/testenv"
)

func ids(entries ...*directory.Entry) []directory.ID {
	var list []directory.ID
	for _, e := range entries {
		list = append(list, e.ID)
	}
	return list
}

func (w *writeWorld) logins(group *directory.Entry) []string {
	w.t.Helper()
	people, err := w.MembersOf(w.t.Context(), group.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	for _, p := range people {
		list = append(list, p.Login)
	}
	slices.Sort(list)
	return list
}

func (w *writeWorld) wantMembers(group *directory.Entry, attribute string, stored, visible []string) {
	w.t.Helper()
	have := w.values(group.DN, attribute)
	slices.Sort(have)
	slices.Sort(stored)
	if !slices.Equal(have, stored) {
		w.t.Errorf("%s holds %q, want %q", group.Name, have, stored)
	}
	if got := w.logins(group); !slices.Equal(got, visible) {
		w.t.Errorf("%s shows %q, want %q", group.Name, got, visible)
	}
}

func TestDR19_TheLastMemberGoesAndAnEmptyGroupFills(t *testing.T) {
	server := testenv.OpenLDAP(t)
	for name, s := range map[string]setUp{
		"emptyDN": {},
		"fixed": {mapping: func(c *mapping.Config) { c.PlaceholderMembers = []string{"cn=nobody,dc=example,dc=com"} }, write: func(c *mapping.WriteConfig) {
			c.EmptyGroup, c.Placeholder = mapping.EmptyGroupFixed, "cn=nobody,dc=example,dc=com"
		}},
		"unique": {write: func(c *mapping.WriteConfig) { c.GroupClasses = []string{"groupOfUniqueNames"} }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriteWorld(t, server, s)
			attribute, nobody := "member", ""
			switch name {
			case "fixed":
				nobody = "cn=nobody,dc=example,dc=com"
			case "unique":
				attribute = "uniqueMember"
			}
			ann, bob := w.person("ann-"+name), w.person("bob-"+name)
			g := w.group("staff-" + name)
			w.wantMembers(g, attribute, []string{nobody}, nil)
			w.modify(g.ID, directory.Change{AddMembers: ids(ann)})
			w.wantMembers(g, attribute, []string{ann.DN}, []string{ann.Login})
			w.modify(g.ID, directory.Change{AddMembers: ids(ann, bob)}) // one is there
			w.wantMembers(g, attribute, []string{ann.DN, bob.DN}, []string{ann.Login, bob.Login})
			w.modify(g.ID, directory.Change{AddMembers: ids(ann, bob)})
			w.modify(g.ID, directory.Change{RemoveMembers: ids(ann)})
			w.modify(g.ID, directory.Change{RemoveMembers: ids(ann)})
			w.wantMembers(g, attribute, []string{bob.DN}, []string{bob.Login})
			w.modify(g.ID, directory.Change{RemoveMembers: ids(ann, bob)})
			w.wantMembers(g, attribute, []string{nobody}, nil)
			w.modify(g.ID, directory.Change{ReplaceMembers: new(ids(ann, bob))})
			w.wantMembers(g, attribute, []string{ann.DN, bob.DN}, []string{ann.Login, bob.Login})
			w.modify(g.ID, directory.Change{ReplaceMembers: &[]directory.ID{}})
			w.wantMembers(g, attribute, []string{nobody}, nil)
		})
	}
}

func TestL40_WhoIsShownToNobodyStaysOnARewrite(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	ann, bob := w.person("ann"), w.person("bob")
	g := w.group("staff", ann)
	outside := "cn=somebody,dc=elsewhere"
	if err := w.server.SetOperational(g.DN, "member", ann.DN, outside, w.server.ServiceDN); err != nil {
		t.Fatal(err)
	}
	w.modify(g.ID, directory.Change{ReplaceMembers: new(ids(bob))})
	w.wantMembers(g, "member", []string{bob.DN, outside, w.server.ServiceDN}, []string{"bob"})
}

func TestL45_MembersThatCannotBe(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	ann := w.person("ann")
	g, inner := w.group("staff", ann), w.group("inner")
	_, err := w.Modify(t.Context(), g.ID, directory.Change{AddMembers: []directory.ID{{Directory: "corp", Stable: "00000000-0000-0000-0000-000000000000"}}})
	fault(t, err, directory.WriteInvalid, "members")
	_, err = w.Modify(t.Context(), g.ID, directory.Change{AddMembers: ids(g)})
	fault(t, err, directory.WriteInvalid, "members")
	w.modify(g.ID, directory.Change{AddMembers: ids(inner)})
	w.wantMembers(g, "member", []string{ann.DN, inner.DN}, []string{"ann"})
	admins := w.group("Admins", ann)
	_, err = w.Modify(t.Context(), admins.ID, directory.Change{AddMembers: ids(inner)})
	fault(t, err, directory.WriteDenied, "")
	fault(t, w.Delete(t.Context(), admins.ID, ""), directory.WriteDenied, "")
}

func TestPosixGroupsNameTheirMembers(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{write: func(c *mapping.WriteConfig) {
		c.GroupClasses, c.GroupDefaults, c.EmptyGroup = []string{"posixGroup"}, map[string][]string{"gidNumber": {"500"}}, mapping.EmptyGroupClass
	}})
	ann, bob := w.person("ann"), w.person("bob")
	g := w.group("unix")
	w.modify(g.ID, directory.Change{AddMembers: ids(ann, bob)})
	w.wantMembers(g, "memberUid", []string{"ann", "bob"}, []string{"ann", "bob"})
	w.modify(ann.ID, directory.Change{Name: new("anna")})
	w.modify(g.ID, directory.Change{RemoveMembers: ids(bob)})
	w.wantMembers(g, "memberUid", []string{"anna"}, nil) // seen by name once the feed brings the group
	if err := w.Delete(t.Context(), ann.ID, ""); err != nil {
		t.Fatal(err)
	}
	if left := w.values(g.DN, "memberUid"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A group of many members: made in chunks; one more comes and goes without the
// others being read.
func TestL41_BigGroups(t *testing.T) {
	server := testenv.OpenLDAP(t)
	proxy := testenv.OpenProxy(t, server.Address())
	w := newWriteWorld(t, server, setUp{url: proxy.URL("ldap")})
	const many = 2500
	var ldif strings.Builder
	for i := range many {
		fmt.Fprintf(&ldif, "dn: uid=u%04d,ou=people,%s\nobjectClass: inetOrgPerson\ncn: u\nsn: u\nuid: u%04d\n\n", i, server.BaseDN, i)
	}
	if err := server.Load(strings.NewReader(ldif.String())); err != nil {
		t.Fatal(err)
	}
	w.admin = server.Admin(t) // Load has restarted the server
	var all []directory.ID
	for i := range many {
		e, err := w.PersonByLogin(t.Context(), fmt.Sprintf("u%04d", i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.ID)
	}
	g, err := w.Create(t.Context(), "", directory.NewEntry{Kind: directory.KindGroup, Name: "big", Members: all[1:]})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(w.values(g.DN, "member")); n != many-1 {
		t.Fatalf("%d members", n)
	}
	before, began := proxy.Received(), time.Now()
	w.modify(g.ID, directory.Change{AddMembers: all[:1]})
	w.modify(g.ID, directory.Change{RemoveMembers: all[5:6]})
	t.Logf("one in, one out: %s, %d bytes read", time.Since(began), proxy.Received()-before)
	if got := proxy.Received() - before; got > 20_000 {
		t.Errorf("the group was read: %d bytes", got)
	}
	if n := len(w.logins(g)); n != many-1 {
		t.Errorf("the mirror shows %d members", n)
	}
	w.modify(g.ID, directory.Change{AddMembers: all}) // all but one are there
	if n := len(w.values(g.DN, "member")); n != many {
		t.Errorf("%d members", n)
	}
	w.modify(g.ID, directory.Change{RemoveMembers: all})
	w.wantMembers(g, "member", []string{""}, nil)
}

// Many writers at one group and one person: every change has its effect.
func TestConcurrentWriters(t *testing.T) {
	server := testenv.OpenLDAP(t)
	one, two := newWriteWorld(t, server, setUp{}), newWriteWorld(t, server, setUp{}) // as two processes
	g := one.group("staff")
	boss := one.person("boss")
	const n = 24
	var wait sync.WaitGroup
	for i := range n {
		w := one
		if i%2 == 1 {
			w = two
		}
		wait.Go(func() {
			ctx := context.WithoutCancel(t.Context())
			e, err := w.Create(ctx, "", directory.NewEntry{Kind: directory.KindPerson, Name: fmt.Sprintf("u%d", i)})
			if err == nil {
				_, err = w.Modify(ctx, g.ID, directory.Change{AddMembers: ids(e)})
			}
			if err == nil {
				_, err = w.Modify(ctx, e.ID, directory.Change{References: map[string][]directory.ID{"manager": ids(boss)}})
			}
			if err == nil && i%3 == 0 {
				err = w.Delete(ctx, e.ID, "")
			}
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wait.Wait()
	members := one.values(g.DN, "member")
	if len(members) != n-n/3 || slices.Contains(members, "") {
		t.Errorf("%d members: %q", len(members), members)
	}
	var same sync.WaitGroup
	made := make(chan string, 10)
	for i := range 10 {
		w := []*writeWorld{one, two}[i%2]
		same.Go(func() {
			e, err := w.Create(context.WithoutCancel(t.Context()), "", directory.NewEntry{Kind: directory.KindPerson, Name: "twin"})
			if err == nil {
				made <- e.ID.Stable
			} else if directory.WriteFaultOf(err) != directory.WriteExists {
				t.Error(err)
			}
		})
	}
	same.Wait()
	if len(made) != 1 {
		t.Errorf("%d people with one name", len(made))
	}
}
