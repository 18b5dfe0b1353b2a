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

// lost forgets an entry and tells whether it is a container that was known.
func (n *names) lost(stable string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, known := n.key[stable]
	delete(n.key, stable)
	return known
}

func (n *names) forget(stable string) {
	n.mu.Lock()
	delete(n.key, stable)
	n.mu.Unlock()
}

// recent remembers what events told of a moment ago, so that a read that runs
// beside the events, perhaps on a lagging replica, cannot put an older state over
// a newer one.
type recent struct {
	mu   sync.Mutex
	now  func() time.Time
	span time.Duration // how long an entry counts as just changed: longer than replicas lag
	news map[string]news
	next time.Time // of the next clean-up
	held int       // reads that run: nothing is forgotten
}

type news struct {
	at       time.Time // when the event came
	modified time.Time // by the server's clock, once it was read
	gone     bool
}

func newRecent(now func() time.Time, span time.Duration) *recent {
	return &recent{now: now, span: span, news: map[string]news{}}
}

// touch notes that an event of an entry came.
func (r *recent) touch(stable string) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news[stable] = news{at: now}
	if r.held == 0 && now.After(r.next) {
		for id, n := range r.news {
			if now.Sub(n.at) > r.span {
				delete(r.news, id)
			}
		}
		r.next = now.Add(r.span)
	}
}

// read notes what an event said: the time of the change, or that the entry is gone.
func (r *recent) read(stable string, modified time.Time, gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.news[stable]; ok {
		n.modified, n.gone = modified, gone
		r.news[stable] = n
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

// newer tells whether events told of something newer than this state of an entry,
// which was read some time after began: an event came since, or what one told
// before is newer by the server's own clock.
func (r *recent) newer(e *directory.Entry, began time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.news[e.ID.Stable]
	if !ok || n.at.Before(began.Add(-r.span)) {
		return false
	}
	return !n.at.Before(began) || n.gone || n.modified.After(e.Modified)
}

// since lists the entries that events told of since a time, or shortly before: a
// lagging replica may not show them yet.
func (r *recent) since(began time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for id, n := range r.news {
		if !n.gone && n.at.After(began.Add(-r.span)) {
			list = append(list, id)
		}
	}
	return list
}
