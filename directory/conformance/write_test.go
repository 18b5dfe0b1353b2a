package conformance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"portico/configs"
	"portico/directory"
	"portico/directory/mapping"
	"portico/directory/population"
	"portico/directory/writer"
)

// writing is how the writer is told to write to a kind of server.
type writing struct {
	lock       writer.LockMethod
	emptyGroup mapping.EmptyGroup
	refs       bool // the server keeps references right by itself
	ad         bool
	defaults   map[string][]string // of new people and groups, by LDAP name
}

// groupName is one that must be escaped in a DN, where names may be such.
func (s *writing) groupName() string {
	if s.ad {
		return "staff #all" // no commas in sAMAccountName
	}
	return "staff, all"
}

// newWriter makes the writer of the case as the preset says.
func (w *world) newWriter(preset configs.Preset) population.Writer {
	w.t.Helper()
	s := w.f.writing
	if s == nil {
		return nil
	}
	cfg := mapping.WriteConfig{
		UserClasses: preset.Write.UserClasses, GroupClasses: preset.Write.GroupClasses,
		UserRDN: preset.Write.UserRDN, GroupRDN: preset.Write.GroupRDN, UserContainer: w.people, GroupContainer: w.groups,
		UserDefaults: s.defaults, GroupDefaults: w.groupDefaults(), EmptyGroup: s.emptyGroup,
	}
	encoder, err := mapping.NewEncoder(w.mapper, cfg)
	w.must(err)
	return writer.New(writer.Config{
		Directory: w.cfg.Name, Lock: writer.Lock{Method: s.lock, PolicyDN: w.cfg.PasswordPolicy}, ServerKeepsReferences: s.refs, ActiveDirectory: s.ad,
		Settle: time.Second, Chunk: 25,
	}, encoder, w.client, w.log())
}

// groupDefaults are the number of a group where people have one.
func (w *world) groupDefaults() map[string][]string {
	if n := w.f.writing.defaults["gidNumber"]; n != nil && w.f.layout.names {
		return map[string][]string{"gidNumber": n}
	}
	return nil
}

// testWrites makes, changes, renames, disables and deletes people and groups
// through the population, and compares the mirror with the directory (DR19, DR21).
func testWrites(t *testing.T, f *fixture) {
	if f.writing == nil {
		return
	}
	w := newWorld(t, f)
	w.following()
	ctx := t.Context()
	create := func(n directory.NewEntry) *directory.Entry {
		t.Helper()
		e, err := w.pop.Create(ctx, "", n)
		if err != nil {
			t.Fatalf("create %s: %v", n.Name, err)
		}
		return e
	}
	change := func(id directory.ID, c directory.Change) *directory.Entry {
		t.Helper()
		e, err := w.pop.Modify(ctx, id, c)
		if err != nil {
			t.Fatalf("change: %v", err)
		}
		return e
	}
	person := func(name string) directory.NewEntry {
		return directory.NewEntry{Kind: directory.KindPerson, Name: name, Password: password(name)}
	}
	ann, bob := create(person("ann")), create(person("bob"))
	w.signsIn("ann", password("ann"), true)
	_, err := w.pop.Create(ctx, "", person("ANN"))
	wantFault(t, err, directory.WriteExists)
	text := directory.Attributes{directory.AttrDescription: {"odd, text (with) *"}}
	if e := change(ann.ID, directory.Change{Attributes: text}); e.Attributes.First("description") != "odd, text (with) *" {
		t.Errorf("description %q", e.Attributes.First("description"))
	}
	group := create(directory.NewEntry{Kind: directory.KindGroup, Name: w.f.writing.groupName(), Members: []directory.ID{ann.ID}})
	change(group.ID, directory.Change{AddMembers: []directory.ID{bob.ID, ann.ID}})
	w.hasMembers(group.ID, "ann bob")
	change(group.ID, directory.Change{RemoveMembers: []directory.ID{ann.ID, bob.ID}})
	w.hasMembers(group.ID, "") // DR19
	change(group.ID, directory.Change{ReplaceMembers: &[]directory.ID{ann.ID}})
	w.hasMembers(group.ID, "ann")

	name, secret := "anne", "Pw-2.anne"
	if e := change(ann.ID, directory.Change{Name: &name}); e.ID != ann.ID || e.Name != "anne" {
		t.Errorf("renamed: %+v", e)
	}
	w.hasMembers(group.ID, "anne")
	change(ann.ID, directory.Change{Password: &secret})
	w.signsIn("anne", password("ann"), false)
	w.signsIn("anne", secret, true)
	w.canBeDisabled(ann.ID, secret, change)
	w.equal()
	for _, id := range []directory.ID{ann.ID, group.ID, bob.ID} {
		w.must(w.pop.Delete(ctx, id, ""))
	}
	wantFault(t, w.pop.Delete(ctx, ann.ID, ""), directory.WriteNotFound)
	w.equal()
	if left := w.logins(); len(left) != 0 {
		t.Errorf("left: %s", strings.Join(left, " "))
	}
}

// canBeDisabled disables somebody and enables him again.
func (w *world) canBeDisabled(id directory.ID, secret string, change func(directory.ID, directory.Change) *directory.Entry) {
	w.t.Helper()
	for _, disabled := range []bool{true, false} {
		e := change(id, directory.Change{Disabled: &disabled})
		if got := w.pop.State(w.t.Context(), e, time.Now()); got.Disabled != disabled {
			w.t.Errorf("disabled %v: %+v", disabled, got)
		}
		if w.f.writing.lock != writer.LockShadow {
			w.signsIn(e.Name, secret, !disabled)
		}
	}
}

// signsIn binds. A password that somebody else has set may have to be changed first.
func (w *world) signsIn(login, secret string, want bool) {
	w.t.Helper()
	e, err := w.pop.PersonByLogin(w.t.Context(), login)
	if err != nil {
		w.t.Errorf("%s: %v", login, err)
		return
	}
	if r, _ := w.pop.Authenticate(w.t.Context(), e, secret); (r.PasswordRight && r.Verdict != directory.VerdictDisabled) != want {
		w.t.Errorf("%s signs in: %+v, want %v", login, r, want)
	}
}

func (w *world) hasMembers(group directory.ID, want string) {
	w.t.Helper()
	w.equal()
	people, err := w.pop.MembersOf(w.t.Context(), group)
	if err != nil || names(people) != want {
		w.t.Errorf("members %q, %v; want %q", names(people), err, want)
	}
}

func wantFault(t *testing.T, err error, want directory.WriteFault) {
	t.Helper()
	var fault *directory.WriteError
	if !errors.As(err, &fault) || fault.Fault != want {
		t.Errorf("%v, want %s", err, want)
	}
}
