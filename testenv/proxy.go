package testenv

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy on a loopback port that can be told to misbehave. It forwards faithfully at first. Faults hold
// for the connections that are open and for those to come. All methods may be called at any time, from any goroutine.
type Proxy struct {
	address string
	release func()
	running sync.WaitGroup

	mu       sync.Mutex
	target   string
	listener net.Listener
	links    map[*link]struct{}
	gate     chan struct{} // closed while bytes may pass
	rate     int           // bytes a second and direction; 0: no limit
	delay    time.Duration // before each piece
	cutAfter int64         // bytes to clients until everything is cut; negative: never
	accepted int
	sent     int64
	received int64
}

// OpenProxy starts a proxy in front of an address, such as LDAPServer.Address, that ends with the test.
func OpenProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := NewProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// NewProxy starts a proxy in front of an address; the caller closes it.
func NewProxy(target string) (*Proxy, error) {
	port, release, err := reservePort()
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		address: loopback(port), release: release, target: target, links: map[*link]struct{}{},
		gate: make(chan struct{}), cutAfter: -1,
	}
	close(p.gate)
	if err := p.Accept(); err != nil {
		release()
		return nil, err
	}
	return p, nil
}

// Address is where the proxy listens, as host and port.
func (p *Proxy) Address() string { return p.address }

// URL is where the proxy listens, as an address with this scheme: URL("ldap") is ldap://127.0.0.1:14003.
func (p *Proxy) URL(scheme string) string { return scheme + "://" + p.address }

// SetTarget sends connections to another address from now on; open ones stay where they are.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Pause turns the proxy into a black hole: connections open and stay open, and not a byte passes, not even the end of a
// connection. That is how a dead firewall looks. Resume ends it, and what was held back passes.
func (p *Proxy) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		p.gate = make(chan struct{})
	default: // paused already
	}
}

// Resume ends a Pause.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate: // not paused
	default:
		close(p.gate)
	}
}

// SlowDown lets this many bytes a second pass in each direction of each connection; 0 means full speed.
func (p *Proxy) SlowDown(bytesPerSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = bytesPerSecond
}

// Delay holds every piece of data back for this long; 0 means no delay.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// CutAfter cuts all connections once this many more bytes have gone to clients, in the middle of an answer as it may
// be. It happens once.
func (p *Proxy) CutAfter(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAfter = bytes
}

// Cut resets all open connections. New ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Refuse closes the port, so that connecting is refused, and resets all open connections. Accept ends it.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.Cut()
}

// Accept opens the port again after Refuse.
func (p *Proxy) Accept() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", p.address)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	p.listener = listener
	p.running.Go(func() { p.serve(listener) })
	return nil
}

// Open is the number of connections that are open.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Accepted is the number of connections that were ever accepted.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Sent is the number of bytes that clients sent, whether they were passed on or not.
func (p *Proxy) Sent() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// Received is the number of bytes that servers sent, whether they were passed on or not.
func (p *Proxy) Received() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.received
}

// Close ends the proxy and all its connections. It returns when nothing of it runs any more.
func (p *Proxy) Close() {
	p.Refuse()
	p.running.Wait()
	p.release()
}

// serve accepts connections until the listener is closed.
func (p *Proxy) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		l := &link{proxy: p, client: client, done: make(chan struct{})}
		p.mu.Lock()
		p.accepted++
		p.links[l] = struct{}{}
		closed := p.listener != listener
		p.mu.Unlock()
		if closed { // accepted while Refuse was under way
			l.cut()
		}
		p.running.Go(l.run)
	}
}
