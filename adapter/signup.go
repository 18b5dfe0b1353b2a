package adapter

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"portico/directory"
)

// SignUp is somebody who makes an account with a link that came by mail. It is
// not printed.
type SignUp struct {
	Directory  string // configured name; "": the first that may be written
	Username   string
	Password   string
	GivenName  string
	FamilyName string
	Mail       string // the address that the link went to
	// Resume: an attempt with this user name was cut short. Who has both name and
	// address already is taken for who was made then.
	Resume bool
}

// String hides the password.
func (n SignUp) String() string { return "sign-up of " + n.Username }

// CanSignUp tells whether people can be made in a directory, "" for the first
// that may be written.
func (a *Adapter) CanSignUp(dir string) bool {
	if a.writes == nil {
		return false
	}
	_, err := a.writes.Writable(dir)
	return err == nil
}

// PeopleByMail finds the people who have a mail address, letter case aside; there
// may be several. Error: Unavailable.
func (a *Adapter) PeopleByMail(ctx context.Context, mail string) ([]*Person, error) {
	entries, err := a.byMail(ctx, mail)
	if err != nil {
		return nil, fromDirectory(err, "user")
	}
	return a.people(ctx, entries)
}

// MakeAccount makes somebody who signs up, with the password that he chose as his
// own: the directory checks it by its rules for people, and demands no other at
// the first sign-in. Errors: Invalid "username", "password" or FieldNewPassword,
// Conflict "username" or "mail" when they are taken, Denied, Unavailable.
func (a *Adapter) MakeAccount(ctx context.Context, n SignUp, client Client) (*Person, error) {
	n.Username, n.GivenName, n.FamilyName = directory.FoldName(n.Username), strings.TrimSpace(n.GivenName), strings.TrimSpace(n.FamilyName)
	if err := checkUsername(n.Username); err != nil {
		return nil, err
	}
	for field, name := range map[string]string{"given_name": n.GivenName, "family_name": n.FamilyName} {
		if name == "" || len(name) > 128 || strings.ContainsFunc(name, isControl) {
			return nil, invalid(field, "a name has 1 to 128 characters")
		}
	}
	if err := a.checkNewPassword(&Person{Username: n.Username, Mail: []string{n.Mail}}, "\x00", n.Password); err != nil {
		return nil, err
	}
	owners, err := a.byMail(ctx, n.Mail)
	if err != nil {
		return nil, fromDirectory(err, "user")
	}
	switch {
	case len(owners) == 1 && n.Resume && owners[0].Login == a.writes.LoginIn(n.Directory, n.Username):
		return a.resumeAccount(ctx, owners[0], n, client)
	case len(owners) > 0:
		return nil, &Error{Kind: Conflict, Field: "mail"}
	}
	switch exists, err := a.PersonExists(ctx, ByUsername(n.Username)); {
	case err != nil:
		return nil, err
	case exists:
		return nil, &Error{Kind: Conflict, Field: "username"}
	}
	first := a.firstPassword(n.Password)
	person, err := a.CreatePerson(ctx, NewPerson{
		Directory: n.Directory, Username: n.Username, Password: first,
		Attributes: map[string][]string{
			directory.AttrGivenName: {n.GivenName}, directory.AttrFamilyName: {n.FamilyName},
			directory.AttrName: {n.GivenName + " " + n.FamilyName}, directory.AttrMail: {n.Mail},
		},
	}, By{Client: client, Actor: n.Username})
	if err != nil {
		return nil, err
	}
	entry, err := a.entry(ctx, ByID(person.ID))
	if err != nil {
		return nil, err
	}
	return person, a.setChosen(ctx, entry, first, n.Password)
}

// firstPassword is what an account begins with: see setChosen.
func (a *Adapter) firstPassword(chosen string) string {
	if a.passwords == nil {
		return chosen
	}
	return rand.Text() + "-a1"
}

// resumeAccount ends a sign-up that was cut short: the password may be any.
func (a *Adapter) resumeAccount(ctx context.Context, entry *directory.Entry, n SignUp, client Client) (*Person, error) {
	first := a.firstPassword(n.Password)
	person, err := a.ChangePerson(ctx, ByID(entry.ID), PersonChange{Password: &first}, By{Client: client, Actor: n.Username})
	if err != nil || first == n.Password {
		return person, err
	}
	return person, a.setChosen(ctx, entry, first, n.Password)
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// takeBackTimeout bounds taking back somebody who was made for nothing.
const takeBackTimeout = 30 * time.Second

// TakeBack deletes somebody who has just signed up for something that is not
// there any more.
func (a *Adapter) TakeBack(ctx context.Context, person *Person, client Client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackTimeout)
	defer cancel()
	if err := a.DeletePerson(ctx, ByID(person.ID), "", By{Client: client, Actor: person.Username}); err != nil {
		a.log.ErrorContext(ctx, "somebody signed up for an invitation that ended meanwhile and could not be deleted again; delete the entry",
			"user", person.Username, "error", err)
	}
}
