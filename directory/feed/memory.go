package feed

import (
	"sync"
	"time"

	"portico/directory"
	"portico/directory/mapping"
)

// names remembers the DN of every container: when one is renamed, everything
// below it has another DN, and no event says so.
type names struct {
	mu  sync.Mutex
	key map[string]string // stable id to DN key
}

func newNames() *names { return &names{key: map[string]string{}} }

// moved notes an entry's DN and tells whether it is a container that may have had
// another one before. fresh tells that the entry is certainly new.
func (n *names) moved(e *directory.Entry, fresh bool) bool {
	if e.Kind != directory.KindContainer {
		return false
	}
	key, err := mapping.DNKey(e.DN)
	if err != nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	before, known := n.key[e.ID.Stable]
	n.key[e.ID.Stable] = key
	if !known {
		return !fresh
	}
	return before != key
}

func (n *names) forget(stable string) {
	n.mu.Lock()
	delete(n.key, stable)
	n.mu.Unlock()
}

// recentSpan is how long an entry counts as just changed. It must be longer than
// replicas usually lag.
const recentSpan = time.Minute

// recent remembers which entries events told of a moment ago, so that a read that
// runs beside the events cannot put an older state over a newer one.
type recent struct {
	mu   sync.Mutex
	now  func() time.Time
	at   map[string]time.Time
	next time.Time // of the next clean-up
	held int       // reads that run: nothing is forgotten
}

func newRecent(now func() time.Time) *recent {
	return &recent{now: now, at: map[string]time.Time{}}
}

// touch notes an event of an entry.
func (r *recent) touch(stable string) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[stable] = now
	if r.held == 0 && now.After(r.next) {
		for id, t := range r.at {
			if now.Sub(t) > recentSpan {
				delete(r.at, id)
			}
		}
		r.next = now.Add(recentSpan)
	}
}

// hold keeps all that is noted until the returned function is called.
func (r *recent) hold() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held++
	return sync.OnceFunc(func() {
		r.mu.Lock()
		r.held--
		r.mu.Unlock()
	})
}

// has tells whether events told of an entry since a time, or up to recentSpan
// before.
func (r *recent) has(stable string, since time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.at[stable]
	return ok && t.After(since.Add(-recentSpan))
}

// since lists the entries that has would confirm.
func (r *recent) since(since time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for id, t := range r.at {
		if t.After(since.Add(-recentSpan)) {
			list = append(list, id)
		}
	}
	return list
}
