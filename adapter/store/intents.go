package store

import (
	"context"
	"database/sql"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"time"
)

// The kinds of change that are noted before a directory is asked.
const (
	IntentCreate   = "create"
	IntentRename   = "rename"
	IntentPassword = "password"
	IntentDisable  = "disable"
	IntentDelete   = "delete"
	// IntentAdmit: a person is made who then sets the password of his choice. Until
	// that is done the entry has the first password of the intent.
	IntentAdmit = "admit"
	IntentEdit  = "edit" // anything else that something here depends on
)

// keepIntents is how long ended intents stay, for Begin to count them.
const keepIntents = 10 * time.Minute

const maxIntentText = 8 << 10

// Intent is a change of a directory that is under way.
type Intent struct {
	ID        int64
	Kind      string
	UID       int64  // of a person; 0: none, or a group
	Directory string // of the entry
	Stable    string // permanent id; "" while it is being made
	Name      string // login name before the change, or of the new entry
	DN        string // before the change
	Group     bool
	Actor     string
	KeyID     int64 // the key that the change is asked for with, while it is new; 0: none
	Address   string
	RequestID string
	Version   string       // of the entry before the change; "" where it has none
	Extras    *ExtraChange // what follows in stored attributes; nil: nothing
	Created   time.Time
}

// subject names the entry for stored attributes.
func (i Intent) subject() ExtraSubject {
	x := ExtraSubject{Kind: KindPerson, Directory: i.Directory, Stable: i.Stable}
	if i.Group {
		x.Kind = KindGroup
	}
	return x
}

func (i Intent) closes() bool { return i.Kind == IntentDisable || i.Kind == IntentDelete }

// BeginIntent notes a change before it is made. owner names this process; the
// intent is its own for the length of the lease, see RenewIntents. From here on a
// person whose account is to be closed cannot sign in.
//
// ErrExhausted: the actor has closed limit accounts within window already; with
// limit 0 there is none. With Extras also ErrConflict (another entry has the
// external id), ErrStale and ErrInvalid. A *KeyRefusal when the key ended.
func (s *Store) BeginIntent(ctx context.Context, i Intent, owner string, lease time.Duration, limit int, window time.Duration) (int64, error) {
	now := s.clock()
	extras, err := i.extrasText()
	if err != nil {
		return 0, s.fail(ctx, "begin a change", err)
	}
	var id int64
	err = s.write(ctx, "begin a change", func(ctx context.Context, t *tx) error {
		if err := t.keyIsGood(ctx, i.KeyID, now); err != nil {
			return err
		}
		if i.closes() && limit > 0 {
			if err := t.mayClose(ctx, i.Actor, now, limit, window); err != nil {
				return err
			}
		}
		closes := 0
		if i.closes() {
			closes = 1
		}
		kind := i.Kind
		if i.Group {
			kind = "group " + kind
		}
		err := t.row(ctx, `INSERT INTO write_intents (kind, closes, uid, directory, stable, name, dn, actor, address, request_id,
			owner, lease_until, created_at, extras, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			kind, closes, i.UID, i.Directory, i.Stable, clean(i.Name, maxIntentText), clean(i.DN, maxIntentText), clean(i.Actor, maxActorLen),
			clean(i.Address, maxActorLen), clean(i.RequestID, maxActorLen), owner, micros(now.Add(lease)), micros(now),
			extras, clean(i.Version, maxActorLen)).Scan(&id)
		if err == nil && extras != "" {
			err = t.reserveExtras(ctx, i.subject(), i.Extras, id)
		}
		if err != nil || closes == 0 || i.UID == 0 {
			return err
		}
		return t.setClosing(ctx, i.UID)
	})
	return id, err
}

// FirstPassword is the password that an entry has between being made and getting
// the one that its owner chose. It follows from the number of the intent, so that
// after a crash it is known still, to nobody but us.
func (s *Store) FirstPassword(intent int64) string {
	sum := mac(s.macs.loginKeys, []byte("first password"), uidBytes(intent))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]) + "-a1"
}

// extrasText is what an intent's row holds of stored attributes.
func (i Intent) extrasText() (string, error) {
	if i.Extras.Empty() {
		return "", nil
	}
	if err := i.Extras.valid(); err != nil {
		return "", err
	}
	text, err := json.Marshal(i.Extras)
	return string(text), err
}

// keyIsGood refuses a change whose key ended since it was looked up.
func (t *tx) keyIsGood(ctx context.Context, id int64, now time.Time) error {
	if id == 0 {
		return nil
	}
	var good int
	err := t.row(ctx, "SELECT count(*) FROM api_keys WHERE id = ? AND revoked_at = 0 AND (expires_at = 0 OR expires_at > ?)",
		id, micros(now)).Scan(&good)
	if err == nil && good == 0 {
		err = &KeyRefusal{Reason: RefusedRevoked, KeyID: id}
	}
	return err
}

// mayClose refuses one who closed too many accounts already.
func (t *tx) mayClose(ctx context.Context, actor string, now time.Time, limit int, window time.Duration) error {
	var n int
	err := t.row(ctx, "SELECT count(*) FROM write_intents WHERE actor = ? AND created_at > ? AND closes = 1",
		clean(actor, maxActorLen), micros(now.Add(-window))).Scan(&n)
	if err == nil && n >= limit {
		err = fmt.Errorf("%w: %d accounts closed in %s", ErrExhausted, n, window)
	}
	return err
}

// setClosing makes locals.closing what the open intents say.
func (t *tx) setClosing(ctx context.Context, uid int64) error {
	if err := t.lockPerson(ctx, uid); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "INSERT INTO locals (uid) VALUES (?) ON CONFLICT (uid) DO NOTHING", uid); err != nil {
		return err
	}
	_, err := t.exec(ctx, `UPDATE locals SET revision = revision + 1, closing =
		(SELECT count(*) FROM write_intents WHERE uid = ? AND closes = 1 AND ended_at = 0) WHERE uid = ?`, uid, uid)
	if err != nil {
		return err
	}
	return t.changed(ctx, TableLocals, uid)
}

// Aftermath is what becomes of a person's local data when an intent ends.
type Aftermath uint8

// The outcomes.
const (
	// LeaveAlone: nothing, the change was not made or does not touch it.
	LeaveAlone Aftermath = iota
	// EndSessions: the sessions end.
	EndSessions
	// CloseAccount: sessions, app passwords, mobile and other codes, login keys and
	// API keys of the person end.
	CloseAccount
	// ForgetAll: that, and all else that is stored of the person, see ForgetPerson.
	ForgetAll
)

// Ending is how a change came out.
type Ending struct {
	Then Aftermath
	Done bool   // it was made: the stored attributes follow it
	Made string // permanent id of an entry that it made
	Gone bool   // the entry is gone, and with it what is stored of it
}

// EndIntent ends an intent, with what follows locally and its records in the
// security log, in one transaction. Twice does nothing the second time.
func (s *Store) EndIntent(ctx context.Context, id int64, end Ending, note ...Record) error {
	return s.write(ctx, "end a change", func(ctx context.Context, t *tx) error {
		var uid, closes int64
		var kind, extras string
		x := ExtraSubject{Kind: KindPerson}
		err := t.row(ctx, `UPDATE write_intents SET ended_at = ? WHERE id = ? AND ended_at = 0
			RETURNING uid, closes, kind, directory, stable, extras`, micros(s.clock()), id).Scan(&uid, &closes, &kind, &x.Directory, &x.Stable, &extras)
		if isNoRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, group := cutGroup(kind); group {
			x.Kind = KindGroup
		}
		if err := t.endExtras(ctx, id, x, extras, end); err != nil {
			return err
		}
		if uid != 0 {
			if err := t.follow(ctx, uid, end.Then); err != nil {
				return err
			}
			if closes != 0 {
				if err := t.setClosing(ctx, uid); err != nil {
					return err
				}
			}
		}
		return t.note(ctx, note)
	})
}

func isNoRows(err error) bool { return err == sql.ErrNoRows } //nolint:errorlint // straight from Scan

func (t *tx) follow(ctx context.Context, uid int64, then Aftermath) error {
	if then == LeaveAlone {
		return nil
	}
	if err := t.lockPerson(ctx, uid); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "INSERT INTO locals (uid) VALUES (?) ON CONFLICT (uid) DO NOTHING", uid); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "UPDATE locals SET closings = closings + 1, revision = revision + 1 WHERE uid = ?", uid); err != nil {
		return err
	}
	if err := t.changed(ctx, TableLocals, uid); err != nil {
		return err
	}
	switch then {
	case EndSessions:
		return t.endSessionsOf(ctx, uid)
	case ForgetAll:
		return t.forgetPerson(ctx, uid)
	default:
		return t.closeAccount(ctx, uid)
	}
}

// closeAccount ends every way in that is stored here.
func (t *tx) closeAccount(ctx context.Context, uid int64) error {
	for _, table := range []string{"app_passwords", "mobile_codes", "onetime_codes", "login_keys"} {
		if _, err := t.exec(ctx, "DELETE FROM "+table+" WHERE uid = ?", uid); err != nil {
			return err
		}
	}
	if err := t.endSessionsOf(ctx, uid); err != nil {
		return err
	}
	return t.revokeKeysOf(ctx, uid)
}

// notClosing refuses what gives a way in to somebody whose account is being closed.
// The caller has locked the person.
func (t *tx) notClosing(ctx context.Context, uid int64) error {
	var closing int64
	err := t.row(ctx, "SELECT closing FROM locals WHERE uid = ?", uid).Scan(&closing)
	if err != nil && !isNoRows(err) {
		return err
	}
	if closing != 0 {
		return fmt.Errorf("%w: the account of person %d is being closed", ErrConflict, uid)
	}
	return nil
}

// RenewIntents keeps the open intents of a process its own.
func (s *Store) RenewIntents(ctx context.Context, owner string, lease time.Duration) error {
	return s.write(ctx, "renew changes", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE write_intents SET lease_until = ? WHERE owner = ? AND ended_at = 0",
			micros(s.clock().Add(lease)), owner)
		return err
	})
}

// MarkIntent notes which entry a change that makes one has made. It is not complete
// before the intent ends.
func (s *Store) MarkIntent(ctx context.Context, id int64, stable string) error {
	return s.write(ctx, "mark a change", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE write_intents SET stable = ? WHERE id = ? AND ended_at = 0", stable, id)
		return err
	})
}

// ReleaseIntent lets an intent be claimed at once: its outcome is not known here.
func (s *Store) ReleaseIntent(ctx context.Context, id int64) error {
	return s.write(ctx, "release a change", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "UPDATE write_intents SET owner = '', lease_until = 0 WHERE id = ? AND ended_at = 0", id)
		return err
	})
}

// ClaimIntents hands out at most limit open intents whose process is gone; they
// are the owner's from then on.
func (s *Store) ClaimIntents(ctx context.Context, owner string, lease time.Duration, limit int) ([]Intent, error) {
	now := s.clock()
	var waiting int
	err := s.one(ctx, "open changes", "SELECT count(*) FROM write_intents WHERE ended_at = 0 AND lease_until <= ?", []any{micros(now)}, &waiting)
	if err != nil || waiting == 0 {
		return nil, err
	}
	var list []Intent
	err = s.write(ctx, "claim changes", func(ctx context.Context, t *tx) error {
		list = nil
		return t.each(ctx, `UPDATE write_intents SET owner = ?, lease_until = ? WHERE ended_at = 0 AND lease_until <= ? AND id IN
			(SELECT id FROM write_intents WHERE ended_at = 0 AND lease_until <= ? ORDER BY id LIMIT ?)
			RETURNING id, kind, uid, directory, stable, name, dn, actor, address, request_id, version, extras, created_at`,
			[]any{owner, micros(now.Add(lease)), micros(now), micros(now), limit}, func(rows *sql.Rows) error {
				i, err := scanIntent(rows)
				list = append(list, i)
				return err
			})
	})
	return list, err
}

func cutGroup(kind string) (string, bool) {
	const prefix = "group "
	if len(kind) > len(prefix) && kind[:len(prefix)] == prefix {
		return kind[len(prefix):], true
	}
	return kind, false
}

// ListIntents are the changes under way, at most 1000, the oldest first.
func (s *Store) ListIntents(ctx context.Context) ([]Intent, error) {
	var list []Intent
	err := s.many(ctx, "open changes", `SELECT id, kind, uid, directory, stable, name, dn, actor, address, request_id, version, extras, created_at
		FROM write_intents WHERE ended_at = 0 ORDER BY id LIMIT 1000`, nil, func(rows *sql.Rows) error {
		i, err := scanIntent(rows)
		list = append(list, i)
		return err
	})
	return list, err
}

func scanIntent(rows *sql.Rows) (Intent, error) {
	var i Intent
	var created int64
	var extras string
	err := rows.Scan(&i.ID, &i.Kind, &i.UID, &i.Directory, &i.Stable, &i.Name, &i.DN, &i.Actor, &i.Address, &i.RequestID, &i.Version, &extras, &created)
	i.Created = when(created)
	if extras != "" && err == nil {
		i.Extras = new(ExtraChange)
		err = json.Unmarshal([]byte(extras), i.Extras)
	}
	if kind, ok := cutGroup(i.Kind); ok {
		i.Kind, i.Group = kind, true
	}
	return i, err
}

// OpenIntents is how many changes are under way or wait for their outcome to be
// found out.
func (s *Store) OpenIntents(ctx context.Context) (int, error) {
	var n int
	err := s.one(ctx, "open changes", "SELECT count(*) FROM write_intents WHERE ended_at = 0", nil, &n)
	return n, err
}

// purgeIntents deletes those that ended a while ago.
func (s *Store) purgeIntents(ctx context.Context) error {
	return s.write(ctx, "tidy changes", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM write_intents WHERE ended_at <> 0 AND ended_at < ?", micros(s.clock().Add(-keepIntents)))
		return err
	})
}
