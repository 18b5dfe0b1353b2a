package main

import (
	"slices"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/directory"
	"portico/testenv"
	"portico/testenv/sample"
)

// TestLists_OnOpenLDAP asks lists in front of a real server for what the sample
// says is there, and follows changes.
func TestLists_OnOpenLDAP(t *testing.T) {
	d := sample.New(sample.Options{People: 1200, BaseDN: "dc=example,dc=com", States: true})
	ldif := d.LDIF()
	defer ldif.Close()
	server := testenv.OpenLDAP(t, testenv.WithLDIF(ldif))
	s := start(t, server, setup{})
	s.waitLong()
	a := s.app.adapter
	all := func(q adapter.ListQuery) (logins []string) {
		t.Helper()
		q.Limit, q.Total = 37, true
		for {
			page, err := a.ListPeople(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.People {
				logins = append(logins, p.Username)
			}
			if q.After = page.Next; q.After == "" {
				if page.Total != len(logins) {
					t.Errorf("total %d of %d", page.Total, len(logins))
				}
				slices.Sort(logins)
				return logins
			}
		}
	}
	expect := func(what string, got []string, match func(p sample.Person) bool) {
		t.Helper()
		var want []string
		for i := range d.People() {
			if p := d.Person(i); match(p) {
				want = append(want, directory.FoldName(p.UID))
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: %d people, want %d", what, len(got), len(want))
		}
	}
	expect("everybody", all(adapter.ListQuery{SortBy: directory.AttrFamilyName}), func(sample.Person) bool { return true })
	active := directory.Compare(directory.AttrActive, directory.OpEqual, "true")
	expect("not active", all(adapter.ListQuery{Where: directory.Not(active)}), func(p sample.Person) bool { return p.State == sample.StateDisabled })
	expect("active", all(adapter.ListQuery{Where: active, SortBy: "title"}), func(p sample.Person) bool { return p.State != sample.StateDisabled })
	someone := d.Person(5)
	expect("family name", all(adapter.ListQuery{
		Where:  directory.Compare(directory.AttrFamilyName, directory.OpEqual, someone.Family),
		SortBy: directory.AttrModified, Descending: true,
	}), func(p sample.Person) bool { return directory.Fold(p.Family) == directory.Fold(someone.Family) })
	expect("one value", all(adapter.ListQuery{Where: directory.OneValue(directory.AttrMail, directory.And(
		directory.Compare(directory.AttrValue, directory.OpEqual, someone.Mail[0]), directory.Compare(directory.AttrPosition, directory.OpEqual, "0")))}),
		func(p sample.Person) bool { return p.Mail[0] == someone.Mail[0] })
	expect("title", all(adapter.ListQuery{Where: directory.Compare("title", directory.OpContains, someone.Title[1:])}),
		func(p sample.Person) bool { return p.Title == someone.Title })

	groups, err := a.ListGroups(t.Context(), adapter.ListQuery{Where: directory.Compare(directory.AttrLogin, directory.OpEqual, d.GroupName(0)), Total: true})
	if err != nil || groups.Total != 1 {
		t.Fatal(groups.Total, err)
	}
	largest := groups.Groups[0].ID
	in := directory.Refers(directory.AttrGroup, directory.OpEqual, largest, false)
	members := map[int]bool{}
	for _, i := range d.Group(0).Members {
		members[i] = true
	}
	expect("members", all(adapter.ListQuery{Where: in}), func(p sample.Person) bool { return members[p.Index] })
	n := 0
	if err := a.EachMember(t.Context(), largest, func(adapter.Reference) error { n++; return nil }); err != nil || n != len(members) {
		t.Error(n, len(members), err)
	}

	admin := server.Admin(t)
	change := ldap.NewModifyRequest(someone.DN, nil)
	change.Replace("title", []string{"Keeper of the Ledger"})
	if err := admin.Modify(change); err != nil {
		t.Fatal(err)
	}
	keeper := adapter.ListQuery{Where: directory.Compare("title", directory.OpEqual, "KEEPER of the ledger"), Total: true}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if page, err := a.ListPeople(t.Context(), keeper); err != nil || page.Total == 1 {
			if err != nil || page.People[0].Username != directory.FoldName(someone.UID) {
				t.Error(page.People, err)
			}
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("the change is not visible in lists")
		}
	}
}
