package mapping

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/directory"
)

// TestProperty_ActivityIsState: what lists filter by is what State says of each
// account, at every moment and under every policy.
func TestProperty_ActivityIsState(t *testing.T) {
	values := []string{
		"", "0", "1", "-1", "2", "514", "512", "TRUE", "false", "junk", "000001010000Z", at(-time.Hour), at(0), at(time.Hour), "19700101000000Z",
		fileTime(-time.Hour), fileTime(0), fileTime(time.Hour), "9223372036854775807", day(-1), day(0), day(1), "00010101000000Z", "99991231235959Z",
	}
	rapid.Check(t, func(rt *rapid.T) {
		rules := rapid.SampledFrom(append(RuleNames(), "")).Draw(rt, "rules")
		e := &directory.Entry{Kind: directory.KindPerson, Signals: directory.Attributes{}}
		for _, name := range append(DefaultSignals(rules), "nsAccountLock") {
			if v := rapid.SampledFrom(values).Draw(rt, name); v != "" {
				e.Signals[lower(name)] = []string{v}
			}
		}
		p := rapid.SampledFrom([]directory.Policy{{}, {DN: "cn=x", Lockout: true}, {DN: "cn=x", MaxAge: time.Hour}}).Draw(rt, "policy")
		for _, d := range []time.Duration{-48 * time.Hour, -time.Hour, -1, 0, 1, time.Hour, 24 * time.Hour, 400000 * time.Hour} {
			now := testNow.Add(d)
			s := State(rules, e, p, now)
			if got := Activity(rules, e).At(now); got != (!s.Disabled && !s.OutsidePeriod) {
				rt.Fatalf("%s %v at %s: active %t, state %+v", rules, e.Signals, now, got, s)
			}
		}
	})
}
