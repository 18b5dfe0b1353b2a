package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/adapter/store"
)

// noted is a record that a change brings along.
func noted(text string) store.Record { return store.Record{Type: 18, Text: text} }

// wantErr reports another error than want.
func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func testTOTP(t *testing.T, b Backend) {
	t.Run("Abuse_C03_C04_StepsRise", func(t *testing.T) {
		db := b.Fresh(t)
		processes := []*store.Store{db.Open(t), db.Open(t)}
		ctx := t.Context()
		ann := person(t, processes[0], "ann")
		if won, err := processes[0].UseTOTPStep(ctx, ann, 7); err != nil || won {
			t.Errorf("without a secret: %v, %v", won, err)
		}
		must(t, processes[0].SetTOTPSecret(ctx, ann, []byte("SECRET")))
		var winners atomic.Int32
		parallel(t, 20, func(i int) error {
			won, err := processes[i%2].UseTOTPStep(ctx, ann, 100)
			if won {
				winners.Add(1)
			}
			return err
		})
		if winners.Load() != 1 {
			t.Errorf("%d winners", winners.Load())
		}
		for step, want := range map[int64]bool{99: false, 100: false} {
			if won, err := processes[1].UseTOTPStep(ctx, ann, step); err != nil || won != want {
				t.Errorf("step %d: %v, %v", step, won, err)
			}
		}
		if won, err := processes[1].UseTOTPStep(ctx, ann, 101); err != nil || !won {
			t.Errorf("the next step: %v, %v", won, err)
		}
	})
	t.Run("Enrolment", func(t *testing.T) { totpEnrolment(t, b) })
}

func totpEnrolment(t *testing.T, b Backend) {
	clock := NewClock()
	db := b.Fresh(t)
	s := db.Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	_, err := s.PendingTOTP(ctx, ann)
	wantErr(t, "none begun", err, store.ErrNotFound)
	wantErr(t, "nobody", s.SetPendingTOTP(ctx, 99, []byte("X"), clock.Now()), store.ErrNotFound)
	must(t, s.SetPendingTOTP(ctx, ann, []byte("FIRST"), clock.Now().Add(time.Minute)))
	must(t, s.SetPendingTOTP(ctx, ann, []byte("SECOND"), clock.Now().Add(time.Minute)))
	if l, err := s.Local(ctx, ann); err != nil || l.HasTOTP {
		t.Errorf("active before it was proven: %+v, %v", l, err)
	}
	wantErr(t, "a secret that was replaced", s.ConfirmTOTP(ctx, ann, []byte("FIRST"), 50, noted("no")), store.ErrNotFound)
	// Abuse C06, C11: one person's pending secret does nothing in another's row.
	db.Exec(t, "INSERT INTO locals (uid) VALUES (2)",
		"UPDATE locals SET totp_pending = (SELECT totp_pending FROM locals WHERE uid = 1), "+
			"totp_pending_until = (SELECT totp_pending_until FROM locals WHERE uid = 1) WHERE uid = 2")
	_, err = s.PendingTOTP(ctx, bob)
	wantErr(t, "copied", err, store.ErrUnreadable)
	wantErr(t, "copied and confirmed", s.ConfirmTOTP(ctx, bob, []byte("SECOND"), 50), store.ErrUnreadable)
	must(t, s.ConfirmTOTP(ctx, ann, []byte("SECOND"), 50, noted("totp confirmed")))
	if secret, err := s.TOTPSecret(ctx, ann); err != nil || string(secret) != "SECOND" {
		t.Errorf("secret %q, %v", secret, err)
	}
	if won, err := s.UseTOTPStep(ctx, ann, 50); err != nil || won {
		t.Errorf("Abuse C07: the step of the enrolment: %v, %v", won, err)
	}
	wantErr(t, "confirmed twice", s.ConfirmTOTP(ctx, ann, []byte("SECOND"), 51), store.ErrNotFound)
	must(t, s.SetPendingTOTP(ctx, ann, []byte("LATE"), clock.Now().Add(time.Minute)))
	clock.Add(time.Minute)
	_, err = s.PendingTOTP(ctx, ann)
	wantErr(t, "too old", err, store.ErrNotFound)
	wantErr(t, "too old", s.ConfirmTOTP(ctx, ann, []byte("LATE"), 60), store.ErrNotFound)
	wantRecords(t, s, "totp confirmed")
}

// wantRecords compares the texts of the security log.
func wantRecords(t testing.TB, s *store.Store, want ...string) {
	t.Helper()
	list, err := s.ListRecords(context.Background(), store.RecordFilter{})
	must(t, err)
	var got []string
	for _, r := range list {
		got = append(got, r.Text)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("security log %q, want %q", got, want)
	}
	if _, err := s.Verify(context.Background()); err != nil {
		t.Error(err)
	}
}

func testNotes(t *testing.T, b Backend) {
	t.Run("Abuse_K03_ChangeAndRecordTogether", func(t *testing.T) {
		db := b.Fresh(t)
		s := db.Open(t)
		ctx := t.Context()
		ann := person(t, s, "ann")
		held, _, err := s.CreateKey(ctx, store.NewKey{API: "action"})
		must(t, err)
		db.Exec(t, "UPDATE audit_chain SET seq = 7 WHERE name = 'head'") // the log takes nothing more
		for what, call := range map[string]func() error{
			"PIN":    func() error { return s.SetPINHash(ctx, ann, "x", noted("n")) },
			"TOTP":   func() error { return s.SetTOTPSecret(ctx, ann, []byte("X"), noted("n")) },
			"status": func() error { return s.SetStatus(ctx, ann, store.Status{Locked: true}, "t", noted("n")) },
			"app password": func() error {
				_, err := s.AddAppPassword(ctx, ann, "plain", "d", noted("n"))
				return err
			},
			"mobile code": func() error {
				_, err := s.AddMobileCode(ctx, ann, "plain", "d", noted("n"))
				return err
			},
			"permission": func() error {
				_, err := s.GrantPermission(ctx, ann, "ADMIN", noted("n"))
				return err
			},
			"reset TOTP": func() error { return s.ResetTOTP(ctx, ann, noted("n")) },
			"new key": func() error {
				_, _, err := s.CreateKey(ctx, store.NewKey{API: "action"}, func(string) store.Record { return noted("n") })
				return err
			},
			"revoke key": func() error { return s.RevokeKey(ctx, held.ID, noted("n")) },
			"forget":     func() error { return s.ForgetPerson(ctx, ann, noted("n")) },
		} {
			wantErr(t, what, call(), store.ErrTampered)
		}
		if l, err := s.Local(ctx, ann); err != nil || l != (store.Local{}) {
			t.Errorf("changed all the same: %+v, %v", l, err)
		}
		if keys, err := s.ListKeys(ctx, ""); err != nil || len(keys) != 1 || !keys[0].Revoked.IsZero() {
			t.Errorf("keys %+v, %v", keys, err)
		}
		if held, err := s.PermissionsOf(ctx, ann); err != nil || len(held) != 0 {
			t.Errorf("permissions %v, %v", held, err)
		}
	})
	t.Run("Concurrent", func(t *testing.T) {
		db := b.Fresh(t)
		processes := []*store.Store{db.Open(t), db.Open(t)}
		people := make([]int64, 20)
		for i := range people {
			people[i] = person(t, processes[0], fmt.Sprint("p", i))
		}
		parallel(t, len(people), func(i int) error {
			s := processes[i%2]
			return errors.Join(
				s.SetPINHash(t.Context(), people[i], "x", noted("a"), noted("b")),
				s.Append(t.Context(), noted("c")))
		})
		if v, err := processes[0].Verify(t.Context()); err != nil || v.Records != 60 {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
}

func testSecrets(t *testing.T, b Backend) {
	t.Run("AppPasswords", func(t *testing.T) { appPasswords(t, b) })
	t.Run("ImportedAppPasswords", func(t *testing.T) { importedAppPasswords(t, b) })
	t.Run("MobileCodes", func(t *testing.T) { mobileCodes(t, b) })
	t.Run("Abuse_D01_NothingReadable", func(t *testing.T) {
		db := b.Fresh(t)
		s := db.Open(t)
		ctx := t.Context()
		ann := person(t, s, "ann")
		for what, call := range map[string]func() error{
			"app":     func() error { _, err := s.AddAppPassword(ctx, ann, "MARKED-app", "d"); return err },
			"mobile":  func() error { _, err := s.AddMobileCode(ctx, ann, "MARKED-mobile", "d"); return err },
			"once":    func() error { return s.PutOneTimeCode(ctx, ann, "MARKED-once", time.Now().Add(time.Hour)) },
			"login":   func() error { return s.AddLoginKey(ctx, "MARKED-login", store.LoginKey{Expires: time.Now()}) },
			"totp":    func() error { return s.SetTOTPSecret(ctx, ann, []byte("MARKED-totp")) },
			"pending": func() error { return s.SetPendingTOTP(ctx, ann, []byte("MARKED-pending"), time.Now()) },
		} {
			if err := call(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if dump := db.Dump(t); strings.Contains(dump, "MARKED") {
			t.Errorf("a secret is readable:\n%s", dump)
		}
		if a, b := s.PINDigest(1, "1234"), s.PINDigest(2, "1234"); string(a) == string(b) || len(a) != 32 {
			t.Error("the digest of a PIN must depend on the person")
		}
	})
}

func appPasswords(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	_, err := s.AddAppPassword(ctx, 99, "x", "")
	wantErr(t, "nobody", err, store.ErrNotFound)
	id, err := s.AddAppPassword(ctx, ann, "AAAAA-BBBBB", "mail <b>", noted("added"))
	must(t, err)
	if got, err := s.FindAppPassword(ctx, ann, "AAAAA-BBBBB"); err != nil || got != id {
		t.Errorf("find: %d, %v", got, err)
	}
	for _, c := range []struct {
		uid   int64
		plain string
	}{{bob, "AAAAA-BBBBB"}, {ann, "aaaaa-bbbbb"}, {ann, ""}} {
		_, err := s.FindAppPassword(ctx, c.uid, c.plain)
		wantErr(t, fmt.Sprint(c), err, store.ErrNotFound)
	}
	used := clock.Now()
	clock.Add(59 * time.Second)
	_, err = s.FindAppPassword(ctx, ann, "AAAAA-BBBBB")
	must(t, err)
	want := store.Secret{ID: id, UID: ann, Description: "mail <b>", Created: used, LastUsed: used}
	if list, err := s.AppPasswords(ctx, ann); err != nil || len(list) != 1 || list[0] != want {
		t.Errorf("list: %+v, %v, want %+v", list, err, want)
	}
	wantErr(t, "another person's", s.RemoveAppPassword(ctx, bob, id, noted("no")), store.ErrNotFound)
	must(t, s.RemoveAppPassword(ctx, ann, id, noted("removed")))
	wantErr(t, "twice", s.RemoveAppPassword(ctx, ann, id, noted("no")), store.ErrNotFound)
	_, err = s.FindAppPassword(ctx, ann, "AAAAA-BBBBB")
	wantErr(t, "removed", err, store.ErrNotFound)
	for i := range store.MaxAppPasswords {
		_, err := s.AddAppPassword(ctx, bob, fmt.Sprint("p", i), "")
		must(t, err)
	}
	_, err = s.AddAppPassword(ctx, bob, "one more", "", noted("no"))
	wantErr(t, "too many", err, store.ErrConflict)
	wantRecords(t, s, "added", "removed")
}

func importedAppPasswords(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	ann := person(t, s, "ann")
	for i, want := range []bool{true, false} {
		added, err := s.ImportAppPassword(ctx, ann, "$2y$10$hash", "phone", "accounthub:7")
		if err != nil || added != want {
			t.Errorf("import %d: %v, %v", i, added, err)
		}
	}
	_, err := s.ImportAppPassword(ctx, ann, "", "phone", "accounthub:8")
	wantErr(t, "no hash", err, store.ErrInvalid)
	list, err := s.ImportedAppPasswords(ctx, ann)
	must(t, err)
	if len(list) != 1 || list[0].Hash != "$2y$10$hash" {
		t.Fatalf("imported: %+v", list)
	}
	must(t, s.AdoptAppPassword(ctx, ann, list[0], "plain"))
	if id, err := s.FindAppPassword(ctx, ann, "plain"); err != nil || id != list[0].ID {
		t.Errorf("adopted: %d, %v", id, err)
	}
	if list, err := s.ImportedAppPasswords(ctx, ann); err != nil || len(list) != 0 {
		t.Errorf("still imported: %+v, %v", list, err)
	}
	if added, err := s.ImportAppPassword(ctx, ann, "$2y$10$hash", "phone", "accounthub:7"); err != nil || added {
		t.Errorf("imported again after its use: %v, %v", added, err)
	}
}

func mobileCodes(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	id, err := s.AddMobileCode(ctx, ann, "CODE", "phone", noted("added"))
	must(t, err)
	_, err = s.AddMobileCode(ctx, bob, "CODE", "phone")
	wantErr(t, "taken", err, store.ErrConflict)
	if uid, err := s.FindMobileCode(ctx, "CODE"); err != nil || uid != ann {
		t.Errorf("find: %d, %v", uid, err)
	}
	_, err = s.FindMobileCode(ctx, "code")
	wantErr(t, "another code", err, store.ErrNotFound)
	if added, err := s.ImportMobileCode(ctx, ann, "CODE", "x"); err != nil || added {
		t.Errorf("import of a known code: %v, %v", added, err)
	}
	_, err = s.ImportMobileCode(ctx, bob, "CODE", "x")
	wantErr(t, "import of another person's code", err, store.ErrConflict)
	if added, err := s.ImportMobileCode(ctx, bob, "OLD", "x"); err != nil || !added {
		t.Errorf("import: %v, %v", added, err)
	}
	if list, err := s.MobileCodes(ctx, ann); err != nil || len(list) != 1 || list[0].ID != id || list[0].LastUsed.IsZero() {
		t.Errorf("list: %+v, %v", list, err)
	}
	wantErr(t, "another person's", s.RemoveMobileCode(ctx, bob, id), store.ErrNotFound)
	must(t, s.RemoveMobileCode(ctx, ann, id, noted("removed")))
	_, err = s.FindMobileCode(ctx, "CODE")
	wantErr(t, "removed", err, store.ErrNotFound)
	wantRecords(t, s, "added", "removed")
}
