package store_test

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"portico/adapter/store/storetest"
)

func TestMain(m *testing.M) {
	storetest.ChildMain()
	code := m.Run()
	stopPostgres()
	os.Exit(code)
}

func TestSQLite(t *testing.T) { storetest.Run(t, sqliteBackend()) }

func TestPostgreSQL(t *testing.T) { storetest.Run(t, postgresBackend()) }

func backends() []storetest.Backend {
	return []storetest.Backend{sqliteBackend(), postgresBackend()}
}

func sqliteBackend() storetest.Backend {
	return storetest.Backend{Name: "sqlite", Fresh: func(t testing.TB) storetest.Database {
		dir := filepath.Join(t.TempDir(), "data with % and ?")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := &url.URL{Path: filepath.Join(dir, "portico.db")}
		db := rawSQL(t, "sqlite", "file:"+path.EscapedPath()+"?_busy_timeout=10000")
		return storetest.Database{
			DataDir: dir,
			SQL:     db,
			Tables:  "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
			Block:   func(t testing.TB) func() { return hold(t, db, "BEGIN IMMEDIATE") },
		}
	}}
}

func postgresBackend() storetest.Backend {
	return storetest.Backend{Name: "postgres", Fresh: func(t testing.TB) storetest.Database {
		address := freshPostgres(t)
		db := rawSQL(t, "pgx", address)
		return storetest.Database{
			URL:    address,
			SQL:    db,
			Tables: "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name",
			Block: func(t testing.TB) func() {
				return hold(t, db, "BEGIN; LOCK TABLE audit_chain, throttle, locals, id_counters, meta IN ACCESS EXCLUSIVE MODE")
			},
		}
	}}
}

func rawSQL(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// hold runs begin on a connection of its own and keeps the locks until the
// result is called.
func hold(t testing.TB, db *sql.DB, begin string) func() {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err == nil {
		_, err = conn.ExecContext(t.Context(), begin)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	}
}
