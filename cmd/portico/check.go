package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// finding is one thing that "portico check" found out.
type finding struct {
	Level   string `json:"level"`   // ok | warning | failure
	Subject string `json:"subject"` // "store", "directory corp", ...
	Text    string `json:"text"`
	Fix     string `json:"fix,omitempty"`
}

// report collects findings and shows them as they come.
type report struct {
	subject  string
	findings []finding
	show     func(finding)
}

func (r *report) add(level, fix, format string, args ...any) {
	f := finding{Level: level, Subject: r.subject, Text: fmt.Sprintf(format, args...), Fix: fix}
	r.findings = append(r.findings, f)
	r.show(f)
}

func (r *report) ok(format string, args ...any)        { r.add("ok", "", format, args...) }
func (r *report) warn(fix, format string, args ...any) { r.add("warning", fix, format, args...) }
func (r *report) fail(fix, format string, args ...any) { r.add("failure", fix, format, args...) }

func (r *report) failed() bool {
	for _, f := range r.findings {
		if f.Level == "failure" {
			return true
		}
	}
	return false
}

func (p *program) checkCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Prove a configuration against the live directory and database",
		Long: "Check reads the configuration, opens the database, connects and binds to every directory, counts people and groups,\n" +
			"names the change feed, and shows what is missing, with the way to mend it. It changes nothing in the directory.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.check(cmd.Context(), path, asJSON)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) check(ctx context.Context, path string, asJSON bool) error {
	cfg, err := p.load(path)
	if err != nil {
		return err
	}
	r := &report{subject: "configuration", show: p.showFinding}
	if asJSON {
		r.show = func(finding) {}
	}
	r.ok("%s is complete and has no faults", path)
	for _, w := range cfg.Warnings {
		r.warn("", "%v", w)
	}
	err = p.withConfig(ctx, cfg, func(ctx context.Context, t *app) error {
		r.subject = "store"
		t.checkStore(ctx, r)
		for _, m := range t.members {
			r.subject = "directory " + m.cfg.Name
			(&directoryCheck{member: m, report: r, progress: p.progress(asJSON)}).run(ctx)
		}
		r.subject = "service"
		t.ownCertificate(r)
		t.checkService(ctx, r)
		return nil
	})
	if err != nil {
		r.subject = "start"
		r.fail("", "%v", err)
	}
	if asJSON {
		if err := writeJSON(p.out, r.findings); err != nil {
			return err
		}
	}
	if r.failed() {
		return errReported
	}
	return nil
}

func (p *program) showFinding(f finding) {
	fmt.Fprintf(p.out, "%-8s %s: %s\n", f.Level, f.Subject, printable(f.Text))
	if f.Fix != "" {
		fmt.Fprintf(p.out, "         -> %s\n", f.Fix)
	}
}

// progress shows on standard error how far a long count is.
func (p *program) progress(quiet bool) func(int) {
	var w io.Writer = p.err
	if quiet {
		w = io.Discard
	}
	return func(n int) {
		if n%10000 == 0 {
			fmt.Fprintf(w, "         %d entries read ...\n", n)
		}
	}
}

func (a *app) checkStore(ctx context.Context, r *report) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		r.fail("see store.url and data_dir", "the database does not answer: %v", err)
		return
	}
	r.ok("%s opened, schema up to date, secret key fits", a.store.Dialect())
	keys, err := a.adapter.ListKeys(ctx, "")
	switch {
	case err != nil:
		r.fail("", "API keys cannot be read: %v", err)
	case len(keys) == 0:
		r.warn("portico key create --config FILE --api action --label NAME", "there is no API key yet: nobody can call an API")
	default:
		r.ok("%d API keys", len(keys))
	}
}
