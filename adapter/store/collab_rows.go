package store

import (
	"context"
	"database/sql"
	"time"
)

// Collaboration is one collaboration of an organisation.
type Collaboration struct {
	ID          int64
	Org         int64
	Identifier  string // UUID
	UUID4       string // names the logo, changes with it
	Name        string
	NameKey     string // the name as it is compared
	ShortName   string
	Description string
	Website     string
	NoRequests  bool
	ShowMembers bool
	ShowMail    bool
	Logo        string // media type of the stored one, or the address of one elsewhere
	Tags        []string
	Units       []string
	Status      string    // active, expired, suspended
	Expires     time.Time // zero: never
	Active      time.Time // last activity
	Ended       time.Time // when it became expired or suspended
	Warned      time.Time
	Stamp
}

const collabColumns = `org_id, identifier, uuid4, name, name_key, short_name, description, website,
	no_requests, show_members, show_mail, logo, tags, units, status, expires_at, active_at, ended_at, warned_at, ` + stampColumns

func (o *Collaboration) values() []any {
	return append([]any{
		o.Org, o.Identifier, o.UUID4, o.Name, o.NameKey, o.ShortName, o.Description, o.Website,
		o.NoRequests, o.ShowMembers, o.ShowMail, o.Logo, listText(o.Tags), listText(o.Units), o.Status,
		micros(o.Expires), micros(o.Active), micros(o.Ended), micros(o.Warned),
	}, o.args()...)
}

func scanCollab(scan func(...any) error) (Collaboration, error) {
	var o Collaboration
	var tags, units string
	var expires, active, ended, warned int64
	var n stampScan
	err := scan(append([]any{
		&o.ID, &o.Org, &o.Identifier, &o.UUID4, &o.Name, &o.NameKey, &o.ShortName, &o.Description, &o.Website,
		&o.NoRequests, &o.ShowMembers, &o.ShowMail, &o.Logo, &tags, &units, &o.Status, &expires, &active, &ended, &warned,
	}, n.dest(&o.Stamp)...)...)
	if err == nil {
		o.Tags, err = readList[string](tags)
	}
	if err == nil {
		o.Units, err = readList[string](units)
	}
	o.Expires, o.Active, o.Ended, o.Warned = when(expires), when(active), when(ended), when(warned)
	n.set(&o.Stamp)
	return o, err
}

// CollabKey says which collaborations are meant; the members that are set must
// all fit.
type CollabKey struct {
	ID         int64
	Org        int64
	Identifier string
	ShortName  string
	NameKey    string
}

func (k CollabKey) where() (string, []any) {
	where, args := "1 = 1", []any(nil)
	add := func(use bool, column string, value any) {
		if use {
			where += " AND " + column + " = ?"
			args = append(args, value)
		}
	}
	add(k.ID != 0, "id", k.ID)
	add(k.Org != 0, "org_id", k.Org)
	add(k.Identifier != "", "identifier", k.Identifier)
	add(k.ShortName != "", "short_name", k.ShortName)
	add(k.NameKey != "", "name_key", k.NameKey)
	return where, args
}

// Collaboration reads one collaboration. ErrNotFound.
func (c *CollabTx) Collaboration(ctx context.Context, key CollabKey) (Collaboration, error) {
	where, args := key.where()
	return scanCollab(c.t.row(ctx, "SELECT id, "+collabColumns+" FROM collaborations WHERE "+where+" ORDER BY id LIMIT 1", args...).Scan)
}

// Collaborations lists the collaborations that fit, by their ids.
func (c *CollabTx) Collaborations(ctx context.Context, key CollabKey) ([]Collaboration, error) {
	where, args := key.where()
	return c.collabs(ctx, where+" ORDER BY id", args)
}

func (c *CollabTx) collabs(ctx context.Context, where string, args []any) ([]Collaboration, error) {
	var list []Collaboration
	err := c.t.each(ctx, "SELECT id, "+collabColumns+" FROM collaborations WHERE "+where, args, func(rows *sql.Rows) error {
		o, err := scanCollab(rows.Scan)
		list = append(list, o)
		return err
	})
	return list, err
}

// CountCollaborations counts those that fit.
func (c *CollabTx) CountCollaborations(ctx context.Context, key CollabKey) (int, error) {
	where, args := key.where()
	var n int
	err := c.t.row(ctx, "SELECT count(*) FROM collaborations WHERE "+where, args...).Scan(&n)
	return n, err
}

// PutCollaboration stores a new collaboration (ID 0, which is set) or a changed
// one. ErrConflict when name or short name are taken, ErrNotFound.
func (c *CollabTx) PutCollaboration(ctx context.Context, o *Collaboration) error {
	var err error
	if o.ID == 0 {
		o.ID, err = c.insert(ctx, "collaborations", collabColumns, o.values()...)
	} else {
		err = c.changedOne(ctx, "UPDATE collaborations SET "+setList(collabColumns)+" WHERE id = ?", append(o.values(), o.ID)...)
	}
	if err != nil {
		return err
	}
	return c.Touched(ctx, o.ID)
}

// DeleteCollaboration removes a collaboration with everything that belongs to it.
// ErrNotFound.
func (c *CollabTx) DeleteCollaboration(ctx context.Context, o Collaboration) error {
	if _, err := c.t.exec(ctx, "DELETE FROM collab_logos WHERE uuid4 = ?", o.UUID4); err != nil {
		return err
	}
	if err := c.changedOne(ctx, "DELETE FROM collaborations WHERE id = ?", o.ID); err != nil {
		return err
	}
	return c.Touched(ctx, o.ID)
}

// Logo is a stored picture.
type Logo struct {
	UUID4     string
	Kind      string // collaborations, organisations or services
	MediaType string
	Data      []byte
}

// PutLogo stores a picture under a new UUID.
func (c *CollabTx) PutLogo(ctx context.Context, l Logo) error {
	_, err := c.t.exec(ctx, "INSERT INTO collab_logos (uuid4, kind, media_type, data) VALUES (?, ?, ?, ?)",
		l.UUID4, l.Kind, l.MediaType, l.Data)
	return err
}

// DeleteLogo removes a picture; one that is not there is no error.
func (c *CollabTx) DeleteLogo(ctx context.Context, uuid4 string) error {
	_, err := c.t.exec(ctx, "DELETE FROM collab_logos WHERE uuid4 = ?", uuid4)
	return err
}

// Logo reads a picture. ErrNotFound.
func (s *Store) Logo(ctx context.Context, kind, uuid4 string) (Logo, error) {
	l := Logo{UUID4: uuid4, Kind: kind}
	err := s.one(ctx, "logo", "SELECT media_type, data FROM collab_logos WHERE uuid4 = ? AND kind = ?",
		[]any{uuid4, kind}, &l.MediaType, &l.Data)
	return l, err
}

// Answered reads what was answered to a request with that name by that key.
// ErrNotFound.
func (c *CollabTx) Answered(ctx context.Context, key int64, name []byte) (fingerprint []byte, answer string, err error) {
	err = c.t.row(ctx, "SELECT fingerprint, answer FROM idempotent_answers WHERE key_id = ? AND name = ?", key, name).
		Scan(&fingerprint, &answer)
	return fingerprint, answer, err
}

// ClaimAnswer takes the name of a request before it is done: a second one at the
// same time waits, and gets ErrConflict when the first is through.
func (c *CollabTx) ClaimAnswer(ctx context.Context, key int64, name, fingerprint []byte) error {
	_, err := c.t.exec(ctx, "INSERT INTO idempotent_answers (key_id, name, fingerprint, answer, created_at) VALUES (?, ?, ?, '', ?)",
		key, name, fingerprint, micros(c.t.store.clock()))
	return err
}

// PutAnswer keeps the answer to a request that was claimed, for a day.
func (c *CollabTx) PutAnswer(ctx context.Context, key int64, name []byte, answer string) error {
	return c.changedOne(ctx, "UPDATE idempotent_answers SET answer = ? WHERE key_id = ? AND name = ?", answer, key, name)
}

const keepAnswers = 24 * time.Hour

func (s *Store) purgeAnswers(ctx context.Context) error {
	return s.write(ctx, "purge answers", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM idempotent_answers WHERE created_at < ?", micros(s.clock().Add(-keepAnswers)))
		return err
	})
}
