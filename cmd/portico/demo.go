package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	_ "embed"

	"github.com/spf13/cobra"

	"portico/adapter"
	"portico/configs"
	"portico/directory/embedded"
)

func (p *program) demoCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve an embedded directory with sample people; no other server is needed",
		Long: "Demo starts a small LDAP server in this process, with some thirty invented people, writes a configuration for it into a\n" +
			"temporary folder, serves it like \"portico serve\" does, and prints requests to paste. Everything is gone when it ends.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), listen) },
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address of the service")
	return cmd
}

func (p *program) demo(ctx context.Context, listen string) error {
	folder, err := os.MkdirTemp("", "portico-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // a temporary folder that stays behind does no harm
	sample := embedded.NewSample()
	server, err := embedded.New(sample.Config)
	if err != nil {
		return err
	}
	if err := sample.Load(server); err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer server.Close() //nolint:errcheck // nothing is lost with it
	path, err := writeDemoConfig(folder, listen, server.URL(), sample)
	if err != nil {
		return err
	}
	cfg, err := p.load(path)
	if err != nil {
		return err
	}
	return p.serve(ctx, cfg, func(a *app) error { return p.introduce(ctx, a, path, sample) })
}

//go:embed demo.yaml
var demoConfig string

//go:embed demo.txt
var demoText string

// writeDemoConfig writes the configuration as an administrator would.
func writeDemoConfig(folder, listen, url string, sample *embedded.Sample) (string, error) {
	t, err := template.New("demo.yaml").Parse(demoConfig)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = t.Execute(&text, map[string]any{"Folder": folder, "Listen": listen, "URL": url, "Sample": sample})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "portico.yaml")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}

// introduce waits until the sample people are there, adds what LDAP cannot hold
// and prints what to try.
func (p *program) introduce(ctx context.Context, a *app, path string, sample *embedded.Sample) error {
	if err := a.waitReady(ctx, 30*time.Second); err != nil {
		return err
	}
	for name, overlay := range map[string]adapter.Overlay{
		sample.Terminated: {Terminated: true},
		sample.Alert:      {Alert: true},
	} {
		if err := a.adapter.SetOverlay(ctx, adapter.ByUsername(name), overlay, "demo"); err != nil {
			return err
		}
	}
	_, key, err := a.adapter.CreateKey(ctx, adapter.KeyRequest{API: "action", Label: "demo"})
	if err != nil {
		return err
	}
	t, err := template.New("demo.txt").Parse(demoText)
	if err != nil {
		return err
	}
	return t.Execute(p.out, map[string]any{
		"URL": "http://" + a.server.Addr().String(), "Key": key, "Config": path, "Accounts": sample.Accounts,
	})
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
