package store

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// TableKeys is the table that a Watch names when an API key was made or revoked;
// ID is the key's id.
const TableKeys = "api_keys"

const (
	maxLabelLen = 255
	maxKeyLen   = 512
	keySecret   = 26 // characters of rand.Text
	keyCheck    = 7  // characters of the check sum
)

// NewKey says what an API key shall be.
type NewKey struct {
	API      string    // action, integration, usermanagement, collaboration or scim
	Level    string    // what it may do, in the words of the API
	Label    string    // for people
	Expires  time.Time // zero: never
	Enforced bool      // false: a level too low is logged, not refused
	User     int64     // numeric id of the one person it stands for; 0: none
	Org      string    // the one organisation it is good for; "": none
	Units    string    // the organisation's units that it is limited to, one a line; "": all
	Grant
	Value string `json:"-"` // an existing key of another system; "": make one
}

// Grant is what only keys for SCIM have.
type Grant struct {
	Scopes    string // read, write, password, with commas
	Domain    string // provisioning domain whose external ids it sees
	Profile   string // how its requests are read
	Directory string // where it creates; "": the first that may be written
}

// Format keeps the key out of every printed form.
func (n NewKey) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{API:%s Level:%s Label:%s Value:***}", n.API, n.Level, n.Label)
}

// Key is an API key as stored: without the key.
type Key struct {
	ID       int64
	API      string
	Level    string
	Label    string
	Enforced bool
	User     int64
	Org      string
	Units    string // one a line; "": all of the organisation
	Created  time.Time
	Expires  time.Time // zero: never
	Revoked  time.Time // zero: not
	LastUsed time.Time // zero: never; written now and then, not with each use
	Grant
}

// Refusal says why a key opens nothing.
type Refusal string

// The reasons, for the log only: towards the caller all are alike.
const (
	RefusedUnknown   Refusal = "unknown"
	RefusedMalformed Refusal = "unknown, check sum wrong" // shaped like ours, but mistyped or invented
	RefusedEmpty     Refusal = "empty"
	RefusedRevoked   Refusal = "revoked"
	RefusedExpired   Refusal = "expired"
	RefusedOtherAPI  Refusal = "made for another API"
)

// KeyRefusal is the error of LookupKey; it wraps ErrKeyRefused.
type KeyRefusal struct {
	Reason Refusal
	KeyID  int64 // 0 when the key is unknown
}

// Error names the reason; it is for the log.
func (r *KeyRefusal) Error() string {
	return fmt.Sprintf("store: %v: %s", ErrKeyRefused, r.Reason)
}

// Unwrap gives ErrKeyRefused.
func (r *KeyRefusal) Unwrap() error { return ErrKeyRefused }

// keyPrefix makes a key recognisable, for people and for programs that look for
// secrets where none belong. "" for an API that does not exist.
func keyPrefix(api string) string {
	switch api {
	case "action":
		return "pk_a_"
	case "integration":
		return "pk_i_"
	case "usermanagement":
		return "pk_u_"
	case "collaboration":
		return "pk_c_"
	case "scim":
		return "pk_s_"
	}
	return ""
}

// makeKey is prefix, 130 random bits and a check sum: letters, digits and "_".
func makeKey(api string) string {
	body := keyPrefix(api) + rand.Text()
	return body + checkSum(body)
}

// checkSum lets a mistyped key be told from an unknown one; it protects nothing.
func checkSum(body string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	sum := crc32.ChecksumIEEE([]byte(body))
	var out [keyCheck]byte
	for i := range out {
		out[i] = digits[sum&31]
		sum >>= 5
	}
	return string(out[:])
}

// MadeKey tells whether text has the form of a key that was made here, with the
// right check sum.
func MadeKey(text string) bool { return strings.HasPrefix(text, "pk_") && !mistyped(text) }

// mistyped tells whether a key looks like one of ours but is none.
func mistyped(plain string) bool {
	if !strings.HasPrefix(plain, "pk_") {
		return false
	}
	cut := len(plain) - keyCheck
	return cut != len("pk_a_")+keySecret || checkSum(plain[:cut]) != plain[cut:]
}

// CreateKey makes an API key, or takes over n.Value. The plain key is returned
// once and kept nowhere. The records that note makes of it go into the security log
// together with the key. ErrConflict when that key is there already or the
// account of n.User is being closed, ErrNotFound when n.User is nobody, ErrInvalid, ErrUnavailable.
func (s *Store) CreateKey(ctx context.Context, n NewKey, note ...func(plain string) Record) (Key, string, error) {
	plain := n.Value
	if plain == "" {
		plain = makeKey(n.API)
	}
	if err := checkNewKey(n, plain); err != nil {
		return Key{}, "", s.fail(ctx, "create key", err)
	}
	key := Key{
		API: n.API, Level: clean(n.Level, maxLabelLen), Label: clean(n.Label, maxLabelLen),
		Enforced: n.Enforced, User: n.User, Org: clean(n.Org, maxLabelLen), Units: n.Units,
		Grant: n.Grant, Created: when(micros(s.clock())), Expires: when(micros(n.Expires)),
	}
	user := sql.NullInt64{Int64: n.User, Valid: n.User != 0}
	err := s.write(ctx, "create key", func(ctx context.Context, t *tx) error {
		if user.Valid {
			var id int64
			if err := t.row(ctx, "SELECT id FROM person_ids WHERE id = ?"+s.dialect.forUpdate, n.User).Scan(&id); err != nil {
				return err
			}
			if err := t.notClosing(ctx, n.User); err != nil {
				return err
			}
		}
		err := t.row(ctx, `INSERT INTO api_keys (api, hash, level, label, enforced, user_uid, org, units, created_at, expires_at,
			scopes, domain, profile, directory) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			key.API, s.keyHash(plain), key.Level, key.Label, key.Enforced, user, key.Org, key.Units,
			micros(key.Created), micros(key.Expires), key.Scopes, key.Domain, key.Profile, key.Directory).Scan(&key.ID)
		if err != nil {
			return err
		}
		if err := t.changed(ctx, TableKeys, key.ID); err != nil {
			return err
		}
		records := make([]Record, len(note))
		for i, of := range note {
			records[i] = of(plain)
		}
		return t.note(ctx, records)
	})
	if err != nil {
		return Key{}, "", err
	}
	return key, plain, nil
}

func checkNewKey(n NewKey, plain string) error {
	if keyPrefix(n.API) == "" {
		return invalidf("there is no API %q", n.API)
	}
	if len(plain) > maxKeyLen {
		return invalidf("an API key has at most %d bytes", maxKeyLen)
	}
	for _, r := range plain {
		if r <= ' ' || r == 0x7f {
			return invalidf("an API key has no white space and no control characters")
		}
	}
	return nil
}

func (s *Store) keyHash(plain string) []byte { return mac(s.macs.apiKeys, []byte(plain)) }

const keyColumns = `id, api, hash, level, label, enforced, user_uid, org, units,
	created_at, expires_at, revoked_at, used_at, scopes, domain, profile, directory`

func scanKey(scan func(...any) error) (Key, []byte, error) {
	var k Key
	var hash []byte
	var user sql.NullInt64
	var created, expires, revoked, used int64
	err := scan(&k.ID, &k.API, &hash, &k.Level, &k.Label, &k.Enforced, &user, &k.Org, &k.Units,
		&created, &expires, &revoked, &used, &k.Scopes, &k.Domain, &k.Profile, &k.Directory)
	k.User = user.Int64
	k.Created, k.Expires, k.Revoked, k.LastUsed = when(created), when(expires), when(revoked), when(used)
	return k, hash, err
}

// LookupKey finds the key that was presented to an API. What is presented is
// always hashed and looked up, whatever its shape; then its state is checked.
// The error is a *KeyRefusal, or wraps ErrUnavailable.
func (s *Store) LookupKey(ctx context.Context, api, plain string) (Key, error) {
	hash := s.keyHash(plain)
	var k Key
	var stored []byte
	err := s.oneFunc(ctx, "look up key", "SELECT "+keyColumns+" FROM api_keys WHERE hash = ?", []any{hash},
		func(scan func(...any) error) (err error) {
			k, stored, err = scanKey(scan)
			return err
		})
	if err != nil && !isNotFound(err) {
		return Key{}, err
	}
	if err != nil || subtle.ConstantTimeCompare(hash, stored) != 1 {
		reason := RefusedUnknown
		switch {
		case plain == "":
			reason = RefusedEmpty
		case mistyped(plain):
			reason = RefusedMalformed
		}
		return Key{}, &KeyRefusal{Reason: reason}
	}
	if reason := k.refusal(api, s.clock()); reason != "" {
		return Key{}, &KeyRefusal{Reason: reason, KeyID: k.ID}
	}
	return k, nil
}

// Usable tells whether a key that was looked up before is still good for an API
// at a time; for callers that keep keys in memory.
func (k Key) Usable(api string, now time.Time) bool { return k.refusal(api, now) == "" }

func (k Key) refusal(api string, now time.Time) Refusal {
	switch {
	case k.API != api:
		return RefusedOtherAPI
	case !k.Revoked.IsZero():
		return RefusedRevoked
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return RefusedExpired
	}
	return ""
}

// Key reads one key by its id. ErrNotFound.
func (s *Store) Key(ctx context.Context, id int64) (Key, error) {
	var k Key
	err := s.oneFunc(ctx, "key", "SELECT "+keyColumns+" FROM api_keys WHERE id = ?", []any{id},
		func(scan func(...any) error) (err error) {
			k, _, err = scanKey(scan)
			return err
		})
	return k, err
}

// ListKeys lists the keys of an API by their ids, of all with "", the revoked
// and expired ones included.
func (s *Store) ListKeys(ctx context.Context, api string) ([]Key, error) {
	keys := []Key{}
	err := s.many(ctx, "list keys", "SELECT "+keyColumns+" FROM api_keys WHERE api = ? OR ? = '' ORDER BY id",
		[]any{api, api}, func(rows *sql.Rows) error {
			k, _, err := scanKey(rows.Scan)
			keys = append(keys, k)
			return err
		})
	return keys, err
}

// RevokeKey ends a key and writes the records of note with it. A second time changes
// nothing and writes nothing. ErrNotFound.
func (s *Store) RevokeKey(ctx context.Context, id int64, note ...Record) error {
	return s.write(ctx, "revoke key", func(ctx context.Context, t *tx) error {
		var revoked int64
		if err := t.row(ctx, "SELECT revoked_at FROM api_keys WHERE id = ?"+s.dialect.forUpdate, id).Scan(&revoked); err != nil {
			return err
		}
		if revoked != 0 {
			return nil
		}
		if _, err := t.exec(ctx, "UPDATE api_keys SET revoked_at = ? WHERE id = ?", micros(s.clock()), id); err != nil {
			return err
		}
		if err := t.changed(ctx, TableKeys, id); err != nil {
			return err
		}
		return t.note(ctx, note)
	})
}

// TouchKeys stores when keys were used last, in one transaction; an older time
// than the stored one changes nothing. Unknown ids are passed over. Nobody is told.
func (s *Store) TouchKeys(ctx context.Context, used map[int64]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	ids := sortedKeys(used) // always the same order: no deadlock between processes
	return s.write(ctx, "touch keys", func(ctx context.Context, t *tx) error {
		for _, id := range ids {
			at := micros(used[id])
			if _, err := t.exec(ctx, "UPDATE api_keys SET used_at = ? WHERE id = ? AND used_at < ?", at, id, at); err != nil {
				return err
			}
		}
		return nil
	})
}
