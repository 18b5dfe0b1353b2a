package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// TableOutbox is the table that a Watch names when mail was queued or released.
const TableOutbox = "outbox"

const (
	// MaxWaiting bounds the mail that waits to be sent: while a mail server is
	// down for long, more is refused rather than piled up.
	MaxWaiting = 10000
	// keepMail is how long mail that was sent stays listed.
	keepMail = 7 * 24 * time.Hour

	maxMailError = 500 // characters
)

// MailState says what has become of a mail.
type MailState string

// The states of mail. Dead mail was given up; ReleaseMail tries it again.
const (
	MailWaiting MailState = "waiting"
	MailSent    MailState = "sent"
	MailDead    MailState = "dead"
)

// Message is what is sent. It is stored sealed.
type Message struct {
	To      string // one address
	ToName  string
	From    string // name of the sender; the address is the configuration's
	Subject string
	Text    string
	HTML    string // "" for text only
}

// Mail is one entry of the outbox.
type Mail struct {
	ID        int64
	Message   Message // only from ClaimMail
	Subject   string
	State     MailState
	Attempts  int
	Due       time.Time // of the next attempt
	Created   time.Time
	Ended     time.Time // zero while waiting
	LastError string
}

// QueueMail puts a message into the outbox and returns when it is durable.
// ErrExhausted when MaxWaiting messages wait already.
func (s *Store) QueueMail(ctx context.Context, m Message) (int64, error) {
	var id int64
	err := s.write(ctx, "queue mail", func(ctx context.Context, t *tx) (err error) {
		id, err = t.queueMail(ctx, m)
		return err
	})
	return id, err
}

// queueMail puts a message into the outbox together with whatever else the
// transaction does: no mail without the change, no change without the mail.
func (t *tx) queueMail(ctx context.Context, m Message) (int64, error) {
	plain, err := json.Marshal(m)
	if err != nil {
		return 0, err
	}
	var waiting int
	if err := t.row(ctx, "SELECT count(*) FROM outbox WHERE state = ?", MailWaiting).Scan(&waiting); err != nil {
		return 0, err
	}
	if waiting >= MaxWaiting {
		return 0, fmt.Errorf("%w: %d messages wait for the mail server", ErrExhausted, waiting)
	}
	now := micros(t.store.clock())
	var id int64
	err = t.row(ctx, "INSERT INTO outbox (message, subject, due_at, created_at) VALUES (?, ?, ?, ?) RETURNING id",
		[]byte{}, clean(m.Subject, maxTitleLen), now, now).Scan(&id)
	if err != nil {
		return 0, err
	}
	sealed := t.store.box.seal(plain, "outbox", "message", strconv.FormatInt(id, 10))
	if _, err := t.exec(ctx, "UPDATE outbox SET message = ? WHERE id = ?", sealed, id); err != nil {
		return 0, err
	}
	return id, t.changed(ctx, TableOutbox, id)
}

// ClaimMail hands out at most limit messages that are due. Nobody else gets them
// for the length of the lease; who claims ends each by EndMail or PostponeMail.
// A claim whose process died is due again after the lease.
func (s *Store) ClaimMail(ctx context.Context, lease time.Duration, limit int) ([]Mail, error) {
	now := s.clock()
	var list []Mail
	err := s.write(ctx, "claim mail", func(ctx context.Context, t *tx) error {
		list = nil
		return t.each(ctx, `UPDATE outbox SET due_at = ?, attempts = attempts + 1
			WHERE state = ? AND due_at <= ? AND id IN
			(SELECT id FROM outbox WHERE state = ? AND due_at <= ? ORDER BY due_at LIMIT ?)
			RETURNING id, message, attempts`,
			[]any{micros(now.Add(lease)), MailWaiting, micros(now), MailWaiting, micros(now), limit}, func(rows *sql.Rows) error {
				m := Mail{State: MailWaiting}
				var sealed []byte
				if err := rows.Scan(&m.ID, &sealed, &m.Attempts); err != nil {
					return err
				}
				plain, err := s.box.open(sealed, "outbox", "message", strconv.FormatInt(m.ID, 10))
				if err != nil {
					return err
				}
				list = append(list, m)
				return json.Unmarshal(plain, &list[len(list)-1].Message)
			})
	})
	return list, err
}

// EndMail marks a message as sent, or as dead with the reason.
func (s *Store) EndMail(ctx context.Context, id int64, state MailState, reason string) error {
	return s.write(ctx, "end mail", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE outbox SET state = ?, ended_at = ?, last_error = ? WHERE id = ?",
			state, micros(s.clock()), clean(reason, maxMailError), id)
		return err
	})
}

// PostponeMail makes a message due again later, with the reason.
func (s *Store) PostponeMail(ctx context.Context, id int64, due time.Time, reason string) error {
	return s.write(ctx, "postpone mail", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE outbox SET due_at = ?, last_error = ? WHERE id = ? AND state = ?",
			micros(due), clean(reason, maxMailError), id, MailWaiting)
		return err
	})
}

// ReleaseMail makes a waiting or dead message due now. ErrNotFound when there is
// none with that number, or it was sent.
func (s *Store) ReleaseMail(ctx context.Context, id int64) error {
	return s.write(ctx, "release mail", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, `UPDATE outbox SET state = ?, due_at = ?, ended_at = 0, attempts = 0
			WHERE id = ? AND state <> ?`, MailWaiting, micros(s.clock()), id, MailSent)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: mail %d", ErrNotFound, id)
		}
		return t.changed(ctx, TableOutbox, id)
	})
}

// ListMail lists the outbox without the messages, newest first; state "" is all.
func (s *Store) ListMail(ctx context.Context, state MailState, limit int) ([]Mail, error) {
	if limit < 1 || limit > MaxRecords {
		limit = MaxRecords
	}
	var list []Mail
	err := s.many(ctx, "list mail", `SELECT id, subject, state, attempts, due_at, created_at, ended_at, last_error
		FROM outbox WHERE ? = '' OR state = ? ORDER BY id DESC LIMIT ?`,
		[]any{string(state), string(state), limit}, func(rows *sql.Rows) error {
			var m Mail
			var due, created, ended int64
			err := rows.Scan(&m.ID, &m.Subject, &m.State, &m.Attempts, &due, &created, &ended, &m.LastError)
			m.Due, m.Created, m.Ended = when(due), when(created), when(ended)
			list = append(list, m)
			return err
		})
	return list, err
}

// purgeMail forgets mail that was sent long ago.
func (s *Store) purgeMail(ctx context.Context) error {
	return s.write(ctx, "purge mail", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM outbox WHERE state = ? AND ended_at < ?",
			MailSent, micros(s.clock().Add(-keepMail)))
		return err
	})
}
