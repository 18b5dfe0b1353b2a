package client

import (
	"syscall"
	"testing"
)

// shrinkBacklog makes a listening socket's queue as short as it gets.
func shrinkBacklog(t *testing.T, raw syscall.RawConn) {
	t.Helper()
	if err := raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
}
