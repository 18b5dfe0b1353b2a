package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	notifyChannel   = "portico_changes"
	listenHeartbeat = 5 * time.Second
	relistenAtMost  = 2 * time.Second
)

// notify announces a change to the other processes when the transaction commits.
func (t *tx) notify(ctx context.Context, table string, id int64) error {
	payload := t.store.origin + " " + table + " " + strconv.FormatInt(id, 10)
	_, err := t.exec(ctx, "SELECT pg_notify(?, ?)", notifyChannel, payload)
	return err
}

// parseNotice reads a payload of notify; what it cannot read may be anything.
func parseNotice(payload string) (origin string, c Change) {
	parts := strings.Split(payload, " ")
	if len(parts) != 3 {
		return "", Change{All: true}
	}
	id, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return "", Change{All: true}
	}
	return parts[0], Change{Table: parts[1], ID: id}
}

// listener holds a connection of its own on which notifications come in.
type listener struct {
	store *Store
	conn  *pgx.Conn
}

func (s *Store) watchPostgres(ctx context.Context) (func(context.Context), error) {
	l := &listener{store: s}
	if err := l.connect(ctx); err != nil {
		return nil, err
	}
	s.watch.live.Store(true)
	return l.follow, nil
}

func (l *listener) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, l.store.listen)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+notifyChannel); err != nil {
		return errors.Join(err, conn.Close(ctx))
	}
	l.conn = conn
	return nil
}

// follow hears until ctx ends and comes back after every interruption.
func (l *listener) follow(ctx context.Context) {
	for {
		err := l.hear(ctx)
		l.close()
		if ctx.Err() != nil {
			return
		}
		l.store.watch.hear(false)
		l.store.log.Error("changes of other processes are not heard", "error", err)
		if !l.reconnect(ctx) {
			return
		}
		l.store.watch.hear(true)
		l.store.log.Info("changes of other processes are heard again")
	}
}

func (l *listener) reconnect(ctx context.Context) bool {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, relistenAtMost) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		if err := l.connect(ctx); err == nil {
			return true
		}
	}
}

func (l *listener) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.conn.Close(ctx) // broken or no longer wanted: nothing to save
}

// hear tells the watchers until the connection breaks. Silence is tested with a
// question, because a lost peer is silent too.
func (l *listener) hear(ctx context.Context) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, listenHeartbeat)
		notice, err := l.conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			if origin, c := parseNotice(notice.Payload); origin != l.store.origin {
				l.store.watch.tell([]Change{c})
			}
		case ctx.Err() != nil:
			return ctx.Err()
		case !pgconn.Timeout(err) || l.conn.IsClosed():
			return fmt.Errorf("the listening connection broke: %w", err)
		default:
			asking, cancel := context.WithTimeout(ctx, listenHeartbeat)
			_, err := l.conn.Exec(asking, "SELECT 1")
			cancel()
			if err != nil {
				return fmt.Errorf("the listening connection does not answer: %w", err)
			}
		}
	}
}
