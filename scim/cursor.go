package scim

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"portico/scim/fault"
)

// cursors seals where a list goes on (RFC 9865). A cursor holds the place behind the last resource, not a handle: any
// process with the key can go on with it, also after a restart. It is bound to the query, the principal and the page
// size, and to the time when it was made.
type cursors struct {
	seal cipher.AEAD
	ttl  time.Duration
	now  func() time.Time
}

func newCursors(key []byte, ttl time.Duration, now func() time.Time) (*cursors, error) {
	if len(key) != chacha20poly1305.KeySize {
		return nil, errors.New("scim: CursorKey: want 32 bytes")
	}
	seal, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("scim: cursors: %w", err)
	}
	return &cursors{seal: seal, ttl: ttl, now: now}, nil
}

// cursorVersion is the first byte of what is sealed.
const cursorVersion = 1

const cursorHead = 1 + 8 + 4 // version, seconds, page size

// make gives the cursor for a place. binding identifies query and principal.
func (c *cursors) make(binding [sha256.Size]byte, count int, place []byte) string {
	nonce := make([]byte, c.seal.NonceSize(), c.seal.NonceSize()+cursorHead+len(place)+c.seal.Overhead())
	_, _ = rand.Read(nonce) // never fails
	plain := make([]byte, 0, cursorHead+len(place))
	plain = append(plain, cursorVersion)
	plain = binary.BigEndian.AppendUint64(plain, uint64(c.now().Unix()))
	plain = binary.BigEndian.AppendUint32(plain, uint32(count))
	plain = append(plain, place...)
	return base64.RawURLEncoding.EncodeToString(c.seal.Seal(nonce, nonce, plain, binding[:]))
}

// open reads a cursor. Errors: 400 invalidCursor for whatever was not made for this query and principal, 400
// expiredCursor.
func (c *cursors) open(text string, binding [sha256.Size]byte) (count int, place []byte, err error) {
	invalid := fault.Bad(fault.InvalidCursor, "the cursor is none of this service, or was made for another query")
	if len(text) > 16<<10 {
		return 0, nil, invalid
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) < c.seal.NonceSize() {
		return 0, nil, invalid
	}
	nonce, sealed := sealed[:c.seal.NonceSize()], sealed[c.seal.NonceSize():]
	plain, err := c.seal.Open(nil, nonce, sealed, binding[:])
	if err != nil || len(plain) < cursorHead || plain[0] != cursorVersion {
		return 0, nil, invalid
	}
	made := time.Unix(int64(binary.BigEndian.Uint64(plain[1:])), 0)
	if age := c.now().Sub(made); age > c.ttl {
		return 0, nil, fault.Bad(fault.ExpiredCursor, "the cursor is too old: begin again")
	}
	return int(binary.BigEndian.Uint32(plain[9:])), plain[cursorHead:], nil
}

// bind digests what a cursor belongs to. Every part is preceded by its length, so that none can pass for another.
func bind(parts ...string) [sha256.Size]byte {
	h := sha256.New()
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}
