package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"portico/adapter"
	"portico/configs"
	"portico/httpapi"
	"portico/scim"
	"portico/scim/mapping"
	"portico/scim/people"
	"portico/scim/schema"
)

// newSCIM makes the service of SCIM 2.0.
func (a *app) newSCIM() (*scim.Service, error) {
	c := a.cfg.APIs.SCIM
	user, group, err := scimMappings(c)
	if err != nil {
		return nil, err
	}
	secret, err := a.cfg.MasterKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	// Every process with the same secret key can go on with the cursors of the others.
	cursorKey, err := hkdf.Key(sha256.New, secret, nil, "portico scim cursors", 32)
	if err != nil {
		return nil, err
	}
	base := strings.TrimRight(a.cfg.ExternalURL(), "/") + c.Prefix
	var names []string
	for _, m := range a.members {
		names = append(names, m.cfg.Name)
	}
	users, groups := people.New(people.Config{
		Directories: names, MembersInline: c.MembersInline, ScanLimit: c.ScanLimit, BaseURL: base,
	}, people.Deps{Adapter: a.adapter, Log: a.log, Now: time.Now, Rand: rand.Reader, User: user, Group: group})
	client := func(r *http.Request) adapter.Client {
		exchange := httpapi.FromContext(r.Context())
		return adapter.Client{Address: exchange.Client(), RequestID: exchange.RequestID()}
	}
	return scim.New(scim.Config{
		Prefix: c.Prefix, BaseURL: base, PageSize: c.PageSize, MaxPage: c.MaxResults, CursorTTL: c.CursorTTL,
		MaxBody: int64(c.MaxBody), BulkOperations: c.BulkOperations, BulkPayload: int64(c.BulkPayload),
		ReadOnly: c.ReadOnly || a.nothingWritable(), PublicDiscovery: c.PublicDiscovery, Rate: c.Rate, Removal: a.cfg.Limits.Closings,
	}, scim.Deps{
		Auth: &scim.KeyAuth{Keys: a.adapter, Client: client},
		Resources: []scim.Resources{
			{Type: user.Type, Handler: users}, {Type: group.Type, Handler: groups, Quiet: true},
		},
		Log: a.log, Now: time.Now, CursorKey: cursorKey,
		Audit: func(ctx context.Context, e scim.Event) { a.auditSCIM(ctx, e) },
		Note: func(ctx context.Context, keyID int64, operation string) {
			exchange := httpapi.FromContext(ctx)
			exchange.SetKey(keyID)
			exchange.SetOperation("scim " + operation)
		},
	})
}

// nothingWritable tells whether every directory is read-only.
func (a *app) nothingWritable() bool {
	for _, m := range a.members {
		if m.writer != nil {
			return false
		}
	}
	return true
}

// auditSCIM writes one line of the log for each resource that was written, or not.
func (a *app) auditSCIM(ctx context.Context, e scim.Event) {
	if e.Verb == "read" || e.Verb == "list" {
		return
	}
	a.log.InfoContext(ctx, "SCIM", "verb", e.Verb, "type", e.Type, "id", e.ID, "attributes", strings.Join(e.Attributes, ","),
		"status", e.Status, "client", e.Principal.Name, "took", e.Took)
}

// scimMappings makes the resource types: the built-in schemas, those of the configured folder, and the mapping.
func scimMappings(c configs.SCIMAPI) (user, group *mapping.Mapping, err error) {
	builtin, err := schema.LoadBuiltin()
	if err != nil {
		return nil, nil, err
	}
	extensions := []schema.Extension{{Schema: builtin.Enterprise}}
	if c.Schemas != "" {
		files, err := filepath.Glob(filepath.Join(c.Schemas, "*.json"))
		if err != nil {
			return nil, nil, fmt.Errorf("apis.scim.schemas: %w", err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, nil, fmt.Errorf("apis.scim.schemas: %w", err)
			}
			custom, err := schema.Parse(text)
			if err != nil {
				return nil, nil, fmt.Errorf("apis.scim.schemas: %s: %w", file, err)
			}
			extensions = append(extensions, schema.Extension{Schema: custom})
		}
	}
	var text []byte
	if c.Mapping != "" {
		if text, err = os.ReadFile(c.Mapping); err != nil {
			return nil, nil, fmt.Errorf("apis.scim.mapping: %w", err)
		}
	}
	if user, err = mapping.New(schema.NewType("User", "/Users", "People of the directories", builtin.User, extensions...), text); err != nil {
		return nil, nil, fmt.Errorf("apis.scim.mapping: %w", err)
	}
	group, err = mapping.New(schema.NewType("Group", "/Groups", "Groups of the directories", builtin.Group), text)
	if err != nil {
		err = fmt.Errorf("apis.scim.mapping: %w", err)
	}
	return user, group, err
}

// ownBodies are the paths whose dialects bound requests themselves.
func ownBodies(cfg *configs.Config) []string {
	if !cfg.APIs.SCIM.Enabled {
		return nil
	}
	return []string{cfg.APIs.SCIM.Prefix + "/"}
}
