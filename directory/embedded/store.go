package embedded

import (
	"encoding/hex"
	"io"
	"regexp"
	"sync"
	"time"
)

// store is the tree with its lock, its clock and those who follow its changes.
type store struct {
	names
	schema *schema
	cfg    Config

	mu       sync.RWMutex // guards all below, and every entry's place
	tree     *tree
	lastTime time.Time // of the last CSN
	context  string    // the last CSN
	log      sessionLog
	feeds    map[*feed]struct{}
}

// who is the identity behind a connection.
type who struct {
	dn         dname // zero: anonymous
	service    bool
	mustChange bool // may do nothing but change the password
}

func (w who) anonymous() bool { return w.dn.isZero() }

// change is one write that followers hear of: old is nil for an add, now is nil
// for a delete.
type change struct {
	old, now *entry
	csn      string
}

var csnForm = regexp.MustCompile(`^\d{14}\.\d{6}Z#[0-9a-f]{6}#[0-9a-f]{3}#[0-9a-f]{6}$`)

func validCSN(v string) bool { return csnForm.MatchString(v) }

// serverID is the third part of this server's change sequence numbers.
const serverID = "001"

// nextCSN gives a change sequence number above all earlier ones.
func (st *store) nextCSN() (csn string, now time.Time) {
	now = st.cfg.Clock().UTC()
	t := now.Truncate(time.Microsecond)
	if !t.After(st.lastTime) {
		t = st.lastTime.Add(time.Microsecond)
	}
	st.lastTime = t
	return formatMicros(t) + "#000000#" + serverID + "#000000", now
}

// newUUID makes a random (version 4) UUID.
func (st *store) newUUID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(st.cfg.Rand, b[:]); err != nil {
		return "", err
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}

// stamp marks an entry as modified by w and gives the CSN.
func (st *store) stamp(e *entry, w dname) string {
	csn, now := st.nextCSN()
	s := st.schema
	s.set(e, s.entryCSN, csn)
	s.set(e, s.modifiersName, w.text)
	s.set(e, s.modifyTimestamp, formatTime(now))
	return csn
}

// self is the name under which the server itself writes.
func (st *store) self() dname {
	if len(st.services) > 0 {
		return st.services[0].dn
	}
	return st.suffix
}

// commit puts a change into the tree, tells the followers and then keeps the
// references to the entry right. The lock is held.
func (st *store) commit(c change) {
	switch {
	case c.old == nil:
		st.tree.insert(c.now)
	case c.now == nil:
		st.tree.remove(c.old)
	case c.old.dn.key != c.now.dn.key:
		st.tree.move(c.old.dn, c.now)
	default:
		st.tree.replace(c.now)
	}
	st.context = c.csn
	id := ""
	if c.now != nil {
		id = st.schema.uuid(c.now)
	} else {
		id = st.schema.uuid(c.old)
	}
	st.log.add(c.csn, id)
	for f := range st.feeds {
		f.offer(c)
	}
	st.keepReferences(c)
}

// isService tells whether d is a service account.
func (st *store) isService(d dname) bool {
	for _, s := range st.services {
		if s.dn.key == d.key {
			return true
		}
	}
	return false
}

// view is what filters see of e. The lock is held.
func (st *store) view(e *entry) view {
	v := view{schema: st.schema, entry: e, hasChildren: st.tree.hasChildren(e)}
	if e.dn.key == st.suffix.key {
		v.context = st.context
	}
	return v
}

// viewAt is view for an entry in its place.
func (st *store) viewAt(n *node) view {
	v := view{schema: st.schema, entry: n.entry, hasChildren: len(n.children) > 0}
	if n.parent == nil {
		v.context = st.context
	}
	return v
}

// follow registers f for all later changes. The lock is held for reading at
// least, so that nothing is missed between a search and its persist stage.
func (st *store) follow(f *feed) { st.feeds[f] = struct{}{} }

func (st *store) unfollow(f *feed) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.feeds, f)
}
