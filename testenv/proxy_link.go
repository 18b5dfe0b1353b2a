package testenv

import (
	"context"
	"net"
	"sync"
	"time"
)

// pace is how long the proxy waits between two pieces when it is slowed down.
const pace = 50 * time.Millisecond

// link is one connection through the proxy.
type link struct {
	proxy  *Proxy
	client net.Conn
	done   chan struct{} // closed when the link is cut

	mu     sync.Mutex
	server net.Conn
	ended  bool
}

// run connects to the target and passes bytes until both sides have ended.
func (l *link) run() {
	defer l.proxy.forget(l)
	defer l.cut()
	if !l.pass() || !l.dial() {
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(l.client, l.server, false) })
	pumps.Go(func() { l.pump(l.server, l.client, true) })
	pumps.Wait()
}

// dial connects to the target; false if the link is over.
func (l *link) dial() bool {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	l.proxy.mu.Lock()
	target := l.proxy.target
	l.proxy.mu.Unlock()
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server
	if l.ended {
		_ = server.Close()
	}
	return !l.ended
}

// cut resets both sides; the second time it does nothing.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.done)
	for _, side := range []net.Conn{l.client, l.server} {
		if tcp, ok := side.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
}

// forget takes an ended link off the list.
func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// pump passes what one side says to the other until that side ends or the link is cut.
func (l *link) pump(from, to net.Conn, toClient bool) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		l.proxy.count(n, toClient)
		if n > 0 && !l.forward(to, piece[:n], toClient) {
			l.cut()
			return
		}
		if err == nil {
			continue
		}
		if tcp, ok := to.(*net.TCPConn); ok && l.pass() {
			_ = tcp.CloseWrite()
		}
		return
	}
}

// forward writes one piece as the faults of the moment allow; false if the link is over.
func (l *link) forward(to net.Conn, piece []byte, toClient bool) bool {
	for len(piece) > 0 {
		size, wait := l.proxy.slowness(len(piece))
		if !l.sleep(wait) || !l.pass() {
			return false
		}
		allowed, cut := l.proxy.allowance(size, toClient)
		if _, err := to.Write(piece[:allowed]); err != nil {
			return false
		}
		if cut {
			l.proxy.Cut()
			return false
		}
		piece = piece[size:]
	}
	return true
}

// pass waits while the proxy is paused; false if the link was cut meanwhile.
func (l *link) pass() bool {
	for {
		l.proxy.mu.Lock()
		gate := l.proxy.gate
		l.proxy.mu.Unlock()
		select {
		case <-l.done:
			return false
		default:
		}
		select {
		case <-gate:
			return true
		case <-l.done:
			return false
		}
	}
}

// sleep waits; false if the link was cut meanwhile.
func (l *link) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

// count adds to the totals.
func (p *Proxy) count(n int, toClient bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if toClient {
		p.received += int64(n)
		return
	}
	p.sent += int64(n)
}

// slowness says how much may pass next and after which wait.
func (p *Proxy) slowness(size int) (allowed int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate <= 0 {
		return size, p.delay
	}
	each := max(1, int(int64(p.rate)*int64(pace)/int64(time.Second)))
	allowed = min(size, each)
	return allowed, p.delay + time.Duration(allowed)*time.Second/time.Duration(p.rate)
}

// allowance counts down to the cut that CutAfter asked for.
func (p *Proxy) allowance(size int, toClient bool) (allowed int, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.cutAfter < 0 || !toClient:
		return size, false
	case int64(size) < p.cutAfter:
		p.cutAfter -= int64(size)
		return size, false
	default:
		allowed = int(p.cutAfter)
		p.cutAfter = -1
		return allowed, true
	}
}
