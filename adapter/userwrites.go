package adapter

import (
	"context"
	"errors"
	"strings"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// canMakePeople tells whether people can be made in the directory.
func (a *Adapter) canMakePeople() bool {
	if a.writes == nil {
		return false
	}
	_, err := a.writes.Writable(a.cfg.Users.Directory)
	return err == nil
}

// makePerson makes the person of an invitation, with what he chose. The address is
// the invitation's.
func (a *Adapter) makePerson(ctx context.Context, i store.Invitation, in Acceptance, client Client) (*directory.Entry, error) {
	chosen := &Person{Username: directory.FoldName(in.Username), Mail: []string{i.MailShown}}
	if err := a.checkNewPassword(chosen, "\x00", in.Password); err != nil { // there is no old one
		return nil, err
	}
	first := a.firstPassword(in.Password)
	entry, err := a.writes.Create(ctx, a.cfg.Users.Directory, directory.NewEntry{
		Kind: directory.KindPerson, Name: directory.FoldName(in.Username), Password: first,
		Attributes: directory.Attributes{
			directory.AttrGivenName: {i.GivenName}, directory.AttrFamilyName: {i.FamilyName},
			directory.AttrName: {i.GivenName + " " + i.FamilyName}, directory.AttrMail: {i.MailShown},
		},
	})
	if err != nil {
		return nil, a.userWrite(ctx, err, "username")
	}
	if err := a.setChosen(ctx, entry, first, in.Password); err != nil {
		return nil, err
	}
	return entry, a.logEvent(ctx, EventUserAdded, 0, client, "user "+entry.Login+" made in directory "+entry.ID.Directory+" by invitation")
}

// setChosen has the new person change the first password to the chosen one.
// Servers demand another change of a password that somebody else has set, and only
// for people do they check it by their rules. Where it is refused, the entry is
// taken away again.
func (a *Adapter) setChosen(ctx context.Context, entry *directory.Entry, first, chosen string) error {
	if a.passwords == nil {
		return nil
	}
	err := a.passwords.ChangePassword(ctx, entry, first, chosen)
	if err == nil {
		return nil
	}
	if undone := a.writes.Delete(context.WithoutCancel(ctx), entry.ID, ""); undone != nil {
		a.log.ErrorContext(ctx, "somebody was made in the directory without the chosen password and could not be taken away again; delete the entry or set its password",
			"dn", entry.DN, "error", undone)
	}
	refusal, refused := errors.AsType[*directory.PasswordError](err)
	if !refused {
		return &Error{Kind: Unavailable, Cause: err, RetryAfter: 5 * time.Second}
	}
	return &Error{Kind: Invalid, Field: FieldNewPassword, Text: faultText(refusal.Fault), Cause: err}
}

// userWrite turns the faults of writes into kinds. name is what an existing entry
// is called by.
func (a *Adapter) userWrite(ctx context.Context, err error, name string) error {
	if err == nil {
		return nil
	}
	fault, _ := errors.AsType[*directory.WriteError](err)
	switch directory.WriteFaultOf(err) {
	case directory.WriteExists:
		return &Error{Kind: Conflict, Field: name, Cause: err}
	case directory.WriteNotFound:
		return &Error{Kind: NotFound, Field: "user", Cause: err}
	case directory.WriteReadOnly, directory.WriteDenied, directory.WriteMisconfigured:
		a.log.WarnContext(ctx, "a change in the directory was refused", "error", err)
		return &Error{Kind: Denied, Field: "directory", Text: "The directory may not be changed", Cause: err}
	case directory.WritePassword:
		refused, _ := errors.AsType[*directory.PasswordError](err)
		if refused != nil {
			return &Error{Kind: Invalid, Field: "password", Cause: refused}
		}
		return &Error{Kind: Invalid, Field: "password", Cause: err}
	case directory.WriteInvalid:
		field := name
		if fault != nil && fault.Attribute != "" {
			field = strings.ReplaceAll(fault.Attribute, "_", "-")
		}
		return &Error{Kind: Invalid, Field: field, Cause: err}
	case directory.WriteUnavailable, directory.WriteUnknown, directory.WriteStale:
		return &Error{Kind: Unavailable, Field: "directory", Cause: err}
	}
	return &Error{Kind: Internal, Field: "directory", Cause: err}
}

// changeNames changes the names of a person in the directory.
func (a *Adapter) changeNames(ctx context.Context, by *UserCaller, entry *directory.Entry, ch UserChange, client Client) error {
	var faults Faults
	attributes := directory.Attributes{}
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
	switch {
	case len(faults) > 0:
		return faults
	case a.writes == nil:
		return &Error{Kind: Denied, Field: "directory", Text: "The directory may not be changed"}
	}
	if _, err := a.writes.Modify(ctx, entry.ID, directory.Change{Attributes: attributes}); err != nil {
		return a.userWrite(ctx, err, "user")
	}
	uid, err := a.uidOf(ctx, ByID(entry.ID))
	if err != nil {
		return err
	}
	return a.logEvent(ctx, EventUserEdited, uid, client, "names changed by "+by.name())
}

// replaceMembers makes people the members of a group, and nobody else.
func (a *Adapter) replaceMembers(ctx context.Context, by *UserCaller, group *directory.Entry, members []directory.ID, client Client) error {
	if a.writes == nil {
		return &Error{Kind: Denied, Field: "directory", Text: "The directory may not be changed"}
	}
	if _, err := a.writes.Modify(ctx, group.ID, directory.Change{ReplaceMembers: &members}); err != nil {
		return a.userWrite(ctx, err, "project")
	}
	return a.logEvent(ctx, EventUserEdited, 0, client, "members of group "+group.Name+" replaced by "+by.name())
}
