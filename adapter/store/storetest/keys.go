package storetest

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"portico/adapter/store"
)

func testKeys(t *testing.T, b Backend) {
	t.Run("Life", func(t *testing.T) { keysLife(t, b) })
	t.Run("Takeover", func(t *testing.T) { keysTakeover(t, b) })
	t.Run("Abuse_D01_NoPlainSecretInADump", func(t *testing.T) { keysDump(t, b) })
	t.Run("Abuse_D03_RefusedAlike", func(t *testing.T) { keysRefused(t, b) })
	t.Run("BadRequests", func(t *testing.T) {
		s := b.Fresh(t).Open(t)
		for name, n := range map[string]store.NewKey{
			"api":     {API: "telepathy"},
			"space":   {API: "action", Value: "a b"},
			"control": {API: "action", Value: "a\x00b"},
			"long":    {API: "action", Value: strings.Repeat("x", 513)},
		} {
			if _, _, err := s.CreateKey(t.Context(), n); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := s.CreateKey(t.Context(), store.NewKey{API: "usermanagement", User: 77}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("user: %v", err)
		}
		if err := s.RevokeKey(t.Context(), 77); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("revoke: %v", err)
		}
	})
}

func keysLife(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	ann := person(t, s, "ann")
	shape := regexp.MustCompile(`^pk_[aiucs]_[A-Z2-7]{33}$`)
	for _, api := range []string{"action", "integration", "usermanagement", "collaboration", "scim"} {
		k, plain, err := s.CreateKey(ctx, store.NewKey{API: api, Label: "l\x00", Enforced: true})
		must(t, err)
		if !shape.MatchString(plain) || plain[3] != api[0] || k.Label != "l\uFFFD" {
			t.Errorf("%s: %q %+v", api, plain, k)
		}
	}
	made, plain, err := s.CreateKey(ctx, store.NewKey{
		API: "usermanagement", Level: "full", Label: "batch job", Expires: clock.Now().Add(time.Hour), User: ann, Org: "physics",
	})
	must(t, err)
	k, err := s.LookupKey(ctx, "usermanagement", plain)
	must(t, err)
	if k != made || k.User != ann || k.Org != "physics" || k.Level != "full" || k.Enforced || !k.Created.Equal(clock.Now()) {
		t.Errorf("got %+v, made %+v", k, made)
	}
	used := clock.Now().Add(time.Minute)
	must(t, s.TouchKeys(ctx, map[int64]time.Time{k.ID: used, 9999: used}))
	must(t, s.TouchKeys(ctx, map[int64]time.Time{k.ID: used.Add(-time.Second)}))
	if k, err = s.Key(ctx, k.ID); err != nil || !k.LastUsed.Equal(used) {
		t.Errorf("last used: %+v, %v", k, err)
	}
	if keys, err := s.ListKeys(ctx, "usermanagement"); err != nil || len(keys) != 2 || keys[1] != k {
		t.Errorf("list: %+v, %v", keys, err)
	}
	if keys, err := s.ListKeys(ctx, ""); err != nil || len(keys) != 6 {
		t.Errorf("list all: %d, %v", len(keys), err)
	}
	must(t, s.RevokeKey(ctx, k.ID))
	clock.Add(time.Minute)
	must(t, s.RevokeKey(ctx, k.ID))
	if k, err = s.Key(ctx, k.ID); err != nil || !k.Revoked.Equal(clock.Now().Add(-time.Minute)) {
		t.Errorf("revoked: %+v, %v", k, err)
	}
}

func keysTakeover(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	ctx := t.Context()
	_, plain, err := s.CreateKey(ctx, store.NewKey{API: "action", Value: "oldKey-1", Level: "full"})
	must(t, err)
	if plain != "oldKey-1" {
		t.Errorf("plain %q", plain)
	}
	if _, _, err := s.CreateKey(ctx, store.NewKey{API: "scim", Value: "oldKey-1"}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("twice: %v", err)
	}
	if k, err := s.LookupKey(ctx, "action", "oldKey-1"); err != nil || k.Enforced {
		t.Errorf("look up: %+v, %v", k, err)
	}
	for _, other := range []string{"OLDKEY-1", "oldKey-1 ", "oldKey"} {
		if _, err := s.LookupKey(ctx, "action", other); !errors.Is(err, store.ErrKeyRefused) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func keysDump(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s := db.Open(t)
	ctx := t.Context()
	ann := person(t, s, "ann")
	_, made, err := s.CreateKey(ctx, store.NewKey{API: "scim", Label: "label-is-readable"})
	must(t, err)
	_, taken, err := s.CreateKey(ctx, store.NewKey{API: "action", Value: "taken-over-secret"})
	must(t, err)
	must(t, s.SetTOTPSecret(ctx, ann, []byte("TOTPSECRET234567")))
	_, err = s.Fail(ctx, "password/ann@203.0.113.9", time.Hour)
	must(t, err)
	dump := db.Dump(t)
	if !strings.Contains(dump, "label-is-readable") {
		t.Fatal("the dump shows nothing")
	}
	for _, secret := range []string{made, made[5:31], taken, "TOTPSECRET", "203.0.113.9", string(TestKey())} {
		if strings.Contains(dump, secret) {
			t.Errorf("the dump shows %q", secret)
		}
	}
}

func keysRefused(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	make := func(n store.NewKey) (int64, string) {
		k, plain, err := s.CreateKey(ctx, n)
		must(t, err)
		return k.ID, plain
	}
	revoked, revokedPlain := make(store.NewKey{API: "action"})
	must(t, s.RevokeKey(ctx, revoked))
	expired, expiredPlain := make(store.NewKey{API: "action", Expires: clock.Now().Add(time.Second)})
	clock.Add(time.Second)
	other, otherPlain := make(store.NewKey{API: "scim"})
	_, good := make(store.NewKey{API: "action"})
	mistyped := []byte(good)
	mistyped[10] ^= 1
	for _, c := range []struct {
		name, plain string
		reason      store.Refusal
		id          int64
	}{
		{"empty", "", store.RefusedEmpty, 0},
		{"prefix only", "pk_a_", store.RefusedMalformed, 0},
		{"mistyped", string(mistyped), store.RefusedMalformed, 0},
		{"cut", good[:len(good)-1], store.RefusedMalformed, 0},
		{"unknown", "something", store.RefusedUnknown, 0},
		{"not text", "\xff\x00", store.RefusedUnknown, 0},
		{"revoked", revokedPlain, store.RefusedRevoked, revoked},
		{"expired", expiredPlain, store.RefusedExpired, expired},
		{"other API's", otherPlain, store.RefusedOtherAPI, other},
	} {
		k, err := s.LookupKey(ctx, "action", c.plain)
		var refusal *store.KeyRefusal
		if !errors.Is(err, store.ErrKeyRefused) || !errors.As(err, &refusal) || k != (store.Key{}) {
			t.Errorf("%s: %+v, %v", c.name, k, err)
			continue
		}
		if refusal.Reason != c.reason || refusal.KeyID != c.id {
			t.Errorf("%s: %+v", c.name, refusal)
		}
		if c.plain != "" && strings.Contains(err.Error(), c.plain) {
			t.Errorf("%s: the error shows the key", c.name)
		}
	}
	if _, err := s.LookupKey(ctx, "action", good); err != nil {
		t.Error(err)
	}
}
