package mapping

import (
	"fmt"
	"strings"
	"time"
)

// Bits of userAccountControl and of its computed sister.
const (
	adDisabled        = 0x2
	adLocked          = 0x10
	adNeverExpires    = 0x10000
	adPasswordExpired = 0x800000
)

func (j *judge) activeDirectory() {
	control, _ := parseInt(j.get("useraccountcontrol"))
	if control&adDisabled != 0 {
		j.disabled("userAccountControl", j.get("useraccountcontrol"), "bit 0x2")
	}
	j.adLock()
	if v := j.get("accountexpires"); v != "" {
		if t, ok := FileTime(v); ok && t.Before(j.now) {
			j.outside("accountExpires", v, "over since "+stamp(t))
		}
	}
	never := control&adNeverExpires != 0
	last := j.get("pwdlastset")
	switch {
	case never:
	case last == "0":
		j.mustChange("pwdLastSet", last, "must be changed at the next sign-in")
	default:
		j.adExpiry(last)
	}
}

// adLock trusts the clock where begin and duration of the lock are known, else
// the server's computed bit, which was true when the entry was read.
func (j *judge) adLock() {
	const computed = "msDS-User-Account-Control-Computed"
	value := j.get(strings.ToLower(computed))
	bits, known := parseInt(value)
	since := j.get("lockouttime")
	t, timed := FileTime(since)
	switch {
	case timed && (j.p.DN != "" || j.p.LockoutDuration > 0):
		j.lockSince("lockoutTime", since, t)
	case known && bits&adLocked != 0:
		j.locked(computed, value, time.Time{}, "bit 0x10; for how long is not known")
	case timed && !known:
		j.lockSince("lockoutTime", since, t)
	}
}

// adExpiry takes the server's own expiry time where it was read, else the computed
// bit, else the age that the policy allows.
func (j *judge) adExpiry(last string) {
	const expiry, computed = "msDS-UserPasswordExpiryTimeComputed", "msDS-User-Account-Control-Computed"
	if v := j.get(strings.ToLower(expiry)); v != "" {
		if t, ok := FileTime(v); ok && t.Before(j.now) {
			j.expired(expiry, v, "since "+stamp(t))
		}
		return
	}
	if v := j.get(strings.ToLower(computed)); v != "" {
		if bits, ok := parseInt(v); ok && bits&adPasswordExpired != 0 {
			j.expired(computed, v, "bit 0x800000")
			return
		}
	}
	if t, ok := FileTime(last); ok && j.p.MaxAge > 0 && t.Add(j.p.MaxAge).Before(j.now) {
		j.expired("pwdLastSet", last, fmt.Sprintf("since %s (maxPwdAge %s)", stamp(t.Add(j.p.MaxAge)), j.p.MaxAge))
	}
}

// shadow is RFC 2307: whole days since 1970.
func (j *judge) shadow() {
	today := j.now.Unix() / 86400
	if v := j.get("shadowexpire"); v != "" {
		day, ok := parseInt(v)
		switch {
		case !ok:
			j.disabled("shadowExpire", v, unreadable)
		case day >= 0 && day <= today:
			j.disabled("shadowExpire", v, "since "+dayStamp(day))
			if day > 1 { // 1 is the usual "off"; a real date is the end of a period too
				j.outside("shadowExpire", v, "over since "+dayStamp(day))
			}
		}
	}
	last := j.get("shadowlastchange")
	changed, ok := parseInt(last)
	if !ok {
		return
	}
	longest, limited := parseInt(j.get("shadowmax"))
	switch {
	case changed == 0:
		j.mustChange("shadowLastChange", last, "0: must be changed at the next sign-in")
	case changed > 0 && limited && longest >= 0 && longest < 1<<31 && changed < 1<<31 && changed+longest < today:
		j.expired("shadowLastChange", last, fmt.Sprintf("since %s (shadowMax %d)", dayStamp(changed+longest), longest))
	}
}

func dayStamp(day int64) string { return time.Unix(day*86400, 0).UTC().Format(time.DateOnly) }

func (j *judge) freeipa() {
	if v := j.get("nsaccountlock"); isTrue(v) {
		j.disabled("nsAccountLock", v, "disabled by an administrator")
	}
	count := j.get("krbloginfailedcount")
	failures, counted := parseInt(count)
	if at := j.get("krblastfailedauth"); counted && at != "" && j.p.MaxFailures > 0 && failures >= int64(j.p.MaxFailures) {
		if t, ok := Time(at); ok {
			j.lockSince("krbLoginFailedCount", count, t)
		} else {
			j.locked("krbLastFailedAuth", at, time.Time{}, unreadable)
		}
	}
	if v := j.get("krbpasswordexpiration"); v != "" {
		// An administrator's reset sets the expiry to the present: no attribute
		// tells the two states apart.
		j.expiry("krbPasswordExpiration", v)
		if t, ok := Time(v); !ok || !t.After(j.now) {
			j.mustChange("krbPasswordExpiration", v, "at or before now")
		}
	}
	j.period("krbPrincipalExpiration", j.get("krbprincipalexpiration"), false)
	used, _ := parseInt(j.get("passwordgraceusertime"))
	j.grace(used)
}
