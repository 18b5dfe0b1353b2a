// Package client owns the connections to one LDAP directory: URLs and their
// failover, TLS, the pool of service connections, the pool of connections that
// do nothing but user binds, and streams of their own for paged reads and feeds.
//
// It turns every failure into one of the directory package's few errors and
// every bind into one directory.BindResult. An answer is complete or an error:
// partial entries are never handed out, and referrals are counted but never
// followed, because following them would carry credentials to hosts that nobody
// configured.
//
// It knows nothing of entries, presets or the mirror: requests come in ready
// made, answers go out as go-ldap decodes them.
package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Config describes one directory. Zero values of numbers and durations mean
// the defaults named beside them.
type Config struct {
	Name     string   // the configured name, for logs and errors
	URLs     []string // ldap://, ldaps://, ldapi://, in order of preference
	StartTLS bool     // for ldap:// URLs: TLS before anything else is said
	TLS      TLSConfig

	// BindDN and BindPassword are the service account. Without a BindDN the
	// service connections are anonymous, or SASL EXTERNAL where a client
	// certificate is given or the URL is ldapi.
	BindDN       string
	BindPassword string

	PoolSize     int           // service connections at most; 8
	BindPoolSize int           // connections for user binds at most; 16
	Timeout      time.Duration // one request, and one wait for a connection; 10 s
	DialTimeout  time.Duration // connect, TLS and service bind together; 3 s
	IdleTimeout  time.Duration // unused connections are closed after it; 60 s
	MaxAge       time.Duration // connections are replaced after it; 30 min
	Cooldown     time.Duration // pause between probes of a server that is down; 1 s
}

// TLSConfig says how the server is verified and who we are.
type TLSConfig struct {
	CAFile             string // PEM; empty: the system's authorities. Read again when it changes.
	ServerName         string // empty: the host of the URL
	InsecureSkipVerify bool
	CertFile, KeyFile  string // client certificate, PEM; read again when they change
}

// String gives the configuration without its password.
func (c Config) String() string {
	return fmt.Sprintf("directory %s at %v as %q", c.Name, c.URLs, c.BindDN)
}

// LogValue gives the configuration without its password.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Client is one directory. It is safe for use by many goroutines.
type Client struct {
	cfg     Config
	log     *slog.Logger
	tls     *tlsLoader
	servers []*server
	service *pool
	binds   *pool
	streams chan struct{} // paged reads that run at once

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // checks and probes of servers

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{} // every open connection

	dials, retries, referrals atomic.Int64
	referralLogged            atomic.Bool
	complained                atomic.Int64 // Unix seconds of the last warning about refused binds
	features                  atomic.Pointer[knownFeatures]
}

const (
	maxPool        = 1024
	maxStreams     = 8
	bindIdleMax    = 30 * time.Second // user binds cannot be probed, so they are kept for less long
	probeIdleAfter = 5 * time.Second  // service connections unused for longer are probed before use
	probeTimeout   = 2 * time.Second
)

// New checks the configuration and reads the TLS files. It dials nothing.
func New(cfg Config, log *slog.Logger) (*Client, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg, err := withDefaults(cfg)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", cfg.Name, err)
	}
	c := &Client{
		cfg: cfg, log: log.With("directory", cfg.Name),
		conns:   map[*conn]struct{}{},
		streams: make(chan struct{}, maxStreams),
	}
	for _, raw := range cfg.URLs {
		t, err := parseURL(raw, cfg)
		if err != nil {
			return nil, fmt.Errorf("directory %s: %w", cfg.Name, err)
		}
		c.servers = append(c.servers, &server{c: c, target: t})
	}
	if c.tls, err = newTLSLoader(cfg.TLS, c.log); err != nil {
		return nil, fmt.Errorf("directory %s: %w", cfg.Name, err)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.service = newPool(poolConfig{
		option: "pool.size", size: cfg.PoolSize, wait: cfg.Timeout, idle: cfg.IdleTimeout, age: cfg.MaxAge,
		dial: func(ctx context.Context) (*conn, error) { return c.dialAny(ctx, forService) },
		down: func() error { return c.allDown(true) }, healthy: c.healthy,
	})
	c.binds = newPool(poolConfig{
		option: "pool.bind_size", size: cfg.BindPoolSize, wait: cfg.Timeout,
		idle: min(cfg.IdleTimeout, bindIdleMax), age: cfg.MaxAge,
		dial: func(ctx context.Context) (*conn, error) { return c.dialAny(ctx, forBinds) },
		down: func() error { return c.allDown(false) },
	})
	return c, nil
}

func withDefaults(cfg Config) (Config, error) {
	if len(cfg.URLs) == 0 {
		return cfg, errors.New("urls is empty: at least one ldap://, ldaps:// or ldapi:// URL is needed")
	}
	if cfg.BindDN != "" && cfg.BindPassword == "" {
		return cfg, errors.New("bind_dn is set but bind_password is empty: a bind without a password would be anonymous")
	}
	if cfg.BindDN == "" && cfg.BindPassword != "" {
		return cfg, errors.New("bind_password is set but bind_dn is empty: a bind without a DN would be anonymous")
	}
	if (cfg.TLS.CertFile == "") != (cfg.TLS.KeyFile == "") {
		return cfg, errors.New("tls.cert_file and tls.key_file must be given together")
	}
	for _, n := range []*int{&cfg.PoolSize, &cfg.BindPoolSize} {
		if *n < 0 || *n > maxPool {
			return cfg, fmt.Errorf("pool sizes must be between 1 and %d", maxPool)
		}
	}
	setDefault(&cfg.PoolSize, 8)
	setDefault(&cfg.BindPoolSize, 16)
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&cfg.Timeout, 10 * time.Second},
		{&cfg.DialTimeout, 3 * time.Second},
		{&cfg.IdleTimeout, time.Minute},
		{&cfg.MaxAge, 30 * time.Minute},
		{&cfg.Cooldown, time.Second},
	} {
		if *d.value < 0 {
			return cfg, errors.New("time-outs must not be negative")
		}
		setDefault(d.value, d.usual)
	}
	return cfg, nil
}

func setDefault[T comparable](v *T, usual T) {
	var zero T
	if *v == zero {
		*v = usual
	}
}

// Close ends all connections, streams and dedicated ones included, and waits
// for the background probes. Calls under way fail with directory.ErrUnavailable.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.service.close()
	c.binds.close()
	c.kill(nil)
	c.wg.Wait()
	return nil
}

// Stats is a snapshot for metrics and readiness.
type Stats struct {
	Open      int // connections of every sort
	Service   PoolStats
	Binds     PoolStats
	Dials     int64 // connections made so far
	Retries   int64 // requests that were repeated on a fresh connection
	Referrals int64 // referrals seen and not followed
	Servers   []ServerStats
}

// PoolStats counts the connections of one pool.
type PoolStats struct{ Size, Busy, Idle int }

// ServerStats is the state of one URL. Known is false before the first use.
type ServerStats struct {
	URL   string
	Known bool
	Up    bool
	Err   string // why not, when it is not up
}

// Stats gives the present numbers.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	st := Stats{Open: len(c.conns)}
	c.mu.Unlock()
	st.Service, st.Binds = c.service.stats(), c.binds.stats()
	st.Dials, st.Retries, st.Referrals = c.dials.Load(), c.retries.Load(), c.referrals.Load()
	for _, s := range c.servers {
		st.Servers = append(st.Servers, s.stats())
	}
	return st
}

// spawn runs f in the background unless the client is closed.
func (c *Client) spawn(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.wg.Go(f)
	}
}

// track enters a connection into the list of open ones. It is false when the
// client is closed already.
func (c *Client) track(k *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.conns[k] = struct{}{}
	c.dials.Add(1)
	return true
}

func (c *Client) forget(k *conn) {
	c.mu.Lock()
	delete(c.conns, k)
	c.mu.Unlock()
}

// kill cuts all connections to s, or all there are.
func (c *Client) kill(s *server) {
	var all []*conn
	c.mu.Lock()
	for k := range c.conns {
		if s == nil || k.srv == s {
			all = append(all, k)
		}
	}
	c.mu.Unlock()
	for _, k := range all {
		k.kill()
	}
}

// jitter spreads d by a quarter to either side, so that several processes do
// not probe a returning server in step.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}
