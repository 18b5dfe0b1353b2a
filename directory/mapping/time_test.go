package mapping

import (
	"testing"
	"time"
)

func TestGeneralizedTime(t *testing.T) {
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"20260102030405Z":         base,
		" 20260102030405z ":       base,
		"20260102030405.0Z":       base,
		"20260102030405.25Z":      base.Add(250 * time.Millisecond),
		"20260102030405,5Z":       base.Add(500 * time.Millisecond),
		"20260102030405.123456Z":  base.Add(123456 * time.Microsecond),
		"202601020304Z":           base.Add(-5 * time.Second),
		"202601020304.5Z":         base.Add(25 * time.Second),
		"2026010203Z":             base.Add(-4*time.Minute - 5*time.Second),
		"2026010203.5Z":           base.Add(26*time.Minute - 5*time.Second),
		"20260102050405+0200":     base,
		"20260102013405-0130":     base,
		"20260102050405+02":       base,
		"2026010205+0200":         base.Add(-4*time.Minute - 5*time.Second),
		"19700101000000Z":         time.Unix(0, 0).UTC(),
		"20240229000000Z":         time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"20261231235960Z":         time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		"000001010000Z":           time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		"20260102030405.000000Z":  base,
		"20260102040405.000+0100": base,
	} {
		if got, ok := Time(text); !ok || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "Z", "20260102030405", "20261302030405Z", "20260132030405Z", "20260102240405Z", "20260230000000Z", "2026010203040Z", "20260102030405.Z",
		"20260102030405+2500", "20260102030405+0260", "20260102030405+1", "20260102030405ZZ", "-0260102030405Z", "2026-01-02T03:04:05Z", "now",
	} {
		if got, ok := Time(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestFileTime(t *testing.T) {
	want := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	if got, ok := FileTime("134117966450000006"); !ok || !got.Equal(want) {
		t.Errorf("%v, %v", got, ok)
	}
	for _, text := range []string{"0", "9223372036854775807", "-1", "", "x", "99999999999999999999"} {
		if got, ok := FileTime(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzTime(f *testing.F) {
	f.Add("20260102030405.25Z")
	f.Add("2026010205+0200")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := Time(s)
		if !ok {
			return
		}
		text := got.UTC().Format("20060102150405.000000Z")
		if got.Year() < 0 || got.Year() > 9999 {
			return
		}
		again, ok := Time(text)
		if !ok || !again.Equal(got.Truncate(time.Microsecond)) {
			t.Fatalf("%q is %v; %q is %v, %v", s, got, text, again, ok)
		}
	})
}
