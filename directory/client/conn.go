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

// conn is one LDAP connection. At any time one goroutine has it. It has either
// l, for the service account's requests, or x, for user binds and nothing else.
type conn struct {
	l   *ldap.Conn
	x   *exchange
	nc  net.Conn // the socket below TLS
	w   *wire
	srv *server

	born, used time.Time
	reused     bool // it came out of a pool and may have gone stale there
	limit      *time.Timer
}

// kill cuts the socket; go-ldap's goroutines end by themselves. It never blocks,
// which ldap.Conn.Close does while a write hangs.
func (k *conn) kill() {
	_ = k.nc.Close()
	if k.l == nil {
		_ = k.w.Close()
	}
}

// close says goodbye to the server first. For connections that nobody uses.
func (k *conn) close() {
	_ = k.nc.SetDeadline(time.Now().Add(time.Second))
	if k.l != nil {
		_ = k.l.Unbind()
	} else {
		k.x.unbind()
	}
	k.kill()
}

// broken tells whether the connection is beyond use.
func (k *conn) broken() bool { return k.w.failed.Load() || k.l != nil && k.l.IsClosing() }

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
	finished := false
	defer func() {
		if !finished {
			k.kill()
		}
	}()
	if k.limit == nil {
		k.limit = time.AfterFunc(d, k.kill)
	} else {
		k.limit.Reset(d)
	}
	defer k.limit.Stop()
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, k.kill)
		defer stop()
	}
	err = do()
	finished = true
	// Each is false when it has cut, or is about to cut, the connection.
	if !stop() {
		cut = ctx.Err()
	}
	if !k.limit.Stop() && cut == nil {
		cut = errNoAnswer
	}
	return err, cut
}

// wire is the stream that requests and answers go through, above TLS. It knows
// whether anything was sent and whether the line has failed.
type wire struct {
	net.Conn
	onClose func()
	once    sync.Once

	sent   atomic.Int64
	failed atomic.Bool
}

// Read notes failures.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.failed.Store(true)
	}
	return n, err
}

// Write counts what leaves and notes failures.
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
