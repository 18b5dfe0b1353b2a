package population

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/client"
	"portico/directory/mapping"
	"portico/directory/mirror"
	"portico/directory/writer"
	"portico/testenv"
)

// writeWorld is a population over one real OpenLDAP, with a mirror that no feed
// fills: what is in it was learnt from writes and look-ups.
type writeWorld struct {
	*Population
	t      *testing.T
	server *testenv.LDAPServer
	admin  *ldap.Conn
	client *client.Client
	mapper *mapping.Mapper
	mirror *mirror.Mirror
	writer *writer.Writer
}

// setUp says what differs from the usual world.
type setUp struct {
	url     string // instead of the server's own, such as a proxy's
	mapping func(*mapping.Config)
	write   func(*mapping.WriteConfig)
	writer  func(*writer.Config)
	client  func(*client.Config)
}

func openLDAPMapping(base string) mapping.Config {
	return mapping.Config{
		Directory: "corp", BaseDN: base,
		UserFilter:  "(objectClass=inetOrgPerson)",
		GroupFilter: "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
		UserAttributes: map[string][]string{
			"username": {"uid"}, "name": {"displayName", "cn"}, "given_name": {"givenName"}, "family_name": {"sn"}, "mail": {"mail"},
			"phone": {"telephoneNumber"}, "mobile": {"mobile"}, "manager": {"manager"}, "description": {"description"},
			"fax": {"facsimileTelephoneNumber"}, "number": {"uidNumber"}, "home": {"homeDirectory"}, "primary_group": {"gidNumber"}, "secret": {"pwdHistory2"},
		},
		GroupAttributes:  map[string][]string{"name": {"cn"}, "description": {"description"}, "owner": {"owner"}, "number": {"gidNumber"}},
		MemberAttributes: []string{"member", "uniqueMember"}, MemberNameAttributes: []string{"memberUid"},
		StableID: []string{"entryUUID"}, Created: "createTimestamp", Modified: "modifyTimestamp", Version: "entryCSN",
		StatusRules: mapping.RulesPPolicy,
	}
}

func newWriteWorld(t *testing.T, server *testenv.LDAPServer, s setUp) *writeWorld {
	t.Helper()
	w := &writeWorld{t: t, server: server, admin: server.Admin(t)}
	cfg := openLDAPMapping(server.BaseDN)
	if s.mapping != nil {
		s.mapping(&cfg)
	}
	var err error
	if w.mapper, err = mapping.New(cfg); err != nil {
		t.Fatal(err)
	}
	write := mapping.WriteConfig{
		UserClasses: []string{"inetOrgPerson"}, GroupClasses: []string{"groupOfNames"}, UserRDN: "uid", GroupRDN: "cn",
		UserContainer: "ou=people," + server.BaseDN, GroupContainer: "ou=groups," + server.BaseDN,
		Auxiliary:  map[string][]string{"posixAccount": {"uidNumber", "gidNumber", "homeDirectory", "loginShell"}},
		EmptyGroup: mapping.EmptyGroupDN,
	}
	if s.write != nil {
		s.write(&write)
	}
	encoder, err := mapping.NewEncoder(w.mapper, write)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	connect := client.Config{
		Name: "corp", URLs: []string{server.URL()}, BindDN: server.ServiceDN, BindPassword: server.ServicePassword, Timeout: 2 * time.Second,
	}
	if s.url != "" {
		connect.URLs = []string{s.url}
	}
	if s.client != nil {
		s.client(&connect)
	}
	if w.client, err = client.New(connect, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.client.Close() })
	settings := writer.Config{
		Directory: "corp", Lock: writer.Lock{Method: writer.LockPPolicy, PolicyDN: server.PolicyDN},
		Settle: 300 * time.Millisecond, Patience: 5 * time.Second,
	}
	if s.writer != nil {
		s.writer(&settings)
	}
	w.writer = writer.New(settings, encoder, w.client, log)
	w.mirror, err = mirror.Open(t.Context(), filepath.Join(t.TempDir(), "mirror.db"), log, mirror.Options{
		Directories: []mirror.Directory{{Name: "corp", Suffix: cfg.Suffix}}, DNKey: mapping.DNKey, ParentKey: mapping.ParentKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.mirror.Close() })
	refresh, err := w.mirror.BeginRefresh(t.Context(), "corp")
	if err == nil {
		_, err = refresh.Complete(t.Context(), "")
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Population, err = New(Config{}, []Member{{
		Name: "corp", NobodyDN: "cn=nobody", StatusRules: cfg.StatusRules, Policy: server.PolicyDN, Suffix: cfg.Suffix,
		LDAP: w.client, Mapper: w.mapper, Feed: following(true), Passwords: w.client, Writer: w.writer, Protected: []string{"admins"},
	}}, w.mirror, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *writeWorld) person(name string, more ...func(*directory.NewEntry)) *directory.Entry {
	w.t.Helper()
	n := directory.NewEntry{Kind: directory.KindPerson, Name: name}
	for _, m := range more {
		m(&n)
	}
	e, err := w.Create(w.t.Context(), "", n)
	if err != nil {
		w.t.Fatalf("create %s: %v", name, err)
	}
	return e
}

func (w *writeWorld) group(name string, members ...*directory.Entry) *directory.Entry {
	w.t.Helper()
	n := directory.NewEntry{Kind: directory.KindGroup, Name: name}
	for _, m := range members {
		n.Members = append(n.Members, m.ID)
	}
	e, err := w.Create(w.t.Context(), "", n)
	if err != nil {
		w.t.Fatalf("create group %s: %v", name, err)
	}
	return e
}

func (w *writeWorld) modify(id directory.ID, c directory.Change) *directory.Entry {
	w.t.Helper()
	e, err := w.Modify(w.t.Context(), id, c)
	if err != nil {
		w.t.Fatalf("modify: %v", err)
	}
	return e
}

// raw reads an entry as the server has it; nil where it is not there.
func (w *writeWorld) raw(dn string, attributes ...string) *ldap.Entry {
	w.t.Helper()
	res, err := w.admin.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)",
		append(attributes, "*", "+"), nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return res.Entries[0]
}

func (w *writeWorld) values(dn, attribute string) []string {
	w.t.Helper()
	e := w.raw(dn, attribute)
	if e == nil {
		w.t.Fatalf("%s is not there", dn)
	}
	return e.GetEqualFoldAttributeValues(attribute)
}

func fault(t *testing.T, err error, want directory.WriteFault, attribute string) {
	t.Helper()
	var e *directory.WriteError
	if e, _ = asWrite(err); e == nil || e.Fault != want || attribute != "*" && e.Attribute != attribute {
		t.Fatalf("error %v, want %v of %q", err, want, attribute)
	}
}
