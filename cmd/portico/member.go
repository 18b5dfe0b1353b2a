package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"portico/configs"
	"portico/directory/client"
	"portico/directory/feed"
	"portico/directory/mapping"
	"portico/directory/mirror"
	"portico/directory/population"
	"portico/directory/writer"
	"portico/httpapi"
)

// member is one configured directory with its parts.
type member struct {
	cfg    *configs.Directory
	preset configs.Preset // with the overrides of the configuration
	client *client.Client
	mapper *mapping.Mapper
	feed   feed.Feed
	writer *writer.Writer // nil: read-only
}

// newMember makes the connections and the mapping of a directory; it dials nothing.
func newMember(d *configs.Directory, log *slog.Logger) (*member, error) {
	preset, err := d.Resolve()
	if err != nil {
		return nil, err
	}
	m := &member{cfg: d, preset: preset}
	if m.mapper, err = mapping.New(mappingConfig(d, preset)); err != nil {
		return nil, fmt.Errorf("directory %s: %w", d.Name, err)
	}
	if m.client, err = client.New(clientConfig(d), log); err != nil {
		return nil, fmt.Errorf("directory %s: %w", d.Name, err)
	}
	if d.Write.Enabled {
		if m.writer, err = m.newWriter(log); err != nil {
			return nil, fmt.Errorf("directory %s: write: %w", d.Name, err)
		}
	}
	return m, nil
}

func clientConfig(d *configs.Directory) client.Config {
	return client.Config{
		Name: d.Name, URLs: d.URLs, StartTLS: d.StartTLS,
		TLS: client.TLSConfig{
			CAFile: d.TLS.CAFile, ServerName: d.TLS.ServerName, InsecureSkipVerify: d.TLS.InsecureSkipVerify,
			CertFile: d.TLS.CertFile, KeyFile: d.TLS.KeyFile,
		},
		BindDN: d.BindDN, BindPassword: d.BindPassword.Reveal(),
		PoolSize: d.Pool.Size, BindPoolSize: d.Pool.BindSize,
		Timeout: d.Pool.Timeout, DialTimeout: d.Pool.DialTimeout, IdleTimeout: d.Pool.IdleTimeout,
	}
}

func mappingConfig(d *configs.Directory, p configs.Preset) mapping.Config {
	return mapping.Config{
		Directory: d.Name, Suffix: d.Suffix,
		BaseDN: d.BaseDN, UserBase: p.People.BaseDN, GroupBase: p.Groups.BaseDN,
		UserFilter: p.People.ObjectFilter, GroupFilter: p.Groups.ObjectFilter, ContainerFilter: p.ContainerFilter,
		UserAttributes: plain(p.People.Attributes), GroupAttributes: plain(p.Groups.Attributes),
		MemberAttributes: p.Groups.MemberAttributes, MemberNameAttributes: p.Groups.MemberNameAttributes,
		PrimaryGroup: p.Groups.Primary,
		StableID:     p.StableID, StableIDFormat: mapping.StableIDFormat(p.StableIDFormat),
		Created: p.Created, Modified: p.Modified, Version: p.Version,
		Signals: p.Signals, StatusRules: p.StatusRules,
		PlaceholderMembers: placeholders(d), DisabledAttribute: disabledBy(d, p).Attribute, DisabledValue: disabledBy(d, p).Value,
	}
}

func plain(attributes map[string]configs.Names) map[string][]string {
	m := make(map[string][]string, len(attributes))
	for name, names := range attributes {
		m[name] = names
	}
	return m
}

// follow makes the change feed into the mirror.
func (m *member) follow(into *mirror.Mirror, log *slog.Logger) (err error) {
	m.feed, err = feed.New(feed.Config{
		Directory: m.cfg.Name, Mode: feed.Mode(m.cfg.Sync.Mode), Interval: m.cfg.Sync.Interval,
		Servers: m.cfg.URLs, BindDN: m.cfg.BindDN, MaxWait: 10 * time.Second,
	}, m.client, m.mapper, feed.OnMirror(into), log, time.Now)
	if err != nil {
		return fmt.Errorf("directory %s: %w", m.cfg.Name, err)
	}
	return nil
}

// joined is the directory as the population knows it.
func (m *member) joined() population.Member {
	member := population.Member{
		Name: m.cfg.Name, Suffix: m.cfg.Suffix, Protected: m.cfg.Write.ProtectedGroups, NobodyDN: client.DummyDN(m.mapper.UserBaseDN()),
		StatusRules: m.preset.StatusRules, Policy: m.cfg.PasswordPolicy, Nested: m.cfg.Groups.Nested,
		LDAP: m.client, Mapper: m.mapper, Feed: live{m.feed}, Passwords: m.client,
		Titles: m.client, TitleBase: m.mapper.GroupBaseDN(),
	}
	if m.writer != nil {
		member.Writer = m.writer
	}
	return member
}

// live tells the population whether changes arrive as they happen.
type live struct{ feed.Feed }

// Live is true while the feed follows a stream of changes.
func (l live) Live() bool {
	s := l.Status()
	return s.Mode == feed.ModeSyncrepl && s.Phase == feed.PhaseFollowing
}

// warnOfWeaknesses asks the server, once it answers, for settings that are
// dangerous behind careless programs, and says so in the log.
func (m *member) warnOfWeaknesses(ctx context.Context, log *slog.Logger) {
	for wait := time.Second; ; wait = min(2*wait, 5*time.Minute) {
		found, err := m.client.Weaknesses(ctx, m.cfg.BaseDN)
		if err == nil {
			for _, weakness := range found {
				log.Warn("the directory has a setting that is dangerous behind other programs; Portico does not depend on it",
					"directory", m.cfg.Name, "setting", weakness)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// readiness: a directory is ready once all of it is in the mirror. The text is
// public, so it names no host and no cause; the log does.
func (m *member) readiness() httpapi.Check {
	s := m.feed.Status()
	c := httpapi.Check{Name: "directory " + m.cfg.Name, Ready: s.Complete, Detail: string(s.Phase)}
	switch {
	case s.Phase == feed.PhaseRefreshing:
		c.Detail = fmt.Sprintf("reading people and groups, %d so far", s.Entries)
	case s.Err != "":
		c.Detail = "changes are not being followed; the log says why"
	}
	return c
}
