package testenv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// The ports given out lie below the range from which Linux takes the ports of outgoing connections (32768 and up). A
// server that is down therefore cannot lose its port to a client, and a client that dials it cannot connect to itself.
const (
	firstPort = 14000
	lastPort  = 31999
)

// errNoPort says that no port could be reserved.
var errNoPort = errors.New("no free loopback port found")

// FreePort returns a TCP port on 127.0.0.1 that nothing listens on and that no other test process on this machine is
// given until the test has ended.
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}

// reservePort finds a free port and holds a lock on it, so that several test processes at once do not choose the same.
func reservePort() (port int, release func(), err error) {
	folder := filepath.Join(os.TempDir(), "portico-ports-"+strconv.Itoa(os.Geteuid()))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return 0, nil, fmt.Errorf("folder for port locks: %w", err)
	}
	for range 500 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		lock, err := os.OpenFile(filepath.Join(folder, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return 0, nil, fmt.Errorf("lock of a port: %w", err)
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && portIsFree(port) {
			return port, func() { _ = lock.Close() }, nil
		}
		_ = lock.Close()
	}
	return 0, nil, errNoPort
}

// portIsFree tells whether a server could listen on the loopback port now.
func portIsFree(port int) bool {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", loopback(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// loopback is the address of a port on 127.0.0.1.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
