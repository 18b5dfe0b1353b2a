package adapter

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

const (
	slowWaiting = 16              // calls that may wait for a slow hash
	slowWait    = 3 * time.Second // and for how long
	// slowRest is the rest after a slow hash while others wait, in times of what
	// the hash took: a flood gets a third of a processor.
	slowRest    = 2
	maxSlowRest = time.Second
)

// slowHash lets few slow hashes run at the same time, and takes a rest between
// two while others wait: a flood of them must leave the processors to others.
type slowHash struct {
	slots chan struct{}
	queue chan struct{} // those who run and those who wait
}

func newSlowHash(parallel int) *slowHash {
	return &slowHash{
		slots: make(chan struct{}, parallel),
		queue: make(chan struct{}, parallel+slowWaiting),
	}
}

// full is Throttled when too many wait: whoever asks first refuses a flood
// before it costs anything.
func (h *slowHash) full() error {
	if len(h.queue) < cap(h.queue) {
		return nil
	}
	return &Error{Kind: Throttled, RetryAfter: slowWait}
}

// do runs work when it is its turn. Throttled when too many wait, or for too long.
func (h *slowHash) do(ctx context.Context, work func() error) error {
	select {
	case h.queue <- struct{}{}:
	default:
		return &Error{Kind: Throttled, RetryAfter: slowWait}
	}
	defer func() { <-h.queue }()
	timeout := time.NewTimer(slowWait)
	defer timeout.Stop()
	select {
	case h.slots <- struct{}{}:
	case <-timeout.C:
		return &Error{Kind: Throttled, RetryAfter: slowWait}
	case <-ctx.Done():
		return &Error{Kind: Unavailable, Cause: ctx.Err()}
	}
	begun := time.Now()
	defer func() {
		if len(h.queue) <= cap(h.slots) {
			<-h.slots
			return
		}
		time.AfterFunc(min(slowRest*time.Since(begun), maxSlowRest), func() { <-h.slots })
	}()
	return work()
}

// argonCost are the parameters of argon2id (RFC 9106).
type argonCost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

// The bounds keep a damaged or planted hash from costing more than ours.
const (
	maxArgonMemory = 64 << 10
	maxArgonPasses = 8
	argonSaltSize  = 16
	argonHashSize  = 32
	maxHashText    = 256
)

// pinCost is 19 MiB and two passes.
func pinCost() argonCost { return argonCost{memory: 19 << 10, passes: 2, lanes: 1} }

// hashSlowly gives the PHC string of the argon2id hash of a secret, with a new salt.
func hashSlowly(secret []byte, c argonCost) string {
	salt := make([]byte, argonSaltSize)
	rand.Read(salt) // never fails
	sum := argon2.IDKey(secret, salt, c.passes, c.memory, c.lanes, argonHashSize)
	return c.prefix() + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(sum)
}

func (c argonCost) prefix() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, c.memory, c.passes, c.lanes)
}

// matchesSlowly compares a secret with a PHC string.
func matchesSlowly(secret []byte, phc string) (bool, error) {
	c, salt, sum, err := parseArgon(phc)
	if err != nil {
		return false, err
	}
	got := argon2.IDKey(secret, salt, c.passes, c.memory, c.lanes, uint32(len(sum)))
	return subtle.ConstantTimeCompare(got, sum) == 1, nil
}

// parseArgon reads a PHC string of argon2id as hashSlowly writes them. Its
// errors hold nothing of it.
func parseArgon(phc string) (c argonCost, salt, sum []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(phc) > maxHashText || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return c, nil, nil, errors.New("not an argon2id hash")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.lanes); err != nil {
		return c, nil, nil, errors.New("argon2id parameters are malformed")
	}
	// Written again it must be the same: nothing was left over, and the version is ours.
	if !strings.HasPrefix(phc, c.prefix()) {
		return c, nil, nil, errors.New("argon2id parameters are malformed, or of another version")
	}
	if c.memory < 8 || c.memory > maxArgonMemory || c.passes < 1 || c.passes > maxArgonPasses || c.lanes < 1 || c.lanes > 4 {
		return c, nil, nil, errors.New("argon2id parameters are out of bounds")
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || sumErr != nil || len(salt) < 8 || len(sum) < 16 || len(sum) > 64 {
		return c, nil, nil, errors.New("argon2id hash is malformed")
	}
	return c, salt, sum, nil
}
