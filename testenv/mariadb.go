package testenv

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	mariadbPackages = "mariadb-server"
	mariadbUser     = "portico"
)

// MariaDBServer is a running MariaDB server with one user, who may do everything.
type MariaDBServer struct {
	folder     *folder
	credential *syscall.Credential
	port       int
	password   string
	release    func()
	process    *process
	databases  atomic.Int64
}

// sharedMariaDB is the one server of this test process. It ends with the process: the kernel stops it.
//
//nolint:gochecknoglobals // tests of a package share it, and no value could be handed from one test to the next
var sharedMariaDB = sync.OnceValues(func() (*MariaDBServer, error) {
	return StartMariaDB(context.Background())
})

// MariaDB returns the address of a fresh, empty database that is dropped when the test ends, in the form
// mysql://user:password@host:port/database. All databases of a test process are on one server, which starts at the
// first call and runs until the process ends.
func MariaDB(t testing.TB) string {
	t.Helper()
	server, err := sharedMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	return server.Database(t)
}

// OpenMariaDBDatabase connects to a database that MariaDB or Database gave; several statements may be run at once. The
// connection is closed when the test ends.
func OpenMariaDBDatabase(t testing.TB, address string) *sql.DB {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", parsed.Host, filepath.Base(parsed.Path)
	config.User = parsed.User.Username()
	config.Passwd, _ = parsed.User.Password()
	config.MultiStatements = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// StartMariaDB makes a new server and starts it; the caller closes it. The context limits the start, not the server's
// life.
func StartMariaDB(ctx context.Context) (*MariaDBServer, error) {
	s := &MariaDBServer{password: "p@ss/w:rd " + strconv.Itoa(os.Getpid())}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	err := s.prepare(ctx)
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		if s.folder != nil {
			err = fmt.Errorf("%w\n%s", err, s.LogTail())
		}
		s.Close()
		return nil, err
	}
	return s, nil
}

// prepare makes the folder, the port and the system tables.
func (s *MariaDBServer) prepare(ctx context.Context) error {
	install, err := findProgram("mariadb-install-db", mariadbPackages, "/usr/bin", "/usr/local/bin", "/usr/local/mariadb*/scripts")
	if err != nil {
		return err
	}
	if s.credential, err = unprivileged(); err != nil {
		return err
	}
	if s.folder, err = newFolder("maria"); err != nil {
		return err
	}
	if s.port, s.release, err = reservePort(); err != nil {
		return err
	}
	// The server reads this once it is up; nobody can connect before.
	err = s.folder.write("user.sql", "CREATE USER "+mariadbUser+"@'127.0.0.1' IDENTIFIED BY '"+s.password+"';\n"+
		"GRANT ALL ON *.* TO "+mariadbUser+"@'127.0.0.1';\n")
	if err != nil {
		return err
	}
	if s.credential != nil {
		for _, path := range []string{s.folder.path, s.folder.file("user.sql")} {
			if err := os.Chown(path, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
				return fmt.Errorf("folder of MariaDB: %w", err)
			}
		}
	}
	child, err := s.command(install, "--no-defaults", "--datadir="+s.folder.file("data"), "--skip-test-db",
		"--skip-name-resolve", "--innodb-flush-method=fsync", "--auth-root-authentication-method=normal").start()
	if err != nil {
		return err
	}
	select {
	case <-child.done:
	case <-ctx.Done():
		child.kill()
	}
	if child.err != nil {
		return fmt.Errorf("mariadb-install-db: %w", child.err)
	}
	return nil
}

// start starts the server and returns once it answers.
func (s *MariaDBServer) start(ctx context.Context) error {
	program, err := findProgram("mariadbd", mariadbPackages, "/usr/sbin", "/usr/libexec", "/usr/local/sbin")
	if err != nil {
		return err
	}
	s.process, err = s.command(program, "--no-defaults", "--datadir="+s.folder.file("data"),
		"--bind-address=127.0.0.1", "--port="+strconv.Itoa(s.port), "--socket="+s.folder.file("socket"),
		"--pid-file="+s.folder.file("pid"), "--init-file="+s.folder.file("user.sql"), "--skip-name-resolve",
		"--character-set-server=utf8mb4", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=fsync", "--skip-log-bin", "--performance-schema=OFF").start()
	if err != nil {
		return err
	}
	if err := s.process.waitUntil(ctx, s.answers); err != nil {
		return fmt.Errorf("mariadbd: %w", err)
	}
	return nil
}

// command is one of MariaDB's programs, run as an unprivileged user.
func (s *MariaDBServer) command(path string, args ...string) command {
	return command{
		path: path, args: args, dir: s.folder.path, log: s.folder.file("log"),
		env:        []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin:" + os.Getenv("PATH"), "HOME=" + s.folder.path, "TMPDIR=" + s.folder.path, "TZ=UTC"},
		credential: s.credential, deathNote: syscall.SIGKILL,
	}
}

// execute runs one statement without a database.
func (s *MariaDBServer) execute(ctx context.Context, statement string) error {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd = "tcp", loopback(s.port), mariadbUser, s.password
	config.Timeout, config.Logger = 5*time.Second, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return fmt.Errorf("address of MariaDB: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("test server: %w", err)
	}
	return nil
}

// answers connects once.
func (s *MariaDBServer) answers(ctx context.Context) error { return s.execute(ctx, "SELECT 1") }

// Database makes an empty database that is dropped when the test ends, and gives its address.
func (s *MariaDBServer) Database(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	name := "test" + strconv.FormatInt(s.databases.Add(1), 10)
	if err := s.execute(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		// Failing is no fault: the test may have stopped the server, which takes its databases along.
		_ = s.execute(ctx, "DROP DATABASE "+name)
	})
	address := url.URL{Scheme: "mysql", User: url.UserPassword(mariadbUser, s.password), Host: loopback(s.port), Path: "/" + name}
	return address.String()
}

// LogTail is the end of the server's log.
func (s *MariaDBServer) LogTail() string { return tail(s.folder.file("log")) }

// Close ends the server and removes its data.
func (s *MariaDBServer) Close() {
	if s.process != nil && s.process.alive() {
		s.process.kill()
	}
	if s.folder != nil {
		s.folder.close()
	}
	if s.release != nil {
		s.release()
	}
}
