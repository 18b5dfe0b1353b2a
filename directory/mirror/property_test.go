package mirror

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/directory"
)

// TestProperty_AgreesWithModel does random things to a mirror and to a naive
// model of it, and asks both everything.
func TestProperty_AgreesWithModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		h := &harness{t: rt, path: path, options: testOptions("corp", "branch@b", "third")}
		h.options.Activity = testActivity
		h.options.Directories[0].StatusRules = "r"
		h.model = &model{suffixes: []string{"", "b", ""}, entries: make(map[directory.ID]*modelEntry)}
		h.open()
		defer func() {
			_ = h.m.Close()
			_ = os.Remove(path)
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"upsert": h.upsert, "delete": h.remove, "refresh": h.refresh, "rename": h.rename,
			"again": h.again, "reopen": h.reopen, "": func(*rapid.T) {},
		})
		h.compare()
	})
}

type harness struct {
	t       *rapid.T
	path    string
	options Options
	m       *Mirror
	model   *model
}

var (
	modelNames  = []string{"ann", "Bob", "ann%", "b_b", "Ünal", "o'x", `q"t`, "ann@b"}
	modelGroups = []string{"Staff", "staff", "Ops", "Öl*", "a_b"}
	modelPlaces = []string{"ou=people", "ou=Groups", "ou=north,ou=people", `ou=a\, b`}
)

func modelBase(rank int) string { return fmt.Sprintf("dc=d%d,dc=org", rank) }

func (h *harness) open() {
	m, err := Open(context.Background(), h.path, quiet(), h.options)
	if err != nil {
		h.t.Fatal(err)
	}
	h.m = m
}

func (h *harness) reopen(*rapid.T) {
	if h.m.loading.Load() {
		h.refresh(h.t) // a first load that is cut short is begun anew, which is tested elsewhere
	}
	if err := h.m.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

func (h *harness) rank() int { return rapid.IntRange(0, 2).Draw(h.t, "rank") }

func (h *harness) taken(id directory.ID, dn string) bool {
	for other, e := range h.model.entries {
		if other != id && h.model.key(e.e.DN) == h.model.key(dn) {
			return true
		}
	}
	return false
}

// dns are DNs to refer to: of what is there, and of what is not.
func (h *harness) dns(name string) []string {
	pool := []string{"cn=nobody,dc=org", "not a dn", "cn=Staff,ou=Groups," + modelBase(0), "uid=ANN , ou=people," + modelBase(1)}
	for _, e := range h.model.entries {
		pool = append(pool, e.e.DN)
	}
	slices.Sort(pool)
	return rapid.SliceOfN(rapid.SampledFrom(pool), 0, 4).Draw(h.t, name)
}

// entry draws content for an id of a directory; the kind belongs to the id.
func (h *harness) entry(rank int) *directory.Entry {
	number := rapid.IntRange(0, 11).Draw(h.t, "entry")
	e := &directory.Entry{
		ID:      directory.ID{Directory: h.options.Directories[rank].Name, Stable: fmt.Sprintf("s%02d", number)},
		Version: rapid.SampledFrom([]string{"1", "2"}).Draw(h.t, "version"),
	}
	place := rapid.SampledFrom(modelPlaces).Draw(h.t, "place") + "," + modelBase(rank)
	switch {
	case number < 6:
		e.Kind, e.Name = directory.KindPerson, rapid.SampledFrom(modelNames).Draw(h.t, "name")
		e.DN = "uid=" + strings.ReplaceAll(e.Name, `"`, `\"`) + "," + place
		e.Login = directory.FoldName(e.Name)
		if rank == 1 {
			e.Login += "@b"
		}
		e.Attributes = directory.Attributes{directory.AttrMail: {e.Name + "@x.org", "all@x.org"}}
		if d := rapid.SampledFrom([]string{"", "Anna Müller", "100% Bob", "ΟΔΥΣΣΕΥΣ _"}).Draw(h.t, "display"); d != "" {
			e.Attributes[directory.AttrName] = []string{d}
		}
		if m := h.dns("manager"); len(m) > 0 {
			e.Attributes[directory.AttrManager] = m
		}
	case number < 10:
		e.Kind, e.Name = directory.KindGroup, rapid.SampledFrom(modelGroups).Draw(h.t, "name")
		e.DN = "cn=" + e.Name + "," + place
		if e.MembersByName = rapid.Bool().Draw(h.t, "byname"); e.MembersByName {
			e.Members = rapid.SliceOfN(rapid.SampledFrom(modelNames), 0, 4).Draw(h.t, "members")
		} else {
			e.Members = h.dns("members")
		}
	default:
		e.Kind, e.Name = directory.KindContainer, "people"
		e.DN = rapid.SampledFrom(modelPlaces).Draw(h.t, "container") + "," + modelBase(rank)
	}
	h.decorate(e)
	return e
}

func (h *harness) apply(rank int, b Batch) {
	if err := h.m.Apply(context.Background(), h.options.Directories[rank].Name, b); err != nil {
		h.t.Fatal(err)
	}
}

// fits tells whether a directory could hold the entry: its DN is free, and a
// container that moves does not move into itself or onto others' names.
func (h *harness) fits(e *directory.Entry) bool {
	if h.taken(e.ID, e.DN) {
		return false
	}
	old := h.model.entries[e.ID]
	if old == nil || h.model.key(old.e.DN) == h.model.key(e.DN) {
		return true
	}
	for _, other := range h.model.entries {
		k := h.model.key(other.e.DN)
		if strings.HasSuffix(k, ","+h.model.key(e.DN)) {
			return false
		}
	}
	return !strings.HasSuffix(h.model.key(e.DN), ","+h.model.key(old.e.DN))
}

func (h *harness) upsert(*rapid.T) {
	rank := h.rank()
	if e := h.entry(rank); h.fits(e) {
		h.apply(rank, Batch{Upserts: []*directory.Entry{e}})
		h.model.upsert(rank, e)
	}
}

func (h *harness) pick() *modelEntry {
	var ids []string
	for id := range h.model.entries {
		ids = append(ids, id.String())
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	chosen := rapid.SampledFrom(ids).Draw(h.t, "pick")
	for id, e := range h.model.entries {
		if id.String() == chosen {
			return e
		}
	}
	return nil
}

// rename moves a known entry, with what is below it.
func (h *harness) rename(*rapid.T) {
	p := h.pick()
	if p == nil {
		return
	}
	e := p.e
	rdn := cutDN(e.DN, 1)
	if e.Kind == directory.KindContainer {
		rdn = rapid.SampledFrom([]string{"ou=moved", `ou=a\,b`, "ou=people"}).Draw(h.t, "rdn")
	}
	e.DN = rdn + "," + rapid.SampledFrom([]string{"", "ou=new,"}).Draw(h.t, "below") + modelBase(p.rank)
	if h.fits(&e) {
		h.apply(p.rank, Batch{Upserts: []*directory.Entry{&e}})
		h.model.upsert(p.rank, &e)
	}
}

// again applies what is there: nothing may change.
func (h *harness) again(*rapid.T) {
	p := h.pick()
	if p == nil || h.m.loading.Load() {
		return
	}
	doubt, before := p.doubt, h.m.Revision()
	e := p.e
	h.apply(p.rank, Batch{Upserts: []*directory.Entry{&e}})
	h.model.upsert(p.rank, &e)
	if !doubt && h.m.Revision() != before {
		h.t.Fatalf("applying %s again was a change", e.ID)
	}
}

func (h *harness) remove(*rapid.T) {
	if p := h.pick(); p != nil {
		h.apply(p.rank, Batch{Deletes: []string{p.e.ID.Stable, "unknown"}})
		h.model.remove(p.e.ID)
	}
}

// refresh reads a directory anew: some entries changed, some new, some gone.
func (h *harness) refresh(*rapid.T) {
	ctx := context.Background()
	rank := h.rank()
	name := h.options.Directories[rank].Name
	r, err := h.m.BeginRefresh(ctx, name)
	if err != nil {
		h.t.Fatal(err)
	}
	r.AllowSweep()
	kept := make(map[directory.ID]bool)
	var ids []directory.ID
	for id, e := range h.model.entries {
		if e.rank == rank {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b directory.ID) int { return strings.Compare(a.Stable, b.Stable) })
	first := h.m.loading.Load()
	put := func(e *directory.Entry) {
		kept[e.ID] = true
		h.model.upsert(rank, e)
		if first {
			h.model.forgetHistory()
		}
		if err := r.Upsert(ctx, []*directory.Entry{e}); err != nil {
			h.t.Fatal(err)
		}
	}
	for _, id := range ids {
		switch rapid.IntRange(0, 3).Draw(h.t, "fate") {
		case 0:
			if first {
				put(new(h.model.entries[id].e))
				continue
			}
			kept[id] = true
			if err := r.Present(ctx, []string{id.Stable}); err != nil {
				h.t.Fatal(err)
			}
		case 1, 2:
			put(new(h.model.entries[id].e))
		}
	}
	for range rapid.IntRange(0, 4).Draw(h.t, "more") {
		e := h.entry(rank)
		if first && kept[e.ID] && e.Kind == directory.KindContainer {
			continue // a first load does not follow a container that moves while it runs
		}
		if h.fits(e) {
			put(e)
		}
	}
	if _, err := r.Complete(ctx, "cookie"); err != nil {
		h.t.Fatal(err)
	}
	for _, id := range ids {
		if !kept[id] {
			h.model.remove(id)
		}
	}
	if !first && rapid.IntRange(0, 3).Draw(h.t, "compare") == 0 {
		h.compare()
	}
}
