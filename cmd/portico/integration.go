package main

import (
	"fmt"

	"portico/adapter"
	"portico/configs"
	"portico/directory/mapping"
	"portico/httpapi/integration"
)

// newIntegration makes the API of members and teams.
func (a *app) newIntegration() (*integration.API, error) {
	c := a.cfg.APIs.Integration
	return integration.New(integration.Config{
		Prefix: c.Prefix, BaseURL: a.cfg.ExternalURL(), Title: a.cfg.APIs.Action.Title,
		AllowEmail: c.AllowEmail, ShowKeys: c.ShowKeys, MaxBody: int64(a.cfg.Limits.Body),
	}, a.adapter, a.log)
}

// reloadKeys takes apis.integration.keys from the configuration as it is now. What
// else may have changed there waits for the next start.
func (a *app) reloadKeys() error {
	if a.reread == nil {
		return nil
	}
	cfg, err := a.reread()
	if err != nil {
		return err
	}
	verbs, err := integrationVerbs(cfg)
	if err != nil {
		return err
	}
	a.adapter.SetIntegrationKeys(verbs.Keys)
	a.log.Info("keys for members and teams reloaded", "keys", len(verbs.Keys))
	return nil
}

// integrationVerbs is what the adapter takes from the section of this API.
func integrationVerbs(cfg *configs.Config) (adapter.IntegrationConfig, error) {
	c := cfg.APIs.Integration
	out := adapter.IntegrationConfig{
		AllowEmail: c.AllowEmail, NoMailSignIn: !c.MailSignIn, HiddenMark: c.HiddenMark, ActiveOnly: c.ActiveOnly,
	}
	for i, secret := range c.Keys {
		key, problem := configs.ParseIntegrationKey(secret)
		if problem != "" {
			return out, fmt.Errorf("apis.integration.keys[%d] %s", i, problem)
		}
		out.Keys = append(out.Keys, adapter.ConfiguredKey{Label: key.Label, Hash: key.Hash, Only: key.Only, Emails: key.Emails})
	}
	if c.HiddenBase == "" {
		return out, nil
	}
	base, err := mapping.DNKey(c.HiddenBase)
	if err != nil {
		return out, fmt.Errorf("apis.integration.hidden_base: %w", err)
	}
	out.HideGroup = func(dn string) bool {
		key, err := mapping.DNKey(dn)
		return err == nil && mapping.Under(key, base)
	}
	return out, nil
}
