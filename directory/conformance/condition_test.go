package conformance

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"portico/directory"
)

// testConditions binds changes to versions, on servers that give some and on
// servers that give none.
func testConditions(t *testing.T, f *fixture) {
	if f.writing == nil {
		return
	}
	w := newWorld(t, f)
	w.following()
	ann, bob := w.made(directory.KindPerson, "ann"), w.made(directory.KindPerson, "bob")
	group := w.made(directory.KindGroup, "staff", ann.ID)
	for _, e := range []*directory.Entry{ann, group} {
		first := w.version(e.ID)
		text := func(s string) directory.Change {
			return directory.Change{Attributes: directory.Attributes{directory.AttrDescription: {s}}, IfVersion: w.version(e.ID)}
		}
		for i := range 3 { // within one second
			if _, err := w.pop.Modify(t.Context(), e.ID, text(fmt.Sprint("text ", i))); err != nil {
				t.Fatalf("%s %s: %v", e.Kind, e.Name, err)
			}
		}
		late := text("late")
		late.IfVersion = first
		_, err := w.pop.Modify(t.Context(), e.ID, late)
		wantFault(t, err, directory.WriteStale)
		wantFault(t, w.pop.Delete(t.Context(), e.ID, first), directory.WriteStale)
	}
	members := directory.Change{AddMembers: []directory.ID{bob.ID}, IfVersion: w.version(group.ID)}
	if _, err := w.pop.Modify(t.Context(), group.ID, members); err != nil {
		t.Error(err)
	}
	members.AddMembers, members.RemoveMembers = nil, []directory.ID{ann.ID}
	_, err := w.pop.Modify(t.Context(), group.ID, members)
	wantFault(t, err, directory.WriteStale)
	w.hasMembers(group.ID, "ann bob")
	w.oneOfMany(bob.ID)
	w.must(w.pop.Delete(t.Context(), ann.ID, w.version(ann.ID)))
	w.equal()
}

// oneOfMany has several callers make a change that is bound to one version: one
// of them may.
func (w *world) oneOfMany(id directory.ID) {
	w.t.Helper()
	version := w.version(id)
	var wg sync.WaitGroup
	done := make([]error, 6)
	for i := range done {
		wg.Go(func() {
			_, done[i] = w.pop.Modify(w.t.Context(), id, directory.Change{
				Attributes: directory.Attributes{directory.AttrDescription: {fmt.Sprint("caller ", i)}}, IfVersion: version,
			})
		})
	}
	wg.Wait()
	made := 0
	for _, err := range done {
		if err == nil {
			made++
		} else if directory.WriteFaultOf(err) != directory.WriteStale {
			w.t.Errorf("%v", err)
		}
	}
	if made != 1 {
		w.t.Errorf("%d of %d callers made their change", made, len(done))
	}
}

// version is what a caller reads.
func (w *world) version(id directory.ID) string {
	w.t.Helper()
	w.equal()
	e, err := w.mirror.Get(w.t.Context(), id)
	w.must(err)
	w.t.Logf("version of %s: %s", e.Name, e.Version)
	if e.Version == "" {
		w.t.Fatalf("%s has no version", e.Name)
	}
	return e.Version
}

func (w *world) made(kind directory.Kind, name string, members ...directory.ID) *directory.Entry {
	w.t.Helper()
	n := directory.NewEntry{Kind: kind, Name: name, Members: members}
	if kind == directory.KindPerson {
		n.Password = password(name)
	}
	e, err := w.pop.Create(w.t.Context(), "", n)
	if err != nil {
		w.t.Fatalf("create %s: %v", name, err)
	}
	return e
}

// testManyMembers makes, changes and empties a group whose members take more than
// one request, and has managers who are deleted.
func testManyMembers(t *testing.T, f *fixture) {
	if f.writing == nil {
		return
	}
	w := newWorld(t, f)
	const many = 60
	for i := range many {
		w.addPerson(numbered("p", i))
	}
	w.following()
	ids := make([]directory.ID, many)
	for i := range ids {
		ids[i] = w.somebody(numbered("p", i)).ID
	}
	group := w.made(directory.KindGroup, "all", ids...)
	change := func(c directory.Change, want int) {
		t.Helper()
		if _, err := w.pop.Modify(t.Context(), group.ID, c); err != nil {
			t.Fatal(err)
		}
		w.equal()
		people, err := w.pop.MembersOf(t.Context(), group.ID)
		if err != nil || len(people) != want {
			t.Fatalf("%d members, %v; want %d", len(people), err, want)
		}
	}
	change(directory.Change{RemoveMembers: ids[:many-5]}, 5)
	change(directory.Change{AddMembers: ids}, many)
	change(directory.Change{ReplaceMembers: &[]directory.ID{}}, 0)
	if !w.f.traits.managers {
		return
	}
	boss, err := w.pop.Create(t.Context(), "", directory.NewEntry{Kind: directory.KindPerson, Name: "boss", Password: password("boss")})
	w.must(err)
	_, err = w.pop.Modify(t.Context(), ids[0], directory.Change{References: map[string][]directory.ID{directory.AttrManager: {boss.ID}}})
	w.must(err)
	change(directory.Change{AddMembers: []directory.ID{boss.ID}}, 1)
	w.equal()
	w.must(w.pop.Delete(t.Context(), boss.ID, ""))
	w.equal()
	if people, err := w.pop.MembersOf(t.Context(), group.ID); err != nil || len(people) != 0 {
		t.Errorf("who was deleted is still a member: %s, %v", names(people), err)
	}
	if e, err := w.mirror.ManagersOf(t.Context(), ids[0]); err != nil || len(e) != 0 {
		t.Errorf("who was deleted still is a manager: %s, %v", names(e), err)
	}
	left, err := w.pop.PersonByLogin(t.Context(), strings.ToUpper(numbered("p", 0)))
	if err != nil || len(left.Attributes[directory.AttrManager]) != 0 && !w.f.traits.silentRefint {
		t.Errorf("the entry still names the manager: %+v, %v", left, err)
	}
}
