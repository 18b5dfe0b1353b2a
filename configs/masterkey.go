package configs

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	// secretKeyName is the file in the data directory that holds the secret key
	// where the configuration names none.
	secretKeyName = "secret.key"
	// minSecretKey is the least length of a secret key in characters.
	minSecretKey = 32
)

// MasterKey gives the 32 bytes from which API keys are hashed and secrets at
// rest are encrypted: from secret_key, else from secret.key in DataDir, which
// is made at first use with bytes of random (crypto/rand.Reader). Processes
// that start together get the same key. Without this key the database is
// worthless: back it up apart from it.
func (c *Config) MasterKey(random io.Reader) ([]byte, error) {
	if !c.SecretKey.IsZero() {
		return deriveKey(c.SecretKey.Reveal()), nil
	}
	path := filepath.Join(c.DataDir, secretKeyName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := makeSecretKey(path, random); err != nil {
			return nil, fmt.Errorf("make the secret key %s: %w", path, err)
		}
	}
	lines, problem := secretLines(path)
	switch {
	case problem != "":
		return nil, fmt.Errorf("the secret key %s: %s", path, problem)
	case len(lines) != 1 || len(lines[0]) < minSecretKey:
		return nil, fmt.Errorf("the secret key %s is not one line of at least %d characters; bring the file back from a backup", path, minSecretKey)
	}
	return deriveKey(lines[0]), nil
}

// deriveKey turns a text of enough chance into 32 bytes.
func deriveKey(text string) []byte {
	sum := sha256.Sum256([]byte("portico master key\x00" + text))
	return sum[:]
}

// makeSecretKey writes a new key beside its place and links it there, so that
// the file is never seen half written and the first of several processes wins.
func makeSecretKey(path string, random io.Reader) error {
	key := make([]byte, 32)
	if _, err := io.ReadFull(random, key); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, secretKeyName+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in a folder survive a power cut.
func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
