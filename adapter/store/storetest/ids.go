package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/adapter/store"
)

func subjects(directory string, from, to int) []store.Subject {
	out := make([]store.Subject, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, store.Subject{Directory: directory, Stable: fmt.Sprint("id-", i), Name: fmt.Sprint("name", i)})
	}
	return out
}

func testIDs(t *testing.T, b Backend) {
	t.Run("GivenOnce", func(t *testing.T) { idsGivenOnce(t, b) })
	t.Run("Batch10000", func(t *testing.T) { idsBatch(t, b) })
	t.Run("ConcurrentProcesses", func(t *testing.T) { idsConcurrent(t, b) })
	t.Run("Limits", func(t *testing.T) { idsLimits(t, b) })
	t.Run("Takeover", func(t *testing.T) { idsTakeover(t, b) })
	t.Run("Property", func(t *testing.T) { idsProperty(t, b) })
}

func idsGivenOnce(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s := db.Open(t)
	ctx := t.Context()
	ask := append(subjects("corp", 0, 3), subjects("branch", 1, 2)...)
	ask = append(ask, ask[0]) // twice in one question
	first, err := s.UIDs(ctx, store.KindPerson, ask)
	must(t, err)
	if want := fmt.Sprint([]int64{1, 2, 3, 4, 1}); fmt.Sprint(first) != want {
		t.Fatalf("ids %v, want %s", first, want)
	}
	groups, err := s.UIDs(ctx, store.KindGroup, ask[:1])
	must(t, err)
	if groups[0] != 1 {
		t.Errorf("groups count for themselves: %v", groups)
	}
	must(t, s.Close())
	s = db.Open(t)
	ask[1].Name = "renamed\x00"
	again, err := s.UIDs(ctx, store.KindPerson, append(ask, store.Subject{Directory: "corp", Stable: "new"}))
	must(t, err)
	if want := fmt.Sprint(append(first, 5)); fmt.Sprint(again) != want {
		t.Errorf("ids %v, want %s", again, want)
	}
	if sub, err := s.SubjectByUID(ctx, store.KindPerson, 2); err != nil || sub.Stable != "id-1" || sub.Name != "renamed\uFFFD" {
		t.Errorf("subject %+v, %v", sub, err)
	}
	if many, err := s.SubjectsByUID(ctx, store.KindPerson, []int64{1, 4, 99}); err != nil || len(many) != 2 || many[4].Directory != "branch" {
		t.Errorf("subjects %v, %v", many, err)
	}
	if uid, err := s.UIDOf(ctx, store.KindPerson, "branch", "id-1"); err != nil || uid != 4 {
		t.Errorf("id %d, %v", uid, err)
	}
	if _, err := s.UIDOf(ctx, store.KindPerson, "branch", "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := s.SubjectByUID(ctx, store.KindGroup, 2); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no group 2: %v", err)
	}
}

func idsBatch(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ask := subjects("corp", 0, 10_000)
	begun := time.Now()
	uids, err := s.UIDs(t.Context(), store.KindPerson, ask)
	must(t, err)
	given := time.Since(begun)
	begun = time.Now()
	again, err := s.UIDs(t.Context(), store.KindPerson, ask)
	must(t, err)
	t.Logf("10,000 ids given in %v, read in %v", given, time.Since(begun))
	for i := range uids {
		if uids[i] != int64(i+1) || again[i] != uids[i] {
			t.Fatalf("subject %d: %d, then %d", i, uids[i], again[i])
		}
	}
}

func idsConcurrent(t *testing.T, b Backend) {
	db := b.Fresh(t)
	processes := []*store.Store{db.Open(t), db.Open(t)}
	results := make([][]int64, 8)
	parallel(t, len(results), func(i int) (err error) {
		// Overlapping thirds: everybody meets everybody.
		results[i], err = processes[i%2].UIDs(t.Context(), store.KindPerson, subjects("corp", i*20, i*20+60))
		return err
	})
	owner := map[int64]int{}
	for i, uids := range results {
		for j, uid := range uids {
			person := i*20 + j
			if have, ok := owner[uid]; ok && have != person {
				t.Fatalf("id %d is %d's and %d's", uid, have, person)
			}
			owner[uid] = person
		}
	}
	if len(owner) != 7*20+60 {
		t.Errorf("%d ids for %d people", len(owner), 7*20+60)
	}
	for uid := range owner {
		if uid < 1 || uid > int64(len(owner)) {
			t.Errorf("id %d leaves a gap", uid)
		}
	}
}

func idsLimits(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	for _, bad := range []store.Subject{
		{Directory: "corp"},
		{Stable: "x"},
		{Directory: "corp", Stable: "a\x00b"},
		{Directory: "corp", Stable: "\xff"},
	} {
		if _, err := s.UIDs(ctx, store.KindPerson, []store.Subject{bad}); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := s.UIDs(ctx, "robot", subjects("corp", 0, 1)); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("kind: %v", err)
	}
	if uids, err := s.UIDs(ctx, store.KindPerson, nil); err != nil || len(uids) != 0 {
		t.Errorf("none: %v, %v", uids, err)
	}
	must(t, s.ReserveAbove(ctx, store.KindPerson, store.MaxUID-2))
	if err := s.ReserveAbove(ctx, store.KindPerson, store.MaxUID+1); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("beyond the end: %v", err)
	}
	if _, err := s.UIDs(ctx, store.KindPerson, subjects("corp", 0, 3)); !errors.Is(err, store.ErrExhausted) {
		t.Errorf("three of two: %v", err)
	}
	uids, err := s.UIDs(ctx, store.KindPerson, subjects("corp", 0, 2))
	if err != nil || uids[1] != store.MaxUID {
		t.Errorf("the last two: %v, %v", uids, err)
	}
	if _, err := s.UIDs(ctx, store.KindPerson, subjects("corp", 5, 6)); !errors.Is(err, store.ErrExhausted) {
		t.Errorf("none left: %v", err)
	}
}

func idsTakeover(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	people := subjects("corp", 0, 5)
	must(t, s.AssignUID(ctx, store.KindPerson, people[0], 700))
	must(t, s.AssignUID(ctx, store.KindPerson, people[0], 700)) // repeatable
	uids, err := s.UIDs(ctx, store.KindPerson, people[:2])
	must(t, err)
	if uids[0] != 700 || uids[1] != 701 {
		t.Fatalf("ids %v: new ones start above", uids)
	}
	if err := s.AssignUID(ctx, store.KindPerson, people[2], 700); !errors.Is(err, store.ErrConflict) {
		t.Errorf("taken: %v", err)
	}
	must(t, s.AssignUID(ctx, store.KindPerson, people[1], 12)) // had 701 here
	if err := s.AssignUID(ctx, store.KindPerson, people[2], 701); !errors.Is(err, store.ErrConflict) {
		t.Errorf("retired: %v", err)
	}
	if uid, err := s.UIDOf(ctx, store.KindPerson, "corp", "id-1"); err != nil || uid != 12 {
		t.Errorf("moved: %d, %v", uid, err)
	}
	must(t, s.SetStatus(ctx, 12, store.Status{Locked: true}, "test"))
	if err := s.AssignUID(ctx, store.KindPerson, people[1], 13); !errors.Is(err, store.ErrConflict) {
		t.Errorf("local data hang on it: %v", err)
	}
	for _, bad := range []int64{0, -1, store.MaxUID + 1} {
		if err := s.AssignUID(ctx, store.KindPerson, people[3], bad); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%d: %v", bad, err)
		}
	}
	must(t, s.AssignUID(ctx, store.KindGroup, people[3], 700))
}

// idModel is what is known without tables: who has which id, who ever had it,
// and below which number no new id may be.
type idModel struct {
	t         *testing.T
	s         *store.Store
	directory string
	ids       map[string]int64 // by stable id
	everHeld  map[int64]string
	highest   int64
}

// idsProperty runs random calls against the model.
func idsProperty(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++ // each round has a directory of its own, so it starts with nobody
		m := &idModel{
			t: t, s: s, directory: fmt.Sprint("dir-", round),
			ids: map[string]int64{}, everHeld: map[int64]string{},
		}
		r.Repeat(map[string]func(*rapid.T){"ask": m.ask, "reserve": m.reserve, "assign": m.assign, "": m.check})
	})
}

func (m *idModel) subject(r *rapid.T) store.Subject {
	return store.Subject{
		Directory: m.directory,
		Stable:    fmt.Sprint(rapid.IntRange(0, 30).Draw(r, "who")),
		Name:      fmt.Sprint("n", rapid.IntRange(0, 2).Draw(r, "name")),
	}
}

func (m *idModel) learn(r *rapid.T, stable string, uid int64) {
	if have, ok := m.ids[stable]; ok && have != uid {
		r.Fatalf("%s had %d and has %d", stable, have, uid)
	}
	if who, ok := m.everHeld[uid]; ok && who != stable {
		r.Fatalf("%d was %s's and is %s's", uid, who, stable)
	}
	m.ids[stable], m.everHeld[uid] = uid, stable
}

func (m *idModel) ask(r *rapid.T) {
	ask := make([]store.Subject, rapid.IntRange(1, 12).Draw(r, "count"))
	for i := range ask {
		ask[i] = m.subject(r)
	}
	uids, err := m.s.UIDs(m.t.Context(), store.KindPerson, ask)
	if err != nil {
		r.Fatal(err)
	}
	for i, sub := range ask {
		if _, ok := m.ids[sub.Stable]; !ok && uids[i] <= m.highest {
			r.Fatalf("new id %d is not above %d", uids[i], m.highest)
		}
		m.learn(r, sub.Stable, uids[i])
	}
	m.highest = max(m.highest, slices.Max(uids))
}

func (m *idModel) reserve(r *rapid.T) {
	above := max(0, m.highest+int64(rapid.IntRange(-5, 20).Draw(r, "above")))
	if err := m.s.ReserveAbove(m.t.Context(), store.KindPerson, above); err != nil {
		r.Fatal(err)
	}
	m.highest = max(m.highest, above)
}

func (m *idModel) assign(r *rapid.T) {
	sub := m.subject(r)
	uid := m.highest + int64(rapid.IntRange(-10, 10).Draw(r, "uid"))
	err := m.s.AssignUID(m.t.Context(), store.KindPerson, sub, uid)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrInvalid) {
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	delete(m.ids, sub.Stable)
	m.learn(r, sub.Stable, uid)
	m.highest = max(m.highest, uid)
}

func (m *idModel) check(r *rapid.T) {
	for stable, uid := range m.ids {
		sub, err := m.s.SubjectByUID(m.t.Context(), store.KindPerson, uid)
		if err != nil || sub.Stable != stable || sub.Directory != m.directory {
			r.Fatalf("%d is %+v, %v", uid, sub, err)
		}
		return // one a step is enough
	}
}
