package people

import (
	"context"
	"net/http"
	"strconv"

	"portico/adapter"
	"portico/scim"
	"portico/scim/fault"
	"portico/scim/normal"
)

// Keys finds out who is behind a bearer token: it is an API key made for SCIM.
type Keys struct {
	Adapter *adapter.Adapter
	Profile normal.Profile // of keys that name none
	// Client tells where a request came from.
	Client func(context.Context) adapter.Client
}

// Authenticate is that of scim.Authenticator. A key that is not good is a 401.
func (k *Keys) Authenticate(ctx context.Context, token string, _ *http.Request) (*scim.Principal, error) {
	client := k.Client(ctx)
	caller, err := k.Adapter.KeyCaller(ctx, "scim", token, client)
	if adapter.KindOf(err) == adapter.Unauthenticated && err != nil {
		return nil, &fault.Error{Status: http.StatusUnauthorized, Detail: "the token is not good", Cause: err}
	}
	if err != nil {
		return nil, refusal(err, "")
	}
	return &scim.Principal{
		KeyID: caller.KeyID, Name: strconv.FormatInt(caller.KeyID, 10) + " " + caller.Label, Address: client.Address,
		Read: true, Write: !caller.ReadOnly, Password: !caller.ReadOnly, Profile: k.Profile,
	}, nil
}
