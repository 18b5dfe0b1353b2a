package testenv

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// NewDatabase makes an empty database and returns its URL.
func (s *PostgreSQLServer) NewDatabase(ctx context.Context) (string, error) {
	name := "test" + strconv.FormatInt(s.databases.Add(1), 10)
	if err := s.execute(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return s.URL(name), nil
}

// Database makes an empty database that is dropped when the test ends, with whatever connections it has left.
func (s *PostgreSQLServer) Database(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	url, err := s.NewDatabase(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		// Failing is no fault: the test may have stopped the server, which takes its databases along.
		_ = s.drop(ctx, url)
	})
	return url
}

// drop removes the database of a URL.
func (s *PostgreSQLServer) drop(ctx context.Context, url string) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("drop a test database: %w", err)
	}
	return s.execute(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{config.Database}.Sanitize()+" WITH (FORCE)")
}

// execute runs one statement on the database postgres.
func (s *PostgreSQLServer) execute(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the test server: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("test server: %w", err)
	}
	return nil
}

// Kill ends the server and all its sessions at once, as a crash does. The next Start recovers from the log.
func (s *PostgreSQLServer) Kill() {
	s.withProcess(func(p *process) {
		sessions := children(p.pid)
		p.kill()
		for _, pid := range sessions {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		for _, pid := range sessions { // the next start refuses while one of them is left
			for range 500 {
				if syscall.Kill(pid, 0) != nil {
					break
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
	})
}

// Stop ends the server in an orderly way; open sessions are cut.
func (s *PostgreSQLServer) Stop() {
	s.withProcess(func(p *process) { p.stop(syscall.SIGINT) })
}

// Pause makes the server hang with all its sessions, until Resume. Nothing is answered any more once it has returned.
func (s *PostgreSQLServer) Pause() {
	s.withProcess(func(p *process) {
		p.pause() // first: it begins no more sessions
		sessions := children(p.pid)
		for _, pid := range sessions {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
		}
		for _, pid := range sessions {
			WaitStopped(pid)
		}
	})
}

// Resume ends a Pause.
func (s *PostgreSQLServer) Resume() {
	s.withProcess(func(p *process) {
		for _, pid := range children(p.pid) {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		p.signal(syscall.SIGCONT)
	})
}

// Restart stops the server if it runs and starts it again on the same port with the same data.
func (s *PostgreSQLServer) Restart() error {
	s.Stop()
	return s.Start(context.Background())
}

// withProcess does something with the running server; nothing happens if it does not run.
func (s *PostgreSQLServer) withProcess(do func(*process)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.alive() {
		do(s.process)
	}
}

// Close ends the server and removes its data.
func (s *PostgreSQLServer) Close() {
	// An immediate shutdown, because a killed server would leave its shared memory behind.
	s.withProcess(func(p *process) {
		for _, pid := range children(p.pid) {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		p.stop(syscall.SIGQUIT)
	})
	if s.folder != nil {
		s.folder.close()
	}
	if s.release != nil {
		s.release()
	}
}
