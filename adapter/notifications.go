package adapter

import (
	"context"
	"slices"
	"strings"
	"time"

	"portico/adapter/store"
)

// maxCachedList bounds the text of a list of notifications that is kept in memory.
const maxCachedList = 8 << 10

// Notification is one message to a person.
type Notification struct {
	ID        int64
	Time      time.Time // in the zone of the configuration
	Title     string
	Content   string
	URL       string
	Seen      bool
	Sensitive bool
}

// NewNotification asks for a notification. What is longer than the store keeps
// (64 KiB of content) is cut off.
type NewNotification struct {
	Title   string
	Content string
	URL     string
	// Timestamp is "YYYY-MM-DD", "YYYY-MM-DD HH:MM[:SS]" or RFC 3339; without an
	// offset it is read in the zone of the configuration; anything else is now.
	Timestamp string
	Sensitive bool
}

// Notifications gives a person's notifications: unseen first, then newest
// first, then by falling id. Do not change the slice. Errors: NotFound "user",
// Ambiguous, Unavailable.
func (a *Adapter) Notifications(ctx context.Context, key PersonKey, unseenOnly bool) ([]Notification, error) {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return nil, err
	}
	list, err := a.notificationsOf(ctx, uid)
	if err != nil || !unseenOnly {
		return list, err
	}
	seen := slices.IndexFunc(list, func(n Notification) bool { return n.Seen })
	if seen < 0 {
		return list, nil
	}
	return list[:seen:seen], nil
}

func (a *Adapter) notificationsOf(ctx context.Context, uid int64) ([]Notification, error) {
	live := a.store.Live()
	if live {
		if list, ok := a.notifications.Get(uid); ok {
			return list, nil
		}
	}
	ticket := a.notifications.Begin()
	stored, err := a.store.Notifications(ctx, uid)
	if err != nil {
		return nil, fromStore(err, "user")
	}
	size := 0
	list := make([]Notification, len(stored))
	for i, n := range stored {
		list[i] = Notification{
			ID: n.ID, Time: n.At.In(a.cfg.Timezone), Title: n.Title, Content: n.Content, URL: n.URL,
			Seen: n.Seen, Sensitive: n.Sensitive,
		}
		size += 100 + len(n.Title) + len(n.Content) + len(n.URL)
	}
	if live && size <= maxCachedList {
		a.notifications.Keep(ticket, uid, list)
	}
	return list, nil
}

// AddNotification adds a notification and gives its id. Errors: NotFound
// "user", Invalid "title" or "content" when empty.
func (a *Adapter) AddNotification(ctx context.Context, key PersonKey, n NewNotification) (int64, error) {
	switch {
	case n.Title == "":
		return 0, invalid("title", "the title is empty")
	case n.Content == "":
		return 0, invalid("content", "the content is empty")
	}
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return 0, err
	}
	id, err := a.store.AddNotification(ctx, uid, store.Notification{
		At: a.readTime(n.Timestamp), Title: n.Title, Content: n.Content, URL: n.URL, Sensitive: n.Sensitive,
	})
	return id, fromStore(err, "user")
}

// readTime reads a timestamp as NewNotification says.
func (a *Adapter) readTime(text string) time.Time {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		// Years beyond these do not survive the way through a database and a client.
		if at, err := time.ParseInLocation(layout, text, a.cfg.Timezone); err == nil && at.Year() >= 1970 && at.Year() <= 9999 {
			return at
		}
	}
	return a.now()
}

// ReadNotification marks a notification as seen; twice is no error. Errors:
// NotFound "user", NotFound "notification" when it is not this person's.
func (a *Adapter) ReadNotification(ctx context.Context, key PersonKey, id int64) error {
	return a.changeNotification(ctx, key, id, a.store.SeeNotification)
}

// DeleteNotification deletes a notification. Errors: as ReadNotification.
func (a *Adapter) DeleteNotification(ctx context.Context, key PersonKey, id int64) error {
	return a.changeNotification(ctx, key, id, a.store.RemoveNotification)
}

func (a *Adapter) changeNotification(ctx context.Context, key PersonKey, id int64,
	change func(ctx context.Context, uid, id int64) error,
) error {
	uid, err := a.uidOf(ctx, key)
	if err != nil {
		return err
	}
	return fromStore(change(ctx, uid, id), "notification")
}
