package storetest

import (
	"errors"
	"testing"

	"portico/adapter/store"
)

// person makes somebody and gives the id.
func person(t testing.TB, s *store.Store, stable string) int64 {
	t.Helper()
	uids, err := s.UIDs(t.Context(), store.KindPerson, []store.Subject{{Directory: "corp", Stable: stable}})
	must(t, err)
	return uids[0]
}

func testStatus(t *testing.T, b Backend) {
	t.Run("Overlay", func(t *testing.T) {
		clock := NewClock()
		s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
		ctx := t.Context()
		ann, bob := person(t, s, "ann"), person(t, s, "bob")
		if l, err := s.Local(ctx, ann); err != nil || l != (store.Local{}) {
			t.Fatalf("nothing stored: %+v, %v", l, err)
		}
		must(t, s.SetStatus(ctx, ann, store.Status{Locked: true, Alert: true}, "admin"))
		l, err := s.Local(ctx, ann)
		must(t, err)
		want := store.Local{
			Status:   store.Status{Locked: true, Alert: true},
			StatusBy: "admin", StatusAt: clock.Now(), Revision: 1,
		}
		if l != want {
			t.Errorf("got %+v, want %+v", l, want)
		}
		many, err := s.Locals(ctx, []int64{ann, bob, 99})
		must(t, err)
		if len(many) != 1 || many[ann] != want {
			t.Errorf("many: %+v", many)
		}
		if err := s.SetStatus(ctx, 99, store.Status{}, "admin"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
	t.Run("ChangesAtOnceBothHold", func(t *testing.T) {
		db := b.Fresh(t)
		processes := []*store.Store{db.Open(t), db.Open(t)}
		ann := person(t, processes[0], "ann")
		parallel(t, 20, func(i int) error {
			return processes[i%2].ChangeStatus(t.Context(), ann, "test", func(st store.Status) store.Status {
				switch i % 4 {
				case 0:
					st.Terminated = true
				case 1:
					st.Locked = true
				case 2:
					st.MustChange = true
				case 3:
					st.Alert = true
				}
				return st
			})
		})
		l, err := processes[1].Local(t.Context(), ann)
		must(t, err)
		if l.Status != (store.Status{Terminated: true, Locked: true, MustChange: true, Alert: true}) || l.Revision != 20 {
			t.Errorf("got %+v", l)
		}
	})
	t.Run("PINAndTOTP", func(t *testing.T) { statusSecrets(t, b) })
}

func statusSecrets(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s := db.Open(t)
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	if _, err := s.PINHash(ctx, ann); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no PIN: %v", err)
	}
	must(t, s.SetPINHash(ctx, ann, "$argon2id$x"))
	must(t, s.SetTOTPSecret(ctx, ann, []byte("JBSWY3DPEHPK3PXP")))
	if hash, err := s.PINHash(ctx, ann); err != nil || hash != "$argon2id$x" {
		t.Errorf("PIN: %q, %v", hash, err)
	}
	if secret, err := s.TOTPSecret(ctx, ann); err != nil || string(secret) != "JBSWY3DPEHPK3PXP" {
		t.Errorf("TOTP: %q, %v", secret, err)
	}
	if l, err := s.Local(ctx, ann); err != nil || !l.HasPIN || !l.HasTOTP || l.Revision != 2 {
		t.Errorf("local: %+v, %v", l, err)
	}
	// A secret that was copied into another row does not open there.
	must(t, s.SetTOTPSecret(ctx, bob, []byte("other")))
	db.Exec(t, "UPDATE locals SET totp_secret = (SELECT totp_secret FROM locals WHERE uid = 1) WHERE uid = 2")
	if _, err := s.TOTPSecret(ctx, bob); !errors.Is(err, store.ErrUnreadable) {
		t.Errorf("copied secret: %v", err)
	}
	must(t, s.SetPINHash(ctx, ann, ""))
	must(t, s.SetTOTPSecret(ctx, ann, nil))
	if l, err := s.Local(ctx, ann); err != nil || l.HasPIN || l.HasTOTP {
		t.Errorf("removed: %+v, %v", l, err)
	}
}
