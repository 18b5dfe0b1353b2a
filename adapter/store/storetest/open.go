package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"portico/adapter/store"
)

func testOpen(t *testing.T, b Backend) {
	t.Run("Abuse_J05_OpenersAtOnceOnAnEmptyDatabase", func(t *testing.T) { openersAtOnce(t, b) })
	t.Run("Abuse_J06_NewerSchemaIsRefused", func(t *testing.T) {
		db := b.Fresh(t)
		must(t, db.Open(t).Close())
		db.Exec(t, "INSERT INTO portico_schema (version_id, is_applied) VALUES (9999, true)")
		_, err := db.TryOpen(t.Context())
		if !errors.Is(err, store.ErrSchemaNewer) || !strings.Contains(err.Error(), "9999") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("WrongKey", func(t *testing.T) {
		db := b.Fresh(t)
		must(t, db.Open(t).Close())
		_, err := db.TryOpen(t.Context(), func(o *store.Options) { o.Key = make([]byte, store.KeySize) })
		if !errors.Is(err, store.ErrWrongKey) || !strings.Contains(err.Error(), "secret key") {
			t.Errorf("got %v", err)
		}
		must(t, db.Open(t).Ping(t.Context()))
	})
	t.Run("BadOptions", func(t *testing.T) {
		db := b.Fresh(t)
		_, err := db.TryOpen(t.Context(), func(o *store.Options) { o.Key = []byte("short") })
		if !errors.Is(err, store.ErrInvalid) || strings.Contains(err.Error(), "short") {
			t.Errorf("short key: %v", err)
		}
		_, err = db.TryOpen(t.Context(), func(o *store.Options) { o.Log = nil })
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("no logger: %v", err)
		}
	})
	t.Run("Closed", func(t *testing.T) {
		s := b.Fresh(t).Open(t)
		must(t, s.Close())
		must(t, s.Close())
		ctx := t.Context()
		for name, call := range closedCalls(ctx, s) {
			if err := call(); !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("CallerGone", func(t *testing.T) {
		s := b.Fresh(t).Open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.UIDs(ctx, store.KindPerson, []store.Subject{{Directory: "corp", Stable: "one"}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func openersAtOnce(t *testing.T, b Backend) {
	db := b.Fresh(t)
	stores := make([]*store.Store, 4)
	parallel(t, len(stores), func(i int) (err error) {
		stores[i], err = db.TryOpen(t.Context())
		return err
	})
	sub := store.Subject{Directory: "corp", Stable: "one"}
	for _, s := range stores {
		uids, err := s.UIDs(t.Context(), store.KindPerson, []store.Subject{sub})
		must(t, err)
		if uids[0] != 1 {
			t.Errorf("id %d, want 1", uids[0])
		}
		must(t, s.Append(t.Context(), store.Record{Type: 1}))
		must(t, s.Close())
	}
	if v, err := db.Open(t).Verify(t.Context()); err != nil || v.Records != int64(len(stores)) {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

func closedCalls(ctx context.Context, s *store.Store) map[string]func() error {
	return map[string]func() error{
		"Ping":     func() error { return s.Ping(ctx) },
		"Append":   func() error { return s.Append(ctx, store.Record{}) },
		"Verify":   func() error { _, err := s.Verify(ctx); return err },
		"List":     func() error { _, err := s.ListRecords(ctx, store.RecordFilter{}); return err },
		"Lookup":   func() error { _, err := s.LookupKey(ctx, "action", "x"); return err },
		"Fail":     func() error { _, err := s.Fail(ctx, "x", 1); return err },
		"Failures": func() error { _, err := s.Failures(ctx, "x"); return err },
		"Locals":   func() error { _, err := s.Locals(ctx, []int64{1}); return err },
	}
}
