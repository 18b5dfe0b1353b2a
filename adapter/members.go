package adapter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// MemberList is the active people, by user name. It is shared: do not change it.
type MemberList struct{ Members []ListedMember }

// ListedMember is one active person of the list.
type ListedMember struct {
	Username string
	Email    string // "" when there is none
}

// Members lists the people whose accounts are active, by user name. The same
// pointer is given as long as nothing has changed. Error: Unavailable.
func (a *Adapter) Members(ctx context.Context) (*MemberList, error) {
	return a.memberList.load(ctx, a.version(&a.localChanges), a.now(), a.lasting(snapshotAge), func(ctx context.Context) (*MemberList, error) {
		list := &MemberList{}
		err := a.everybody(ctx, directory.KindPerson, func(page []*directory.Entry) error {
			active, err := a.activeOf(ctx, page)
			for i, e := range page {
				if err == nil && active[i] {
					list.Members = append(list.Members, ListedMember{e.Login, e.Attributes.First(directory.AttrMail)})
				}
			}
			return err
		})
		slices.SortFunc(list.Members, func(x, y ListedMember) int { return cmp.Compare(x.Username, y.Username) })
		return list, err
	})
}

// activeOf tells of each person whether the account is neither locked nor closed.
func (a *Adapter) activeOf(ctx context.Context, entries []*directory.Entry) ([]bool, error) {
	uids, err := a.numbersOf(ctx, personNumber, entries)
	if err != nil {
		return nil, err
	}
	locals, err := a.localsOf(ctx, uids)
	if err != nil {
		return nil, err
	}
	now := a.now()
	active := make([]bool, len(entries))
	for i, e := range entries {
		active[i] = Precedence(locals[i].Status, a.dir.State(ctx, e, now)).Active()
	}
	return active, nil
}

// Active tells whether an account is in use: neither locked nor closed. Somebody
// who must change the password first is active.
func (s Status) Active() bool {
	return s != StatusUnknown && s != StatusLocked && s != StatusTerminated
}

// MemberSignIn asks for one check of a member's password.
type MemberSignIn struct {
	Username string // or mail address, where the configuration allows it
	Password string
	Caller   *Caller
	Client   Client
}

// Member is a person with the teams that he is in.
type Member struct {
	Person   *Person
	Birthday string     // "2006-01-02"; "" when not known
	Teams    []TeamRole // shared: do not change it
}

// TeamRole is a place in a team: of a person by team, or in a team by user name.
type TeamRole struct {
	Name  string // of the team, or user name
	Title string // may be ""
}

// CheckMember checks a member's password and gives the data of the member whose
// account is active. It makes no session. Errors: Invalid with the field,
// NotFound "user", Denied "password" when it is wrong, Denied "account" when the
// account may not be used, Throttled after too many failures with this key and
// user name, Unavailable.
func (a *Adapter) CheckMember(ctx context.Context, in MemberSignIn) (*Member, error) {
	sign := SignIn{Surface: SurfaceAPI, Caller: in.Caller, Client: in.Client, Username: in.Username, Password: in.Password}
	if err := checkInput(sign); err != nil {
		return nil, err
	}
	bucket := memberBucket(in)
	if err := a.memberMayTry(ctx, bucket); err != nil {
		return nil, err
	}
	entry, err := a.memberEntry(ctx, in)
	if err != nil {
		return nil, err
	}
	sign.Username = entry.Login
	result, err := a.CheckPassword(ctx, sign)
	switch {
	case err != nil:
		return nil, err
	case result.Person == nil:
		return nil, notFound("user")
	case !result.PasswordRight:
		if err := a.fail(ctx, bucket); err != nil {
			return nil, err
		}
		return nil, &Error{Kind: Denied, Field: "password"}
	case !result.OK:
		return nil, &Error{Kind: Denied, Field: "account"}
	}
	return a.memberOf(ctx, entry, result.Person)
}

// memberBucket counts the failures with one key and user name. What is counted is
// a digest: what people type into the wrong field is not kept.
func memberBucket(in MemberSignIn) string {
	label := ""
	if in.Caller != nil {
		label = in.Caller.Label
	}
	sum := sha256.Sum256([]byte(label + "\x00" + directory.FoldName(in.Username)))
	return "member/" + string(sum[:])
}

func (a *Adapter) memberMayTry(ctx context.Context, bucket string) error {
	if a.cfg.FailureLimit < 0 {
		return nil
	}
	read := func() (store.Failures, error) {
		f, err := a.store.Failures(ctx, bucket)
		return f, fromStore(err, "user")
	}
	load := func() (store.Failures, error) { return a.failed.Load(bucket, read) }
	if !a.store.Live() {
		load = read
	}
	f, err := load()
	if err != nil {
		return err
	}
	wait := a.cfg.FailureWindow - a.now().Sub(f.Last)
	if f.Count >= a.cfg.FailureLimit && wait > 0 {
		return &Error{Kind: Throttled, RetryAfter: wait}
	}
	return nil
}

// memberEntry finds a member by user name or, where that is allowed, by a mail
// address that nobody else has.
func (a *Adapter) memberEntry(ctx context.Context, in MemberSignIn) (*directory.Entry, error) {
	entry, err := a.entry(ctx, ByUsername(in.Username))
	switch {
	case err == nil:
		return entry, nil
	case KindOf(err) == Ambiguous:
		a.log.ErrorContext(ctx, "sign-in refused: two entries have this login name; make it unique in the directory", "username", in.Username)
		return nil, &Error{Kind: Denied, Field: "password", Cause: err}
	case KindOf(err) != NotFound, a.cfg.Integration.NoMailSignIn, !strings.Contains(in.Username, "@"), a.lists == nil:
		return nil, err
	}
	found, byMail := a.lists.PeopleByMail(ctx, strings.TrimSpace(in.Username))
	switch {
	case byMail != nil:
		return nil, fromDirectory(byMail, "user")
	case len(found) == 0:
		return nil, err
	case len(found) > 1:
		a.log.WarnContext(ctx, "sign-in by mail address refused: several people have it", "people", len(found))
		return nil, &Error{Kind: Denied, Field: "password"}
	}
	return found[0], nil
}

func (a *Adapter) memberOf(ctx context.Context, entry *directory.Entry, person *Person) (*Member, error) {
	m := &Member{Person: person, Birthday: birthday(entry.Attributes.First("birthday"))}
	of := a.version(&a.titleChanges)
	if known, ok := a.places.Get(entry.ID); ok && known.of == of && a.lists != nil && a.store.Live() {
		m.Teams = known.teams
		return m, nil
	}
	ticket := a.places.Begin()
	var err error
	if m.Teams, err = a.teamsOf(ctx, entry, person.UID); err != nil {
		return nil, err
	}
	a.places.Keep(ticket, entry.ID, places{of, m.Teams})
	return m, nil
}

// places are somebody's places in teams, and what they were read from.
type places struct {
	of    version
	teams []TeamRole
}

func (a *Adapter) teamsOf(ctx context.Context, entry *directory.Entry, uid int64) ([]TeamRole, error) {
	groups, err := a.dir.GroupsOf(ctx, entry.ID)
	if err != nil {
		return nil, fromDirectory(err, "user")
	}
	gids, err := a.numbersOf(ctx, groupNumber, groups)
	if err != nil {
		return nil, err
	}
	overlay, err := a.titleOverlay(ctx)
	if err != nil {
		return nil, err
	}
	var teams []TeamRole
	for i, g := range groups {
		role := TeamRole{Name: g.Name}
		if title, ok := a.titlesIn(ctx, g)(entry); ok {
			role.Title = title
		} else {
			role.Title = overlay[titleKey{gids[i], uid}]
		}
		teams = append(teams, role)
	}
	return teams, nil
}

func (a *Adapter) titlesIn(ctx context.Context, group *directory.Entry) func(*directory.Entry) (string, bool) {
	if a.lists == nil {
		return func(*directory.Entry) (string, bool) { return "", false }
	}
	return a.lists.TitlesIn(ctx, group)
}

// birthday reads a date as directories write them: 19700131, 1970-01-31, or with
// a time behind it. What is no date is "".
func birthday(text string) string {
	text = strings.TrimSpace(text)
	for _, form := range []string{"20060102", time.DateOnly} {
		if len(text) < len(form) {
			continue
		}
		if t, err := time.Parse(form, text[:len(form)]); err == nil && (len(text) == len(form) || !isDigit(text[len(form)]) || form == "20060102" && len(text) >= 14) {
			return t.Format(time.DateOnly)
		}
	}
	return ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
