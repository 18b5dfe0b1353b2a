package adapter

import (
	"context"
	"errors"
	"strings"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// setChosen has the new person change the first password to the chosen one.
// Servers demand another change of a password that somebody else has set, and only
// for people do they check it by their rules. Where it is refused, the entry is
// taken away again. What has begun is finished whether or not the caller waits.
func (a *Adapter) setChosen(ctx context.Context, entry *directory.Entry, first, chosen string) error {
	if a.passwords == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	err := a.passwords.ChangePassword(ctx, entry, first, chosen)
	if err == nil {
		return nil
	}
	refusal, refused := errors.AsType[*directory.PasswordError](err)
	out := error(&Error{Kind: Unavailable, Cause: err, RetryAfter: 5 * time.Second})
	if refused {
		out = &Error{Kind: Invalid, Field: FieldNewPassword, Text: faultText(refusal.Fault), Cause: err}
	} else if known, _ := a.dir.Authenticate(ctx, entry, first); known.Verdict == directory.VerdictUnavailable || !known.PasswordRight {
		// It may have been changed. Mend finds out.
		return errors.Join(out, &directory.WriteError{Fault: directory.WriteUnknown, Err: err})
	}
	undo, done := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer done()
	if undone := a.writes.Delete(undo, entry.ID, ""); undone != nil {
		a.log.WarnContext(ctx, "somebody was made in the directory without the chosen password and could not be taken away again yet; it is tried again",
			"dn", entry.DN, "error", undone)
		return errors.Join(out, &directory.WriteError{Fault: directory.WriteUnknown, Err: undone})
	}
	return out
}

// takeBackHalf deletes an entry that was left with its first password, and gives
// the entry where it has another one. Nobody knows the first password; who bears
// it can be nothing but ours.
func (a *Adapter) takeBackHalf(ctx context.Context, i store.Intent, entry *directory.Entry) (*directory.Entry, error) {
	switch result, _ := a.dir.Authenticate(ctx, entry, a.store.FirstPassword(i.ID)); {
	case result.Verdict == directory.VerdictUnavailable, result.Verdict == directory.VerdictMisconfigured:
		return nil, directory.ErrUnavailable
	case !result.PasswordRight:
		return entry, nil
	}
	err := a.writes.Delete(ctx, entry.ID, "")
	if err != nil && directory.WriteFaultOf(err) != directory.WriteNotFound {
		return nil, err
	}
	return nil, nil
}

// changeNames changes the names of a person in the directory.
func (a *Adapter) changeNames(ctx context.Context, by *UserCaller, entry *directory.Entry, ch UserChange, client Client) error {
	var faults Faults
	attributes := map[string][]string{}
	for _, part := range []struct {
		value             *string
		attribute, called string
	}{{ch.GivenName, directory.AttrGivenName, "First name"}, {ch.FamilyName, directory.AttrFamilyName, "Last name"}} {
		if part.value == nil {
			continue
		}
		text := strings.TrimSpace(*part.value)
		if text == "" || len([]rune(text)) > maxPersonName || strings.ContainsFunc(text, isLineEnd) {
			faults = append(faults, &Error{Kind: Invalid, Field: part.attribute, Text: part.called + " must have 1 to 255 characters"})
		}
		attributes[part.attribute] = []string{text}
	}
	if len(faults) > 0 {
		return faults
	}
	_, err := a.ChangePerson(ctx, ByID(entry.ID), PersonChange{Attributes: attributes}, By{Client: client, Actor: by.name()})
	return err
}

// replaceMembers makes people the members of a group, and nobody else.
func (a *Adapter) replaceMembers(ctx context.Context, by *UserCaller, group *directory.Entry, members []directory.ID, client Client) error {
	_, err := a.ChangeGroup(ctx, GroupByID(group.ID), GroupChange{ReplaceMembers: &members}, By{Client: client, Actor: by.name()})
	return err
}

// setEnabled disables an account or enables it again: in its directory where that
// may be written and knows how, else by a lock here. Enabling ends both.
func (a *Adapter) setEnabled(ctx context.Context, by *UserCaller, uid int64, entry *directory.Entry, enabled bool, client Client) error {
	if !enabled {
		if uid == by.Person.UID {
			return &Error{Kind: Denied, Field: "user", Text: "nobody can disable himself"}
		}
		if err := a.othersManage(ctx, uid, entry); err != nil {
			return err
		}
	}
	there, err := a.setEnabledThere(ctx, entry, enabled, By{Client: client, Actor: by.name()})
	if err != nil || there && !enabled {
		return err
	}
	word := map[bool]string{true: "enabled", false: "disabled"}[enabled]
	err = a.store.ChangeStatus(ctx, uid, by.name(), func(s store.Status) store.Status {
		s.Locked = !enabled
		return s
	}, record(EventUserEdited, uid, by.name(), client, "account "+word))
	if err != nil {
		return fromStore(err, "user")
	}
	if enabled {
		return nil
	}
	return a.EndSessions(ctx, uid, client, "account disabled by "+by.name())
}

// setEnabledThere does it in the directory. It gives false where that cannot be
// written or has no way to disable accounts.
func (a *Adapter) setEnabledThere(ctx context.Context, entry *directory.Entry, enabled bool, by By) (bool, error) {
	if _, err := a.Writable(entry.ID.Directory); err != nil {
		return false, nil
	}
	if enabled && !a.dir.State(ctx, entry, a.now()).Disabled {
		return true, nil
	}
	disabled := !enabled
	_, err := a.ChangePerson(ctx, ByID(entry.ID), PersonChange{Disabled: &disabled}, by)
	if err != nil && !enabled && KindOf(err) == Denied {
		a.log.WarnContext(ctx, "the account could not be disabled in its directory; it is locked here", "directory", entry.ID.Directory, "error", err)
		return false, nil
	}
	return err == nil, err
}
