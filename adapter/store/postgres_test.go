package store_test

import (
	"context"
	"flag"
	"sync"
	"testing"

	"portico/testenv"
)

// One server for all tests of this package, started by the first that needs it.
var postgres struct {
	once   sync.Once
	err    error
	server *testenv.PostgreSQLServer
}

// freshPostgres makes a database of its own for one test.
func freshPostgres(t testing.TB) string {
	t.Helper()
	postgres.once.Do(func() {
		postgres.server, postgres.err = testenv.StartPostgreSQL(context.Background(), testenv.PostgreSQLOptions{
			// Tests kill Portico, never PostgreSQL; benchmarks shall pay for durability.
			Fsync:  flag.Lookup("test.bench").Value.String() != "",
			Config: []string{"max_connections = 300"},
		})
	})
	if postgres.err != nil {
		t.Fatal(postgres.err)
	}
	return postgres.server.Database(t)
}

func stopPostgres() {
	if postgres.server != nil {
		postgres.server.Close()
	}
}
