package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// RecordFilter selects records of the security log; zero fields select all.
type RecordFilter struct {
	Types  []int     // any of these
	UID    int64     // concerning this person
	Since  time.Time // at or after
	Until  time.Time // before
	Text   string    // in text, actor, address or request id, as it stands; ASCII letters in either case
	Limit  int       // default 100, at most MaxRecords
	After  int64     // go on after the record with this number, in the order of the list
	Newest bool      // newest first; the default is oldest first
}

// MaxRecords is the largest page of ListRecords.
const MaxRecords = 10_000

const (
	defaultRecords = 100
	maxFilterTypes = 256
)

// ListRecords reads a page of the security log. Errors: ErrInvalid, ErrUnavailable.
func (s *Store) ListRecords(ctx context.Context, f RecordFilter) ([]Record, error) {
	if len(f.Types) > maxFilterTypes {
		return nil, s.fail(ctx, "list records", invalidf("%d types", len(f.Types)))
	}
	query, args := f.query(s.dialect)
	records := []Record{}
	if s.closed.Load() {
		return nil, s.fail(ctx, "list records", ErrClosed)
	}
	rows, err := s.r.QueryContext(ctx, s.dialect.bind(query), args...)
	if err == nil {
		err = scanAll(rows, func(rows *sql.Rows) error {
			r, _, err := scanRecord(rows)
			records = append(records, r)
			return err
		})
	}
	if err != nil {
		return nil, s.fail(ctx, "list records", err)
	}
	return records, nil
}

// query puts constant texts together; every value is bound.
func (f RecordFilter) query(d *dialect) (string, []any) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if len(f.Types) > 0 {
		types := make([]any, len(f.Types))
		for i, t := range f.Types {
			types[i] = t
		}
		add("type IN ("+marks(len(types))+")", types...)
	}
	if f.UID != 0 {
		add("uid = ? AND uid <> 0", f.UID) // the second half lets the partial index serve
	}
	if !f.Since.IsZero() {
		add("at >= ?", micros(f.Since))
	}
	if !f.Until.IsZero() {
		add("at < ?", micros(f.Until))
	}
	if f.Text != "" {
		p := likeLiteral(lowerASCII(clean(f.Text, maxRecordText)))
		var any []string
		for _, column := range []string{"text", "actor", "address", "request_id"} {
			any = append(any, d.lowerASCII(column)+` LIKE ? ESCAPE '\'`)
		}
		add("("+strings.Join(any, " OR ")+")", p, p, p, p)
	}
	order := " ORDER BY seq"
	if f.Newest {
		order = " ORDER BY seq DESC"
	}
	switch {
	case f.After != 0 && f.Newest:
		add("seq < ?", f.After)
	case f.After != 0:
		add("seq > ?", f.After)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultRecords
	}
	query := `SELECT seq, at, type, key_id, request_id, uid, actor, address, text,
		salt, digest, hash, erased FROM audit`
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + order + " LIMIT ?", append(args, min(limit, MaxRecords))
}

// lowerASCII leaves letters of other scripts alone, as dialect.lowerASCII does.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
