package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// TableNotifications is the table that a Watch names when the notifications of
// a person changed; ID is the person's numeric id.
const TableNotifications = "notifications"

const (
	// MaxNotifications is the number of notifications kept for a person: when
	// more come, the oldest go, the seen ones first.
	MaxNotifications = 1000
	// MaxContent bounds the content of a notification, in bytes; what is longer
	// is cut off.
	MaxContent = 64 << 10

	maxTitleLen = 1000 // characters
	maxURLLen   = 8192
)

// Notification is one message to a person.
type Notification struct {
	ID        int64
	At        time.Time
	Title     string
	Content   string
	URL       string
	Seen      bool
	Sensitive bool
}

// storable gives the notification as it will be read back.
func (n Notification) storable() Notification {
	n.At = when(micros(n.At))
	n.Title = clean(n.Title, maxTitleLen)
	n.Content = clean(n.Content, MaxContent)
	if len(n.Content) > MaxContent {
		n.Content = strings.ToValidUTF8(n.Content[:MaxContent], "")
	}
	n.URL = clean(n.URL, maxURLLen)
	return n
}

// AddNotification stores a notification and gives its id, which n.ID does not
// matter for. ErrNotFound when no person has that id.
func (s *Store) AddNotification(ctx context.Context, uid int64, n Notification) (int64, error) {
	n = n.storable()
	var id int64
	err := s.write(ctx, "notification", func(ctx context.Context, t *tx) error {
		if err := t.lockPerson(ctx, uid); err != nil {
			return err
		}
		err := t.row(ctx, `INSERT INTO notifications (uid, at, title, content, url, seen, sensitive)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			uid, micros(n.At), n.Title, n.Content, n.URL, n.Seen, n.Sensitive).Scan(&id)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `DELETE FROM notifications WHERE uid = ? AND id <> ? AND id IN
			(SELECT id FROM notifications WHERE uid = ? ORDER BY seen, at DESC, id DESC LIMIT ? OFFSET ?)`,
			uid, id, uid, MaxNotifications, MaxNotifications)
		if err != nil {
			return err
		}
		return t.changed(ctx, TableNotifications, uid)
	})
	return id, err
}

// ImportNotification stores a notification of another system under its id. A
// second time changes nothing and gives false. ErrConflict when the id is
// another notification's, ErrNotFound when no person has that uid.
func (s *Store) ImportNotification(ctx context.Context, uid int64, n Notification) (bool, error) {
	if n.ID < 1 || n.ID > MaxUID {
		return false, s.fail(ctx, "import notification", invalidf("notification %d", n.ID))
	}
	n = n.storable()
	var added bool
	err := s.write(ctx, "import notification", func(ctx context.Context, t *tx) error {
		added = false
		if err := t.lockPerson(ctx, uid); err != nil {
			return err
		}
		var owner, at int64
		err := t.row(ctx, "SELECT uid, at FROM notifications WHERE id = ?", n.ID).Scan(&owner, &at)
		switch {
		case err == nil && owner == uid && at == micros(n.At):
			return nil
		case err == nil:
			return fmt.Errorf("%w: notification %d is another one", ErrConflict, n.ID)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		added = true
		_, err = t.exec(ctx, `INSERT INTO notifications (id, uid, at, title, content, url, seen, sensitive)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, n.ID, uid, micros(n.At), n.Title, n.Content, n.URL, n.Seen, n.Sensitive)
		if err != nil {
			return err
		}
		if err := t.skipTo(ctx, TableNotifications, n.ID); err != nil {
			return err
		}
		return t.changed(ctx, TableNotifications, uid)
	})
	return added && err == nil, err
}

// Notifications lists a person's notifications: unseen first, then newest
// first, then by falling id.
func (s *Store) Notifications(ctx context.Context, uid int64) ([]Notification, error) {
	var list []Notification
	err := s.many(ctx, "notifications", `SELECT id, at, title, content, url, seen, sensitive FROM notifications
		WHERE uid = ? ORDER BY seen, at DESC, id DESC`, []any{uid}, func(rows *sql.Rows) error {
		var n Notification
		var at int64
		err := rows.Scan(&n.ID, &at, &n.Title, &n.Content, &n.URL, &n.Seen, &n.Sensitive)
		n.At = when(at)
		list = append(list, n)
		return err
	})
	return list, err
}

// SeeNotification marks a notification as seen; twice is no error. ErrNotFound
// when it is not that person's.
func (s *Store) SeeNotification(ctx context.Context, uid, id int64) error {
	return s.changeNotification(ctx, "UPDATE notifications SET seen = ? WHERE uid = ? AND id = ?", uid, true, uid, id)
}

// RemoveNotification deletes a notification. ErrNotFound when it is not that person's.
func (s *Store) RemoveNotification(ctx context.Context, uid, id int64) error {
	return s.changeNotification(ctx, "DELETE FROM notifications WHERE uid = ? AND id = ?", uid, uid, id)
}

func (s *Store) changeNotification(ctx context.Context, query string, uid int64, args ...any) error {
	return s.write(ctx, "notification", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, query, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		return t.changed(ctx, TableNotifications, uid)
	})
}
