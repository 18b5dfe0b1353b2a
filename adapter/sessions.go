package adapter

import (
	"context"
	"errors"
	"time"

	"portico/adapter/store"
)

// AnyEpoch is for sessions that were begun before epochs were counted.
const AnyEpoch = store.AnyEpoch

// Session reads what PutSession kept of a browser's session; false when there is
// none, or it ran out or was ended. Error: Internal.
func (a *Adapter) Session(ctx context.Context, token string) ([]byte, bool, error) {
	data, err := a.store.Session(ctx, token)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrUnreadable) {
		return nil, false, nil
	}
	return data, err == nil, fromStore(err, "session")
}

// PutSession keeps a browser's session until expires; uid is whose it is, 0 for
// nobody yet, and epoch is Person.Epoch as it was when the person was let in, AnyEpoch
// where that is not known. One that was ended stays ended; so does one of an epoch
// that is over. Errors: Invalid, Internal.
func (a *Adapter) PutSession(ctx context.Context, token string, uid, epoch int64, data []byte, expires time.Time) error {
	return fromStore(a.store.PutSession(ctx, token, uid, epoch, data, expires), "session")
}

// EndSession ends one session. One that is not there is no error.
func (a *Adapter) EndSession(ctx context.Context, token string) error {
	return fromStore(a.store.EndSession(ctx, token), "session")
}

// EndSessions ends all sessions of a person, in every browser; why is for the
// security log.
func (a *Adapter) EndSessions(ctx context.Context, uid int64, client Client, why string) error {
	_, err := a.store.EndSessions(ctx, uid, record(EventLogout, uid, "", client, why))
	return fromStore(err, "session")
}

// SignedOut notes in the security log that a person left.
func (a *Adapter) SignedOut(ctx context.Context, uid int64, client Client) error {
	return a.logEvent(ctx, EventLogout, uid, client, "signed out")
}

// History lists what the security log has about a person, newest first, at most
// limit events. Errors: NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) History(ctx context.Context, key PersonKey, limit int) ([]Event, error) {
	person, err := a.Person(ctx, key)
	if err != nil {
		return nil, err
	}
	records, err := a.store.ListRecords(ctx, store.RecordFilter{UID: person.UID, Newest: true, Limit: limit})
	if err != nil {
		return nil, fromStore(err, "security log")
	}
	events := make([]Event, len(records))
	for i, r := range records {
		events[i] = Event{
			ID: r.Seq, Time: r.At, Type: EventType(r.Type), UID: r.UID,
			Address: r.Address, RequestID: r.RequestID, Text: r.Text,
		}
	}
	return events, nil
}
