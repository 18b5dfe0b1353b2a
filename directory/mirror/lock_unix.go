//go:build unix

package mirror

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// fileLock is held by the one process that uses a mirror file. The system gives
// it up when the process ends, however it ends.
type fileLock struct{ f *os.File }

func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // beside the mirror file, in data_dir
	if err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("mirror: locking %s: %w", path, err)
		}
		owner := make([]byte, 32)
		n, _ := f.ReadAt(owner, 0)
		return nil, fmt.Errorf("%w: %s is held by process %s; give each process a data_dir of its own",
			ErrLocked, path, strings.TrimSpace(string(owner[:n])))
	}
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return &fileLock{f}, nil
}

func (l *fileLock) release() { _ = l.f.Close() }
