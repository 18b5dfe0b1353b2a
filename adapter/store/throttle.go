package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Failures is what a bucket counts. The zero Failures is a bucket in which
// nothing failed lately.
type Failures struct {
	Count int
	First time.Time
	Last  time.Time
}

// TableFailures is the table that a Watch names when something failed or a
// counter was cleared; the id is 0, since counters are known by keyed hashes only.
const TableFailures = "failures"

const (
	bucketFailures = "failures"
	bucketGate     = "gate"
	maxWindow      = 31 * 24 * time.Hour
)

// bucket hides names of people and addresses: the table shows keyed hashes only.
func (s *Store) bucket(use, name string) []byte {
	return mac(s.macs.throttle, []byte(use), []byte(name))
}

func checkWindow(window time.Duration) error {
	if window <= 0 || window > maxWindow {
		return invalidf("window %v", window)
	}
	return nil
}

const failQuery = `INSERT INTO throttle (bucket, failures, first_at, last_at, expires_at) VALUES (?, 1, ?, ?, ?)
	ON CONFLICT (bucket) DO UPDATE SET
		failures = CASE WHEN throttle.expires_at <= excluded.last_at THEN 1 ELSE throttle.failures + 1 END,
		first_at = CASE WHEN throttle.expires_at <= excluded.last_at THEN excluded.last_at ELSE throttle.first_at END,
		last_at = excluded.last_at,
		expires_at = excluded.expires_at
	RETURNING failures, first_at, last_at`

// Fail counts one more failure in a bucket, for all processes, and gives the new
// count. A bucket starts again when nothing failed in it for the length of
// window, at most 31 days. The bucket's name is stored as a keyed hash. An error
// (ErrUnavailable, ErrInvalid) means that nothing was counted: refuse.
func (s *Store) Fail(ctx context.Context, bucket string, window time.Duration) (Failures, error) {
	counts, err := s.failAll(ctx, []Window{{Bucket: bucket, Length: window}}, true)
	if err != nil {
		return Failures{}, err
	}
	return counts[0], nil
}

func (f *Failures) scan(scan func(...any) error) error {
	var first, last int64
	err := scan(&f.Count, &first, &last)
	f.First, f.Last = when(first), when(last)
	return err
}

// Failures reads a bucket without counting. An error means that the count is not
// known: refuse.
func (s *Store) Failures(ctx context.Context, bucket string) (Failures, error) {
	var f Failures
	err := s.oneFunc(ctx, "failures",
		"SELECT failures, first_at, last_at FROM throttle WHERE bucket = ? AND expires_at > ?",
		[]any{s.bucket(bucketFailures, bucket), micros(s.clock())}, f.scan)
	if isNotFound(err) {
		return Failures{}, nil
	}
	return f, err
}

// Clear empties a bucket: a success, or an administrator.
func (s *Store) Clear(ctx context.Context, bucket string) error {
	return s.clearAll(ctx, []string{bucket}, true)
}

const gateQuery = `INSERT INTO throttle (bucket, failures, first_at, last_at, expires_at) VALUES (?, 0, ?, ?, ?)
	ON CONFLICT (bucket) DO UPDATE SET last_at = excluded.last_at, expires_at = excluded.expires_at
		WHERE throttle.expires_at <= excluded.last_at OR throttle.last_at > excluded.last_at
	RETURNING last_at`

// Gate lets one call through each every, for all processes together: it gives 0
// to that call, and to the others how long to wait. Those who are refused do not
// prolong the wait. An error means that nobody was let through.
func (s *Store) Gate(ctx context.Context, bucket string, every time.Duration) (wait time.Duration, err error) {
	if err := checkWindow(every); err != nil {
		return 0, s.fail(ctx, "gate", err)
	}
	now := s.clock()
	at := micros(now)
	key := s.bucket(bucketGate, bucket)
	var expires int64
	// Refused calls are many in a flood, so they read and do not write.
	err = s.one(ctx, "gate", "SELECT expires_at FROM throttle WHERE bucket = ? AND expires_at > ? AND last_at <= ?",
		[]any{key, at, at}, &expires)
	if err == nil {
		return when(expires).Sub(now), nil
	}
	if !isNotFound(err) {
		return 0, err
	}
	err = s.write(ctx, "gate", func(ctx context.Context, t *tx) error {
		wait = 0
		err := t.row(ctx, gateQuery, key, at, at, micros(now.Add(every))).Scan(&expires)
		if errors.Is(err, sql.ErrNoRows) { // somebody came through since we looked
			wait = every
			return nil
		}
		return err
	})
	return wait, err
}

// purgeThrottle deletes what ran out, and of too many rows those that count
// least and are oldest: filling the table does not help a bucket that is hot.
func (s *Store) purgeThrottle(ctx context.Context) error {
	return s.write(ctx, "tidy failures", func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, "DELETE FROM throttle WHERE expires_at <= ?", micros(s.clock())); err != nil {
			return err
		}
		var rows int
		if err := t.row(ctx, "SELECT count(*) FROM throttle").Scan(&rows); err != nil || rows <= s.maxRows {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM throttle WHERE bucket IN
			(SELECT bucket FROM throttle ORDER BY failures, last_at LIMIT ?)`, rows-s.maxRows)
		return err
	})
}
