package testenv

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

// HangingAddress returns a loopback address to which connecting neither succeeds nor fails, as to a host behind a
// firewall that drops packets. It stays so until the test ends.
func HangingAddress(t testing.TB) string {
	t.Helper()
	port, release, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	socket, err := listenWithoutQueue(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	// The queue of a listener that never accepts holds one or two connections; from then on requests are dropped.
	for range 16 {
		dialer := net.Dialer{Timeout: 100 * time.Millisecond}
		conn, err := dialer.DialContext(t.Context(), "tcp", loopback(port))
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return loopback(port)
		}
		if err != nil {
			t.Fatalf("hanging address: %v", err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("hanging address: the queue of the listener does not fill up")
	return ""
}

// listenWithoutQueue listens on a loopback port with the smallest queue there is.
func listenWithoutQueue(port int) (int, error) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("hanging address: %w", err)
	}
	err = syscall.Bind(socket, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = syscall.Listen(socket, 0)
	}
	if err != nil {
		return 0, fmt.Errorf("hanging address: %w", errors.Join(err, syscall.Close(socket)))
	}
	return socket, nil
}
