package mirror

import (
	"context"
	"time"
)

// FeedState is where the feed of a directory stands.
type FeedState struct {
	Cookie      string    // as the server gave it
	Fingerprint string    // of the settings that the cookie belongs to
	CompletedAt time.Time // of the last complete refresh; zero: none yet
}

// FeedState is what the last batch and the last refresh left.
func (m *Mirror) FeedState(ctx context.Context, dir string) (FeedState, error) {
	rank, err := m.rank(dir)
	if err != nil {
		return FeedState{}, err
	}
	var s FeedState
	var cookie, fingerprint []byte
	var completed int64
	err = m.row(ctx, "SELECT cookie, fingerprint, completed FROM directory WHERE rank=?", []any{rank}, &cookie, &fingerprint, &completed)
	s.Cookie, s.Fingerprint = string(cookie), string(fingerprint)
	if completed != 0 {
		s.CompletedAt = time.Unix(0, completed)
	}
	return s, err
}

// SetFeedState stores a cookie and its fingerprint; CompletedAt is not taken
// over, only Refresh.Complete sets it. Before a full resync with new settings,
// store the new fingerprint with an empty cookie.
func (m *Mirror) SetFeedState(ctx context.Context, dir string, s FeedState) error {
	rank, err := m.rank(dir)
	if err != nil {
		return err
	}
	return m.update(ctx, func(t *tx) error {
		return t.exec("UPDATE directory SET cookie=?, fingerprint=? WHERE rank=?", []byte(s.Cookie), []byte(s.Fingerprint), rank)
	})
}
