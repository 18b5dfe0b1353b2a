package embedded

import (
	"crypto/sha1" //nolint:gosec // {SSHA} is what sample data and old directories hold
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"io"
	"strings"
)

const saltLength = 16

// scheme is one way of keeping a password, "{NAME}base64(digest+salt)" as RFC
// 2307 writes it.
type scheme struct {
	name   string
	digest func() hash.Hash
	salted bool
}

// schemes lists what can be verified; the first one is used for new passwords.
func schemes() []scheme {
	return []scheme{
		{"{SSHA512}", sha512.New, true},
		{"{SHA512}", sha512.New, false},
		{"{SSHA256}", sha256.New, true},
		{"{SHA256}", sha256.New, false},
		{"{SSHA}", sha1.New, true},
		{"{SHA}", sha1.New, false},
	}
}

func schemeOf(stored string) (scheme, string, bool) {
	for _, s := range schemes() {
		if len(stored) > len(s.name) && strings.EqualFold(stored[:len(s.name)], s.name) {
			return s, stored[len(s.name):], true
		}
	}
	return scheme{}, "", false
}

// isHashed tells whether a value given as userPassword is a hash already.
func isHashed(v string) bool { _, _, ok := schemeOf(v); return ok }

// hashPassword gives the form in which a password is kept.
func hashPassword(random io.Reader, password string) (string, error) {
	salt := make([]byte, saltLength)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", err
	}
	s := schemes()[0]
	h := s.digest()
	h.Write([]byte(password))
	h.Write(salt)
	return s.name + base64.StdEncoding.EncodeToString(append(h.Sum(nil), salt...)), nil
}

// verifyPassword tells whether password is the one behind stored.
func verifyPassword(stored, password string) bool {
	s, text, ok := schemeOf(stored)
	if !ok {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	h := s.digest()
	if err != nil || len(raw) < h.Size() || !s.salted && len(raw) != h.Size() {
		return false
	}
	h.Write([]byte(password))
	h.Write(raw[h.Size():])
	return subtle.ConstantTimeCompare(h.Sum(nil), raw[:h.Size()]) == 1
}

// anyPassword tells whether password is one of the stored ones. It looks at
// all of them, and hashes once where there is none.
func anyPassword(stored []value, password string) bool {
	found := false
	for _, v := range stored {
		if verifyPassword(v.raw, password) {
			found = true
		}
	}
	if len(stored) == 0 {
		sha512.Sum512([]byte(password))
	}
	return found
}
