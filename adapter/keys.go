package adapter

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"portico/adapter/store"
)

// keyHash names a presented key in the cache without keeping it.
type keyHash [sha256.Size]byte

// KeyCaller finds the holder of an API key that was presented to an API. A key
// that is unknown, revoked, expired or made for another API is Unauthenticated,
// all alike, and written to the security log; another such attempt from the same
// address within the gate's interval is Throttled instead.
func (a *Adapter) KeyCaller(ctx context.Context, api, presented string, client Client) (*Caller, error) {
	key, err := a.lookupKey(ctx, api, presented)
	switch {
	case err == nil:
		a.uses.note(key.ID, a.now())
		return callerOf(key, presented), nil
	case !errors.Is(err, store.ErrKeyRefused):
		return nil, fromStore(err, "key")
	}
	if wait := a.gate.pass("key", client.Address); wait > 0 {
		return nil, &Error{Kind: Throttled, RetryAfter: wait}
	}
	refusal := "unknown"
	if r, ok := errors.AsType[*store.KeyRefusal](err); ok {
		refusal = string(r.Reason)
	}
	if err := a.logEvent(ctx, EventAPIBadKey, 0, client, "API "+api+", key "+maskKey(presented)+": "+refusal); err != nil {
		return nil, err
	}
	return nil, &Error{Kind: Unauthenticated, Field: "key"}
}

func (a *Adapter) lookupKey(ctx context.Context, api, presented string) (store.Key, error) {
	read := func() (store.Key, error) { return a.store.LookupKey(ctx, api, presented) }
	if !a.store.Live() {
		return read()
	}
	name := keyHash(sha256.Sum256([]byte(api + "\x00" + presented)))
	key, err := a.keys.Load(name, read)
	if err == nil && !key.Expires.IsZero() && !a.now().Before(key.Expires) {
		a.keys.Drop(name)
		return read()
	}
	return key, err
}

func callerOf(key store.Key, presented string) *Caller {
	return &Caller{
		KeyID: key.ID, API: key.API, Label: key.Label, Level: ParseLevel(key.Level),
		Enforced: key.Enforced, Masked: maskKey(presented),
		Org: key.Org, Units: unitList(key.Units), ReadOnly: key.Level == LevelRead.String(),
	}
}

// unitList reads the units of a key as stored.
func unitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// maskKey keeps the first and last two characters of a key that is long enough
// to spare them.
func maskKey(key string) string {
	if len(key) < 12 {
		return "****"
	}
	return key[:2] + "****" + key[len(key)-2:]
}

// LevelNames are the names of the levels, lowest first.
func LevelNames() []string { return []string{"none", "auth", "read", "full"} }

// ParseLevel reads the name of a level; anything else is LevelNone.
func ParseLevel(name string) Level {
	for i, n := range LevelNames() {
		if n == name {
			return Level(i)
		}
	}
	return LevelNone
}

// String gives the name of the level.
func (l Level) String() string {
	if names := LevelNames(); int(l) < len(names) {
		return names[l]
	}
	return "unknown"
}

// keyUses remembers when keys were last used until that is written down.
type keyUses struct {
	mu   sync.Mutex
	last map[int64]time.Time // bounded by the number of keys there are
}

func newKeyUses() *keyUses { return &keyUses{last: map[int64]time.Time{}} }

func (u *keyUses) note(id int64, now time.Time) {
	u.mu.Lock()
	u.last[id] = now
	u.mu.Unlock()
}

func (u *keyUses) take() map[int64]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := maps.Clone(u.last)
	clear(u.last)
	return taken
}

func (a *Adapter) writeKeyUses(ctx context.Context) {
	used := a.uses.take()
	if len(used) == 0 {
		return
	}
	if err := a.store.TouchKeys(ctx, used); err != nil {
		a.log.WarnContext(ctx, "the last use of API keys was not written down", "keys", len(used), "error", err)
	}
}

// KeyRefused notes in the security log that a valid key was too weak for what
// it was used for.
func (a *Adapter) KeyRefused(ctx context.Context, caller *Caller, client Client, action string) error {
	return a.logEvent(ctx, EventAPIBadKey, 0, client,
		"API "+caller.API+", key "+caller.Masked+": level "+caller.Level.String()+" is too low for "+action)
}
