package testenv_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"portico/testenv"
)

// connect connects to a database and closes with the test.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// execute runs a statement.
func execute(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestPostgreSQL_FreshDatabases(t *testing.T) {
	t.Parallel()
	one, two := testenv.PostgreSQL(t), testenv.PostgreSQL(t)
	if one == two {
		t.Fatal("two calls gave the same database")
	}
	for _, url := range []string{one, two} {
		execute(t, connect(t, url), "CREATE TABLE fresh (id int)")
	}
}

func TestPostgreSQL_KillKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	server := testenv.OpenPostgreSQL(t, testenv.PostgreSQLOptions{Fsync: true})
	url := server.Database(t)
	conn := connect(t, url)
	execute(t, conn, "CREATE TABLE kept (id int)")
	execute(t, conn, "INSERT INTO kept VALUES (1)")
	server.Kill()
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	execute(t, connect(t, url), "UPDATE kept SET id = 2 WHERE id = 1")
}

func TestPostgreSQL_StopAndPause(t *testing.T) {
	t.Parallel()
	server := testenv.OpenPostgreSQL(t, testenv.PostgreSQLOptions{})
	url := server.Database(t)
	conn := connect(t, url)
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := conn.Exec(ctx, "SELECT 1"); err == nil {
		t.Error("a paused server answers")
	}
	server.Resume()
	execute(t, connect(t, url), "SELECT 1")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	execute(t, connect(t, url), "SELECT 1")
}
