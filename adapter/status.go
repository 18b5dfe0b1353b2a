package adapter

import (
	"context"

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
	return Precedence(local.Status, a.dir.State(ctx, entry, a.now())), nil
}

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
