package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/adapter/store"
)

func groups(t testing.TB, s *store.Store, n int) []int64 {
	t.Helper()
	gids, err := s.UIDs(t.Context(), store.KindGroup, subjects("corp", 0, n))
	must(t, err)
	return gids
}

// testUsers is about roles, slugs, titles and public keys.
func testUsers(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s, other := db.Open(t), db.Open(t)
	var abroad heard
	other.Watch(abroad.add)
	ann := person(t, s, "ann")
	t.Run("numbers by name", func(t *testing.T) { numbersByName(t, s, other) })
	t.Run("roles", func(t *testing.T) { userRoles(t, s, other, &abroad, ann) })
	t.Run("slugs", func(t *testing.T) { slugs(t, s, other, &abroad) })
	t.Run("titles", func(t *testing.T) { titles(t, s, other, &abroad, ann) })
	t.Run("public keys", func(t *testing.T) { publicKeys(t, s, ann) })
	must(t, s.ForgetPerson(t.Context(), ann))
	extras, err := s.UserExtras(t.Context(), []int64{ann})
	must(t, err)
	keys, err := s.PublicKeys(t.Context(), ann)
	must(t, err)
	list, err := s.TeamTitles(t.Context())
	must(t, err)
	if len(extras)+len(keys)+len(list) != 0 {
		t.Errorf("after the person was forgotten: %v %v %v", extras, keys, list)
	}
}

func numbersByName(t *testing.T, s, other *store.Store) {
	for what, give := range map[string]func(*store.Store, ...string) (map[string]int64, error){
		"roles": func(s *store.Store, names ...string) (map[string]int64, error) { return s.RoleIDs(t.Context(), names) },
		"project groups": func(s *store.Store, names ...string) (map[string]int64, error) {
			return s.ProjectGroupIDs(t.Context(), names)
		},
	} {
		first, err := give(s, "high", "low")
		must(t, err)
		if first["high"] != 1 || first["low"] != 2 {
			t.Errorf("%s: %v", what, first)
		}
		again, err := give(other, "low", "new' --", "high")
		must(t, err)
		if again["high"] != 1 || again["low"] != 2 || again["new' --"] <= 2 {
			t.Errorf("%s, in another order: %v", what, again)
		}
		var all sync.WaitGroup
		for _, process := range []*store.Store{s, other} {
			all.Go(func() {
				if _, err := give(process, "high", "a", "b", "c"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

func userRoles(t *testing.T, s, other *store.Store, abroad *heard, ann int64) {
	ctx := t.Context()
	always := func(context.Context) error { return nil }
	must(t, s.SetUserRole(ctx, ann, "Administrators", always, noted("role")))
	extras, err := other.UserExtras(ctx, []int64{ann, 4711})
	must(t, err)
	if len(extras) != 1 || extras[ann].Role != "Administrators" {
		t.Errorf("%v", extras)
	}
	eventually(t, "the other process hears of it", func() bool { return abroad.has(store.TableUsers, ann) })
	refused := errors.New("not allowed any more")
	wantErr(t, "D08", s.SetUserRole(ctx, ann, "Users", func(context.Context) error { return refused }), refused)
	wantErr(t, "nobody", s.SetUserRole(ctx, 4711, "Users", always), store.ErrNotFound)
	uids, err := s.UsersWithRole(ctx, "Administrators")
	if err != nil || len(uids) != 1 || uids[0] != ann {
		t.Errorf("%v %v", uids, err)
	}
}

func slugs(t *testing.T, s, other *store.Store, abroad *heard) {
	ctx := t.Context()
	gids := groups(t, s, 4)
	wanted := []store.Slug{{GID: gids[0], Slug: "lab"}, {GID: gids[1], Slug: "lab"}, {GID: gids[2], Slug: "users"}}
	reserved := func(slug string) bool { return slug == "users" }
	var all sync.WaitGroup
	for _, process := range []*store.Store{s, other, s, other} {
		all.Go(func() {
			if err := process.GiveSlugs(ctx, wanted, reserved); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	must(t, s.GiveSlugs(ctx, []store.Slug{{GID: gids[0], Slug: "renamed"}, {GID: gids[3], Slug: "lab"}}, reserved))
	have, err := other.Slugs(ctx, append(gids, 4711))
	must(t, err)
	var text strings.Builder
	for _, gid := range gids {
		fmt.Fprint(&text, have[gid].Slug, " ", have[gid].Icon, " ", have[gid].StartPage, "; ")
	}
	if got := text.String(); got != "lab 1 overview; lab-2 1 overview; users-2 1 overview; lab-3 1 overview; " {
		t.Error(got)
	}
	gid, err := s.GroupBySlug(ctx, "lab-2")
	if err != nil || gid != gids[1] {
		t.Errorf("%d %v", gid, err)
	}
	_, err = s.GroupBySlug(ctx, "LAB")
	wantErr(t, "no such slug", err, store.ErrNotFound)
	must(t, s.SetProjectPage(ctx, store.Slug{GID: gids[0], Icon: 84, StartPage: "tickets"}, noted("page")))
	have, err = other.Slugs(ctx, gids[:1])
	if err != nil || have[gids[0]] != (store.Slug{GID: gids[0], Slug: "lab", Icon: 84, StartPage: "tickets"}) {
		t.Errorf("%v %v", have, err)
	}
	eventually(t, "the other process hears of it", func() bool { return abroad.has(store.TableSlugs, gids[0]) })
	wantErr(t, "no such group", s.SetProjectPage(ctx, store.Slug{GID: 4711, Icon: 1}), store.ErrNotFound)
}

func titles(t *testing.T, s, other *store.Store, abroad *heard, ann int64) {
	ctx := t.Context()
	gid := groups(t, s, 1)[0]
	must(t, s.SetTeamTitle(ctx, gid, ann, "Captain"))
	must(t, s.SetTeamTitle(ctx, gid, ann, "Chair\x00man", noted("title")))
	list, err := other.TeamTitles(ctx)
	if err != nil || len(list) != 1 || list[0].UID != ann || strings.Contains(list[0].Title, "\x00") || !strings.HasPrefix(list[0].Title, "Chair") {
		t.Errorf("%v %v", list, err)
	}
	eventually(t, "the other process hears of it", func() bool { return abroad.has(store.TableTitles, gid) })
	wantErr(t, "nobody", s.SetTeamTitle(ctx, gid, 4711, "x"), store.ErrNotFound)
	if b := person(t, s, "ben"); b != ann {
		must(t, s.SetTeamTitle(ctx, gid, b, "x"))
		must(t, s.SetTeamTitle(ctx, gid, b, ""))
	}
	if list, err = s.TeamTitles(ctx); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

func publicKeys(t *testing.T, s *store.Store, ann int64) {
	ctx := t.Context()
	must(t, s.AddPublicKey(ctx, ann, store.PublicKey{Description: "desk", Key: "ssh-ed25519 AAAA"}, noted("key")))
	wantErr(t, "again", s.AddPublicKey(ctx, ann, store.PublicKey{Key: "ssh-ed25519 AAAA"}), store.ErrConflict)
	wantErr(t, "nobody", s.AddPublicKey(ctx, 4711, store.PublicKey{Key: "x"}), store.ErrNotFound)
	for i := 1; i < store.MaxPublicKeys; i++ {
		must(t, s.AddPublicKey(ctx, ann, store.PublicKey{Key: fmt.Sprint("key ", i)}))
	}
	wantErr(t, "too many", s.AddPublicKey(ctx, ann, store.PublicKey{Key: "one more"}), store.ErrConflict)
	list, err := s.PublicKeys(ctx, ann)
	if err != nil || len(list) != store.MaxPublicKeys || list[0].Description != "desk" || list[0].Created.IsZero() {
		t.Errorf("%d %v", len(list), err)
	}
}

// testInvitations follows invitations through their states.
func testInvitations(t *testing.T, b Backend) {
	db := b.Fresh(t)
	clock := NewClock()
	at := func(o *store.Options) { o.Clock = clock.Now }
	s, other := db.Open(t, at), db.Open(t, at)
	ctx := t.Context()
	in := store.Invitation{Mail: "g@example.org", MailShown: "G@example.org", GivenName: "G", FamilyName: "H", Role: "Users", Expires: clock.Now().Add(time.Hour)}
	id, err := s.Invite(ctx, in, "one", &store.Message{To: "g@example.org", Subject: "s", Text: "t"}, 0, noted("invited"))
	must(t, err)
	_, err = other.Invite(ctx, in, "two", nil, 0)
	wantErr(t, "invited already", err, store.ErrConflict)
	_, err = other.Invite(ctx, in, "two", nil, 4711)
	if err == nil {
		t.Error("invited with a key that there is not")
	}
	if uid := person(t, s, "ann"); uid == id {
		t.Error("the number of an invitation was given to a person")
	}
	_, err = s.TakeInvitation(ctx, "wrong", time.Minute)
	wantErr(t, "wrong token", err, store.ErrNotFound)
	var taken atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, err := []*store.Store{s, other}[i%2].TakeInvitation(ctx, "one", time.Minute)
			if err == nil {
				taken.Add(1)
			} else if !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("D12: taken %d times", taken.Load())
	}
	wantErr(t, "withdrawn while somebody accepts", s.WithdrawInvitation(ctx, id), store.ErrNotFound)
	wantErr(t, "renewed while somebody accepts", s.RenewInvitation(ctx, id, "x", clock.Now(), nil), store.ErrNotFound)
	clock.Add(time.Minute)
	_, err = other.TakeInvitation(ctx, "one", time.Minute) // the first one died
	must(t, err)
	must(t, s.ReleaseInvitation(ctx, id))
	must(t, s.RenewInvitation(ctx, id, "three", clock.Now().Add(time.Hour), nil))
	_, err = s.TakeInvitation(ctx, "one", time.Minute)
	wantErr(t, "the former token", err, store.ErrNotFound)
	_, err = s.AcceptInvitation(ctx, id, store.Subject{Directory: "corp", Stable: "g", Name: "g"}, "UTC")
	wantErr(t, "accepted without being taken", err, store.ErrNotFound)
	_, err = s.TakeInvitation(ctx, "three", time.Minute)
	must(t, err)
	must(t, s.WaitInvitation(ctx, id, "grace", "Europe/Berlin", noted("waits")))
	uid, err := other.AcceptInvitation(ctx, id, store.Subject{Directory: "corp", Stable: "g", Name: "g"}, "UTC", noted("accepted"))
	if err != nil || uid != id || person(t, s, "g") != id {
		t.Errorf("%d %v", uid, err)
	}
	got, err := s.Invitation(ctx, id)
	if err != nil || got.State != store.InvitationAccepted || got.UID != id || got.Username != "grace" {
		t.Errorf("%+v %v", got, err)
	}
	invitationEnds(t, s, clock, in)
}

func invitationEnds(t *testing.T, s *store.Store, clock *Clock, in store.Invitation) {
	ctx := t.Context()
	in.Mail, in.Expires = "i@example.org", clock.Now().Add(time.Hour)
	id, err := s.Invite(ctx, in, "four", nil, 0)
	must(t, err)
	open, err := s.Invitations(ctx, false)
	if err != nil || len(open) != 1 || open[0].ID != id {
		t.Errorf("%+v %v", open, err)
	}
	clock.Add(time.Hour)
	_, err = s.TakeInvitation(ctx, "four", time.Minute)
	wantErr(t, "run out", err, store.ErrNotFound)
	if open, err = s.Invitations(ctx, false); err != nil || len(open) != 0 {
		t.Errorf("%+v %v", open, err)
	}
	in.Expires = clock.Now().Add(time.Hour)
	next, err := s.Invite(ctx, in, "five", nil, 0) // in the place of the one that ran out
	must(t, err)
	if next <= id {
		t.Errorf("the number %d was given again", next)
	}
	must(t, s.WithdrawInvitation(ctx, next))
	wantErr(t, "withdrawn twice", s.WithdrawInvitation(ctx, next), store.ErrNotFound)
	_, err = s.TakeInvitation(ctx, "five", time.Minute)
	wantErr(t, "withdrawn", err, store.ErrNotFound)
	if all, err := s.Invitations(ctx, true); err != nil || len(all) != 3 {
		t.Errorf("%d %v", len(all), err)
	}
}
