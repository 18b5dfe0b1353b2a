package directory

import "time"

// Activity is when an account may be used, as far as an administrator decides:
// the part of an account's state that depends on its stored signals and the
// clock alone, not on a password policy.
type Activity struct {
	Never bool      // disabled
	From  time.Time // zero: since ever
	Until time.Time // the first moment at which it is over; zero: without end
}

// At tells whether the account may be used at a moment.
func (a Activity) At(now time.Time) bool {
	return !a.Never && (a.From.IsZero() || !now.Before(a.From)) && (a.Until.IsZero() || now.Before(a.Until))
}
