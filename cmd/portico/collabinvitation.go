package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"portico/adapter"
	"portico/adapter/collaboration"
)

// collabInvitationCommand is "invitation collaboration": invitations to collaborations.
func (p *program) collabInvitationCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "collaboration", Short: "Invitations to collaborations"}
	var config string
	cmd.PersistentFlags().StringVarP(&config, "config", "c", "", "configuration file")
	cmd.AddCommand(p.invitationList(&config), p.invitationLink(&config), p.invitationWithdraw(&config))
	return cmd
}

func (p *program) invitationList(config *string) *cobra.Command {
	var asJSON bool
	var org string
	cmd := &cobra.Command{
		Use: "list", Short: "List open invitations to collaborations", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				invites, err := t.collabs.OpenInvitations(ctx, org)
				if err != nil {
					return err
				}
				type line struct {
					ID            string    `json:"id"`
					Collaboration string    `json:"collaboration"`
					Email         string    `json:"email"`
					Role          string    `json:"role"`
					Status        string    `json:"status"`
					Expires       time.Time `json:"expires"`
				}
				list, rows := []line{}, [][]string{{"ID", "COLLABORATION", "ADDRESS", "ROLE", "STATUS", "EXPIRES"}}
				for _, i := range invites {
					urn := i.Org + ":" + i.Collaboration.ShortName
					list = append(list, line{i.Identifier, urn, i.Email, i.Role, i.Status, i.Expires})
					rows = append(rows, []string{i.Identifier, urn, i.Email, i.Role, i.Status, i.Expires.Format(time.DateTime)})
				}
				if asJSON {
					return writeJSON(p.out, list)
				}
				return writeTable(p.out, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&org, "org", "", "only those of this organisation")
	return cmd
}

func (p *program) invitationLink(config *string) *cobra.Command {
	return &cobra.Command{
		Use: "link ID", Short: "Print a new link for an open invitation, where no mail can be sent; the one before ends", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				path, err := t.collabs.InvitationPath(ctx, args[0])
				if err == nil {
					_, err = fmt.Fprintln(p.out, adapter.PublicLink(t.cfg.ExternalURL(), path))
				}
				return err
			})
		},
	}
}

func (p *program) invitationWithdraw(config *string) *cobra.Command {
	var org string
	cmd := &cobra.Command{
		Use: "withdraw ID --org SHORT_NAME", Short: "Take an open invitation back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				return t.collabs.Withdraw(ctx, collaboration.Command(org), args[0])
			})
		},
	}
	cmd.Flags().StringVar(&org, "org", "", "the organisation that invites")
	return cmd
}

// invitationCommand holds the commands for invitations of every kind.
func (p *program) invitationCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "invitation", Short: "Invitations to have an account, and to collaborations"}
	cmd.AddCommand(p.collabInvitationCommand())
	for _, leaf := range p.accountInvitationCommands() {
		cmd.AddCommand(leaf)
	}
	return cmd
}
