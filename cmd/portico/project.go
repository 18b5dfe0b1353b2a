package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"portico/adapter"
)

// projectCommand is for what the directory cannot hold of projects.
func (p *program) projectCommand() *cobra.Command {
	var config, startPage string
	var icon int
	cmd := &cobra.Command{Use: "project", Short: "Set how the projects of the user management look"}
	set := &cobra.Command{
		Use:   "set PERMALINK [--icon N] [--start-page PAGE]",
		Short: "Set the icon (1 to 84) or the first page (" + strings.Join(adapter.StartPages(), ", ") + ") of a project",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), config, func(ctx context.Context, t *app) error {
				if err := t.adapter.SetProjectPage(ctx, args[0], icon, startPage, "command line"); err != nil {
					return fmt.Errorf("project %s: %w", args[0], err)
				}
				fmt.Fprintf(p.err, "project %s changed\n", args[0])
				return nil
			})
		},
	}
	set.Flags().IntVar(&icon, "icon", 0, "number of the icon")
	set.Flags().StringVar(&startPage, "start-page", "", "first page")
	set.Flags().StringVarP(&config, "config", "c", "", "configuration file")
	cmd.AddCommand(set)
	return cmd
}
