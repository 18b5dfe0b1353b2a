// Package keylock gives mutual exclusion by key: one holder for each key at a time,
// within one process. It owns nothing but the keys that are held or waited for, so
// that it does not grow with the number of keys ever used. It knows nothing of
// other processes; who needs more uses what they share.
package keylock

import "sync"

// Locks are mutexes by key. The zero value is ready for use.
type Locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	sync.Mutex
	users int
}

// Take waits for a key and gives the function that lets it go, to be called once.
func (l *Locks) Take(key string) (release func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*lock{}
	}
	k := l.held[key]
	if k == nil {
		k = &lock{}
		l.held[key] = k
	}
	k.users++
	l.mu.Unlock()
	k.Lock()
	return func() {
		k.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, key)
		}
	}
}
