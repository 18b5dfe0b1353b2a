package adapter

import (
	"context"
	"strings"
	"time"

	"portico/adapter/store"
)

// EventFilter picks events of the security log. The zero value is the oldest hundred.
type EventFilter struct {
	Types  []EventType
	Person PersonKey // zero: anybody
	Since  time.Time
	Until  time.Time
	Text   string // in text, address or request id
	Limit  int
	After  int64 // go on after the event with this number
	Newest bool  // newest first
}

// Events reads the security log. That it was read is itself recorded; by says
// who did. Errors: NotFound "user".
func (a *Adapter) Events(ctx context.Context, f EventFilter, by string) ([]Event, error) {
	filter := store.RecordFilter{
		Since: f.Since, Until: f.Until, Text: f.Text, Limit: f.Limit, After: f.After, Newest: f.Newest,
	}
	for _, t := range f.Types {
		filter.Types = append(filter.Types, int(t))
	}
	if f.Person != (PersonKey{}) {
		person, err := a.Person(ctx, f.Person)
		if err != nil {
			return nil, err
		}
		filter.UID = person.UID
	}
	records, err := a.store.ListRecords(ctx, filter)
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
	return events, a.logEvent(ctx, EventLogRead, filter.UID, Client{}, "security log read by "+by)
}

// VerifyLog checks the keyed chain of the whole security log and gives the
// number of records. An error names the first record that was changed; anchors
// are lines "anchor" of the program's log, which show a log that was cut off.
func (a *Adapter) VerifyLog(ctx context.Context, anchors []string) (int64, error) {
	parsed := make([]store.Anchor, 0, len(anchors))
	for _, text := range anchors {
		anchor, err := store.ParseAnchor(strings.TrimSpace(text))
		if err != nil {
			return 0, invalid("anchor", "%q is not an anchor", text)
		}
		parsed = append(parsed, anchor)
	}
	verified, err := a.store.Verify(ctx, parsed...)
	return verified.Records, err
}

// MailInfo is a mail in the outbox as lists show it, without its content.
type MailInfo struct {
	ID        int64      `json:"id"`
	Subject   string     `json:"subject"`
	State     string     `json:"state"` // waiting | sent | dead
	Attempts  int        `json:"attempts"`
	Created   time.Time  `json:"created"`
	Due       *time.Time `json:"due,omitempty"` // next attempt, while waiting
	Ended     *time.Time `json:"ended,omitempty"`
	LastError string     `json:"last_error,omitempty"`
}

// ListMail lists the outbox, newest first; state "" is all.
func (a *Adapter) ListMail(ctx context.Context, state string, limit int) ([]MailInfo, error) {
	mails, err := a.store.ListMail(ctx, store.MailState(state), limit)
	if err != nil {
		return nil, fromStore(err, "mail")
	}
	list := make([]MailInfo, len(mails))
	for i, m := range mails {
		list[i] = MailInfo{
			ID: m.ID, Subject: m.Subject, State: string(m.State), Attempts: m.Attempts,
			Created: m.Created, Ended: optional(m.Ended), LastError: m.LastError,
		}
		if m.State == store.MailWaiting {
			list[i].Due = optional(m.Due)
		}
	}
	return list, nil
}

// RetryMail makes a waiting or dead mail due now. Error: NotFound "mail".
func (a *Adapter) RetryMail(ctx context.Context, id int64) error {
	return fromStore(a.store.ReleaseMail(ctx, id), "mail")
}
