package adapter

import (
	"context"
	"strconv"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/cache"
)

// personal is the part of the adapter that serves what is stored of people:
// factors, codes, permissions, relations, notifications.
type personal struct {
	slow          *slowHash
	permissions   *cache.Cache[int64, []string]        // codes, by uid
	relations     *cache.Cache[int64, store.Relations] // by uid
	notifications *cache.Cache[int64, []Notification]  // short lists only, by uid
}

func newPersonal(cfg Config) personal {
	return personal{
		slow:          newSlowHash(cfg.SlowHashes),
		permissions:   cache.New[int64, []string](cfg.CacheSize),
		relations:     cache.New[int64, store.Relations](cfg.CacheSize),
		notifications: cache.New[int64, []Notification](max(1, cfg.CacheSize/10)),
	}
}

// personalChanged forgets what a change in the store touches.
func (p *personal) personalChanged(c store.Change) {
	switch {
	case c.All:
		p.permissions.Purge()
		p.relations.Purge()
		p.notifications.Purge()
	case c.Table == store.TablePermissions:
		p.permissions.Drop(c.ID)
	case c.Table == store.TableManagers:
		p.relations.Drop(c.ID)
	case c.Table == store.TableNotifications:
		p.notifications.Drop(c.ID)
	}
}

// known finds a person's entry and numeric id. Errors: NotFound "user",
// Ambiguous, Unavailable.
func (a *Adapter) known(ctx context.Context, key PersonKey) (*directory.Entry, int64, error) {
	entry, err := a.entry(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	uids, err := a.numbersOf(ctx, personNumber, []*directory.Entry{entry})
	if err != nil {
		return nil, 0, err
	}
	return entry, uids[0], nil
}

// uidOf is known for those who need no more than the number.
func (a *Adapter) uidOf(ctx context.Context, key PersonKey) (int64, error) {
	_, uid, err := a.known(ctx, key)
	return uid, err
}

// mayEnter tells whether a person may sign in at this moment.
func (a *Adapter) mayEnter(ctx context.Context, entry *directory.Entry) (bool, error) {
	status, err := a.statusOf(ctx, entry)
	return status.MaySignIn(), err
}

// record makes a record for the security log that is stored together with the
// change it tells of. by is who did it, "" for the person.
func record(event EventType, uid int64, by string, client Client, text string) store.Record {
	return store.Record{
		Type: int(event), UID: uid, Actor: by, Address: client.Address, RequestID: client.RequestID, Text: clip(text),
	}
}

// clip bounds the text of an event.
func clip(text string) string {
	if len(text) > maxEventText {
		return text[:maxEventText]
	}
	return text
}

// ClearFailures ends the waiting that wrong passwords, PINs and authentication
// codes have brought upon a person. Errors: NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) ClearFailures(ctx context.Context, key PersonKey, by string, client Client) error {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return err
	}
	record := record(EventUserEdited, uid, by, client, "failure counters cleared")
	if err := a.store.Append(ctx, record); err != nil {
		return fromStore(err, "security log")
	}
	if err := a.store.Clear(ctx, passwordBucket(uid)); err != nil {
		return fromStore(err, "user")
	}
	for _, kind := range []guessKind{guessPIN, guessTOTP} {
		if err := a.guessedRight(ctx, kind, uid); err != nil {
			return err
		}
	}
	return nil
}

// ForgetPerson deletes what is stored of a person who is not to come back: PIN,
// TOTP, app passwords, codes, permissions, local relations and notifications;
// the person's API keys are revoked. The numeric id and the status set here
// stay. The person need not be in the directory any more. Errors: NotFound "user".
func (a *Adapter) ForgetPerson(ctx context.Context, uid int64, by string, client Client) error {
	err := a.store.ForgetPerson(ctx, uid, record(EventUserRemoved, uid, by, client, "local data deleted"))
	return fromStore(err, "user")
}

// shown names the person asked for in the security log.
func (k PersonKey) shown() string {
	switch {
	case k.username != "":
		return directory.FoldName(k.username)
	case k.uid != 0:
		return "number " + strconv.FormatInt(k.uid, 10)
	default:
		return k.id.String()
	}
}
