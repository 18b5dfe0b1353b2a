package conformance

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// stateText names what holds of an account, such as "disabled+change".
func stateText(s directory.AccountState) string {
	var out []string
	for _, one := range []struct {
		is   bool
		name string
	}{
		{s.Disabled, "disabled"},
		{s.Locked, "locked"},
		{s.OutsidePeriod, "period"},
		{s.MustChange, "change"},
		{s.PasswordExpired, "expired"},
	} {
		if one.is {
			out = append(out, one.name)
		}
	}
	return strings.Join(out, "+")
}

// testStates is DR02, DR03 and the rest of DR01: the states that the server knows,
// as the entry tells them and as a bind does.
func testStates(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	for _, s := range f.states {
		w.addPerson(s.login())
	}
	w.following()
	for _, s := range f.states {
		dn, login := w.person(s.login()), s.login()
		s.prepare(t, dn, password(login))
		state := func() directory.AccountState { return w.pop.State(t.Context(), w.somebody(login), time.Now()) }
		w.soon(func() bool { return w.login(login) != nil && stateText(state()) == s.want })
		got := state()
		if stateText(got) != s.want {
			t.Errorf("%s: %q, want %q; signals %v", s.name, stateText(got), s.want, w.somebody(login).Signals)
		}
		s.explained(t, got)
		if !s.silent {
			right, _ := w.pop.Authenticate(t.Context(), w.somebody(login), password(login))
			if right.Verdict != s.right || right.PasswordRight != s.proof {
				t.Errorf("%s, right password: %+v, want %s, proof %v", s.name, right, s.right, s.proof)
			}
			if wrong, _ := w.pop.Authenticate(t.Context(), w.somebody(login), "not it"); wrong.Verdict != s.wrong || wrong.PasswordRight {
				t.Errorf("%s, wrong password: %+v, want %s", s.name, wrong, s.wrong)
			}
		}
		if s.passes {
			w.eventually(s.name+" passes", func() bool { return stateText(state()) == "" })
		}
	}
	w.equal()
}

// login is a name for the person who is brought into the state.
func (s accountState) login() string {
	return strings.NewReplacer(" ", "-", ",", "").Replace(s.name)
}

// soon waits a while for something that is judged afterwards.
func (w *world) soon(ok func() bool) {
	for deadline := time.Now().Add(5 * time.Second); !ok() && time.Now().Before(deadline); {
		time.Sleep(3 * time.Millisecond)
	}
}

// explained looks for the attribute and value that are to be named.
func (s accountState) explained(t *testing.T, got directory.AccountState) {
	t.Helper()
	if s.attribute == "" {
		return
	}
	for _, r := range got.Reasons {
		if r.Attribute == s.attribute && r.Value != "" && (s.value == "" || r.Value == s.value) {
			return
		}
	}
	t.Errorf("%s: nothing names %s %s: %+v", s.name, s.attribute, s.value, got.Reasons)
}

// testBinds is DR01 for accounts in order, and the lock that failures bring about.
func testBinds(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	dn := w.addPerson("ann")
	w.following()
	bind := func(secret string) directory.BindResult {
		r, _ := w.pop.Authenticate(t.Context(), w.somebody("ann"), secret)
		return r
	}
	for _, c := range []struct {
		secret string
		want   directory.Verdict
	}{
		{password("ann"), directory.VerdictSignedIn},
		{"wrong", directory.VerdictWrong},
		{"", directory.VerdictWrong},
		{password("ann") + "\x00", directory.VerdictWrong},
		{strings.ToUpper(password("ann")), directory.VerdictWrong},
		{password("ann"), directory.VerdictSignedIn},
	} {
		if r := bind(c.secret); r.Verdict != c.want || r.PasswordRight != (c.want == directory.VerdictSignedIn) {
			t.Errorf("password %q: %+v, want %s", c.secret, r, c.want)
		}
	}
	if r, _ := w.pop.Authenticate(t.Context(), nil, "x"); r.Verdict != directory.VerdictWrong {
		t.Errorf("nobody: %+v", r)
	}
	for _, name := range []string{"", " ", "not a dn", "a=b=c,,"} {
		if r := w.client.Bind(t.Context(), name, password("ann")); r.Verdict != directory.VerdictWrong || r.PasswordRight {
			t.Errorf("DN %q: %+v", name, r)
		}
	}
	if f.traits.failedBinds == 0 {
		return
	}
	for i := range f.traits.failedBinds {
		if r := bind("wrong"); r.SignedIn() || r.PasswordRight {
			t.Errorf("failure %d: %+v", i, r)
		}
	}
	if r := bind(password("ann")); r.Verdict != directory.VerdictLocked || r.PasswordRight {
		t.Errorf("locked by failures: %+v", r)
	}
	w.eventually("the lock is known", func() bool { return w.pop.State(t.Context(), w.somebody("ann"), time.Now()).Locked })
	w.must(f.traits.unlock(dn))
	w.eventually("the lock is gone", func() bool { return !w.pop.State(t.Context(), w.somebody("ann"), time.Now()).Locked })
	if r := bind(password("ann")); r.Verdict != directory.VerdictSignedIn {
		t.Errorf("after the lock: %+v", r)
	}
}

// testStorm is DR28: a storm of failed sign-ins, each of which the server may
// announce, does not delay what else happens.
func testStorm(t *testing.T, f *fixture) {
	w := newWorld(t, f)
	w.addPerson("victim")
	w.addPerson("other")
	w.following()
	victim := w.somebody("victim")
	var binds sync.WaitGroup
	for range 4 {
		binds.Go(func() {
			for range 60 {
				if r := w.client.Bind(t.Context(), victim.DN, "wrong"); r.SignedIn() {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	slowest := time.Duration(0)
	for i := range 5 {
		started, text := time.Now(), numbered("storm ", i)
		w.modify(w.person("other"), "description", text)
		w.eventually("another change is seen", func() bool { return w.somebody("other").Attributes.First("description") == text })
		slowest = max(slowest, time.Since(started))
	}
	binds.Wait()
	w.equal()
	t.Logf("slowest change beside the storm: %s", slowest.Round(time.Millisecond))
	if slowest > 5*time.Second {
		t.Errorf("another change took %s", slowest)
	}
}

// replaceValues sets attributes of an entry as the administrator.
func replaceValues(t testing.TB, admin func() (*ldap.Conn, error), dn string, pairs ...string) {
	t.Helper()
	conn, err := admin()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req := ldap.NewModifyRequest(dn, nil)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			req.Replace(pairs[i], nil)
			continue
		}
		req.Replace(pairs[i], []string{pairs[i+1]})
	}
	if err := conn.Modify(req); err != nil {
		t.Fatalf("modify %s: %v", dn, err)
	}
}
