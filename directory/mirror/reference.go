package mirror

import (
	"portico/directory"
)

// Subqueries about references, each of rows e. ?target is put in by hand: the
// rows that the comparison names.
const (
	visibleGroup  = "EXISTS(SELECT 1 FROM entry g WHERE g.id=l.src AND g.list=2)"
	visibleTarget = "EXISTS(SELECT 1 FROM entry x WHERE x.id=l.target AND x.list IN (1,2))"
	visiblePerson = "EXISTS(SELECT 1 FROM entry x WHERE x.id=l.target AND x.list=1)"
)

// relation says where the references of an attribute are: which of them belong to
// row e, which row they name, and which of them count.
type relation struct{ mine, named, counts, kinds string }

func relationOf(attribute string) relation {
	switch attribute {
	case directory.AttrMember:
		return relation{"l.src=e.id AND l.rel IN (1,2,6)", "l.target", "l.target<>0 AND " + visibleTarget, "x.list IN (1,2)"}
	case directory.AttrGroup:
		return relation{"l.target=e.id AND l.target<>0 AND l.rel IN (1,2,6)", "l.src", visibleGroup, "x.list=2"}
	case directory.AttrManager:
		return relation{"l.src=e.id AND l.rel=3", "l.target", "l.target<>0 AND " + visiblePerson, "x.list=1"}
	default:
		return relation{"l.src=e.id AND l.rel=4", "l.target", "l.target<>0 AND " + visibleTarget, "x.list IN (1,2)"}
	}
}

// rowsOf is a subquery for the visible rows that a reference means.
func (c *compiler) rowsOf(id directory.ID, kinds string) (sql string, args []any, known bool) {
	sql, args = "SELECT x.id FROM entry x WHERE x.stable=? AND "+kinds, []any{id.Stable}
	if !plainText(id.Stable) || id.Stable == "" {
		return "", nil, false
	}
	if id.Directory != "" {
		rank, err := c.m.rank(id.Directory)
		if err != nil {
			return "", nil, false
		}
		sql, args = sql+" AND x.dir=?", append(args, rank)
	}
	return sql, args, true
}

// reference compares references; every answer is exact.
func (c *compiler) reference(p *directory.Predicate) test {
	r := relationOf(p.Attribute)
	mine := "SELECT 1 FROM link l WHERE " + r.mine + " AND " + r.counts
	if p.Op == directory.OpPresent {
		return test{sql: "EXISTS(" + mine + ")", exact: true}
	}
	rows, args, known := c.rowsOf(p.Ref, r.kinds)
	if p.Op == directory.OpNotEqual {
		if !known {
			return always
		}
		if p.Nested {
			return c.otherNested(p, rows, args)
		}
		return test{
			sql:  "(NOT EXISTS(" + mine + ") OR EXISTS(" + mine + " AND " + r.named + " NOT IN (" + rows + ")))",
			args: args, exact: true,
		}
	}
	if !known {
		return never
	}
	from := &source{args: args, cost: costEqual}
	switch {
	case p.Nested && p.Attribute == directory.AttrMember:
		from.sql = above(rows)
	case p.Nested && p.Attribute == directory.AttrGroup:
		from.sql, from.cost = inside(rows), costText
	case p.Attribute == directory.AttrGroup:
		from.sql, from.cost = "SELECT DISTINCT l.target AS id FROM link l WHERE l.rel IN (1,2,6) AND l.src IN ("+rows+") AND l.target<>0", costText
	case p.Attribute == directory.AttrMember:
		from.sql = "SELECT DISTINCT l.src AS id FROM link l WHERE l.rel IN (1,2,6) AND l.target<>0 AND l.target IN (" + rows + ")"
	case p.Attribute == directory.AttrManager:
		from.sql = "SELECT DISTINCT l.src AS id FROM link l WHERE l.rel=3 AND l.target<>0 AND l.target IN (" + rows + ")"
	default:
		from.sql = "SELECT DISTINCT l.src AS id FROM link l WHERE l.rel=4 AND l.target<>0 AND l.target IN (" + rows + ")"
	}
	t := test{sql: "EXISTS(SELECT 1 FROM link l WHERE " + r.mine + " AND " + r.named + " IN (" + rows + "))", args: args, exact: true, from: from}
	if p.Nested && (p.Attribute == directory.AttrMember || p.Attribute == directory.AttrGroup) {
		t.sql = "e.id IN (SELECT id FROM (" + from.sql + "))"
	}
	return t
}

// above gives the groups around rows, at any depth.
func above(rows string) string {
	return `WITH RECURSIVE up(id) AS (
		SELECT l.src FROM link l WHERE l.target<>0 AND l.rel IN (1,2,6) AND l.target IN (` + rows + `)
		UNION SELECT l.src FROM up CROSS JOIN link l ON l.target=up.id AND l.target<>0 AND l.rel IN (1,2,6)) SELECT id FROM up`
}

// inside gives what is in groups, at any depth.
func inside(rows string) string {
	return `WITH RECURSIVE down(id) AS (` + rows + `
		UNION SELECT x.id FROM down CROSS JOIN link l ON l.src=down.id AND l.rel IN (1,2)
			CROSS JOIN entry x ON x.id=l.target AND x.list=2)
		SELECT DISTINCT l.target AS id FROM down CROSS JOIN link l ON l.src=down.id AND l.rel IN (1,2,6) AND l.target<>0`
}

// otherNested is "has another one, or none" through groups: computed for each row.
func (c *compiler) otherNested(p *directory.Predicate, rows string, args []any) test {
	has := `SELECT 1 FROM (WITH RECURSIVE up(id) AS (
		SELECT l.src FROM link l WHERE l.target=e.id AND l.target<>0 AND l.rel IN (1,2,6)
		UNION SELECT l.src FROM up CROSS JOIN link l ON l.target=up.id AND l.target<>0 AND l.rel IN (1,2,6)) SELECT id FROM up) u
		CROSS JOIN entry x ON x.id=u.id AND x.list=2`
	if p.Attribute == directory.AttrMember {
		has = `SELECT 1 FROM (WITH RECURSIVE down(id) AS (SELECT e.id
			UNION SELECT g.id FROM down CROSS JOIN link l ON l.src=down.id AND l.rel IN (1,2)
				CROSS JOIN entry g ON g.id=l.target AND g.list=2)
			SELECT l.target AS id FROM down CROSS JOIN link l ON l.src=down.id AND l.rel IN (1,2,6) AND l.target<>0) u
			CROSS JOIN entry x ON x.id=u.id AND x.list IN (1,2)`
	}
	return test{
		sql:  "(NOT EXISTS(" + has + ") OR EXISTS(" + has + " WHERE x.id NOT IN (" + rows + ")))",
		args: args, exact: true,
	}
}
