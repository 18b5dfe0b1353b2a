package adapter

import (
	"context"

	"portico/adapter/store"
)

// maxEventText bounds the text of an event, in bytes.
const maxEventText = 255

// logEvent appends to the security log and returns when the record is durable.
// An error means that what was to be recorded must not happen.
func (a *Adapter) logEvent(ctx context.Context, event EventType, uid int64, client Client, text string) error {
	if len(text) > maxEventText {
		text = text[:maxEventText]
	}
	err := a.store.Append(ctx, store.Record{
		Type: int(event), UID: uid, Address: client.Address, RequestID: client.RequestID, Text: text,
	})
	if err != nil {
		return &Error{Kind: Internal, Field: "security log", Cause: err}
	}
	return nil
}
