package store

import (
	"context"
	"encoding/hex"
	"errors"
	"time"
)

const (
	tableSessions   = "sessions"
	maxSessionData  = 16 << 10
	maxSessionToken = 256
	// maxSessions bounds the table: of too many, those of nobody go first.
	maxSessions = 200_000
)

func (s *Store) sessionHash(token string) []byte { return mac(s.macs.sessions, []byte(token)) }

// AnyEpoch stands for "not known": no look is taken at it.
const AnyEpoch = -1

// PutSession stores what a session holds, encrypted; uid is whose it is, 0 while
// that is not known, and epoch is Local.Closings as it was before the person was
// let in. A session that was ended stays ended, and a new one is ended from the
// start while the account is being closed or after epoch has passed: who was let
// in a moment before the account was closed is not kept. ErrInvalid when it is too
// large.
func (s *Store) PutSession(ctx context.Context, token string, uid, epoch int64, data []byte, expires time.Time) error {
	if token == "" || len(token) > maxSessionToken || len(data) > maxSessionData {
		return s.fail(ctx, "session", invalidf("%d bytes in a session", len(data)))
	}
	hash := s.sessionHash(token)
	sealed := s.box.seal(data, tableSessions, "data", hex.EncodeToString(hash))
	return s.write(ctx, "session", func(ctx context.Context, t *tx) error {
		over, err := t.epochOver(ctx, uid, epoch)
		if err != nil {
			return err
		}
		if over {
			sealed = []byte{}
		}
		_, err = t.exec(ctx, `INSERT INTO sessions (hash, uid, data, ended, expires_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (hash) DO UPDATE SET uid = excluded.uid, data = excluded.data, ended = excluded.ended, expires_at = excluded.expires_at
			WHERE sessions.ended = ?`, hash, uid, sealed, over, micros(expires), false)
		return err
	})
}

// epochOver tells whether a person's sessions were ended since epoch, or are about
// to be. It locks the person.
func (t *tx) epochOver(ctx context.Context, uid, epoch int64) (bool, error) {
	if uid == 0 || epoch == AnyEpoch {
		return false, nil
	}
	if err := t.lockPerson(ctx, uid); err != nil {
		if isNoRows(err) {
			return true, nil
		}
		return false, err
	}
	var closing, closings int64
	err := t.row(ctx, "SELECT closing, closings FROM locals WHERE uid = ?", uid).Scan(&closing, &closings)
	if isNoRows(err) {
		return epoch != 0, nil
	}
	return closing != 0 || closings != epoch, err
}

// Session reads what PutSession stored. ErrNotFound when there is no such
// session, or it ran out or was ended; ErrUnreadable.
func (s *Store) Session(ctx context.Context, token string) ([]byte, error) {
	if token == "" || len(token) > maxSessionToken {
		return nil, s.fail(ctx, "session", ErrNotFound)
	}
	hash := s.sessionHash(token)
	var sealed []byte
	err := s.one(ctx, "session", "SELECT data FROM sessions WHERE hash = ? AND ended = ? AND expires_at > ?",
		[]any{hash, false, micros(s.clock())}, &sealed)
	if err != nil {
		return nil, err
	}
	data, err := s.box.open(sealed, tableSessions, "data", hex.EncodeToString(hash))
	if err != nil {
		return nil, s.fail(ctx, "session", errors.Join(ErrUnreadable, err))
	}
	return data, nil
}

const endSessions = "UPDATE sessions SET ended = ?, data = ? WHERE ended = ? AND "

// EndSession ends one session. One that is not there is no error.
func (s *Store) EndSession(ctx context.Context, token string) error {
	hash := s.sessionHash(token)
	return s.write(ctx, "end session", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, endSessions+"hash = ?", true, []byte{}, false, hash)
		return err
	})
}

func (t *tx) endSessionsOf(ctx context.Context, uid int64) error {
	_, err := t.exec(ctx, endSessions+"uid = ?", true, []byte{}, false, uid)
	return err
}

// EndSessions ends all sessions of a person and tells how many there were.
func (s *Store) EndSessions(ctx context.Context, uid int64, note ...Record) (int64, error) {
	var ended int64
	err := s.write(ctx, "end sessions", func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, endSessions+"uid = ? AND expires_at > ?", true, []byte{}, false, uid, micros(s.clock()))
		if err != nil {
			return err
		}
		ended = n
		return t.note(ctx, note)
	})
	return ended, err
}

// purgeSessions deletes sessions that ran out, and of too many those of nobody
// that run out first, then others.
func (s *Store) purgeSessions(ctx context.Context) error {
	return s.write(ctx, "tidy sessions", func(ctx context.Context, t *tx) error {
		if _, err := t.exec(ctx, "DELETE FROM sessions WHERE expires_at <= ?", micros(s.clock())); err != nil {
			return err
		}
		var rows int
		if err := t.row(ctx, "SELECT count(*) FROM sessions").Scan(&rows); err != nil || rows <= maxSessions {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions
			ORDER BY CASE WHEN uid = 0 THEN 0 ELSE 1 END, expires_at LIMIT ?)`, rows-maxSessions)
		return err
	})
}
