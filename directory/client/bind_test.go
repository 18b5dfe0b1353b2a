package client

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

func TestAbuse_A01_EmptyPasswordNeverLeaves(t *testing.T) {
	f := listen(t, answer(nil))
	c := open(t, shortTimes(f.url))
	for _, who := range []struct{ dn, password string }{
		{person("alice"), ""}, {"", "x"}, {"", ""}, {"   ", "x"}, {"\x00", "x"}, {"nobody", "x"},
	} {
		if r := c.Bind(t.Context(), who.dn, who.password); r.Verdict != directory.VerdictWrong || r.PasswordRight {
			t.Errorf("%q: %+v", who, r)
		}
	}
	if n := f.accepted.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	for _, cfg := range []Config{{BindDN: serviceDN}, {BindPassword: secret}} {
		cfg.URLs = []string{f.url}
		if _, err := New(cfg, nil); err == nil {
			t.Errorf("half a service account was accepted: %v", cfg)
		}
	}
}

func TestAbuse_A03_NULInPassword(t *testing.T) {
	s := startSlapd(t)
	f := startRelay(t, s.addr)
	c := open(t, shortTimes(f.url))
	for _, password := range []string{"\x00", "pw-alice\x00", "pw-alice\x00x", "\x00pw-alice"} {
		if r := c.Bind(t.Context(), person("alice"), password); r.Verdict != directory.VerdictWrong {
			t.Errorf("%q: %+v", password, r)
		}
	}
	if r := c.Bind(t.Context(), person("alice")+"\x00", "pw-alice"); r.Verdict != directory.VerdictWrong {
		t.Errorf("NUL in the DN: %+v", r)
	}
	if n := f.accepted.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestAbuse_A04_DirectoryThatAcceptsEmptyPasswords(t *testing.T) {
	s := startSlapd(t, withAnonymous())
	c := open(t, s.cfg())
	if r := c.Bind(t.Context(), person("alice"), ""); r.Verdict != directory.VerdictWrong {
		t.Errorf("empty password: %+v", r)
	}
	if r := c.Bind(t.Context(), "", "pw-alice"); r.Verdict != directory.VerdictWrong {
		t.Errorf("empty DN: %+v", r)
	}
	found, err := c.Weaknesses(t.Context(), base)
	if err != nil || len(found) != 2 {
		t.Errorf("weaknesses of an open server: %q, %v", found, err)
	}
	strict := startSlapd(t)
	found, err = open(t, strict.cfg()).Weaknesses(t.Context(), base)
	if err != nil || len(found) != 0 {
		t.Errorf("weaknesses of a strict server: %q, %v", found, err)
	}
}

func TestAbuse_A11_BindsAreNotOnServiceConnections(t *testing.T) {
	s := startSlapd(t)
	cfg := s.cfg()
	cfg.PoolSize, cfg.BindPoolSize = 1, 1
	c := open(t, cfg)
	for i := range 20 {
		c.Bind(t.Context(), person("alice"), []string{"pw-alice", "no"}[i%2])
		var id string
		err := c.Do(t.Context(), func(l *ldap.Conn) error {
			who, err := l.WhoAmI(nil)
			if err == nil {
				id = who.AuthzID
			}
			return err
		})
		if err != nil || id != "dn:"+serviceDN {
			t.Fatalf("round %d: %q, %v", i, id, err)
		}
	}
}

func TestAbuse_A12_ManyAtOnce(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			name := fmt.Sprintf("p%02d", i%40)
			password, want := "pw-"+name, directory.VerdictSignedIn
			if i%3 == 0 {
				password, want = fmt.Sprintf("pw-p%02d", (i+1)%40), directory.VerdictWrong
			}
			if r := c.Bind(context.Background(), person(name), password); r.Verdict != want {
				t.Errorf("%s: %+v, want %s", name, r, want)
			}
			if i%5 == 0 {
				res, err := c.Search(context.Background(), byName(name))
				if err != nil || len(res.Entries) != 1 || res.Entries[0].DN != person(name) {
					t.Errorf("search %s: %v, %v", name, res, err)
				}
			}
		})
	}
	wg.Wait()
	if st := c.Stats(); st.Binds.Idle > 16 || st.Service.Idle > 8 || st.Binds.Busy+st.Service.Busy != 0 {
		t.Errorf("pools: %+v", st)
	}
}

func byName(name string) *ldap.SearchRequest {
	return ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(uid="+ldap.EscapeFilter(name)+")", []string{"uid"}, nil)
}

func TestAbuse_A14_SuccessWithAReferralIsNoSignIn(t *testing.T) {
	for name, reply := range map[string]func(int64) *ber.Packet{
		"referral beside success": func(id int64) *ber.Packet {
			return result(id, ldap.ApplicationBindResponse, 0, "", referTo("ldap://evil.example/"))
		},
		"code 10": func(id int64) *ber.Packet {
			return result(id, ldap.ApplicationBindResponse, 10, "", referTo("ldap://evil.example/"))
		},
		"another's answer": func(id int64) *ber.Packet { return result(id, ldap.ApplicationSearchResultDone, 0, "") },
	} {
		t.Run(name, func(t *testing.T) {
			f := listen(t, answer(func(_ *fake, id int64, op *ber.Packet) []byte {
				if bindDN(op) == person("alice") {
					return reply(id).Bytes()
				}
				return nil
			}))
			c := open(t, shortTimes(f.url))
			if r := c.Bind(t.Context(), person("alice"), "x"); r.SignedIn() || r.Verdict != directory.VerdictUnavailable {
				t.Errorf("%+v", r)
			}
			if r := c.Bind(t.Context(), person("bob"), "x"); r.Verdict != directory.VerdictSignedIn {
				t.Errorf("the control: %+v", r)
			}
		})
	}
}

func TestAbuse_A15_OnlyInvalidCredentialsAreWrong(t *testing.T) {
	var code int64
	f := listen(t, answer(func(_ *fake, id int64, op *ber.Packet) []byte {
		if bindDN(op) == person("alice") {
			return result(id, ldap.ApplicationBindResponse, code, "").Bytes()
		}
		return nil
	}))
	c := open(t, shortTimes(f.url))
	for code = range int64(120) {
		r := c.Bind(t.Context(), person("alice"), "x")
		wrong := code == 49 || code == 32 || code == 34
		if (r.Verdict == directory.VerdictWrong) != wrong || r.SignedIn() != (code == 0) {
			t.Errorf("code %d: %+v", code, r)
		}
	}
}

func TestAbuse_A16_A17_NothingIsCached(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	steps := []struct {
		password string
		want     directory.Verdict
	}{
		{"pw-bob", directory.VerdictSignedIn},
		{"wrong", directory.VerdictWrong},
		{"pw-bob", directory.VerdictSignedIn},
		{"", directory.VerdictWrong},
	}
	for _, step := range steps {
		if r := c.Bind(t.Context(), person("bob"), step.password); r.Verdict != step.want {
			t.Fatalf("%q: %+v", step.password, r)
		}
	}
	if _, err := s.admin().PasswordModify(ldap.NewPasswordModifyRequest(person("bob"), "", "new")); err != nil {
		t.Fatal(err)
	}
	if r := c.Bind(t.Context(), person("bob"), "pw-bob"); r.Verdict != directory.VerdictWrong {
		t.Errorf("old password: %+v", r)
	}
	if r := c.Bind(t.Context(), person("bob"), "new"); r.Verdict != directory.VerdictSignedIn {
		t.Errorf("new password: %+v", r)
	}
}

func TestDR01_OpenLDAPVerdicts(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	bind := func(name, password string) directory.BindResult {
		return c.Bind(t.Context(), person(name), password)
	}
	expect := func(what string, r directory.BindResult, v directory.Verdict) {
		t.Helper()
		if r.Verdict != v {
			t.Errorf("%s: got %s, want %s (%+v)", what, r.Verdict, v, r)
		}
	}
	expect("right", bind("alice", "pw-alice"), directory.VerdictSignedIn)
	expect("wrong", bind("alice", "x"), directory.VerdictWrong)
	expect("unknown", c.Bind(t.Context(), DummyDN(base), "x"), directory.VerdictWrong)
	expect("malformed DN", c.Bind(t.Context(), "a=b=c,,", "x"), directory.VerdictWrong)
	expect("disabled", bind("disabled", "pw-disabled"), directory.VerdictLocked)
	for range 2 {
		expect("failing", bind("locks", "x"), directory.VerdictWrong)
	}
	expect("locked by failures", bind("locks", "pw-locks"), directory.VerdictLocked)
	expect("must change", bind("reset", "pw-reset"), directory.VerdictMustChange)
	expect("expired", bind("expired", "pw-expired"), directory.VerdictPasswordExpired)
	expect("expired, wrong", bind("expired", "x"), directory.VerdictWrong)
	r := bind("grace", "pw-grace")
	expect("grace", r, directory.VerdictGrace)
	if r.Grace != 2 || !r.SignedIn() {
		t.Errorf("grace sign-ins: %+v", r)
	}
	r = bind("warned", "pw-warned")
	expect("about to expire", r, directory.VerdictSignedIn)
	if r.ExpiresIn < 8e8*time.Second || r.ExpiresIn > 864000000*time.Second {
		t.Errorf("expires in %s", r.ExpiresIn)
	}
}

func TestConnectionIsThrownAwayAfterOtherVerdicts(t *testing.T) {
	s := startSlapd(t)
	c := open(t, s.cfg())
	for name, kept := range map[string]int{"alice": 1, "reset": 0, "disabled": 0, "expired": 0} {
		c.binds.flush()
		c.Bind(t.Context(), person(name), "pw-"+name)
		if got := c.Stats().Binds.Idle; got != kept {
			t.Errorf("after %s %d connections are kept, want %d", name, got, kept)
		}
	}
}

func TestServiceAccountRefused(t *testing.T) {
	s := startSlapd(t)
	cfg := s.cfg()
	cfg.BindPassword = "not it"
	c := open(t, cfg)
	_, err := c.Search(t.Context(), pingRequest())
	mustSay(t, err, directory.ErrUnavailable, "bind_dn", "Invalid Credentials")
	if r := c.Bind(t.Context(), person("alice"), "pw-alice"); r.Verdict != directory.VerdictSignedIn {
		t.Errorf("user binds need no service account: %+v", r)
	}
	cfg.BindDN, cfg.BindPassword = person("reset"), "pw-reset"
	_, err = open(t, cfg).Search(t.Context(), pingRequest())
	mustSay(t, err, directory.ErrUnavailable, "must be changed")
}
