package adapter

import (
	"context"
	"errors"
	"strings"
	"time"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
)

// MobileCode is a paired mobile device as lists show it.
type MobileCode struct {
	ID          int64      `json:"id"`
	Description string     `json:"description"`
	Created     time.Time  `json:"created"`
	LastUsed    *time.Time `json:"last_used"`
}

// readMobileCode brings a sync code into its one form: no blanks, upper case.
func readMobileCode(text string) string {
	return foldCode(strings.ReplaceAll(text, " ", ""))
}

// MobileCodeValid tells whether code is a sync code of that person, whatever the
// account's status. Letter case and blanks in the code do not matter. Nobody has
// none. Errors: Unavailable.
func (a *Adapter) MobileCodeValid(ctx context.Context, username, code string) (bool, error) {
	person, err := a.mobileOwner(ctx, username, code)
	return person != nil, err
}

// mobileOwner gives the entry behind a pair of name and code, nil when there is none.
func (a *Adapter) mobileOwner(ctx context.Context, username, code string) (*directory.Entry, error) {
	begun := time.Now()
	entry, err := a.findMobileOwner(ctx, username, code)
	if err == nil && entry == nil {
		a.refuseEvenly(ctx, begun)
	}
	return entry, err
}

func (a *Adapter) findMobileOwner(ctx context.Context, username, code string) (*directory.Entry, error) {
	code = readMobileCode(code)
	if code == "" || directory.FoldName(username) == "" {
		return nil, nil
	}
	entry, uid, err := a.known(ctx, ByUsername(username))
	if err != nil {
		if kind := KindOf(err); kind == NotFound || kind == Ambiguous {
			_, err := a.store.FindMobileCode(ctx, code) // as for somebody
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return nil, fromStore(err, "mobile code")
		}
		return nil, err
	}
	owner, err := a.store.FindMobileCode(ctx, code)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fromStore(err, "mobile code")
	}
	if err != nil || owner != uid {
		a.dir.SpendMiss(ctx, entry.Login)
		return nil, nil
	}
	return entry, nil
}

// MobileSignIn is the pair of name and sync code that comes with every request
// of the mobile API.
type MobileSignIn struct {
	Username string
	Code     string
	Client   Client
}

// MobileCaller finds the person behind a name and sync code, whatever the
// account's status. Errors: Unauthenticated when the pair is unknown (logged as
// event 21), Throttled when that happens again within the login interval, Unavailable.
func (a *Adapter) MobileCaller(ctx context.Context, in MobileSignIn) (*Person, error) {
	entry, err := a.mobileOwner(ctx, in.Username, in.Code)
	if err != nil {
		return nil, err
	}
	if entry != nil {
		return a.personOf(ctx, entry)
	}
	name := directory.FoldName(in.Username)
	if err := a.passGate(gateMobile, name, in.Client); err != nil {
		return nil, err
	}
	text := "user " + name + ", code " + maskMobileCode(readMobileCode(in.Code))
	if err := a.logEvent(ctx, EventMobileBadKey, 0, in.Client, text); err != nil {
		return nil, err
	}
	return nil, &Error{Kind: Unauthenticated, Field: "key"}
}

// maskMobileCode keeps the first and last three characters of a code that is
// long enough to spare them.
func maskMobileCode(code string) string {
	if len(code) < 12 {
		return "****"
	}
	return code[:3] + "****" + code[len(code)-3:]
}

// AddMobileCode makes a sync code, 20 upper-case hexadecimal digits, and gives
// it in plain; it cannot be shown again. by says who did it, "" for the person.
// Errors: NotFound "user", Conflict "mobile code" when the person has too many.
func (a *Adapter) AddMobileCode(ctx context.Context, key PersonKey, description, by string, client Client) (string, error) {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return "", err
	}
	code := randomCode()
	_, err = a.store.AddMobileCode(ctx, uid, code, description,
		record(EventUserEdited, uid, by, client, "mobile device added: "+description))
	if err != nil {
		return "", fromStore(err, "mobile code")
	}
	a.notice(ctx, entry, texts.NoticeMobile, client)
	return code, nil
}

// ListMobileCodes lists a person's sync codes, oldest first. Errors: NotFound "user".
func (a *Adapter) ListMobileCodes(ctx context.Context, key PersonKey) ([]MobileCode, error) {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return nil, err
	}
	stored, err := a.store.MobileCodes(ctx, uid)
	if err != nil {
		return nil, fromStore(err, "user")
	}
	list := make([]MobileCode, len(stored))
	for i, s := range stored {
		list[i] = MobileCode{ID: s.ID, Description: s.Description, Created: s.Created, LastUsed: optional(s.LastUsed)}
	}
	return list, nil
}

// RevokeMobileCode ends one sync code. Errors: NotFound "user" or "mobile code".
func (a *Adapter) RevokeMobileCode(ctx context.Context, key PersonKey, id int64, by string, client Client) error {
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return err
	}
	err = a.store.RemoveMobileCode(ctx, uid, id, record(EventUserEdited, uid, by, client, "mobile device removed"))
	if err != nil {
		return fromStore(err, "mobile code")
	}
	a.notice(ctx, entry, texts.NoticeMobileRemoved, client)
	return nil
}
