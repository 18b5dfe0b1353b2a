package conformance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/configs"
	"portico/directory"
	"portico/directory/client"
	"portico/directory/feed"
	"portico/directory/mapping"
	"portico/directory/mirror"
	"portico/directory/population"
)

// patience is how long a change may take to be seen.
const patience = 30 * time.Second

// world is one case: a part of the tree of a running server, and Portico's
// directory side upon it, from the configuration to the population.
type world struct {
	t      testing.TB
	f      *fixture
	admin  *ldap.Conn
	cfg    configs.Directory
	people string
	groups string

	mapper *mapping.Mapper
	client *client.Client
	mirror *mirror.Mirror
	pop    *population.Population
	feed   feed.Feed
	feeds  feed.Config

	stop func() // ends the feed
}

// newWorld makes a base of its own for the case. Nothing runs before start.
func newWorld(t testing.TB, f *fixture, change ...func(*configs.Directory)) *world {
	t.Helper()
	w := &world{t: t, f: f, cfg: f.config}
	admin, err := f.admin()
	w.must(err)
	w.admin = admin
	t.Cleanup(func() { _ = w.admin.Close() })
	w.cfg.Name = "corp"
	w.cfg.BaseDN = "ou=" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())) + "," + f.layout.root
	w.people, w.groups = f.layout.prepare(t, admin, w.cfg.BaseDN, &w.cfg)
	for _, c := range change {
		c(&w.cfg)
	}
	w.feeds = feed.Config{
		Directory: w.cfg.Name, Mode: feed.ModeAuto, BindDN: w.cfg.BindDN,
		Interval: 50 * time.Millisecond, Sweep: 100 * time.Millisecond, Margin: 2 * time.Second,
		MinWait: 20 * time.Millisecond, MaxWait: 200 * time.Millisecond, Pause: -1,
		Heartbeat: 500 * time.Millisecond, Patience: 5 * time.Second,
	}
	w.join()
	return w
}

// join makes client, mapper, mirror and population of the configuration.
func (w *world) join() {
	w.t.Helper()
	log := w.log()
	preset, err := w.cfg.Resolve()
	w.must(err)
	w.mapper, err = mapping.New(mappingConfig(&w.cfg, preset))
	w.must(err)
	w.client, err = client.New(client.Config{
		Name: w.cfg.Name, URLs: w.cfg.URLs, StartTLS: w.cfg.StartTLS,
		TLS:    client.TLSConfig{CAFile: w.cfg.TLS.CAFile, ServerName: w.cfg.TLS.ServerName},
		BindDN: w.cfg.BindDN, BindPassword: w.cfg.BindPassword.Reveal(), Cooldown: 20 * time.Millisecond,
	}, log)
	w.must(err)
	w.mirror, err = mirror.Open(w.t.Context(), filepath.Join(w.t.TempDir(), "mirror.db"), log, mirror.Options{
		Directories: []mirror.Directory{{Name: w.cfg.Name}}, DNKey: mapping.DNKey, ParentKey: mapping.ParentKey,
	})
	w.must(err)
	w.pop, err = population.New(population.Config{NegativeTTL: time.Millisecond, PolicyTTL: time.Millisecond}, []population.Member{{
		Name: w.cfg.Name, NobodyDN: client.DummyDN(w.mapper.UserBaseDN()), StatusRules: preset.StatusRules,
		Policy: w.cfg.PasswordPolicy, Nested: w.cfg.Groups.Nested, LDAP: w.client, Mapper: w.mapper, Feed: live{w}, Passwords: w.client,
		Writer: w.newWriter(preset),
	}}, w.mirror, log, time.Now)
	w.must(err)
	opened, kept := w.client, w.mirror
	w.t.Cleanup(func() {
		if w.stop != nil {
			w.stop()
		}
		w.must(errors.Join(opened.Close(), kept.Close()))
	})
}

// live is true while the feed follows a stream.
type live struct{ w *world }

func (l live) Live() bool {
	return l.w.feed != nil && l.w.feed.Status().Mode == feed.ModeSyncrepl && l.w.feed.Status().Phase == feed.PhaseFollowing
}

func mappingConfig(d *configs.Directory, p configs.Preset) mapping.Config {
	plain := func(attributes map[string]configs.Names) map[string][]string {
		m := make(map[string][]string, len(attributes))
		for name, names := range attributes {
			m[name] = names
		}
		return m
	}
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
	}
}

func (w *world) log() *slog.Logger {
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: level}))
}

// start begins to follow, as a new process would.
func (w *world) start() {
	w.t.Helper()
	var err error
	w.feeds.Servers = w.cfg.URLs
	f, err := feed.New(w.feeds, w.client, w.mapper, feed.OnMirror(w.mirror), w.log(), time.Now)
	w.must(err)
	w.feed = f
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Errorf("Run: %v", err)
			}
		case <-time.After(10 * time.Second):
			w.t.Error("the feed does not end")
		}
	})
}

// following starts and waits until the mirror says what the directory says.
func (w *world) following() {
	w.t.Helper()
	w.start()
	w.eventually("the feed follows", func() bool { return w.feed.Status().Phase == feed.PhaseFollowing })
	w.equal()
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(3 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s; status %+v", what, w.feed.Status())
		}
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// reconnect is for the administrator after the server went away.
func (w *world) reconnect() {
	w.t.Helper()
	admin, err := w.f.admin()
	w.must(err)
	_ = w.admin.Close()
	w.admin = admin
}

// below gives the DN of a person, a group or a container.
func below(rdn, name, parent string) string { return rdn + "=" + escapedName(name) + "," + parent }

// escapedName is a name as a value in a DN. Active Directory wants "=" escaped too.
func escapedName(name string) string { return strings.ReplaceAll(ldap.EscapeDN(name), "=", `\=`) }

func (w *world) person(login string) string { return below(w.f.layout.personRDN, login, w.people) }
func (w *world) group(name string) string   { return below(w.f.layout.groupRDN, name, w.groups) }

// password is everybody's.
func password(login string) string { return "Pw-1." + login }

// addPerson adds somebody where people are; attributes are LDAP's.
func (w *world) addPerson(login string, attributes ...string) string {
	w.t.Helper()
	dn := w.person(login)
	w.addPersonAt(dn, login, attributes...)
	return dn
}

func (w *world) addPersonAt(dn, login string, attributes ...string) {
	w.t.Helper()
	req := w.f.layout.person(dn, login, password(login))
	for i := 0; i+1 < len(attributes); i += 2 {
		req.Attribute(attributes[i], []string{attributes[i+1]})
	}
	if err := w.admin.Add(req); err != nil {
		w.t.Fatalf("add %s: %v", dn, err)
	}
}

// newGroup is a group with members: DNs, or login names where the layout has those.
func (w *world) newGroup(name string, members ...string) *ldap.AddRequest {
	dn := w.group(name)
	req := w.f.layout.group(dn, name)
	if w.f.layout.placeholder {
		members = append([]string{dn}, members...)
	}
	if len(members) > 0 {
		req.Attribute(w.f.layout.member, w.asMembers(members))
	}
	return req
}

func (w *world) addGroup(name string, members ...string) string {
	w.t.Helper()
	req := w.newGroup(name, members...)
	if err := w.admin.Add(req); err != nil {
		w.t.Fatalf("add %s: %v", req.DN, err)
	}
	return req.DN
}

// asMembers turns DNs of people into what the layout keeps.
func (w *world) asMembers(dns []string) []string {
	if !w.f.layout.names {
		return dns
	}
	var names []string
	for _, dn := range dns {
		parsed, err := ldap.ParseDN(dn)
		w.must(err)
		names = append(names, parsed.RDNs[0].Attributes[0].Value)
	}
	return names
}

func (w *world) addContainer(name, parent string) string {
	w.t.Helper()
	dn := below(w.f.layout.containerRDN, name, parent)
	if err := w.admin.Add(w.f.layout.container(dn, name)); err != nil {
		w.t.Fatalf("add %s: %v", dn, err)
	}
	return dn
}

func (w *world) modify(dn, attribute string, values ...string) {
	w.t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attribute, values)
	if err := w.admin.Modify(req); err != nil {
		w.t.Fatalf("modify %s of %s: %v", attribute, dn, err)
	}
}

// members adds (true) or removes a member.
func (w *world) members(group string, add bool, dns ...string) {
	w.t.Helper()
	req := ldap.NewModifyRequest(group, nil)
	if add {
		req.Add(w.f.layout.member, w.asMembers(dns))
	} else {
		req.Delete(w.f.layout.member, w.asMembers(dns))
	}
	if err := w.admin.Modify(req); err != nil {
		w.t.Fatalf("members of %s: %v", group, err)
	}
}

func (w *world) remove(dn string) {
	w.t.Helper()
	if err := w.admin.Del(ldap.NewDelRequest(dn, nil)); err != nil {
		w.t.Fatalf("delete %s: %v", dn, err)
	}
}

// rename gives the new DN; parent "" leaves the entry where it is.
func (w *world) rename(dn, rdn, parent string) string {
	w.t.Helper()
	if err := w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, parent)); err != nil {
		w.t.Fatalf("rename %s: %v", dn, err)
	}
	if parent == "" {
		parsed, err := ldap.ParseDN(dn)
		w.must(err)
		parent = (&ldap.DN{RDNs: parsed.RDNs[1:]}).String()
	}
	return rdn + "," + parent
}

// login looks somebody up, nil if there is nobody.
func (w *world) login(name string) *directory.Entry {
	w.t.Helper()
	found, err := w.mirror.ByLogin(w.t.Context(), name)
	w.must(err)
	if len(found) == 1 {
		return found[0]
	}
	return nil
}

// somebody must be there.
func (w *world) somebody(name string) *directory.Entry {
	w.t.Helper()
	e := w.login(name)
	if e == nil {
		w.t.Fatalf("nobody has the login name %q", name)
	}
	return e
}

func numbered(prefix string, i int) string { return fmt.Sprintf("%s%05d", prefix, i) }
