package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"portico/configs"
	"portico/httpapi"
)

// spareHeap is how much garbage may gather beside as much again as is in use.
const spareHeap = 16 << 20

func (p *program) serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the service",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(path)
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), cfg, func(a *app) { a.reread = func() (*configs.Config, error) { return p.load(path) } }, nil)
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "configuration file (see \"portico sample\")")
}

// load reads the configuration and says everything that is wrong with it.
func (p *program) load(path string) (*configs.Config, error) {
	if path == "" {
		return nil, usageError{fmt.Errorf("name the configuration: --config FILE")}
	}
	cfg, err := configs.Load(path, p.environ)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(p.err, "portico: warning: %v\n", w)
	}
	return cfg, nil
}

// serve runs the service until a signal. ready is called once it listens; both
// functions may be nil.
func (p *program) serve(parent context.Context, cfg *configs.Config, prepare func(*app), ready func(*app) error) error {
	// Memory that is never touched takes no room, but counts as in use: so the garbage
	// of a small heap is collected when there is this much of it, not every few ms.
	spare := make([]byte, spareHeap)
	defer runtime.KeepAlive(spare)
	lines := httpapi.NewLogWriter(p.err, logDelay)
	defer lines.Flush()
	log := newLogger(cfg, lines)
	a, err := newApp(parent, cfg, log, cfg.DataDir)
	if err != nil {
		return err
	}
	defer a.Close()
	if prepare != nil {
		prepare(a)
	}
	ctx, stop := httpapi.UntilSignal(parent, a.server.Close, os.Interrupt, syscall.SIGTERM)
	defer stop()
	go a.reloadOnHangup(ctx)
	if err := a.Listen(ctx); err != nil {
		return err
	}
	log.Info("listening", "address", a.server.Addr().String(), "url", cfg.ExternalURL(), "version", version())
	if ready != nil {
		go func() {
			if err := ready(a); err != nil {
				log.Error("start", "error", err)
				stop()
			}
		}()
	}
	return a.Run(ctx)
}

// reloadOnHangup reads the certificate and the keys for members and teams again
// at each SIGHUP, one after the other, until ctx ends. Bad ones keep the old.
func (a *app) reloadOnHangup(ctx context.Context) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			good := true
			if err := a.server.ReloadCertificate(); err != nil {
				good = false
				a.log.Error("the certificate was not reloaded; the old one stays", "error", err)
			}
			if err := a.reloadKeys(); err != nil {
				good = false
				a.log.Error("the keys for members and teams were not reloaded; the old ones stay", "error", err)
			}
			if good {
				a.log.Info("reloaded")
			}
		}
	}
}

// logDelay is how long a log line may wait for others before it is written.
const logDelay = 100 * time.Millisecond

func (p *program) sampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sample",
		Short: "Print the annotated sample configuration",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := p.out.Write(configs.Sample())
			return err
		},
	}
}
