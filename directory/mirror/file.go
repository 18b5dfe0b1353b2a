package mirror

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// handles are the connections to the file.
type handles struct {
	write *sql.DB
	read  *sql.DB
	stmts sync.Map // text to *sql.Stmt, on read
}

// What becomes of a file that cannot be used.
type aside int

const (
	asideRemoved aside = iota // ours, nothing to learn from it
	asideDamaged              // kept once as .damaged
	asideForeign              // not ours: kept for ever
)

const (
	pageSize    = 4096
	writerPages = "-16000" // KiB of page cache of the writer
	readerPages = "-3000"  // KiB of page cache of each reader
)

// openOrBegin opens the file, or begins it where it is absent or unusable.
// existed tells whether there was something to open.
func (m *Mirror) openOrBegin(ctx context.Context) (existed bool, err error) {
	reason, what, err := inspect(m.path)
	if err != nil {
		return false, err
	}
	if reason == "" {
		reason, what, err = m.openExisting(ctx)
		if reason == "" {
			return true, err
		}
	}
	return false, m.begin(ctx, reason, what)
}

const absent = "absent"

// inspect looks at the header of a file without SQLite, which would write to
// it. An empty reason means: looks like ours.
func inspect(path string) (reason string, what aside, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return absent, asideRemoved, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("mirror: %w", err)
	}
	defer func() { _ = f.Close() }()
	header := make([]byte, 100)
	n, err := io.ReadFull(f, header)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return absent, asideRemoved, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "truncated", asideForeign, nil
	case err != nil:
		return "", 0, fmt.Errorf("mirror: %w", err)
	case string(header[:16]) != "SQLite format 3\x00":
		return "not a SQLite file", asideForeign, nil
	case binary.BigEndian.Uint32(header[68:]) != applicationID:
		return "not a mirror file", asideForeign, nil
	case binary.BigEndian.Uint32(header[60:]) != schemaVersion:
		return "of another version", asideRemoved, nil
	}
	return "", 0, nil
}

// openExisting opens a file that looks like ours and gives the reason why it
// must be begun anew, or an error that has nothing to do with its content.
func (m *Mirror) openExisting(ctx context.Context) (reason string, what aside, err error) {
	if err := m.connect(ctx); err != nil {
		return m.unusable(err)
	}
	reason, err = m.unfit(ctx)
	if err != nil {
		return m.unusable(err)
	}
	if reason != "" {
		_ = m.closeHandles()
		return reason, asideRemoved, nil
	}
	var listed string
	err = m.w.conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name='listed'").Scan(&listed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return m.unusable(err)
	}
	m.listed.Store(err == nil)
	return "", 0, m.addDirectories(ctx)
}

func (m *Mirror) unusable(err error) (string, aside, error) {
	if m.db != nil {
		_ = m.closeHandles()
	}
	if err = translate(err); errors.Is(err, ErrCorrupt) {
		return "damaged (" + err.Error() + ")", asideDamaged, nil
	}
	return "", 0, fmt.Errorf("mirror: %w", err)
}

// unfit tells why an intact file is of no use.
func (m *Mirror) unfit(ctx context.Context) (string, error) {
	w := m.w.conn
	// A file that is shorter than it says lost its end; SQLite would notice only
	// when it needs the missing pages.
	var busy, frames, moved int
	if err := w.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return "", err
	}
	var pages int64
	if err := w.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return "", err
	}
	if st, err := os.Stat(m.path); err != nil {
		return "", err
	} else if busy == 0 && st.Size() < pages*pageSize {
		return "", fmt.Errorf("%w: file is truncated", ErrCorrupt)
	}
	for _, table := range []string{"meta", "directory", "entry", "link", "find_person", "find_group"} {
		var one int
		err := w.QueryRowContext(ctx, "SELECT 1 FROM "+table+" LIMIT 1").Scan(&one)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return "", err
		}
	}
	var loading string
	err := w.QueryRowContext(ctx, "SELECT value FROM meta WHERE name='loading'").Scan(&loading)
	if err == nil {
		return "from a first load that was interrupted", nil
	} else if !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	var form string
	err = w.QueryRowContext(ctx, "SELECT value FROM meta WHERE name='form'").Scan(&form)
	if err == nil && form == m.normalForm() {
		return m.otherDirectories(ctx)
	} else if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	return "with another normal form of DNs", nil
}

// normalForm is a sample of what DNKey does: keys of another form would never be
// found.
func (m *Mirror) normalForm() string {
	key, _ := m.opts.DNKey(`UID=Ann\2C  B+CN=\C3\96, oU="x y" ,dC=Org`)
	return pathOf(key, m.opts.ParentKey)
}

// otherDirectories compares the directories of the file with the configured
// ones: only additions at the end are taken over.
func (m *Mirror) otherDirectories(ctx context.Context) (string, error) {
	rows, err := m.w.conn.QueryContext(ctx, "SELECT name, suffix, rules FROM directory ORDER BY rank")
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	for i := 0; rows.Next(); i++ {
		var d Directory
		if err := rows.Scan(&d.Name, &d.Suffix, &d.StatusRules); err != nil {
			return "", err
		}
		if i >= len(m.opts.Directories) || m.opts.Directories[i] != d {
			return "of other directories", nil
		}
	}
	return "", rows.Err()
}

func (m *Mirror) addDirectories(ctx context.Context) error {
	for i, d := range m.opts.Directories {
		_, err := m.w.conn.ExecContext(ctx, "INSERT OR IGNORE INTO directory(rank, name, suffix, rules) VALUES(?,?,?,?)",
			i, d.Name, d.Suffix, d.StatusRules)
		if err != nil {
			return fmt.Errorf("mirror: %w", translate(err))
		}
	}
	_, err := m.w.conn.ExecContext(ctx, "INSERT OR IGNORE INTO meta(name, value) VALUES('form', ?)", m.normalForm())
	if err != nil {
		return fmt.Errorf("mirror: %w", translate(err))
	}
	return nil
}

// begin makes a new, empty file in the place of whatever is there.
func (m *Mirror) begin(ctx context.Context, reason string, what aside) error {
	if reason != absent {
		kept, err := putAside(m.path, what, m.opts.Clock().Unix())
		if err != nil {
			return fmt.Errorf("mirror: cannot replace a file that is %s: %w", reason, err)
		}
		m.log.Warn("the mirror file is begun anew and will be read from the directory again",
			"file", m.path, "reason", reason, "kept_as", kept)
	}
	for _, tail := range []string{"-wal", "-shm"} {
		if err := os.Remove(m.path + tail); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("mirror: %w", err)
		}
	}
	f, err := os.OpenFile(m.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("mirror: %w", err)
	}
	_ = f.Close()
	if err := m.connect(ctx); err != nil {
		return fmt.Errorf("mirror: %w", translate(err))
	}
	if err := m.createTables(ctx); err != nil {
		_ = m.closeHandles()
		return fmt.Errorf("mirror: %w", translate(err))
	}
	m.loading.Store(false)
	m.listed.Store(true)
	return m.addDirectories(ctx)
}

func (m *Mirror) createTables(ctx context.Context) error {
	statements := []string{
		"BEGIN IMMEDIATE",
		"PRAGMA application_id=" + strconv.Itoa(applicationID),
		"PRAGMA user_version=" + strconv.Itoa(schemaVersion),
	}
	statements = append(statements, tables...)
	statements = append(statements, stableIndex)
	statements = append(statements, entryIndexes...)
	statements = append(statements, linkIndexes...)
	for _, x := range listIndexes {
		statements = append(statements, "CREATE INDEX "+x.name+" ON "+x.on)
	}
	statements = append(statements, tallies...)
	statements = append(statements, "INSERT INTO meta(name, value) VALUES('listed', 'yes')")
	statements = append(statements, "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)")
	for _, s := range statements {
		if _, err := m.w.conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// putAside gets an unusable file out of the way.
func putAside(path string, what aside, now int64) (kept string, err error) {
	switch what {
	case asideRemoved:
		return "", os.Remove(path)
	case asideDamaged:
		kept = path + ".damaged"
	case asideForeign:
		kept = path + ".foreign-" + strconv.FormatInt(now, 10)
		for i := 1; ; i++ {
			if _, err := os.Lstat(kept); errors.Is(err, os.ErrNotExist) {
				break
			}
			kept = path + ".foreign-" + strconv.FormatInt(now, 10) + "-" + strconv.Itoa(i)
		}
	}
	return kept, os.Rename(path, kept)
}

// connect opens the connections; all of them at once, so that a file that is
// deleted later is not opened again under another inode.
func (m *Mirror) connect(ctx context.Context) error {
	write, err := database(m.path, writerPages, false)
	if err != nil {
		return err
	}
	write.SetMaxOpenConns(1)
	conn, err := write.Conn(ctx)
	if err != nil {
		_ = write.Close()
		return err
	}
	read, err := database(m.path, readerPages, true)
	if err != nil {
		return errors.Join(err, conn.Close(), write.Close())
	}
	read.SetMaxOpenConns(m.opts.Readers)
	read.SetMaxIdleConns(m.opts.Readers)
	m.db = &handles{write: write, read: read}
	m.w = &writer{conn: conn, stmts: make(map[string]*sql.Stmt), keys: newKeyer(m.opts)}
	opened := make([]*sql.Conn, 0, m.opts.Readers)
	for range m.opts.Readers {
		c, cerr := read.Conn(ctx)
		if cerr != nil {
			err = cerr
			break
		}
		opened = append(opened, c)
	}
	for _, c := range opened {
		_ = c.Close()
	}
	if err != nil {
		_ = m.closeHandles()
	}
	return err
}

func database(path, cache string, readOnly bool) (*sql.DB, error) {
	q := url.Values{}
	q.Set("mode", "rw")
	q.Set("_txlock", "immediate")
	for _, p := range []string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(" + cache + ")",
		"temp_store(FILE)", "wal_autocheckpoint(4000)", "journal_size_limit(33554432)", "cell_size_check(ON)",
	} {
		q.Add("_pragma", p)
	}
	if readOnly {
		q.Add("_pragma", "query_only(ON)")
	}
	name := url.URL{Scheme: "file", Opaque: strings.ReplaceAll(url.PathEscape(path), "%2F", "/"), RawQuery: q.Encode()}
	c, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// closeHandles is called with mu and the token held, or before anybody has them.
func (m *Mirror) closeHandles() error {
	db := m.db
	m.db = nil
	var errs []error
	db.stmts.Range(func(_, s any) bool {
		errs = append(errs, s.(*sql.Stmt).Close())
		return true
	})
	errs = append(errs, db.read.Close())
	if m.w != nil {
		errs = append(errs, m.w.close())
		m.w = nil
	}
	errs = append(errs, db.write.Close())
	return errors.Join(errs...)
}

// translate recognises damage among the errors of SQLite.
func translate(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	const (
		corrupt   = 11
		notADB    = 26
		shortRead = 10 | 2<<8
	)
	if code := e.Code(); code&0xff == corrupt || code&0xff == notADB || code == shortRead {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
