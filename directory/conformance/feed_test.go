package conformance

import (
	"strings"
	"testing"

	"portico/configs"
	"portico/directory"
	"portico/directory/feed"
)

// testChanges is DR05: everything that can happen to a person, and the id stays.
func testChanges(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	w.addPerson("early")
	branch := w.addContainer("branch", w.people)
	w.following()
	dn := w.addPerson("ann")
	w.equal()
	id := w.somebody("ann").ID
	same := func(name string) {
		t.Helper()
		w.equal()
		if e := w.somebody(name); e.ID != id {
			t.Errorf("%s is now %s, was %s", name, e.ID, id)
		}
	}
	if !f.traits.noMail {
		w.modify(dn, "mail", "ann@example.org")
	}
	w.modify(dn, "description", "one")
	same("ann")
	w.modify(dn, "description")
	same("ann")
	dn = w.rename(dn, w.f.layout.personRDN+"=anne", "")
	if f.layout.personRDN == "uid" {
		same("anne")
	} else {
		same("ann")
	}
	dn = w.rename(dn, w.f.layout.personRDN+"=anne", branch)
	w.equal()
	w.modify(dn, "description", "two")
	w.equal()
	w.remove(dn)
	w.equal()
	w.addPerson("ann")
	w.equal()
	if w.somebody("ann").ID == id {
		t.Error("the identity passed on with the name")
	}
}

// testNameReuse is A19: somebody is renamed, and somebody new takes the name before
// the feed has looked. Nobody comes in by the other's password.
func testNameReuse(t *testing.T, f *fixture) {
	if f.layout.personRDN != "uid" {
		return // the login name is no part of the DN
	}
	w := newWorld(t, f)
	first := w.addPerson("jdoe")
	w.following()
	id := w.somebody("jdoe").ID
	w.rename(first, "uid=jdoe-old", "")
	req := w.f.layout.person(first, "jdoe", "Pw-1.another")
	if err := w.admin.Add(req); err != nil {
		t.Fatal(err)
	}
	w.equal()
	if e := w.somebody("jdoe-old"); e.ID != id {
		t.Errorf("the person who was renamed: %s, was %s", e.ID, id)
	}
	e := w.somebody("jdoe")
	if e.ID == id {
		t.Error("the new person got the old identity")
	}
	if r, _ := w.pop.Authenticate(t.Context(), e, password("jdoe")); r.SignedIn() {
		t.Error("the former holder's password opens the name")
	}
	if r, _ := w.pop.Authenticate(t.Context(), e, "Pw-1.another"); !r.SignedIn() {
		t.Errorf("the new holder: %+v", r)
	}
}

// testContainer is DR06: the DN of everything below a container changes at once.
func testContainer(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	branch := w.addContainer("branch", w.people)
	at := func(name, parent string) string { return below(f.layout.personRDN, name, parent) }
	w.addPersonAt(at("boss", branch), "boss")
	w.addPersonAt(at("clerk", branch), "clerk")
	outside := w.addPerson("outside")
	if f.traits.managers {
		w.modify(at("clerk", branch), "manager", at("boss", branch))
		w.modify(outside, "manager", at("boss", branch))
	}
	w.addGroup("staff", at("clerk", branch), outside)
	w.following()
	twig := w.rename(branch, f.layout.containerRDN+"=twig", "")
	w.equal()
	if e := w.somebody("clerk"); !strings.EqualFold(e.DN, at("clerk", twig)) {
		t.Errorf("clerk is at %s", e.DN)
	}
	if r, _ := w.pop.Authenticate(t.Context(), w.somebody("clerk"), password("clerk")); !r.SignedIn() {
		t.Errorf("nobody signs in below a renamed container: %+v", r)
	}
	twig = w.rename(twig, f.layout.containerRDN+"=twig", w.groups) // and to another place
	w.equal()
	w.modify(outside, "description", "afterwards")
	w.equal()
	if f.layout.names {
		return
	}
	w.rename(twig, f.layout.containerRDN+"=back", w.people)
	w.equal()
}

// testDeletions is DR07: references go with whom they point to.
func testDeletions(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	boss, clerk := w.addPerson("boss"), w.addPerson("clerk")
	if f.traits.managers {
		w.modify(clerk, "manager", boss)
	}
	w.addGroup("one", boss, clerk)
	w.addGroup("two", boss)
	w.following()
	w.remove(boss)
	w.equal()
	managers, err := w.pop.ManagersOf(t.Context(), w.somebody("clerk").ID)
	if err != nil || len(managers) != 0 {
		t.Errorf("managers of clerk: %q, %v", names(managers), err)
	}
	w.remove(w.group("two"))
	w.equal()
}

// testFilter is DR08: somebody leaves the filter and comes back the same.
func testFilter(t *testing.T, f *fixture) {
	w := newWorld(t, f, func(d *configs.Directory) {
		preset, err := d.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		d.Users.Filter = "(&" + preset.People.ObjectFilter + "(!(description=hidden)))"
	})
	dn := w.addPerson("ann", "description", "open")
	w.addGroup("staff", dn)
	w.following()
	id := w.somebody("ann").ID
	for range 2 {
		w.modify(dn, "description", "hidden")
		w.eventually("ann is gone", func() bool { return w.login("ann") == nil })
		w.modify(dn, "description", "open")
		w.eventually("ann is back", func() bool { return w.login("ann") != nil })
	}
	if w.somebody("ann").ID != id {
		t.Error("another id")
	}
	w.stop() // and while we are away
	w.modify(dn, "description", "hidden")
	w.following()
	w.stop()
	w.modify(dn, "description", "open")
	w.following()
	if w.somebody("ann").ID != id {
		t.Error("another id")
	}
}

// testLargeGroup is DR16: 10,000 members, of whom most are nobody that we know
// where the server allows that.
func testLargeGroup(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	known, all := 150, 10_000
	if !f.traits.dangling {
		all = known
	}
	var members []string
	for i := range all {
		if i < known {
			w.addPerson(numbered("m", i))
		}
		members = append(members, w.person(numbered("m", i)))
	}
	group := w.newGroup("everybody", members[1:]...)
	if err := w.admin.Add(group); err != nil {
		t.Fatal(err)
	}
	w.following()
	count := func(want int) {
		t.Helper()
		w.equal()
		found, err := w.mirror.GroupByName(t.Context(), "everybody")
		w.must(err)
		if n, err := w.mirror.CountMembers(t.Context(), found[0].ID, false); err != nil || n != want {
			t.Errorf("%d members, want %d; %v", n, want, err)
		}
	}
	count(known - 1)
	w.members(group.DN, true, members[0])
	count(known)
	w.members(group.DN, false, members[5], members[7])
	count(known - 2)
}

// testOurRestart is DR09 and DR13: what happened while we were away, and nothing
// at all.
func testOurRestart(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	for i := range 30 {
		w.addPerson(numbered("p", i))
	}
	w.addGroup("staff", w.person(numbered("p", 1)), w.person(numbered("p", 2)))
	w.following()
	for range 2 { // nothing happens
		w.stop()
		revision := w.mirror.Revision()
		w.following()
		if w.feed.Status().Mode == feed.ModeSyncrepl && !f.traits.reconciles && w.feed.Status().Refreshes != 0 {
			t.Errorf("a restart without changes read everything; %+v", w.feed.Status())
		}
		if n := w.mirror.Revision() - revision; w.feed.Status().Mode == feed.ModeSyncrepl && !f.traits.reconciles && n > 1 {
			t.Errorf("a restart without changes wrote %d times", n)
		}
	}
	w.stop()
	w.modify(w.person(numbered("p", 1)), "description", "one")
	w.remove(w.person(numbered("p", 2)))
	w.addPerson("new")
	w.rename(w.person(numbered("p", 3)), f.layout.personRDN+"=renamed", "")
	w.following()
	if s := w.feed.Status(); s.Mode == feed.ModeSyncrepl && !f.traits.reconciles && s.Refreshes != 0 {
		t.Errorf("a restart read everything; %+v", s)
	}
	if mode := w.feed.Status().Mode; f.traits.syncrepl != (mode == feed.ModeSyncrepl) {
		t.Errorf("the feed chose %q", mode)
	}
	n, err := w.mirror.Count(t.Context(), directory.KindPerson, w.cfg.Name)
	if err != nil || n != 30 {
		t.Errorf("%d people, %v", n, err)
	}
}
