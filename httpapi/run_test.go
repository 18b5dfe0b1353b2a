package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// talk sends text on a new connection and gives all that comes until it is closed.
func talk(t *testing.T, addr, text string) string {
	t.Helper()
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(conn) // a reset is an end as well
	return string(got)
}

func TestAbuse_F08_F09_Limits(t *testing.T) {
	s, _ := newServer(t, Config{MaxBody: 1000}, routes{"/": func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			WritePlain(w, http.StatusRequestEntityTooLarge, "")
			return
		}
		fmt.Fprint(w, len(body))
	}})
	addr := start(t, s)
	for name, c := range map[string]struct{ request, want string }{
		"a body within the limit": {"POST / HTTP/1.0\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000), "HTTP/1.0 200 "},
		"a length beyond it":      {"POST / HTTP/1.0\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.0 413 "},
		"chunks beyond it":        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + strings.Repeat("x", 2000) + "\r\n0\r\n\r\n", "HTTP/1.1 413 "},
		"a header beyond it":      {"GET / HTTP/1.0\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		"gzip":                    {"POST / HTTP/1.0\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.0 415 "},
		"GZIP after identity":     {"POST / HTTP/1.0\r\nContent-Encoding: identity\r\nContent-Encoding: GZIP\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.0 415 "},
		"no Host in HTTP/1.1":     {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
		"two Hosts":               {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 "},
		"a negative length":       {"POST / HTTP/1.0\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 "},
		"OPTIONS *":               {"OPTIONS * HTTP/1.0\r\n\r\n", "HTTP/1.0 404 "},
	} {
		if got := talk(t, addr, c.request); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %.100q, want %q", name, got, c.want)
		}
	}
}

func TestAbuse_G06_SlowAndIdleClients(t *testing.T) {
	s, _ := newServer(t, Config{
		ReadHeaderTimeout: 300 * time.Millisecond, ReadTimeout: 600 * time.Millisecond,
		WriteTimeout: 900 * time.Millisecond, IdleTimeout: 300 * time.Millisecond,
	}, routes{"/": func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "read: ", err)
	}, "/flood": func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 1<<20); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}})
	addr := start(t, s)
	began := time.Now()
	var wait sync.WaitGroup
	for name, request := range map[string]string{
		"slow header": "GET / HTTP/1.1\r\nHost:", "nothing": "", "slow body": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx",
		"idle": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		wait.Go(func() {
			talk(t, addr, request)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%s: connection was kept for %s", name, took)
			}
		})
	}
	wait.Go(func() { // a reader that does not read
		conn := dial(t, addr)
		_, _ = io.WriteString(conn, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
		time.Sleep(1500 * time.Millisecond)
		if n, err := io.Copy(io.Discard, conn); n > 64<<20 {
			t.Errorf("%d bytes after the limit, %v", n, err)
		}
	})
	wait.Wait()
}

func TestAbuse_G06_MoreConnectionsThanPlaces(t *testing.T) {
	const places, attackers = 500, 5000
	s, _ := newServer(t, Config{MaxConnections: places}, routes{"/": say("served")})
	addr := start(t, s)
	for i := range attackers {
		conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(func() { conn.Close() })
		if i%2 == 0 {
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost") // and never on
		}
		if i%1000 == 999 {
			if got := talk(t, addr, "GET / HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "served") {
				t.Fatalf("after %d: %q", i, got)
			}
			if open := s.gate.open(); open > places {
				t.Fatalf("%d connections are open", open)
			}
		}
	}
}

func TestConnectionsAtWorkAreNotCutOff(t *testing.T) {
	release := make(chan struct{})
	s, _ := newServer(t, Config{MaxConnections: 2}, routes{"/wait": func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = io.WriteString(w, "done")
	}, "/": say("served")})
	addr := start(t, s)
	answers := make(chan string, 3)
	for range 2 {
		go func() { answers <- talk(t, addr, "GET /wait HTTP/1.0\r\n\r\n") }()
	}
	busy := func() (n int) {
		s.gate.mu.Lock()
		defer s.gate.mu.Unlock()
		for c := range s.gate.conns {
			n += int(c.peer.busy.Load())
		}
		return n
	}
	for deadline := time.Now().Add(10 * time.Second); busy() < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	go func() { answers <- talk(t, addr, "GET / HTTP/1.0\r\n\r\n") }()
	select {
	case got := <-answers:
		t.Fatalf("answered while all places were taken: %q", got)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	for range 3 {
		if got := <-answers; !strings.HasSuffix(got, "done") && !strings.HasSuffix(got, "served") {
			t.Errorf("got %q", got)
		}
	}
}

// run starts a server whose handler waits for release.
func runWaiting(t *testing.T, limit time.Duration) (s *Server, end context.CancelFunc, done, answer chan error, release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	entered := make(chan struct{})
	s, _ = newServer(t, Config{Listen: "127.0.0.1:0", ShutdownTimeout: limit}, routes{"/": func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		select {
		case <-release:
			_, _ = io.WriteString(w, "done")
		case <-r.Context().Done():
		}
	}})
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done, answer = make(chan error, 1), make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	go func() {
		resp, err := http.Get("http://" + s.Addr().String())
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		answer <- err
	}()
	<-entered
	return s, end, done, answer, release
}

func TestAbuse_J09_Shutdown(t *testing.T) {
	t.Run("Drains", func(t *testing.T) {
		s, end, done, answer, release := runWaiting(t, 10*time.Second)
		end()
		for !s.draining.Load() {
			time.Sleep(time.Millisecond)
		}
		time.AfterFunc(50*time.Millisecond, func() { close(release) })
		if err := <-answer; err != nil {
			t.Errorf("the request in flight: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
			t.Error("still listening")
		}
	})
	t.Run("Limit", func(t *testing.T) {
		_, end, done, answer, _ := runWaiting(t, 50*time.Millisecond)
		end()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run: %v", err)
		}
		if err := <-answer; err == nil {
			t.Error("the request was answered")
		}
	})
	t.Run("SecondSignal", func(t *testing.T) {
		s, drain, done, answer, _ := runWaiting(t, time.Minute)
		second := make(chan struct{})
		ctx, stop := UntilSignal(t.Context(), func() { s.Close(); close(second) }, syscall.SIGUSR1)
		defer stop()
		send := func() {
			if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
		}
		send()
		<-ctx.Done()
		drain()
		send()
		<-second
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := <-answer; err == nil {
			t.Error("the request was answered")
		}
		if err := s.Run(t.Context()); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Run after Close: %v", err)
		}
	})
}
