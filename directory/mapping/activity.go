package mapping

import (
	"math"
	"strings"
	"time"

	"portico/directory"
)

// Activity tells when an account may be used, by one of the rule sets of State:
// at every moment, Activity(...).At(now) is true exactly if State says neither
// Disabled nor OutsidePeriod, whatever the policy.
func Activity(rules string, e *directory.Entry) directory.Activity {
	if e.Kind != directory.KindPerson || len(e.Signals) == 0 {
		return directory.Activity{}
	}
	get := func(attribute string) string { return strings.TrimSpace(e.Signals.First(attribute)) }
	var a directory.Activity
	period := func(attribute string, begins bool) {
		value := get(attribute)
		t, ok := Time(value)
		switch {
		case value == "":
		case !ok:
			a.Never = true
		case begins:
			a.From = t
		default:
			a.Until = t.Add(1) // over only after that moment
		}
	}
	switch rules {
	case RulesPPolicy:
		a.Never = strings.HasPrefix(get("pwdaccountlockedtime"), "0000")
		period("pwdstarttime", true)
		period("pwdendtime", false)
	case Rules389DS:
		a.Never = isTrue(get("nsaccountlock"))
	case RulesActiveDirectory:
		control, _ := parseInt(get("useraccountcontrol"))
		a.Never = control&adDisabled != 0
		if t, ok := FileTime(get("accountexpires")); ok {
			a.Until = t.Add(1)
		}
	case RulesShadow:
		a = shadowActivity(get("shadowexpire"))
	case RulesFreeIPA:
		a.Never = isTrue(get("nsaccountlock"))
		period("krbprincipalexpiration", false)
	}
	return a
}

// shadowActivity reads the day from which an account is off.
func shadowActivity(value string) (a directory.Activity) {
	day, ok := parseInt(value)
	switch {
	case value == "" || ok && day < 0:
	case !ok:
		a.Never = true
	case day <= math.MaxInt64/86400:
		a.Until = time.Unix(day*86400, 0)
	}
	return a
}
