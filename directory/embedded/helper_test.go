package embedded

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startEmbedded runs this package's server with the same seed.
func startEmbedded(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	cfg := Config{
		Suffix: testSuffix, ServiceDN: testService, DefaultPolicy: testPolicy,
		AllowAnonymous: true, MemberOf: true, RefIntNothing: "cn=nobody,dc=example,dc=com",
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	must(t, err)
	must(t, s.LoadLDIF(strings.NewReader(seed)))
	must(t, s.Start())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t testing.TB, url string) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(url)
	must(t, err)
	c.SetTimeout(10 * time.Second)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func dialService(t testing.TB, url string) *ldap.Conn {
	t.Helper()
	c := dial(t, url)
	must(t, c.Bind(testService, testSecret))
	return c
}

// code gives the result code of an error; -1 for errors without one.
func code(err error) int {
	if err == nil {
		return 0
	}
	e := &ldap.Error{}
	if errors.As(err, &e) {
		return int(e.ResultCode)
	}
	return -1
}

// outcome is an error as two servers are compared by it.
func outcome(err error) string {
	e := &ldap.Error{}
	ok := errors.As(err, &e)
	if err == nil || !ok {
		return fmt.Sprint(code(err))
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", e.ResultCode, e.MatchedDN))
}

// volatile attributes have values that no two servers share.
func volatile(name string) bool {
	return slices.Contains([]string{
		"entryUUID", "entryCSN", "createTimestamp", "modifyTimestamp", "contextCSN", "pwdChangedTime",
		"pwdFailureTime", "pwdAccountLockedTime", "pwdGraceUseTime", "modifiersName", "creatorsName", "pwdHistory",
	}, name)
}

// show writes entries so that equal ones look equal.
func show(r *ldap.SearchResult, err error) string {
	var out []string
	if r != nil {
		for _, e := range r.Entries {
			var attrs []string
			for _, a := range e.Attributes {
				vals := slices.Clone(a.Values)
				slices.Sort(vals)
				if volatile(a.Name) {
					vals = []string{fmt.Sprint(len(vals))}
				}
				if a.Name == "userPassword" {
					continue // the one thing that is never read here
				}
				attrs = append(attrs, fmt.Sprintf("%s=%q", a.Name, vals))
			}
			slices.Sort(attrs)
			out = append(out, e.DN+" "+strings.Join(attrs, " "))
		}
		slices.Sort(out)
		for _, ref := range r.Referrals {
			out = append(out, "ref "+ref)
		}
	}
	return strings.Join(append([]string{outcome(err)}, out...), "\n  ")
}

func search(base string, scope int, filter string, attrs ...string) *ldap.SearchRequest {
	return ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, attrs, nil)
}

func addOf(dn string, pairs ...string) *ldap.AddRequest {
	r := ldap.NewAddRequest(dn, nil)
	var names []string
	vals := map[string][]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if _, ok := vals[pairs[i]]; !ok {
			names = append(names, pairs[i])
		}
		vals[pairs[i]] = append(vals[pairs[i]], pairs[i+1])
	}
	for _, n := range names {
		r.Attribute(n, vals[n])
	}
	return r
}

func person(uid string, more ...string) *ldap.AddRequest {
	return addOf("uid="+uid+","+testSuffix, append([]string{
		"objectClass", "inetOrgPerson", "uid", uid, "cn", "Name " + uid, "sn", uid,
	}, more...)...)
}
