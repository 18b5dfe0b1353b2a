package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// The tables that a Watch names when the numeric id of a person or a group was
// replaced by one from another installation; ID is the new one.
const (
	TableIDs      = "person_ids"
	TableGroupIDs = "group_ids"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// ReserveAbove makes all ids given out from now on larger than uid, which is
// 0..MaxUID. It never lowers anything. Errors: ErrInvalid, ErrUnavailable.
func (s *Store) ReserveAbove(ctx context.Context, kind Kind, uid int64) error {
	if _, err := kind.queries(); err != nil {
		return s.fail(ctx, "reserve ids", err)
	}
	if uid < 0 || uid > MaxUID {
		return s.fail(ctx, "reserve ids", invalidf("numeric id %d", uid))
	}
	return s.write(ctx, "reserve ids", func(ctx context.Context, t *tx) error {
		return t.reserveAbove(ctx, kind, uid)
	})
}

func (t *tx) reserveAbove(ctx context.Context, kind Kind, uid int64) error {
	next, err := t.lockCounter(ctx, kind)
	if err != nil || next > uid {
		return err
	}
	return t.setCounter(ctx, kind, uid+1)
}

// AssignUID gives a subject the id that it had in another installation. Doing it
// twice is no error. An id that the subject got here before is retired for ever.
// ErrConflict when the id is or was somebody else's, or when local data hang on
// the id that the subject has; ErrInvalid, ErrUnavailable.
func (s *Store) AssignUID(ctx context.Context, kind Kind, sub Subject, uid int64) error {
	q, err := kind.queries()
	if err == nil {
		err = sub.valid()
	}
	if err == nil && (uid < 1 || uid > MaxUID) {
		err = invalidf("numeric id %d", uid)
	}
	if err != nil {
		return s.fail(ctx, "assign id", err)
	}
	return s.write(ctx, "assign id", func(ctx context.Context, t *tx) error {
		return t.assignUID(ctx, kind, q, trimID(sub), uid)
	})
}

func (t *tx) assignUID(ctx context.Context, kind Kind, q idQueries, sub Subject, uid int64) error {
	// The counter first: it is the lock.
	if err := t.reserveAbove(ctx, kind, uid); err != nil {
		return err
	}
	var holder Subject
	err := t.row(ctx, q.byUID, uid).Scan(&holder.Directory, &holder.Stable, &holder.Name)
	switch {
	case err == nil && holder.key() == sub.key():
		return nil
	case err == nil:
		return fmt.Errorf("%w: %s %d belongs to %s (%s)", ErrConflict, kind, uid, holder.Name, holder.Directory)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	var retired int
	if err := t.row(ctx, "SELECT count(*) FROM retired_ids WHERE kind = ? AND id = ?", string(kind), uid).Scan(&retired); err != nil {
		return err
	}
	if retired > 0 {
		return fmt.Errorf("%w: %s %d was somebody's and is retired", ErrConflict, kind, uid)
	}
	var old known
	err = t.row(ctx, q.byStable, sub.Directory, sub.Stable).Scan(&old.uid, &old.name)
	now := micros(t.store.clock())
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = t.exec(ctx, q.putUID, uid, sub.Directory, sub.Stable, sub.Name, now)
		return err
	case err != nil:
		return err
	}
	if _, err := t.exec(ctx, q.setUID, uid, sub.Directory, sub.Stable); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "INSERT INTO retired_ids (kind, id, retired_at) VALUES (?, ?, ?)", string(kind), old.uid, now); err != nil {
		return err
	}
	if kind != KindPerson {
		return t.changed(ctx, TableGroupIDs, uid)
	}
	return t.changed(ctx, TableIDs, uid)
}
