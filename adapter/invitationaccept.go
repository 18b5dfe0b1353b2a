package adapter

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// OpenInvitation is what the person with the link sees.
type OpenInvitation struct {
	GivenName  string
	FamilyName string
	Mail       string
	Expires    time.Time
	// Link: there is an entry with this address already. Its owner signs in to
	// accept; nothing is chosen.
	Link bool
	// Waits: nobody can be made in the directory; an administrator does it later.
	Waits bool
}

// Acceptance is what somebody chose who accepts an invitation.
type Acceptance struct {
	Token    string
	Username string
	Password string
	TimeZone string // IANA name; "" for none
	// SignedIn is who is signed in; needed, and all that counts, where there is an
	// entry already.
	SignedIn *Person
}

// Accepted is what became of an acceptance.
type Accepted struct {
	Username string
	Waits    bool   // for an administrator
	Key      string // personal key, shown once; "" where none could be made
}

// acceptLease is how long one acceptance may take before another may begin.
const acceptLease = 2 * time.Minute

// Invitation reads what a link opens. Error: NotFound "invitation" when it opens
// nothing: unknown, used, withdrawn, too old, or its inviter may not invite any
// more; Unavailable.
func (a *Adapter) Invitation(ctx context.Context, token string) (*OpenInvitation, error) {
	i, err := a.store.InvitationByToken(ctx, token)
	if err != nil {
		return nil, fromStore(err, "invitation")
	}
	if i.State != store.InvitationPending && i.State != store.InvitationTaking || !a.now().Before(i.Expires) {
		return nil, notFound("invitation")
	}
	if err := a.inviterMay(ctx, i); err != nil {
		return nil, err
	}
	return a.openInvitation(ctx, i)
}

func (a *Adapter) openInvitation(ctx context.Context, i store.Invitation) (*OpenInvitation, error) {
	o := &OpenInvitation{GivenName: i.GivenName, FamilyName: i.FamilyName, Mail: i.MailShown, Expires: i.Expires, Waits: !a.CanSignUp(a.cfg.Users.Directory)}
	people, err := a.byMail(ctx, i.Mail)
	o.Link = len(people) > 0
	return o, fromDirectory(err, "invitation")
}

// inviterMay looks again, at acceptance, whether the inviter may still invite and
// give the role.
func (a *Adapter) inviterMay(ctx context.Context, i store.Invitation) error {
	roles, err := a.Roles(ctx)
	if err != nil {
		return err
	}
	role := roleByName(roles, i.Role)
	if role == nil {
		return notFound("invitation")
	}
	if i.Inviter == 0 {
		return nil
	}
	entry, err := a.entry(ctx, ByUID(i.Inviter))
	switch {
	case err != nil && KindOf(err) == Unavailable:
		return err
	case err != nil:
		return notFound("invitation")
	}
	status, err := a.statusOf(ctx, entry)
	if err != nil {
		return err
	}
	theirs, err := a.personRole(ctx, i.Inviter, entry)
	switch {
	case err != nil:
		return err
	case !status.Active(), !theirs.Has(MayManageUsers), !theirs.covers(role):
		return notFound("invitation")
	}
	return nil
}

// AcceptInvitation makes the person in the directory, or links the entry that has
// the invitation's address to the account, and gives the role. Of several
// attempts at the same time one goes on. Errors: NotFound "invitation", Conflict
// "invitation" while another attempt goes on, Conflict "username" when it is
// taken, Invalid "username", "password" or "timezone", Unauthenticated when the
// owner of the entry must sign in first, Denied "user" when somebody else is
// signed in, Unavailable.
func (a *Adapter) AcceptInvitation(ctx context.Context, in Acceptance, client Client) (*Accepted, error) {
	if in.TimeZone != "" {
		if _, err := time.LoadLocation(in.TimeZone); err != nil || in.TimeZone == "Local" {
			return nil, invalid("timezone", "is no time zone")
		}
	}
	i, err := a.store.TakeInvitation(ctx, in.Token, acceptLease)
	if err != nil {
		return nil, fromStore(err, "invitation")
	}
	done, err := a.accept(ctx, i, in, client)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if released := a.store.ReleaseInvitation(ctx, i.ID); released != nil {
			a.log.WarnContext(ctx, "an invitation was not given back; it can be accepted again in two minutes", "invitation", i.ID, "error", released)
		}
	}
	return done, err
}

func (a *Adapter) accept(ctx context.Context, i store.Invitation, in Acceptance, client Client) (*Accepted, error) {
	if err := a.inviterMay(ctx, i); err != nil {
		return nil, err
	}
	people, err := a.byMail(ctx, i.Mail)
	if err != nil {
		return nil, fromDirectory(err, "invitation")
	}
	if len(people) > 0 {
		return a.acceptAsOwner(ctx, i, in, people, client)
	}
	if err := checkUsername(in.Username); err != nil {
		return nil, err
	}
	if !a.CanSignUp(a.cfg.Users.Directory) {
		err := a.store.WaitInvitation(ctx, i.ID, directory.FoldName(in.Username), in.TimeZone,
			record(EventUserEdited, i.ID, "", client, "invitation accepted, waits for an administrator"))
		return &Accepted{Username: directory.FoldName(in.Username), Waits: true}, fromStore(err, "invitation")
	}
	switch exists, err := a.PersonExists(ctx, ByUsername(in.Username)); {
	case err != nil:
		return nil, err
	case exists:
		return nil, &Error{Kind: Conflict, Field: "username"}
	}
	chosen := SignUp{
		Directory: a.cfg.Users.Directory, Username: directory.FoldName(in.Username), Password: in.Password,
		GivenName: i.GivenName, FamilyName: i.FamilyName, Mail: i.MailShown,
	}
	if err := a.checkChosen(chosen); err != nil {
		return nil, err
	}
	entry, err := a.admit(ctx, chosen, i.ID, By{Client: client, Actor: fmt.Sprintf("invitation %d", i.ID)})
	if err != nil {
		return nil, err
	}
	return a.finishInvitation(ctx, i, entry, in.TimeZone, client)
}

// acceptAsOwner links the entry that has the address. Who accepts must have signed
// in as its owner: a link in a mail is no proof of that.
func (a *Adapter) acceptAsOwner(ctx context.Context, i store.Invitation, in Acceptance, people []*directory.Entry, client Client) (*Accepted, error) {
	if in.SignedIn == nil {
		return nil, &Error{Kind: Unauthenticated, Field: "user"}
	}
	owns := func(e *directory.Entry) bool { return e.ID == in.SignedIn.ID }
	at := slices.IndexFunc(people, owns)
	if at < 0 || len(people) > 1 {
		return nil, &Error{Kind: Denied, Field: "user"}
	}
	return a.finishInvitation(ctx, i, people[at], in.TimeZone, client)
}

func (a *Adapter) finishInvitation(ctx context.Context, i store.Invitation, entry *directory.Entry, timeZone string, client Client) (*Accepted, error) {
	uid, err := a.store.AcceptInvitation(ctx, i.ID, store.Subject{Directory: entry.ID.Directory, Stable: entry.ID.Stable, Name: entry.Login},
		timeZone, record(EventUserAdded, 0, entry.Login, client, "invitation accepted, role "+i.Role))
	if err != nil {
		return nil, fromStore(err, "invitation")
	}
	done := &Accepted{Username: entry.Login}
	_, done.Key, err = a.CreateKey(ctx, KeyRequest{API: "usermanagement", Label: "made with the invitation", User: ByUID(uid)})
	if err != nil { // the account is there; a key can be made in self service
		a.log.WarnContext(ctx, "no personal key was made for an accepted invitation", "invitation", i.ID, "error", err)
	}
	return done, nil
}

// ApproveInvitation ends an invitation that waits, once an administrator has made
// the entry in the directory: the one person with the invitation's address. by
// says who did. Errors: NotFound "invitation" when none waits under that number,
// NotFound "user" when no entry has the address, Ambiguous, Unavailable.
func (a *Adapter) ApproveInvitation(ctx context.Context, id int64, by string) (string, error) {
	i, err := a.store.Invitation(ctx, id)
	if err != nil || i.State != store.InvitationWaiting {
		return "", errors.Join(notFound("invitation"), err)
	}
	people, err := a.byMail(ctx, i.Mail)
	switch {
	case err != nil:
		return "", fromDirectory(err, "user")
	case len(people) == 0:
		return "", notFound("user")
	case len(people) > 1:
		return "", &Error{Kind: Ambiguous, Field: "user"}
	}
	_, err = a.store.AcceptInvitation(ctx, id, store.Subject{Directory: people[0].ID.Directory, Stable: people[0].ID.Stable, Name: people[0].Login},
		i.TimeZone, record(EventUserAdded, 0, by, Client{}, "invitation approved, role "+i.Role))
	return people[0].Login, fromStore(err, "invitation")
}

// ResendInvitationByNumber mails a pending invitation again. Errors: as
// ResendInvitation.
func (a *Adapter) ResendInvitationByNumber(ctx context.Context, id int64, by string) error {
	i, err := a.store.Invitation(ctx, id)
	if err != nil || i.State != store.InvitationPending {
		return errors.Join(notFound("invitation"), err)
	}
	return a.resend(ctx, i, by, Client{})
}

// usernameForm is what a chosen user name may be: no internal number, no mail
// address, nothing that needs escaping anywhere.
var usernameForm = regexp.MustCompile(`^[a-z][a-z0-9._-]{1,62}[a-z0-9]$`)

func checkUsername(name string) error {
	name = strings.TrimSpace(name)
	if !usernameForm.MatchString(strings.ToLower(name)) || strings.Contains(name, "..") {
		return invalid("username", "a user name has 3 to 64 letters, digits, dots, hyphens and underscores, and begins with a letter")
	}
	return nil
}
