package testenv_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/testenv"
)

// echo is a server that says everything back; it returns its address.
func echo(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

// dialTCP connects and closes with the test.
func dialTCP(t *testing.T, address string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// exchange sends a text and reads as much back within a time.
func exchange(t *testing.T, conn net.Conn, text string, patience time.Duration) (string, error) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	back := make([]byte, len(text))
	n, err := io.ReadFull(conn, back)
	return string(back[:n]), err
}

func TestProxy_Forward(t *testing.T) {
	t.Parallel()
	proxy := testenv.OpenProxy(t, echo(t))
	conn := dialTCP(t, proxy.Address())
	long := strings.Repeat("x", 100_000)
	if back, err := exchange(t, conn, long, 10*time.Second); err != nil || back != long {
		t.Fatalf("%d bytes came back, %v", len(back), err)
	}
	if proxy.Open() != 1 || proxy.Accepted() != 1 || proxy.Sent() != 100_000 || proxy.Received() != 100_000 {
		t.Errorf("counted %d of %d connections, %d and %d bytes", proxy.Open(), proxy.Accepted(), proxy.Sent(), proxy.Received())
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the end of the connection did not pass: %v", err)
	}
}

func TestProxy_Pause(t *testing.T) {
	t.Parallel()
	proxy := testenv.OpenProxy(t, echo(t))
	open := dialTCP(t, proxy.Address())
	proxy.Pause()
	for _, conn := range []net.Conn{open, dialTCP(t, proxy.Address())} {
		if _, err := exchange(t, conn, "hello", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("through a paused proxy: %v", err)
		}
	}
	proxy.Resume()
	_ = open.SetDeadline(time.Now().Add(10 * time.Second))
	back := make([]byte, 5)
	if _, err := io.ReadFull(open, back); err != nil || string(back) != "hello" {
		t.Errorf("after the pause: %q, %v", back, err)
	}
}

func TestProxy_Cut(t *testing.T) {
	t.Parallel()
	proxy := testenv.OpenProxy(t, echo(t))
	conn := dialTCP(t, proxy.Address())
	if _, err := exchange(t, conn, "hello", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a cut connection: %v, want a reset", err)
	}
	if _, err := exchange(t, dialTCP(t, proxy.Address()), "hello", 10*time.Second); err != nil {
		t.Errorf("after a cut: %v", err)
	}
}

func TestProxy_CutAfter(t *testing.T) {
	t.Parallel()
	proxy := testenv.OpenProxy(t, echo(t))
	proxy.CutAfter(3)
	conn := dialTCP(t, proxy.Address())
	if back, err := exchange(t, conn, "hello", 10*time.Second); err == nil || len(back) > 3 {
		t.Errorf("%q came back, %v, want a cut after three bytes", back, err)
	}
	if _, err := exchange(t, dialTCP(t, proxy.Address()), "hello", 10*time.Second); err != nil {
		t.Errorf("it cuts twice: %v", err)
	}
}

func TestProxy_Refuse(t *testing.T) {
	t.Parallel()
	proxy := testenv.OpenProxy(t, echo(t))
	proxy.Refuse()
	var dialer net.Dialer
	if _, err := dialer.DialContext(t.Context(), "tcp", proxy.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a refusing proxy: %v", err)
	}
	if err := proxy.Accept(); err != nil {
		t.Fatal(err)
	}
	if _, err := exchange(t, dialTCP(t, proxy.Address()), "hello", 10*time.Second); err != nil {
		t.Error(err)
	}
}

func TestProxy_SlowDown(t *testing.T) {
	t.Parallel()
	proxy := testenv.OpenProxy(t, echo(t))
	conn := dialTCP(t, proxy.Address())
	proxy.SlowDown(40)
	start := time.Now()
	if _, err := exchange(t, conn, "hello", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("ten bytes at 40 a second took %v", took)
	}
}

func TestProxy_TargetIsDown(t *testing.T) {
	t.Parallel()
	proxy := testenv.OpenProxy(t, "127.0.0.1:1")
	var dialer net.Dialer
	if conn, err := dialer.DialContext(t.Context(), "tcp", proxy.Address()); err == nil { // the reset may come at once
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("a server that is not there answered")
		}
		_ = conn.Close()
	}
	proxy.SetTarget(echo(t))
	if _, err := exchange(t, dialTCP(t, proxy.Address()), "hello", 10*time.Second); err != nil {
		t.Error(err)
	}
}

func TestProxy_LeavesNothingBehind(t *testing.T) {
	target := echo(t)
	before := goleak.IgnoreCurrent()
	proxy, err := testenv.NewProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		dialTCP(t, proxy.Address())
	}
	proxy.Pause()
	dialTCP(t, proxy.Address())
	proxy.Close()
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction(testenv.KeeperFunction), goleak.IgnoreTopFunction("testing.(*T).Parallel"))
}

func TestHangingAddress(t *testing.T) {
	t.Parallel()
	address := testenv.HangingAddress(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var dialer net.Dialer
	if _, err := dialer.DialContext(ctx, "tcp", address); !errors.Is(err, context.DeadlineExceeded) {
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("connecting: %v, want a time-out", err)
		}
	}
}

func TestFreePort(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 50 {
		port := testenv.FreePort(t)
		if seen[port] {
			t.Fatalf("port %d was given out twice", port)
		}
		seen[port] = true
	}
}
