package mapping

import (
	"strconv"
	"strings"
	"time"
)

// Time reads a generalized time of RFC 4517 §3.3.13 in any of its shapes: hour
// alone, with minutes, with seconds, with a fraction of the last part after "."
// or ",", in UTC ("Z") or with an offset ("+0130").
func Time(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 11 || len(s) > 40 {
		return time.Time{}, false
	}
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits != 10 && digits != 12 && digits != 14 {
		return time.Time{}, false
	}
	field := func(from, to int) int {
		if to > digits {
			return 0
		}
		n, _ := strconv.Atoi(s[from:to])
		return n
	}
	month, day, hour, minute, second := field(4, 6), field(6, 8), field(8, 10), field(10, 12), field(12, 14)
	if month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	rest := s[digits:]
	fraction, rest, ok := timeFraction(rest, [...]time.Duration{time.Hour, time.Minute, time.Second}[(digits-10)/2])
	if !ok {
		return time.Time{}, false
	}
	offset, ok := timeOffset(rest)
	if !ok {
		return time.Time{}, false
	}
	t := time.Date(field(0, 4), time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Day() != day && second != 60 {
		return time.Time{}, false // 31 February
	}
	return t.Add(fraction - offset), true
}

// timeFraction reads ".25" or ",25" of a unit.
func timeFraction(s string, unit time.Duration) (time.Duration, string, bool) {
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0, s, true
	}
	end := 1
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == 1 {
		return 0, s, false
	}
	f, err := strconv.ParseFloat("0."+s[1:end], 64)
	if err != nil {
		return 0, s, false
	}
	return time.Duration(f * float64(unit)).Round(time.Microsecond), s[end:], true
}

// timeOffset reads "Z", "+HH" or "-HHMM".
func timeOffset(s string) (time.Duration, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != 3 && len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:], 10, 16)
	if err != nil {
		return 0, false
	}
	if len(s) == 3 {
		n *= 100
	}
	d := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	if s[0] == '-' {
		d = -d
	}
	return d, n/100 < 24 && n%100 < 60
}

// FileTime reads Active Directory's times: units of 100 ns since 1601. The values
// 0 and 9223372036854775807 mean "never" and give false, as does text.
func FileTime(s string) (time.Time, bool) {
	n, ok := parseInt(s)
	if !ok || n <= 0 || n == 1<<63-1 {
		return time.Time{}, false
	}
	return time.Unix(n/1e7-11644473600, n%1e7*100).UTC(), true
}

// time reads a slot's time in either form; zero where there is none.
func (v *values) time(slot int) time.Time {
	t, _ := Time(v.first(slot))
	return t
}
