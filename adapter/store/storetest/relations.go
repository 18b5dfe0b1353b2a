package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"portico/adapter/store"
)

// heard collects changes.
type heard struct {
	mu   sync.Mutex
	list []store.Change
}

func (h *heard) add(c store.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, c)
}

func (h *heard) has(table string, id int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.list, store.Change{Table: table, ID: id})
}

func testPermissions(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s, other := db.Open(t), db.Open(t)
	var abroad heard
	other.Watch(abroad.add)
	ctx := t.Context()
	ann := person(t, s, "ann")
	all, err := s.Permissions(ctx)
	must(t, err)
	if len(all) != 13 || all[0].ID != 1 || all[0].Code != "ADMIN" || all[12].ID != 404 || all[12].Code != "SITEWRITER_FILES" {
		t.Errorf("the first list: %+v", all)
	}
	own, err := s.DefinePermission(ctx, "OWN", "ours", noted("defined"))
	must(t, err)
	if own.ID < 10000 {
		t.Errorf("id %d is among those of other programs", own.ID)
	}
	if again, err := s.DefinePermission(ctx, "OWN", "better"); err != nil || again.ID != own.ID {
		t.Errorf("defined again: %+v, %v", again, err)
	}
	for i, want := range []bool{true, false} {
		if changed, err := s.GrantPermission(ctx, ann, "OWN", noted("granted")); err != nil || changed != want {
			t.Errorf("grant %d: %v, %v", i, changed, err)
		}
	}
	_, err = s.GrantPermission(ctx, ann, "NOPE", noted("no"))
	wantErr(t, "no such code", err, store.ErrNotFound)
	_, err = s.GrantPermission(ctx, 99, "OWN", noted("no"))
	wantErr(t, "nobody", err, store.ErrNotFound)
	held, err := other.PermissionsOf(ctx, ann)
	if err != nil || len(held) != 1 || held[0] != (store.Permission{ID: own.ID, Code: "OWN", Description: "better"}) {
		t.Errorf("held: %+v, %v", held, err)
	}
	eventually(t, "the other process hears", func() bool { return abroad.has(store.TablePermissions, ann) })
	for i, want := range []bool{true, false} {
		if changed, err := s.RevokePermission(ctx, ann, "OWN", noted("revoked")); err != nil || changed != want {
			t.Errorf("revoke %d: %v, %v", i, changed, err)
		}
	}
	wantRecords(t, s, "defined", "granted", "revoked")
}

func testManagers(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s, other := db.Open(t), db.Open(t)
	var abroad heard
	other.Watch(abroad.add)
	ctx := t.Context()
	ann, bob, cid := person(t, s, "ann"), person(t, s, "bob"), person(t, s, "cid")
	for _, r := range [][2]int64{{ann, bob}, {ann, cid}, {cid, bob}, {bob, ann}} {
		if changed, err := s.AddManager(ctx, r[0], r[1], noted("added")); err != nil || !changed {
			t.Errorf("%v: %v, %v", r, changed, err)
		}
	}
	if changed, err := s.AddManager(ctx, ann, bob, noted("no")); err != nil || changed {
		t.Errorf("twice: %v, %v", changed, err)
	}
	_, err := s.AddManager(ctx, ann, ann)
	wantErr(t, "oneself", err, store.ErrConflict)
	_, err = s.AddManager(ctx, ann, 99)
	wantErr(t, "nobody", err, store.ErrNotFound)
	want := store.Relations{Managers: []int64{bob}, Employees: []int64{bob, cid}}
	if r, err := other.Relations(ctx, ann); err != nil || fmt.Sprint(r) != fmt.Sprint(want) {
		t.Errorf("relations %+v, %v, want %+v", r, err, want)
	}
	eventually(t, "the other process hears of both", func() bool {
		return abroad.has(store.TableManagers, ann) && abroad.has(store.TableManagers, cid)
	})
	for i, want := range []bool{true, false} {
		if changed, err := s.RemoveManager(ctx, ann, bob, noted("removed")); err != nil || changed != want {
			t.Errorf("remove %d: %v, %v", i, changed, err)
		}
	}
	wantRecords(t, s, "added", "added", "added", "added", "removed")
	// Two processes, both directions at once: no deadlock.
	parallel(t, 20, func(i int) error {
		pair := [][2]int64{{bob, cid}, {cid, bob}}[i%2]
		st := []*store.Store{s, other}[i/2%2]
		_, addErr := st.AddManager(ctx, pair[0], pair[1])
		_, removeErr := st.RemoveManager(ctx, pair[0], pair[1])
		return errors.Join(addErr, removeErr)
	})
}

func testNotifications(t *testing.T, b Backend) {
	t.Run("Order", func(t *testing.T) { notificationOrder(t, b) })
	t.Run("Limits", func(t *testing.T) { notificationLimits(t, b) })
	t.Run("Import", func(t *testing.T) { notificationImport(t, b) })
}

func notificationOrder(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s, other := db.Open(t), db.Open(t)
	var abroad heard
	other.Watch(abroad.add)
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	day := time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC)
	var ids []int64
	for _, n := range []store.Notification{
		{At: day, Title: "first", Content: "c", URL: "https://example.org/?a=b", Sensitive: true},
		{At: day.Add(time.Hour), Title: "newest", Content: "c"},
		{At: day, Title: "same time", Content: "c"},
		{At: day.Add(-time.Hour), Title: "oldest", Content: "c"},
	} {
		id, err := s.AddNotification(ctx, ann, n)
		must(t, err)
		ids = append(ids, id)
	}
	eventually(t, "the other process hears", func() bool { return abroad.has(store.TableNotifications, ann) })
	for range 2 {
		must(t, s.SeeNotification(ctx, ann, ids[1]))
	}
	list, err := other.Notifications(ctx, ann)
	must(t, err)
	var got []string
	for _, n := range list {
		got = append(got, fmt.Sprint(n.Title, n.Seen))
	}
	if want := "[same timefalse firstfalse oldestfalse newesttrue]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
	want := store.Notification{ID: ids[0], At: day, Title: "first", Content: "c", URL: "https://example.org/?a=b", Sensitive: true}
	if list[1] != want {
		t.Errorf("got %+v, want %+v", list[1], want)
	}
	wantErr(t, "another person's", s.SeeNotification(ctx, bob, ids[0]), store.ErrNotFound)
	wantErr(t, "another person's", s.RemoveNotification(ctx, bob, ids[0]), store.ErrNotFound)
	wantErr(t, "unknown", s.SeeNotification(ctx, ann, 999), store.ErrNotFound)
	must(t, s.RemoveNotification(ctx, ann, ids[0]))
	wantErr(t, "twice", s.RemoveNotification(ctx, ann, ids[0]), store.ErrNotFound)
	_, err = s.AddNotification(ctx, 99, store.Notification{At: day, Title: "x", Content: "x"})
	wantErr(t, "nobody", err, store.ErrNotFound)
}

func notificationLimits(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	ann := person(t, s, "ann")
	day := time.Date(2026, 5, 1, 9, 30, 0, 0, time.UTC)
	long := strings.Repeat("é", store.MaxContent)
	first, err := s.AddNotification(ctx, ann, store.Notification{At: day, Title: "nul \x00", Content: long})
	must(t, err)
	list, err := s.Notifications(ctx, ann)
	must(t, err)
	if c := list[0].Content; len(c) > store.MaxContent || len(c) < store.MaxContent-2 || !utf8.ValidString(c) {
		t.Errorf("content of %d bytes", len(c))
	}
	must(t, s.SeeNotification(ctx, ann, first))
	for i := range store.MaxNotifications {
		_, err := s.AddNotification(ctx, ann, store.Notification{At: day.Add(time.Duration(-i) * time.Second), Title: "t", Content: "c"})
		must(t, err)
	}
	// Older than all others: what comes next pushes it out.
	last, err := s.AddNotification(ctx, ann, store.Notification{At: day.AddDate(-1, 0, 0), Title: "old date", Content: "c"})
	must(t, err)
	list, err = s.Notifications(ctx, ann)
	must(t, err)
	ids := make([]int64, len(list))
	for i, n := range list {
		ids[i] = n.ID
	}
	if len(list) > store.MaxNotifications+1 || slices.Contains(ids, first) || !slices.Contains(ids, last) {
		t.Errorf("%d kept; the seen one is kept: %v; the last one: %v", len(list), slices.Contains(ids, first), slices.Contains(ids, last))
	}
}

func notificationImport(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	n := store.Notification{ID: 70, At: time.Date(2020, 5, 1, 9, 30, 0, 0, time.UTC), Title: "t", Content: "c", Seen: true}
	for i, want := range []bool{true, false} {
		if added, err := s.ImportNotification(ctx, ann, n); err != nil || added != want {
			t.Errorf("import %d: %v, %v", i, added, err)
		}
	}
	_, err := s.ImportNotification(ctx, bob, n)
	wantErr(t, "another person's", err, store.ErrConflict)
	smaller := n
	smaller.ID = 3
	_, err = s.ImportNotification(ctx, ann, smaller)
	must(t, err)
	if id, err := s.AddNotification(ctx, ann, n); err != nil || id <= 70 {
		t.Errorf("the next id is %d, %v", id, err)
	}
	smaller.ID = 0
	_, err = s.ImportNotification(ctx, ann, smaller)
	wantErr(t, "no id", err, store.ErrInvalid)
}

func testForget(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s := db.Open(t)
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	later := time.Now().Add(time.Hour)
	for _, uid := range []int64{ann, bob} {
		name := fmt.Sprint(uid)
		must(t, s.SetStatus(ctx, uid, store.Status{Terminated: true}, "test"))
		must(t, s.SetPINHash(ctx, uid, "x"))
		must(t, s.SetTOTPSecret(ctx, uid, []byte("X")))
		must(t, s.SetPendingTOTP(ctx, uid, []byte("Y"), later))
		_, appErr := s.AddAppPassword(ctx, uid, "x", "")
		_, mobileErr := s.AddMobileCode(ctx, uid, name, "")
		_, permissionErr := s.GrantPermission(ctx, uid, "ADMIN")
		_, noteErr := s.AddNotification(ctx, uid, store.Notification{At: later, Title: "t", Content: "c"})
		_, _, keyErr := s.CreateKey(ctx, store.NewKey{API: "action", User: uid})
		must(t, errors.Join(appErr, mobileErr, permissionErr, noteErr, keyErr,
			s.PutOneTimeCode(ctx, uid, name, later),
			s.AddLoginKey(ctx, name, store.LoginKey{Expires: later}),
			s.CompleteLoginKey(ctx, name, uid, later)))
	}
	_, err := s.AddManager(ctx, bob, ann)
	must(t, err)
	wantErr(t, "nobody", s.ForgetPerson(ctx, 99, noted("no")), store.ErrNotFound)
	for range 2 {
		must(t, s.ForgetPerson(ctx, ann, noted("forgotten")))
	}
	for _, table := range []string{"app_passwords", "mobile_codes", "onetime_codes", "login_keys", "user_permissions", "notifications"} {
		for uid, want := range map[int64]int{ann: 0, bob: 1} {
			var rows int
			must(t, db.SQL.QueryRow(fmt.Sprintf("SELECT count(*) FROM %s WHERE uid = %d", table, uid)).Scan(&rows))
			if rows != want {
				t.Errorf("%s: %d rows of %d, want %d", table, rows, uid, want)
			}
		}
	}
	for uid, want := range map[int64]bool{ann: false, bob: true} {
		l, err := s.Local(ctx, uid)
		if err != nil || !l.Terminated || l.HasPIN != want || l.HasTOTP != want {
			t.Errorf("local of %d: %+v, %v", uid, l, err)
		}
		if r, err := s.Relations(ctx, uid); err != nil || len(r.Managers)+len(r.Employees) != 0 {
			t.Errorf("relations of %d: %+v, %v", uid, r, err)
		}
	}
	keys, err := s.ListKeys(ctx, "action")
	must(t, err)
	for _, k := range keys {
		if k.Revoked.IsZero() != (k.User == bob) {
			t.Errorf("key of %d revoked at %v", k.User, k.Revoked)
		}
	}
	_, err = s.PendingTOTP(ctx, ann)
	wantErr(t, "enrolment", err, store.ErrNotFound)
	// A foreign key keeps the id of somebody with local data from being taken.
	wantErr(t, "another id while data hang on it",
		s.AssignUID(ctx, store.KindPerson, store.Subject{Directory: "corp", Stable: "bob"}, 500), store.ErrConflict)
}
