package adapter

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"portico/adapter/store"
)

// SCIMScopes is what a key for SCIM may do.
type SCIMScopes struct {
	Read     bool
	Write    bool
	Password bool // set passwords, with Write
}

// SCIMCaller is the holder of a key for SCIM.
type SCIMCaller struct {
	Caller    *Caller
	Scopes    SCIMScopes
	Profile   string // see SCIMProfileNames
	Domain    string // provisioning domain whose external ids it sees; never ""
	Directory string // where it creates; "": the first that may be written
	Person    ID     // whom it stands for; zero: nobody
}

// By says who makes a change with the key.
func (c *SCIMCaller) By(client Client) By {
	return By{Client: client, Actor: c.Caller.Label, KeyID: c.Caller.KeyID}
}

// SCIMScopeNames are what keys for SCIM can be allowed.
func SCIMScopeNames() []string { return []string{"read", "write", "password"} }

// SCIMProfileNames are the ways in which requests of SCIM clients are read.
func SCIMProfileNames() []string { return []string{"lenient", "strict", "entra", "okta"} }

// DefaultDomain is the provisioning domain of keys that name none.
const DefaultDomain = "default"

// scimGrant checks what only keys for SCIM have.
func scimGrant(r KeyRequest) (store.Grant, error) {
	none := store.Grant{}
	if r.API != "scim" {
		if len(r.Scopes) > 0 || r.Profile+r.Domain+r.Directory != "" {
			return none, invalid("scope", "scope, profile, domain and directory are for keys of SCIM")
		}
		return none, nil
	}
	scopes := r.Scopes
	if len(scopes) == 0 {
		scopes = []string{"read", "write"}
	}
	for _, scope := range scopes {
		if !slices.Contains(SCIMScopeNames(), scope) {
			return none, invalid("scope", "%q is none of %s", scope, strings.Join(SCIMScopeNames(), ", "))
		}
	}
	if slices.Contains(scopes, "password") && !slices.Contains(scopes, "write") {
		return none, invalid("scope", "password needs write as well")
	}
	g := store.Grant{Profile: cmp.Or(r.Profile, "lenient"), Domain: cmp.Or(r.Domain, DefaultDomain), Directory: r.Directory}
	if !slices.Contains(SCIMProfileNames(), g.Profile) {
		return none, invalid("profile", "%q is none of %s", g.Profile, strings.Join(SCIMProfileNames(), ", "))
	}
	if len(g.Domain) > store.MaxDomain || strings.Trim(g.Domain, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return none, invalid("domain", "a domain is at most %d small letters, digits, dots and dashes", store.MaxDomain)
	}
	var sorted []string
	for _, name := range SCIMScopeNames() {
		if slices.Contains(scopes, name) {
			sorted = append(sorted, name)
		}
	}
	g.Scopes = strings.Join(sorted, ",")
	return g, nil
}

func scopeList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// SCIMKey finds the holder of a key for SCIM. Whatever is wrong with a key is
// Unauthenticated, all alike, and noted in the security log, at most once per
// address and interval of the gate. So is the key of a person who is gone or may
// not sign in. Errors: Unauthenticated, Unavailable.
func (a *Adapter) SCIMKey(ctx context.Context, token string, client Client) (*SCIMCaller, error) {
	key, err := a.lookupKey(ctx, "scim", token)
	if errors.Is(err, store.ErrKeyRefused) {
		return nil, a.badKey(ctx, "scim", token, err, client)
	}
	if err != nil {
		return nil, fromStore(err, "key")
	}
	scopes := scopeList(key.Scopes)
	c := &SCIMCaller{
		Caller: callerOf(key, token), Profile: cmp.Or(key.Profile, "lenient"), Domain: cmp.Or(key.Domain, DefaultDomain), Directory: key.Directory,
		Scopes: SCIMScopes{
			Read: slices.Contains(scopes, "read"), Write: slices.Contains(scopes, "write"), Password: slices.Contains(scopes, "password"),
		},
	}
	if key.User != 0 {
		if c.Person, err = a.keyHolder(ctx, key, token, client); err != nil {
			return nil, err
		}
	}
	a.uses.note(key.ID, a.now())
	return c, nil
}

// keyHolder is the person that a key stands for.
func (a *Adapter) keyHolder(ctx context.Context, key store.Key, token string, client Client) (ID, error) {
	entry, err := a.entry(ctx, ByUID(key.User))
	if err != nil && (KindOf(err) == NotFound || KindOf(err) == Ambiguous) {
		return ID{}, a.badKey(ctx, "scim", token, nil, client)
	}
	if err != nil {
		return ID{}, err
	}
	status, err := a.statusOf(ctx, entry)
	if err != nil {
		return ID{}, err
	}
	if !status.Active() {
		return ID{}, a.badKey(ctx, "scim", token, nil, client)
	}
	return entry.ID, nil
}
