package testenv_test

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"portico/testenv"
)

func TestMariaDB_FreshDatabases(t *testing.T) {
	t.Parallel()
	one, two := testenv.MariaDB(t), testenv.MariaDB(t)
	if one == two {
		t.Fatal("two calls gave the same database")
	}
	for _, address := range []string{one, two} {
		db := testenv.OpenMariaDBDatabase(t, address)
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE fresh (name varchar(10)); INSERT INTO fresh VALUES ('Zoë')"); err != nil {
			t.Fatal(err)
		}
		var name string
		if err := db.QueryRowContext(t.Context(), "SELECT name FROM fresh").Scan(&name); err != nil || name != "Zoë" {
			t.Errorf("read %q, %v", name, err)
		}
	}
}

// TestMariaDB_RunsWithoutRights proves that the server, started by root, is somebody else.
func TestMariaDB_RunsWithoutRights(t *testing.T) {
	t.Parallel()
	db := testenv.OpenMariaDBDatabase(t, testenv.MariaDB(t))
	var name, pidFile string
	if err := db.QueryRowContext(t.Context(), "SHOW VARIABLES LIKE 'pid_file'").Scan(&name, &pidFile); err != nil {
		t.Fatal(err)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(status), "\nUid:\t0\t") {
		t.Error("the server runs as root")
	}
}

func TestMariaDB_AddressIsUsable(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(testenv.MariaDB(t))
	if err != nil || address.Scheme != "mysql" || address.Hostname() != "127.0.0.1" {
		t.Errorf("address: %v", err)
	}
}
