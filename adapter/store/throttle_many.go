package store

import (
	"context"
	"time"
)

// Window is a bucket and the time after which it starts again.
type Window struct {
	Bucket string
	Length time.Duration
}

// FailAll is Fail for several buckets, in one transaction; the counts come in
// their order. Name the buckets always in the same order. The watchers are not
// told: whoever uses it must not keep what Failures gave.
func (s *Store) FailAll(ctx context.Context, windows ...Window) ([]Failures, error) {
	return s.failAll(ctx, windows, false)
}

func (s *Store) failAll(ctx context.Context, windows []Window, tell bool) ([]Failures, error) {
	for _, w := range windows {
		if err := checkWindow(w.Length); err != nil {
			return nil, s.fail(ctx, "count failure", err)
		}
	}
	now := s.clock()
	at := micros(now)
	counts := make([]Failures, len(windows))
	err := s.write(ctx, "count failure", func(ctx context.Context, t *tx) error {
		for i, w := range windows {
			row := t.row(ctx, failQuery, s.bucket(bucketFailures, w.Bucket), at, at, micros(now.Add(w.Length)))
			if err := counts[i].scan(row.Scan); err != nil {
				return err
			}
		}
		if !tell {
			return nil
		}
		return t.changed(ctx, TableFailures, 0)
	})
	if err != nil {
		return nil, err
	}
	s.tidyFailures(ctx, int64(len(windows)))
	return counts, nil
}

// tidyFailures keeps the table bounded between two runs of Maintain.
func (s *Store) tidyFailures(ctx context.Context, added int64) {
	limit := int64(s.maxRows/4) + 1
	after := s.fails.Add(added)
	if after < limit || after-added >= limit {
		return
	}
	if err := s.Maintain(ctx); err != nil {
		s.log.Warn("failure counters could not be tidied", "error", err)
	}
}

// ClearAll is Clear for several buckets, in one transaction. The watchers are
// not told, as with FailAll.
func (s *Store) ClearAll(ctx context.Context, buckets ...string) error {
	return s.clearAll(ctx, buckets, false)
}

func (s *Store) clearAll(ctx context.Context, buckets []string, tell bool) error {
	return s.write(ctx, "clear failures", func(ctx context.Context, t *tx) error {
		for _, b := range buckets {
			if _, err := t.exec(ctx, "DELETE FROM throttle WHERE bucket = ?", s.bucket(bucketFailures, b)); err != nil {
				return err
			}
		}
		if !tell {
			return nil
		}
		return t.changed(ctx, TableFailures, 0)
	})
}

// Unfail takes back one failure of each bucket, in one transaction: what was
// counted before it was known turned out to be none.
func (s *Store) Unfail(ctx context.Context, buckets ...string) error {
	return s.write(ctx, "take back failures", func(ctx context.Context, t *tx) error {
		for _, b := range buckets {
			_, err := t.exec(ctx, "UPDATE throttle SET failures = failures - 1 WHERE bucket = ? AND failures > 0", s.bucket(bucketFailures, b))
			if err != nil {
				return err
			}
		}
		return t.changed(ctx, TableFailures, 0)
	})
}
