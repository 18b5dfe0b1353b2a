package adapter

import (
	"context"
	"slices"
	"strings"
	"time"

	"portico/adapter/store"
)

// APINames are the APIs that a key can be made for.
func APINames() []string {
	return []string{"action", "integration", "usermanagement", "collaboration", "scim"}
}

// KeyRequest asks for a new API key.
type KeyRequest struct {
	API     string
	Level   string        // action: see LevelNames; "" is "full"
	Label   string        // for people, required
	Expires time.Duration // 0: never
	Value   string        // an existing key of another system; "": make one
	// Lenient leaves the level unenforced: what is above it is logged, not refused.
	Lenient bool
	User    PersonKey // the person it stands for; zero: none
	// Org is the short name of the organisation that the key is good for, Units the
	// organisation's units that it is limited to (none: all), ReadOnly lets it change
	// nothing: API collaboration, which needs an organisation.
	Org      string
	Units    []string
	ReadOnly bool
	// The rest is for API scim. Scopes: see SCIMScopeNames; none: read and write.
	// Profile says how requests are read, see SCIMProfileNames; "" is lenient.
	// Domain is the provisioning domain whose external ids the key sees; "" is
	// "default". Directory is where it creates; "": the first that may be written.
	Scopes    []string
	Profile   string
	Domain    string
	Directory string
}

// KeyInfo is an API key as lists show it. The key itself is known only to its
// holder.
type KeyInfo struct {
	ID       int64      `json:"id"`
	API      string     `json:"api"`
	Level    string     `json:"level"`
	Label    string     `json:"label"`
	Enforced bool       `json:"enforced"`
	UID      int64      `json:"uid,omitempty"`
	Org      string     `json:"org,omitempty"`
	Units    []string   `json:"units,omitempty"`
	Scopes   []string   `json:"scopes,omitempty"`
	Profile  string     `json:"profile,omitempty"`
	Domain   string     `json:"domain,omitempty"`
	Into     string     `json:"directory,omitempty"` // where it creates
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires"`
	Revoked  *time.Time `json:"revoked"`
	LastUsed *time.Time `json:"last_used"`
}

// CreateKey makes an API key, or takes over an existing one, and gives it in
// plain: it cannot be shown again. Errors: Invalid with the field, Conflict
// "value", NotFound "user".
func (a *Adapter) CreateKey(ctx context.Context, r KeyRequest) (KeyInfo, string, error) {
	n, err := a.newKey(ctx, r)
	if err != nil {
		return KeyInfo{}, "", err
	}
	key, plain, err := a.store.CreateKey(ctx, n, func(plain string) store.Record {
		return record(EventKeyCreated, n.User, "", Client{}, "key "+maskKey(plain)+" for "+r.API+": "+r.Label)
	})
	if err != nil {
		return KeyInfo{}, "", fromStore(err, "value")
	}
	return keyInfo(key), plain, nil
}

func (a *Adapter) newKey(ctx context.Context, r KeyRequest) (store.NewKey, error) {
	none := store.NewKey{}
	if !slices.Contains(APINames(), r.API) {
		return none, invalid("api", "%q is none of %s", r.API, strings.Join(APINames(), ", "))
	}
	if strings.TrimSpace(r.Label) == "" || len(r.Label) > 200 {
		return none, invalid("label", "a label of 1 to 200 characters says who uses the key")
	}
	if r.Level == "" {
		r.Level = LevelFull.String()
	}
	if r.API == "action" && !slices.Contains(LevelNames(), r.Level) {
		return none, invalid("level", "%q is none of %s", r.Level, strings.Join(LevelNames(), ", "))
	}
	n := store.NewKey{
		API: r.API, Level: r.Level, Label: r.Label, Enforced: !r.Lenient, Org: r.Org, Units: strings.Join(r.Units, "\n"), Value: r.Value,
	}
	err := a.checkOrgKey(ctx, r)
	if err != nil {
		return none, err
	}
	if n.Grant, err = scimGrant(r); err != nil {
		return none, err
	}
	if r.ReadOnly {
		n.Level = LevelRead.String()
	}
	if r.Expires < 0 {
		return none, invalid("expires", "the time must lie ahead")
	}
	if r.Expires > 0 {
		n.Expires = a.now().Add(r.Expires)
	}
	if r.User != (PersonKey{}) {
		person, err := a.Person(ctx, r.User)
		if err != nil {
			return none, err
		}
		n.User = person.UID
	}
	return n, nil
}

// ListKeys gives the keys of one API, or of all for "", oldest first.
func (a *Adapter) ListKeys(ctx context.Context, api string) ([]KeyInfo, error) {
	keys, err := a.store.ListKeys(ctx, api)
	if err != nil {
		return nil, fromStore(err, "key")
	}
	list := make([]KeyInfo, len(keys))
	for i, k := range keys {
		list[i] = keyInfo(k)
	}
	return list, nil
}

// RevokeKey ends a key at once, in every process. Error: NotFound "key".
func (a *Adapter) RevokeKey(ctx context.Context, id int64) error {
	key, err := a.store.Key(ctx, id)
	if err != nil {
		return fromStore(err, "key")
	}
	err = a.store.RevokeKey(ctx, id, record(EventKeyRevoked, key.User, "", Client{}, "key "+key.Label+" for "+key.API))
	return fromStore(err, "key")
}

func keyInfo(k store.Key) KeyInfo {
	return KeyInfo{
		ID: k.ID, API: k.API, Level: k.Level, Label: k.Label, Enforced: k.Enforced, UID: k.User, Org: k.Org, Units: unitList(k.Units),
		Scopes: scopeList(k.Scopes), Profile: k.Profile, Domain: k.Domain, Into: k.Directory,
		Created: k.Created, Expires: optional(k.Expires), Revoked: optional(k.Revoked), LastUsed: optional(k.LastUsed),
	}
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// checkOrgKey checks what only keys of the collaboration API have.
func (a *Adapter) checkOrgKey(ctx context.Context, r KeyRequest) error {
	if r.API != "collaboration" {
		if len(r.Units) > 0 || r.ReadOnly {
			return invalid("units", "units and read-only are for keys of the collaboration API")
		}
		return nil
	}
	if r.Org == "" {
		return invalid("org", "a key of the collaboration API is for one organisation; see \"portico org list\"")
	}
	var org store.Org
	err := a.store.CollabRead(ctx, "organisation", func(ctx context.Context, c *store.CollabTx) (err error) {
		org, err = c.Org(ctx, r.Org)
		return err
	})
	if err != nil {
		return fromStore(err, "org")
	}
	for _, unit := range r.Units {
		if !slices.Contains(org.Settings.Units, unit) {
			return invalid("units", "the organisation has no unit %q", unit)
		}
	}
	return nil
}
