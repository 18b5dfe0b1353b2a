package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"portico/configs"
)

// withTool runs f on the parts of the program without serving anything. The
// service may run meanwhile: the tool has a mirror of its own, empty and thrown
// away afterwards, so look-ups by key go to LDAP.
func (p *program) withTool(ctx context.Context, configPath string, f func(context.Context, *app) error) error {
	cfg, err := p.load(configPath)
	if err != nil {
		return err
	}
	return p.withConfig(ctx, cfg, f)
}

func (p *program) withConfig(ctx context.Context, cfg *configs.Config, f func(context.Context, *app) error) error {
	folder, err := os.MkdirTemp("", "portico-tool-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	log := slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: slog.LevelError}))
	t, err := newApp(ctx, cfg, log, folder)
	if err != nil {
		return fmt.Errorf("%w; \"portico check\" tells more", err)
	}
	defer t.Close()
	return f(ctx, t)
}
