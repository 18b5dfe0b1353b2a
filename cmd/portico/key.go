package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico/adapter"
)

func (p *program) keyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make, list and revoke API keys"}
	var config string
	cmd.PersistentFlags().StringVarP(&config, "config", "c", "", "configuration file")
	cmd.AddCommand(p.keyCreate(&config), p.keyList(&config), p.keyRevoke(&config))
	return cmd
}

func (p *program) keyCreate(config *string) *cobra.Command {
	var r adapter.KeyRequest
	var expires, user, valueFile string
	cmd := &cobra.Command{
		Use:   "create --api API --label TEXT",
		Short: "Make a key and print it, once, alone on standard output",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if r.Expires, err = parseAge(expires); err != nil {
				return usageError{err}
			}
			if user != "" {
				r.User = adapter.ByUsername(user)
			}
			if valueFile != "" {
				if r.Value, err = readValue(valueFile); err != nil {
					return err
				}
			}
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				if err := knownDirectory(t, r.Directory); err != nil {
					return err
				}
				info, plain, err := t.adapter.CreateKey(ctx, r)
				if err != nil {
					return keyError(err)
				}
				fmt.Fprintf(p.err, "key %d for %s made; it is shown only now\n", info.ID, info.API)
				_, err = fmt.Fprintln(p.out, plain)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.API, "api", "", "the one API that the key is good for: "+strings.Join(adapter.APINames(), ", "))
	f.StringVar(&r.Label, "label", "", "who uses the key")
	f.StringVar(&r.Level, "level", "", "what it may do; action: "+strings.Join(adapter.LevelNames(), ", ")+" (default full)")
	f.StringVar(&expires, "expires", "", "how long it lives, such as 90d or 12h (default for ever)")
	f.StringVar(&user, "user", "", "user name of the person that the key stands for (usermanagement, scim)")
	f.StringVar(&r.Org, "org", "", "organisation that the key is good for (collaboration)")
	f.StringSliceVar(&r.Units, "units", nil, "units of the organisation that the key is limited to (collaboration)")
	f.BoolVar(&r.ReadOnly, "read-only", false, "the key changes nothing (collaboration)")
	f.StringSliceVar(&r.Scopes, "scope", nil, "what the key may do: "+strings.Join(adapter.SCIMScopeNames(), ", ")+" (scim; default read,write)")
	f.StringVar(&r.Profile, "profile", "", "how requests are read: "+strings.Join(adapter.SCIMProfileNames(), ", ")+" (scim; default lenient)")
	f.StringVar(&r.Domain, "domain", "", "provisioning domain, whose external ids the key sees (scim; default "+adapter.DefaultDomain+")")
	f.StringVar(&r.Directory, "directory", "", "directory that the key creates in (scim; default the first that may be written)")
	f.StringVar(&r.Value, "value", "", "take over this existing key; other users of the machine can see it, better use --value-file")
	f.StringVar(&valueFile, "value-file", "", "take over the existing key in this file; - is standard input")
	f.BoolVar(&r.Lenient, "lenient", false, "log what is above the key's level instead of refusing it (for keys of old clients)")
	return cmd
}

// readValue reads one key from a file or standard input.
func readValue(path string) (string, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 4096))
	return strings.TrimRight(string(b), "\r\n"), err
}

func (p *program) keyList(config *string) *cobra.Command {
	var api string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List keys, without the keys themselves",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				keys, err := t.adapter.ListKeys(ctx, api)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(p.out, keys)
				}
				rows := [][]string{{"ID", "API", "LEVEL", "SCOPE", "STATE", "LAST USED", "LABEL"}}
				for _, k := range keys {
					rows = append(rows, []string{
						strconv.FormatInt(k.ID, 10), k.API, k.Level, keyScope(k), keyState(k, time.Now()), when(k.LastUsed), k.Label,
					})
				}
				return writeTable(p.out, rows)
			})
		},
	}
	cmd.Flags().StringVar(&api, "api", "", "only keys of this API")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// knownDirectory refuses the name of a directory that is not configured.
func knownDirectory(t *app, name string) error {
	if name == "" {
		return nil
	}
	var names []string
	for i := range t.cfg.Directories {
		names = append(names, t.cfg.Directories[i].Name)
	}
	if slices.Contains(names, name) {
		return nil
	}
	return usageError{fmt.Errorf("--directory %s: the configured directories are %s", name, strings.Join(names, ", "))}
}

// keyScope is what a key for SCIM may do, where, and how it is read.
func keyScope(k adapter.KeyInfo) string {
	if k.API != "scim" {
		return "-"
	}
	text := strings.Join(k.Scopes, ",") + " " + k.Profile + " domain " + k.Domain
	if k.Into != "" {
		text += " into " + k.Into
	}
	return text
}

func keyState(k adapter.KeyInfo, now time.Time) string {
	switch {
	case k.Revoked != nil:
		return "revoked"
	case k.Expires != nil && !now.Before(*k.Expires):
		return "expired"
	case k.Expires != nil:
		return "until " + k.Expires.Format(time.DateOnly)
	default:
		return "valid"
	}
}

func when(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}

func (p *program) keyRevoke(config *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End a key at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usageError{fmt.Errorf("%q is not the number of a key; see \"portico key list\"", args[0])}
			}
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				if err := t.adapter.RevokeKey(ctx, id); err != nil {
					return keyError(err)
				}
				fmt.Fprintf(p.err, "key %d is revoked\n", id)
				return nil
			})
		},
	}
}

// keyError says what a failed command can do about it.
func keyError(err error) error {
	switch adapter.KindOf(err) {
	case adapter.NotFound:
		return fmt.Errorf("%w; see \"portico key list\"", err)
	case adapter.Conflict:
		return fmt.Errorf("%w: that key is there already; see \"portico key list\"", err)
	default:
		return err
	}
}

// parseAge reads a length of time; besides Go's units it knows days (d).
func parseAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n > 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("--expires %s: write a length of time such as 90d or 12h", text)
}
