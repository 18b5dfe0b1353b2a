package feed

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory/mapping"
	"portico/testenv"
)

// adWorld is a world on a Samba domain controller.
type adWorld struct {
	*world
	samba *testenv.SambaServer
}

func adMapping(base string) mapping.Config {
	return mapping.Config{
		Directory: "corp", BaseDN: base,
		UserFilter: "(&(objectCategory=person)(objectClass=user)(!(employeeType=hidden)))", GroupFilter: "(objectClass=group)",
		ContainerFilter: "(|(objectClass=organizationalUnit)(objectClass=container)(objectClass=domainDNS))",
		UserAttributes: map[string][]string{
			"username": {"sAMAccountName"}, "name": {"displayName", "cn"}, "mail": {"mail"}, "manager": {"manager"},
		},
		GroupAttributes:  map[string][]string{"name": {"sAMAccountName"}, "owner": {"managedBy"}},
		MemberAttributes: []string{"member"}, PrimaryGroup: mapping.PrimarySID, StableID: []string{"objectGUID"}, StableIDFormat: mapping.FormatGUID,
		Created: "whenCreated", Modified: "whenChanged", Version: "uSNChanged", StatusRules: mapping.RulesActiveDirectory,
		Signals: []string{"userAccountControl", "lockoutTime", "pwdLastSet", "accountExpires"}, // not the computed ones: they change by themselves
	}
}

// newADWorld starts a domain controller; the feed is started by start.
func newADWorld(t testing.TB, cfg Config, base string, options ...testenv.SambaOption) *adWorld {
	t.Helper()
	samba := testenv.Samba(t, append(options, testenv.WithPlainBinds())...)
	w := &adWorld{samba: samba, world: &world{t: t, store: newMemStore()}}
	w.world.dump = w.store.dump
	w.admin, w.look = samba.Admin(t), samba.DialAdmin
	w.dir = &direct{url: samba.URL(), dn: samba.ServiceDN, password: samba.ServicePassword}
	if cfg.Interval == 0 {
		cfg.Interval = 20 * time.Millisecond
	}
	if cfg.Sweep == 0 {
		cfg.Sweep = time.Hour
	}
	w.configure(cfg, adMapping(base+samba.BaseDN))
	return w
}

func (w *adWorld) user(name string) string {
	return "CN=" + ldap.EscapeDN(name) + ",OU=People," + w.samba.BaseDN
}

func (w *adWorld) team(name string) string {
	return "CN=" + ldap.EscapeDN(name) + ",OU=Groups," + w.samba.BaseDN
}

// addUser makes a user without a password, which is quick.
func (w *adWorld) addUser(name string, attrs ...string) string {
	w.t.Helper()
	dn := w.user(name)
	w.must(w.addUserAt(dn, name, attrs...))
	return dn
}

func (w *adWorld) addUserAt(dn, name string, attrs ...string) error {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"user"})
	req.Attribute("sAMAccountName", []string{name})
	for i := 0; i+1 < len(attrs); i += 2 {
		req.Attribute(attrs[i], []string{attrs[i+1]})
	}
	return w.admin.Add(req)
}

func (w *adWorld) addTeam(name string, members ...string) string {
	w.t.Helper()
	dn := w.team(name)
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"group"})
	req.Attribute("sAMAccountName", []string{name})
	if len(members) > 0 {
		req.Attribute("member", members)
	}
	w.must(w.admin.Add(req))
	return dn
}

func (w *adWorld) rename(dn, rdn, parent string) {
	w.t.Helper()
	w.must(w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, parent)))
}

func (w *adWorld) del(dn string) {
	w.t.Helper()
	w.must(w.admin.Del(ldap.NewDelRequest(dn, nil)))
}

func (w *adWorld) member(group string, add bool, who ...string) {
	w.t.Helper()
	req := ldap.NewModifyRequest(group, nil)
	if add {
		req.Add("member", who)
	} else {
		req.Delete("member", who)
	}
	w.must(w.admin.Modify(req))
}

// reads is how many entries were read from the directory and written.
func (w *adWorld) reads() int {
	_, upserts, _ := w.store.counters()
	return upserts
}

func numbered(what string, i int) string { return fmt.Sprintf("%s%d", what, i) }
