package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// All differences between the two databases are in this file, in the two
// folders of migrations, and in how changes are announced (watch_*.go).

const (
	dialectSQLite   = "sqlite"
	dialectPostgres = "postgres"

	busyTimeout    = 15 * time.Second
	connectTimeout = 5 * time.Second
	postgresConns  = 12
)

type dialect struct {
	name      string
	goose     goose.Dialect
	forUpdate string         // appended to a SELECT that must lock its row
	insert    string         // of rows in a transaction that is undone when one of them fails
	snapshot  *sql.TxOptions // a transaction that reads one moment of the database
	rebound   sync.Map       // query with ? -> query with $1
}

func sqliteDialect() *dialect {
	// One writer at a time (_txlock=immediate) locks everything: no row locks needed.
	return &dialect{
		name:  dialectSQLite,
		goose: goose.DialectSQLite3,
		// Otherwise SQLite copies every page first, to be able to undo this one statement.
		insert: "INSERT OR FAIL",
	}
}

func postgresDialect() *dialect {
	return &dialect{
		name:      dialectPostgres,
		goose:     goose.DialectPostgres,
		forUpdate: " FOR UPDATE",
		insert:    "INSERT",
		snapshot:  &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	}
}

// bind rewrites the ? of a query for the database. No query of this package has
// a question mark in a literal.
func (d *dialect) bind(query string) string {
	if d.name == dialectSQLite {
		return query
	}
	if known, ok := d.rebound.Load(query); ok {
		return known.(string)
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	d.rebound.Store(query, b.String())
	return b.String()
}

// fault is what a driver's error means to us.
type fault uint8

const (
	faultUnknown     fault = iota
	faultConstraint        // unique, foreign key or check
	faultRetry             // rolled back for the sake of another transaction
	faultUnavailable       // no connection, no space, no right to write, too busy
)

func (d *dialect) faultOf(err error) fault {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresFault(pg.Code)
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteFault(lite.Code())
	}
	var network net.Error
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &network), errors.As(err, &connect), pgconn.SafeToRetry(err):
		return faultUnavailable
	case d.name == dialectPostgres && strings.Contains(err.Error(), "conn closed"):
		return faultUnavailable
	}
	return faultUnknown
}

func postgresFault(code string) fault {
	switch code {
	case "40001", "40P01": // serialization failure, deadlock
		return faultRetry
	case "25006": // read-only transaction: a standby
		return faultUnavailable
	}
	if len(code) < 2 {
		return faultUnknown
	}
	switch code[:2] {
	case "23":
		return faultConstraint
	case "08", "53", "57", "58": // connection, resources, operator, system
		return faultUnavailable
	}
	return faultUnknown
}

func sqliteFault(code int) fault {
	switch code & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		return faultConstraint
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM, sqlite3.SQLITE_INTERRUPT:
		return faultUnavailable
	}
	return faultUnknown
}

// lost tells whether err means that the connection broke, so that a transaction
// which had not begun to commit is certainly undone.
func (d *dialect) lost(err error) bool {
	if d.name != dialectPostgres || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "57P")
	}
	return d.faultOf(err) == faultUnavailable
}

// openSQLiteWriter opens the one connection that writes.
func openSQLiteWriter(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
			"journal_size_limit(67108864)", "wal_autocheckpoint(4000)",
		},
	}))
	if err != nil {
		return nil, err
	}
	keepOpen(db, 1)
	return db, nil
}

// openSQLiteReader opens the connections that read; they cannot write.
func openSQLiteReader(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		"_pragma": {"query_only(ON)", "foreign_keys(ON)"},
	}))
	if err != nil {
		return nil, err
	}
	keepOpen(db, max(4, runtime.GOMAXPROCS(0))+1) // one of them watches for changes
	return db, nil
}

func keepOpen(db *sql.DB, n int) {
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
}

func sqliteDSN(path string, options url.Values) string {
	options.Set("_busy_timeout", strconv.FormatInt(busyTimeout.Milliseconds(), 10))
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
}

// openPostgres reads a postgres:// URL. The error never holds the password.
func openPostgres(rawURL string) (*sql.DB, *pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(rawURL)
	if err != nil {
		return nil, nil, errors.New("the URL of the database is not a valid postgres:// URL")
	}
	if cfg.ConnectTimeout == 0 || cfg.ConnectTimeout > time.Minute {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "portico"
	}
	db := stdlib.OpenDB(*cfg)
	keepOpen(db, postgresConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	return db, cfg, nil
}

// lowerASCII is the SQL that lowers the ASCII letters of a column and no others.
func (d *dialect) lowerASCII(column string) string {
	if d.name == dialectPostgres {
		return `lower(` + column + ` COLLATE "C")`
	}
	return "lower(" + column + ")"
}

// likeLiteral makes a pattern that finds text as it stands; use with ESCAPE '\'.
func likeLiteral(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// textsIn and numbersIn give what stands in the parentheses of an IN with many
// values. A list of VALUES is looked up by hash or index; a plain list would be
// compared one by one under a plan that PostgreSQL made while the table was empty.
func textsIn(n int) string { return "VALUES " + rowMarks(n, 1) }

func numbersIn(n int) string {
	return "VALUES (CAST(? AS BIGINT))" + strings.Repeat(", (?)", n-1)
}

// marks gives "?, ?, ?" for a short IN list or a row of VALUES.
func marks(n int) string {
	return strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
}

// rowMarks gives "(?, ?), (?, ?)" for a VALUES clause.
func rowMarks(rows, columns int) string {
	return strings.TrimSuffix(strings.Repeat("("+marks(columns)+"), ", rows), ", ")
}

// skipTo keeps the database from giving out, in a table with ids of its own, ids
// up to one that was stored from outside. SQLite does that by itself. The name
// of the table is one of our constants.
func (t *tx) skipTo(ctx context.Context, table string, id int64) error {
	if t.store.dialect.name == dialectSQLite {
		return nil
	}
	_, err := t.exec(ctx, `SELECT setval(s, $1) FROM CAST(pg_get_serial_sequence($2, 'id') AS regclass) AS s
		WHERE coalesce(pg_sequence_last_value(s), 0) < $1`, id, table)
	return err
}
