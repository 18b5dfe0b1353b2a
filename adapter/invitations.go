package adapter

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
)

// Faults are all things that are wrong with one input.
type Faults []*Error

// Error joins the texts.
func (f Faults) Error() string {
	list := make([]string, len(f))
	for i, e := range f {
		list[i] = e.Error()
	}
	return strings.Join(list, "; ")
}

// Unwrap gives the single faults.
func (f Faults) Unwrap() []error {
	list := make([]error, len(f))
	for i, e := range f {
		list[i] = e
	}
	return list
}

// NewInvitation asks for somebody to be invited.
type NewInvitation struct {
	GivenName  string
	FamilyName string
	Mail       string
	RoleID     *int64 // nil: the default role
}

const maxPersonName = 255 // characters

// check finds everything that is wrong with the texts.
func (n *NewInvitation) check() Faults {
	var faults Faults
	complain := func(field, text string) {
		faults = append(faults, &Error{Kind: Invalid, Field: field, Text: text})
	}
	for _, part := range []struct {
		field, called string
		text          *string
	}{{"first-name", "First name", &n.GivenName}, {"last-name", "Last name", &n.FamilyName}} {
		*part.text = strings.TrimSpace(*part.text)
		switch {
		case *part.text == "":
			complain(part.field, part.called+" is missing")
		case len(*part.text) > 4*maxPersonName || utf8.RuneCountInString(*part.text) > maxPersonName:
			complain(part.field, part.called+" is longer than 255 characters")
		case strings.ContainsFunc(*part.text, isLineEnd):
			complain(part.field, part.called+" has a line break or a control character")
		}
	}
	switch n.Mail = strings.TrimSpace(n.Mail); {
	case n.Mail == "":
		complain("email-address", "Email address is missing")
	case !MailAddress(n.Mail):
		complain("email-address", "Email address is not valid")
	}
	return faults
}

const errMailTaken = "Email address is already in use"

// Invite asks somebody by mail to have an account. Errors: Denied without the
// permission or for a role above the caller's own, Faults with all that is wrong,
// Unavailable.
func (a *Adapter) Invite(ctx context.Context, by *UserCaller, n NewInvitation, client Client) (*User, error) {
	if !by.May(MayManageUsers) {
		return nil, &Error{Kind: Denied, Field: MayManageUsers}
	}
	return a.invite(ctx, by.Role, by.Person, by.KeyID, n, client)
}

func (a *Adapter) invite(ctx context.Context, limit *Role, inviter *Person, keyID int64, n NewInvitation, client Client) (*User, error) {
	faults := n.check()
	role, err := a.grantable(ctx, limit, n.RoleID)
	switch e, _ := errors.AsType[*Error](err); {
	case err == nil:
	case e != nil && e.Kind == Invalid:
		faults = append(faults, e)
	default:
		return nil, err
	}
	if len(faults) > 0 {
		return nil, faults
	}
	owner, err := a.mailOwner(ctx, n.Mail)
	if err != nil {
		return nil, err
	}
	i := store.Invitation{
		Mail: directory.FoldName(n.Mail), MailShown: n.Mail, GivenName: n.GivenName, FamilyName: n.FamilyName,
		Role: role.Name, Expires: a.now().Add(a.invitationLife()),
	}
	by := "administrator"
	if inviter != nil {
		i.Inviter, by = inviter.UID, inviter.Username
	}
	token := rand.Text()
	mail, err := a.invitationMail(ctx, i, token, owner != nil)
	if err != nil {
		return nil, err
	}
	i.ID, err = a.store.Invite(ctx, i, token, mail, keyID, record(EventUserAdded, 0, by, client, "invited, role "+role.Name))
	switch {
	case errors.Is(err, store.ErrConflict):
		return nil, Faults{{Kind: Conflict, Field: "email-address", Text: errMailTaken, Cause: err}}
	case errors.Is(err, store.ErrKeyRefused):
		return nil, &Error{Kind: Denied, Field: "key", Cause: err}
	case errors.Is(err, store.ErrExhausted):
		return nil, &Error{Kind: Unavailable, Field: "invitation", Text: "too many invitations are open", Cause: err}
	case err != nil:
		return nil, fromStore(err, "invitation")
	}
	a.wakeMail()
	return invitedUser(i), nil
}

func (a *Adapter) invitationLife() time.Duration {
	if a.cfg.Users.InvitationLifetime > 0 {
		return a.cfg.Users.InvitationLifetime
	}
	return 14 * 24 * time.Hour
}

// byMail finds the people with an address.
func (a *Adapter) byMail(ctx context.Context, mail string) ([]*directory.Entry, error) {
	if a.lists == nil {
		return nil, directory.ErrUnavailable
	}
	return a.lists.PeopleByMail(ctx, mail)
}

// mailOwner finds the one person who has an address and no account here yet; nil
// when nobody has it. Faults when the address is taken.
func (a *Adapter) mailOwner(ctx context.Context, mail string) (*directory.Entry, error) {
	people, err := a.byMail(ctx, mail)
	switch {
	case err != nil:
		return nil, fromDirectory(err, "user")
	case len(people) == 0:
		return nil, nil
	}
	taken := Faults{{Kind: Conflict, Field: "email-address", Text: errMailTaken}}
	if len(people) > 1 {
		return nil, taken
	}
	uid, err := a.uidOf(ctx, ByID(people[0].ID))
	if err != nil {
		return nil, err
	}
	extras, err := a.store.UserExtras(ctx, []int64{uid})
	if err != nil {
		return nil, fromStore(err, "user")
	}
	keys, err := a.personalKeys(ctx, uid)
	if err != nil {
		return nil, err
	}
	if _, has := extras[uid]; has || len(keys) > 0 {
		return nil, taken
	}
	return people[0], nil
}

// invitationMail makes the mail of an invitation; nil where no mail leaves, the
// invitation then waits for "resend".
func (a *Adapter) invitationMail(ctx context.Context, i store.Invitation, token string, link bool) (*store.Message, error) {
	if !a.CanMail() {
		a.log.WarnContext(ctx, "an invitation was made and cannot be mailed: no mail server is configured", "invitation", i.ID)
		return nil, nil
	}
	inviter := a.cfg.Issuer
	if i.Inviter != 0 {
		if p, err := a.Person(ctx, ByUID(i.Inviter)); err == nil {
			inviter = p.Name
		}
	}
	zone := a.cfg.Timezone
	l := Letter{
		To: i.MailShown, ToName: i.GivenName + " " + i.FamilyName,
		Subject: texts.InviteSubject, Body: texts.InviteBody, Button: texts.InviteButton, Footer: texts.InviteFooter,
		Values: []string{"name", i.GivenName + " " + i.FamilyName, "inviter", inviter, "expires", i.Expires.In(zone).Format("2006-01-02 15:04 MST")},
		Path:   a.cfg.Users.InvitationPath + "?t=" + token,
	}
	if link {
		l.Body = texts.InviteLinkBody
	}
	m, err := a.compose(l)
	return &m, err
}

// InvitationInfo is an invitation as lists show it.
type InvitationInfo struct {
	ID         int64     `json:"id"`
	State      string    `json:"state"` // pending | taking | waiting | accepted | withdrawn | expired
	Mail       string    `json:"mail"`
	GivenName  string    `json:"given_name"`
	FamilyName string    `json:"family_name"`
	Role       string    `json:"role"`
	Username   string    `json:"username,omitempty"` // that the person wishes for
	UID        int64     `json:"uid,omitempty"`
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
}

func (a *Adapter) invitationInfo(i store.Invitation) InvitationInfo {
	info := InvitationInfo{
		ID: i.ID, State: string(i.State), Mail: i.MailShown, GivenName: i.GivenName, FamilyName: i.FamilyName,
		Role: i.Role, Username: i.Username, UID: i.UID, Created: i.Created, Expires: i.Expires,
	}
	if i.State == store.InvitationPending && !a.now().Before(i.Expires) {
		info.State = "expired"
	}
	return info
}

// Invitations lists the open invitations, or all, by number.
func (a *Adapter) Invitations(ctx context.Context, all bool) ([]InvitationInfo, error) {
	list, err := a.store.Invitations(ctx, all)
	if err != nil {
		return nil, fromStore(err, "invitation")
	}
	infos := make([]InvitationInfo, len(list))
	for i := range list {
		infos[i] = a.invitationInfo(list[i])
	}
	return infos, nil
}

// resendEvery is the least time between two mails of one invitation.
const resendEvery = time.Minute

// ResendInvitation mails a pending invitation again, with a new link and a new
// time; the link before does not work any more. Errors: NotFound "user", Denied,
// Throttled when that was done a moment ago, Unavailable when no mail leaves.
func (a *Adapter) ResendInvitation(ctx context.Context, by *UserCaller, name string, client Client) error {
	if !by.May(MayManageUsers) {
		return &Error{Kind: Denied, Field: MayManageUsers}
	}
	_, invitation, err := a.findUser(ctx, name)
	switch {
	case err != nil:
		return err
	case invitation == nil || invitation.State != store.InvitationPending:
		return &Error{Kind: Conflict, Field: "user", Text: "The user has no pending invitation"}
	}
	roles, err := a.Roles(ctx)
	if err != nil {
		return err
	}
	if role := roleByName(roles, invitation.Role); role != nil && !by.Role.covers(role) {
		return &Error{Kind: Denied, Field: "role-id"}
	}
	return a.resend(ctx, *invitation, by.name(), client)
}

func (a *Adapter) resend(ctx context.Context, i store.Invitation, by string, client Client) error {
	if !a.CanMail() {
		return &Error{Kind: Unavailable, Field: "mail", Text: "no mail server is configured"}
	}
	wait, err := a.store.Gate(ctx, "resend/"+i.Mail, resendEvery)
	switch {
	case err != nil:
		return fromStore(err, "invitation")
	case wait > 0:
		return &Error{Kind: Throttled, RetryAfter: wait}
	}
	owner, err := a.mailOwner(ctx, i.MailShown)
	if err != nil {
		return err
	}
	i.Expires = a.now().Add(a.invitationLife())
	token := rand.Text()
	mail, err := a.invitationMail(ctx, i, token, owner != nil)
	if err != nil {
		return err
	}
	err = a.store.RenewInvitation(ctx, i.ID, token, i.Expires, mail, record(EventUserEdited, i.ID, by, client, "invitation sent again"))
	if err == nil {
		a.wakeMail()
	}
	return fromStore(err, "user")
}

// WithdrawInvitation ends an open invitation; by says who did. Error: NotFound
// "user" when it is not open.
func (a *Adapter) WithdrawInvitation(ctx context.Context, id int64, by string, client Client) error {
	err := a.store.WithdrawInvitation(ctx, id, record(EventUserRemoved, id, by, client, "invitation withdrawn"))
	return fromStore(err, "user")
}
