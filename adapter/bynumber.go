package adapter

import (
	"context"

	"portico/adapter/store"
	"portico/directory"
)

// PeopleByUID finds many people by their numeric ids; who is gone from the
// directory is missing. Error: Unavailable.
func (a *Adapter) PeopleByUID(ctx context.Context, uids []int64) (map[int64]*Person, error) {
	entries := make([]*directory.Entry, 0, len(uids))
	asked := make(map[int64]bool, len(uids))
	for _, uid := range uids {
		if uid == 0 || asked[uid] {
			continue
		}
		asked[uid] = true
		entry, err := a.entry(ctx, ByUID(uid))
		switch KindOf(err) {
		case NotFound, Ambiguous:
			continue
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	people, err := a.people(ctx, entries)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]*Person, len(people))
	for _, p := range people {
		found[p.UID] = p
	}
	return found, nil
}

// Record makes a record of the security log: what happened to whom (0: nobody),
// who did it, from where, and a text without secrets.
func Record(event EventType, uid int64, by string, client Client, text string) store.Record {
	return record(event, uid, by, client, text)
}

// WakeMail makes the outbox look for mail that was queued beside QueueMail.
func (a *Adapter) WakeMail() {
	select {
	case a.mailQueued <- struct{}{}:
	default:
	}
}

// FromStore turns an error of the store into one of the kinds; what names the
// thing that was asked for.
func FromStore(err error, what string) error { return fromStore(err, what) }

// ComposeLetter makes the message of a letter, for those who store it together
// with what it tells of. Errors: as QueueLetter.
func (a *Adapter) ComposeLetter(l Letter) (store.Message, error) { return a.compose(l) }

// ByIdentity asks for the person with that permanent id in that directory.
func ByIdentity(dir, stable string) PersonKey {
	return ByID(directory.ID{Directory: dir, Stable: stable})
}
