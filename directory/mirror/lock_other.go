//go:build !unix

package mirror

import (
	"fmt"
	"os"
)

// fileLock is held by the one process that uses a mirror file. Here the open
// file itself is the lock: it cannot be removed while it is open.
type fileLock struct{ f *os.File }

func lockFile(path string) (*fileLock, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("%w: %s; give each process a data_dir of its own", ErrLocked, path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrLocked, path, err)
	}
	return &fileLock{f}, nil
}

func (l *fileLock) release() { _ = l.f.Close() }
