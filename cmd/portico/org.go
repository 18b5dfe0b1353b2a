package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico/adapter"
	"portico/adapter/collaboration"
)

func (p *program) orgCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "org", Short: "Organisations that own collaborations"}
	var config string
	cmd.PersistentFlags().StringVarP(&config, "config", "c", "", "configuration file")
	cmd.AddCommand(p.orgCreate(&config), p.orgUpdate(&config), p.orgList(&config), p.orgShow(&config), p.orgDelete(&config))
	return cmd
}

// orgFlags are what create and update have in common; only flags that were given
// change anything.
type orgFlags struct {
	name, description, message, sender, logo string
	units, tags, admins                      []string
	approval, restricted, noCreation         bool
	signUp, reportDeclined                   bool
	category, onBoarding, crm                string
	homes                                    []string
	days                                     int
}

func (f *orgFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "name that people see")
	flags.StringVar(&f.description, "description", "", "what the organisation is")
	flags.StringVar(&f.message, "message", "", "standard text of invitations")
	flags.StringVar(&f.sender, "sender", "", "who invitations are from (default the name)")
	flags.StringVar(&f.logo, "logo-file", "", "PNG or JPEG picture")
	flags.StringSliceVar(&f.units, "units", nil, "names of its units, separated by commas")
	flags.StringSliceVar(&f.tags, "tags", nil, "tags that each of its collaborations gets")
	flags.StringSliceVar(&f.admins, "admins", nil, "user names of its administrators; the first acts for keys")
	flags.BoolVar(&f.approval, "approval", false, "its administrators approve connections to services first")
	flags.BoolVar(&f.restricted, "restricted", false, "only services that are open to restricted organisations")
	flags.BoolVar(&f.noCreation, "no-creation", false, "keys cannot make more collaborations")
	flags.BoolVar(&f.signUp, "sign-up", false, "people without an account may make one with an invitation")
	flags.BoolVar(&f.reportDeclined, "report-declined", false, "the state of declined invitations is shown, instead of not found")
	flags.StringVar(&f.category, "category", "", "kind of organisation, for clients")
	flags.StringVar(&f.onBoarding, "on-boarding", "", "text for new members, for clients")
	flags.StringVar(&f.crm, "crm-id", "", "number in another system, for clients")
	flags.StringSliceVar(&f.homes, "homes", nil, "domains of the home organisations, for clients")
	flags.IntVar(&f.days, "invitation-days", 0, "days until invitations run out (default the configuration's)")
}

// apply puts the flags that were given into an organisation.
func (f *orgFlags) apply(ctx context.Context, cmd *cobra.Command, t *app, o *collaboration.Org) (logo []byte, err error) {
	given := cmd.Flags().Changed
	s := &o.Settings
	for name, set := range map[string]func(){
		"name": func() { o.Name = f.name }, "description": func() { s.Description = f.description },
		"message": func() { s.Message = f.message }, "sender": func() { s.Sender = f.sender },
		"units": func() { s.Units = f.units }, "tags": func() { s.Tags = f.tags },
		"approval": func() { s.RequiresApproval = f.approval }, "restricted": func() { s.RestrictServices = f.restricted },
		"no-creation": func() { s.NoCreation = f.noCreation }, "invitation-days": func() { s.InvitationDays = f.days },
		"sign-up": func() { s.SignUp = f.signUp }, "report-declined": func() { s.ReportDeclinedInv = f.reportDeclined },
		"category": func() { s.Category = f.category }, "on-boarding": func() { s.OnBoarding = f.onBoarding },
		"crm-id": func() { s.CRM = f.crm }, "homes": func() { s.Homes = f.homes },
	} {
		if given(name) {
			set()
		}
	}
	if given("admins") {
		s.Admins = nil
		for _, name := range f.admins {
			person, err := t.adapter.Person(ctx, adapter.ByUsername(name))
			if err != nil {
				return nil, fmt.Errorf("--admins %s: %w", name, err)
			}
			s.Admins = append(s.Admins, person.UID)
		}
	}
	if f.logo != "" {
		logo, err = os.ReadFile(f.logo)
	}
	return logo, err
}

func (p *program) orgCreate(config *string) *cobra.Command {
	var f orgFlags
	cmd := &cobra.Command{
		Use: "create SHORT_NAME --name NAME", Short: "Make an organisation", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				o := collaboration.Org{ShortName: args[0]}
				logo, err := f.apply(ctx, cmd, t, &o)
				if err != nil {
					return err
				}
				if o.Name == "" {
					o.Name = o.ShortName
				}
				if _, err := t.collabs.PutOrg(ctx, o, logo); err != nil {
					return err
				}
				fmt.Fprintf(p.err, "organisation %s made; next: portico key create --api collaboration --org %s --label TEXT\n", args[0], args[0])
				return nil
			})
		},
	}
	f.add(cmd)
	return cmd
}

func (p *program) orgUpdate(config *string) *cobra.Command {
	var f orgFlags
	cmd := &cobra.Command{
		Use: "update SHORT_NAME", Short: "Change what the given flags name", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				o, err := t.collabs.FindOrg(ctx, args[0])
				if err != nil {
					return err
				}
				logo, err := f.apply(ctx, cmd, t, o)
				if err == nil {
					_, err = t.collabs.PutOrg(ctx, *o, logo)
				}
				return err
			})
		},
	}
	f.add(cmd)
	return cmd
}

// orgJSON is an organisation as lists and show print it.
type orgJSON struct {
	ShortName   string    `json:"short_name"`
	Name        string    `json:"name"`
	Identifier  string    `json:"identifier"`
	Description string    `json:"description,omitempty"`
	Message     string    `json:"message,omitempty"`
	Sender      string    `json:"sender,omitempty"`
	Units       []string  `json:"units"`
	Tags        []string  `json:"tags"`
	Admins      []int64   `json:"admins"`
	Approval    bool      `json:"approval"`
	Restricted  bool      `json:"restricted"`
	NoCreation  bool      `json:"no_creation"`
	SignUp      bool      `json:"sign_up"`
	Declined    bool      `json:"report_declined"`
	Created     time.Time `json:"created"`
}

func orgOutput(o collaboration.Org) orgJSON {
	s := o.Settings
	return orgJSON{
		ShortName: o.ShortName, Name: o.Name, Identifier: o.Identifier, Description: s.Description, Message: s.Message, Sender: s.Sender,
		Units: append([]string{}, s.Units...), Tags: append([]string{}, s.Tags...), Admins: append([]int64{}, s.Admins...),
		Approval: s.RequiresApproval, Restricted: s.RestrictServices, NoCreation: s.NoCreation, SignUp: s.SignUp,
		Declined: s.ReportDeclinedInv, Created: o.Created,
	}
}

func (p *program) orgList(config *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the organisations", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				orgs, err := t.collabs.ListOrgs(ctx)
				if err != nil {
					return err
				}
				list, rows := []orgJSON{}, [][]string{{"SHORT NAME", "NAME", "UNITS"}}
				for _, o := range orgs {
					list = append(list, orgOutput(o))
					rows = append(rows, []string{o.ShortName, o.Name, strings.Join(o.Settings.Units, ", ")})
				}
				if asJSON {
					return writeJSON(p.out, list)
				}
				return writeTable(p.out, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) orgShow(config *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show SHORT_NAME", Short: "Show one organisation with its collaborations", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				o, err := t.collabs.FindOrg(ctx, args[0])
				if err != nil {
					return err
				}
				v, err := t.collabs.Organisation(ctx, collaboration.Command(o.ShortName), collaboration.Filter{})
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(p.out, orgOutput(*o))
				}
				rows := [][]string{{"COLLABORATION", "STATUS", "MEMBERS", "INVITATIONS", "NAME"}}
				for _, c := range v.Collaborations {
					rows = append(rows, []string{c.ShortName, c.Status, strconv.Itoa(len(c.Memberships)), strconv.Itoa(c.Invitations), c.Name})
				}
				return writeTable(p.out, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (p *program) orgDelete(config *string) *cobra.Command {
	return &cobra.Command{
		Use: "delete SHORT_NAME", Short: "Remove an organisation without collaborations, and end its keys", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				return t.collabs.DeleteOrg(ctx, args[0])
			})
		},
	}
}
