package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico/adapter"
)

func (p *program) auditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Read and verify the security log"}
	var config string
	cmd.PersistentFlags().StringVarP(&config, "config", "c", "", "configuration file")
	cmd.AddCommand(p.auditList(&config), p.auditVerify(&config))
	return cmd
}

// auditRow is one event as "audit list --json" prints it.
type auditRow struct {
	ID        int64     `json:"id"`
	Time      time.Time `json:"time"`
	Type      int       `json:"type"`
	Name      string    `json:"name"`
	UID       int64     `json:"uid,omitempty"`
	Address   string    `json:"address,omitempty"`
	RequestID string    `json:"request_id,omitempty"`
	Text      string    `json:"text"`
}

func (p *program) auditList(config *string) *cobra.Command {
	var f adapter.EventFilter
	var types []int
	var user, since, until string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List events; that they were read is recorded too",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if f.Since, err = parseWhen(since, time.Now()); err != nil {
				return usageError{err}
			}
			if f.Until, err = parseWhen(until, time.Now()); err != nil {
				return usageError{err}
			}
			for _, t := range types {
				f.Types = append(f.Types, adapter.EventType(t))
			}
			if user != "" {
				f.Person = adapter.ByUsername(user)
			}
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				events, err := t.adapter.Events(ctx, f, "the command line")
				if err != nil {
					return err
				}
				return p.showEvents(events, asJSON)
			})
		},
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&types, "type", nil, "only these types, by number; see the output")
	flags.StringVar(&user, "user", "", "only about this user name")
	flags.StringVar(&since, "since", "", "from this time on: 2026-01-31, 2026-01-31T08:00:00Z, or 24h ago as 24h")
	flags.StringVar(&until, "until", "", "before this time, in the same forms")
	flags.StringVar(&f.Text, "text", "", "only with this in text, address or request id")
	flags.IntVar(&f.Limit, "limit", 100, "at most so many")
	flags.Int64Var(&f.After, "after", 0, "go on after the event with this number")
	flags.BoolVar(&f.Newest, "newest", false, "newest first")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) showEvents(events []adapter.Event, asJSON bool) error {
	list := make([]auditRow, len(events))
	rows := [][]string{{"ID", "TIME", "TYPE", "UID", "ADDRESS", "TEXT"}}
	for i, e := range events {
		list[i] = auditRow{e.ID, e.Time.UTC(), int(e.Type), e.Type.String(), e.UID, e.Address, e.RequestID, e.Text}
		rows = append(rows, []string{
			strconv.FormatInt(e.ID, 10), e.Time.Local().Format(time.DateTime), fmt.Sprintf("%d %s", e.Type, e.Type),
			strconv.FormatInt(e.UID, 10), e.Address, e.Text,
		})
	}
	if asJSON {
		return writeJSON(p.out, list)
	}
	return writeTable(p.out, rows)
}

// parseWhen reads a moment, or a length of time before now.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	if age, err := parseAge(text); err == nil {
		return now.Add(-age), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-01-31, 2026-01-31T08:00:00Z, or a length such as 24h or 7d", text)
}

func (p *program) auditVerify(config *string) *cobra.Command {
	var anchors []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that nobody has changed the security log",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				n, err := t.adapter.VerifyLog(ctx, anchors)
				if err != nil {
					return fmt.Errorf("the security log does not verify: %w", err)
				}
				_, err = fmt.Fprintf(p.out, "%d records, unchanged\n", n)
				return err
			})
		},
	}
	cmd.Flags().StringArrayVar(&anchors, "anchor", nil, "an anchor from the program's log; shows a log that was cut off at the end")
	return cmd
}

func (p *program) mailCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "mail", Short: "Look at the outbox"}
	var config, state string
	var asJSON bool
	cmd.PersistentFlags().StringVarP(&config, "config", "c", "", "configuration file")
	list := &cobra.Command{
		Use:   "list",
		Short: "List mail that waits, was sent lately, or was given up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withTool(cmd.Context(), config, func(ctx context.Context, t *app) error {
				mails, err := t.adapter.ListMail(ctx, state, 0)
				if err != nil {
					return err
				}
				return p.showMail(mails, asJSON)
			})
		},
	}
	list.Flags().StringVar(&state, "state", "", "only waiting, sent or dead")
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	retry := &cobra.Command{
		Use:   "retry ID",
		Short: "Send a waiting or given-up mail now",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usageError{fmt.Errorf("%q is not the number of a mail; see \"portico mail list\"", args[0])}
			}
			return p.withTool(cmd.Context(), config, func(ctx context.Context, t *app) error {
				return t.adapter.RetryMail(ctx, id)
			})
		},
	}
	cmd.AddCommand(list, retry)
	return cmd
}

func (p *program) showMail(mails []adapter.MailInfo, asJSON bool) error {
	if asJSON {
		return writeJSON(p.out, mails)
	}
	rows := [][]string{{"ID", "STATE", "ATTEMPTS", "CREATED", "NEXT", "SUBJECT", "LAST ERROR"}}
	for _, m := range mails {
		next := "-"
		if m.Due != nil {
			next = when(m.Due)
		}
		rows = append(rows, []string{
			strconv.FormatInt(m.ID, 10), m.State, strconv.Itoa(m.Attempts), when(&m.Created), next,
			m.Subject, strings.TrimSpace(m.LastError),
		})
	}
	return writeTable(p.out, rows)
}
