package adapter

import (
	"context"
	"errors"
	"strings"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// CheckPassword checks a password by a live bind and says whether the person
// may come in. The order is fixed: gate, look-up, throttle, app passwords, bind,
// overlay and account state, security log. A result with OK is given only after its record
// in the security log is durable.
//
// Errors: Invalid "username" or "password" when empty or not text, Throttled,
// Unavailable (never counted as a wrong password), Internal.
func (a *Adapter) CheckPassword(ctx context.Context, in SignIn) (*SignInResult, error) {
	begun := time.Now()
	result, err := a.checkFrom(ctx, in)
	if err == nil && !result.PasswordRight && !result.OK {
		a.refuseEvenly(ctx, begun)
	}
	return result, err
}

// refuseEvenly waits until a whole number of steps has passed. The work for
// somebody and for nobody is the same here; in the directory it is not, which may
// write down whose password was wrong.
func (a *Adapter) refuseEvenly(ctx context.Context, begun time.Time) {
	step := a.cfg.RefusalStep
	if step <= 0 {
		return
	}
	timer := time.NewTimer(step - time.Since(begun)%step)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// checkFrom is CheckPassword, counted for the address where that is the person's.
func (a *Adapter) checkFrom(ctx context.Context, in SignIn) (*SignInResult, error) {
	if err := checkInput(in); err != nil {
		return nil, err
	}
	if in.Surface == SurfaceAPI {
		return a.checkPassword(ctx, in) // the address is the application's, not the person's
	}
	limits := a.limits(guessAddress, addressGroup(in.Client.Address))
	may, err := a.counted(ctx, limits)
	if err != nil {
		return nil, err
	}
	if !may {
		return nil, &Error{Kind: Throttled, RetryAfter: a.cfg.FailureWindow}
	}
	result, err := a.checkPassword(ctx, in)
	if err != nil || result.OK || result.PasswordRight {
		return result, errors.Join(err, a.uncount(ctx, limits))
	}
	return result, nil
}

func (a *Adapter) checkPassword(ctx context.Context, in SignIn) (*SignInResult, error) {
	if in.FullSignIn {
		if err := a.passGate(in.gateName(), in.Username, in.Client); err != nil {
			return nil, err
		}
	}
	entry, err := a.entry(ctx, ByUsername(in.Username))
	switch {
	case err == nil:
	case KindOf(err) == NotFound || KindOf(err) == Ambiguous:
		return a.refuseNobody(ctx, in, err)
	default:
		return nil, err
	}
	person, err := a.personOf(ctx, entry)
	if err != nil {
		return nil, err
	}
	done, may, err := a.mayTry(ctx, person.UID)
	switch {
	case err != nil:
		return nil, err
	case !may:
		return a.refused(ctx, in, person, entry, "too many failures")
	}
	defer done()
	if in.Surface != SurfaceMobile {
		switch owns, err := a.ownsAppPassword(ctx, person.UID, in.Password); {
		case err != nil:
			return nil, err
		case owns:
			return a.judgeAppPassword(ctx, in, person, entry)
		}
	}
	if madeHere(in.Password) {
		if err := a.fail(ctx, passwordBucket(person.UID)); err != nil {
			return nil, err
		}
		return a.refused(ctx, in, person, entry, "a key or an app password that is not good for this")
	}
	result, entry := a.dir.Authenticate(ctx, entry, in.Password)
	return a.judge(ctx, in, person, entry, result)
}

// madeHere tells whether what was typed is an app password or an API key, going
// by its form. A revoked one in some program's settings would lock the account
// in the directory, so it is never sent there.
func madeHere(password string) bool { return isAppPassword(password) || store.MadeKey(password) }

// checkInput keeps empty values away from every bind and search.
func checkInput(in SignIn) error {
	switch {
	case strings.TrimSpace(in.Username) == "":
		return invalid("username", "the user name is empty")
	case in.Password == "":
		return invalid("password", "the password is empty")
	case strings.ContainsRune(in.Username, 0):
		return invalid("username", "the user name holds a NUL character")
	}
	return nil
}

// refuseNobody answers for a name that nobody, or more than one person, has. It
// spends the time of a bind, so that it looks like a wrong password.
func (a *Adapter) refuseNobody(ctx context.Context, in SignIn, cause error) (*SignInResult, error) {
	if KindOf(cause) == Ambiguous {
		a.log.ErrorContext(ctx, "sign-in refused: two entries have this login name; make it unique in the directory",
			"username", in.Username)
	}
	name := directory.FoldName(in.Username)
	switch stopped, err := a.nobodyStopped(ctx, name); {
	case err != nil:
		return nil, err
	case !stopped:
		if !madeHere(in.Password) {
			r, _ := a.dir.Authenticate(ctx, nil, in.Password)
			if r.Verdict == directory.VerdictUnavailable || r.Verdict == directory.VerdictMisconfigured {
				return nil, &Error{Kind: Unavailable, RetryAfter: 5 * time.Second}
			}
		}
		if err := a.fail(ctx, nobodyBucket(name)); err != nil {
			return nil, err
		}
	}
	err := a.logEvent(ctx, in.failureEvent(), 0, in.Client, in.logText("unknown user"))
	return &SignInResult{}, err
}

// nobodyStopped is the throttle of a name that nobody has: counted like a
// person's, or work and time would tell them apart.
func (a *Adapter) nobodyStopped(ctx context.Context, name string) (bool, error) {
	if a.cfg.FailureLimit < 0 {
		return false, nil
	}
	f, err := a.store.Failures(ctx, nobodyBucket(name))
	return f.Count >= a.cfg.FailureLimit, fromStore(err, "user")
}

func (a *Adapter) refused(ctx context.Context, in SignIn, person *Person, entry *directory.Entry, why string) (*SignInResult, error) {
	a.dir.SpendMiss(ctx, entry.Login)
	status, err := a.statusOf(ctx, entry)
	if err != nil {
		return nil, err
	}
	err = a.logEvent(ctx, in.failureEvent(), person.UID, in.Client, in.logText(why))
	return &SignInResult{Person: person, Status: status}, err
}

// judge turns the bind's verdict and the account's status into the outcome.
func (a *Adapter) judge(ctx context.Context, in SignIn, person *Person, entry *directory.Entry, bind directory.BindResult) (*SignInResult, error) {
	switch bind.Verdict {
	case directory.VerdictUnavailable, directory.VerdictMisconfigured:
		a.log.WarnContext(ctx, "password not checked", "verdict", bind.Verdict.String(),
			"code", bind.Code, "detail", bind.Detail)
		return nil, &Error{Kind: Unavailable, RetryAfter: 5 * time.Second}
	}
	status, err := a.statusAfter(ctx, person.UID, entry, bind)
	if err != nil {
		return nil, err
	}
	result := &SignInResult{Person: person, Status: status, PasswordRight: bind.PasswordRight}
	switch {
	case bind.Verdict == directory.VerdictWrong:
		a.dir.SpendMiss(ctx, entry.Login)
		if err := a.fail(ctx, passwordBucket(person.UID)); err != nil {
			return nil, err
		}
	case bind.SignedIn() && in.admits(status, person):
		result.NeedsCode = in.Surface == SurfacePortal && person.HasTOTP
		result.OK = !result.NeedsCode
		result.Alert = status == StatusAlert
		if err := a.succeeded(ctx, person.UID); err != nil {
			return nil, err
		}
		if result.NeedsCode { // not in yet: CheckTOTP logs
			return result, nil
		}
		return result, a.logEvent(ctx, in.successEvent(), person.UID, in.Client, in.logText(""))
	}
	why := bind.Verdict.String()
	switch {
	case bind.SignedIn() && status.MaySignIn(): // on this surface only, or this password only
		why = "right password, but it does not suffice here"
	case bind.SignedIn():
		why = "right password, but the account is " + status.String()
	}
	return result, a.logEvent(ctx, in.failureEvent(), person.UID, in.Client, in.logText(why))
}

// statusAfter is the status as known after a bind: what the bind said counts
// even if the attributes do not show it.
func (a *Adapter) statusAfter(ctx context.Context, uid int64, entry *directory.Entry, bind directory.BindResult) (Status, error) {
	local, err := a.local(ctx, uid)
	if err != nil {
		return StatusUnknown, err
	}
	state := a.dir.State(ctx, entry, a.now())
	switch bind.Verdict {
	case directory.VerdictLocked:
		state.Locked = true
	case directory.VerdictDisabled:
		state.Disabled = true
	case directory.VerdictPasswordExpired, directory.VerdictGrace:
		state.PasswordExpired = true
	case directory.VerdictMustChange:
		state.MustChange = true
	}
	return Precedence(local.Overlay(), state), nil
}

// admits tells whether somebody with a right directory password may come in.
func (in SignIn) admits(status Status, person *Person) bool {
	switch {
	case in.AppPasswordOnly && person.HasTOTP:
		return false
	case in.Surface == SurfaceMobile:
		return status == StatusNormal
	default:
		return status.MaySignIn()
	}
}

func (in SignIn) successEvent() EventType {
	switch {
	case in.Surface == SurfacePortal:
		return EventPortalLoginOK
	case in.Surface == SurfaceMobile:
		return EventMobileLoginOK
	case in.FullSignIn:
		return EventAPILoginOK
	default:
		return EventAPIAuthOK
	}
}

func (in SignIn) failureEvent() EventType {
	switch {
	case in.Surface == SurfacePortal:
		return EventPortalLoginFailed
	case in.Surface == SurfaceMobile:
		return EventMobileLoginFailed
	case in.FullSignIn:
		return EventAPILoginFailed
	default:
		return EventAPIAuthFailed
	}
}

func (in SignIn) gateName() string {
	if in.Surface == SurfaceMobile {
		return gateMobile
	}
	return gateLogin
}

// logText is the text of the security log: user name, masked key and reason.
func (in SignIn) logText(reason string) string {
	text := "user " + directory.FoldName(in.Username)
	if in.Caller != nil {
		text += ", key " + in.Caller.Masked
	}
	if reason != "" {
		text += ": " + reason
	}
	return text
}

// mayTry is false when the account had too many failures lately. After true,
// call done when the outcome is counted.
func (a *Adapter) mayTry(ctx context.Context, uid int64) (done func(), may bool, err error) {
	if a.cfg.FailureLimit < 0 {
		return func() {}, true, nil
	}
	return a.turns.take(ctx, uid, func() (int, error) {
		n, err := a.failures(ctx, uid)
		return a.cfg.FailureLimit - n, err
	})
}

func (a *Adapter) personOf(ctx context.Context, entry *directory.Entry) (*Person, error) {
	people, err := a.people(ctx, []*directory.Entry{entry})
	if err != nil {
		return nil, err
	}
	return people[0], nil
}
