package embedded

import (
	"cmp"
	"iter"
	"slices"
)

// node is one place in the tree.
type node struct {
	entry    *entry
	parent   *node
	children map[string]*node // by the key of the child's RDN
}

// tree holds all entries below one suffix. It has no lock of its own: the
// store around it does.
type tree struct {
	suffix dname
	nodes  map[string]*node // by DN key
	order  []*node          // by creation, which is the order of answers
	uuids  map[string]*node
	lastID uint64
	schema *schema
}

func newTree(s *schema, suffix dname) *tree {
	return &tree{suffix: suffix, schema: s, nodes: map[string]*node{}, uuids: map[string]*node{}}
}

// at gives the entry with that DN, or nil.
func (t *tree) at(d dname) *entry {
	if n := t.nodes[d.key]; n != nil {
		return n.entry
	}
	return nil
}

// byUUID gives the entry with that id, or nil.
func (t *tree) byUUID(id string) *entry {
	if n := t.uuids[id]; n != nil {
		return n.entry
	}
	return nil
}

// nearest gives the entry at d or its nearest ancestor that exists, or nil.
func (t *tree) nearest(d dname) *entry {
	for ; !d.isZero(); d = d.parent() {
		if e := t.at(d); e != nil {
			return e
		}
	}
	return nil
}

// insert adds a new entry; its parent exists, or it is the suffix.
func (t *tree) insert(e *entry) {
	t.lastID++
	e.id = t.lastID
	n := &node{entry: e, children: map[string]*node{}}
	if e.dn.key != t.suffix.key {
		n.parent = t.nodes[e.dn.parent().key]
		n.parent.children[e.dn.rdns[0].key] = n
	}
	t.nodes[e.dn.key] = n
	t.uuids[t.schema.uuid(e)] = n
	t.order = append(t.order, n)
}

// replace puts a changed version of an entry in its place.
func (t *tree) replace(e *entry) { t.nodes[e.dn.key].entry = e }

// remove takes out a leaf.
func (t *tree) remove(e *entry) {
	n := t.nodes[e.dn.key]
	if n.parent != nil {
		delete(n.parent.children, e.dn.rdns[0].key)
	}
	delete(t.nodes, e.dn.key)
	delete(t.uuids, t.schema.uuid(e))
	i, _ := slices.BinarySearchFunc(t.order, e.id, func(n *node, id uint64) int { return cmp.Compare(n.entry.id, id) })
	t.order = slices.Delete(t.order, i, i+1)
}

// hasChildren tells whether something hangs below the entry.
func (t *tree) hasChildren(e *entry) bool {
	n := t.nodes[e.dn.key]
	return n != nil && len(n.children) > 0
}

// move puts the changed entry e, which was at old, at its new DN and renames
// everything below it. The parent of the new DN exists.
func (t *tree) move(old dname, e *entry) {
	n := t.nodes[old.key]
	if n.parent != nil {
		delete(n.parent.children, old.rdns[0].key)
		n.parent = t.nodes[e.dn.parent().key]
		n.parent.children[e.dn.rdns[0].key] = n
	}
	n.entry = e
	delete(t.nodes, old.key)
	t.nodes[e.dn.key] = n
	t.rename(n, old, e.dn)
}

func (t *tree) rename(n *node, from, to dname) {
	for _, c := range n.children {
		delete(t.nodes, c.entry.dn.key)
		moved := c.entry.clone()
		moved.dn = c.entry.dn.rebase(from, to)
		c.entry = moved
		t.nodes[moved.dn.key] = c
		t.rename(c, from, to)
	}
}

// scope of a search, RFC 4511 §4.5.1.2.
type scope int64

const (
	scopeBase scope = iota
	scopeOne
	scopeSub
	scopeChildren // draft-sermersheim-ldap-subordinate-scope
)

// walk gives the entries in scope in the order of their creation. The tree must
// not change meanwhile.
func (t *tree) walk(base dname, sc scope) iter.Seq[*node] {
	top := t.nodes[base.key]
	return func(yield func(*node) bool) {
		if top == nil || sc == scopeBase {
			if top != nil {
				yield(top)
			}
			return
		}
		for _, n := range t.order {
			if n.below(top, sc) && !yield(n) {
				return
			}
		}
	}
}

// below tells whether n is in scope of a search from top.
func (n *node) below(top *node, sc scope) bool {
	switch sc {
	case scopeOne:
		return n.parent == top
	case scopeChildren:
		if n == top {
			return false
		}
	}
	for ; n != nil; n = n.parent {
		if n == top {
			return true
		}
	}
	return false
}

// inScope tells whether d is within the search base and scope.
func inScope(d, base dname, sc scope) bool {
	switch sc {
	case scopeBase:
		return d.key == base.key
	case scopeOne:
		return !d.isZero() && d.parent().key == base.key
	case scopeChildren:
		return d.key != base.key && d.within(base)
	default:
		return d.within(base)
	}
}

// covered tells whether d lies at or below a referral object, and gives it.
func (t *tree) covered(d dname) *entry {
	for ; !d.isZero(); d = d.parent() {
		if e := t.at(d); e != nil && t.schema.isReferral(e) {
			return e
		}
	}
	return nil
}
