package store_test

import (
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// One server for all tests of this package, started by the first that needs it.
var postgres struct {
	once      sync.Once
	err       error
	url       string
	dir       string
	cmd       *exec.Cmd
	databases atomic.Int64
}

// postgresURL gives the address of a running PostgreSQL with rights to create databases.
func postgresURL(t testing.TB) string {
	t.Helper()
	postgres.once.Do(func() { postgres.err = startPostgres() })
	if postgres.err != nil {
		t.Fatalf("PostgreSQL cannot be started (apt-get install postgresql): %v", postgres.err)
	}
	return postgres.url
}

// freshPostgres makes a database of its own for one test.
func freshPostgres(t testing.TB) string {
	t.Helper()
	address, err := url.Parse(postgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprint("t", postgres.databases.Add(1))
	if _, err := rawSQL(t, "pgx", address.String()).Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	address.Path = "/" + name
	return address.String()
}

func startPostgres() error {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bins) == 0 {
		return fmt.Errorf("no binaries in /usr/lib/postgresql: %w", err)
	}
	bin := bins[len(bins)-1]
	if postgres.dir, err = os.MkdirTemp("", "portico-pg"); err != nil {
		return err
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(postgres.dir, uid, gid); err != nil {
			return err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(postgres.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "portico", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
	initdb.Dir, initdb.SysProcAttr = postgres.dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	// Tests kill Portico, never PostgreSQL; benchmarks shall pay for durability.
	fsync := "off"
	if flag.Lookup("test.bench").Value.String() != "" {
		fsync = "on"
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+postgres.dir, "-c", "max_connections=300", "-c", "fsync="+fsync)
	cmd.Dir, cmd.SysProcAttr = postgres.dir, attr
	if err := cmd.Start(); err != nil {
		return err
	}
	postgres.cmd = cmd
	postgres.url = "postgres://portico@127.0.0.1:" + port + "/postgres?sslmode=disable"
	return waitForPostgres(bin, port)
}

func waitForPostgres(bin, port string) error {
	for range 200 {
		if exec.Command(filepath.Join(bin, "pg_isready"), "-h", "127.0.0.1", "-p", port).Run() == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("no answer on port %s", port)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func stopPostgres() {
	if postgres.cmd != nil {
		_ = postgres.cmd.Process.Signal(syscall.SIGQUIT)
		_ = postgres.cmd.Wait()
	}
	if postgres.dir != "" {
		_ = os.RemoveAll(postgres.dir)
	}
}
