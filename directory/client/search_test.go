package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

func everybody() *ldap.SearchRequest {
	return ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=inetOrgPerson)", []string{"uid"}, nil)
}

func TestSearchPagedGivesEverybodyOnce(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	whole, err := c.Search(t.Context(), everybody())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []uint32{0, 1, 7, 1000} {
		req, seen := everybody(), map[string]int{}
		if err := c.SearchPaged(t.Context(), req, size, func(e *ldap.Entry) error { seen[e.DN]++; return nil }); err != nil {
			t.Fatal(err)
		}
		if len(seen) != len(whole.Entries) || len(req.Controls) != 0 {
			t.Errorf("page size %d: %d of %d entries, %d controls left in the request", size, len(seen), len(whole.Entries), len(req.Controls))
		}
	}
	stop := errors.New("enough")
	if err := c.SearchPaged(t.Context(), everybody(), 5, func(*ldap.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of the callback: %v", err)
	}
	eventually(t, patience, func() bool { st := c.Stats(); return st.Open == st.Service.Idle })
}

func TestAbuse_I07_LimitsAreErrors(t *testing.T) {
	s := startSlapd(t)
	cfg := s.cfg()
	cfg.BindDN = limitedDN
	c := open(t, cfg)
	res, err := c.Search(t.Context(), everybody())
	mustSay(t, err, directory.ErrIncomplete, "size=unlimited", limitedDN)
	if res != nil {
		t.Error("entries came with the error")
	}
	mustSay(t, c.SearchPaged(t.Context(), everybody(), 2, func(*ldap.Entry) error { return nil }), directory.ErrIncomplete)

	own := everybody()
	own.SizeLimit = 3
	_, err = open(t, s.cfg()).Search(t.Context(), own)
	mustSay(t, err, directory.ErrIncomplete)
	own.EnforceSizeLimit = true
	_, err = open(t, s.cfg()).Search(t.Context(), own)
	mustSay(t, err, directory.ErrIncomplete)

	for _, code := range []int64{3, 4, 11} {
		f := listen(t, answer(func(_ *fake, id int64, op *ber.Packet) []byte {
			if op.Tag != ldap.ApplicationSearchRequest || isPing(op) {
				return nil
			}
			return append(entry(id, person("alice")).Bytes(), result(id, ldap.ApplicationSearchResultDone, code, "").Bytes()...)
		}))
		c := open(t, shortTimes(f.url))
		_, err := c.Search(t.Context(), everybody())
		mustSay(t, err, directory.ErrIncomplete)
		mustSay(t, c.SearchPaged(t.Context(), everybody(), 2, func(*ldap.Entry) error { return nil }), directory.ErrIncomplete)
	}
}

func TestAbuse_I04_DR15_CutInTheMiddle(t *testing.T) {
	s := startSlapd(t)
	r := startRelay(t, s.addr)
	c := open(t, shortTimes(r.url))
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.cutDown.Store(1500)
	seen := 0
	err := c.SearchPaged(t.Context(), everybody(), 1000, func(*ldap.Entry) error { seen++; return nil })
	mustSay(t, err, directory.ErrUnavailable)
	if seen == 0 {
		t.Error("the line was cut before the first entry: the test shows nothing")
	}
	if res, err := c.Search(t.Context(), everybody()); err == nil || res != nil {
		t.Errorf("a cut search gave %d entries and %v", len(res.Entries), err)
	}
}

func TestAbuse_I04_WriteWithUnknownOutcome(t *testing.T) {
	modifies := 0
	f := listen(t, func(f *fake, nc net.Conn) {
		answer(func(_ *fake, _ int64, op *ber.Packet) []byte {
			if op.Tag == ldap.ApplicationModifyRequest {
				modifies++
				_ = nc.Close()
			}
			return nil
		})(f, nc)
	})
	c := open(t, shortTimes(f.url))
	write := func(l *ldap.Conn) error {
		m := ldap.NewModifyRequest(person("alice"), nil)
		m.Replace("mail", []string{"a@example.org"})
		return l.Modify(m)
	}
	err := c.Do(t.Context(), write)
	mustSay(t, err, ErrOutcomeUnknown)
	mustSay(t, err, directory.ErrUnavailable)
	f.stop()
	if modifies != 1 {
		t.Errorf("the write was sent %d times", modifies)
	}
	err = c.Do(t.Context(), write)
	mustSay(t, err, directory.ErrUnavailable)
	if errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("nothing was sent, but: %v", err)
	}
}

func TestDoPassesErrorsOn(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	mine := errors.New("mine")
	if err := c.Do(t.Context(), func(*ldap.Conn) error { return mine }); !errors.Is(err, mine) || errors.Is(err, directory.ErrUnavailable) {
		t.Error(err)
	}
	err := c.Do(t.Context(), func(l *ldap.Conn) error { return l.Del(ldap.NewDelRequest(person("nobody"), nil)) })
	if !ldap.IsErrorWithCode(err, 32) || errors.Is(err, directory.ErrUnavailable) {
		t.Error(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = c.Do(t.Context(), func(*ldap.Conn) error { panic("f") })
	}()
	if st := c.Stats().Service; st.Busy != 0 || st.Idle != 0 {
		t.Errorf("after a panic: %+v", st)
	}
}

func TestAbuse_H08_DR25_ReferralsAreNotFollowed(t *testing.T) {
	s := startSlapd(t)
	evil := listen(t, answer(nil))
	change := ldap.NewModifyRequest("cn=elsewhere,ou=people,"+base, []ldap.Control{ldap.NewControlManageDsaIT(true)})
	change.Replace("ref", []string{evil.url + "/ou=elsewhere," + base})
	if err := s.admin().Modify(change); err != nil {
		t.Fatal(err)
	}
	c := open(t, s.cfg())
	res, err := c.Search(t.Context(), byName("alice"))
	if err != nil || len(res.Entries) != 1 || len(res.Referrals) != 1 {
		t.Fatal(res, err)
	}
	if err := c.SearchPaged(t.Context(), byName("alice"), 10, func(*ldap.Entry) error { return nil }); err != nil {
		t.Error(err)
	}
	below := byName("alice")
	below.BaseDN = "ou=x,cn=elsewhere,ou=people," + base
	_, err = c.Search(t.Context(), below)
	mustSay(t, err, nil, evil.addr, "urls")
	err = c.Do(t.Context(), func(l *ldap.Conn) error { return l.Del(ldap.NewDelRequest(below.BaseDN, nil)) })
	var ref *ReferralError
	if !errors.As(err, &ref) || !ldap.IsErrorWithCode(err, 10) || errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("a write below a referral: %v", err)
	}
	if r := c.Bind(t.Context(), below.BaseDN, "x"); r.SignedIn() || r.PasswordRight {
		t.Errorf("a bind below a referral: %+v", r)
	}
	if n := c.Stats().Referrals; n != 4 {
		t.Errorf("%d referrals were counted", n)
	}
	if evil.accepted.Load() != 0 {
		t.Error("the referral was followed")
	}
}

func TestDR26_StalledStreamAndCancelledSearch(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	release := make(chan struct{})
	var wg sync.WaitGroup
	var once sync.Once
	stalled := make(chan struct{})
	wg.Go(func() {
		err := c.SearchPaged(context.Background(), everybody(), 5, func(*ldap.Entry) error {
			once.Do(func() { close(stalled); <-release })
			return nil
		})
		if err != nil {
			t.Errorf("the stalled stream: %v", err)
		}
	})
	<-stalled
	for range 50 {
		if _, err := c.Search(t.Context(), byName("alice")); err != nil {
			t.Fatal(err)
		}
		c.Bind(t.Context(), person("alice"), "pw-alice")
	}
	close(release)
	wg.Wait()

	ctx, cancel := context.WithCancel(t.Context())
	err := c.SearchPaged(ctx, everybody(), 5, func(*ldap.Entry) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("a cancelled stream: %v", err)
	}
	if _, err := c.Search(ctx, byName("alice")); !errors.Is(err, context.Canceled) {
		t.Errorf("a search with a dead context: %v", err)
	}
	eventually(t, patience, func() bool { st := c.Stats(); return st.Open == st.Service.Idle+st.Binds.Idle })
}

func TestRootDSE(t *testing.T) {
	s := startSlapd(t)
	d, err := open(t, s.cfg()).RootDSE(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, oid := range []string{ldap.ControlTypePaging, ldap.ControlTypeSyncRequest, "1.3.6.1.4.1.4203.1.11.1", "1.3.6.1.4.1.4203.1.5.1"} {
		if !d.Has(oid) {
			t.Errorf("%s is missing", oid)
		}
	}
	if d.Vendor != "OpenLDAP" || !slices.Contains(d.NamingContexts, base) || d.SchemaDN == "" || d.Has("1.2.3") {
		t.Errorf("%+v", d)
	}
}

func TestDedicatedHasNoTimeout(t *testing.T) {
	s := startSlapd(t)
	cfg := s.cfg()
	cfg.Timeout = 200 * time.Millisecond
	c := open(t, cfg)
	conn, server, err := c.Dedicated(t.Context())
	if err != nil || server != s.url {
		t.Fatal(server, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	feed := conn.Syncrepl(ctx, everybody(), 16, ldap.SyncRequestModeRefreshAndPersist, nil, false)
	for refreshed := false; !refreshed && feed.Next(); {
		for _, control := range feed.Controls() {
			_, refreshed = control.(*ldap.ControlSyncInfo)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(500 * time.Millisecond)
		m := ldap.NewModifyRequest(person("carol"), nil)
		m.Replace("sn", []string{"changed"})
		if err := c.Do(context.Background(), func(l *ldap.Conn) error { return l.Modify(m) }); err != nil {
			t.Error(err)
		}
	})
	if !feed.Next() || feed.Entry() == nil || feed.Entry().DN != person("carol") {
		t.Errorf("the feed did not outlive the time-out of requests: %v", feed.Err())
	}
	wg.Wait()
	cancel()
	_ = conn.Close()
	eventually(t, patience, func() bool { st := c.Stats(); return st.Open == st.Service.Idle })
}
