package adapter

import (
	"context"
	"errors"
	"time"

	"portico/adapter/store"
	"portico/directory"
)

// runWrites keeps the changes of this process its own, and finds out what became
// of those whose process died, or whose outcome the directory did not tell.
func (a *Adapter) runWrites(ctx context.Context) {
	if a.writes == nil {
		return
	}
	tick := time.NewTicker(intentRenew)
	defer tick.Stop()
	for {
		if a.acts.Load() > 0 {
			if err := a.store.RenewIntents(ctx, a.process, intentLease); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "changes under way could not be marked as this process's own", "error", err)
			}
		}
		if err := a.Mend(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "changes with an unknown outcome could not all be looked into; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Mend looks once for changes whose process died between the directory and the
// local database, or whose outcome was not told, asks the directory what came of
// them, and does the local part. Several processes share the work.
func (a *Adapter) Mend(ctx context.Context) error {
	list, err := a.store.ClaimIntents(ctx, a.process, intentLease, intentsAOnce)
	if err != nil {
		return fromStore(err, "changes")
	}
	var all error
	for _, i := range list {
		if err := a.mendOne(ctx, i); err != nil {
			all = errors.Join(all, err)
		}
	}
	return all
}

// mendOne ends one intent. Until the directory answers, it stays.
func (a *Adapter) mendOne(ctx context.Context, i store.Intent) error {
	if i.Kind == store.IntentCreate && i.Stable != "" {
		return a.mendHalfMade(ctx, i)
	}
	id := directory.ID{Directory: i.Directory, Stable: i.Stable}
	var entry *directory.Entry
	var err error
	switch {
	case i.Kind == store.IntentCreate && i.Group:
		entry, err = a.groupNamed(ctx, i.Directory, i.Name)
	case i.Kind == store.IntentCreate, i.Kind == store.IntentAdmit:
		entry, err = a.dir.PersonByLogin(ctx, i.Name)
	default:
		entry, err = a.writes.Reread(ctx, id, i.DN, i.Name)
	}
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrAmbiguous) {
		entry, err = nil, nil
	}
	if err != nil {
		return err
	}
	if i.Kind == store.IntentAdmit && entry != nil {
		if entry, err = a.takeBackHalf(ctx, i, entry); err != nil {
			return err
		}
	}
	if i.Kind == store.IntentDelete && entry != nil {
		// It may have lost references already: what was begun is finished.
		if err := a.writes.Delete(ctx, id, ""); err == nil {
			entry = nil
		} else if f := directory.WriteFaultOf(err); f == directory.WriteUnavailable || f == directory.WriteUnknown {
			return err
		}
	}
	then, event, text := a.verdictOn(ctx, i, entry)
	end := store.Ending{Then: then, Done: wasDone(i, entry), Gone: i.Kind != store.IntentCreate && entry == nil}
	if i.Kind == store.IntentCreate && entry != nil {
		end.Made = entry.ID.Stable
	}
	if i.Kind == store.IntentCreate && entry != nil && !i.Group {
		uids, err := a.numbersOf(ctx, personNumber, []*directory.Entry{entry})
		if err != nil {
			return err
		}
		i.UID = uids[0]
	}
	a.log.InfoContext(ctx, "a change that was cut short was looked into", "change", i.Kind, "id", id.String(), "actor", i.Actor, "found", text)
	note := record(event, i.UID, i.Actor, Client{Address: i.Address, RequestID: i.RequestID}, text)
	return fromStore(a.store.EndIntent(ctx, i.ID, end, note), "changes")
}

// mendHalfMade takes away an entry that may lack its password or members: whoever
// asked for it was not told that it was made.
func (a *Adapter) mendHalfMade(ctx context.Context, i store.Intent) error {
	what := "user "
	event := EventUserEdited
	if i.Group {
		what, event = "group ", EventGroupEdited
	}
	var text string
	err := a.writes.Delete(ctx, directory.ID{Directory: i.Directory, Stable: i.Stable}, "")
	switch f := directory.WriteFaultOf(err); {
	case err == nil, f == directory.WriteNotFound:
		text = what + i.Name + ": adding was cut short; what was made was taken away again"
	case f == directory.WriteUnavailable, f == directory.WriteUnknown:
		return err
	default:
		a.log.ErrorContext(ctx, "a new entry is not complete and could not be deleted again; delete it",
			"directory", i.Directory, "name", i.Name, "id", i.Stable, "error", err)
		text = what + i.Name + ": adding was cut short; the entry is not complete and could not be deleted"
	}
	a.log.InfoContext(ctx, "a change that was cut short was looked into", "change", i.Kind, "name", i.Name, "actor", i.Actor, "found", text)
	note := record(event, i.UID, i.Actor, Client{Address: i.Address, RequestID: i.RequestID}, text)
	return fromStore(a.store.EndIntent(ctx, i.ID, store.Ending{}, note), "changes")
}

// verdictOn says what came of a change, going by the entry as it is now, nil for
// gone.
func (a *Adapter) verdictOn(ctx context.Context, i store.Intent, entry *directory.Entry) (store.Aftermath, EventType, string) {
	who, edited, removed := "user "+i.Name, EventUserEdited, EventUserRemoved
	if i.Group {
		who, edited, removed = "group "+i.Name, EventGroupEdited, EventGroupRemoved
	}
	const late = ", found out afterwards"
	switch {
	case (i.Kind == store.IntentCreate || i.Kind == store.IntentAdmit) && entry == nil:
		return store.LeaveAlone, edited, who + ": adding was cut short, nobody was added" + late
	case i.Kind == store.IntentCreate && i.Group:
		return store.LeaveAlone, EventGroupAdded, who + " added" + late
	case i.Kind == store.IntentCreate, i.Kind == store.IntentAdmit:
		return store.LeaveAlone, EventUserAdded, who + " added" + late
	case entry == nil && i.Group:
		return store.LeaveAlone, removed, who + " deleted" + late
	case entry == nil:
		return store.ForgetAll, removed, who + " deleted" + late
	case i.Kind == store.IntentDelete:
		return store.LeaveAlone, edited, who + ": could not be deleted" + late
	case i.Kind == store.IntentDisable && a.dir.State(ctx, entry, a.now()).Disabled:
		return store.CloseAccount, edited, who + " changed: disabled" + late
	case i.Kind == store.IntentDisable:
		return store.LeaveAlone, edited, who + ": disabling was cut short, the account is as before" + late
	case i.Kind == store.IntentPassword:
		return store.EndSessions, edited, who + ": the password may have been changed" + late
	}
	if i.Kind == store.IntentEdit {
		text := " changed"
		if !wasDone(i, entry) {
			text = ": a change was cut short, the entry is as before"
		}
		return store.LeaveAlone, edited, who + text + late
	}
	return store.LeaveAlone, edited, who + " changed: name may be " + nameOf(entry) + late
}

// clockSkew is how far the clock of a directory may be off.
const clockSkew = 5 * time.Minute

// wasDone tells whether the directory made a change that was cut short: an entry
// that was to be made is there and new, one that was to be changed has another
// version than before.
func wasDone(i store.Intent, entry *directory.Entry) bool {
	switch {
	case entry == nil:
		return false
	case i.Kind == store.IntentCreate:
		return entry.Created.IsZero() || entry.Created.After(i.Created.Add(-clockSkew))
	}
	return i.Version == "" || entry.Version != i.Version
}

// groupNamed finds a group of one directory by its name; nil where there is none.
func (a *Adapter) groupNamed(ctx context.Context, dir, name string) (*directory.Entry, error) {
	queries, ok := a.dir.(Queries)
	if !ok {
		return nil, errors.New("this directory offers no lists")
	}
	page, err := queries.List(ctx, directory.ListQuery{
		Kind: directory.KindGroup, Directory: dir, Limit: 1, Where: directory.Compare(directory.AttrLogin, directory.OpEqual, name),
	})
	if err != nil || len(page.Entries) == 0 {
		return nil, err
	}
	return page.Entries[0], nil
}
