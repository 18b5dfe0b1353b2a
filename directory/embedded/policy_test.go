package embedded

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// falseClock is a clock that tests may move.
type falseClock struct{ at atomic.Int64 }

func (c *falseClock) now() time.Time          { return time.Unix(c.at.Load(), 0) }
func (c *falseClock) forward(d time.Duration) { c.at.Add(int64(d / time.Second)) }

func startWithPolicy(t *testing.T, settings ...string) (*ldap.Conn, *ldap.Conn, *falseClock) {
	t.Helper()
	clock := &falseClock{}
	clock.at.Store(1_800_000_000)
	s := startEmbedded(t, func(c *Config) { c.Clock = clock.now })
	admin := dialService(t, s.URL())
	for _, x := range policySteps(settings...) {
		if got := x.do(admin); got != "0" {
			t.Fatal(x.name, got)
		}
	}
	must(t, admin.Add(person("ann", "userPassword", "right")))
	return admin, dial(t, s.URL()), clock
}

// TestDR03_TimedLockRunsOut by the clock alone.
func TestDR03_TimedLockRunsOut(t *testing.T) {
	_, c, clock := startWithPolicy(t, "pwdLockout", "TRUE", "pwdMaxFailure", "3", "pwdLockoutDuration", "600")
	for range 3 {
		if got := code(c.Bind(annDN, "wrong")); got != 49 {
			t.Fatal(got)
		}
	}
	if got := bindText(c, annDN, "right", true); got != "49 policy(expire=-1 grace=-1 error=1)" {
		t.Error(got)
	}
	clock.forward(599 * time.Second)
	if got := code(c.Bind(annDN, "right")); got != 49 {
		t.Error("the lock is over too soon")
	}
	clock.forward(time.Second)
	if err := c.Bind(annDN, "right"); err != nil {
		t.Error(err)
	}
}

func TestPolicy_FailuresAreForgotten(t *testing.T) {
	_, c, clock := startWithPolicy(t, "pwdLockout", "TRUE", "pwdMaxFailure", "3", "pwdLockoutDuration", "600", "pwdFailureCountInterval", "60")
	for range 5 {
		_ = c.Bind(annDN, "wrong")
		clock.forward(31 * time.Second)
	}
	if err := c.Bind(annDN, "right"); err != nil {
		t.Error(err)
	}
}

func TestPolicy_ExpiryByTheClock(t *testing.T) {
	admin, c, clock := startWithPolicy(t, "pwdMaxAge", "1000", "pwdExpireWarning", "100", "pwdGraceAuthNLimit", "2")
	for _, x := range []struct {
		forward time.Duration
		want    string
	}{
		{0, "0 policy(expire=-1 grace=-1 error=-1) is dn:" + annDN},
		{950 * time.Second, "0 policy(expire=50 grace=-1 error=-1) is dn:" + annDN},
		{50 * time.Second, "0 policy(expire=0 grace=-1 error=-1) is dn:" + annDN},
		{time.Second, "0 policy(expire=-1 grace=1 error=-1) is dn:" + annDN},
		{0, "0 policy(expire=-1 grace=0 error=-1) is dn:" + annDN},
		{0, "49 policy(expire=-1 grace=-1 error=0)"},
	} {
		clock.forward(x.forward)
		if got := bindText(c, annDN, "right", true); got != x.want {
			t.Errorf("%v later: %s, want %s", x.forward, got, x.want)
		}
	}
	if got := passwordText(admin, annDN, "", "fresh"); got != "0" {
		t.Fatal(got)
	}
	if got := bindText(c, annDN, "fresh", true); got != "0 policy(expire=-1 grace=-1 error=-1) is dn:"+annDN {
		t.Error(got)
	}
}

// TestPolicy_DR21_OwnPasswordRules are those that bind people; services are above
// them, as in OpenLDAP with the right to manage.
func TestPolicy_DR21_OwnPasswordRules(t *testing.T) {
	_, c, clock := startWithPolicy(t, "pwdMinAge", "60", "pwdCheckQuality", "2", "pwdMinLength", "5", "pwdInHistory", "2", "pwdSafeModify", "TRUE")
	must(t, c.Bind(annDN, "right"))
	for i, x := range []struct {
		wait       time.Duration
		old, fresh string
		want       string
	}{
		{0, "right", "fresh1", "19"},
		{61 * time.Second, "", "fresh1", "50"},
		{0, "wrong", "fresh1", "53"},
		{0, "right", "abc", "19"},
		{0, "right", "fresh1", "0"},
		{61 * time.Second, "fresh1", "fresh1", "19"},
		{0, "fresh1", "fresh2", "0"},
		{61 * time.Second, "fresh2", "right", "19"},
		{0, "fresh2", "fresh1", "19"},
		{0, "fresh2", "fresh3", "0"},
		{61 * time.Second, "fresh3", "right", "0"},
	} {
		clock.forward(x.wait)
		if got := passwordText(c, "", x.old, x.fresh); got != x.want {
			t.Errorf("step %d, from %q to %q: %s, want %s", i, x.old, x.fresh, got, x.want)
		}
	}
}

func TestPolicy_FailuresAtOneMoment(t *testing.T) {
	admin, c, _ := startWithPolicy(t, "pwdLockout", "TRUE", "pwdMaxFailure", "4")
	for range 3 {
		_ = c.Bind(annDN, "wrong")
	}
	res, err := admin.Search(search(annDN, ldap.ScopeBaseObject, "(objectClass=*)", "pwdFailureTime"))
	must(t, err)
	if got := len(res.Entries[0].GetAttributeValues("pwdFailureTime")); got != 3 {
		t.Errorf("%d failures: %s", got, fmt.Sprint(res.Entries[0].Attributes[0].Values))
	}
}
