package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"portico/adapter/collaboration"
)

// collaborationCommand is "collaboration": what an administrator does with them.
func (p *program) collaborationCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "collaboration", Short: "Collaborations of organisations"}
	var config string
	cmd.PersistentFlags().StringVarP(&config, "config", "c", "", "configuration file")
	cmd.AddCommand(p.collaborationList(&config), p.collaborationExpiry(&config),
		p.collaborationLeaf(&config, "reactivate", "Make an expired or suspended collaboration active again",
			func(ctx context.Context, t *app, caller *collaboration.Caller, id string) error {
				_, err := t.collabs.Revive(ctx, caller, id, collaboration.Revival{Reactivate: true})
				return err
			}),
		p.collaborationLeaf(&config, "write", "Write a collaboration to the directory again that an administrator took out there",
			func(ctx context.Context, t *app, caller *collaboration.Caller, id string) error {
				return t.collabs.Reattach(ctx, caller, id)
			}))
	return cmd
}

// withCollaboration runs something for the collaboration ORG:SHORT_NAME.
func (p *program) withCollaboration(ctx context.Context, config, urn string, do func(context.Context, *app, *collaboration.Caller, string) error) error {
	return p.withTool(ctx, config, func(ctx context.Context, t *app) error {
		org, id, err := t.collabs.FindCollaboration(ctx, urn)
		if err != nil {
			return err
		}
		return do(ctx, t, collaboration.Command(org), id)
	})
}

func (p *program) collaborationLeaf(config *string, name, short string, do func(context.Context, *app, *collaboration.Caller, string) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " ORG:SHORT_NAME", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withCollaboration(cmd.Context(), *config, args[0], do)
		},
	}
}

func (p *program) collaborationExpiry(config *string) *cobra.Command {
	return &cobra.Command{
		Use: "expiry ORG:SHORT_NAME YYYY-MM-DD|never", Short: "Change when a collaboration ends; an expired one becomes active", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ends time.Time
			if args[1] != "never" {
				var err error
				if ends, err = time.Parse(time.DateOnly, args[1]); err != nil {
					return usageError{fmt.Errorf("%s is no day; write it like 2030-12-31, or never", args[1])}
				}
			}
			return p.withCollaboration(cmd.Context(), *config, args[0], func(ctx context.Context, t *app, caller *collaboration.Caller, id string) error {
				_, err := t.collabs.Revive(ctx, caller, id, collaboration.Revival{Expires: &ends})
				return err
			})
		},
	}
}

func (p *program) collaborationList(config *string) *cobra.Command {
	var asJSON bool
	var org string
	cmd := &cobra.Command{
		Use: "list --org SHORT_NAME", Short: "List the collaborations of an organisation", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				if _, err := t.collabs.FindOrg(ctx, org); err != nil {
					return err
				}
				v, err := t.collabs.Organisation(ctx, collaboration.Command(org), collaboration.Filter{})
				if err != nil {
					return err
				}
				type line struct {
					URN        string     `json:"urn"`
					Identifier string     `json:"identifier"`
					Name       string     `json:"name"`
					Status     string     `json:"status"`
					Expires    *time.Time `json:"expires,omitempty"`
					Members    int        `json:"members"`
				}
				list, rows := []line{}, [][]string{{"COLLABORATION", "STATUS", "ENDS", "MEMBERS", "NAME"}}
				for _, c := range v.Collaborations {
					l := line{URN: c.URN(), Identifier: c.Identifier, Name: c.Name, Status: c.Status, Members: len(c.Memberships)}
					ends := "never"
					if !c.Expires.IsZero() {
						l.Expires, ends = &c.Expires, c.Expires.Format(time.DateOnly)
					}
					list = append(list, l)
					rows = append(rows, []string{l.URN, l.Status, ends, strconv.Itoa(l.Members), l.Name})
				}
				if asJSON {
					return writeJSON(p.out, list)
				}
				return writeTable(p.out, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&org, "org", "", "short name of the organisation")
	_ = cmd.MarkFlagRequired("org")
	return cmd
}
