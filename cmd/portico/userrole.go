package main

import (
	"context"

	"github.com/spf13/cobra"

	"portico/adapter"
)

func (u *userTool) role() *cobra.Command {
	return &cobra.Command{
		Use:   "role USER ROLE",
		Short: "Give a person a role of the user management; \"\" takes it away",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return u.withTool(cmd.Context(), u.config, func(ctx context.Context, t *app) error {
				if err := t.adapter.GiveRole(ctx, adapter.ByUsername(args[0]), args[1], "command line"); err != nil {
					return err
				}
				return u.done("%s has the role %q", args[0], args[1])
			})
		},
	}
}

func (u *userTool) title() *cobra.Command {
	return &cobra.Command{
		Use:   "title USER TEAM TITLE",
		Short: "Set what a person is called in a team, for directories without entries for it; \"\" removes it",
		Args:  cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return u.withTool(cmd.Context(), u.config, func(ctx context.Context, t *app) error {
				if err := t.adapter.SetTeamTitle(ctx, args[1], adapter.ByUsername(args[0]), args[2], "command line"); err != nil {
					return err
				}
				return u.done("%s is called %q in %s", args[0], args[2], args[1])
			})
		},
	}
}
