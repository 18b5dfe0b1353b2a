package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"portico/adapter/store"
)

func testTakeover(t *testing.T, b Backend) {
	t.Run("Person", func(t *testing.T) { takeoverPerson(t, b) })
	t.Run("Numbers", func(t *testing.T) { takeoverNumbers(t, b) })
	t.Run("KeepsWhatIsHere", func(t *testing.T) { takeoverKeeps(t, b) })
	t.Run("StatusIsFollowed", func(t *testing.T) { takeoverStatus(t, b) })
	t.Run("Log", func(t *testing.T) { takeoverLog(t, b) })
	t.Run("Managers", func(t *testing.T) { takeoverManagers(t, b) })
}

func foreigner(name string, uid int64) store.Takeover {
	return store.Takeover{
		Source: "elsewhere", Actor: "import", UID: uid, PlainStatus: 1, StatusCode: 1,
		Subject: store.Subject{Directory: "corp", Stable: name, Name: name},
	}
}

func fullForeigner() store.Takeover {
	in := foreigner("ann", 500)
	in.StatusCode, in.Status = 4, store.Status{Terminated: true}
	in.TOTP, in.HasPIN, in.PINHash = []byte("SECRETSEED"), true, "$argon2id$hash"
	in.Permissions = []store.Permission{{ID: 3, Code: "FOREIGN", Description: "d"}, {ID: 1, Code: "ADMIN"}}
	in.AppPasswords = []store.ForeignSecret{{ID: 8, Value: "$2y$10$hash", Description: "mail"}}
	in.MobileCodes = []store.ForeignSecret{{ID: 9, Value: "MOBILECODE", Description: "phone"}}
	in.Notifications = []store.Notification{{ID: 40, At: time.Unix(1_500_000_000, 0), Title: "t", Content: "c"}}
	return in
}

// results gives the results of outcomes by item, in their order.
func results(outcomes []store.Outcome) string {
	var list []string
	for _, o := range outcomes {
		list = append(list, o.Item+" "+string(o.Result))
	}
	return strings.Join(list, ", ")
}

func takeoverPerson(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s := db.Open(t)
	ctx := t.Context()
	in := fullForeigner()
	before := db.Dump(t)
	rehearsed, err := s.TakeOver(ctx, in, true, store.Record{Type: 18, Text: "taken over"})
	must(t, err)
	if after := db.Dump(t); after != before {
		t.Error("a rehearsal stored something")
	}
	done, err := s.TakeOver(ctx, in, false, store.Record{Type: 18, Text: "taken over"})
	must(t, err)
	want := "uid new, status new, totp new, pin new, permission new, permission new, app password new, mobile code new, notification new"
	if results(done) != want || !slices.Equal(done, rehearsed) {
		t.Errorf("outcomes: %s; rehearsed %s", results(done), results(rehearsed))
	}
	local, err := s.Local(ctx, 500)
	must(t, err)
	if !local.Terminated || local.StatusBy != "import" || !local.HasPIN || !local.HasTOTP {
		t.Errorf("local data: %+v", local)
	}
	if secret, err := s.TOTPSecret(ctx, 500); err != nil || string(secret) != "SECRETSEED" {
		t.Errorf("TOTP: %v", err)
	}
	if uid, err := s.FindMobileCode(ctx, "MOBILECODE"); err != nil || uid != 500 {
		t.Errorf("mobile code: %d, %v", uid, err)
	}
	for _, secret := range []string{"SECRETSEED", "MOBILECODE"} {
		if strings.Contains(db.Dump(t), secret) {
			t.Errorf("%s is readable in the database", secret)
		}
	}
	if id, err := s.AddNotification(ctx, 500, in.Notifications[0]); err != nil || id <= 40 {
		t.Errorf("the next notification is %d, %v", id, err)
	}
	codes, err := s.MobileCodes(ctx, 500)
	must(t, err)
	must(t, s.RemoveMobileCode(ctx, 500, codes[0].ID))
	dump := db.Dump(t)
	again, err := s.TakeOver(ctx, in, false, store.Record{Type: 18, Text: "taken over"})
	must(t, err)
	if strings.Contains(results(again), "new") || db.Dump(t) != dump {
		t.Errorf("a second time changed something: %s", results(again))
	}
	records, err := s.ListRecords(ctx, store.RecordFilter{Text: "taken over"})
	if err != nil || len(records) != 1 {
		t.Errorf("security log: %v, %v", records, err)
	}
}

func takeoverNumbers(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	uids, err := s.UIDs(ctx, store.KindPerson, []store.Subject{
		{Directory: "corp", Stable: "ann", Name: "ann"},
		{Directory: "corp", Stable: "bob", Name: "bob"},
		{Directory: "corp", Stable: "cem", Name: "cem"},
	})
	must(t, err)
	out, err := s.TakeOver(ctx, foreigner("ann", 77), false)
	if err != nil || out[0].Was != uids[0] {
		t.Errorf("moved: %+v, %v", out, err)
	}
	must(t, s.SetStatus(ctx, uids[2], store.Status{Alert: true}, "test"))
	for name, c := range map[string]struct {
		in     store.Takeover
		reason string
	}{
		"held":    {foreigner("dan", uids[1]), "belongs to bob (corp)"},
		"retired": {foreigner("dan", uids[0]), "is retired"},
		"data":    {foreigner("cem", 78), "data are stored here under number 3"},
	} {
		for _, rehearse := range []bool{true, false} {
			_, err := s.TakeOver(ctx, c.in, rehearse)
			wantErr(t, name, err, store.ErrConflict)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, uid := range []int64{0, -1, store.MaxUID + 1} {
		_, err := s.TakeOver(ctx, foreigner("dan", uid), false)
		wantErr(t, "number", err, store.ErrInvalid)
	}
	group := store.Subject{Directory: "corp", Stable: "g", Name: "g"}
	for i, want := range []store.Result{store.TakenNow, store.TakenNow, store.TakenBefore} {
		out, err := s.TakeOverGroup(ctx, group, 12, i == 0)
		if err != nil || out.Result != want {
			t.Errorf("group, time %d: %+v, %v", i, out, err)
		}
	}
	group.Stable = "other"
	_, err = s.TakeOverGroup(ctx, group, 12, true)
	wantErr(t, "group", err, store.ErrConflict)
}

func takeoverKeeps(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	must(t, s.AssignUID(ctx, store.KindPerson, store.Subject{Directory: "corp", Stable: "ann", Name: "ann"}, 500))
	must(t, s.SetStatus(ctx, 500, store.Status{Locked: true}, "root"))
	must(t, s.SetPINHash(ctx, 500, "ours"))
	must(t, s.SetTOTPSecret(ctx, 500, []byte("ours")))
	out, err := s.TakeOver(ctx, fullForeigner(), false)
	must(t, err)
	if !strings.HasPrefix(results(out), "uid before, status skipped, totp skipped, pin skipped, permission new") {
		t.Errorf("outcomes: %s", results(out))
	}
	hash, err := s.PINHash(ctx, 500)
	local, localErr := s.Local(ctx, 500)
	if err != nil || localErr != nil || hash != "ours" || local.Terminated || !local.Locked {
		t.Errorf("PIN %q, %+v", hash, local)
	}
}

func takeoverStatus(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	in := foreigner("ann", 5)
	for i, step := range []struct {
		code   int64
		status store.Status
		want   string
	}{
		{1, store.Status{}, "uid new"},
		{2, store.Status{Locked: true}, "uid before, status new"},
		{2, store.Status{Locked: true}, "uid before, status before"},
		{4, store.Status{Terminated: true}, "uid before, status new"},
		{1, store.Status{}, "uid before, status new"},
	} {
		in.StatusCode, in.Status = step.code, step.status
		out, err := s.TakeOver(ctx, in, false)
		must(t, err)
		local, err := s.Local(ctx, 5)
		must(t, err)
		if results(out) != step.want || local.Status != step.status {
			t.Errorf("step %d: %s, %+v", i, results(out), local.Status)
		}
	}
}

func takeoverLog(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	records := []store.Record{{Type: 1, At: time.Unix(1_500_000_000, 0), Text: "old"}}
	must(t, s.ImportRecords(ctx, "elsewhere", 0, 7, records))
	wantErr(t, "the same piece", s.ImportRecords(ctx, "elsewhere", 0, 7, records), store.ErrConflict)
	must(t, s.ImportRecords(ctx, "elsewhere", 7, 9, nil))
	wantErr(t, "backwards", s.ImportRecords(ctx, "elsewhere", 9, 8, nil), store.ErrInvalid)
	if last, err := s.ImportedLog(ctx, "elsewhere"); err != nil || last != 9 {
		t.Errorf("last: %d, %v", last, err)
	}
	if v, err := s.Verify(ctx); err != nil || v.Records != 1 {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

func takeoverManagers(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	pairs := []store.Pair{{Manager: ann, Employee: bob}}
	for i, want := range []store.Result{store.TakenNow, store.TakenNow, store.TakenBefore} {
		got, err := s.ImportManagers(ctx, "elsewhere", pairs, i == 0)
		if err != nil || got[0] != want {
			t.Errorf("time %d: %v, %v", i, got, err)
		}
	}
	_, err := s.RemoveManager(ctx, ann, bob)
	must(t, err)
	if got, err := s.ImportManagers(ctx, "elsewhere", pairs, false); err != nil || got[0] != store.TakenBefore {
		t.Errorf("removed here: %v, %v", got, err)
	}
	_, err = s.ImportManagers(ctx, "elsewhere", []store.Pair{{Manager: ann, Employee: 999}}, false)
	wantErr(t, "nobody", err, store.ErrNotFound)
}
