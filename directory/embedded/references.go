package embedded

import (
	"slices"
	"strings"
)

// keepReferences does after a change what OpenLDAP's memberof and refint
// overlays do: memberOf follows the groups; member follows renames and deletes
// of the entry itself; manager and owner follow those of its whole subtree. All
// of it is silent: no event, no new entryCSN.
func (st *store) keepReferences(c change) {
	renamed := c.old != nil && c.now != nil && c.old.dn.key != c.now.dn.key
	if !st.cfg.NoRefInt && c.old != nil && (renamed || c.now == nil) {
		st.repoint(c, st.schema.types["member"], false)
		st.repoint(c, st.schema.types["manager"], true)
		st.repoint(c, st.schema.types["owner"], true)
	}
	if st.cfg.MemberOf {
		st.keepMemberOf(c)
	}
}

// repoint rewrites or drops all values of t that name the entry of c, and with
// subtree those that name anything below it.
func (st *store) repoint(c change, t *attrType, subtree bool) {
	for _, n := range st.tree.nodes {
		vals := n.entry.get(t)
		hit := func(v value) bool {
			return v.norm == c.old.dn.key || subtree && strings.HasSuffix(v.norm, ","+c.old.dn.key)
		}
		if !slices.ContainsFunc(vals, hit) {
			continue
		}
		fresh := make([]value, 0, len(vals))
		for _, v := range vals {
			switch {
			case !hit(v):
				fresh = append(fresh, v)
			case c.now != nil:
				if d, err := st.schema.parseDN(v.raw); err == nil {
					d = d.rebase(c.old.dn, c.now.dn)
					fresh = append(fresh, value{d.text, d.key})
				}
			}
		}
		if len(fresh) == 0 && t != st.schema.member && !st.nothing.isZero() {
			fresh = append(fresh, value{st.nothing.text, st.nothing.key})
		}
		if len(fresh) == 0 && t == st.schema.member { // the class demands one: it stays and dangles
			continue
		}
		e := n.entry.clone()
		e.put(t, "", fresh)
		n.entry = e
	}
}

// keepMemberOf brings memberOf of those who joined or left a group up to date,
// and that of all members when the group's own name changed.
func (st *store) keepMemberOf(c change) {
	var before, after []value
	if c.old != nil {
		before = c.old.get(st.schema.member)
	}
	if c.now != nil {
		after = c.now.get(st.schema.member)
	}
	renamed := c.old != nil && c.now != nil && c.old.dn.key != c.now.dn.key
	was, is := normSet(before), normSet(after)
	for key := range was {
		if renamed || !is[key] {
			st.setMemberOf(key, c.old.dn, false)
		}
	}
	for key := range is {
		if renamed || !was[key] {
			st.setMemberOf(key, c.now.dn, true)
		}
	}
}

func normSet(vals []value) map[string]bool {
	set := make(map[string]bool, len(vals))
	for _, v := range vals {
		set[v.norm] = true
	}
	return set
}

func (st *store) setMemberOf(key string, group dname, in bool) {
	n := st.tree.nodes[key]
	if n == nil {
		return
	}
	t := st.schema.memberOf
	old := n.entry.get(t)
	fresh := slices.DeleteFunc(slices.Clone(old), func(v value) bool { return v.norm == group.key })
	if in {
		fresh = append(fresh, value{group.text, group.key})
	}
	if len(fresh) == len(old) && in {
		return
	}
	e := n.entry.clone()
	e.put(t, "", fresh)
	n.entry = e
}
