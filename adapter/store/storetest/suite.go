// Package storetest is the suite that every database behind package store must
// pass. It owns the rules (ids are never reused, acknowledged writes survive a
// kill, a changed security log is noticed, ...); how a database is made for a
// test is told by a Backend.
//
// A test binary that runs the suite must call ChildMain first thing in its
// TestMain: the crash tests start the binary again as a child and kill it.
package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/adapter/store"
)

// Backend makes databases of one kind.
type Backend struct {
	Name string
	// Fresh makes an empty database that lives until the test ends.
	Fresh func(t testing.TB) Database
}

// Database is one database under test.
type Database struct {
	URL     string // for store.Open
	DataDir string // for store.Options
	// SQL is a way around the store: for tampering, dumping and blocking.
	SQL *sql.DB
	// Tables is the query that lists the tables.
	Tables string
	// Block keeps everybody from writing until the result is called.
	Block func(t testing.TB) (unblock func())
}

// TestKey is the secret key of the databases in tests.
func TestKey() []byte { return bytes.Repeat([]byte{7}, store.KeySize) }

// Clock is a clock that tests set.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a fixed time.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// Now gives the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add lets time pass, or go back.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Open opens the database with the test key; change may adapt the options. The
// store is closed when the test ends.
func (d Database) Open(t testing.TB, change ...func(*store.Options)) *store.Store {
	t.Helper()
	s, err := d.TryOpen(t.Context(), change...)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TryOpen is Open for tests that expect an error; the caller closes.
func (d Database) TryOpen(ctx context.Context, change ...func(*store.Options)) (*store.Store, error) {
	opts := store.Options{
		DataDir: d.DataDir, Key: TestKey(), Log: slog.New(slog.DiscardHandler),
		Timeout: time.Minute, // tests share a machine with others
	}
	for _, c := range change {
		c(&opts)
	}
	return store.Open(ctx, d.URL, opts)
}

// Exec runs SQL behind the store's back.
func (d Database) Exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := d.SQL.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Dump gives the content of all tables, values as they are.
func (d Database) Dump(t testing.TB) string {
	t.Helper()
	var out strings.Builder
	for _, table := range d.strings(t, d.Tables) {
		rows, err := d.SQL.Query(`SELECT * FROM "` + table + `"`)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				value := *v.(*any)
				if raw, ok := value.([]byte); ok {
					value = string(raw)
				}
				fmt.Fprintf(&out, "%s.%s=%v\n", table, columns[i], value)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func (d Database) strings(t testing.TB, query string) []string {
	t.Helper()
	rows, err := d.SQL.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	return out
}

// Run runs the whole suite on one kind of database.
func Run(t *testing.T, b Backend) {
	t.Helper()
	for _, group := range []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"Open", testOpen},
		{"IDs", testIDs},
		{"Status", testStatus},
		{"Sessions", testSessions},
		{"Keys", testKeys},
		{"TOTP", testTOTP},
		{"Notes", testNotes},
		{"Secrets", testSecrets},
		{"Codes", testCodes},
		{"Permissions", testPermissions},
		{"Users", testUsers},
		{"Invitations", testInvitations},
		{"Managers", testManagers},
		{"Notifications", testNotifications},
		{"Forget", testForget},
		{"Extras", testExtras},
		{"Collaborations", testCollaborations},
		{"Takeover", testTakeover},
		{"Audit", testAudit},
		{"Tampering", testTampering},
		{"Throttle", testThrottle},
		{"Watch", testWatch},
		{"Faults", testFaults},
		{"Crash", testCrash},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, b) })
	}
}

// eventually waits until check is true.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if check() {
			return
		}
	}
	t.Fatalf("did not happen in time: %s", what)
}

// must fails the test for an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// parallel runs do n times at the same time and reports the first error of each.
func parallel(t testing.TB, n int, do func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = do(i) })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("number %d: %v", i, err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}
