package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"
)

// Listen opens the sockets, so that the addresses are known before Run. Run
// calls it when it was not called before.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return http.ErrServerClosed
	}
	if s.gate != nil {
		return nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if s.cfg.MetricsListen != "" {
		if s.metricsL, err = lc.Listen(ctx, "tcp", loopbackDefault(s.cfg.MetricsListen)); err != nil {
			_ = listener.Close()
			return fmt.Errorf("listen for metrics: %w", err)
		}
	}
	s.gate = newGate(listener, s.cfg.MaxConnections, s.now, s.proxies)
	return nil
}

func loopbackDefault(address string) string {
	if host, port, err := net.SplitHostPort(address); err == nil && host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// Addr is the address of the service after Listen, else nil.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate == nil {
		return nil
	}
	return s.gate.Addr()
}

// MetricsAddr is the address of the metrics after Listen, nil when there are none.
func (s *Server) MetricsAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.metricsL == nil {
		return nil
	}
	return s.metricsL.Addr()
}

// Run serves until ctx ends, then lets the requests in flight finish within
// Config.ShutdownTimeout and cuts off the rest. It gives nil after an orderly
// end, context.DeadlineExceeded (wrapped) when requests were cut off, and the
// error of the listener otherwise. Close ends it at once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	public, private := s.httpServers()
	if public == nil {
		return http.ErrServerClosed
	}
	failed := make(chan error, 2)
	go func() { failed <- s.serve(public) }()
	if private != nil {
		go func() { failed <- private.Serve(s.metricsL) }()
		defer private.Close()
	}
	s.log.Info("listening", "address", s.gate.Addr().String(), "tls", s.cert != nil)
	select {
	case err := <-failed:
		s.Close()
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		return s.drain(ctx, public)
	}
}

func (s *Server) serve(server *http.Server) error {
	if s.cert != nil {
		return server.ServeTLS(s.gate, "", "")
	}
	return server.Serve(s.gate)
}

// drain stops accepting and waits for the requests in flight.
func (s *Server) drain(ctx context.Context, server *http.Server) error {
	s.draining.Store(true)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	s.log.Info("shutting down", "limit", s.cfg.ShutdownTimeout)
	err := server.Shutdown(limit)
	s.Close()
	if err != nil {
		return fmt.Errorf("requests were cut off at the end: %w", err)
	}
	return nil
}

// Close ends everything at once, requests in flight included. It may be called
// from anywhere, more than once.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, server := range s.servers { // first, so that they take the closed listeners for an end
		_ = server.Close()
	}
	if s.gate != nil {
		_ = s.gate.Close()
	}
	if s.metricsL != nil {
		_ = s.metricsL.Close()
	}
}

// httpServers makes the public server and, where metrics are on, the private one;
// both nil after Close.
func (s *Server) httpServers() (public, private *http.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil
	}
	errorLog := log.New(serverLog{s.log}, "", 0)
	public = &http.Server{
		Handler:                      s.handler,
		ReadHeaderTimeout:            s.cfg.ReadHeaderTimeout,
		ReadTimeout:                  s.cfg.ReadTimeout,
		WriteTimeout:                 s.cfg.WriteTimeout,
		IdleTimeout:                  s.cfg.IdleTimeout,
		MaxHeaderBytes:               s.cfg.MaxHeader,
		ErrorLog:                     errorLog,
		ConnContext:                  connContext,
		DisableGeneralOptionsHandler: true,
	}
	if s.cert != nil {
		public.TLSConfig = s.cert.config()
	}
	s.servers = append(s.servers, public)
	if s.metricsL != nil {
		private = &http.Server{
			Handler:           s.metricsHandler(),
			ReadHeaderTimeout: s.cfg.ReadHeaderTimeout,
			ReadTimeout:       s.cfg.ReadTimeout,
			WriteTimeout:      time.Minute,
			IdleTimeout:       s.cfg.IdleTimeout,
			MaxHeaderBytes:    s.cfg.MaxHeader,
			ErrorLog:          errorLog,
		}
		s.servers = append(s.servers, private)
	}
	return public, private
}

// UntilSignal gives a context that ends with the first of the signals; the second
// calls again (Server.Close, or an exit). stop gives the signals back.
func UntilSignal(parent context.Context, again func(), signals ...os.Signal) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	received := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(received, signals...)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-received:
			}
			if n == 0 {
				cancel()
			} else {
				again()
			}
		}
	}()
	var once sync.Once
	return ctx, func() {
		cancel()
		once.Do(func() {
			signal.Stop(received)
			close(done)
		})
	}
}
