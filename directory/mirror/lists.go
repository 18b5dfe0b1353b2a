package mirror

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// later runs work in the background that a commit made necessary; not when the
// mirror is being closed.
func (m *Mirror) later(work func()) {
	m.token <- struct{}{}
	defer m.release()
	if !m.closing {
		m.background.Go(work)
	}
}

// buildLists builds the indexes of lists, each in a transaction of its own, so
// that changes get in between. Until it is done lists are slower and not wrong.
// What a crash leaves undone is done after the next start.
func (m *Mirror) buildLists() {
	began := m.opts.Clock()
	for _, x := range listIndexes {
		if !m.step("CREATE INDEX IF NOT EXISTS "+x.name+" ON "+x.on, false) {
			return
		}
	}
	if m.step("INSERT OR IGNORE INTO meta(name, value) VALUES('listed', 'yes')", true) {
		level, took := slog.LevelDebug, m.opts.Clock().Sub(began)
		if took > time.Second {
			level = slog.LevelInfo
		}
		m.log.Log(m.stopped, level, "the indexes of lists are built", "file", m.path, "took", took.Round(time.Millisecond))
	}
}

// step runs one statement of buildLists; false: there is no use in going on.
func (m *Mirror) step(statement string, last bool) bool {
	again := errors.New("a first load has begun")
	err := m.update(m.stopped, func(t *tx) error {
		if t.w.bulk != nil {
			return again
		}
		if _, err := t.w.conn.ExecContext(t.ctx, statement); err != nil {
			return err
		}
		m.listed.Store(last)
		return nil
	})
	switch {
	case err == nil:
		return true
	case errors.Is(err, again), errors.Is(err, context.Canceled), errors.Is(err, ErrClosed), errors.Is(err, ErrCorrupt):
	default:
		m.log.Warn("an index of the mirror could not be built; lists stay slow until the next start", "file", m.path, "error", err)
	}
	return false
}

// nanoseconds is a time in Unix nanoseconds, cut to what they can tell.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, 0)):
		return 0
	case t.Year() >= 2262:
		return forever - 1
	}
	return t.UnixNano()
}

// Listed tells whether the indexes of lists are built. Without them, for a
// while after the first load of a large directory, lists are slower.
func (m *Mirror) Listed() bool { return m.listed.Load() }
