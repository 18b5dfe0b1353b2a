package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"portico/adapter/store"
	"portico/adapter/store/storetest"
)

// withMigration adds a second migration to the real ones, for both databases.
func withMigration(t *testing.T, sql string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	for _, dialect := range []string{"sqlite", "postgres"} {
		names, err := fs.Glob(store.EmbeddedMigrations, "migrations/"+dialect+"/*.sql")
		if err != nil || len(names) == 0 {
			t.Fatalf("no migrations: %v", err)
		}
		for _, name := range names {
			data, err := fs.ReadFile(store.EmbeddedMigrations, name)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = &fstest.MapFile{Data: data}
		}
		all["migrations/"+dialect+"/9000_next.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)}
	}
	return all
}

func openWith(t *testing.T, db storetest.Database, migrations fs.FS) (*store.Store, error) {
	t.Helper()
	s, err := store.OpenWith(t.Context(), db.URL, store.Options{
		DataDir: db.DataDir, Key: storetest.TestKey(), Log: slog.New(slog.DiscardHandler),
	}, migrations)
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func TestAbuse_J06_MigrationFailsHalfWay(t *testing.T) {
	for _, backend := range backends() {
		t.Run(backend.Name, func(t *testing.T) {
			db := backend.Fresh(t)
			s := db.Open(t)
			if err := s.Append(t.Context(), store.Record{Type: 1}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := openWith(t, db, withMigration(t, "CREATE TABLE half (id BIGINT);\nINSERT INTO no_such_table VALUES (1);\n"))
			if err == nil || !strings.Contains(err.Error(), "migration 9000") {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(db.Dump(t), "half") || slices.Contains(tables(t, db), "half") {
				t.Error("half of the migration is there")
			}
			// The version before still works, and so does the mended next one.
			if _, err := db.Open(t).Verify(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := openWith(t, db, withMigration(t, "CREATE TABLE half (id BIGINT);\n")); err != nil {
				t.Error(err)
			}
			if !slices.Contains(tables(t, db), "half") {
				t.Error("the mended migration did not run")
			}
			// Now this program is the old one.
			if _, err := db.TryOpen(t.Context()); !errors.Is(err, store.ErrSchemaNewer) {
				t.Errorf("old program on a new schema: %v", err)
			}
		})
	}
}

// TestAbuse_J05_OldAndNewTogether: a running process goes on while a newer one
// migrates the database under it.
func TestAbuse_J05_OldAndNewTogether(t *testing.T) {
	for _, backend := range backends() {
		t.Run(backend.Name, func(t *testing.T) {
			db := backend.Fresh(t)
			old := db.Open(t)
			use := func(s *store.Store, name string) {
				t.Helper()
				_, err := s.UIDs(t.Context(), store.KindPerson, []store.Subject{{Directory: "corp", Stable: name}})
				_, verifyErr := s.Verify(t.Context())
				if err := errors.Join(err, verifyErr, s.Append(t.Context(), store.Record{Text: name})); err != nil {
					t.Fatal(err)
				}
			}
			use(old, "before")
			next, err := openWith(t, db, withMigration(t, "ALTER TABLE audit ADD COLUMN more TEXT;\nALTER TABLE person_ids ADD COLUMN more TEXT;\n"))
			if err != nil {
				t.Fatal(err)
			}
			use(old, "old, after")
			use(next, "new, after")
		})
	}
}

func tables(t *testing.T, db storetest.Database) []string {
	t.Helper()
	rows, err := db.SQL.Query(db.Tables)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}

// TestSchemasAreTheSame compares tables and columns of both databases.
func TestSchemasAreTheSame(t *testing.T) {
	schemas := map[string][]string{}
	for _, backend := range backends() {
		db := backend.Fresh(t)
		db.Open(t)
		for _, table := range tables(t, db) {
			rows, err := db.SQL.Query(`SELECT * FROM "` + table + `" LIMIT 0`)
			if err != nil {
				t.Fatal(err)
			}
			columns, err := rows.Columns()
			if err != nil {
				t.Fatal(err)
			}
			_ = rows.Close()
			schemas[backend.Name] = append(schemas[backend.Name], fmt.Sprint(table, columns))
		}
		slices.Sort(schemas[backend.Name])
	}
	if !slices.Equal(schemas["sqlite"], schemas["postgres"]) {
		t.Errorf("different:\n%s\n%s", strings.Join(schemas["sqlite"], "\n"), strings.Join(schemas["postgres"], "\n"))
	}
}
