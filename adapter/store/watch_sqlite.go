package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const (
	pollInterval   = 50 * time.Millisecond
	keepChanges    = time.Hour
	changesAtOnce  = 1000
	lastChange     = "SELECT coalesce(max(seq), 0) FROM changes"
	changesSince   = "SELECT seq, origin, table_name, row_id FROM changes WHERE seq > ? ORDER BY seq LIMIT ?"
	pragmaDataVers = "PRAGMA data_version"
)

// poller looks whether another process wrote. PRAGMA data_version costs almost
// nothing; only when it moved, the announcements are read.
type poller struct {
	store   *Store
	conn    *sql.Conn
	version int64
	last    int64 // the last announcement read
}

func (s *Store) watchSQLite(ctx context.Context) (func(context.Context), error) {
	conn, err := s.r.Conn(ctx)
	if err != nil {
		return nil, err
	}
	p := &poller{store: s, conn: conn}
	err = conn.QueryRowContext(ctx, pragmaDataVers).Scan(&p.version)
	if err == nil {
		err = conn.QueryRowContext(ctx, lastChange).Scan(&p.last)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.watch.live.Store(true)
	return p.follow, nil
}

func (p *poller) follow(ctx context.Context) {
	defer func() { _ = p.conn.Close() }() // goes back to the pool, which is closed next
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := p.poll(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && p.store.Live() {
			p.store.log.Error("changes of other processes are not heard", "error", err)
		}
		p.store.watch.hear(err == nil)
	}
}

// poll tells of what other processes announced. The version is remembered only
// after reading, so a failure is made good by the next poll.
func (p *poller) poll(ctx context.Context) error {
	var version int64
	if err := p.conn.QueryRowContext(ctx, pragmaDataVers).Scan(&version); err != nil {
		return err
	}
	if version == p.version {
		return nil
	}
	for {
		rows, err := p.conn.QueryContext(ctx, changesSince, p.last, changesAtOnce)
		if err != nil {
			return err
		}
		var changes []Change
		read := 0
		err = scanAll(rows, func(rows *sql.Rows) error {
			var origin string
			var c Change
			if err := rows.Scan(&p.last, &origin, &c.Table, &c.ID); err != nil {
				return err
			}
			read++
			if origin != p.store.origin {
				changes = append(changes, c)
			}
			return nil
		})
		p.store.watch.tell(changes)
		if err != nil {
			return err
		}
		if read < changesAtOnce {
			p.version = version
			return nil
		}
	}
}

// purgeChanges forgets announcements that every living process has read long ago.
func (s *Store) purgeChanges(ctx context.Context) error {
	if s.dialect.name != dialectSQLite {
		return nil
	}
	return s.write(ctx, "tidy changes", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM changes WHERE at < ?", micros(s.clock().Add(-keepChanges)))
		return err
	})
}
