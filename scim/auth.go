package scim

import (
	"context"
	"errors"
	"net/http"

	"portico/adapter"
	"portico/scim/fault"
	"portico/scim/normal"
)

// Keys finds the holders of keys.
type Keys interface {
	SCIMKey(ctx context.Context, token string, client adapter.Client) (*adapter.SCIMCaller, error)
}

// KeyAuth is an Authenticator whose tokens are the API keys for SCIM.
type KeyAuth struct {
	Keys Keys
	// Client says where a request came from.
	Client func(*http.Request) adapter.Client
}

// Authenticate finds out whose key a request came with: 401 for one that is not
// good, 503 while that cannot be known.
func (a *KeyAuth) Authenticate(ctx context.Context, token string, r *http.Request) (*Principal, error) {
	client := a.Client(r)
	c, err := a.Keys.SCIMKey(ctx, token, client)
	switch {
	case err == nil:
	case adapter.KindOf(err) == adapter.Unauthenticated:
		return nil, &fault.Error{Status: http.StatusUnauthorized, Detail: "the bearer token is not good"}
	case adapter.KindOf(err) == adapter.Throttled || adapter.KindOf(err) == adapter.Unavailable:
		refused := &fault.Error{Status: http.StatusServiceUnavailable, Detail: "the token cannot be checked at the moment"}
		if e, ok := errors.AsType[*adapter.Error](err); ok {
			refused.RetryAfter = e.RetryAfter
		}
		return nil, refused
	default:
		return nil, err
	}
	profile, err := normal.ParseProfile(c.Profile)
	if err != nil {
		return nil, err
	}
	return &Principal{
		KeyID: c.Caller.KeyID, Address: client.Address, Name: c.Caller.Label + "/" + c.Domain, Read: c.Scopes.Read, Write: c.Scopes.Write, Password: c.Scopes.Password,
		Domain: c.Domain, Directory: c.Directory, Profile: profile, PersonID: c.Person.Stable,
	}, nil
}
