package feed

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/client"
	"portico/directory/mapping"
	"portico/directory/mirror"
	"portico/testenv"
)

// real puts the real mirror and the real client into a world.
func (w *world) real(url string) *mirror.Mirror {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	m, err := mirror.Open(w.t.Context(), filepath.Join(w.t.TempDir(), "mirror.db"), log, mirror.Options{
		Directories: []mirror.Directory{{Name: "corp"}}, DNKey: mapping.DNKey, ParentKey: mapping.ParentKey,
	})
	w.must(err)
	c, err := client.New(client.Config{
		Name: "corp", URLs: []string{url}, BindDN: w.dir.dn, BindPassword: w.dir.password, Cooldown: 20 * time.Millisecond,
	}, log)
	w.must(err)
	w.t.Cleanup(func() {
		if w.stop != nil {
			w.stop()
		}
		w.must(c.Close())
		w.must(m.Close())
	})
	w.source, w.sink = c, OnMirror(m)
	w.dump = func() map[string]flat { return w.mirrored(m) }
	return m
}

// mirrored is what the mirror holds, asked for entry by entry.
func (w *world) mirrored(m *mirror.Mirror) map[string]flat {
	w.t.Helper()
	ctx := context.Background()
	out := map[string]flat{}
	kinds := map[directory.Kind]int{}
	for id := range w.truth() {
		e, err := m.Get(ctx, directory.ID{Directory: "corp", Stable: id})
		if err != nil {
			continue // not there yet
		}
		key, err := mapping.DNKey(e.DN)
		w.must(err)
		f := flatten(&memRow{e: e}, key)
		f.Members = w.mirroredMembers(ctx, m, e)
		managers, err := m.ManagersOf(ctx, e.ID)
		w.must(err)
		f.Managers = ids(managers)
		out[id] = f
		kinds[e.Kind]++
	}
	for _, kind := range []directory.Kind{directory.KindPerson, directory.KindGroup} {
		n, err := m.Count(ctx, kind, "corp")
		w.must(err)
		if n != kinds[kind] {
			out[fmt.Sprintf("more of kind %s", kind)] = flat{Version: fmt.Sprint(n - kinds[kind])}
		}
	}
	return out
}

func (w *world) mirroredMembers(ctx context.Context, m *mirror.Mirror, e *directory.Entry) []string {
	w.t.Helper()
	if e.Kind != directory.KindGroup {
		return nil
	}
	people, _, err := m.MembersOf(ctx, e.ID, false, 0, "")
	w.must(err)
	groups, err := m.SubgroupsOf(ctx, e.ID, false)
	w.must(err)
	return ids(append(people, groups...))
}

func ids(list []*directory.Entry) []string {
	var out []string
	for _, e := range list {
		out = append(out, e.ID.Stable)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// The same random changes and faults with the real mirror behind the feed and the
// real client before it.
func TestRandomOperationsOnTheMirror(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, chaosConfig(mode), testenv.WithSessionLog(50))
		proxy := testenv.OpenProxy(t, w.server.Address())
		w.real(proxy.URL("ldap"))
		w.chaos(proxy, 600)
	})
}

// The file is deleted or damaged while nobody runs: everything is read again.
func TestMirrorAndClientTogether(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeAuto})
	const n = 3000
	w.must(w.server.Load(strings.NewReader(manyPeople(w.server.BaseDN, n))))
	w.admin = w.server.Admin(t)
	m := w.real(w.server.URL())
	w.start()
	w.following()
	w.equal()
	w.modify(w.person("bulk00001"), "mail", "one@example.com")
	w.must(w.admin.Del(ldap.NewDelRequest(w.person("bulk00002"), nil)))
	w.equal()
	w.stop()
	before := m.Revision()
	w.start()
	w.following()
	if m.Revision() != before || w.feed.Status().Refreshes != 0 {
		t.Errorf("a restart without changes wrote %d times, %d full reads", m.Revision()-before, w.feed.Status().Refreshes)
	}
}
