package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"portico/adapter"
)

// operator is who the security log names for what the command line did.
const operator = "the command line"

func (p *program) userCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Set what Portico holds of a person: PIN, TOTP, app passwords, devices, status, permissions, managers",
	}
	u := &userTool{program: p}
	cmd.PersistentFlags().StringVarP(&u.config, "config", "c", "", "configuration file")
	cmd.PersistentFlags().BoolVar(&u.json, "json", false, "print JSON")
	cmd.AddCommand(u.pin(), u.totp(), u.appPassword(), u.mobile(), u.status(), u.permission(), u.manager(), u.unlock(), u.role(), u.title())
	return cmd
}

// userTool is what the commands below "user" share.
type userTool struct {
	*program
	config string
	json   bool
}

// leaf makes a command whose first argument is a user name.
func (u *userTool) leaf(use, short string, args int, run func(context.Context, *adapter.Adapter, adapter.PersonKey, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		RunE: func(cmd *cobra.Command, given []string) error {
			return u.withTool(cmd.Context(), u.config, func(ctx context.Context, t *app) error {
				err := run(ctx, t.adapter, adapter.ByUsername(given[0]), given[1:])
				if adapter.KindOf(err) == adapter.NotFound {
					return fmt.Errorf("%w: look at the spelling; \"portico explain USER\" shows who is found", err)
				}
				return err
			})
		},
	}
}

// parent groups leaves.
func parent(use, short string, leaves ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	cmd.AddCommand(leaves...)
	return cmd
}

// done says on standard error what was changed, or as JSON on standard output.
func (u *userTool) done(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if u.json {
		return writeJSON(u.out, map[string]string{"result": text})
	}
	_, err := fmt.Fprintln(u.err, text)
	return err
}

// secret prints something that is shown only once.
func (u *userTool) secret(name, value string) error {
	if u.json {
		return writeJSON(u.out, map[string]string{name: value})
	}
	_, err := fmt.Fprintln(u.out, value)
	return err
}

// readSecret reads one line from standard input, so that no secret stands in a
// list of processes.
func readSecret(in io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(in, 1024))
	text := strings.TrimSpace(string(b))
	if err == nil && text == "" {
		err = errors.New("standard input is empty: pipe the value in")
	}
	return text, err
}

func (u *userTool) pin() *cobra.Command {
	return parent(
		"pin", "Set or remove a PIN",
		u.leaf("set USER", "Set the PIN that standard input holds", 1, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			pin, err := readSecret(os.Stdin)
			if err != nil {
				return err
			}
			if err := a.SetPIN(ctx, who, pin, operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("PIN set")
		}),
		u.leaf("remove USER", "Remove the PIN", 1, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			if err := a.SetPIN(ctx, who, "", operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("PIN removed")
		}),
	)
}

func (u *userTool) totp() *cobra.Command {
	return parent(
		"totp", "Set or remove TOTP",
		u.leaf("set USER", "Set the Base32 secret that standard input holds", 1, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			secret, err := readSecret(os.Stdin)
			if err != nil {
				return err
			}
			if err := a.SetTOTP(ctx, who, secret, operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("TOTP set")
		}),
		u.leaf("remove USER", "Remove TOTP, for somebody who has lost the device", 1, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			if err := a.RemoveTOTP(ctx, who, "", operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("TOTP removed")
		}),
	)
}

func (u *userTool) unlock() *cobra.Command {
	return u.leaf("unlock USER", "Forget failed attempts, so that the person can try again now", 1,
		func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			if err := a.ClearFailures(ctx, who, operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("failures forgotten")
		})
}

func (u *userTool) status() *cobra.Command {
	set := func(use, short string, overlay adapter.Overlay) *cobra.Command {
		return u.leaf(use+" USER", short, 1, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			if err := a.SetOverlay(ctx, who, overlay, operator); err != nil {
				return err
			}
			return u.done("status set: %s", use)
		})
	}
	return parent(
		"status", "Set or show what Portico adds to the status of the directory",
		set("normal", "Add nothing", adapter.Overlay{}),
		set("locked", "Keep the person out", adapter.Overlay{Locked: true}),
		set("terminated", "The person has left", adapter.Overlay{Terminated: true}),
		set("change-password", "The person must change the password first", adapter.Overlay{MustChange: true}),
		set("alert", "Mail the administrator at each sign-in", adapter.Overlay{Alert: true}),
		u.leaf("show USER", "Show the status and what is behind it", 1, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			report, err := a.ExplainStatus(ctx, who)
			if err != nil {
				return err
			}
			if u.json {
				return writeJSON(u.out, map[string]any{"status": report.Status.String(), "because": report.Reasons, "local": report.Local})
			}
			rows := [][]string{{report.Status.String(), ""}}
			for _, r := range report.Reasons {
				rows = append(rows, []string{"", r.State + ": " + r.Attribute + " = " + r.Value})
			}
			for _, l := range report.Local {
				rows = append(rows, []string{"", "set in Portico: " + l})
			}
			return writeTable(u.out, rows)
		}),
	)
}

// number reads the number of a thing that a list showed.
func number(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, usageError{fmt.Errorf("%q is not a number from the list", text)}
	}
	return n, nil
}
