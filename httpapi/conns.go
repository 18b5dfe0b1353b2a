package httpapi

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// peer is the other end of one connection.
type peer struct {
	addr    netip.Addr
	text    string
	trusted bool

	busy    atomic.Int32 // requests in handlers right now
	touched atomic.Int64 // when the connection was opened or last became idle, Unix ns
}

// gate bounds the number of open connections. At the limit a new connection
// takes the place of the one that has been without a request in a handler for
// longest (idle, or still sending its first header); while every connection is
// at work, new ones wait in the system's queue.
type gate struct {
	net.Listener
	max     int
	now     func() time.Time
	proxies *proxies

	mu      sync.Mutex
	freed   *sync.Cond
	waiting atomic.Bool
	closed  bool
	conns   map[*gatedConn]struct{}
}

func newGate(inner net.Listener, limit int, now func() time.Time, p *proxies) *gate {
	g := &gate{Listener: inner, max: limit, now: now, proxies: p, conns: map[*gatedConn]struct{}{}}
	g.freed = sync.NewCond(&g.mu)
	return g
}

// Accept waits for room and gives the next connection.
func (g *gate) Accept() (net.Conn, error) {
	for {
		inner, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &gatedConn{Conn: inner, gate: g}
		c.peer.addr = peerAddr(inner.RemoteAddr().String())
		c.peer.text = c.peer.addr.String()
		c.peer.trusted = g.proxies.trusts(c.peer.addr)
		c.peer.touched.Store(g.now().UnixNano())
		if g.admit(c) {
			return c, nil
		}
		_ = inner.Close() // the listener is closing; Accept says so next
	}
}

// admit waits until c has a place; false when the gate was closed meanwhile.
func (g *gate) admit(c *gatedConn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.conns) >= g.max && !g.closed {
		if victim := g.idlest(); victim != nil {
			delete(g.conns, victim)
			_ = victim.Conn.Close() // its own goroutine sees the error and ends
			break
		}
		g.waiting.Store(true)
		if g.idlest() == nil { // once more: one may have ended before it could see us waiting
			g.freed.Wait()
		}
		g.waiting.Store(false)
	}
	if g.closed {
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *gate) idlest() *gatedConn {
	var found *gatedConn
	var oldest int64
	for c := range g.conns {
		if c.peer.busy.Load() > 0 {
			continue
		}
		if at := c.peer.touched.Load(); found == nil || at < oldest {
			found, oldest = c, at
		}
	}
	return found
}

// Close stops accepting.
func (g *gate) Close() error {
	g.mu.Lock()
	g.closed = true
	g.freed.Broadcast()
	g.mu.Unlock()
	return g.Listener.Close()
}

// open is the number of connections.
func (g *gate) open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

func (g *gate) wake() {
	if g.waiting.Load() {
		g.mu.Lock()
		g.freed.Broadcast()
		g.mu.Unlock()
	}
}

// gatedConn leaves the gate when it is closed.
type gatedConn struct {
	net.Conn
	gate *gate
	peer peer
}

// Close closes the connection and gives up its place.
func (c *gatedConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.freed.Broadcast()
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends our half of the connection, so that a client that is still
// sending gets to read why it was refused.
func (c *gatedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// begin and end mark a request in a handler; a nil one is no connection of ours.
func (c *gatedConn) begin() {
	if c != nil {
		c.peer.busy.Add(1)
	}
}

func (c *gatedConn) end(now time.Time) {
	if c != nil {
		c.peer.touched.Store(now.UnixNano())
		c.peer.busy.Add(-1)
		c.gate.wake()
	}
}

type connKey struct{}

// connContext puts the connection where the middleware finds it.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if g, ok := c.(*gatedConn); ok {
		return context.WithValue(ctx, connKey{}, g)
	}
	return ctx
}
