package adapter

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestPermissions(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann, bob := ByUsername("ann"), ByUsername("bob")
	want := func(a *Adapter, key PersonKey, code string, want bool) {
		t.Helper()
		if ok, err := a.Permission(ctx, key, code); err != nil || ok != want {
			t.Errorf("%q: %v, %v, want %v", code, ok, err, want)
		}
	}
	want(h.Adapter, ann, "TASKFLOOR", false)
	must(t, h.GrantPermission(ctx, ann, "taskfloor", "admin", testClient()))
	want(h.Adapter, ann, "TaskFloor", true)
	want(h.Adapter, ann, " taskfloor", true)
	want(h.Adapter, ann, "NOPE", false)
	want(h.Adapter, ann, "", false)
	h.settled(t)
	want(h.other, ann, "TASKFLOOR", true)
	must(t, h.GrantPermission(ctx, bob, "Admin", "admin", testClient()))
	want(h.Adapter, bob, "WHATEVER", true)
	must(t, h.RevokePermission(ctx, ann, "TASKFLOOR", "admin", testClient()))
	want(h.Adapter, ann, "TASKFLOOR", false)
	h.settled(t)
	want(h.other, ann, "TASKFLOOR", false)
	wantKind(t, h.GrantPermission(ctx, ann, "NOPE", "admin", testClient()), NotFound, "permission")
	wantKind(t, h.GrantPermission(ctx, ByUsername("nobody"), "ADMIN", "admin", testClient()), NotFound, "user")
	_, err := h.Permission(ctx, ByUsername("nobody"), "ADMIN")
	wantKind(t, err, NotFound, "user")
	if list, err := h.ListPermissions(ctx, bob); err != nil || len(list) != 1 || list[0].Code != "ADMIN" {
		t.Errorf("list: %+v, %v", list, err)
	}
	// Abuse D13: what only looks like a privileged code is not it, and cannot be made.
	for _, bad := range []string{"", "ADMıN", "ＡＤＭＩＮ", "ADMIN\u00a0", "A DMIN", "АDMIN", strings.Repeat("A", 101), "A\x00"} {
		_, err := h.DefinePermission(ctx, bad, "", "admin")
		wantKind(t, err, Invalid, "code")
		if bad != "" {
			want(h.Adapter, ann, bad, false)
		}
	}
	p, err := h.DefinePermission(ctx, "app_own", "ours", "admin")
	if err != nil || p.Code != "APP_OWN" {
		t.Errorf("%+v, %v", p, err)
	}
	must(t, h.GrantPermission(ctx, ann, "App_Own", "admin", testClient()))
	want(h.Adapter, ann, "APP_OWN", true)
	h.dir.set(func() { h.dir.down = true })
	_, err = h.Permission(ctx, ann, "APP_OWN")
	wantKind(t, err, Unavailable, "")
	if n := h.count(t, EventUserEdited); n != 5 {
		t.Errorf("%d changes logged, want 5", n)
	}
}

func TestManagersOfBothSources(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	h.dir.managers["bob"] = []string{"ann"}
	names := func(people []*Person, err error) string {
		t.Helper()
		must(t, err)
		var out []string
		for _, p := range people {
			out = append(out, p.Username)
		}
		return fmt.Sprint(out)
	}
	for _, login := range []string{"ann", "bob", "cid"} {
		h.uid(t, login)
	}
	ann, bob, cid := ByUsername("ann"), ByUsername("bob"), ByUsername("cid")
	must(t, h.AddManager(ctx, ann, cid, "admin", testClient()))
	must(t, h.AddManager(ctx, ann, cid, "admin", testClient()))
	must(t, h.AddManager(ctx, ann, bob, "admin", testClient())) // the directory says so too
	must(t, h.AddManager(ctx, cid, bob, "admin", testClient()))
	if got := names(h.Managed(ctx, ann)); got != "[bob cid]" {
		t.Errorf("managed by ann: %s", got)
	}
	if got := names(h.Managers(ctx, bob)); got != "[ann cid]" {
		t.Errorf("managers of bob: %s", got)
	}
	for _, c := range []struct {
		m, e PersonKey
		want bool
	}{{ann, bob, true}, {ann, cid, true}, {cid, bob, true}, {bob, ann, false}, {ann, ann, false}} {
		if ok, err := h.IsManagerOf(ctx, c.m, c.e); err != nil || ok != c.want {
			t.Errorf("%+v: %v, %v", c, ok, err)
		}
	}
	wantKind(t, h.AddManager(ctx, ann, ann, "admin", testClient()), Invalid, "employee")
	wantKind(t, h.AddManager(ctx, ByUsername("x"), ann, "admin", testClient()), NotFound, "manager")
	wantKind(t, h.AddManager(ctx, ann, ByUsername("x"), "admin", testClient()), NotFound, "employee")
	h.settled(t)
	h.dir.set(func() { h.dir.people = h.dir.people[:2] }) // cid has left
	if got := names(h.other.Managed(ctx, ann)); got != "[bob]" {
		t.Errorf("who has left: %s", got)
	}
	must(t, h.RemoveManager(ctx, ann, bob, "admin", testClient()))
	if ok, err := h.IsManagerOf(ctx, ann, bob); err != nil || !ok {
		t.Errorf("the directory's relation stays: %v, %v", ok, err)
	}
	wantKind(t, h.RemoveManager(ctx, ann, bob, "admin", testClient()), NotFound, "relation")
	if n := h.count(t, EventUserEdited); n != 4 {
		t.Errorf("%d changes logged, want 4", n)
	}
}

func TestNotifications(t *testing.T) {
	zone, err := time.LoadLocation("America/Denver")
	must(t, err)
	h := newHouse(t, func(c *Config) { c.Timezone = zone })
	ctx := t.Context()
	ann, bob := ByUsername("ann"), ByUsername("bob")
	if list, err := h.Notifications(ctx, ann, false); err != nil || len(list) != 0 {
		t.Errorf("none: %+v, %v", list, err)
	}
	now := h.clock.Now().In(zone).Format(time.DateTime)
	ids := map[string]int64{}
	for text, want := range map[string]string{
		"2024-05-01 09:30:00":       "2024-05-01 09:30:00",
		"2024-05-01 09:31":          "2024-05-01 09:31:00",
		"2024-04-30":                "2024-04-30 00:00:00",
		"2024-05-02T09:30:00Z":      "2024-05-02 03:30:00",
		"2024-05-03T09:30:00+02:00": "2024-05-03 01:30:00",
		"tomorrow":                  now,
		"":                          now,
		"0001-01-01":                now,
	} {
		id, err := h.AddNotification(ctx, ann, NewNotification{Title: text + "!", Content: want, Timestamp: text, Sensitive: text == ""})
		must(t, err)
		ids[text] = id
	}
	list, err := h.Notifications(ctx, ann, false)
	must(t, err)
	for i, n := range list {
		if got := n.Time.Format(time.DateTime); got != n.Content || n.Sensitive != (n.Title == "!") {
			t.Errorf("%+v: time %s", n, got)
		}
		if i > 0 && n.Time.After(list[i-1].Time) {
			t.Errorf("%d comes before a newer one", i-1)
		}
	}
	h.settled(t)
	if got, err := h.other.Notifications(ctx, ann, true); err != nil || len(got) != len(ids) {
		t.Errorf("unseen in the other process: %d, %v", len(got), err)
	}
	for range 2 {
		must(t, h.ReadNotification(ctx, ann, ids["tomorrow"]))
	}
	wantKind(t, h.ReadNotification(ctx, bob, ids["tomorrow"]), NotFound, "notification")
	wantKind(t, h.DeleteNotification(ctx, bob, ids["tomorrow"]), NotFound, "notification")
	wantKind(t, h.ReadNotification(ctx, ByUsername("x"), 1), NotFound, "user")
	h.settled(t)
	for _, a := range h.both() {
		unseen, err := a.Notifications(ctx, ann, true)
		if err != nil || len(unseen) != len(ids)-1 {
			t.Errorf("unseen: %d, %v", len(unseen), err)
		}
		all, err := a.Notifications(ctx, ann, false)
		if err != nil || len(all) != len(ids) || !all[len(all)-1].Seen || all[len(all)-1].ID != ids["tomorrow"] {
			t.Errorf("the seen one comes last: %+v, %v", all, err)
		}
	}
	must(t, h.DeleteNotification(ctx, ann, ids["tomorrow"]))
	wantKind(t, h.DeleteNotification(ctx, ann, ids["tomorrow"]), NotFound, "notification")
	if all, err := h.Notifications(ctx, ann, true); err != nil || len(all) != len(ids)-1 {
		t.Errorf("deleted: %d, %v", len(all), err)
	}
	_, err = h.AddNotification(ctx, ann, NewNotification{Content: "c"})
	wantKind(t, err, Invalid, "title")
	if _, err := h.AddNotification(ctx, ann, NewNotification{Title: "0", Content: strings.Repeat("long ", 50_000)}); err != nil {
		t.Errorf("long content: %v", err)
	}
}

func TestForgetPerson(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	uid := h.uid(t, "ann")
	must(t, h.SetPIN(ctx, ann, "1234", "", testClient()))
	must(t, h.GrantPermission(ctx, ann, "ADMIN", "admin", testClient()))
	if ok, err := h.Permission(ctx, ann, "X"); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
	must(t, h.ForgetPerson(ctx, uid, "admin", testClient()))
	if ok, err := h.Permission(ctx, ann, "X"); err != nil || ok {
		t.Errorf("permission: %v, %v", ok, err)
	}
	if r, err := h.CheckPIN(ctx, ann, "1234", testClient()); err != nil || r.Set {
		t.Errorf("PIN: %+v, %v", r, err)
	}
	wantKind(t, h.ForgetPerson(ctx, 999, "admin", testClient()), NotFound, "user")
	if n := h.count(t, EventUserRemoved); n != 1 {
		t.Errorf("%d removals logged", n)
	}
}
