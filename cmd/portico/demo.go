package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	_ "embed"

	"github.com/spf13/cobra"

	"portico/adapter"
	"portico/adapter/collaboration"
	"portico/directory/embedded"
)

func (p *program) demoCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve an embedded directory with sample people; no other server is needed",
		Long: "Demo starts a small LDAP server in this process, with some thirty invented people, writes a configuration for it into a\n" +
			"temporary folder, serves it like \"portico serve\" does, and prints requests to paste. Everything is gone when it ends.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.demo(cmd.Context(), listen) },
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address of the service")
	return cmd
}

func (p *program) demo(ctx context.Context, listen string) error {
	folder, err := os.MkdirTemp("", "portico-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	sample, accounts, err := embedded.Sample()
	if err != nil {
		return err
	}
	server, err := embedded.New(sample)
	if err != nil {
		return err
	}
	if err := server.LoadLDIF(embedded.SampleLDIF()); err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer server.Close()
	path, err := writeDemoConfig(folder, listen, server.URL(), sample)
	if err != nil {
		return err
	}
	cfg, err := p.load(path)
	if err != nil {
		return err
	}
	return p.serve(ctx, cfg, nil, func(a *app) error { return p.introduce(ctx, a, path, accounts) })
}

//go:embed demo.yaml
var demoConfig string

//go:embed demo.txt
var demoText string

// writeDemoConfig writes the configuration as an administrator would.
func writeDemoConfig(folder, listen, url string, sample embedded.Config) (string, error) {
	t, err := template.New("demo.yaml").Parse(demoConfig)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = t.Execute(&text, map[string]any{"Folder": folder, "Listen": listen, "URL": url, "Sample": sample})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "portico.yaml")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}

// introduce waits until the sample people are there, adds what LDAP cannot hold
// and prints what to try.
func (p *program) introduce(ctx context.Context, a *app, path string, accounts []embedded.Account) error {
	if err := a.waitReady(ctx, 30*time.Second); err != nil {
		return err
	}
	for name, overlay := range map[string]adapter.Overlay{"terminated": {Terminated: true}, "alert": {Alert: true}} {
		if err := a.adapter.SetOverlay(ctx, adapter.ByUsername(name), overlay, "demo"); err != nil {
			return err
		}
	}
	_, key, err := a.adapter.CreateKey(ctx, adapter.KeyRequest{API: "action", Label: "demo"})
	if err != nil {
		return err
	}
	members, personal, err := demoKeys(ctx, a.adapter, accounts[0].Username)
	if err != nil {
		return err
	}
	_, scimKey, err := a.adapter.CreateKey(ctx, adapter.KeyRequest{API: "scim", Label: "demo", Scopes: adapter.SCIMScopeNames()})
	if err != nil {
		return err
	}
	collabKey, err := a.demoCollaborations(ctx)
	if err != nil {
		return err
	}
	t, err := template.New("demo.txt").Parse(demoText)
	if err != nil {
		return err
	}
	return t.Execute(p.out, map[string]any{
		"URL": "http://" + a.server.Addr().String(), "Key": key, "CollabKey": collabKey, "SCIM": scimKey, "Config": path, "Members": members, "Personal": personal, "Accounts": worthShowing(accounts),
	})
}

// demoKeys makes a key for members and teams, and lets a person manage users.
func demoKeys(ctx context.Context, a *adapter.Adapter, username string) (members, personal string, err error) {
	_, members, err = a.CreateKey(ctx, adapter.KeyRequest{API: "integration", Label: "demo"})
	if err != nil {
		return "", "", err
	}
	person := adapter.ByUsername(username)
	if err := a.GiveRole(ctx, person, "Account Administrators", "demo"); err != nil {
		return "", "", err
	}
	personal, err = a.AddPersonalKey(ctx, person, "demo", adapter.Client{})
	return members, personal, err
}

// worthShowing picks the first few people and everybody with a special account.
func worthShowing(accounts []embedded.Account) []embedded.Account {
	var shown []embedded.Account
	for i, a := range accounts {
		switch {
		case a.Username == "alert" || a.Username == "terminated":
			a.Status = a.Username + " (set in Portico)"
		case i >= 3 && a.Status == "normal":
			continue
		}
		shown = append(shown, a)
	}
	return shown
}

// demoCollaborations makes an organisation, a service and a key for the collaboration API.
func (a *app) demoCollaborations(ctx context.Context) (key string, err error) {
	org := collaboration.Org{ShortName: "acme", Name: "Acme Works"}
	org.Settings.Units = []string{"North", "South"}
	if _, err := a.collabs.PutOrg(ctx, org, nil); err != nil {
		return "", err
	}
	service := collaboration.Service{EntityID: "https://wiki.example.org", Abbreviation: "wiki", Name: "Wiki"}
	service.Settings.AccessAll, service.Settings.AutomaticAll = true, true
	if _, err := a.collabs.PutService(ctx, service, nil); err != nil {
		return "", err
	}
	_, key, err = a.adapter.CreateKey(ctx, adapter.KeyRequest{API: "collaboration", Org: "acme", Label: "demo"})
	return key, err
}
