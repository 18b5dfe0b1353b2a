// Package cache is a bounded cache for values that somebody else may change
// while they are being read.
//
// A plain LRU has a race: a reader fetches the old value, the change and its
// invalidation come, and then the reader stores what it fetched, for ever. Here
// a value that was read before an invalidation is handed to its reader and not kept.
//
// It decides nothing about ages: whoever needs an expiry stores it in the value.
package cache

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Cache is a bounded LRU cache with guarded fills. Safe for concurrent use.
type Cache[K comparable, V any] struct {
	mu         sync.Mutex // orders fills against invalidations
	generation uint64
	lru        *lru.Cache[K, V]
}

// New makes a cache of at most size values; size must be positive.
func New[K comparable, V any](size int) *Cache[K, V] {
	if size < 1 {
		size = 1
	}
	l, err := lru.New[K, V](size)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Cache[K, V]{lru: l}
}

// Get gives the cached value, if there is one.
func (c *Cache[K, V]) Get(key K) (V, bool) { return c.lru.Get(key) }

// Load gives the cached value, or reads it and keeps it unless an invalidation
// of anything came meanwhile. An error of read is returned and nothing kept.
// Equal concurrent loads are not collapsed.
func (c *Cache[K, V]) Load(key K, read func() (V, error)) (V, error) {
	if v, ok := c.lru.Get(key); ok {
		return v, nil
	}
	ticket := c.Begin()
	v, err := read()
	if err != nil {
		return v, err
	}
	c.Keep(ticket, key, v)
	return v, nil
}

// Begin gives the ticket for a later Keep. Take it before reading.
func (c *Cache[K, V]) Begin() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.generation
}

// Keep stores a value that was read after Begin gave the ticket, unless an
// invalidation came in between.
func (c *Cache[K, V]) Keep(ticket uint64, key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation == ticket {
		c.lru.Add(key, value)
	}
}

// Drop forgets one key and gives what was cached for it.
func (c *Cache[K, V]) Drop(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	v, ok := c.lru.Peek(key)
	c.lru.Remove(key)
	return v, ok
}

// Purge forgets everything.
func (c *Cache[K, V]) Purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.lru.Purge()
}

// Len is the number of values kept.
func (c *Cache[K, V]) Len() int { return c.lru.Len() }
