package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"portico/directory"
	"portico/directory/mapping"
	"portico/testenv"
)

// direct is the LDAP side of the tests: plain go-ldap, one connection a request.
type direct struct {
	mu           sync.Mutex
	url          string
	dn, password string
	dedicated    int
}

func (d *direct) dial() (*ldap.Conn, error) {
	d.mu.Lock()
	url := d.url
	d.mu.Unlock()
	conn, err := ldap.DialURL(url)
	if err != nil {
		return nil, fmt.Errorf("dial: %w: %w", directory.ErrUnavailable, err)
	}
	conn.SetTimeout(5 * time.Second)
	if err := conn.Bind(d.dn, d.password); err != nil {
		return nil, errors.Join(fmt.Errorf("bind: %w", err), conn.Close())
	}
	return conn, nil
}

func (d *direct) Dedicated(context.Context) (*ldap.Conn, string, error) {
	conn, err := d.dial()
	if err != nil {
		return nil, "", err
	}
	conn.SetTimeout(0)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dedicated++
	return conn, d.url, nil
}

func (d *direct) Search(_ context.Context, req *ldap.SearchRequest) (*ldap.SearchResult, error) {
	conn, err := d.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.Search(req)
}

func (d *direct) SearchPaged(ctx context.Context, req *ldap.SearchRequest, page uint32, each func(*ldap.Entry) error) error {
	conn, err := d.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	res, err := conn.SearchWithPaging(req, page)
	if err != nil {
		return err
	}
	for _, e := range res.Entries {
		if err := errors.Join(ctx.Err(), each(e)); err != nil {
			return err
		}
	}
	return nil
}

// world is a real server, a feed, and the store it writes to.
type world struct {
	t      testing.TB
	server *testenv.LDAPServer // nil in an adWorld
	admin  *ldap.Conn
	look   func() (*ldap.Conn, error) // sees everything
	dir    *direct
	m      *mapping.Mapper
	store  *memStore
	cfg    Config

	source Directory              // nil: dir
	sink   Store                  // nil: store
	dump   func() map[string]flat // what the sink holds

	feed Feed
	stop func()
}

func testMapping(base string) mapping.Config {
	return mapping.Config{
		Directory: "corp", BaseDN: base, UserFilter: "(&(objectClass=inetOrgPerson)(!(employeeType=hidden)))",
		GroupFilter: "(objectClass=groupOfNames)",
		UserAttributes: map[string][]string{
			"username": {"uid"}, "name": {"displayName", "cn"}, "given_name": {"givenName"}, "family_name": {"sn"},
			"mail": {"mail"}, "manager": {"manager"},
		},
		GroupAttributes:  map[string][]string{"name": {"cn"}, "description": {"description"}, "owner": {"owner"}},
		MemberAttributes: []string{"member"}, StableID: []string{"entryUUID"},
		Created: "createTimestamp", Modified: "modifyTimestamp", Version: "entryCSN", StatusRules: mapping.RulesPPolicy,
	}
}

// newWorld starts a server; the feed is started by start.
func newWorld(t testing.TB, cfg Config, options ...testenv.LDAPOption) *world {
	t.Helper()
	w := &world{t: t, server: testenv.OpenLDAP(t, options...), store: newMemStore()}
	w.dump = w.store.dump
	w.admin, w.look = w.server.Admin(t), w.server.DialAdmin
	w.dir = &direct{url: w.server.URL(), dn: w.server.ServiceDN, password: w.server.ServicePassword}
	w.configure(cfg, testMapping(w.server.BaseDN))
	return w
}

// configure sets what most cases leave open.
func (w *world) configure(cfg Config, mapped mapping.Config) {
	w.t.Helper()
	w.cfg = cfg
	w.cfg.Directory, w.cfg.BindDN = "corp", w.dir.dn
	if w.cfg.MinWait == 0 {
		w.cfg.MinWait, w.cfg.MaxWait = 20*time.Millisecond, 200*time.Millisecond
	}
	if w.cfg.Pause == 0 {
		w.cfg.Pause = -1
	}
	if w.cfg.Mode == ModePoll && w.cfg.Interval == 0 {
		w.cfg.Interval, w.cfg.Sweep, w.cfg.Margin = 50*time.Millisecond, 100*time.Millisecond, 2*time.Second
	}
	m, err := mapping.New(mapped)
	w.must(err)
	w.m = m
}

// start begins to follow, as a new process would.
func (w *world) start() {
	w.t.Helper()
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: level}))
	source, sink := w.source, w.sink
	if source == nil {
		source = w.dir
	}
	if sink == nil {
		sink = w.store
	}
	feed, err := New(w.cfg, source, w.m, sink, log, time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx) }()
	w.feed = feed
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
	w.t.Cleanup(w.stop)
}

// following waits until the feed follows.
func (w *world) following() {
	w.t.Helper()
	w.eventually("the feed follows", func() bool { return w.feed.Status().Phase == PhaseFollowing })
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s; status %+v", what, w.feed.Status())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// truth is what the directory itself says now, in the store's terms.
func (w *world) truth() map[string]flat {
	w.t.Helper()
	conn, err := w.look()
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	res, err := conn.SearchWithPaging(w.m.All(0), 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	fresh := newMemStore()
	for _, e := range res.Entries {
		entry, err := w.m.Entry(e)
		if err != nil {
			w.t.Fatal(err)
		}
		if entry != nil {
			fresh.upsert(entry)
		}
	}
	return fresh.dump()
}

// equal waits until the store says what the directory says.
func (w *world) equal() {
	w.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		truth, store := w.truth(), w.dump()
		if reflect.DeepEqual(truth, store) {
			return
		}
		if time.Now().After(deadline) {
			diff := cmp.Diff(truth, store)
			if len(diff) > 6000 {
				diff = diff[:6000]
			}
			w.t.Fatalf("directory (-) and store (+) differ; status %+v\n%s", w.feed.Status(), diff)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) person(uid string) string {
	return "uid=" + ldap.EscapeDN(uid) + ",ou=people," + w.server.BaseDN
}

func (w *world) group(cn string) string {
	return "cn=" + ldap.EscapeDN(cn) + ",ou=groups," + w.server.BaseDN
}

func (w *world) addPerson(uid string, attrs ...string) string {
	w.t.Helper()
	dn := w.person(uid)
	w.must(w.addPersonAt(dn, uid, attrs...))
	return dn
}

func (w *world) addPersonAt(dn, uid string, attrs ...string) error {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"inetOrgPerson"})
	req.Attribute("uid", []string{uid})
	req.Attribute("cn", []string{"Person " + uid})
	req.Attribute("sn", []string{"Family"})
	req.Attribute("userPassword", []string{"secret"})
	for i := 0; i+1 < len(attrs); i += 2 {
		req.Attribute(attrs[i], []string{attrs[i+1]})
	}
	return w.admin.Add(req)
}

// addGroup makes a group that holds itself as placeholder besides the members.
func (w *world) addGroup(cn string, members ...string) string {
	w.t.Helper()
	dn := w.group(cn)
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"groupOfNames"})
	req.Attribute("cn", []string{cn})
	req.Attribute("member", append([]string{dn}, members...))
	w.must(w.admin.Add(req))
	return dn
}

func (w *world) addOU(dn string) {
	w.t.Helper()
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"organizationalUnit"})
	w.must(w.admin.Add(req))
}

func (w *world) modify(dn, attribute string, values ...string) {
	w.t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attribute, values)
	w.must(w.admin.Modify(req))
}

// people adds several people by slapadd, which is fast.
func manyPeople(base string, n int) string {
	var b []byte
	for i := range n {
		b = fmt.Appendf(b, "dn: uid=bulk%05d,ou=people,%s\nobjectClass: inetOrgPerson\nuid: bulk%05d\ncn: Bulk %d\nsn: Bulk\nmail: bulk%d@example.com\n\n",
			i, base, i, i, i)
	}
	return string(b)
}
