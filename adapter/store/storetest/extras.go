package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/adapter/store"
)

var ann = store.ExtraSubject{Kind: store.KindPerson, Directory: "corp", Stable: "id-ann"}

func values(pairs ...string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return out
}

func extraOf(t testing.TB, s *store.Store, x store.ExtraSubject, domain string) store.Extra {
	t.Helper()
	all, err := s.Extras(t.Context(), x.Directory, []string{"nobody", x.Stable}, domain)
	must(t, err)
	if _, ok := all["nobody"]; ok {
		t.Error("nobody has something")
	}
	return all[x.Stable]
}

func begin(t testing.TB, s *store.Store, i store.Intent) (int64, error) {
	t.Helper()
	return s.BeginIntent(t.Context(), i, "test", time.Minute, 0, time.Minute)
}

func testExtras(t *testing.T, b Backend) {
	t.Run("Life", func(t *testing.T) { extrasLife(t, b) })
	t.Run("SC008_ExternalIDs", func(t *testing.T) { externalIDs(t, b) })
	t.Run("J07_WithAnIntent", func(t *testing.T) { extrasIntent(t, b) })
	t.Run("J07_OneWinner", func(t *testing.T) { extrasRace(t, b) })
	t.Run("L56_Orphans", func(t *testing.T) { extrasOrphans(t, b) })
	t.Run("Bad", func(t *testing.T) {
		s := b.Fresh(t).Open(t)
		for name, c := range map[string]store.ExtraChange{
			"NUL":     {ExternalID: new("a\x00b")},
			"UTF-8":   {ExternalID: new("\xff")},
			"long":    {ExternalID: new(strings.Repeat("x", store.MaxExternalID+1))},
			"JSON":    {Values: values("ims", "{")},
			"name":    {Values: values("", "1")},
			"domain":  {Domain: strings.Repeat("d", store.MaxDomain+1)},
			"size":    {Values: values("photos", `"`+strings.Repeat("x", store.MaxExtras)+`"`)},
			"in JSON": {Values: values("ims", "\"\xff\"")},
		} {
			_, err := s.ChangeExtras(t.Context(), ann, c)
			wantErr(t, name, err, store.ErrInvalid)
		}
		half := `"` + strings.Repeat("x", store.MaxExtras*2/3) + `"`
		_, err := s.ChangeExtras(t.Context(), ann, store.ExtraChange{Values: values("a", half)})
		must(t, err)
		_, err = s.ChangeExtras(t.Context(), ann, store.ExtraChange{Values: values("b", half)})
		wantErr(t, "sum", err, store.ErrInvalid)
	})
}

func extrasLife(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	change := func(c store.ExtraChange) int64 {
		t.Helper()
		revision, err := s.ChangeExtras(t.Context(), ann, c, noted("changed"))
		must(t, err)
		return revision
	}
	if r := change(store.ExtraChange{Values: values("nickName", ` "A\u0000"`, "ims", `[ {"value" : "x"} ]`)}); r != 1 {
		t.Errorf("revision %d", r)
	}
	if r := change(store.ExtraChange{Values: values("nickName", `"A\u0000"`), Domain: "d"}); r != 1 {
		t.Errorf("the same again: revision %d", r)
	}
	if x := extraOf(t, s, ann, "d"); string(x.Values["ims"]) != `[{"value":"x"}]` || string(x.Values["nickName"]) != `"A\u0000"` || x.Revision != 1 || x.ExternalID != "" {
		t.Errorf("%+v", x)
	}
	if r := change(store.ExtraChange{Domain: "d", ExternalID: new("X1"), Values: values("ims", "null")}); r != 2 {
		t.Errorf("revision %d", r)
	}
	old := int64(1)
	_, err := s.ChangeExtras(t.Context(), ann, store.ExtraChange{Values: values("a", "1"), IfRevision: &old})
	wantErr(t, "stale", err, store.ErrStale)
	if x := extraOf(t, s, ann, "d"); len(x.Values) != 1 || x.ExternalID != "X1" || x.Revision != 2 {
		t.Errorf("%+v", x)
	}
	if x := extraOf(t, s, ann, "other"); x.ExternalID != "" || x.Revision != 2 {
		t.Errorf("of another domain: %+v", x)
	}
	if r := change(store.ExtraChange{Domain: "d", ExternalID: new("")}); r != 3 {
		t.Errorf("revision %d", r)
	}
	if r := change(store.ExtraChange{Domain: "d", ExternalID: new("")}); r != 3 {
		t.Errorf("nothing to remove: revision %d", r)
	}
	many := make([]string, 1200)
	for i := range many {
		many[i] = fmt.Sprintf("n%d", i)
	}
	if all, err := s.Extras(t.Context(), "corp", slices.Concat(many, []string{"id-ann"}), "d"); err != nil || len(all) != 1 {
		t.Errorf("%d, %v", len(all), err)
	}
}

func externalIDs(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	bob := ann
	bob.Stable = "id-bob"
	team := store.ExtraSubject{Kind: store.KindGroup, Directory: "corp", Stable: "id-team"}
	give := func(x store.ExtraSubject, domain, id string) error {
		_, err := s.ChangeExtras(t.Context(), x, store.ExtraChange{Domain: domain, ExternalID: &id})
		return err
	}
	must(t, give(ann, "d", "X1"))
	wantErr(t, "taken", give(bob, "d", "X1"), store.ErrConflict)
	must(t, give(bob, "d", "x1")) // letter case counts
	must(t, give(bob, "e", "X1")) // in another domain
	must(t, give(team, "d", "X1"))
	must(t, give(ann, "d", "X2"))
	must(t, give(bob, "d", "X1")) // free again
	for value, want := range map[string]string{"X1": "id-bob", "X2": "id-ann", "x1": ""} {
		x, err := s.FindExternalID(t.Context(), store.KindPerson, "d", value)
		if want == "" {
			wantErr(t, value, err, store.ErrNotFound)
		} else if err != nil || x.Stable != want || x.Directory != "corp" {
			t.Errorf("%s: %+v, %v", value, x, err)
		}
	}
	if x, err := s.FindExternalID(t.Context(), store.KindGroup, "d", "X1"); err != nil || x != team {
		t.Errorf("%+v, %v", x, err)
	}
	must(t, s.DropExtras(t.Context(), bob))
	_, err := s.FindExternalID(t.Context(), store.KindPerson, "e", "X1")
	wantErr(t, "of somebody who is gone", err, store.ErrNotFound)
}

func extrasIntent(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	made := store.Intent{Kind: store.IntentCreate, Directory: "corp", Name: "ann", Extras: &store.ExtraChange{Domain: "d", ExternalID: new("X1"), Values: values("ims", "[1]")}}
	id, err := begin(t, s, made)
	must(t, err)
	_, err = begin(t, s, made)
	wantErr(t, "the external id is kept", err, store.ErrConflict)
	_, err = s.FindExternalID(ctx, store.KindPerson, "d", "X1")
	wantErr(t, "not there yet", err, store.ErrNotFound)
	clock.Add(time.Hour)
	claimed, err := s.ClaimIntents(ctx, "another", time.Minute, 10)
	if err != nil || len(claimed) != 1 || *claimed[0].Extras.ExternalID != "X1" || string(claimed[0].Extras.Values["ims"]) != "[1]" {
		t.Fatalf("%+v, %v", claimed, err)
	}
	must(t, s.EndIntent(ctx, id, store.Ending{})) // it was not made
	id, err = begin(t, s, made)
	must(t, err)
	must(t, s.EndIntent(ctx, id, store.Ending{Done: true, Made: "id-ann"}))
	must(t, s.EndIntent(ctx, id, store.Ending{Done: true, Made: "id-bob"})) // twice
	if x := extraOf(t, s, ann, "d"); x.ExternalID != "X1" || x.Revision != 1 || string(x.Values["ims"]) != "[1]" {
		t.Errorf("%+v", x)
	}
	edit := store.Intent{Kind: store.IntentEdit, Directory: "corp", Stable: "id-ann", Version: "7", Extras: &store.ExtraChange{Domain: "d", ExternalID: new("X2"), Values: values("ims", "null")}}
	first, err := begin(t, s, edit)
	must(t, err)
	second, err := begin(t, s, edit) // of the same entry
	must(t, err)
	one := int64(1)
	_, err = s.ChangeExtras(ctx, ann, store.ExtraChange{Values: values("a", "1"), IfRevision: &one})
	wantErr(t, "a change is under way", err, store.ErrStale)
	must(t, s.EndIntent(ctx, first, store.Ending{}))
	must(t, s.EndIntent(ctx, second, store.Ending{Done: true}))
	if x := extraOf(t, s, ann, "d"); x.ExternalID != "X2" || x.Revision != 2 || len(x.Values) != 0 {
		t.Errorf("%+v", x)
	}
	gone, err := begin(t, s, store.Intent{Kind: store.IntentDelete, Directory: "corp", Stable: "id-ann"})
	must(t, err)
	must(t, s.EndIntent(ctx, gone, store.Ending{Done: true, Gone: true}))
	if x := extraOf(t, s, ann, "d"); x.Revision != 0 {
		t.Errorf("left behind: %+v", x)
	}
	t.Run("Abuse_D08_KeyEndedMeanwhile", func(t *testing.T) {
		key, _, err := s.CreateKey(ctx, store.NewKey{API: "scim"})
		must(t, err)
		_, err = begin(t, s, store.Intent{Kind: store.IntentEdit, KeyID: key.ID})
		must(t, err)
		must(t, s.RevokeKey(ctx, key.ID))
		_, err = begin(t, s, store.Intent{Kind: store.IntentEdit, KeyID: key.ID})
		wantErr(t, "revoked", err, store.ErrKeyRefused)
	})
}

// Of many who want one external id at the same time, through two processes, one gets it.
func extrasRace(t *testing.T, b Backend) {
	db := b.Fresh(t)
	processes := []*store.Store{db.Open(t), db.Open(t)}
	var winners atomic.Int32
	parallel(t, 16, func(i int) error {
		s := processes[i%2]
		stable := fmt.Sprintf("id-%d", i)
		id, err := begin(t, s, store.Intent{
			Kind: store.IntentEdit, Directory: "corp", Stable: stable, Extras: &store.ExtraChange{Domain: "d", ExternalID: new("X")},
		})
		if errors.Is(err, store.ErrConflict) {
			return nil
		}
		if err != nil {
			return err
		}
		winners.Add(1)
		return s.EndIntent(t.Context(), id, store.Ending{Done: true})
	})
	if winners.Load() != 1 {
		t.Errorf("%d winners", winners.Load())
	}
	parallel(t, 16, func(i int) error { // and no change of one entry is lost
		_, err := processes[i%2].ChangeExtras(t.Context(), ann, store.ExtraChange{Values: values(fmt.Sprintf("a%d", i), "1")})
		return err
	})
	if x := extraOf(t, processes[0], ann, ""); len(x.Values) != 16 || x.Revision != 16 {
		t.Errorf("%d values, revision %d", len(x.Values), x.Revision)
	}
}

func extrasOrphans(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	for i := range 3 {
		x := store.ExtraSubject{Kind: store.KindPerson, Directory: "corp", Stable: fmt.Sprintf("id-%d", i)}
		_, err := s.ChangeExtras(t.Context(), x, store.ExtraChange{Domain: "d", ExternalID: new(x.Stable)})
		must(t, err)
	}
	list, err := s.ExtraSubjects(t.Context(), store.ExtraSubject{}, 2)
	must(t, err)
	rest, err := s.ExtraSubjects(t.Context(), list[len(list)-1], 2)
	if err != nil || len(list) != 2 || len(rest) != 1 {
		t.Fatalf("%v, %v, %v", list, rest, err)
	}
	list = append(list, rest...)
	sweep := func(want int, here ...string) {
		t.Helper()
		n, err := s.MissExtras(t.Context(), list, func(x store.ExtraSubject) bool {
			return slices.Contains(here, x.Stable)
		}, time.Hour)
		if err != nil || n != want {
			t.Errorf("%d went, %v", n, err)
		}
	}
	sweep(0, "id-0")
	clock.Add(59 * time.Minute)
	sweep(0, "id-0", "id-1") // one is back
	clock.Add(2 * time.Minute)
	sweep(1, "id-0")
	_, err = s.FindExternalID(t.Context(), store.KindPerson, "d", "id-2")
	wantErr(t, "swept", err, store.ErrNotFound)
	if x, err := s.FindExternalID(t.Context(), store.KindPerson, "d", "id-1"); err != nil || x.Stable != "id-1" {
		t.Errorf("%+v, %v", x, err)
	}
}
