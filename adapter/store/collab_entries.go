package store

import (
	"context"
	"database/sql"
	"time"
)

// CollabEntry is a collaboration (Group 0) or one of its groups as it is written
// to a directory. It outlives what it is about until the directory's entry is gone.
type CollabEntry struct {
	ID        int64
	Collab    int64
	Group     int64
	Directory string
	Stable    string // permanent id of the entry; "" until it is made
	Name      string // name of the entry
	Written   string // what was written of name and description, in short
	Version   string // of the entry, when it was last in step
	Detached  bool   // an administrator took the entry away, or owns the name
	Retry     time.Time
}

// States of people in an entry: what is about to be written or removed is noted
// before.
const (
	EntryIn       = "in"
	EntryAdding   = "adding"
	EntryRemoving = "removing"
)

// EntryMember is somebody who was written into an entry.
type EntryMember struct {
	Entry int64
	UID   int64
	State string
	Admin bool // as owner, too
}

const entryColumns = "collab_id, group_id, directory, stable, name, written, version, detached, retry_at"

func (e *CollabEntry) values() []any {
	return []any{e.Collab, e.Group, e.Directory, e.Stable, e.Name, e.Written, e.Version, e.Detached, micros(e.Retry)}
}

// Entries lists what is written of a collaboration, itself first.
func (c *CollabTx) Entries(ctx context.Context, collab int64) ([]CollabEntry, error) {
	var list []CollabEntry
	err := c.t.each(ctx, "SELECT id, "+entryColumns+" FROM collab_entries WHERE collab_id = ? ORDER BY group_id", []any{collab},
		func(rows *sql.Rows) error {
			var e CollabEntry
			var retry int64
			err := rows.Scan(&e.ID, &e.Collab, &e.Group, &e.Directory, &e.Stable, &e.Name, &e.Written, &e.Version, &e.Detached, &retry)
			e.Retry = when(retry)
			list = append(list, e)
			return err
		})
	return list, err
}

// EntryMembers lists who was written into the entries of a collaboration.
func (c *CollabTx) EntryMembers(ctx context.Context, collab int64) ([]EntryMember, error) {
	var list []EntryMember
	err := c.t.each(ctx, `SELECT entry_id, uid, state, admin FROM collab_entry_members
		WHERE entry_id IN (SELECT id FROM collab_entries WHERE collab_id = ?) ORDER BY entry_id, uid`, []any{collab},
		func(rows *sql.Rows) error {
			var m EntryMember
			err := rows.Scan(&m.Entry, &m.UID, &m.State, &m.Admin)
			list = append(list, m)
			return err
		})
	return list, err
}

// PutEntry stores a new entry (ID 0, which is set) or a changed one. ErrConflict,
// ErrNotFound.
func (c *CollabTx) PutEntry(ctx context.Context, e *CollabEntry) error {
	if e.ID != 0 {
		return c.changedOne(ctx, "UPDATE collab_entries SET "+setList(entryColumns)+" WHERE id = ?", append(e.values(), e.ID)...)
	}
	var err error
	e.ID, err = c.insert(ctx, "collab_entries", entryColumns, e.values()...)
	return err
}

// DeleteEntry forgets an entry.
func (c *CollabTx) DeleteEntry(ctx context.Context, id int64) error {
	_, err := c.t.exec(ctx, "DELETE FROM collab_entries WHERE id = ?", id)
	return err
}

// PutEntryMember notes somebody of an entry; State "" forgets him.
func (c *CollabTx) PutEntryMember(ctx context.Context, m EntryMember) error {
	if m.State == "" {
		_, err := c.t.exec(ctx, "DELETE FROM collab_entry_members WHERE entry_id = ? AND uid = ?", m.Entry, m.UID)
		return err
	}
	_, err := c.t.exec(ctx, `INSERT INTO collab_entry_members (entry_id, uid, state, admin) VALUES (?, ?, ?, ?)
		ON CONFLICT (entry_id, uid) DO UPDATE SET state = excluded.state, admin = excluded.admin`, m.Entry, m.UID, m.State, m.Admin)
	return err
}

// LeaseEntries gives the first entry of a collaboration to one process until a
// time, making it if need be; false while another one has it.
func (c *CollabTx) LeaseEntries(ctx context.Context, collab int64, directory, name string, until time.Time) (bool, error) {
	_, err := c.t.exec(ctx, "INSERT INTO collab_entries (collab_id, group_id, directory, name) VALUES (?, 0, ?, ?) ON CONFLICT DO NOTHING",
		collab, directory, name)
	if err != nil {
		return false, err
	}
	n, err := c.t.exec(ctx, "UPDATE collab_entries SET leased_until = ? WHERE collab_id = ? AND group_id = 0 AND leased_until <= ?",
		micros(until), collab, micros(c.t.store.clock()))
	return n > 0, err
}

// ReleaseEntries ends a lease.
func (c *CollabTx) ReleaseEntries(ctx context.Context, collab int64) error {
	_, err := c.t.exec(ctx, "UPDATE collab_entries SET leased_until = 0 WHERE collab_id = ? AND group_id = 0", collab)
	return err
}

// WrittenCollaborations lists the numbers, above after, of collaborations that are
// there or that have an entry still, in their order.
func (c *CollabTx) WrittenCollaborations(ctx context.Context, after int64, limit int) ([]int64, error) {
	var list []int64
	err := c.t.each(ctx, `SELECT id FROM collaborations WHERE id > ? UNION SELECT collab_id FROM collab_entries WHERE collab_id > ?
		ORDER BY 1 LIMIT ?`, []any{after, after, limit}, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		list = append(list, id)
		return err
	})
	return list, err
}

// WrittenEntries tells which collaborations (second number 0) and groups are
// written to a directory.
func (c *CollabTx) WrittenEntries(ctx context.Context) (map[[2]int64]bool, error) {
	found := map[[2]int64]bool{}
	err := c.t.each(ctx, "SELECT collab_id, group_id FROM collab_entries WHERE stable <> '' AND NOT detached", nil,
		func(rows *sql.Rows) error {
			var key [2]int64
			err := rows.Scan(&key[0], &key[1])
			found[key] = true
			return err
		})
	return found, err
}
