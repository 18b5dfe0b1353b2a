package embedded

import (
	"bufio"
	"context"
	"errors"
	"net"
	"runtime/debug"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// conn is one client's connection. One goroutine reads and carries out
// everything but searches; each search has a goroutine of its own, so that it
// can be abandoned.
type conn struct {
	srv    *Server
	store  *store
	ctx    context.Context
	cancel context.CancelFunc
	r      *bufio.Reader

	wmu  sync.Mutex // one answer at a time; guards sent
	sent int

	mu sync.Mutex // guards what follows
	// nc is replaced once, by StartTLS: by the reading goroutine, with both
	// locks held. That goroutine, and who holds wmu, may use it as it is.
	nc         net.Conn
	who        who
	secure     bool
	ops        map[int64]*operation
	pages      *pages
	persistent int

	wg sync.WaitGroup // running searches
}

// operation is one running request.
type operation struct {
	conn     *conn
	id       int64
	ctx      context.Context
	cancel   context.CancelFunc
	canceled bool // by the Cancel operation: it is answered; guarded by conn.mu
}

func (o *operation) gone() bool { return o.ctx.Err() != nil }

// send sends one answer of the operation, unless it was abandoned.
func (o *operation) send(op *ber.Packet, controls []reply) error {
	if o.gone() {
		return errGone
	}
	return o.conn.send(o.id, op, controls)
}

func (c *conn) identity() who {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who
}

func (c *conn) setIdentity(w who) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who = w
}

// drop closes the connection from any goroutine.
func (c *conn) drop() {
	c.cancel()
	c.mu.Lock()
	nc := c.nc
	c.mu.Unlock()
	_ = nc.Close()
}

// barrier keeps a mistake in one request from ending the whole program: it
// costs the connection.
func (c *conn) barrier() {
	if p := recover(); p != nil {
		c.store.cfg.Log.Error("embedded directory: panic", "panic", p, "stack", string(debug.Stack()))
		c.drop()
	}
}

// serve runs the connection to its end.
func (c *conn) serve() {
	defer func() {
		c.drop()
		c.wg.Wait()
	}()
	defer c.barrier()
	c.r = bufio.NewReader(c.nc)
	for {
		m, err := c.next()
		if err != nil {
			if errors.Is(err, errProtocol) {
				c.store.cfg.Log.Debug("embedded directory: bad message", "client", c.nc.RemoteAddr().String(), "err", err)
				c.disconnect(err.Error())
			}
			return
		}
		c.srv.counts[m.op].Add(1)
		if m.op == OpUnbind || !c.handle(m) {
			return
		}
	}
}

// next reads the next request. Idle time counts only while nothing runs.
func (c *conn) next() (*message, error) {
	cfg := c.store.cfg
	for {
		if err := c.nc.SetReadDeadline(time.Now().Add(cfg.IdleTimeout)); err != nil {
			return nil, err
		}
		_, err := c.r.Peek(1)
		if err == nil {
			break
		}
		var ne net.Error
		if c.ctx.Err() == nil && errors.As(err, &ne) && ne.Timeout() && c.busy() {
			continue
		}
		return nil, err
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(cfg.ReadTimeout)); err != nil {
		return nil, err
	}
	limit := cfg.MaxMessage
	if c.identity().anonymous() {
		limit = min(limit, anonymousMessage)
	}
	frame, err := readFrame(c.r, limit)
	if err != nil {
		return nil, err
	}
	return decodeMessage(frame, cfg.MaxNesting)
}

func (c *conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ops) > 0
}

// send writes one message, through the faults.
func (c *conn) send(id int64, op *ber.Packet, controls []reply) error {
	fl := c.srv.faults()
	if fl.Silent {
		return nil
	}
	if fl.Delay > 0 {
		select {
		case <-time.After(fl.Delay):
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	var b []byte
	if fl.Garbage != GarbageNone {
		b = fl.Garbage.encode(id, op)
	} else {
		b = envelope(id, op, controls).Bytes()
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.sent++; fl.DropAfter > 0 && c.sent > fl.DropAfter {
		c.cancel()
		_ = c.nc.Close()
		return errGone
	}
	if fl.BytesPerSecond > 0 {
		return c.trickle(b, fl.BytesPerSecond)
	}
	return c.write(b)
}

// write needs wmu.
func (c *conn) write(b []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(c.store.cfg.WriteTimeout)); err != nil {
		return err
	}
	_, err := c.nc.Write(b)
	if err != nil {
		c.cancel() // half an answer is out: the stream is lost
		_ = c.nc.Close()
	}
	return err
}

func (c *conn) trickle(b []byte, rate int) error {
	for i := range b {
		if err := c.write(b[i : i+1]); err != nil {
			return err
		}
		select {
		case <-time.After(time.Second / time.Duration(rate)):
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	return nil
}

// disconnect sends the notice of disconnection (RFC 4511 §4.4.1).
func (c *conn) disconnect(text string) {
	f := refuse(resultProtocolError, "%s", text)
	_ = c.send(0, result(tagExtended, f, contextOctets(10, oidDisconnection)), nil)
}

// begin registers a running operation; the message id must be free.
func (c *conn) begin(id int64) *operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops[id] != nil {
		return nil
	}
	o := &operation{conn: c, id: id}
	o.ctx, o.cancel = context.WithCancel(c.ctx)
	c.ops[id] = o
	return o
}

func (c *conn) end(o *operation) {
	o.cancel()
	c.mu.Lock()
	delete(c.ops, o.id)
	c.mu.Unlock()
}

// abandon stops a running operation; with answer, it ends with code 118.
func (c *conn) abandon(id int64, answer bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.ops[id]
	if o == nil {
		return false
	}
	o.canceled = answer
	o.cancel()
	return true
}

// quiesce abandons everything that runs and waits for its end; a bind does so.
func (c *conn) quiesce() {
	c.mu.Lock()
	for _, o := range c.ops {
		o.cancel()
	}
	c.pages = nil
	c.mu.Unlock()
	c.wg.Wait()
}
