package action

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"portico/adapter"
)

// fakeLocals is what the fake knows besides the directory.
type fakeLocals struct {
	pins        map[string]string
	permissions map[string][]string
	notes       []fakeNote
	lastNote    int64
	syncCodes   map[string]string // code to user name
	oneTime     map[string]fakeCode
	loginKeys   map[string]*fakeLoginKey
	made        int // codes and passwords made
	mails       []string
	mailGate    map[string]time.Time
	mobileGate  map[string]time.Time
	sessions    []string
	told        []string // what verbs were told besides what they were asked
}

type fakeNote struct {
	adapter.Notification
	owner int64
}

type fakeCode struct {
	person  *adapter.Person
	expires time.Time
}

type fakeLoginKey struct {
	uid     int64
	expires time.Time
}

func newFakeLocals() fakeLocals {
	return fakeLocals{
		pins:        map[string]string{"jdoe": "0123", "jadoe": "1234", "locked": "7", "alerty": "0"},
		permissions: map[string][]string{"admin": {"ADMIN"}, "jdoe": {"TASKFLOOR"}},
		syncCodes: map[string]string{
			"0123456789ABCDEF0123": "jdoe", "AAAAAAAAAAAAAAAAAAAA": "admin", "BBBBBBBBBBBBBBBBBBBB": "locked",
			"CCCCCCCCCCCCCCCCCCCC": "alerty", "DDDDDDDDDDDDDDDDDDDD": "expired",
			"EEEEEEEEEEEEEEEEEEEE": "jadoe",
		},
		oneTime: map[string]fakeCode{}, loginKeys: map[string]*fakeLoginKey{},
		mailGate: map[string]time.Time{}, mobileGate: map[string]time.Time{},
	}
}

func (f *fake) CheckPIN(_ context.Context, key adapter.PersonKey, pin string, _ adapter.Client) (adapter.PINResult, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return adapter.PINResult{}, err
	}
	set, ok := f.pins[p.Username]
	return adapter.PINResult{Set: ok, Valid: ok && set == strings.TrimSpace(pin) && f.statusOf(p).MaySignIn()}, nil
}

// totpCode is the fake's code of a person at a step from now.
func (f *fake) totpCode(step int64) string {
	return fmt.Sprintf("%06d", (f.now.Unix()/30+step)%1000000)
}

func (f *fake) VerifyTOTP(_ context.Context, key adapter.PersonKey, code string, _ adapter.Client) (bool, error) {
	p, err := f.person(key, "user")
	if p == nil {
		if isNobody(err) {
			err = nil
		}
		return false, err
	}
	code = strings.ReplaceAll(code, " ", "")
	return !p.HasTOTP || slices.Contains([]string{f.totpCode(-1), f.totpCode(0), f.totpCode(1)}, code), nil
}

func (f *fake) next() int {
	f.made++
	return f.made
}

func (f *fake) AddAppPassword(_ context.Context, key adapter.PersonKey, description, by string, _ adapter.Client) (string, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return "", err
	}
	f.told = append(f.told, "app password: "+description+" by "+by)
	password := fmt.Sprintf("0000A-0000B-0000C-%05d", f.next())
	f.appPasswords[password] = p.Username
	return password, nil
}

func (f *fake) Permission(_ context.Context, key adapter.PersonKey, code string) (bool, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return false, err
	}
	held := f.permissions[p.Username]
	return slices.Contains(held, "ADMIN") || slices.Contains(held, strings.ToUpper(code)), nil
}

func (f *fake) Notifications(_ context.Context, key adapter.PersonKey, unseenOnly bool) ([]adapter.Notification, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return nil, err
	}
	var found []adapter.Notification
	for _, n := range f.notes {
		if n.owner == p.UID && (!n.Seen || !unseenOnly) {
			found = append(found, n.Notification)
		}
	}
	slices.SortFunc(found, func(a, b adapter.Notification) int {
		if a.Seen != b.Seen {
			if a.Seen {
				return 1
			}
			return -1
		}
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID))
	})
	return found, nil
}

func (f *fake) AddNotification(_ context.Context, key adapter.PersonKey, n adapter.NewNotification) (int64, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return 0, err
	}
	if n.Title == "" || n.Content == "" {
		return 0, &adapter.Error{Kind: adapter.Invalid, Field: "title"}
	}
	at := f.now
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if read, err := time.ParseInLocation(layout, n.Timestamp, f.now.Location()); err == nil {
			at = read
		}
	}
	f.lastNote++
	f.notes = append(f.notes, fakeNote{owner: p.UID, Notification: adapter.Notification{
		ID: f.lastNote, Time: at, Title: n.Title, Content: n.Content, URL: n.URL, Sensitive: n.Sensitive,
	}})
	return f.lastNote, nil
}

func (f *fake) note(key adapter.PersonKey, id int64) (int, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(f.notes, func(n fakeNote) bool { return n.ID == id && n.owner == p.UID })
	if i < 0 {
		return 0, &adapter.Error{Kind: adapter.NotFound, Field: "notification"}
	}
	return i, nil
}

func (f *fake) ReadNotification(_ context.Context, key adapter.PersonKey, id int64) error {
	i, err := f.note(key, id)
	if err == nil {
		f.notes[i].Seen = true
	}
	return err
}

func (f *fake) DeleteNotification(_ context.Context, key adapter.PersonKey, id int64) error {
	i, err := f.note(key, id)
	if err == nil {
		f.notes = slices.Delete(f.notes, i, i+1)
	}
	return err
}

var errNoCode = &adapter.Error{Kind: adapter.NotFound, Field: "code"}

func (f *fake) NewLoginKey(_ context.Context, appName, appIcon string) (string, error) {
	if err := f.broken(); err != nil {
		return "", err
	}
	f.told = append(f.told, "login key: "+appName+" "+appIcon)
	code := fmt.Sprintf("login-key_%d", f.next())
	f.loginKeys[code] = &fakeLoginKey{expires: f.now.Add(10 * time.Minute)}
	return code, nil
}

func (f *fake) CheckLoginKey(_ context.Context, code string) (int64, error) {
	if err := f.broken(); err != nil {
		return 0, err
	}
	if k := f.loginKeys[code]; k != nil && k.uid != 0 && f.now.Before(k.expires) {
		return k.uid, nil
	}
	return 0, errNoCode
}

func (f *fake) CodeLogin(_ context.Context, code string, _ adapter.Client) (*adapter.Person, error) {
	if err := f.broken(); err != nil {
		return nil, err
	}
	code = strings.TrimPrefix(code, "B-")
	c, ok := f.oneTime[code]
	delete(f.oneTime, code)
	if !ok || !f.now.Before(c.expires) || !f.statusOf(c.person).MaySignIn() {
		return nil, errNoCode
	}
	return c.person, nil
}

func (f *fake) MobileCodeValid(_ context.Context, username, code string) (bool, error) {
	return f.syncCodes[strings.ToUpper(code)] == strings.ToLower(username), f.broken()
}

func (f *fake) MobileCaller(_ context.Context, in adapter.MobileSignIn) (*adapter.Person, error) {
	if err := f.broken(); err != nil {
		return nil, err
	}
	code := strings.ToUpper(strings.ReplaceAll(in.Code, " ", ""))
	if name, ok := f.syncCodes[code]; ok && name == strings.ToLower(in.Username) {
		return f.find(adapter.ByUsername(name)), nil
	}
	if err := f.gated(f.mobileGate, in.Client.Address+" "+strings.ToLower(in.Username)); err != nil {
		return nil, err
	}
	return nil, &adapter.Error{Kind: adapter.Unauthenticated}
}

func (f *fake) MobileGate(username string, client adapter.Client) error {
	return f.gated(f.mobileGate, client.Address+" "+strings.ToLower(username))
}

func (f *fake) AddMobileCode(_ context.Context, key adapter.PersonKey, description, by string, _ adapter.Client) (string, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return "", err
	}
	f.told = append(f.told, "sync code: "+description+" by "+by)
	code := fmt.Sprintf("%020X", 0xFACE00+f.next())
	f.syncCodes[code] = p.Username
	return code, nil
}

func (f *fake) GenerateCode(_ context.Context, key adapter.PersonKey) (int, error) {
	p, err := f.person(key, "user")
	if err != nil {
		return 0, err
	}
	if !f.statusOf(p).MaySignIn() {
		return 0, &adapter.Error{Kind: adapter.Denied, Field: "user"}
	}
	code := 100000 + f.next()
	f.oneTime[fmt.Sprint(code)] = fakeCode{p, f.now.Add(time.Minute)}
	return code, nil
}

func (f *fake) AlertMail(_ context.Context, username, appName string, client adapter.Client) error {
	if !client.Exempt {
		if err := f.gated(f.mailGate, client.Address+" "+username); err != nil {
			return err
		}
	}
	if _, err := f.person(adapter.ByUsername(username), "user"); err != nil {
		return err
	}
	if appName == "unmailed" {
		return &adapter.Error{Kind: adapter.Invalid, Field: "mail", Text: "invalid_from_email"}
	}
	f.mails = append(f.mails, username+" "+appName)
	return nil
}

// Begin notes the session that start_session begins.
func (f *fake) Begin(w http.ResponseWriter, _ *http.Request, p *adapter.Person, mobile bool) error {
	f.sessions = append(f.sessions, fmt.Sprint(p.Username, " ", mobile))
	http.SetCookie(w, &http.Cookie{Name: "portico", Value: "x", HttpOnly: true})
	return nil
}
