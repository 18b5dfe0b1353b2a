package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/directory"
)

// testKey is a normal form good enough for the DNs of these tests.
func testKey(dn string) (string, error) {
	var out []string
	for rest := dn; rest != ""; {
		rdn := cutDN(rest, 1)
		rest = strings.TrimPrefix(rest[len(rdn):], ",")
		if !strings.Contains(rdn, "=") {
			return "", errors.New("not a DN")
		}
		attr, value, _ := strings.Cut(rdn, "=")
		value = strings.ReplaceAll(strings.TrimSpace(value), `\2C`, `\,`)
		out = append(out, strings.ToLower(strings.TrimSpace(attr)+"="+value))
	}
	return strings.Join(out, ","), nil
}

func testParent(key string) string {
	rdn := cutDN(key, 1)
	return strings.TrimPrefix(key[len(rdn):], ",")
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func testOptions(dirs ...string) Options {
	o := Options{DNKey: testKey, ParentKey: testParent, SkipCheck: true}
	for _, d := range dirs {
		name, suffix, _ := strings.Cut(d, "@")
		o.Directories = append(o.Directories, Directory{Name: name, Suffix: suffix})
	}
	return o
}

func open(t testing.TB, path string, o Options) *Mirror {
	t.Helper()
	m, err := Open(context.Background(), path, quiet(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// loaded is a mirror whose directories were read once, and are empty.
func loaded(t testing.TB, dirs ...string) *Mirror {
	t.Helper()
	m := open(t, filepath.Join(t.TempDir(), "mirror.db"), testOptions(dirs...))
	for _, d := range m.opts.Directories {
		refresh(t, m, d.Name, "c0")
	}
	return m
}

func refresh(t testing.TB, m *Mirror, dir, cookie string, entries ...*directory.Entry) int {
	t.Helper()
	r, err := m.BeginRefresh(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Upsert(context.Background(), entries); err != nil {
		t.Fatal(err)
	}
	n, err := r.Complete(context.Background(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func apply(t testing.TB, m *Mirror, dir string, entries ...*directory.Entry) {
	t.Helper()
	if err := m.Apply(context.Background(), dir, Batch{Upserts: entries}); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, m *Mirror, dir string, stable ...string) {
	t.Helper()
	if err := m.Apply(context.Background(), dir, Batch{Deletes: stable}); err != nil {
		t.Fatal(err)
	}
}

const base = "dc=example,dc=org"

// person is somebody below ou=people of directory "corp".
func person(uid string, change ...func(*directory.Entry)) *directory.Entry {
	e := &directory.Entry{
		ID: directory.ID{Directory: "corp", Stable: "id-" + uid}, Kind: directory.KindPerson,
		DN: "uid=" + uid + ",ou=people," + base, Name: uid, Login: strings.ToLower(uid),
		Attributes: directory.Attributes{
			directory.AttrUsername: {uid}, directory.AttrName: {"Name of " + uid}, directory.AttrMail: {uid + "@example.org"},
		},
	}
	for _, f := range change {
		f(e)
	}
	return e
}

func group(name string, members ...string) *directory.Entry {
	return &directory.Entry{
		ID: directory.ID{Directory: "corp", Stable: "id-" + name}, Kind: directory.KindGroup,
		DN: "cn=" + name + ",ou=groups," + base, Name: name,
		Attributes: directory.Attributes{directory.AttrDescription: {"group " + name}}, Members: members,
	}
}

func container(dn, stable string) *directory.Entry {
	return &directory.Entry{ID: directory.ID{Directory: "corp", Stable: stable}, Kind: directory.KindContainer, DN: dn, Name: stable}
}

func in(dir string) func(*directory.Entry) {
	return func(e *directory.Entry) { e.ID.Directory = dir }
}

func managers(dns ...string) func(*directory.Entry) {
	return func(e *directory.Entry) { e.Attributes[directory.AttrManager] = dns }
}

func dnOf(uid string) string { return "uid=" + uid + ",ou=people," + base }

func id(uid string) directory.ID { return directory.ID{Directory: "corp", Stable: "id-" + uid} }

// stables are the stable ids of entries, with "dir/" unless it is corp.
func stables(entries []*directory.Entry, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var all []string
	for _, e := range entries {
		s := strings.TrimPrefix(e.ID.Stable, "id-")
		if e.ID.Directory != "corp" {
			s = e.ID.Directory + "/" + s
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func sorted(s string) string {
	f := strings.Fields(s)
	slices.Sort(f)
	return strings.Join(f, " ")
}

func members(t testing.TB, m *Mirror, g string, nested bool) string {
	t.Helper()
	p, _, err := m.MembersOf(context.Background(), id(g), nested, 0, "")
	return sorted(stables(p, err))
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// crowd generates people and groups for benchmarks: stable ids like entryUUID,
// names of several scripts, a manager for each, groups of 50.
func crowd(n int, each func(*directory.Entry)) {
	given := []string{"Jürgen", "Anna", "Людмила", "Christopher", "Margaret", "Hans", "Ольга", "Wei", "Kwame", "Siobhán", "Λουκία", "Marek"}
	family := []string{"Müller", "Schmidt", "Okonkwo", "Иванова", "Fitzgerald", "Chang", "Rodríguez", "Andersson", "Kowalczyk", "Nakamura", "Đorđević"}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dn := func(i int) string {
		return fmt.Sprintf("uid=user%06d,ou=people,ou=branch%02d,dc=example,dc=org", i, i%20)
	}
	uuid := func(i int) string { return fmt.Sprintf("%08x-4f3a-103e-9b1c-%012x", uint32(i)*2654435761, i) }
	for i := range n {
		uid := fmt.Sprintf("user%06d", i)
		g, f := given[i%len(given)], family[i/7%len(family)]
		each(&directory.Entry{
			ID: directory.ID{Directory: "corp", Stable: uuid(i)}, Kind: directory.KindPerson, DN: dn(i), Name: uid, Login: uid,
			Attributes: directory.Attributes{
				directory.AttrUsername: {uid}, directory.AttrName: {g + " " + f}, directory.AttrGivenName: {g}, directory.AttrFamilyName: {f},
				directory.AttrMail: {uid + "@example.org"}, directory.AttrPhone: {fmt.Sprintf("+49 30 %07d", i)}, directory.AttrManager: {dn(i / 10)},
			},
			Signals: directory.Attributes{"pwdchangedtime": {"20260101000000Z"}},
			Created: at.Add(time.Duration(i) * time.Second), Modified: at.Add(time.Duration(i) * time.Minute),
			Version: fmt.Sprintf("20260101000000.%06dZ#000000#000#000000", i%1000000),
		})
		if i%50 == 49 {
			name := fmt.Sprintf("team%05d", i/50)
			e := &directory.Entry{
				ID: directory.ID{Directory: "corp", Stable: uuid(n + i)}, Kind: directory.KindGroup,
				DN: "cn=" + name + ",ou=groups,dc=example,dc=org", Name: name, Created: at, Modified: at,
			}
			for k := i - 49; k <= i; k++ {
				e.Members = append(e.Members, dn(k))
			}
			each(e)
		}
	}
}
