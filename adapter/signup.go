package adapter

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"portico/adapter/store"
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
	if err := a.checkChosen(n); err != nil {
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
	made, err := a.admit(ctx, n, 0, By{Client: client, Actor: n.Username})
	if err != nil {
		return nil, err
	}
	return a.personOf(ctx, made)
}

// checkChosen refuses a password that is too weak for the person who is to have it.
func (a *Adapter) checkChosen(n SignUp) error {
	const none = "\x00" // there is no old one
	return a.checkNewPassword(&Person{Username: n.Username, Mail: []string{n.Mail}}, none, n.Password)
}

// admit makes a person who chose name and password himself. Afterwards there is an
// entry with the chosen password, or none: one that has the first password still is
// taken away, by Mend after a crash. uid is the number that is kept for the person,
// 0 for a new one.
func (a *Adapter) admit(ctx context.Context, n SignUp, uid int64, by By) (*directory.Entry, error) {
	dir, draft, err := a.draftPerson(ctx, NewPerson{
		Directory: n.Directory, Username: n.Username, Password: n.Password,
		Attributes: directory.Attributes{
			directory.AttrGivenName: {n.GivenName}, directory.AttrFamilyName: {n.FamilyName},
			directory.AttrName: {n.GivenName + " " + n.FamilyName}, directory.AttrMail: {n.Mail},
		},
	})
	if err != nil {
		return nil, err
	}
	act := a.newAct(store.IntentAdmit, by)
	act.intent.Directory, act.intent.Name = dir, a.writes.LoginIn(dir, n.Username)
	var made *directory.Entry
	err = act.run(ctx, func(ctx context.Context) (store.Aftermath, []store.Record, error) {
		if a.passwords != nil {
			draft.Password = a.store.FirstPassword(act.intent.ID)
		}
		if made, err = a.writes.Create(ctx, dir, draft); err != nil {
			return 0, nil, err
		}
		if err := a.setChosen(ctx, made, draft.Password, n.Password); err != nil {
			return 0, nil, err
		}
		if uid == 0 {
			uids, err := a.numbersOf(ctx, personNumber, []*directory.Entry{made})
			if err != nil {
				return 0, nil, err
			}
			uid = uids[0]
		}
		text := "user " + made.Login + " added to " + dir + " by invitation"
		return store.LeaveAlone, []store.Record{record(EventUserAdded, uid, by.Actor, by.Client, text)}, nil
	})
	if err != nil {
		return nil, a.fromWrite(ctx, err, directory.AttrUsername)
	}
	return made, nil
}

// resumeAccount ends a sign-up that was cut short: the password may be any.
func (a *Adapter) resumeAccount(ctx context.Context, entry *directory.Entry, n SignUp, client Client) (*Person, error) {
	first := n.Password
	if a.passwords != nil {
		first = rand.Text() + "-a1"
	}
	person, err := a.ChangePerson(ctx, ByID(entry.ID), PersonChange{Password: &first}, By{Client: client, Actor: n.Username})
	if err != nil || a.passwords == nil {
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
