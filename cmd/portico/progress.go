package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"portico/directory/feed"
)

// progressEvery is the time between two lines of the log about a long read.
const progressEvery = 10 * time.Second

// logProgress says in the log how far the first read of a directory is.
func (m *member) logProgress(ctx context.Context, log *slog.Logger, every time.Duration) {
	began, last := time.Now(), int64(-1)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := m.feed.Status()
		switch {
		case s.Complete:
			if last >= 0 {
				log.Info("the first read of the directory is complete", "directory", m.cfg.Name, "entries", s.Entries,
					"took", time.Since(began).Round(time.Second))
			}
			return
		case s.Phase != feed.PhaseRefreshing:
		case s.Entries == last:
			log.Info("the directory was read, its index is being built", "directory", m.cfg.Name, "entries", s.Entries)
		default:
			last = s.Entries
			log.Info("reading the directory for the first time", "directory", m.cfg.Name, "entries", s.Entries)
		}
	}
}

// checkService tells what a service that runs with this configuration says of
// itself: how far a first read is, for one.
func (a *app) checkService(ctx context.Context, r *report) {
	if a.cfg.TLS.CertFile != "" {
		return // its name need not be that of the address it listens on
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.cfg.Listen+"/readyz", nil)
	if err != nil {
		return
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: 3 * time.Second}).Do(req)
	if err != nil {
		r.ok("nothing answers at %s: the service does not run", a.cfg.Listen)
		return
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusOK {
		r.ok("runs at %s and is ready", a.cfg.Listen)
		return
	}
	lines := bufio.NewScanner(io.LimitReader(res.Body, 64<<10))
	for lines.Scan() {
		if text := strings.TrimSpace(lines.Text()); text != "" {
			r.warn("", "runs at %s: %s", a.cfg.Listen, text)
		}
	}
}
