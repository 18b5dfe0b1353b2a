package adapter

import (
	"context"
	"errors"
	"strconv"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// AccountStatus computes the status of a person at this moment. Nobody has
// StatusUnknown and no error; two people with one name are as good as nobody.
// Error: Unavailable.
func (a *Adapter) AccountStatus(ctx context.Context, key PersonKey) (Status, error) {
	entry, err := a.entry(ctx, key)
	switch KindOf(err) {
	case NotFound, Ambiguous:
		if err != nil {
			return StatusUnknown, nil
		}
	}
	if err != nil {
		return StatusUnknown, err
	}
	return a.statusOf(ctx, entry)
}

func (a *Adapter) statusOf(ctx context.Context, entry *directory.Entry) (Status, error) {
	uids, err := a.numbersOf(ctx, personNumber, []*directory.Entry{entry})
	if err != nil {
		return StatusUnknown, err
	}
	local, err := a.local(ctx, uids[0])
	if err != nil {
		return StatusUnknown, err
	}
	state := a.dir.State(ctx, entry, a.now())
	status := Precedence(local.Overlay(), state)
	if state.PolicyUnknown && status.MaySignIn() {
		return StatusUnknown, &Error{Kind: Unavailable, RetryAfter: 5 * time.Second, Cause: errNoPolicy}
	}
	return status, nil
}

// errNoPolicy: good news about an account that may be wrong is no news.
var errNoPolicy = errors.New("the directory is down and its password policy was never read")

// Precedence joins the local overlay with the directory's account state; the
// first that fits wins (AccountHub contract §6.3).
func Precedence(overlay store.Status, state directory.AccountState) Status {
	switch {
	case overlay.Terminated:
		return StatusTerminated
	case overlay.Locked, state.Disabled, state.Locked, state.OutsidePeriod:
		return StatusLocked
	case overlay.MustChange, state.MustChange, state.PasswordExpired:
		return StatusChangePassword
	case overlay.Alert:
		return StatusAlert
	default:
		return StatusNormal
	}
}

// StatusReport says why an account has its status.
type StatusReport struct {
	Status  Status
	Reasons []directory.Reason // the directory's signals
	Local   []string           // what was set in Portico: "terminated", "locked", "must change password", "alert"
}

// ExplainStatus computes a status and names what is behind it. Errors: NotFound
// "user", Ambiguous, Unavailable.
func (a *Adapter) ExplainStatus(ctx context.Context, key PersonKey) (StatusReport, error) {
	entry, err := a.entry(ctx, key)
	if err != nil {
		return StatusReport{}, err
	}
	uids, err := a.numbersOf(ctx, personNumber, []*directory.Entry{entry})
	if err != nil {
		return StatusReport{}, err
	}
	local, err := a.local(ctx, uids[0])
	if err != nil {
		return StatusReport{}, err
	}
	state := a.dir.State(ctx, entry, a.now())
	report := StatusReport{Status: Precedence(local.Overlay(), state), Reasons: state.Reasons}
	for _, flag := range []struct {
		set  bool
		name string
	}{
		{local.Terminated, "terminated"},
		{local.Locked, "locked"},
		{local.MustChange, "must change password"},
		{local.Alert, "alert"},
	} {
		if flag.set {
			report.Local = append(report.Local, flag.name)
		}
	}
	return report, nil
}

// String gives the status in AccountHub's words; StatusUnknown is "OTHER_0".
func (s Status) String() string {
	names := [...]string{"OTHER_0", "NORMAL", "LOCKED_OR_DISABLED", "CHANGE_PASSWORD", "TERMINATED", "ALERT_ON_ACCESS"}
	if int(s) < len(names) {
		return names[s]
	}
	return "OTHER_" + strconv.Itoa(int(s))
}

// Overlay is the local part of an account's status: what LDAP cannot say.
type Overlay = store.Status

// SetOverlay sets the local part of a person's status; by says who did it, for
// the security log. Errors: NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) SetOverlay(ctx context.Context, key PersonKey, overlay Overlay, by string) error {
	person, err := a.Person(ctx, key)
	if err != nil {
		return err
	}
	err = a.store.SetStatus(ctx, person.UID, overlay, by, record(EventUserEdited, person.UID, by, Client{}, "status set"))
	return fromStore(err, "user")
}
