package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"portico/adapter/collaboration"
	"portico/adapter/store"
)

func (p *program) serviceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "service", Short: "Services that collaborations connect to"}
	var config string
	cmd.PersistentFlags().StringVarP(&config, "config", "c", "", "configuration file")
	cmd.AddCommand(p.servicePut(&config, true), p.servicePut(&config, false), p.serviceList(&config), p.serviceDelete(&config))
	return cmd
}

type serviceFlags struct {
	entity, name, description, uri, contact, support  string
	logo                                              string
	managers, orgs, automaticOrgs, groups, autoGroups []string
	all, automatic, closed, restricted                bool
}

func (f *serviceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.entity, "entity-id", "", "how clients name the service, such as https://wiki.example.org")
	flags.StringVar(&f.name, "name", "", "name that people see")
	flags.StringVar(&f.description, "description", "", "what the service is")
	flags.StringVar(&f.uri, "uri", "", "its address")
	flags.StringVar(&f.logo, "logo-file", "", "PNG or JPEG picture")
	flags.StringVar(&f.contact, "contact", "", "mail address for questions")
	flags.StringVar(&f.support, "support", "", "mail address for help")
	flags.StringSliceVar(&f.managers, "managers", nil, "mail addresses of those who answer requests")
	flags.BoolVar(&f.all, "access-all", false, "every organisation may use it")
	flags.StringSliceVar(&f.orgs, "access-orgs", nil, "short names of the organisations that may use it")
	flags.BoolVar(&f.automatic, "automatic-all", false, "every organisation that may use it is connected without a request")
	flags.StringSliceVar(&f.automaticOrgs, "automatic-orgs", nil, "organisations that are connected without a request")
	flags.BoolVar(&f.closed, "closed", false, "nobody may connect")
	flags.BoolVar(&f.restricted, "allow-restricted", false, "also for restricted organisations")
	flags.StringArrayVar(&f.groups, "group", nil, "group that it brings, as SHORT_NAME=NAME; may be repeated")
	flags.StringArrayVar(&f.autoGroups, "auto-group", nil, "group of all members that it brings, as SHORT_NAME=NAME; may be repeated")
}

func (f *serviceFlags) apply(cmd *cobra.Command, v *collaboration.Service) error {
	given := cmd.Flags().Changed
	s := &v.Settings
	for name, set := range map[string]func(){
		"entity-id": func() { v.EntityID = f.entity }, "name": func() { v.Name = f.name },
		"description": func() { s.Description = f.description }, "uri": func() { s.URI = f.uri },
		"contact": func() { s.Contact = f.contact }, "support": func() { s.Support = f.support },
		"managers": func() { s.Managers = f.managers }, "access-all": func() { s.AccessAll = f.all },
		"access-orgs": func() { s.AccessOrgs = f.orgs }, "automatic-all": func() { s.AutomaticAll = f.automatic },
		"automatic-orgs": func() { s.AutomaticOrgs = f.automaticOrgs }, "closed": func() { s.NoConnections = f.closed },
		"allow-restricted": func() { s.AllowRestricted = f.restricted },
	} {
		if given(name) {
			set()
		}
	}
	if !given("group") && !given("auto-group") {
		return nil
	}
	s.Groups = nil
	for i, text := range append(append([]string{}, f.groups...), f.autoGroups...) {
		short, name, ok := strings.Cut(text, "=")
		if !ok {
			return usageError{fmt.Errorf("--group %s: write SHORT_NAME=NAME", text)}
		}
		s.Groups = append(s.Groups, store.ServiceGroup{ShortName: short, Name: name, AutoProvision: i >= len(f.groups)})
	}
	return nil
}

func (p *program) servicePut(config *string, create bool) *cobra.Command {
	var f serviceFlags
	use, short := "update ABBREVIATION", "Change what the given flags name"
	if create {
		use, short = "create ABBREVIATION --entity-id ID --name NAME", "Make a service"
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				v := &collaboration.Service{Abbreviation: args[0], Name: args[0]}
				if !create {
					var err error
					if v, err = t.collabs.FindService(ctx, args[0]); err != nil {
						return err
					}
				}
				if err := f.apply(cmd, v); err != nil {
					return err
				}
				var logo []byte
				if f.logo != "" {
					var err error
					if logo, err = os.ReadFile(f.logo); err != nil {
						return err
					}
				}
				_, err := t.collabs.PutService(ctx, *v, logo)
				return err
			})
		},
	}
	f.add(cmd)
	return cmd
}

func (p *program) serviceList(config *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the services", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				services, err := t.collabs.ListServices(ctx)
				if err != nil {
					return err
				}
				type line struct {
					Abbreviation string                `json:"abbreviation"`
					EntityID     string                `json:"entity_id"`
					Name         string                `json:"name"`
					Settings     store.ServiceSettings `json:"settings"`
				}
				list, rows := []line{}, [][]string{{"ABBREVIATION", "ENTITY ID", "NAME"}}
				for _, v := range services {
					list = append(list, line{v.Abbreviation, v.EntityID, v.Name, v.Settings})
					rows = append(rows, []string{v.Abbreviation, v.EntityID, v.Name})
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

func (p *program) serviceDelete(config *string) *cobra.Command {
	return &cobra.Command{
		Use: "delete ABBREVIATION", Short: "Remove a service and its connections", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), *config, func(ctx context.Context, t *app) error {
				return t.collabs.DeleteService(ctx, args[0])
			})
		},
	}
}
