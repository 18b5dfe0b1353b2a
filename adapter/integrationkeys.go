package adapter

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"

	"portico/adapter/store"
)

// ConfiguredKey is an API key that stands in the configuration, as its hash.
type ConfiguredKey struct {
	Label  string
	Hash   [sha256.Size]byte // of the key without surrounding white space
	Only   []string          // what it may call; none: everything
	Emails *bool             // may list mail addresses; nil: as the global setting says
}

// IntegrationCaller is the holder of a key for members and teams.
type IntegrationCaller struct {
	Caller *Caller
	Emails bool // may list mail addresses
	only   []string
}

// May tells whether the caller may call a resource.
func (c *IntegrationCaller) May(resource string) bool {
	return len(c.only) == 0 || slices.Contains(c.only, resource)
}

// SetIntegrationKeys puts other keys in the place of those of the configuration,
// from the next call on.
func (a *Adapter) SetIntegrationKeys(keys []ConfiguredKey) { a.givenKeys.Store(&keys) }

func (a *Adapter) configuredKeys() []ConfiguredKey {
	if given := a.givenKeys.Load(); given != nil {
		return *given
	}
	return a.cfg.Integration.Keys
}

// IntegrationKeys is the number of keys that are good for members and teams.
func (a *Adapter) IntegrationKeys(ctx context.Context) (int, error) {
	configured := len(a.configuredKeys())
	stored, err := a.keyCount.load(ctx, version{store: a.keyChanges.Load()}, a.now(), a.lasting(snapshotAge), func(ctx context.Context) (int, error) {
		keys, err := a.store.ListKeys(ctx, "integration")
		if err != nil {
			return 0, fromStore(err, "key")
		}
		n := 0
		for _, k := range keys {
			if k.Usable("integration", a.now()) {
				n++
			}
		}
		return n, nil
	})
	return configured + stored, err
}

// IntegrationCaller finds the holder of a key for members and teams. White space
// around the key does not count. Every configured key is compared, in constant
// time. Error: Unauthenticated.
func (a *Adapter) IntegrationCaller(ctx context.Context, presented string, client Client) (*IntegrationCaller, error) {
	presented = strings.TrimSpace(presented)
	sum := sha256.Sum256([]byte(presented))
	var found *ConfiguredKey
	keys := a.configuredKeys()
	for i := range keys {
		k := &keys[i]
		if subtle.ConstantTimeCompare(k.Hash[:], sum[:]) == 1 && presented != "" {
			found = k
		}
	}
	if found != nil {
		c := &IntegrationCaller{
			Caller: &Caller{API: "integration", Label: found.Label, Enforced: true, Masked: maskKey(presented)},
			Emails: a.cfg.Integration.AllowEmail, only: found.Only,
		}
		if found.Emails != nil {
			c.Emails = *found.Emails
		}
		return c, nil
	}
	key, err := a.lookupKey(ctx, "integration", presented)
	switch {
	case err == nil:
		a.uses.note(key.ID, a.now())
		return &IntegrationCaller{Caller: callerOf(key, presented), Emails: a.cfg.Integration.AllowEmail}, nil
	case !errors.Is(err, store.ErrKeyRefused):
		return nil, fromStore(err, "key")
	}
	return nil, a.badKey(ctx, "integration", presented, err, client)
}

// badKey notes a key that opens nothing in the security log, at most once per
// address and interval of the gate, and gives the error.
func (a *Adapter) badKey(ctx context.Context, api, presented string, cause error, client Client) error {
	if a.gate.pass("key", client.Address) == 0 {
		refusal := "unknown"
		if r, ok := errors.AsType[*store.KeyRefusal](cause); ok {
			refusal = string(r.Reason)
		}
		if err := a.logEvent(ctx, EventAPIBadKey, 0, client, "API "+api+", key "+maskKey(presented)+": "+refusal); err != nil {
			return err
		}
	}
	return &Error{Kind: Unauthenticated, Field: "key"}
}
