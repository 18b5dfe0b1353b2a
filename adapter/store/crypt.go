package store

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	metaKeyCheck  = "key_check"
	keyCheckText  = "portico"
	sealVersion   = 1
	currentKeyID  = 1
	sealHeaderLen = 2
)

// macs are the keys of the keyed hashes, one a purpose.
type macs struct {
	apiKeys, audit, throttle                            []byte
	pins, appPasswords, mobileCodes, oneTime, loginKeys []byte
	sessions, mailTokens                                []byte
}

// deriveKeys makes all keys from the one secret.
func deriveKeys(secret []byte) (macs, *box, error) {
	var m macs
	var encryption []byte
	for _, d := range []struct {
		to   *[]byte
		info string
	}{
		{&m.apiKeys, "portico api keys v1"},
		{&m.audit, "portico security log v1"},
		{&m.throttle, "portico failure counters v1"},
		{&m.pins, "portico pins v1"},
		{&m.appPasswords, "portico app passwords v1"},
		{&m.mobileCodes, "portico mobile codes v1"},
		{&m.oneTime, "portico one-time codes v1"},
		{&m.loginKeys, "portico login keys v1"},
		{&m.sessions, "portico sessions v1"},
		{&m.mailTokens, "portico mail tokens v1"},
		{&encryption, "portico encryption v1"},
	} {
		key, err := hkdf.Key(sha256.New, secret, nil, d.info, sha256.Size)
		if err != nil {
			return macs{}, nil, err
		}
		*d.to = key
	}
	b, err := newBox(currentKeyID, map[byte][]byte{currentKeyID: encryption})
	return m, b, err
}

// mac is HMAC-SHA-256 over the parts, each with its length in front so that no
// two lists of parts give the same input.
func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

// box encrypts single values with AES-256-GCM. A sealed value is one byte of
// version, one byte naming the key, the nonce, and the ciphertext. Table, column
// and row are authenticated with it, so that a value that was copied into
// another row does not open.
type box struct {
	current byte
	keys    map[byte]cipher.AEAD
}

// newBox takes the keys by their ids; current seals, all open.
func newBox(current byte, keys map[byte][]byte) (*box, error) {
	b := &box{current: current, keys: make(map[byte]cipher.AEAD, len(keys))}
	for id, key := range keys {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		if b.keys[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, err
		}
	}
	if b.keys[current] == nil {
		return nil, fmt.Errorf("no encryption key %d", current)
	}
	return b, nil
}

// seal encrypts plain for one place in the database.
func (b *box) seal(plain []byte, table, column, row string) []byte {
	out := []byte{sealVersion, b.current}
	return b.keys[b.current].Seal(out, nil, plain, place(out, table, column, row)) //nolint:gosec // the cipher makes its own random nonce
}

// open is the reverse of seal. Its error says nothing of the content.
func (b *box) open(sealed []byte, table, column, row string) ([]byte, error) {
	if len(sealed) < sealHeaderLen || sealed[0] != sealVersion {
		return nil, errors.New("not a sealed value")
	}
	aead := b.keys[sealed[1]]
	if aead == nil {
		return nil, fmt.Errorf("sealed with encryption key %d, which is not known", sealed[1])
	}
	header := sealed[:sealHeaderLen]
	plain, err := aead.Open(nil, nil, sealed[sealHeaderLen:], place(header, table, column, row))
	if err != nil {
		return nil, errors.New("the sealed value does not open here")
	}
	return plain, nil
}

// place is the additional data: header, table, column and row with their lengths.
func place(header []byte, table, column, row string) []byte {
	out := bytes.Clone(header)
	for _, part := range []string{table, column, row} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

// checkKey proves that the secret key is the one that the database was made
// with; a new database gets its check value and the beginning of its log.
func (s *Store) checkKey(ctx context.Context) error {
	return s.writeAnyway(ctx, "secret key", func(ctx context.Context, t *tx) error {
		made, err := t.exec(ctx, "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
			metaKeyCheck, s.box.seal([]byte(keyCheckText), "meta", "value", metaKeyCheck))
		if err != nil {
			return err
		}
		if made == 1 {
			return s.audit.found(ctx, t)
		}
		var sealed []byte
		if err := t.row(ctx, "SELECT value FROM meta WHERE name = ?", metaKeyCheck).Scan(&sealed); err != nil {
			return err
		}
		plain, err := s.box.open(sealed, "meta", "value", metaKeyCheck)
		if err != nil || string(plain) != keyCheckText {
			return fmt.Errorf("%w: this database was made with another secret key; "+
				"give the key file that belongs to it, or restore both from the same backup", ErrWrongKey)
		}
		return nil
	})
}
