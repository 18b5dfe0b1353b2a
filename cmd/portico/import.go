package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"portico/adapter/importer"
	"portico/directory"
)

func (p *program) importCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "import", Short: "Take over what another system stored"}
	cmd.AddCommand(p.importAccountHub())
	return cmd
}

// importFlags are the flags of "import accounthub".
type importFlags struct {
	config, dsn, dsnFile, timezone string
	apply, log, json               bool
}

func (p *program) importAccountHub() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "accounthub --dsn-file FILE [--apply]",
		Short: "Take over the database of an AccountHub installation",
		Long: `Take over the database of an AccountHub installation (MariaDB or MySQL), which is
only read. People are matched to the directory by user name and keep their
numbers; passwords stay where they are, in the directory.

Without --apply nothing is stored: the report says what would happen and what
does not match. It may be run again at any time: what was taken over before, and
what was changed here since, is left alone.

Groups are those of the directory: one that has the name of a group there gets its
number. Portico keeps no groups of its own, so the others are not taken over; the
report lists them, with --json their members too. Make them in the directory and
import again: their numbers are kept free for them.

Do it before the service is used: a number that Portico has given to somebody
else in the meantime is never taken away again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runImport(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "", "configuration file")
	flags.StringVar(&f.dsn, "dsn", "", "mysql://user:password@host:port/database, special characters as %XX; "+
		"other users of the machine can see it, better use --dsn-file")
	flags.StringVar(&f.dsnFile, "dsn-file", "", "file that holds the address of the database; - is standard input")
	flags.StringVar(&f.timezone, "timezone", "", "time zone of the other installation, such as America/Denver (default: apis.action.timezone)")
	flags.BoolVar(&f.apply, "apply", false, "do it; without this nothing is stored")
	flags.BoolVar(&f.log, "with-log", false, "take the log of sign-ins over into the security log, marked as imported")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func (p *program) runImport(ctx context.Context, f importFlags) error {
	if (f.dsn == "") == (f.dsnFile == "") {
		return usageError{errors.New("give the address of the database with --dsn-file or --dsn")}
	}
	if f.dsnFile != "" {
		var err error
		if f.dsn, err = readValue(f.dsnFile); err != nil {
			return err
		}
	}
	if _, err := importer.ParseDSN(f.dsn); err != nil {
		return usageError{err}
	}
	return p.withTool(ctx, f.config, func(ctx context.Context, t *app) error {
		if f.timezone == "" {
			f.timezone = t.cfg.APIs.Action.Timezone
		}
		zone, err := time.LoadLocation(f.timezone)
		if err != nil || f.timezone == "" || f.timezone == "Local" {
			return usageError{fmt.Errorf("--timezone %s: write a name such as UTC or America/Denver", f.timezone)}
		}
		report, err := importer.Run(ctx, importer.Options{
			DSN: f.dsn, Apply: f.apply, Log: f.log, Zone: zone, Progress: progress(p.err, 2*time.Second, time.Now),
		}, importer.Deps{Target: t.adapter, Store: t.store, Groups: directoryGroups{t.members}, Now: time.Now})
		if err != nil {
			return err
		}
		if f.json {
			return writeJSON(p.out, report)
		}
		return writeImport(p.out, report)
	})
}

// progress prints how far each step is, now and then.
func progress(w io.Writer, interval time.Duration, now func() time.Time) func(string, int, int) {
	last := now()
	return func(step string, done, total int) {
		if now().Sub(last) < interval {
			return
		}
		last = now()
		switch {
		case total > 0:
			fmt.Fprintf(w, "%s: %d of %d\n", step, done, total)
		case done > 0:
			fmt.Fprintf(w, "%s: %d\n", step, done)
		default:
			fmt.Fprintln(w, step)
		}
	}
}

// directoryGroups finds groups by asking the directories.
type directoryGroups struct{ members []*member }

// GroupsByName gives the groups of that name of the first directory that has any.
func (d directoryGroups) GroupsByName(ctx context.Context, name string) ([]*directory.Entry, error) {
	for _, m := range d.members {
		request, err := m.mapper.GroupByName(name)
		if err != nil {
			continue // a name that cannot be asked for is nobody's here
		}
		result, err := m.client.Search(ctx, request)
		if err != nil {
			return nil, err
		}
		var found []*directory.Entry
		for _, raw := range result.Entries {
			e, err := m.mapper.Entry(raw)
			if err != nil || e == nil || e.Kind != directory.KindGroup {
				continue
			}
			if directory.FoldName(e.Name) == directory.FoldName(name) {
				found = append(found, e)
			}
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}
