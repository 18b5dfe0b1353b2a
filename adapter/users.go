package adapter

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"portico/adapter/store"
	"portico/directory"
)

// User is one user of the user management: a person, or somebody invited.
type User struct {
	ID          int64
	Username    string // "" while an invitation is pending
	GivenName   string
	FamilyName  string
	Company     string
	Mail        []string // the first is the primary address
	TimeZone    string
	Enabled     bool
	Assignments []*Project
}

// usersPage is how many users are in memory at once.
const usersPage = 500

// EachUser calls do with every user the caller may see, by id: people whatever
// their status, and pending invitations. At no time more than one page of them is
// in memory. Errors: Unavailable, and those of do.
func (a *Adapter) EachUser(ctx context.Context, by *UserCaller, do func(*User) error) error {
	if err := a.numberEverybody(ctx); err != nil {
		return err
	}
	if err := a.slugEverything(ctx); err != nil { // at once, not one by one
		return err
	}
	invited, err := a.store.Invitations(ctx, false)
	if err != nil {
		return fromStore(err, "invitation")
	}
	after := int64(0)
	for {
		page, err := a.store.PeopleAfter(ctx, after, usersPage)
		if err != nil {
			return fromStore(err, "user")
		}
		last := len(page) < usersPage
		users, err := a.usersOf(ctx, by, page)
		if err != nil {
			return err
		}
		for len(invited) > 0 && (last || len(page) > 0 && invited[0].ID <= page[len(page)-1].ID) {
			users = append(users, invitedUser(invited[0]))
			invited = invited[1:]
		}
		slices.SortFunc(users, func(x, y *User) int { return int(x.ID - y.ID) })
		for _, u := range users {
			if err := do(u); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// numberEverybody makes sure that everybody has a numeric id.
func (a *Adapter) numberEverybody(ctx context.Context) error {
	v := a.version(&a.localChanges)
	v.store = 0
	_, err := a.numbered.load(ctx, v, a.now(), -1, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, a.everybody(ctx, directory.KindPerson, func(page []*directory.Entry) error {
			_, err := a.numbersOf(ctx, personNumber, page)
			return err
		})
	})
	return err
}

// usersOf turns numbered subjects into users; who is not in the directory any
// more is left out.
func (a *Adapter) usersOf(ctx context.Context, by *UserCaller, page []store.NumberedSubject) ([]*User, error) {
	ids := make([]directory.ID, len(page))
	for i, n := range page {
		ids[i] = directory.ID{Directory: n.Directory, Stable: n.Stable}
	}
	known, err := a.lists.Known(ctx, ids)
	if err != nil {
		return nil, fromDirectory(err, "user")
	}
	entries, uids := make([]*directory.Entry, 0, len(page)), make([]int64, 0, len(page))
	for i, e := range known {
		if e != nil {
			entries, uids = append(entries, e), append(uids, page[i].ID)
		}
	}
	return a.users(ctx, by, entries, uids)
}

func (a *Adapter) users(ctx context.Context, by *UserCaller, entries []*directory.Entry, uids []int64) ([]*User, error) {
	active, err := a.activeOf(ctx, entries)
	if err != nil {
		return nil, err
	}
	extras, err := a.store.UserExtras(ctx, uids)
	if err != nil {
		return nil, fromStore(err, "user")
	}
	users := make([]*User, len(entries))
	for i, e := range entries {
		u := &User{
			ID: uids[i], Username: e.Login,
			GivenName: e.Attributes.First(directory.AttrGivenName), FamilyName: e.Attributes.First(directory.AttrFamilyName),
			Company: e.Attributes.First("organization"), TimeZone: extras[uids[i]].TimeZone, Enabled: active[i],
		}
		if a.seesAll(by, uids[i]) {
			u.Mail = e.Attributes[directory.AttrMail]
			if u.Assignments, err = a.projectsOf(ctx, e); err != nil {
				return nil, err
			}
		}
		users[i] = u
	}
	return users, nil
}

// seesAll tells whether a caller may see mail address and projects of a user.
func (a *Adapter) seesAll(by *UserCaller, uid int64) bool {
	return !a.cfg.Users.Restrict || by == nil || by.Person.UID == uid || by.May(MayManageUsers) || by.May(MayReadUsers)
}

func invitedUser(i store.Invitation) *User {
	return &User{ID: i.ID, GivenName: i.GivenName, FamilyName: i.FamilyName, Mail: []string{i.MailShown}}
}

// User finds a user by user name or by number. Errors: NotFound "user", Ambiguous
// when it is the name of one and the number of another, Unavailable.
func (a *Adapter) User(ctx context.Context, by *UserCaller, name string) (*User, error) {
	entry, invitation, err := a.findUser(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case invitation != nil:
		return invitedUser(*invitation), nil
	}
	return a.oneUser(ctx, by, entry)
}

func (a *Adapter) oneUser(ctx context.Context, by *UserCaller, entry *directory.Entry) (*User, error) {
	uids, err := a.numbersOf(ctx, personNumber, []*directory.Entry{entry})
	if err != nil {
		return nil, err
	}
	users, err := a.users(ctx, by, []*directory.Entry{entry}, uids)
	if err != nil {
		return nil, err
	}
	return users[0], nil
}

// findUser gives the entry of a user, or the open invitation. A name that is one
// user's name and another's number is Ambiguous: neither is guessed.
func (a *Adapter) findUser(ctx context.Context, name string) (*directory.Entry, *store.Invitation, error) {
	named, err := a.entry(ctx, ByUsername(name))
	if err != nil && KindOf(err) != NotFound {
		return nil, nil, err
	}
	id, parsed := strconv.ParseInt(name, 10, 64)
	if parsed != nil || id < 1 || strconv.FormatInt(id, 10) != name {
		return named, nil, err
	}
	numbered, invitation, byNumber := a.userByNumber(ctx, id)
	switch {
	case err != nil:
		return numbered, invitation, byNumber
	case byNumber != nil && KindOf(byNumber) == NotFound, numbered != nil && numbered.ID == named.ID:
		return named, nil, nil
	case byNumber != nil:
		return nil, nil, byNumber
	}
	return nil, nil, &Error{Kind: Ambiguous, Field: "user"}
}

func (a *Adapter) userByNumber(ctx context.Context, id int64) (*directory.Entry, *store.Invitation, error) {
	invitation, err := a.store.Invitation(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		entry, err := a.entry(ctx, ByUID(id))
		return entry, nil, err
	case err != nil:
		return nil, nil, fromStore(err, "user")
	case invitation.State == store.InvitationAccepted:
		entry, err := a.entry(ctx, ByUID(invitation.UID))
		return entry, nil, err
	case invitation.State == store.InvitationWithdrawn:
		return nil, nil, notFound("user")
	}
	return nil, &invitation, nil
}

// Profile is the caller himself. Error: Unavailable.
func (a *Adapter) Profile(ctx context.Context, by *UserCaller) (*User, error) {
	return a.oneUser(ctx, by, by.entry)
}

// UserChange changes a user; nil leaves a thing as it is.
type UserChange struct {
	GivenName, FamilyName *string
	RoleID                *int64
	Enabled               *bool
}

// ChangeUser changes names (in the directory, where that may be written), role
// and whether the account is enabled here. Errors: NotFound "user", Denied,
// Invalid with the field, Conflict "user" when nobody else could manage users
// afterwards, Unavailable.
func (a *Adapter) ChangeUser(ctx context.Context, by *UserCaller, name string, ch UserChange, client Client) error {
	if !by.May(MayManageUsers) {
		return &Error{Kind: Denied, Field: MayManageUsers}
	}
	entry, invitation, err := a.findUser(ctx, name)
	switch {
	case err != nil:
		return err
	case invitation != nil:
		return &Error{Kind: Denied, Field: "user", Text: "the invitation is pending; withdraw it and invite anew"}
	}
	uid, err := a.uidOf(ctx, ByID(entry.ID))
	if err != nil {
		return err
	}
	if err := a.mayChange(ctx, by, uid, entry); err != nil {
		return err
	}
	var role *Role
	if ch.RoleID != nil {
		if role, err = a.grantable(ctx, by.Role, ch.RoleID); err != nil {
			return err
		}
	}
	if ch.GivenName != nil || ch.FamilyName != nil {
		if err := a.changeNames(ctx, by, entry, ch, client); err != nil {
			return err
		}
	}
	if role != nil {
		if err := a.setRole(ctx, by, uid, entry, role, client); err != nil {
			return err
		}
	}
	if ch.Enabled != nil {
		return a.setEnabled(ctx, by, uid, entry, *ch.Enabled, client)
	}
	return nil
}

// mayChange refuses to let a caller change somebody who has permissions that he
// has not.
func (a *Adapter) mayChange(ctx context.Context, by *UserCaller, uid int64, entry *directory.Entry) error {
	theirs, err := a.personRole(ctx, uid, entry)
	if err != nil {
		return err
	}
	if !by.Role.covers(theirs) {
		return &Error{Kind: Denied, Field: "user", Text: "the user has permissions that you do not have"}
	}
	return nil
}

// setRole gives a role. Both what the caller may and that somebody is left to
// manage users is looked at again inside the transaction.
func (a *Adapter) setRole(ctx context.Context, by *UserCaller, uid int64, entry *directory.Entry, role *Role, client Client) error {
	may := func(ctx context.Context) error {
		if err := a.stillMay(ctx, by, role); err != nil {
			return err
		}
		if role.Has(MayManageUsers) {
			return nil
		}
		return a.othersManage(ctx, uid, entry)
	}
	if err := may(ctx); err != nil { // also gives out the numbers that the transaction cannot
		return err
	}
	err := a.store.SetUserRole(ctx, uid, role.Name, may,
		record(EventUserEdited, uid, by.name(), client, "role "+role.Name+" given"))
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return fromStore(err, "user")
}

// stillMay reads the caller's role anew.
func (a *Adapter) stillMay(ctx context.Context, by *UserCaller, grants *Role) error {
	now, err := a.personRole(ctx, by.Person.UID, by.entry)
	switch {
	case err != nil:
		return err
	case !now.Has(MayManageUsers), grants != nil && !now.covers(grants):
		return &Error{Kind: Denied, Field: MayManageUsers}
	}
	return nil
}

// othersManage makes sure that, without one person, somebody still may manage
// users: an active person with such a role.
func (a *Adapter) othersManage(ctx context.Context, uid int64, entry *directory.Entry) error {
	theirs, err := a.personRole(ctx, uid, entry)
	if err != nil || !theirs.Has(MayManageUsers) {
		return err
	}
	roles, err := a.Roles(ctx)
	if err != nil {
		return err
	}
	for i := range roles {
		if !roles[i].Has(MayManageUsers) {
			continue
		}
		if roles[i].Default {
			return nil
		}
		others, err := a.holders(ctx, &roles[i])
		if err != nil {
			return err
		}
		for _, other := range others {
			if other.ID == entry.ID {
				continue
			}
			if status, err := a.statusOf(ctx, other); err == nil && status.Active() {
				return nil
			}
		}
	}
	return &Error{Kind: Conflict, Field: "user", Text: "nobody else could manage users then"}
}

// holders are the people who have a role by a group or were given it here.
func (a *Adapter) holders(ctx context.Context, role *Role) ([]*directory.Entry, error) {
	var people []*directory.Entry
	for _, name := range role.groups {
		groups, err := a.lists.GroupsByName(ctx, name)
		if err != nil {
			return nil, fromDirectory(err, "group")
		}
		for _, g := range groups {
			members, err := a.dir.MembersOf(ctx, g.ID)
			if err != nil {
				return nil, fromDirectory(err, "group")
			}
			people = append(people, members...)
		}
	}
	uids, err := a.store.UsersWithRole(ctx, role.Name)
	if err != nil {
		return nil, fromStore(err, "user")
	}
	for _, uid := range uids {
		entry, err := a.entry(ctx, ByUID(uid))
		switch {
		case err == nil:
			people = append(people, entry)
		case KindOf(err) != NotFound:
			return nil, err
		}
	}
	return people, nil
}
