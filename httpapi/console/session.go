package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/alexedwards/scs/v2"

	"portico/adapter"
)

// Sessions keeps what browsers' sessions hold.
type Sessions interface {
	Session(ctx context.Context, token string) ([]byte, bool, error)
	PutSession(ctx context.Context, token string, uid, epoch int64, data []byte, expires time.Time) error
	EndSession(ctx context.Context, token string) error
	EndSessions(ctx context.Context, uid int64, client adapter.Client, why string) error
	SignedOut(ctx context.Context, uid int64, client adapter.Client) error
}

// What a session holds, as text.
const (
	keyUID    = "uid"    // who is signed in
	keyEpoch  = "epoch"  // adapter.Person.Epoch when the password was proven
	keyBegan  = "began"  // when, Unix seconds
	keySeen   = "seen"   // last request, give or take
	keyMobile = "mobile" // made by the mobile API, without a second factor
	keyNotice = "notice" // text to show once
	keyJoin   = "join"   // token of an invitation that waits for a sign-in

	keyInvitation = "invitation" // token of one that waits for its owner to sign in

	keyFlowKind     = "flow.kind" // a sign-in under way: flowApp or flowAccount
	keyFlowStep     = "flow.step"
	keyFlowName     = "flow.name"
	keyFlowUID      = "flow.uid" // password proven
	keyFlowCoded    = "flow.coded"
	keyFlowCode     = "flow.code" // of the application
	keyFlowRedirect = "flow.redirect"
	keyFlowTo       = "flow.to"
)

var flowKeys = [...]string{
	keyFlowKind, keyFlowStep, keyFlowName, keyFlowUID, keyFlowCoded, keyFlowCode, keyFlowRedirect, keyFlowTo,
}

// strangersAge is how long a session of somebody who is not signed in lasts.
const strangersAge = 15 * time.Minute

func (c *Console) newSessions(secure bool) *scs.SessionManager {
	m := scs.New()
	m.Store = sessionStore{c.adapter}
	m.Codec = codec{}
	m.Lifetime = c.cfg.MaxAge
	m.Cookie.Name = "portico"
	if secure {
		m.Cookie.Name = "__Host-portico"
	}
	m.Cookie.Secure = secure
	m.Cookie.HttpOnly = true
	m.Cookie.Path = "/"
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Persist = false
	return m
}

// packed is the stored form of a session.
type packed struct {
	Deadline time.Time         `json:"deadline"`
	Values   map[string]string `json:"values"`
}

// codec writes sessions as JSON; all values are text.
type codec struct{}

// Encode packs a session.
func (codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	p := packed{Deadline: deadline, Values: make(map[string]string, len(values))}
	for key, value := range values {
		text, ok := value.(string)
		if !ok {
			return nil, errors.New("a session holds text only")
		}
		p.Values[key] = text
	}
	return json.Marshal(p)
}

// Decode unpacks a session.
func (codec) Decode(data []byte) (time.Time, map[string]any, error) {
	var p packed
	if err := json.Unmarshal(data, &p); err != nil {
		return time.Time{}, nil, err
	}
	values := make(map[string]any, len(p.Values))
	for key, value := range p.Values {
		values[key] = value
	}
	return p.Deadline, values, nil
}

// sessionStore is scs's view of the adapter.
type sessionStore struct{ sessions Sessions }

// FindCtx reads a session.
func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return s.sessions.Session(ctx, token)
}

// CommitCtx keeps a session, under the person who is signed in or signing in.
func (s sessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	var p packed
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	owner := p.Values[keyUID]
	if owner == "" {
		owner = p.Values[keyFlowUID]
	}
	uid, err := strconv.ParseInt(owner, 10, 64)
	if err != nil {
		uid = 0
	}
	epoch, err := strconv.ParseInt(p.Values[keyEpoch], 10, 64)
	if err != nil {
		epoch = adapter.AnyEpoch
	}
	return s.sessions.PutSession(ctx, token, uid, epoch, data, expiry)
}

// DeleteCtx ends a session.
func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	if token == "" {
		return nil
	}
	return s.sessions.EndSession(ctx, token)
}

// Find is FindCtx.
func (s sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx.
func (s sessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx.
func (s sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// Begin signs a person in and sets the cookie; for the mobile API, whose
// sessions may look but not change factors. What the person showed is the
// caller's to check. Nothing may have been written to w yet.
func (c *Console) Begin(w http.ResponseWriter, r *http.Request, person *adapter.Person, mobile bool) error {
	if old, err := r.Cookie(c.sessions.Cookie.Name); err == nil {
		if err := c.adapter.EndSession(r.Context(), old.Value); err != nil {
			return err
		}
	}
	ctx, err := c.sessions.Load(r.Context(), "")
	if err != nil {
		return err
	}
	c.sessions.Put(ctx, keyEpoch, strconv.FormatInt(person.Epoch, 10))
	c.enter(ctx, person.UID)
	if mobile {
		c.sessions.Put(ctx, keyMobile, "1")
	}
	token, expiry, err := c.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	c.sessions.WriteSessionCookie(ctx, w, token, expiry)
	return nil
}

// enter notes in a session who is signed in from now on.
func (c *Console) enter(ctx context.Context, uid int64) {
	now := strconv.FormatInt(c.now().Unix(), 10)
	c.sessions.Put(ctx, keyUID, strconv.FormatInt(uid, 10))
	c.sessions.Put(ctx, keyBegan, now)
	c.sessions.Put(ctx, keySeen, now)
	c.sessions.Remove(ctx, keyMobile)
	c.sessions.SetDeadline(ctx, c.now().Add(c.cfg.MaxAge).UTC())
}

// number reads a whole number from a session; 0 when there is none.
func (c *Console) number(ctx context.Context, key string) int64 {
	n, err := strconv.ParseInt(c.sessions.GetString(ctx, key), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// signedIn gives the person behind a session, nil when nobody is signed in or
// may be any longer; such a session is ended. Errors: Unavailable, Internal.
func (c *Console) signedIn(ctx context.Context) (*adapter.Person, error) {
	uid := c.number(ctx, keyUID)
	if uid == 0 {
		return nil, nil
	}
	now := c.now()
	began, seen := time.Unix(c.number(ctx, keyBegan), 0), time.Unix(c.number(ctx, keySeen), 0)
	if now.Sub(seen) > c.cfg.IdleTimeout || now.Sub(began) > c.cfg.MaxAge {
		return nil, c.sessions.Destroy(ctx)
	}
	person, err := c.adapter.Person(ctx, adapter.ByUID(uid))
	if err == nil {
		var status adapter.Status
		status, err = c.adapter.AccountStatus(ctx, adapter.ByUID(uid))
		if err == nil && !status.MaySignIn() {
			return nil, c.sessions.Destroy(ctx)
		}
	}
	if err != nil {
		if kind := adapter.KindOf(err); kind == adapter.NotFound || kind == adapter.Ambiguous {
			return nil, c.sessions.Destroy(ctx)
		}
		return nil, err
	}
	if now.Sub(seen) > min(time.Minute, c.cfg.IdleTimeout/10) {
		c.sessions.Put(ctx, keySeen, strconv.FormatInt(now.Unix(), 10))
	}
	return person, nil
}

// fresh tells whether the person showed everything that signing in asks for
// only a short while ago.
func (c *Console) fresh(ctx context.Context) bool {
	age := c.now().Sub(time.Unix(c.number(ctx, keyBegan), 0))
	return c.sessions.GetString(ctx, keyMobile) == "" && age <= c.cfg.FreshFor
}

func (c *Console) clearFlow(ctx context.Context) {
	for _, key := range flowKeys {
		c.sessions.Remove(ctx, key)
	}
}
