package client

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// errNoAnswer ends a request that took longer than it may.
var errNoAnswer = errors.New("no answer in time")

// conn is one LDAP connection. At any time one goroutine has it.
type conn struct {
	l   *ldap.Conn
	nc  net.Conn // the socket below TLS
	w   *wire
	srv *server

	born, used time.Time
	reused     bool // it came out of a pool and may have gone stale there
}

// kill cuts the socket; go-ldap's goroutines end by themselves. It never blocks,
// which ldap.Conn.Close does while a write hangs.
func (k *conn) kill() { _ = k.nc.Close() }

// close says goodbye to the server first. For connections that nobody uses.
func (k *conn) close() {
	_ = k.nc.SetDeadline(time.Now().Add(time.Second))
	_ = k.l.Unbind()
	_ = k.nc.Close()
}

// broken tells whether the connection is beyond use.
func (k *conn) broken() bool { return k.l.IsClosing() || k.w.failed.Load() }

// strange is what go-ldap noted in passing and did not return: recovered
// panics, messages that belong to no request. An answer beside such a note may
// lack a part.
func (k *conn) strange() error {
	if err := k.l.GetLastError(); err != nil {
		return ldap.NewError(ldap.ErrorUnexpectedMessage, err)
	}
	return nil
}

// within runs one request and cuts the connection when ctx ends or d has
// passed. go-ldap's own time-out is not used: it costs a goroutine a request
// and leaves a connection on which a late answer may still come in. The second
// error is set when the connection was cut: errNoAnswer or the error of ctx.
// When do panics, the connection is cut as well.
func (k *conn) within(ctx context.Context, d time.Duration, do func() error) (err, cut error) {
	limit, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	stop := context.AfterFunc(limit, k.kill)
	err = do()
	if !stop() {
		if cut = ctx.Err(); cut == nil {
			cut = errNoAnswer
		}
	}
	return err, cut
}

// wire is the stream go-ldap reads and writes, above TLS. It knows whether
// anything was sent or came back, and can keep the answer to one request.
type wire struct {
	net.Conn
	onClose func()
	once    sync.Once

	sent, got atomic.Int64
	failed    atomic.Bool

	mu   sync.Mutex
	keep bool
	kept []byte
}

// maxKept bounds the answer to a bind that is looked at a second time.
const maxKept = 16 << 10

// Read counts what arrives.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.got.Add(int64(n))
	if n > 0 {
		w.mu.Lock()
		if w.keep && len(w.kept) <= maxKept {
			w.kept = append(w.kept, p[:n]...)
		}
		w.mu.Unlock()
	}
	if err != nil {
		w.failed.Store(true)
	}
	return n, err
}

// Write counts what leaves.
func (w *wire) Write(p []byte) (int, error) {
	w.sent.Add(int64(len(p)))
	n, err := w.Conn.Write(p)
	if err != nil {
		w.failed.Store(true)
	}
	return n, err
}

// Close closes the stream and takes the connection off the client's list.
func (w *wire) Close() error {
	w.once.Do(w.onClose)
	return w.Conn.Close()
}

// record begins to keep what arrives.
func (w *wire) record() {
	w.mu.Lock()
	w.keep, w.kept = true, w.kept[:0]
	w.mu.Unlock()
}

// recorded gives what arrived since record and stops keeping.
func (w *wire) recorded() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep = false
	return w.kept
}
