package conformance

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
	"portico/directory/mirror"
)

// testLookups finds people and groups by every key, live and in the mirror.
func testLookups(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	ann := w.addPerson("ann.lee", "description", "first of all")
	w.addPerson("bob")
	mail := ""
	if !f.traits.noMail {
		mail = "Ann.Lee@example.com"
		w.modify(ann, "mail", mail)
	}
	w.addGroup("Staff", ann)
	ctx := t.Context()

	// Before the feed has read anything: one live search.
	live, err := w.pop.PersonByLogin(ctx, "ANN.Lee")
	if err != nil || live.Name != "ann.lee" {
		t.Fatalf("before the first read: %v, %v", live, err)
	}
	w.following()
	if e := w.somebody("ann.lee"); e.ID != live.ID || e.Attributes.First("description") != "first of all" {
		t.Errorf("the feed knows %+v, the live search %+v", e, live)
	}
	byMail, err := w.mirror.ByMail(ctx, "ann.lee@EXAMPLE.com")
	if err != nil || mail != "" && names(byMail) != "ann.lee" {
		t.Errorf("by mail: %v, %v", names(byMail), err)
	}
	key, err := mapping.DNKey(strings.ToUpper(ann))
	w.must(err)
	if e, err := w.mirror.ByDN(ctx, w.cfg.Name, key); err != nil || e.ID != live.ID {
		t.Errorf("by DN: %v, %v", e, err)
	}
	if e, err := w.pop.PersonByID(ctx, live.ID); err != nil || e.Name != "ann.lee" {
		t.Errorf("by id: %v, %v", e, err)
	}
	groups, err := w.mirror.GroupByName(ctx, "staff")
	if err != nil || names(groups) != "Staff" {
		t.Errorf("group by name: %v, %v", names(groups), err)
	}
	for text, want := range map[string]string{"n.le": "ann.lee", "BOB": "bob", "nobody at all": "", "*": "", "(uid=*": ""} {
		found, err := w.pop.SearchPeople(ctx, text, 10)
		if err != nil || names(found) != want {
			t.Errorf("search for %q: %q, %v; want %q", text, names(found), err, want)
		}
	}
	if found, err := w.pop.SearchGroups(ctx, "taf", 10); err != nil || names(found) != "Staff" {
		t.Errorf("search for groups: %q, %v", names(found), err)
	}
	for _, name := range []string{"nobody", "*", "ann*", "ann.lee)(uid=*", "", "\x00", "ann.lee\x00", strings.Repeat("x", 5000)} {
		if e, err := w.pop.PersonByLogin(ctx, name); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("login name %.40q: %v, %v", name, e, err)
		}
	}
	w.askLive(ann, mail, live.ID)
}

// askLive asks the server itself by every key that the mapper makes requests for.
func (w *world) askLive(dn, mail string, id directory.ID) {
	w.t.Helper()
	for name, ask := range map[string]func() (*ldap.SearchRequest, error){
		"username": func() (*ldap.SearchRequest, error) { return w.mapper.PersonByUsername("Ann.Lee") },
		"mail":     func() (*ldap.SearchRequest, error) { return w.mapper.PersonByMail(mail) },
		"id":       func() (*ldap.SearchRequest, error) { return w.mapper.ByStableID(id.Stable) },
		"dn":       func() (*ldap.SearchRequest, error) { return w.mapper.ByDN(dn) },
	} {
		if name == "mail" && mail == "" {
			continue
		}
		req, err := ask()
		w.must(err)
		found, err := w.client.Search(w.t.Context(), req)
		if err != nil || len(found.Entries) != 1 {
			w.t.Errorf("live, by %s: %v, %v", name, found, err)
			continue
		}
		if e, err := w.mapper.Entry(found.Entries[0]); err != nil || e.ID != id {
			w.t.Errorf("live, by %s: %v, %v", name, e, err)
		}
	}
	req, err := w.mapper.GroupByName("STAFF")
	w.must(err)
	if found, err := w.client.Search(w.t.Context(), req); err != nil || len(found.Entries) != 1 {
		w.t.Errorf("live, group by name: %v, %v", found, err)
	}
}

// testGroups asks for memberships in both directions while they change.
func testGroups(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	ann, bob, cid := w.addPerson("ann"), w.addPerson("bob"), w.addPerson("cid")
	one := w.addGroup("one", ann, bob)
	w.addGroup("two", bob)
	w.following()
	check := func(of map[string]string, in map[string]string) {
		t.Helper()
		for person, want := range of {
			groups, err := w.pop.GroupsOf(t.Context(), w.somebody(person).ID)
			if err != nil || names(groups) != want {
				t.Errorf("groups of %s: %q, %v; want %q", person, names(groups), err, want)
			}
		}
		for group, want := range in {
			found, err := w.mirror.GroupByName(t.Context(), group)
			if err != nil || len(found) != 1 {
				t.Fatalf("group %s: %v, %v", group, found, err)
			}
			people, err := w.pop.MembersOf(t.Context(), found[0].ID)
			if err != nil || names(people) != want {
				t.Errorf("members of %s: %q, %v; want %q", group, names(people), err, want)
			}
		}
	}
	check(map[string]string{"ann": "one", "bob": "one two", "cid": ""}, map[string]string{"one": "ann bob", "two": "bob"})
	w.members(one, true, cid)
	w.members(one, false, ann)
	w.equal()
	check(map[string]string{"ann": "", "bob": "one two", "cid": "one"}, map[string]string{"one": "bob cid", "two": "bob"})
	// The last members go. Where a group must not be empty its placeholder stays, unseen.
	w.members(one, false, bob, cid)
	w.equal()
	check(map[string]string{"bob": "two", "cid": ""}, map[string]string{"one": ""})
	w.modify(one, "description", "renamed later")
	one = w.rename(one, w.f.layout.groupRDN+"=uno", "")
	if w.f.layout.groupName != "" {
		w.modify(one, w.f.layout.groupName, "uno")
	}
	w.equal()
	check(map[string]string{"bob": "two"}, map[string]string{"uno": "", "two": "bob"})
}

// testNested is DR24: a circle of groups, members that are not known yet, that
// are elsewhere, or that never come.
func testNested(t *testing.T, f *fixture) {
	if !f.traits.nested {
		w := newWorld(t, f) // groups that name people: a name that nobody has yet
		w.addGroup("early", w.person("late"))
		w.following()
		w.addPerson("late")
		w.equal()
		groups, err := w.mirror.GroupsOf(t.Context(), w.somebody("late").ID, false)
		if err != nil || names(groups) != "early" {
			t.Errorf("groups of somebody named before: %q, %v", names(groups), err)
		}
		return
	}
	w := newWorld(t, f)
	early := w.addPerson("early")
	if f.traits.dangling {
		w.addGroup("a", w.group("b"), w.person("late"), "cn=far,dc=elsewhere,dc=org")
		w.following()
		w.addGroup("c", w.group("a"), early)
		w.addGroup("b", w.group("c"))
	} else {
		w.addGroup("c", early)
		w.addGroup("b", w.group("c"))
		w.addGroup("a", w.group("b"))
		w.members(w.group("c"), true, w.group("a"))
		w.following()
	}
	w.equal()
	late := w.addPerson("late")
	if !f.traits.dangling {
		w.members(w.group("a"), true, late)
	}
	w.equal()
	for _, name := range []string{"early", "late"} {
		groups, err := w.mirror.GroupsOf(t.Context(), w.somebody(name).ID, true)
		if err != nil || names(groups) != "a b c" {
			t.Errorf("all groups of %s: %q, %v", name, names(groups), err)
		}
	}
	group, err := w.mirror.GroupByName(t.Context(), "b")
	w.must(err)
	people, _, err := w.mirror.MembersOf(t.Context(), group[0].ID, true, 0, "")
	if err != nil || names(people) != "early late" {
		t.Errorf("all members of b: %q, %v", names(people), err)
	}
}

// testManagers follows the references to managers.
func testManagers(t *testing.T, f *fixture) {
	if !f.traits.managers {
		return
	}
	w := newWorld(t, f)
	boss, chief := w.addPerson("boss"), w.addPerson("chief")
	w.addPerson("clerk", "manager", boss)
	w.following()
	check := func(name, managers string) {
		t.Helper()
		w.equal()
		found, err := w.pop.ManagersOf(t.Context(), w.somebody(name).ID)
		if err != nil || names(found) != managers {
			t.Errorf("managers of %s: %q, %v; want %q", name, names(found), err, managers)
		}
	}
	check("clerk", "boss")
	reports, err := w.pop.ManagedBy(t.Context(), w.somebody("boss").ID)
	if err != nil || names(reports) != "clerk" {
		t.Errorf("reports of boss: %q, %v", names(reports), err)
	}
	w.modify(w.person("clerk"), "manager", chief)
	check("clerk", "chief")
	w.modify(w.person("chief"), "manager", w.person("clerk")) // a circle
	check("chief", "clerk")
	w.modify(w.person("clerk"), "manager")
	check("clerk", "")
}

// testOddNames is DR20: RDNs that need every kind of escaping.
func testOddNames(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	w.following()
	odd := []string{
		`comma, name`, `plus+name`, `quote"name"`, `back\slash`, `less<more>`, `semi;colon`, `equal=sign`, `#hash`,
		` spaces at the ends `, `slash/name`, `a*b(c)`, `tail\`,
	}
	if !f.traits.sevenBit {
		odd = append(odd, `Zoë Ünïcode 漢字`)
	}
	var dns, logins []string
	for i, name := range odd {
		login := name
		if f.layout.personRDN != "uid" {
			login = fmt.Sprintf("odd%d", i)
		}
		dn := w.person(name)
		w.addPersonAt(dn, login)
		dns, logins = append(dns, dn), append(logins, login)
	}
	group := w.addGroup("Odd names", dns...)
	w.equal()
	for i, login := range logins {
		e, err := w.pop.PersonByLogin(t.Context(), login)
		if err != nil {
			t.Errorf("%q: %v", login, err)
			continue
		}
		if r, _ := w.pop.Authenticate(t.Context(), e, password(login)); !r.SignedIn() {
			t.Errorf("%q cannot sign in: %+v", login, r)
		}
		w.rename(dns[i], w.f.layout.personRDN+"="+escapedName("n,"+strings.TrimLeft(odd[i], " ")), "")
	}
	w.equal()
	if f.traits.refint && !f.layout.names {
		found, err := w.mirror.GroupByName(t.Context(), "odd names")
		w.must(err)
		if n, err := w.mirror.CountMembers(t.Context(), found[0].ID, false); err != nil || n != len(odd) {
			t.Errorf("%d of %d members after they were renamed, %v", n, len(odd), err)
		}
	}
	w.remove(group)
	for _, dn := range w.peopleDNs() { // as the server spells them: 389 DS trims spaces
		w.remove(dn)
	}
	w.equal()
	if left := w.logins(); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

// peopleDNs are the DNs of all people in the mirror.
func (w *world) peopleDNs() (dns []string) {
	w.t.Helper()
	page, err := w.mirror.ListPage(w.t.Context(), mirror.Query{Kind: directory.KindPerson, Directory: w.cfg.Name})
	w.must(err)
	for _, e := range page.Entries {
		dns = append(dns, e.DN)
	}
	return dns
}

// testAmbiguous is DR23: two entries with one login name.
func testAmbiguous(t *testing.T, f *fixture) {
	if !f.traits.twoUIDs {
		return
	}
	w := newWorld(t, f)
	branch := w.addContainer("branch", w.people)
	w.addPerson("twin")
	w.addPersonAt(below(f.layout.personRDN, "twin", branch), "twin")
	if e, err := w.pop.PersonByLogin(t.Context(), "twin"); !errors.Is(err, directory.ErrAmbiguous) {
		t.Errorf("live: %v, %v", e, err)
	}
	w.following()
	if e, err := w.pop.PersonByLogin(t.Context(), "twin"); !errors.Is(err, directory.ErrAmbiguous) {
		t.Errorf("in the mirror: %v, %v", e, err)
	}
	w.remove(below(f.layout.personRDN, "twin", branch))
	w.equal()
	e, err := w.pop.PersonByLogin(t.Context(), "twin")
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := w.pop.Authenticate(t.Context(), e, password("twin")); !r.SignedIn() {
		t.Errorf("the one who is left: %+v", r)
	}
}
