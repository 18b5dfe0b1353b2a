package httpapi

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says how the server listens and what it bears. Zero values are the
// defaults named here.
type Config struct {
	Listen            string // host:port; required
	CertFile, KeyFile string // both or neither; re-read when they change

	TrustedProxies  []string // addresses and networks that may name the client
	ForwardedHeader string   // the one that they set: "x-forwarded-for" or "forwarded"; "": whichever is there

	MaxHeader int   // bytes of request line and headers, give or take 4 KiB; 32 KiB
	MaxBody   int64 // bytes of a request body; 1 MiB
	// LargerBodies holds paths whose bodies may be larger than MaxBody, with their limits.
	LargerBodies map[string]int64
	// OwnBodies are prefixes of paths whose dialects bound bodies themselves, with an
	// answer of their own.
	OwnBodies      []string
	MaxConnections int // open at one time; 4096

	ReadHeaderTimeout time.Duration // 10 s
	ReadTimeout       time.Duration // header and body; 30 s
	WriteTimeout      time.Duration // 60 s
	IdleTimeout       time.Duration // between requests; 90 s
	ShutdownTimeout   time.Duration // for requests in flight when told to end; 20 s

	// MetricsListen is the address of the metrics, "" for none. Without a host
	// it is the loopback address.
	MetricsListen string
}

func (c *Config) setDefaults() {
	setDefault(&c.MaxHeader, 32<<10)
	setDefault(&c.MaxBody, 1<<20)
	setDefault(&c.MaxConnections, 4096)
	setDefault(&c.ReadHeaderTimeout, 10*time.Second)
	setDefault(&c.ReadTimeout, 30*time.Second)
	setDefault(&c.WriteTimeout, 60*time.Second)
	setDefault(&c.IdleTimeout, 90*time.Second)
	setDefault(&c.ShutdownTimeout, 20*time.Second)
}

func setDefault[T int | int64 | time.Duration](p *T, value T) {
	if *p <= 0 {
		*p = value
	}
}

// Deps is what the server works with. Log, Now and Rand are required.
type Deps struct {
	Log       *slog.Logger
	Now       func() time.Time
	Rand      io.Reader      // for the beginning of the request ids
	Readiness func() []Check // nil: ready as soon as it listens
	Dialects  []Dialect      // in the order in which their routes are tried
}

// Server answers HTTP requests. Make one with New, then call Run.
type Server struct {
	cfg          Config
	log          *slog.Logger
	accessLogger slog.Handler // what log writes to, without the wrapper
	now          func() time.Time
	readiness    func() []Check
	proxies      *proxies
	cert         *certificate // nil without TLS
	metrics      *metrics
	words        map[string]bool // fixed words of all routes; read-only after New
	handler      http.Handler

	idPrefix string
	requests atomic.Uint64
	draining atomic.Bool

	mu       sync.Mutex // guards what follows
	gate     *gate
	metricsL net.Listener
	servers  []*http.Server
	closed   bool
}

// New builds a server and its routes; it opens no socket. Errors name what is
// wrong in the configuration or in a dialect's routes.
func New(cfg Config, deps Deps) (*Server, error) {
	if deps.Log == nil || deps.Now == nil || deps.Rand == nil {
		return nil, errors.New("httpapi: Log, Now and Rand are required")
	}
	cfg.setDefaults()
	handler := LogHandler(deps.Log.Handler())
	s := &Server{
		cfg:          cfg,
		log:          slog.New(handler),
		accessLogger: handler.(*logHandler).Handler,
		now:          deps.Now,
		readiness:    deps.Readiness,
		words:        map[string]bool{},
	}
	if s.readiness == nil {
		s.readiness = func() []Check { return nil }
	}
	var err error
	if s.proxies, err = newProxies(cfg.TrustedProxies, cfg.ForwardedHeader); err != nil {
		return nil, err
	}
	if (cfg.CertFile == "") != (cfg.KeyFile == "") {
		return nil, errors.New("TLS: certificate file and key file belong together")
	}
	if cfg.CertFile != "" {
		if s.cert, err = newCertificate(cfg.CertFile, cfg.KeyFile, deps.Now, s.log); err != nil {
			return nil, err
		}
	}
	var seed [5]byte
	if _, err = io.ReadFull(deps.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("randomness: %w", err)
	}
	s.idPrefix = hex.EncodeToString(seed[:]) + "-"
	s.metrics = newMetrics(s.openConnections)
	router, err := s.route(deps.Dialects)
	if err != nil {
		return nil, err
	}
	s.handler = s.chain(router)
	return s, nil
}

// Handler is the whole server as a handler, for tests and for embedding.
func (s *Server) Handler() http.Handler { return s.handler }

// Registry is where other parts of the program register their metrics.
func (s *Server) Registry() *prometheus.Registry { return s.metrics.registry }

// ReloadCertificate reads the TLS files now; on error the old pair stays in use.
// Calls are serialised. Without TLS it does nothing.
func (s *Server) ReloadCertificate() error {
	if s.cert == nil {
		return nil
	}
	return s.cert.reload()
}

func (s *Server) openConnections() float64 {
	s.mu.Lock()
	g := s.gate
	s.mu.Unlock()
	if g == nil {
		return 0
	}
	return float64(g.open())
}
