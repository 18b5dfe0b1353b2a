package store

import (
	"context"
	"database/sql"
	"slices"
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

	recordColumns = `a.seq AS seq, a.at, a.type, a.key_id, a.request_id, a.uid, a.actor, a.address, a.text,
		a.salt, a.digest, a.hash, a.erased`
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
		add("a.type IN ("+marks(len(types))+")", types...)
	}
	if !f.Since.IsZero() {
		add("a.at >= ?", micros(f.Since))
	}
	if !f.Until.IsZero() {
		add("a.at < ?", micros(f.Until))
	}
	if f.Text != "" {
		p := likeLiteral(lowerASCII(clean(f.Text, maxRecordText)))
		var any []string
		for _, column := range []string{"text", "actor", "address", "request_id"} {
			any = append(any, d.lowerASCII("a."+column)+` LIKE ? ESCAPE '\'`)
		}
		add("("+strings.Join(any, " OR ")+")", p, p, p, p)
	}
	order := " ORDER BY seq"
	if f.Newest {
		order = " ORDER BY seq DESC"
	}
	switch {
	case f.After != 0 && f.Newest:
		add("a.seq < ?", f.After)
	case f.After != 0:
		add("a.seq > ?", f.After)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultRecords
	}
	from := func(tables string, conditions ...string) string {
		query := "SELECT " + recordColumns + " FROM " + tables
		if all := slices.Concat(conditions, where); len(all) > 0 {
			query += " WHERE " + strings.Join(all, " AND ")
		}
		return query
	}
	if f.UID == 0 {
		return from("audit AS a") + order + " LIMIT ?", append(args, min(limit, MaxRecords))
	}
	// What is indexed, and what is not yet; see audit_people.go.
	query := from("audit_people AS p JOIN audit AS a ON a.seq = p.seq", "p.uid = ?", "a.uid = p.uid") + " UNION ALL " +
		from("audit AS a", "a.uid = ?", "a.seq > (SELECT seq FROM audit_indexed)") + order + " LIMIT ?"
	person := append([]any{f.UID}, args...)
	return query, append(slices.Concat(person, person), min(limit, MaxRecords))
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
