package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// reserveExtras checks a change and keeps its external id for the intent: nobody
// else can take it from here on. Without a permanent id the entry is being made.
func (t *tx) reserveExtras(ctx context.Context, x ExtraSubject, c *ExtraChange, intent int64) error {
	if x.Stable != "" {
		if err := t.freshExtras(ctx, x, c, intent); err != nil {
			return err
		}
	}
	if c.ExternalID == nil || *c.ExternalID == "" {
		return nil
	}
	n, err := t.exec(ctx, `INSERT INTO external_ids (kind, domain, value, directory, stable, intent) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, domain, value) DO UPDATE SET intent = CASE external_ids.intent WHEN 0 THEN 0 ELSE excluded.intent END
		WHERE external_ids.directory = excluded.directory AND external_ids.stable = excluded.stable AND external_ids.stable <> ''`,
		string(x.Kind), c.Domain, *c.ExternalID, x.Directory, x.Stable, intent)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: the external id is another entry's", ErrConflict)
	}
	return err
}

// freshExtras locks what is stored of an entry, and compares its revision.
func (t *tx) freshExtras(ctx context.Context, x ExtraSubject, c *ExtraChange, intent int64) error {
	if _, err := t.exec(ctx, `INSERT INTO entry_extras (directory, stable, kind) VALUES (?, ?, ?)
		ON CONFLICT (directory, stable) DO NOTHING`, x.Directory, x.Stable, string(x.Kind)); err != nil {
		return err
	}
	var revision int64
	err := t.row(ctx, "SELECT revision FROM entry_extras WHERE directory = ? AND stable = ?"+t.store.dialect.forUpdate,
		x.Directory, x.Stable).Scan(&revision)
	if err != nil || c.IfRevision == nil {
		return err
	}
	var open int
	err = t.row(ctx, `SELECT count(*) FROM write_intents WHERE ended_at = 0 AND extras <> '' AND directory = ? AND stable = ? AND id <> ?`,
		x.Directory, x.Stable, intent).Scan(&open)
	if err == nil && (revision != *c.IfRevision || open > 0) {
		err = ErrStale
	}
	return err
}

// applyExtras makes a change and gives the revision afterwards.
func (t *tx) applyExtras(ctx context.Context, x ExtraSubject, c *ExtraChange, intent int64) (int64, error) {
	if _, err := t.exec(ctx, `INSERT INTO entry_extras (directory, stable, kind) VALUES (?, ?, ?)
		ON CONFLICT (directory, stable) DO NOTHING`, x.Directory, x.Stable, string(x.Kind)); err != nil {
		return 0, err
	}
	var before string
	var revision int64
	err := t.row(ctx, "SELECT attributes, revision FROM entry_extras WHERE directory = ? AND stable = ?"+t.store.dialect.forUpdate,
		x.Directory, x.Stable).Scan(&before, &revision)
	if err != nil {
		return 0, err
	}
	after, err := c.merged(before)
	if err != nil {
		return 0, err
	}
	changed, err := t.setExternalID(ctx, x, c, intent)
	if err != nil {
		return 0, err
	}
	if !changed && after == before {
		return revision, nil
	}
	_, err = t.exec(ctx, "UPDATE entry_extras SET attributes = ?, revision = ?, missing_at = 0 WHERE directory = ? AND stable = ?",
		after, revision+1, x.Directory, x.Stable)
	if err != nil {
		return 0, err
	}
	return revision + 1, t.changed(ctx, TableExtras, 0)
}

// setExternalID gives an entry its name in a domain, in the place of another.
func (t *tx) setExternalID(ctx context.Context, x ExtraSubject, c *ExtraChange, intent int64) (bool, error) {
	if c.ExternalID == nil {
		return false, nil
	}
	var before string
	err := t.row(ctx, `SELECT value FROM external_ids WHERE kind = ? AND domain = ? AND directory = ? AND stable = ? AND intent = 0`,
		string(x.Kind), c.Domain, x.Directory, x.Stable).Scan(&before)
	if err != nil && !isNoRows(err) {
		return false, err
	}
	if before == *c.ExternalID && intent == 0 {
		return false, nil
	}
	_, err = t.exec(ctx, `DELETE FROM external_ids WHERE kind = ? AND domain = ? AND directory = ? AND stable = ? AND intent = 0 AND value <> ?`,
		string(x.Kind), c.Domain, x.Directory, x.Stable, *c.ExternalID)
	if err != nil || *c.ExternalID == "" {
		return before != "", err
	}
	n, err := t.exec(ctx, `INSERT INTO external_ids (kind, domain, value, directory, stable, intent) VALUES (?, ?, ?, ?, ?, 0)
		ON CONFLICT (kind, domain, value) DO UPDATE SET directory = excluded.directory, stable = excluded.stable, intent = 0
		WHERE external_ids.directory = excluded.directory AND external_ids.stable = excluded.stable
		OR external_ids.intent <> 0 AND external_ids.intent = ?`, string(x.Kind), c.Domain, *c.ExternalID, x.Directory, x.Stable, intent)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: the external id is another entry's", ErrConflict)
	}
	return before != *c.ExternalID, err
}

// endExtras does what an intent says of stored attributes, or lets go of what it kept.
func (t *tx) endExtras(ctx context.Context, id int64, x ExtraSubject, text string, end Ending) error {
	if end.Gone {
		return t.dropExtras(ctx, x)
	}
	if text == "" {
		return nil
	}
	if end.Made != "" {
		x.Stable = end.Made
	}
	if end.Done && x.Stable != "" {
		var c ExtraChange
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return err
		}
		if _, err := t.applyExtras(ctx, x, &c, id); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, "DELETE FROM external_ids WHERE intent = ? AND intent <> 0", id)
	return err
}

func (t *tx) dropExtras(ctx context.Context, x ExtraSubject) error {
	if _, err := t.exec(ctx, "DELETE FROM external_ids WHERE directory = ? AND stable = ?", x.Directory, x.Stable); err != nil {
		return err
	}
	n, err := t.exec(ctx, "DELETE FROM entry_extras WHERE directory = ? AND stable = ?", x.Directory, x.Stable)
	if err != nil || n == 0 {
		return err
	}
	return t.changed(ctx, TableExtras, 0)
}

// DropExtras deletes what is stored of entries that are gone.
func (s *Store) DropExtras(ctx context.Context, gone ...ExtraSubject) error {
	return s.write(ctx, "drop stored attributes", func(ctx context.Context, t *tx) error {
		for _, x := range gone {
			if err := t.dropExtras(ctx, x); err != nil {
				return err
			}
		}
		return nil
	})
}

// ExtraSubjects lists those that something is stored of, in the order of directory
// and permanent id, after the one given, at most limit.
func (s *Store) ExtraSubjects(ctx context.Context, after ExtraSubject, limit int) ([]ExtraSubject, error) {
	var list []ExtraSubject
	err := s.many(ctx, "stored attributes", `SELECT kind, directory, stable FROM entry_extras
		WHERE directory > ? OR directory = ? AND stable > ? ORDER BY directory, stable LIMIT ?`,
		[]any{after.Directory, after.Directory, after.Stable, limit}, func(rows *sql.Rows) error {
			var x ExtraSubject
			err := rows.Scan(&x.Kind, &x.Directory, &x.Stable)
			list = append(list, x)
			return err
		})
	return list, err
}

// MissExtras notes which of the listed entries the directory does not know, and
// deletes what is stored of those that it has not known for a length of time. It
// gives the number of those.
func (s *Store) MissExtras(ctx context.Context, listed []ExtraSubject, known func(ExtraSubject) bool, patience time.Duration) (int, error) {
	now, dropped := s.clock(), 0
	err := s.write(ctx, "sweep stored attributes", func(ctx context.Context, t *tx) error {
		dropped = 0
		for _, x := range listed {
			if known(x) {
				if _, err := t.exec(ctx, "UPDATE entry_extras SET missing_at = 0 WHERE directory = ? AND stable = ? AND missing_at <> 0", x.Directory, x.Stable); err != nil {
					return err
				}
				continue
			}
			_, err := t.exec(ctx, "UPDATE entry_extras SET missing_at = ? WHERE directory = ? AND stable = ? AND missing_at = 0",
				micros(now), x.Directory, x.Stable)
			if err != nil {
				return err
			}
			var since int64
			err = t.row(ctx, "SELECT missing_at FROM entry_extras WHERE directory = ? AND stable = ?", x.Directory, x.Stable).Scan(&since)
			if err != nil && !isNoRows(err) {
				return err
			}
			if err != nil || since > micros(now.Add(-patience)) {
				continue
			}
			if err := t.dropExtras(ctx, x); err != nil {
				return err
			}
			dropped++
		}
		return nil
	})
	return dropped, err
}
