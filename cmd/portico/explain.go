package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico/adapter"
	"portico/directory"
)

// explanation is what "portico explain" tells of one person.
type explanation struct {
	Directory string             `json:"directory"`
	DN        string             `json:"dn"`
	StableID  string             `json:"stable_id"`
	Username  string             `json:"username"`
	UID       int64              `json:"uid"`
	Mapped    []mappedAttribute  `json:"mapped"`
	Groups    []string           `json:"groups"`
	Status    string             `json:"status"`
	Because   []directory.Reason `json:"because"`
	Local     []string           `json:"local"`
	APIs      map[string]any     `json:"apis"`
}

// mappedAttribute is one of Portico's attributes, where it comes from and what it holds.
type mappedAttribute struct {
	Name   string   `json:"name"`
	From   []string `json:"from"` // LDAP attributes; the first that has a value wins
	Values []string `json:"values"`
}

func (p *program) explainCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain --config FILE USER",
		Short: "Show how one person's entry is mapped onto each API, and why the account has its status",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withTool(cmd.Context(), path, func(ctx context.Context, t *app) error {
				e, err := t.explain(ctx, args[0])
				if err != nil {
					return explainError(err, args[0])
				}
				if asJSON {
					return writeJSON(p.out, e)
				}
				return p.showExplanation(e)
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func explainError(err error, name string) error {
	switch adapter.KindOf(err) {
	case adapter.NotFound:
		return fmt.Errorf("no entry with the user name %q matches the people filter of any directory; \"portico check\" shows filters and bases", name)
	case adapter.Ambiguous:
		return fmt.Errorf("more than one entry of one directory has the user name %q, so nobody can sign in with it; make it unique", name)
	case adapter.Unavailable:
		return fmt.Errorf("the directory does not answer: %w", err)
	default:
		return err
	}
}

func (a *app) explain(ctx context.Context, name string) (*explanation, error) {
	person, err := a.adapter.Person(ctx, adapter.ByUsername(name))
	if err != nil {
		return nil, err
	}
	verdict, err := a.adapter.ExplainStatus(ctx, adapter.ByID(person.ID))
	if err != nil {
		return nil, err
	}
	entry, err := a.people.PersonByID(ctx, person.ID)
	if err != nil {
		return nil, err
	}
	m := a.memberOf(person.ID.Directory)
	if m == nil {
		return nil, errors.New("the person's directory is not configured any more")
	}
	groups, err := m.groupNames(ctx, entry)
	if err != nil {
		return nil, err
	}
	return &explanation{
		Directory: person.ID.Directory, DN: entry.DN, StableID: person.ID.Stable,
		Username: person.Username, UID: person.UID,
		Mapped: m.mapped(entry), Groups: groups,
		Status: verdict.Status.String(), Because: verdict.Reasons, Local: verdict.Local,
		APIs: map[string]any{"action": actionView(person)},
	}, nil
}

// mapped lists the person's attributes in order of name.
func (m *member) mapped(entry *directory.Entry) []mappedAttribute {
	var list []mappedAttribute
	for _, name := range slices.Sorted(maps.Keys(m.preset.People.Attributes)) {
		list = append(list, mappedAttribute{name, m.preset.People.Attributes[name], entry.Attributes[name]})
	}
	return list
}

// groupNames asks LDAP for the groups that name the person directly.
func (m *member) groupNames(ctx context.Context, entry *directory.Entry) ([]string, error) {
	result, err := m.client.Search(ctx, m.mapper.GroupsNaming(entry))
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, raw := range result.Entries {
		g, err := m.mapper.Entry(raw)
		if err == nil && g != nil && g.Kind == directory.KindGroup {
			names = append(names, g.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (a *app) memberOf(name string) *member {
	for _, m := range a.members {
		if m.cfg.Name == name {
			return m
		}
	}
	return nil
}

// actionView is the person as "userinfo" of the action API shows him.
func actionView(p *adapter.Person) map[string]any {
	return map[string]any{
		"uid": fmt.Sprint(p.UID), "username": p.Username, "name": p.Name, "email": p.Email(),
		"phone": map[string]string{"1": p.Phone, "2": p.Mobile}, "pin": p.HasPIN,
	}
}

func (p *program) showExplanation(e *explanation) error {
	fmt.Fprintf(p.out, "%s is uid %d: %s\n  directory %s, permanent id %s\n\nAttributes\n",
		e.Username, e.UID, printable(e.DN), e.Directory, e.StableID)
	rows := [][]string{{"  PORTICO", "LDAP", "VALUES"}}
	for _, a := range e.Mapped {
		rows = append(rows, []string{"  " + a.Name, strings.Join(a.From, ", "), or(strings.Join(a.Values, " | "), "-")})
	}
	if err := writeTable(p.out, rows); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nGroups\n  %s\n\nStatus %s\n", or(printable(strings.Join(e.Groups, ", ")), "none"), e.Status)
	for _, r := range e.Because {
		fmt.Fprintf(p.out, "  %s: %s = %s (%s)\n", r.State, r.Attribute, printable(r.Value), r.Detail)
	}
	for _, l := range e.Local {
		fmt.Fprintf(p.out, "  set in Portico: %s\n", l)
	}
	if len(e.Because)+len(e.Local) == 0 {
		fmt.Fprintf(p.out, "  nothing speaks against the account, as of %s\n", time.Now().Format(time.DateTime))
	}
	fmt.Fprint(p.out, "\nAction API, userinfo\n")
	return writeJSON(p.out, e.APIs["action"])
}
