package main

import (
	"strings"

	"portico/adapter"
	"portico/configs"
	"portico/httpapi/console"
	"portico/httpapi/usermanagement"
)

// newUserManagement makes the user management API.
func (a *app) newUserManagement() (*usermanagement.API, error) {
	c := a.cfg.APIs.UserManagement
	return usermanagement.New(usermanagement.Config{
		Prefix: c.Prefix, BaseURL: a.cfg.ExternalURL(), Account: c.Account, Status406: c.Status406,
	}, reservedWords(a.cfg), a.adapter, a.log)
}

// reservedWords are the first words of all paths of the service: no project of the
// user management API is called so.
func reservedWords(cfg *configs.Config) []string {
	words := append(usermanagement.ReservedWords(), console.ReservedWords()...)
	words = append(words, "api", "mobile", "api-php")
	for _, prefix := range []string{
		cfg.APIs.Action.Prefix, cfg.APIs.Integration.Prefix, cfg.APIs.SCIM.Prefix, cfg.APIs.UserManagement.Prefix,
	} {
		if word, _, _ := strings.Cut(strings.TrimPrefix(prefix, "/"), "/"); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// userVerbs is what the adapter takes from the section of this API.
func userVerbs(cfg *configs.Config) adapter.UsersConfig {
	c := cfg.APIs.UserManagement
	out := adapter.UsersConfig{
		Account: c.Account, BareUsername: c.BareUsername, Restrict: c.RestrictDirectory, Reserved: reservedWords(cfg),
		Directory: c.Directory, ProjectGroups: c.ProjectGroups, InvitationLifetime: c.InvitationLifetime,
		InvitationPath: cfg.APIs.Action.Prefix + console.InvitationPath,
	}
	for _, r := range c.Roles {
		out.Roles = append(out.Roles, adapter.RoleConfig{Name: r.Name, Permissions: r.Permissions, Groups: r.Groups, Default: r.Default})
	}
	return out
}
