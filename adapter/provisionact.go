package adapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// afterwards bounds what follows a change in the store: it is done whatever
// becomes of the caller.
const afterwards = 15 * time.Second

const (
	intentLease  = 15 * time.Second
	intentRenew  = 5 * time.Second
	intentsAOnce = 20
)

// act is one change with its trace in the store.
type act struct {
	a      *Adapter
	intent store.Intent
	by     By
	extras *ExtraChange // what follows in stored attributes
	made   string       // permanent id of the new entry, once it is there
	id     int64        // of the intent, once it is stored
}

// begun notes the entry that this change makes: should the process die before it
// is complete, it is taken away.
func (x *act) begun(ctx context.Context, id directory.ID) error {
	return fromStore(x.a.store.MarkIntent(ctx, x.id, id.Stable), "changes")
}

func (a *Adapter) newAct(kind string, by By) *act {
	return &act{a: a, by: by, intent: store.Intent{
		Kind: kind, Actor: by.Actor, KeyID: by.KeyID, Address: by.Client.Address, RequestID: by.Client.RequestID,
	}}
}

// about says which entry it is, as it was before.
func (x *act) about(e *directory.Entry, uid int64) {
	x.intent.UID, x.intent.Directory, x.intent.Stable = uid, e.ID.Directory, e.ID.Stable
	x.intent.DN, x.intent.Name, x.intent.Group = e.DN, e.Name, e.Kind == directory.KindGroup
	x.intent.Version = e.Version
}

// run makes a change between the intent and its end. A change without a kind
// leaves none: nothing here depends on it but its record. do says what follows
// locally; its error is that of the directory.
func (x *act) run(ctx context.Context, do func(context.Context) (store.Aftermath, []store.Record, error)) error {
	if !x.extras.empty() {
		x.intent.Extras = x.extras.stored()
		x.intent.Kind = cmp.Or(x.intent.Kind, store.IntentEdit)
	}
	if x.intent.Kind == "" {
		if err := x.a.stillGood(ctx, x.by); err != nil {
			return err
		}
		_, notes, err := do(ctx)
		if err != nil {
			return err
		}
		later, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
		defer cancel()
		return fromStore(x.a.store.Append(later, notes...), "security log")
	}
	id, err := x.begin(ctx)
	if err != nil {
		return err
	}
	x.id = id
	x.a.acts.Add(1)
	defer x.a.acts.Add(-1)
	then, notes, err := do(ctx)
	later, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	switch {
	case err == nil:
		end := store.Ending{Then: then, Done: true, Made: x.made, Gone: x.intent.Kind == store.IntentDelete}
		return fromStore(x.a.store.EndIntent(later, id, end, notes...), "security log")
	case directory.WriteFaultOf(err) == directory.WriteUnknown:
		// What came of it is found out by mendOne, which asks the directory.
		return errors.Join(err, x.a.store.ReleaseIntent(later, id))
	}
	return errors.Join(err, x.a.store.EndIntent(later, id, store.Ending{}))
}

func (x *act) begin(ctx context.Context) (int64, error) {
	limit := max(x.a.cfg.ClosingLimit, 0)
	id, err := x.a.store.BeginIntent(ctx, x.intent, x.a.process, intentLease, limit, time.Minute)
	if errors.Is(err, store.ErrConflict) && x.a.freeExternalID(ctx, x.intent.Extras, x.intent.Group) {
		id, err = x.a.store.BeginIntent(ctx, x.intent, x.a.process, intentLease, limit, time.Minute)
	}
	if errors.Is(err, store.ErrKeyRefused) {
		return 0, &Error{Kind: Unauthenticated, Field: "key", Cause: err}
	}
	if !errors.Is(err, store.ErrExhausted) {
		return id, fromExtras(err)
	}
	x.a.log.ErrorContext(ctx, "ALERT: a caller disables or deletes too many people at once and is slowed down; look whether it should",
		"actor", x.by.Actor, "limit_per_minute", limit)
	text := fmt.Sprintf("refused: more than %d accounts disabled or deleted in a minute", limit)
	if err := x.a.wrote(ctx, EventClosingRefused, x.by, text); err != nil {
		return 0, err
	}
	return 0, &Error{Kind: Throttled, RetryAfter: time.Minute}
}

// stillGood refuses a change whose key ended since the request was let in.
func (a *Adapter) stillGood(ctx context.Context, by By) error {
	if by.KeyID == 0 {
		return nil
	}
	key, err := a.store.Key(ctx, by.KeyID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !key.Usable(key.API, a.now()) {
		return &Error{Kind: Unauthenticated, Field: "key", Cause: err}
	}
	return fromStore(err, "key")
}

// fromWrite turns the errors of changes into kinds. what names the entry.
func (a *Adapter) fromWrite(ctx context.Context, err error, what string) error {
	var e *directory.WriteError
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok || !errors.As(err, &e) {
		return err
	}
	out := &Error{Field: e.Attribute, Cause: err}
	switch e.Fault {
	case directory.WriteExists:
		out.Kind = Conflict
		if out.Field == "" {
			out.Field = what
		}
	case directory.WriteNotFound:
		out.Kind = NotFound
		if out.Field == "" {
			out.Field = what
		}
	case directory.WriteStale:
		out.Kind, out.Field = Conflict, FieldVersion
	case directory.WriteReadOnly:
		out.Kind, out.Field, out.Text = Denied, FieldReadOnly, "this directory is read-only"
	case directory.WriteDenied:
		out.Kind, out.Text = Denied, "the directory does not allow this change"
	case directory.WriteInvalid:
		out.Kind, out.Text = Invalid, "the directory cannot store this value"
	case directory.WritePassword:
		out.Kind, out.Field, out.Text = Invalid, FieldPassword, "the password does not meet the directory's rules"
		if refusal, ok := errors.AsType[*directory.PasswordError](err); ok {
			out.Text = faultText(refusal.Fault)
		}
	case directory.WriteNotLeaf:
		out.Kind, out.Field, out.Text = Conflict, what, "other entries hang below this one"
	case directory.WriteUnavailable, directory.WriteUnknown:
		out.Kind, out.RetryAfter = Unavailable, 5*time.Second
	case directory.WriteMisconfigured:
		out.Kind, out.Text = Denied, "the directory is not set up for this change"
	default:
		out.Kind = Internal
	}
	if out.Kind != Conflict && out.Kind != NotFound && out.Kind != Invalid {
		a.log.WarnContext(ctx, "the directory was not changed", "what", what, "error", err)
	}
	return out
}
