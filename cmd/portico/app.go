package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"portico/adapter"
	"portico/adapter/collaboration"
	"portico/adapter/smtp"
	"portico/adapter/store"
	"portico/configs"
	"portico/directory/mapping"
	"portico/directory/mirror"
	"portico/directory/population"
	"portico/httpapi"
	"portico/httpapi/action"
	"portico/httpapi/console"
	"portico/internal/texts"
)

// app is the running service: everything that "serve" and "demo" start.
type app struct {
	cfg          *configs.Config
	log          *slog.Logger
	store        *store.Store
	mirror       *mirror.Mirror
	mirrorFolder string
	members      []*member
	people       *population.Population
	adapter      *adapter.Adapter
	collabs      *collaboration.Collaborations
	server       *httpapi.Server
	reread       func() (*configs.Config, error) // the configuration as it is now; nil where there is no file
	close        []func() error                  // in reverse order
}

// newApp opens the store and the mirror and wires the parts together. It
// dials no directory (the mirror lies in mirrorFolder): one that is down must not keep the service from starting.
func newApp(ctx context.Context, cfg *configs.Config, log *slog.Logger, mirrorFolder string) (_ *app, err error) {
	a := &app{cfg: cfg, log: log, mirrorFolder: mirrorFolder}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil { //nolint:gosec // named by the operator
		return nil, fmt.Errorf("make the data folder: %w; create it and give it to the user that runs portico, or set data_dir", err)
	}
	if a.store, err = openStore(ctx, cfg, log); err != nil {
		return nil, err
	}
	a.onClose(a.store.Close)
	if err := a.openDirectories(ctx); err != nil {
		return nil, err
	}
	if err := a.joinPopulation(); err != nil {
		return nil, err
	}
	a.server, err = a.newServer()
	return a, err
}

func (a *app) onClose(f func() error) { a.close = append(a.close, f) }

// openStore opens the local database with the installation's secret key.
func openStore(ctx context.Context, cfg *configs.Config, log *slog.Logger) (*store.Store, error) {
	key, err := cfg.MasterKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, cfg.Store.URL.Reveal(), store.Options{DataDir: cfg.DataDir, Key: key, Log: log})
}

// openDirectories makes the connections and the mirror of all directories.
func (a *app) openDirectories(ctx context.Context) error {
	var order []mirror.Directory
	for i := range a.cfg.Directories {
		d := &a.cfg.Directories[i]
		m, err := newMember(d, a.log)
		if err != nil {
			return err
		}
		a.members = append(a.members, m)
		a.onClose(m.client.Close)
		order = append(order, mirror.Directory{Name: d.Name, Suffix: d.Suffix, StatusRules: m.preset.StatusRules})
	}
	var err error
	a.mirror, err = mirror.Open(ctx, filepath.Join(a.mirrorFolder, "mirror.db"), a.log, mirror.Options{
		Directories: order, DNKey: mapping.DNKey, ParentKey: mapping.ParentKey, Activity: mapping.Activity,
	})
	if err != nil {
		return err
	}
	a.onClose(a.mirror.Close)
	return nil
}

// joinPopulation puts feeds, mirror and connections together and the adapter on top.
func (a *app) joinPopulation() error {
	var joined []population.Member
	for _, m := range a.members {
		if err := m.follow(a.mirror, a.log); err != nil {
			return err
		}
		joined = append(joined, m.joined())
	}
	var err error
	a.people, err = population.New(population.Config{}, joined, a.mirror, a.log, time.Now)
	if err != nil {
		return err
	}
	settings, err := adapterConfig(a.cfg)
	if err != nil {
		return err
	}
	a.adapter, err = adapter.New(settings, adapter.Deps{
		Directory: a.people, Passwords: a.people, Lists: a.people, Writes: a.people, Store: a.store, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.collabs = a.newCollaborations(settings)
	if c := a.cfg.APIs.Collaboration; c.Enabled && c.VisibleAsGroups {
		a.adapter.ShowGroups(a.collabs)
	}
	return nil
}

func adapterConfig(cfg *configs.Config) (adapter.Config, error) {
	c := adapter.Config{
		ClosingLimit: cfg.Limits.Closings, LoginInterval: cfg.APIs.Action.LoginInterval, Issuer: cfg.APIs.Action.Title,
		MinPasswordLength: cfg.Pages.MinPasswordLength, RefusalStep: 25 * time.Millisecond,
	}
	if c.LoginInterval == 0 {
		c.LoginInterval = -1 // 0 switches it off in the configuration, and is the default in the adapter
	}
	var err error
	if c.Timezone, err = time.LoadLocation(cfg.APIs.Action.Timezone); err != nil {
		return c, fmt.Errorf("apis.action.timezone: %w", err)
	}
	c.Mail = adapter.MailConfig{
		From: cfg.Mail.From, AdminEmail: cfg.APIs.Action.AdminEmail, Location: c.Timezone,
		BaseURL: cfg.ExternalURL(), Title: cfg.APIs.Action.Title,
	}
	if c.Mail.Texts, err = texts.Load(cfg.APIs.Action.Language, cfg.APIs.Action.TextsFile); err != nil {
		return c, err
	}
	c.Users = userVerbs(cfg)
	c.Integration, err = integrationVerbs(cfg)
	if err != nil {
		return c, err
	}
	if !cfg.Mail.SMTPURL.IsZero() {
		c.Mail.Mailer, err = smtp.New(smtp.Config{URL: cfg.Mail.SMTPURL.Reveal(), From: cfg.Mail.From, CAFile: cfg.Mail.CAFile})
	}
	return c, err
}

// actionConfig is what the action API takes from the configuration.
func (a *app) actionConfig() action.Config {
	c := a.cfg.APIs.Action
	cfg := action.Config{
		Prefix: c.Prefix, BaseURL: a.cfg.BaseURL, Language: c.Language, TextsFile: c.TextsFile,
		MaxBody: int64(a.cfg.Limits.Body), Mobile: c.Mobile, SiteTitle: c.Title, ExemptKeys: c.ExemptKeys,
	}
	for _, entry := range c.Apps {
		cfg.Apps = append(cfg.Apps, action.App{Name: entry.Name, JSON: entry.JSON})
	}
	cfg.Alerts = a.adapter
	return cfg
}

func (a *app) newServer() (*httpapi.Server, error) {
	dialects, err := a.dialects()
	if err != nil {
		return nil, err
	}
	l := a.cfg.Limits
	server, err := httpapi.New(httpapi.Config{
		Listen: a.cfg.Listen, CertFile: a.cfg.TLS.CertFile, KeyFile: a.cfg.TLS.KeyFile,
		TrustedProxies: a.cfg.TrustedProxies,
		MaxHeader:      int(l.Header), MaxBody: int64(l.Body), MaxConnections: l.Concurrency, LargerBodies: largerBodies(a.cfg), OwnBodies: ownBodies(a.cfg),
		ReadHeaderTimeout: l.ReadHeaderTimeout, ReadTimeout: l.ReadTimeout, WriteTimeout: l.WriteTimeout,
		IdleTimeout: l.IdleTimeout, ShutdownTimeout: l.ShutdownTimeout,
		MetricsListen: a.cfg.Metrics.Listen,
	}, httpapi.Deps{Log: a.log, Now: time.Now, Rand: rand.Reader, Readiness: a.readiness, Dialects: dialects})
	if err != nil {
		return nil, err
	}
	return server, server.Registry().Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "portico_background_restarts_total",
		Help: "Background work that was started again after a panic.",
	}, func() float64 { return float64(a.adapter.Restarts()) }))
}

// pagesConfig is what the pages take from the configuration.
func pagesConfig(cfg *configs.Config) (console.Config, error) {
	c := cfg.APIs.Action
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return console.Config{}, fmt.Errorf("apis.action.timezone: %w", err)
	}
	var apps []console.App
	for _, app := range c.Apps {
		apps = append(apps, console.App{Title: app.Title, URL: app.URL})
	}
	return console.Config{
		Title: c.Title, Prefix: c.Prefix, BaseURL: cfg.ExternalURL(), Language: c.Language, Timezone: zone, Apps: apps, Mobile: c.Mobile,
		PersonalKeys: cfg.APIs.UserManagement.Enabled,
		IdleTimeout:  cfg.Pages.IdleTimeout, MaxAge: cfg.Pages.MaxAge, FreshFor: cfg.Pages.FreshFor,
	}, nil
}

// newPages makes the pages for people, beside the action API.
func (a *app) newPages() (*console.Console, error) {
	settings, err := pagesConfig(a.cfg)
	if err != nil {
		return nil, err
	}
	words, err := texts.Load(settings.Language, a.cfg.APIs.Action.TextsFile)
	if err != nil {
		return nil, err
	}
	return console.New(settings, console.Deps{
		Adapter: a.adapter, Alerts: a.adapter, Collaborations: a.pagesCollaborations(), Texts: words, Log: a.log,
	})
}

// readiness says for /readyz what works and what does not. A directory that is
// down does not make the service unready once its people are known: reads go on.
func (a *app) readiness() []httpapi.Check {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	storeCheck := httpapi.Check{Name: "store", Ready: true, Detail: a.store.Dialect()}
	if err := a.store.Ping(ctx); err != nil {
		storeCheck.Ready, storeCheck.Detail = false, "the local database does not answer"
	}
	checks := []httpapi.Check{storeCheck}
	if err := a.mirror.Healthy(); err != nil {
		checks = append(checks, httpapi.Check{Name: "mirror", Detail: err.Error()})
	}
	for _, m := range a.members {
		checks = append(checks, m.readiness())
	}
	return checks
}

// waitReady waits until everything that /readyz asks for is ready.
func (a *app) waitReady(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		missing := ""
		for _, c := range a.readiness() {
			if !c.Ready {
				missing = c.Name + ": " + c.Detail
			}
		}
		if missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("not ready: " + missing)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Listen opens the listeners, so that the address is known before Run.
func (a *app) Listen(ctx context.Context) error { return a.server.Listen(ctx) }

// Run serves until ctx ends, then lets requests in flight finish. The feeds
// outlive the server by that time, and the store outlives them.
func (a *app) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var work errgroup.Group
	for _, m := range a.members {
		work.Go(func() error { return m.feed.Run(background) })
		work.Go(func() error { m.warnOfWeaknesses(background, a.log); return nil })
		work.Go(func() error { m.logProgress(background, a.log, progressEvery); return nil })
	}
	work.Go(func() error { return a.adapter.Run(background) })
	if a.cfg.APIs.Collaboration.Enabled {
		work.Go(func() error { a.runCollaborations(background); return nil })
	}
	err := a.server.Run(ctx)
	stop()
	if failed := work.Wait(); err == nil {
		err = failed
	}
	return err
}

// Close gives everything back. Safe after a failed newApp, and more than once.
func (a *app) Close() {
	for _, v := range slices.Backward(a.close) {
		if err := v(); err != nil {
			a.log.Warn("closing", "error", err)
		}
	}
	a.close = nil
}

// newLogger makes the logger that the configuration asks for.
func newLogger(cfg *configs.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	var inner slog.Handler = slog.NewTextHandler(w, opts)
	if cfg.Log.Format == "json" {
		inner = slog.NewJSONHandler(w, opts)
	}
	return slog.New(httpapi.LogHandler(inner))
}
