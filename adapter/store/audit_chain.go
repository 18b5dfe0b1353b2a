package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// The chain: digest = HMAC(salt and personal fields), hash = HMAC(hash before,
// other fields, digest). So the personal fields of a record can be removed later
// without breaking the chain, and nobody without the key can make a hash.

const (
	hashSize   = sha256.Size
	chainHead  = "head"
	chainStart = "start"

	// What is hashed begins with what it is, so that no hash can stand for another.
	tagDigest byte = 1
	tagHash   byte = 2
	tagErased byte = 3
	tagEnd    byte = 4
)

// Anchor is a place in the security log: the number of a record and its hash.
type Anchor struct {
	Seq  int64
	Hash []byte
}

// String gives "seq:hash" in decimal and hexadecimal, as ParseAnchor reads it.
func (a Anchor) String() string {
	return strconv.FormatInt(a.Seq, 10) + ":" + hex.EncodeToString(a.Hash)
}

// ParseAnchor reads what Anchor.String wrote. ErrInvalid.
func ParseAnchor(text string) (Anchor, error) {
	number, digits, _ := strings.Cut(strings.TrimSpace(text), ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	sum, hexErr := hex.DecodeString(digits)
	if err != nil || hexErr != nil || seq < 0 || len(sum) != hashSize {
		return Anchor{}, invalidf("an anchor is NUMBER:HASH")
	}
	return Anchor{Seq: seq, Hash: sum}, nil
}

// chain computes the hashes. It is not safe for concurrent use beyond readEnd
// and seal, which make their own state.
type chain struct {
	key []byte
	h   hash.Hash
	buf []byte
}

func newChain(key []byte) *chain { return &chain{key: key, h: hmac.New(sha256.New, key)} }

func (c *chain) sum(input []byte) []byte {
	c.h.Reset()
	c.h.Write(input)
	return c.h.Sum(nil)
}

func appendText(b []byte, texts ...string) []byte {
	for _, t := range texts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(t)))
		b = append(b, t...)
	}
	return b
}

// digest covers the personal fields.
func (c *chain) digest(salt []byte, r *Record) []byte {
	b := append(c.buf[:0], tagDigest)
	b = appendText(b, string(salt))
	b = binary.BigEndian.AppendUint64(b, uint64(r.UID))
	b = appendText(b, r.Actor, r.Address, r.Text)
	c.buf = b
	return c.sum(b)
}

// hash covers everything else, the digest, and the hash before.
func (c *chain) hash(before []byte, r *Record, digest []byte) []byte {
	b := append(c.buf[:0], tagHash)
	b = append(b, before...)
	for _, n := range []int64{r.Seq, micros(r.At), int64(r.Type), r.KeyID} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = appendText(b, r.RequestID)
	b = append(b, digest...)
	c.buf = b
	return c.sum(b)
}

// erasure proves that the personal fields of a record were removed by somebody
// who has the key.
func (c *chain) erasure(seq int64, digest []byte) []byte {
	b := append(c.buf[:0], tagErased)
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	b = append(b, digest...)
	c.buf = b
	return c.sum(b)
}

// seal proves an end of the chain. Safe for concurrent use.
func (c *chain) seal(name string, a Anchor) []byte {
	b := appendText([]byte{tagEnd}, name)
	b = binary.BigEndian.AppendUint64(b, uint64(a.Seq))
	return mac(c.key, append(b, a.Hash...))
}

// readEnd reads one end of the chain and checks its seal. Safe for concurrent use.
func (c *chain) readEnd(name string, scan func(...any) error) (Anchor, error) {
	var a Anchor
	var seal []byte
	err := scan(&a.Seq, &a.Hash, &seal)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Anchor{}, tampered("the %s of the chain is missing", name)
	case err != nil:
		return Anchor{}, err
	case !hmac.Equal(seal, c.seal(name, a)):
		return Anchor{}, tampered("the %s of the chain was changed", name)
	}
	return a, nil
}

// Verified is the result of a Verify that found nothing wrong.
type Verified struct {
	Records int64
	Head    Anchor
}

// ChainFault is the error of a Verify that found something wrong; it wraps ErrTampered.
type ChainFault struct {
	Seq  int64  // the first bad or missing record; 0 when an end of the chain is bad
	Text string // what is wrong with it
}

// Error names the record.
func (f *ChainFault) Error() string {
	if f.Seq == 0 {
		return fmt.Sprintf("%v: %s", ErrTampered, f.Text)
	}
	return fmt.Sprintf("%v: record %d %s", ErrTampered, f.Seq, f.Text)
}

// Unwrap gives ErrTampered.
func (f *ChainFault) Unwrap() error { return ErrTampered }

// Verify reads the whole security log as it is at this moment and proves it:
// no record was changed, added, removed or moved by anybody without the secret
// key. Cutting off the end together with an old copy of the head is seen only
// with an anchor from outside the database. The error is a *ChainFault, or
// wraps ErrUnavailable.
func (s *Store) Verify(ctx context.Context, anchors ...Anchor) (Verified, error) {
	if s.closed.Load() {
		return Verified{}, s.fail(ctx, "verify", ErrClosed)
	}
	snapshot, err := s.r.BeginTx(ctx, s.dialect.snapshot)
	if err != nil {
		return Verified{}, s.fail(ctx, "verify", err)
	}
	defer func() { _ = snapshot.Rollback() }() // it only read
	v := verifier{chain: newChain(s.macs.audit), anchors: make(map[int64][][]byte)}
	for _, a := range anchors {
		v.anchors[a.Seq] = append(v.anchors[a.Seq], a.Hash)
	}
	for name, end := range map[string]*Anchor{chainStart: &v.start, chainHead: &v.head} {
		*end, err = v.chain.readEnd(name, snapshot.QueryRowContext(ctx, s.dialect.bind(auditHeadQuery), name).Scan)
		if errors.Is(err, ErrTampered) {
			return Verified{}, &ChainFault{Text: strings.TrimPrefix(err.Error(), ErrTampered.Error()+": ")}
		}
		if err != nil {
			return Verified{}, s.fail(ctx, "verify", err)
		}
	}
	rows, err := snapshot.QueryContext(ctx, `SELECT seq, at, type, key_id, request_id, uid, actor, address, text,
		salt, digest, hash, erased FROM audit ORDER BY seq`)
	if err != nil {
		return Verified{}, s.fail(ctx, "verify", err)
	}
	v.at = v.start
	if err := scanAll(rows, v.row); err != nil {
		return Verified{}, s.fail(ctx, "verify", err)
	}
	if err := v.end(); err != nil {
		return Verified{}, s.fail(ctx, "verify", err)
	}
	return Verified{Records: v.head.Seq - v.start.Seq, Head: v.head}, nil
}

// verifier walks along the chain.
type verifier struct {
	chain       *chain
	start, head Anchor
	at          Anchor // the last good record
	anchors     map[int64][][]byte
}

func (v *verifier) row(rows *sql.Rows) error {
	r, sealed, err := scanRecord(rows)
	want := v.at.Seq + 1
	switch {
	case err != nil:
		return &ChainFault{want, "cannot be read: a column holds something else than it should"}
	case r.Seq < want:
		return &ChainFault{r.Seq, "was added before the beginning"}
	case r.Seq > v.head.Seq && want > v.head.Seq:
		return &ChainFault{r.Seq, "was added after the end"}
	case r.Seq > want:
		return &ChainFault{want, "is missing"}
	case sealed.erased != nil && !hmac.Equal(sealed.erased, v.chain.erasure(r.Seq, sealed.digest)):
		return &ChainFault{r.Seq, "was emptied"}
	case sealed.erased == nil && !hmac.Equal(sealed.digest, v.chain.digest(sealed.salt, &r)):
		return &ChainFault{r.Seq, "was changed"}
	case !hmac.Equal(sealed.hash, v.chain.hash(v.at.Hash, &r, sealed.digest)):
		return &ChainFault{r.Seq, "was changed or moved"}
	}
	v.at = Anchor{Seq: r.Seq, Hash: sealed.hash}
	for _, anchored := range v.anchors[r.Seq] {
		if !bytes.Equal(anchored, sealed.hash) {
			return &ChainFault{r.Seq, "is another one than when it was anchored"}
		}
	}
	return nil
}

// end checks that the last record is the one that the head names, and that no
// anchor lies beyond it.
func (v *verifier) end() error {
	if v.at.Seq < v.head.Seq {
		return &ChainFault{v.at.Seq + 1, "is missing: the end was cut off"}
	}
	if !bytes.Equal(v.at.Hash, v.head.Hash) {
		return &ChainFault{v.at.Seq, "is not the one that the head names"}
	}
	for seq := range v.anchors {
		if seq > v.head.Seq {
			return &ChainFault{v.head.Seq + 1, fmt.Sprintf("is missing: record %d was anchored", seq)}
		}
	}
	return nil
}

// proof are the columns of a record that prove the others.
type proof struct{ salt, digest, hash, erased []byte }

func scanRecord(rows *sql.Rows) (Record, proof, error) {
	var r Record
	var p proof
	var at int64
	err := rows.Scan(&r.Seq, &at, &r.Type, &r.KeyID, &r.RequestID, &r.UID, &r.Actor, &r.Address, &r.Text,
		&p.salt, &p.digest, &p.hash, &p.erased)
	r.At, r.Erased = when(at), p.erased != nil
	return r, p, err
}
