package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"portico/adapter/store"
)

func testSessions(t *testing.T, b Backend) {
	clock := NewClock()
	db := b.Fresh(t)
	s := db.Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	ann, bob := person(t, s, "ann"), person(t, s, "bob")
	until := clock.Now().Add(time.Hour)
	put := func(token string, uid int64, text string) {
		must(t, s.PutSession(ctx, token, uid, store.AnyEpoch, []byte(text), until))
	}
	want := func(token, text string) {
		t.Helper()
		data, err := s.Session(ctx, token)
		if text == "" && !errors.Is(err, store.ErrNotFound) || text != "" && (err != nil || string(data) != text) {
			t.Errorf("%s: %q, %v, want %q", token, data, err, text)
		}
	}
	put("token-one", ann, "plain-content")
	put("token-two", ann, "two")
	put("token-three", bob, "three")
	put("token-four", 0, "four")
	want("token-one", "plain-content")
	want("unknown", "")
	want("", "")
	if dump := db.Dump(t); strings.Contains(dump, "token-one") || strings.Contains(dump, "plain-content") {
		t.Error("a token or its content is readable in the database")
	}
	put("token-one", ann, "changed")
	want("token-one", "changed")
	must(t, s.EndSession(ctx, "token-one"))
	must(t, s.EndSession(ctx, "unknown"))
	want("token-one", "")
	put("token-one", ann, "back from the dead")
	want("token-one", "")
	n, err := s.EndSessions(ctx, ann, store.Record{Type: 11, UID: ann})
	if err != nil || n != 1 {
		t.Errorf("ended %d, %v", n, err)
	}
	want("token-two", "")
	put("token-two", ann, "back from the dead")
	want("token-two", "")
	want("token-three", "three")
	if records, err := s.ListRecords(ctx, store.RecordFilter{UID: ann}); err != nil || len(records) != 1 {
		t.Errorf("%v, %v", records, err)
	}
	put("token-five", ann, "five")
	must(t, s.ForgetPerson(ctx, ann))
	want("token-five", "")
	if err := s.PutSession(ctx, "big", ann, store.AnyEpoch, make([]byte, 1<<20), until); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("too large: %v", err)
	}
	clock.Add(time.Hour)
	want("token-three", "")
	must(t, s.Maintain(ctx))
	if dump := db.Dump(t); strings.Contains(dump, "sessions.hash") {
		t.Error("sessions that ran out are still there")
	}
}
