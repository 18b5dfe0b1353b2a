package feed

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
	"portico/testenv"
)

// offline is a session without a connection, to which messages are fed by hand.
func offline(t *testing.T, v vendor, resumed bool) (*syncrepl, *memStore) {
	t.Helper()
	m, err := mapping.New(testMapping("dc=example,dc=com"))
	if err != nil {
		t.Fatal(err)
	}
	store := newMemStore()
	feed, err := New(Config{Directory: "corp"}, nil, m, store, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	f, ok := feed.(*follower)
	if !ok {
		t.Fatal("not a follower")
	}
	s := newSyncrepl(f, server{vendor: v, first: -1, last: -1})
	ctx, cancel := context.WithCancelCause(t.Context())
	s.cancel, s.resumed = cancel, resumed
	s.writer = startWriter(ctx, cancel, writeQueue)
	t.Cleanup(s.writer.stop)
	return s, store
}

// 389 DS ends a resume with "everything that was not mentioned is gone" although
// it mentioned nothing (DR13). That must not empty the store.
func TestDR13_EndOfAPresentPhaseThatNeverWas(t *testing.T) {
	s, store := offline(t, vendor389, true)
	store.upsert(mustEntry(t, s.m))
	_, err := s.refreshEvent(t.Context(), event{info: &ldap.ControlSyncInfo{RefreshPresent: &ldap.ControlSyncInfoRefreshPresent{RefreshDone: true}}})
	var again *restart
	if !errors.As(err, &again) || !s.full.Load() {
		t.Errorf("%v, full read %v", err, s.full.Load())
	}
	if len(store.rows) != 1 {
		t.Error("the store was emptied")
	}
}

func mustEntry(t *testing.T, m *mapping.Mapper) *directory.Entry {
	t.Helper()
	e, err := m.Entry(ldap.NewEntry("uid=a,dc=example,dc=com", map[string][]string{
		"objectClass": {"inetOrgPerson"}, "uid": {"a"}, "entryUUID": {"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestServerThatIgnoresTheControl(t *testing.T) {
	s, _ := offline(t, vendorOther, false)
	if _, err := s.refreshEvent(t.Context(), event{entry: ldap.NewEntry("dc=example,dc=com", nil)}); !errors.Is(err, errNoSyncrepl) {
		t.Errorf("%v", err)
	}
}

// DR12: a trimmed change log answers with what is left and no error.
func TestDR12_CookiesThatMustNotBeSent(t *testing.T) {
	const good = "localhost:389#cn=portico:dc=example,dc=com:(a=b)#50"
	const csn = "rid=000,csn=20260101120000.000000Z#000000#001#000000"
	for name, c := range map[string]struct {
		vendor      vendor
		first, last int64
		at          position
		refused     bool
	}{
		"389, all there":        {vendor389, 40, 60, position{Vendor: vendor389, Server: "a", Cookie: good}, false},
		"389, first missing":    {vendor389, 51, 60, position{Vendor: vendor389, Server: "a", Cookie: good}, false},
		"389, trimmed":          {vendor389, 52, 60, position{Vendor: vendor389, Server: "a", Cookie: good}, true},
		"389, future":           {vendor389, 1, 49, position{Vendor: vendor389, Server: "a", Cookie: good}, true},
		"389, another host":     {vendor389, 40, 60, position{Vendor: vendor389, Server: "b", Cookie: good}, true},
		"389, damaged":          {vendor389, 40, 60, position{Vendor: vendor389, Server: "a", Cookie: "x#y"}, true},
		"openldap":              {vendorOpenLDAP, -1, -1, position{Vendor: vendorOpenLDAP, Server: "a", Cookie: csn}, false},
		"openldap, replica":     {vendorOpenLDAP, -1, -1, position{Vendor: vendorOpenLDAP, Server: "b", Cookie: csn}, false},
		"openldap, several":     {vendorOpenLDAP, -1, -1, position{Vendor: vendorOpenLDAP, Cookie: strings.Replace(csn, "csn=", "sid=002,csn=20260101120000.000000Z#000000#002#000000;", 1)}, false},
		"openldap, short time":  {vendorOpenLDAP, -1, -1, position{Vendor: vendorOpenLDAP, Cookie: "rid=000,csn=20260101Z#000000#001#000000"}, true},
		"openldap, no csn":      {vendorOpenLDAP, -1, -1, position{Vendor: vendorOpenLDAP, Cookie: "rid=000"}, true},
		"openldap, from 389":    {vendorOpenLDAP, -1, -1, position{Vendor: vendor389, Cookie: good}, true},
		"other, another server": {vendorOther, -1, -1, position{Server: "b", Cookie: "x"}, true},
		"other, same server":    {vendorOther, -1, -1, position{Server: "a", Cookie: "x"}, false},
	} {
		s, _ := offline(t, c.vendor, false)
		s.url, s.server.first, s.server.last = "a", c.first, c.last
		if why := s.refuse(c.at); (why != "") != c.refused {
			t.Errorf("%s: %q", name, why)
		}
	}
}

func TestPositionsRoundTrip(t *testing.T) {
	p := position{Mode: ModeSyncrepl, Fingerprint: "f", Server: "ldap://a", Vendor: vendor389, Cookie: "a#b\"#1", Checked: 17}
	if got := readPosition(p.text()); got != p {
		t.Errorf("%+v", got)
	}
	for _, text := range []string{"", "{", "null", "[]", "rid=000", "\x00"} {
		if got := readPosition(text); got != (position{}) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestModesOfAConfiguration(t *testing.T) {
	if _, err := New(Config{Mode: "push"}, nil, nil, nil, slog.New(slog.DiscardHandler), time.Now); err == nil {
		t.Error("mode push was taken")
	}
}

// The server is killed and started again while somebody writes without a pause.
func TestServerKilledUnderLoad(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl, Verify: 300 * time.Millisecond, Lag: 100 * time.Millisecond, Reconcile: time.Second},
		testenv.WithSessionLog(100))
	w.start()
	w.following()
	stop, done := make(chan struct{}), make(chan int, 1)
	go func() { done <- w.writeUntil(stop) }()
	for range 4 {
		time.Sleep(150 * time.Millisecond)
		w.server.Kill()
		time.Sleep(20 * time.Millisecond)
		w.must(w.server.Start(context.Background()))
	}
	close(stop)
	t.Logf("%d changes", <-done)
	w.equal()
}

// writeUntil adds, changes, and deletes people, with a new connection after each
// failure.
func (w *world) writeUntil(stop <-chan struct{}) (changes int) {
	var conn *ldap.Conn
	for i := 0; ; i++ {
		select {
		case <-stop:
			if conn != nil {
				_ = conn.Close()
			}
			return changes
		default:
		}
		if conn == nil || conn.IsClosing() {
			var err error
			if conn, err = w.server.DialAdmin(); err != nil {
				conn = nil
				time.Sleep(5 * time.Millisecond)
				continue
			}
			conn.SetTimeout(time.Second)
		}
		dn := w.person("load" + fiveDigits(i))
		add := ldap.NewAddRequest(dn, nil)
		add.Attribute("objectClass", []string{"inetOrgPerson"})
		add.Attribute("cn", []string{"c"})
		add.Attribute("sn", []string{"s"})
		if conn.Add(add) == nil {
			changes++
		}
		if i%3 == 0 && conn.Del(ldap.NewDelRequest(w.person("load"+fiveDigits(i/2)), nil)) == nil {
			changes++
		}
	}
}
