package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresPackages is what apt-get installs.
const postgresPackages = "postgresql"

// errNoUser says that root found nobody to run PostgreSQL as.
var errNoUser = errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody")

// PostgreSQLOptions says how a PostgreSQL server is set up. The zero value is a server that does not wait for the disk.
type PostgreSQLOptions struct {
	Fsync  bool     // wait for the disk as a production server does; default: not, which is much faster
	Config []string // more lines of postgresql.conf
}

// PostgreSQLServer is a running PostgreSQL server with one superuser, who needs no password. Its methods may be called
// from several goroutines, but only one of them at a time should start or stop it.
type PostgreSQLServer struct {
	folder     *folder
	programs   string // folder of initdb and postgres
	credential *syscall.Credential
	port       int
	release    func()
	databases  atomic.Int64

	mu      sync.Mutex
	process *process
}

// sharedPostgreSQL is the one server of this test process. It ends with the process: the kernel stops it.
//
//nolint:gochecknoglobals // tests of a package share it, and no value could be handed from one test to the next
var sharedPostgreSQL = sync.OnceValues(func() (*PostgreSQLServer, error) {
	return StartPostgreSQL(context.Background(), PostgreSQLOptions{})
})

// PostgreSQL returns the URL of a fresh, empty database that is dropped when the test ends. All databases of a test
// process are on one server, which starts at the first call and runs until the process ends.
func PostgreSQL(t testing.TB) string {
	t.Helper()
	server, err := sharedPostgreSQL()
	if err != nil {
		t.Fatal(err)
	}
	return server.Database(t)
}

// OpenPostgreSQL starts a server for this test alone, which may be killed and restarted.
func OpenPostgreSQL(t testing.TB, options PostgreSQLOptions) *PostgreSQLServer {
	t.Helper()
	server, err := StartPostgreSQL(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("postgres on port %d says:\n%s", server.port, server.LogTail())
		}
		server.Close()
	})
	return server
}

// StartPostgreSQL makes a new cluster and starts it; the caller closes it. The context limits the start, not the
// server's life.
func StartPostgreSQL(ctx context.Context, options PostgreSQLOptions) (*PostgreSQLServer, error) {
	s := &PostgreSQLServer{}
	if err := s.prepare(ctx, options); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		err = fmt.Errorf("%w\n%s", err, s.LogTail())
		s.Close()
		return nil, err
	}
	return s, nil
}

// prepare makes the folder, the port and the cluster.
func (s *PostgreSQLServer) prepare(ctx context.Context, options PostgreSQLOptions) error {
	postgres, err := findProgram("postgres", postgresPackages, "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
	if err != nil {
		return err
	}
	s.programs = filepath.Dir(postgres)
	if s.credential, err = unprivileged(); err != nil {
		return err
	}
	if s.folder, err = newFolder("pg"); err != nil {
		return err
	}
	if s.port, s.release, err = reservePort(); err != nil {
		return err
	}
	if s.credential != nil {
		if err := os.Chown(s.folder.path, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
			return fmt.Errorf("folder of PostgreSQL: %w", err)
		}
	}
	if err := s.initdb(ctx); err != nil {
		return err
	}
	return s.configure(options)
}

// initdb makes the cluster.
func (s *PostgreSQLServer) initdb(ctx context.Context) error {
	child, err := s.command("initdb", "-D", s.data(), "-U", "portico", "--auth=trust", "--encoding=UTF8",
		"--locale=C.UTF-8", "--no-sync", "--no-instructions").start()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	select {
	case <-child.done:
	case <-ctx.Done():
		child.kill()
	}
	if child.err != nil {
		return fmt.Errorf("initdb: %w\n%s", child.err, s.LogTail())
	}
	return nil
}

// configure appends to postgresql.conf.
func (s *PostgreSQLServer) configure(options PostgreSQLOptions) error {
	lines := []string{
		"listen_addresses = '127.0.0.1'",
		"port = " + strconv.Itoa(s.port),
		"unix_socket_directories = '" + s.folder.path + "'",
		"max_connections = 200",
		"shared_buffers = 64MB",
		"dynamic_shared_memory_type = mmap", // inside the folder, so that a crash leaves nothing behind
		"log_min_messages = warning",
	}
	if !options.Fsync {
		lines = append(lines, "fsync = off", "full_page_writes = off", "synchronous_commit = off")
	}
	lines = append(lines, options.Config...)
	file, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("configuration of PostgreSQL: %w", err)
	}
	_, err = file.WriteString(strings.Join(lines, "\n") + "\n")
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("configuration of PostgreSQL: %w", err)
	}
	return nil
}

// command is one of PostgreSQL's programs, run as an unprivileged user.
func (s *PostgreSQLServer) command(program string, args ...string) command {
	return command{
		path: filepath.Join(s.programs, program), args: args, dir: s.folder.path, log: s.folder.file("log"),
		env:        []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.folder.path, "LC_ALL=C.UTF-8", "TZ=UTC"},
		credential: s.credential, deathNote: syscall.SIGQUIT,
	}
}

// unprivileged is whom to run PostgreSQL as: this user, or somebody without rights when this user is root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no other user is needed
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: false}, nil
	}
	return nil, errNoUser
}

// Start starts the server on its port again, with the data it had. It returns once the server answers. A server that runs
// already is left alone.
func (s *PostgreSQLServer) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && s.process.alive() {
		return nil
	}
	child, err := s.command("postgres", "-D", s.data()).start()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := child.waitUntil(ctx, s.answers); err != nil {
		child.stop(syscall.SIGQUIT)
		return fmt.Errorf("postgres: %w", err)
	}
	s.process = child
	return nil
}

// answers connects once.
func (s *PostgreSQLServer) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return conn.Close(ctx)
}

// URL is the address of a database of this server. The database postgres is always there.
func (s *PostgreSQLServer) URL(database string) string {
	return "postgres://portico@" + loopback(s.port) + "/" + database + "?sslmode=disable"
}

// Address is the host and port of the server.
func (s *PostgreSQLServer) Address() string { return loopback(s.port) }

// LogTail is the end of the server's log.
func (s *PostgreSQLServer) LogTail() string { return tail(s.folder.file("log")) }

// data is the folder of the cluster.
func (s *PostgreSQLServer) data() string { return s.folder.file("data") }
