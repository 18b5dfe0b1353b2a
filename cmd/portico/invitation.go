package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"portico/adapter"
)

// accountInvitationCommands are those for invitations to have an account.
func (p *program) accountInvitationCommands() []*cobra.Command {
	config := new(string)
	commands := []*cobra.Command{
		p.accountInvitations(config),
		p.accountInvitation(config, "resend ID", "Mail a pending invitation again, with a new link", func(ctx context.Context, a *adapter.Adapter, id int64) (string, error) {
			return "sent again", a.ResendInvitationByNumber(ctx, id, "command line")
		}),
		p.accountInvitation(config, "withdraw ID", "End an open invitation", func(ctx context.Context, a *adapter.Adapter, id int64) (string, error) {
			return "withdrawn", a.WithdrawInvitation(ctx, id, "command line", adapter.Client{})
		}),
		p.accountInvitation(config, "approve ID", "End a waiting invitation, once the directory has an entry with its mail address",
			func(ctx context.Context, a *adapter.Adapter, id int64) (string, error) {
				username, err := a.ApproveInvitation(ctx, id, "command line")
				return "approved for " + username, err
			}),
	}
	for _, cmd := range commands {
		cmd.Flags().StringVarP(config, "config", "c", "", "configuration file")
	}
	return commands
}

func (p *program) accountInvitations(config *string) *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List open invitations",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				list, err := t.adapter.Invitations(ctx, all)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(p.out, list)
				}
				rows := [][]string{{"ID", "STATE", "EXPIRES", "ROLE", "MAIL", "NAME", "USER NAME"}}
				for _, i := range list {
					rows = append(rows, []string{
						strconv.FormatInt(i.ID, 10), i.State, i.Expires.Local().Format(time.DateTime), i.Role, i.Mail,
						i.GivenName + " " + i.FamilyName, i.Username,
					})
				}
				return writeTable(p.out, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list ended ones, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) accountInvitation(config *string, use, short string, do func(context.Context, *adapter.Adapter, int64) (string, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return usageError{fmt.Errorf("%q is not the number of an invitation; see \"portico invitation list\"", args[0])}
			}
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				done, err := do(ctx, t.adapter, id)
				if err != nil {
					return fmt.Errorf("invitation %d: %w; see \"portico invitation list\"", id, err)
				}
				fmt.Fprintf(p.err, "invitation %d %s\n", id, done)
				return nil
			})
		},
	}
}
