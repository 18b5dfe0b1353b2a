package importer

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// maxRows bounds what is read of a table.
const maxRows = 5_000_000

// source is the other database, read in one transaction so that all tables fit
// together. Nothing is ever written to it.
type source struct {
	db      *sql.DB
	tx      *sql.Tx
	columns map[string]map[string]bool // table → columns, in lower case
}

// column is a column that is read, and what stands for it where it does not exist.
type column struct{ name, missing string }

// open connects and asks which tables and columns there are.
func open(ctx context.Context, dsn string) (*source, error) {
	cfg, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("address of the database: %w", err)
	}
	s := &source{db: sql.OpenDB(connector), columns: map[string]map[string]bool{}}
	if err := s.begin(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("the database of AccountHub: %w", err)
	}
	return s, nil
}

func (s *source) begin(ctx context.Context) (err error) {
	s.tx, err = s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	rows, err := s.tx.QueryContext(ctx,
		"SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var table, name string
		if err := rows.Scan(&table, &name); err != nil {
			return err
		}
		table, name = strings.ToLower(table), strings.ToLower(name)
		if s.columns[table] == nil {
			s.columns[table] = map[string]bool{}
		}
		s.columns[table][name] = true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if accounts := s.columns["accounts"]; !accounts["uid"] || !accounts["username"] {
		return fmt.Errorf("there is no table accounts with uid and username: this is not a database of AccountHub")
	}
	return nil
}

func (s *source) close() {
	if s.tx != nil {
		_ = s.tx.Rollback() // nothing was written
	}
	_ = s.db.Close()
}

// missing names the tables that this version does not have.
func (s *source) missing() []string {
	var names []string
	for _, t := range tables() {
		if s.columns[t] == nil {
			names = append(names, t)
		}
	}
	return names
}

// tables are the tables that are read.
func tables() []string {
	return []string{
		"accounts", "apikeys", "permissions", "assigned_permissions", "groups", "assigned_groups", "managers",
		"mobile_codes", "apppasswords", "notifications", "authlog",
	}
}

// each reads a table in an order and calls scan with the values of each row as
// text, "" for NULL. A table that does not exist has no rows. All names are
// constants of this package.
func (s *source) each(ctx context.Context, table string, columns []column, order []string, scan func([]string) error) error {
	return s.query(ctx, table, columns, "", order, nil, scan)
}

func (s *source) query(ctx context.Context, table string, columns []column, where string, order []string, args []any,
	scan func([]string) error,
) error {
	have := s.columns[table]
	if have == nil {
		return nil
	}
	var text strings.Builder
	text.WriteString("SELECT ")
	for i, c := range columns {
		if i > 0 {
			text.WriteString(", ")
		}
		if have[c.name] {
			text.WriteString("`" + c.name + "`")
		} else {
			text.WriteString("'" + c.missing + "'")
		}
	}
	text.WriteString(" FROM `" + table + "`" + where)
	order = slices.DeleteFunc(slices.Clone(order), func(o string) bool {
		name, _, _ := strings.Cut(o, " ")
		return !have[strings.Trim(name, "`")]
	})
	if len(order) > 0 {
		text.WriteString(" ORDER BY " + strings.Join(order, ", "))
	}
	text.WriteString(" LIMIT ?")
	rows, err := s.tx.QueryContext(ctx, text.String(), append(args, limitOf(where))...)
	if err != nil {
		return fmt.Errorf("table %s: %w", table, err)
	}
	defer rows.Close()
	if err := scanRows(rows, len(columns), scan); err != nil {
		return fmt.Errorf("table %s: %w", table, err)
	}
	return nil
}

// limitOf is how many rows a query gives: pages are short.
func limitOf(where string) int {
	if where != "" {
		return logPage
	}
	return maxRows + 1
}

func scanRows(rows *sql.Rows, width int, scan func([]string) error) error {
	cells := make([]sql.NullString, width)
	into := make([]any, width)
	for i := range cells {
		into[i] = &cells[i]
	}
	values := make([]string, width)
	for n := 0; rows.Next(); n++ {
		if n == maxRows {
			return fmt.Errorf("more than %d rows", maxRows)
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, c := range cells {
			values[i] = c.String
		}
		if err := scan(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// number reads a whole number; what is none is 0, which is nobody's.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// truth reads a flag, stored as a number, a bit or a word.
func truth(text string) bool {
	return text != "" && text != "0" && text != "\x00" && !strings.EqualFold(text, "false")
}
