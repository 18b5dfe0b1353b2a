package action

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"portico/adapter"
)

// fake is an adapter over the people of the conformance vectors.
type fake struct {
	fakeLocals

	mu      sync.Mutex
	now     time.Time
	keys    map[string]adapter.Caller
	people  []*adapter.Person
	status  map[string]adapter.Status
	groups  []*adapter.Group
	members map[int64][]int64
	manages map[int64][]int64

	fault    error // given by everything but KeyCaller
	panics   bool
	badKey   map[string]time.Time
	logins   map[string]time.Time
	refused  []string // action names that KeyRefused was told of
	searched []string // texts that were really looked for
	signIns  []adapter.SignIn

	appPasswords map[string]string // to user name
}

const appPassword = "AAAAA-BBBBB-CCCCC-DDDDD"

func newFake() *fake {
	person := func(uid int64, username, name string) *adapter.Person {
		return &adapter.Person{UID: uid, Username: username, Name: name, Mail: []string{username + "@example.com"}}
	}
	f := &fake{
		fakeLocals: newFakeLocals(), appPasswords: map[string]string{appPassword: "jdoe"},
		now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		keys: map[string]adapter.Caller{
			"NONEKEY": {KeyID: 1, Level: adapter.LevelNone, Enforced: true},
			"AUTHKEY": {KeyID: 2, Level: adapter.LevelAuth, Enforced: true},
			"READKEY": {KeyID: 3, Level: adapter.LevelRead, Enforced: true},
			"K123":    {KeyID: 4, Level: adapter.LevelFull, Enforced: true},
			"OLDKEY":  {KeyID: 5, Level: adapter.LevelNone, Label: "taken over"},
			"K/1+2 3": {KeyID: 6, Level: adapter.LevelFull, Enforced: true},
			"12345":   {KeyID: 7, Level: adapter.LevelFull, Enforced: true},
			"PORTAL":  {KeyID: 8, Level: adapter.LevelFull, Enforced: true, Label: "portal"},
		},
		people: []*adapter.Person{
			person(1, "admin", "Ada Min"), person(2, "jdoe", "John Doe"), person(3, "locked", "Lo Cked"),
			person(4, "expired", "Ex Pired"), person(5, "termin", "Ter Min"), person(6, "alerty", "Al Erty"),
			person(9, "jadoe", "Jane Doe"),
		},
		status: map[string]adapter.Status{
			"locked": adapter.StatusLocked, "expired": adapter.StatusChangePassword,
			"termin": adapter.StatusTerminated, "alerty": adapter.StatusAlert,
		},
		groups:  []*adapter.Group{{GID: 1, Name: "Sales"}, {GID: 2, Name: "Support"}, {GID: 3, Name: "Empty <&> \"Büro\""}},
		members: map[int64][]int64{1: {2, 4, 9}, 2: {2}},
		manages: map[int64][]int64{1: {2, 9}, 2: {9}},
		badKey:  map[string]time.Time{}, logins: map[string]time.Time{},
	}
	f.people[1].Phone, f.people[1].HasPIN, f.people[1].HasTOTP = "1234567890", true, true
	f.people[2].Mail = nil
	f.people[6].HasPIN = true
	return f
}

func (f *fake) broken() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panics {
		panic("the fixture says so")
	}
	return f.fault
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) gated(bucket map[string]time.Time, name string) error {
	if at, ok := bucket[name]; ok && f.now.Sub(at) < 2*time.Second {
		return &adapter.Error{Kind: adapter.Throttled, RetryAfter: 2*time.Second - f.now.Sub(at)}
	}
	bucket[name] = f.now
	return nil
}

func (f *fake) KeyCaller(_ context.Context, api, presented string, client adapter.Client) (*adapter.Caller, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if caller, ok := f.keys[presented]; ok && api == "action" {
		caller.API = api
		return &caller, nil
	}
	if err := f.gated(f.badKey, client.Address); err != nil {
		return nil, err
	}
	return nil, &adapter.Error{Kind: adapter.Unauthenticated}
}

func (f *fake) KeyRefused(_ context.Context, _ *adapter.Caller, _ adapter.Client, action string) error {
	f.set(func() { f.refused = append(f.refused, action) })
	return nil
}

func (f *fake) CheckPassword(_ context.Context, in adapter.SignIn) (*adapter.SignInResult, error) {
	f.mu.Lock()
	f.signIns = append(f.signIns, in)
	f.mu.Unlock()
	if in.FullSignIn && !in.Client.Exempt {
		bucket := f.logins
		if in.Surface == adapter.SurfaceMobile {
			bucket = f.mobileGate
		}
		if err := f.gated(bucket, in.Client.Address+" "+strings.ToLower(in.Username)); err != nil {
			return nil, err
		}
	}
	if err := f.broken(); err != nil {
		return nil, err
	}
	p := f.find(adapter.ByUsername(in.Username))
	if p == nil {
		return &adapter.SignInResult{}, nil
	}
	r := &adapter.SignInResult{Person: p, Status: f.statusOf(p), PasswordRight: in.Password == p.Username+"-pw"}
	r.OK = r.PasswordRight && (!in.AppPasswordOnly || !p.HasTOTP)
	if f.appPasswords[in.Password] == p.Username && in.Surface != adapter.SurfaceMobile {
		r.PasswordRight, r.OK = true, true
	}
	r.OK = r.OK && r.Status.MaySignIn() && (in.Surface != adapter.SurfaceMobile || r.Status == adapter.StatusNormal)
	r.Alert = r.OK && in.FullSignIn && r.Status == adapter.StatusAlert
	return r, nil
}

func (f *fake) statusOf(p *adapter.Person) adapter.Status {
	if s, ok := f.status[p.Username]; ok {
		return s
	}
	return adapter.StatusNormal
}

func (f *fake) find(key adapter.PersonKey) *adapter.Person {
	for _, p := range f.people {
		if key == adapter.ByUID(p.UID) || key == adapter.ByUsername(p.Username) {
			return p
		}
		for _, spelling := range []string{"JDOE", "JDoe", "Jdoe"} { // keys cannot be looked into
			if p.Username == "jdoe" && key == adapter.ByUsername(spelling) {
				return p
			}
		}
	}
	return nil
}

func (f *fake) person(key adapter.PersonKey, field string) (*adapter.Person, error) {
	if err := f.broken(); err != nil {
		return nil, err
	}
	if key == adapter.ByUsername("") || key == adapter.ByUID(0) {
		return nil, errors.New("an empty key reached the adapter")
	}
	if p := f.find(key); p != nil {
		return p, nil
	}
	return nil, &adapter.Error{Kind: adapter.NotFound, Field: field}
}

func (f *fake) AccountStatus(_ context.Context, key adapter.PersonKey) (adapter.Status, error) {
	p, err := f.person(key, "user")
	if p == nil {
		if adapter.KindOf(err) == adapter.NotFound {
			err = nil
		}
		return adapter.StatusUnknown, err
	}
	return f.statusOf(p), nil
}

func (f *fake) Person(_ context.Context, key adapter.PersonKey) (*adapter.Person, error) {
	return f.person(key, "user")
}

func (f *fake) PersonExists(_ context.Context, key adapter.PersonKey) (bool, error) {
	_, err := f.person(key, "user")
	if adapter.KindOf(err) == adapter.NotFound && err != nil {
		return false, nil
	}
	return err == nil, err
}

func (f *fake) SearchPeople(_ context.Context, text string, limit int) ([]*adapter.Person, error) {
	if err := f.broken(); err != nil {
		return nil, err
	}
	f.set(func() { f.searched = append(f.searched, text) })
	text = strings.ToLower(text)
	var found []*adapter.Person
	for _, p := range f.people {
		if strings.Contains(p.Username, text) || strings.Contains(strings.ToLower(p.Name), text) {
			found = append(found, p)
		}
	}
	return found[:min(limit, len(found))], nil
}

func (f *fake) SearchGroups(_ context.Context, text string, limit int) ([]*adapter.Group, error) {
	if err := f.broken(); err != nil {
		return nil, err
	}
	var found []*adapter.Group
	for _, g := range f.groups {
		if strings.Contains(strings.ToLower(g.Name), strings.ToLower(text)) {
			found = append(found, g)
		}
	}
	return found[:min(limit, len(found))], nil
}

func (f *fake) Groups(context.Context) ([]*adapter.Group, error) { return f.groups, f.broken() }

func (f *fake) GroupsOf(_ context.Context, key adapter.PersonKey) ([]*adapter.Group, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return nil, err
	}
	var found []*adapter.Group
	for _, g := range f.groups {
		if slices.Contains(f.members[g.GID], p.UID) {
			found = append(found, g)
		}
	}
	return found, nil
}

func (f *fake) byUIDs(uids []int64) []*adapter.Person {
	var found []*adapter.Person
	for _, p := range f.people {
		if slices.Contains(uids, p.UID) {
			found = append(found, p)
		}
	}
	return found
}

func (f *fake) MembersOf(_ context.Context, gid int64) ([]*adapter.Person, error) {
	if err := f.broken(); err != nil {
		return nil, err
	}
	if gid < 1 || gid > int64(len(f.groups)) {
		return nil, &adapter.Error{Kind: adapter.NotFound, Field: "group"}
	}
	return f.byUIDs(f.members[gid]), nil
}

func (f *fake) IsManagerOf(_ context.Context, manager, employee adapter.PersonKey) (bool, error) {
	m, err := f.person(manager, "manager")
	if err != nil {
		return false, err
	}
	e, err := f.person(employee, "employee")
	if err != nil {
		return false, err
	}
	return slices.Contains(f.manages[m.UID], e.UID), nil
}

func (f *fake) Managed(_ context.Context, key adapter.PersonKey) ([]*adapter.Person, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return nil, err
	}
	return f.byUIDs(f.manages[p.UID]), nil
}

func (f *fake) Managers(_ context.Context, key adapter.PersonKey) ([]*adapter.Person, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return nil, err
	}
	var uids []int64
	for manager, employees := range f.manages {
		if slices.Contains(employees, p.UID) {
			uids = append(uids, manager)
		}
	}
	return f.byUIDs(uids), nil
}
