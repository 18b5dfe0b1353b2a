package mirror

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"portico/directory"
)

// plainText tells whether SQLite sees in a text what we see.
func plainText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// after is the least text that is greater than all that begin with s.
func after(s string) string { return s[:len(s)-1] + string([]byte{s[len(s)-1] + 1}) }

// text compares a column of text that holds all there is to know; absent values
// are empty or noValue.
func text(column string, op directory.Operator, v string) test {
	if !plainText(v) {
		return unknown
	}
	t := test{exact: true, args: []any{v}}
	there := column + "<>'' AND " + column + "<x''"
	switch {
	case op == directory.OpPresent, v == "" && (op == directory.OpContains || op == directory.OpStarts || op == directory.OpEnds):
		return test{sql: there, exact: true}
	case v == "" && op == directory.OpEqual:
		return never
	}
	switch op {
	case directory.OpEqual:
		t.sql = column + "=?"
	case directory.OpNotEqual:
		t.sql = column + "<>?"
	case directory.OpContains:
		t.sql = "instr(" + column + ", ?)>0"
	case directory.OpStarts:
		t.sql, t.args = column+">=? AND "+column+"<?", []any{v, after(v)}
	case directory.OpEnds:
		t.sql = "substr(" + column + ", -" + strconv.Itoa(utf8.RuneCountInString(v)) + ")=?"
	case directory.OpGreater:
		t.sql = column + ">? AND " + there
	case directory.OpGreaterEqual:
		t.sql = column + ">=? AND " + there
	case directory.OpLess:
		t.sql = column + "<? AND " + there
	case directory.OpLessEqual:
		t.sql = column + "<=? AND " + there
	}
	return t
}

// byIndex lets a comparison with a column start from the column's index.
func (c *compiler) byIndex(t test, op directory.Operator, more string) test {
	cost := costEqual
	switch op {
	case directory.OpEqual:
	case directory.OpStarts:
		cost = costRange
	default:
		return t
	}
	if t.sql == "" || t.sql == "0" || t.args == nil {
		return t
	}
	sql := "SELECT e.id FROM entry e WHERE e.list=? AND " + t.sql
	args := append([]any{int(c.kind)}, t.args...)
	if more != "" {
		sql, args = sql+" UNION "+more, append(args, int(c.kind))
	}
	t.from = &source{sql: sql, args: args, cost: cost}
	return t
}

func (c *compiler) id(p *directory.Predicate) test {
	v := p.Value
	if !p.Exact {
		v = directory.Fold(v)
	}
	t := text("e.stable", p.Op, v)
	if p.Op == directory.OpEqual && t.args != nil {
		t.from = &source{sql: "SELECT e.id FROM entry e WHERE " + t.sql, args: t.args, cost: costKey}
	}
	return t
}

func (c *compiler) directory(p *directory.Predicate) test {
	var ranks []string
	for i, d := range c.m.opts.Directories {
		if p.Match(&directory.Entry{ID: directory.ID{Directory: d.Name}}, nil) {
			ranks = append(ranks, strconv.Itoa(i))
		}
	}
	switch len(ranks) {
	case 0:
		return never
	case len(c.m.opts.Directories):
		return always
	}
	return test{sql: "e.dir IN (" + strings.Join(ranks, ",") + ")", exact: true}
}

func (c *compiler) login(p *directory.Predicate) test {
	if p.Exact && p.Op != directory.OpPresent {
		if p.Op != directory.OpEqual || p.Value == "" {
			return unknown
		}
		t := c.byIndex(text("e.name", p.Op, foldName(p.Value)), p.Op, "")
		t.exact = false
		return t
	}
	v := directory.Fold(p.Value)
	t := c.byIndex(text("e.name", p.Op, v), p.Op, "")
	if t.from == nil {
		t.from = c.trigrams(p.Op, v, "")
	}
	return t
}

// trigrams starts from the substring index where the text is long enough.
func (c *compiler) trigrams(op directory.Operator, v, more string) *source {
	if op != directory.OpContains && op != directory.OpEnds || utf8.RuneCountInString(v) < 3 || !plainText(v) {
		return nil
	}
	table := "find_person"
	if c.kind == directory.KindGroup {
		table = "find_group"
	}
	s := &source{
		sql:  "SELECT rowid AS id FROM " + table + " WHERE " + table + " MATCH ?",
		args: []any{match(rareTrigrams(v, c.grams()))}, cost: costText,
	}
	if more != "" {
		s.sql, s.args = s.sql+" UNION "+more, append(s.args, int(c.kind))
	}
	return s
}

func (c *compiler) instant(p *directory.Predicate) test {
	column := "e." + p.Attribute
	there := column + "<x''"
	if p.Op == directory.OpPresent {
		return test{sql: there, exact: true}
	}
	if y := p.Time.Year(); y < 1700 || y > 2250 {
		return unknown // beyond what nanoseconds can count
	}
	t := test{args: []any{p.Time.UnixNano()}, exact: true}
	switch p.Op {
	case directory.OpEqual:
		t.sql = column + "=?"
	case directory.OpNotEqual:
		t.sql = column + "<>?"
		return t
	case directory.OpGreater:
		t.sql = column + ">? AND " + there
	case directory.OpGreaterEqual:
		t.sql = column + ">=? AND " + there
	case directory.OpLess:
		t.sql = column + "<?"
	case directory.OpLessEqual:
		t.sql = column + "<=?"
	}
	if c.listed {
		t.from = &source{
			sql:  "SELECT e.id FROM entry e INDEXED BY entry_" + p.Attribute + " WHERE e.list=? AND " + t.sql,
			args: append([]any{int(c.kind)}, t.args...), cost: costTime,
		}
	}
	return t
}

// active is exact: see directory.Activity.
func (c *compiler) active(p *directory.Predicate) test {
	if p.Op == directory.OpPresent {
		return always
	}
	c.timed = true
	if (p.Op == directory.OpEqual) == (p.Value == "true") {
		return test{sql: "e.starts<=? AND e.ends>?", args: []any{c.now, c.now}, exact: true}
	}
	t := test{sql: "(e.starts>? OR e.ends<=?)", args: []any{c.now, c.now}, exact: true}
	if c.listed {
		t.from = &source{
			sql: "SELECT e.id FROM entry e INDEXED BY entry_limited WHERE e.list=? AND (e.starts<>0 OR e.ends<>9223372036854775807) AND " +
				t.sql, args: []any{int(c.kind), c.now, c.now}, cost: costText,
		}
	}
	return t
}

// first compares a column that holds the first value, trimmed perhaps. It never
// says all: the entry must be looked at.
func (c *compiler) first(p *directory.Predicate, column string, bit int) test {
	if p.Op == directory.OpEqual && p.Value == "" {
		return never
	}
	v := directory.Fold(p.Value)
	if column == "display" {
		v = foldName(p.Value)
	}
	_, cut := clip(v)
	switch p.Op {
	case directory.OpEqual:
	case directory.OpStarts, directory.OpContains, directory.OpEnds:
		cut = cut || p.Exact // a part of a text need not be a part of its folded form
	default:
		return unknown
	}
	t := text("e."+column, p.Op, v)
	if cut || v == "" || t.sql == "" {
		return unknown
	}
	t.exact = false
	if c.listed {
		const more = "SELECT e.id FROM entry e INDEXED BY entry_several WHERE e.list=? AND e.several<>0"
		t = c.byIndex(t, p.Op, more)
		if t.from == nil && column == "display" && c.kind == directory.KindPerson {
			t.from = c.trigrams(p.Op, v, more)
		}
	}
	t.sql = "(e.several&" + strconv.Itoa(bit) + "<>0 OR (" + t.sql + "))"
	return t
}

// mail starts from the addresses; only people's are kept apart.
func (c *compiler) mail(p *directory.Predicate) test {
	v := foldName(p.Value)
	if p.Op == directory.OpEqual && p.Value == "" {
		return never
	}
	if c.kind != directory.KindPerson || v == "" || !plainText(v) {
		return unknown
	}
	from := func(condition string, cost int, args ...any) test {
		return test{from: &source{
			sql: "SELECT DISTINCT l.src AS id FROM link l INDEXED BY link_key WHERE l.rel=5 AND l.target=0 AND " + condition, args: args, cost: cost,
		}}
	}
	switch {
	case p.Op == directory.OpEqual:
		return from("l.key=?", costEqual, v)
	case p.Op == directory.OpStarts && !p.Exact:
		return from("l.key>=? AND l.key<?", costRange, v, after(v))
	}
	return unknown
}

// oneValue can start from where its comparisons of the value start.
func (c *compiler) oneValue(p *directory.Predicate) test {
	if p.Attribute != directory.AttrMail {
		return unknown
	}
	var best *source
	var walk func(q *directory.Predicate)
	walk = func(q *directory.Predicate) {
		switch {
		case q == nil:
		case q.Node == directory.NodeAnd:
			for _, of := range q.Of {
				walk(of)
			}
		case q.Node == directory.NodeCompare && q.Attribute == directory.AttrValue:
			if t := c.mail(q); t.from != nil && (best == nil || t.from.cost < best.cost) {
				best = t.from
			}
		}
	}
	walk(p.Of[0])
	return test{from: best}
}

// moment is the clock's time of a query.
func (m *Mirror) moment(t time.Time) int64 {
	if t.IsZero() {
		t = m.opts.Clock()
	}
	return nanoseconds(t)
}
