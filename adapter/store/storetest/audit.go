package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/adapter/store"
)

func testAudit(t *testing.T, b Backend) {
	t.Run("AppendAndList", func(t *testing.T) { auditList(t, b) })
	t.Run("OfOnePerson", func(t *testing.T) { auditOfOnePerson(t, b) })
	t.Run("HostileText", func(t *testing.T) { auditHostile(t, b) })
	t.Run("OneChainForAllProcesses", func(t *testing.T) {
		db := b.Fresh(t)
		processes := []*store.Store{db.Open(t), db.Open(t), db.Open(t)}
		parallel(t, 30, func(i int) error {
			for n := range 10 {
				r := store.Record{Type: i, Text: fmt.Sprint("record ", n)}
				if err := processes[i%3].Append(t.Context(), r, r); err != nil {
					return err
				}
			}
			return nil
		})
		v, err := processes[0].Verify(t.Context())
		if err != nil || v.Records != 600 || v.Head.Seq != 600 {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
	t.Run("CloseWritesWhatWaits", func(t *testing.T) {
		db := b.Fresh(t)
		s := db.Open(t)
		results := make(chan error, 100)
		for range cap(results) {
			go func() { results <- s.Append(t.Context(), store.Record{Type: 1}) }()
		}
		time.Sleep(time.Millisecond)
		must(t, s.Close())
		written := int64(0)
		for range cap(results) {
			switch err := <-results; {
			case err == nil:
				written++
			case !errors.Is(err, store.ErrClosed):
				t.Error(err)
			}
		}
		if v, err := db.Open(t).Verify(t.Context()); err != nil || v.Records != written {
			t.Errorf("%d acknowledged, %+v, %v", written, v, err)
		}
	})
	t.Run("TogetherOrNotAtAll", func(t *testing.T) {
		s := b.Fresh(t).Open(t)
		must(t, s.Append(t.Context(), make([]store.Record, store.MaxAppend)...))
		if err := s.Append(t.Context(), make([]store.Record, store.MaxAppend+1)...); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("too many: %v", err)
		}
		must(t, s.Append(t.Context()))
		if v, err := s.Verify(t.Context()); err != nil || v.Records != store.MaxAppend {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
}

func auditList(t *testing.T, b Backend) {
	clock := NewClock()
	s := b.Fresh(t).Open(t, func(o *store.Options) { o.Clock = clock.Now })
	ctx := t.Context()
	begin := clock.Now()
	for i := range 10 {
		r := store.Record{Type: i % 3, UID: int64(i % 2), KeyID: 5, Text: fmt.Sprint("Person 100% number_", i), Actor: "Ünal", Address: "2001:db8::1", RequestID: "r-1"}
		must(t, s.Append(ctx, r))
		clock.Add(time.Second)
	}
	for _, c := range []struct {
		name   string
		filter store.RecordFilter
		want   string
	}{
		{"all", store.RecordFilter{}, "1 2 3 4 5 6 7 8 9 10"},
		{"newest", store.RecordFilter{Newest: true, Limit: 3}, "10 9 8"},
		{"next page", store.RecordFilter{Newest: true, Limit: 3, After: 8}, "7 6 5"},
		{"after", store.RecordFilter{After: 8}, "9 10"},
		{"types", store.RecordFilter{Types: []int{0, 2}}, "1 3 4 6 7 9 10"},
		{"person", store.RecordFilter{UID: 1}, "2 4 6 8 10"},
		{"period", store.RecordFilter{Since: begin.Add(2 * time.Second), Until: begin.Add(4 * time.Second)}, "3 4"},
		{"text", store.RecordFilter{Text: "pERSON 100% number_7"}, "8"},
		{"literal", store.RecordFilter{Text: "number%7"}, ""},
		{"actor", store.RecordFilter{Text: "ÜNAL", Limit: 1}, "1"},
		{"together", store.RecordFilter{UID: 1, Types: []int{0}, Text: "number", Newest: true}, "10 4"},
	} {
		records, err := s.ListRecords(ctx, c.filter)
		must(t, err)
		var got []string
		for _, r := range records {
			got = append(got, fmt.Sprint(r.Seq))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
	records, err := s.ListRecords(ctx, store.RecordFilter{Limit: 1})
	must(t, err)
	want := store.Record{Seq: 1, At: begin, KeyID: 5, Text: "Person 100% number_0", Actor: "Ünal", Address: "2001:db8::1", RequestID: "r-1"}
	if records[0] != want {
		t.Errorf("got %+v, want %+v", records[0], want)
	}
	if _, err := s.ListRecords(ctx, store.RecordFilter{Types: make([]int, 300)}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("too many types: %v", err)
	}
}

// auditOfOnePerson: the records of a person are complete and in order wherever
// the index of the log ends, and page by page in both directions.
func auditOfOnePerson(t *testing.T, b Backend) {
	const people, piece = 40, 1000
	db := b.Fresh(t)
	s := db.Open(t)
	total := 0
	add := func(pieces int) {
		for range pieces {
			records := make([]store.Record, piece)
			for i := range records {
				records[i] = store.Record{Type: total % 3, UID: int64(total % people), Text: fmt.Sprint("number ", total)}
				total++
			}
			must(t, s.Append(t.Context(), records...))
		}
	}
	check := func(when string) {
		t.Helper()
		var want []int64
		for i := range total {
			if i%people == 7 {
				want = append(want, int64(i)+1)
			}
		}
		for _, newest := range []bool{false, true} {
			var got []int64
			for after := int64(0); ; {
				page, err := s.ListRecords(t.Context(), store.RecordFilter{UID: 7, After: after, Limit: 170, Newest: newest})
				must(t, err)
				if len(page) == 0 {
					break
				}
				for _, r := range page {
					got = append(got, r.Seq)
				}
				after = got[len(got)-1]
			}
			if newest {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, newest first %v: %d records, want %d in order", when, newest, len(got), len(want))
			}
		}
		page, err := s.ListRecords(t.Context(), store.RecordFilter{UID: 7, Types: []int{1}, Text: "NUMBER 7"})
		if must(t, err); len(page) == 0 || page[0].Seq != 8 {
			t.Errorf("%s: the first of one type is %+v", when, page)
		}
	}
	add(2)
	check("nothing indexed")
	must(t, s.Maintain(t.Context()))
	check("all indexed")
	add(1)
	check("the end not indexed")
	add(20) // more than one piece of the index
	other := db.Open(t)
	parallel(t, 4, func(i int) error {
		if i%2 == 0 {
			return other.Maintain(t.Context())
		}
		return s.Maintain(t.Context())
	})
	check("indexed by two processes")
	must(t, s.Maintain(t.Context()))
	check("indexed twice")
}

// auditHostile: what a client sends must not keep other records from being written.
func auditHostile(t *testing.T, b Backend) {
	s := b.Fresh(t).Open(t)
	must(t, s.Append(t.Context(), store.Record{
		Text: "a\x00b\xff" + strings.Repeat("é", 2000), Actor: "\xc3", Address: strings.Repeat("1", 100), RequestID: "\x00",
		At: time.Date(2026, 1, 1, 0, 0, 0, 999, time.FixedZone("", 3600)),
	}))
	records, err := s.ListRecords(t.Context(), store.RecordFilter{})
	must(t, err)
	r := records[0]
	if r.Actor != "\uFFFD" || r.RequestID != "\uFFFD" || len(r.Address) != 64 || len([]rune(r.Text)) != 1000 || !strings.HasPrefix(r.Text, "a\uFFFDb\uFFFDé") {
		t.Errorf("got %+v", r)
	}
	_, err = s.Verify(t.Context())
	must(t, err)
}

// tampering is a way to change twenty records with SQL; seq is the first bad
// record, 0 when an end of the chain is bad.
type tampering struct {
	name string
	sql  []string
	seq  int64
}

func tamperings() []tampering {
	const copyOf = "SELECT 21, at, type, key_id, request_id, uid, actor, address, text, salt, digest, hash FROM audit WHERE seq = "
	const insert = "INSERT INTO audit (seq, at, type, key_id, request_id, uid, actor, address, text, salt, digest, hash) "
	return []tampering{
		{"EditText", []string{"UPDATE audit SET text = 'nothing happened' WHERE seq = 7"}, 7},
		{"EditPerson", []string{"UPDATE audit SET uid = uid + 1 WHERE seq >= 7"}, 7},
		{"EditTime", []string{"UPDATE audit SET at = at + 1 WHERE seq = 20"}, 20},
		{"EditType", []string{"UPDATE audit SET type = 0 WHERE seq = 1"}, 1},
		{"EditKey", []string{"UPDATE audit SET key_id = 99 WHERE seq = 3"}, 3},
		{"EditProof", []string{"UPDATE audit SET digest = hash WHERE seq = 5"}, 5},
		{"Erase", []string{"UPDATE audit SET text = '', erased = digest WHERE seq = 5"}, 5},
		{"DeleteFirst", []string{"DELETE FROM audit WHERE seq = 1"}, 1},
		{"DeleteMiddle", []string{"DELETE FROM audit WHERE seq IN (9, 10)"}, 9},
		{"DeleteAndRenumber", []string{"DELETE FROM audit WHERE seq = 9", "UPDATE audit SET seq = 9 WHERE seq = 20"}, 9},
		{"Truncate", []string{"DELETE FROM audit WHERE seq > 15"}, 16},
		{"DeleteAll", []string{"DELETE FROM audit"}, 1},
		{"Reorder", []string{
			"UPDATE audit SET seq = 1000 WHERE seq = 4",
			"UPDATE audit SET seq = 4 WHERE seq = 5",
			"UPDATE audit SET seq = 5 WHERE seq = 1000",
		}, 4},
		{"AppendCopy", []string{insert + copyOf + "20"}, 21},
		{"InsertBefore", []string{insert + strings.Replace(copyOf, "21", "-3", 1) + "20"}, -3},
		{"TruncateWithHead", []string{
			"DELETE FROM audit WHERE seq > 15",
			"UPDATE audit_chain SET seq = 15, hash = (SELECT hash FROM audit WHERE seq = 15) WHERE name = 'head'",
		}, 0},
		{"CutBeginning", []string{
			"DELETE FROM audit WHERE seq < 5",
			"UPDATE audit_chain SET seq = 4 WHERE name = 'start'",
		}, 0},
		{"DeleteHead", []string{"DELETE FROM audit_chain WHERE name = 'head'"}, 0},
		{"StartForHead", []string{
			"DELETE FROM audit",
			"UPDATE audit_chain SET seq = 0, hash = (SELECT hash FROM audit_chain WHERE name = 'start'), mac = (SELECT mac FROM audit_chain WHERE name = 'start')",
		}, 0},
	}
}

func testTampering(t *testing.T, b Backend) {
	for _, c := range tamperings() {
		t.Run("Abuse_K01_"+c.name, func(t *testing.T) {
			db := b.Fresh(t)
			s := db.Open(t)
			appendTwenty(t, s)
			_, err := s.Verify(t.Context())
			must(t, err)
			db.Exec(t, c.sql...)
			_, err = s.Verify(t.Context())
			var fault *store.ChainFault
			if !errors.As(err, &fault) || !errors.Is(err, store.ErrTampered) {
				t.Fatalf("not noticed: %v", err)
			}
			if fault.Seq != c.seq {
				t.Errorf("names record %d (%v), want %d", fault.Seq, fault, c.seq)
			}
			if c.seq == 0 && c.name != "CutBeginning" {
				// A later record must not make a forged end good again.
				if err := s.Append(t.Context(), store.Record{}); !errors.Is(err, store.ErrTampered) {
					t.Errorf("append on a forged end: %v", err)
				}
			}
		})
	}
	t.Run("Abuse_K01_OldHeadAgainstAnchor", func(t *testing.T) { tamperOldHead(t, b) })
}

func appendTwenty(t *testing.T, s *store.Store) {
	t.Helper()
	for i := range 4 {
		var records []store.Record
		for j := range 5 {
			records = append(records, store.Record{Type: 2, UID: int64(5*i + j), KeyID: 3, Text: fmt.Sprint("text ", i, j)})
		}
		must(t, s.Append(t.Context(), records...))
	}
}

// tamperOldHead cuts off the end and puts back a copy of the head from before:
// the database alone looks right, an anchor from outside shows it.
func tamperOldHead(t *testing.T, b Backend) {
	db := b.Fresh(t)
	s := db.Open(t)
	appendTwenty(t, s)
	db.Exec(t, "CREATE TABLE saved AS SELECT * FROM audit_chain")
	early, err := s.Head(t.Context())
	must(t, err)
	appendTwenty(t, s)
	late, err := s.Head(t.Context())
	must(t, err)
	parsed, err := store.ParseAnchor(late.String() + "\n")
	must(t, err)
	v, err := s.Verify(t.Context(), early, parsed)
	if err != nil || v.Records != 40 || v.Head.String() != late.String() {
		t.Fatalf("verify: %+v, %v", v, err)
	}
	db.Exec(t, "DELETE FROM audit WHERE seq > 20", "DELETE FROM audit_chain",
		"INSERT INTO audit_chain SELECT * FROM saved")
	if _, err := s.Verify(t.Context(), early); err != nil {
		t.Fatalf("without a later anchor nothing is wrong: %v", err)
	}
	var fault *store.ChainFault
	if _, err := s.Verify(t.Context(), late); !errors.As(err, &fault) || fault.Seq != 21 {
		t.Errorf("with a later anchor: %v", err)
	}
	appendTwenty(t, s)
	if _, err := s.Verify(t.Context(), late); !errors.As(err, &fault) || fault.Seq != 40 {
		t.Errorf("written over: %v", err)
	}
	for _, bad := range []string{"", "1", "1:00", "x:" + strings.Repeat("00", 32), "-1:" + strings.Repeat("00", 32)} {
		if _, err := store.ParseAnchor(bad); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if !slices.Equal(parsed.Hash, late.Hash) {
		t.Error("an anchor does not survive its text form")
	}
}
