package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server is an LDAP server. Make it with New, fill it with LoadLDIF, and
// Start it. After Close it may be started again: it then has the same
// addresses and the same entries, but, like a real server, has forgotten its
// session log.
type Server struct {
	store    *store
	faultBox atomic.Pointer[Faults]
	counts   [256]atomic.Int64 // requests by operation
	accepted atomic.Int64

	mu        sync.Mutex // guards what follows
	listeners []net.Listener
	addr      string // of the plain port, kept over a restart
	addrTLS   string
	conns     map[*conn]struct{}
	wg        sync.WaitGroup
}

// acceptPause is waited after a failed accept, such as for want of descriptors.
const acceptPause = 50 * time.Millisecond

// Stats counts what a server has seen since New.
type Stats struct {
	Open       int   // connections open now
	Accepted   int64 // connections so far
	Operations map[Operation]int64
}

// New makes a server with an empty tree. It does not listen yet.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := newSchema()
	if err != nil {
		return nil, err
	}
	n, err := cfg.parse(s)
	if err != nil {
		return nil, err
	}
	st := &store{
		schema: s, cfg: cfg, names: n, tree: newTree(s, n.suffix),
		feeds: map[*feed]struct{}{}, log: sessionLog{size: cfg.SessionLog},
	}
	return &Server{store: st, conns: map[*conn]struct{}{}}, nil
}

// Start opens the ports and serves until Close.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) > 0 {
		return errors.New("embedded directory: already started")
	}
	cfg := s.store.cfg
	if s.addr == "" {
		s.addr, s.addrTLS = cfg.Listen, cfg.ListenTLS
	}
	plain, err := new(net.ListenConfig).Listen(context.Background(), "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("embedded directory: %w", err)
	}
	s.listeners = []net.Listener{plain}
	s.addr = plain.Addr().String()
	if s.addrTLS != "" {
		secure, err := new(net.ListenConfig).Listen(context.Background(), "tcp", s.addrTLS)
		if err != nil {
			s.listeners = nil
			return errors.Join(fmt.Errorf("embedded directory: %w", err), plain.Close())
		}
		s.addrTLS = secure.Addr().String()
		s.listeners = append(s.listeners, secure)
	}
	for i, l := range s.listeners {
		s.wg.Go(func() { s.accept(l, i == 1) })
	}
	return nil
}

// URL gives "ldap://host:port" of the plain port; before Start, of the
// configured address.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "ldap://" + s.addr
}

// URLTLS gives "ldaps://host:port", or "" without that port.
func (s *Server) URLTLS() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addrTLS == "" {
		return ""
	}
	return "ldaps://" + s.addrTLS
}

// Close ends all connections and returns when nothing of the server runs any
// more. The entries stay.
func (s *Server) Close() error {
	s.mu.Lock()
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	started := len(s.listeners) > 0
	s.listeners = nil
	for c := range s.conns {
		c.drop()
	}
	s.mu.Unlock()
	s.wg.Wait()
	if started {
		s.store.mu.Lock()
		s.store.log.reset(s.store.context)
		s.store.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Stats gives the counters.
func (s *Server) Stats() Stats {
	out := Stats{Accepted: s.accepted.Load(), Operations: map[Operation]int64{}}
	for i := range s.counts {
		if n := s.counts[i].Load(); n > 0 {
			out.Operations[Operation(i)] = n
		}
	}
	s.mu.Lock()
	out.Open = len(s.conns)
	s.mu.Unlock()
	return out
}

func (s *Server) accept(l net.Listener, secure bool) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.store.cfg.Log.Error("embedded directory: accept", "err", err)
			time.Sleep(acceptPause)
			continue
		}
		s.accepted.Add(1)
		if s.faults().RefuseConnects || !s.begin(nc, secure) {
			_ = nc.Close()
		}
	}
}

// begin starts a connection, unless there are too many or the server closes.
func (s *Server) begin(nc net.Conn, secure bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == 0 || len(s.conns) >= s.store.cfg.MaxConnections {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &conn{srv: s, store: s.store, nc: nc, ctx: ctx, cancel: cancel, ops: map[int64]*operation{}}
	if secure {
		c.nc, c.secure = tls.Server(nc, s.store.cfg.TLS), true
	}
	s.conns[c] = struct{}{}
	s.wg.Go(func() {
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	})
	return true
}

// Entry is one entry as Entries shows it.
type Entry struct {
	DN         string
	Attributes map[string][]string // operational ones and password hashes included
}

// Entries lists the tree, parents first, for tests and the demo's own use.
func (s *Server) Entries() []Entry {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	var out []Entry
	for n := range s.store.tree.walk(s.store.suffix, scopeSub) {
		e := n.entry
		x := Entry{DN: e.dn.text, Attributes: map[string][]string{}}
		for _, a := range e.attrs {
			for _, v := range a.vals {
				x.Attributes[a.name()] = append(x.Attributes[a.name()], v.raw)
			}
		}
		out = append(out, x)
	}
	return out
}
