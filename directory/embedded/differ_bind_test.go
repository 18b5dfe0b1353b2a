package embedded

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// policyText shows the password policy control of an answer.
func policyText(controls []ldap.Control) string {
	var out []string
	for _, c := range controls {
		if p, ok := c.(*ldap.ControlBeheraPasswordPolicy); ok {
			out = append(out, fmt.Sprintf("policy(expire=%d grace=%d error=%d)", p.Expire, p.Grace, p.Error))
			continue
		}
		out = append(out, c.GetControlType())
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// bindText binds and shows the outcome with its controls and who it made us.
func bindText(c *ldap.Conn, dn, password string, asked bool) string {
	r := ldap.NewSimpleBindRequest(dn, password, nil)
	if asked {
		r.Controls = append(r.Controls, ldap.NewControlBeheraPasswordPolicy())
	}
	r.AllowEmptyPassword = true
	res, err := c.SimpleBind(r)
	out := outcome(err)
	if res != nil {
		out += " " + policyText(res.Controls)
	}
	if err != nil { // OpenLDAP leaves the connection bound after "expired": here it is not
		return out
	}
	id, err := c.WhoAmI(nil)
	if err != nil {
		return out + " whoami " + outcome(err)
	}
	return out + " is " + id.AuthzID
}

// stepBind binds and then becomes the service again.
func stepBind(dn, password string) step {
	return step{name: "bind " + dn + " " + password, do: func(c *ldap.Conn) string {
		defer func() { _ = c.Bind(testService, testSecret) }()
		return bindText(c, dn, password, false) + " | " + bindText(c, dn, password, true)
	}}
}

// as does something while bound as somebody else.
func as(name, dn, password string, do func(c *ldap.Conn) string) step {
	return step{name: "as " + dn + ": " + name, do: func(c *ldap.Conn) string {
		defer func() { _ = c.Bind(testService, testSecret) }()
		r := ldap.NewSimpleBindRequest(dn, password, nil)
		r.AllowEmptyPassword = true
		_, err := c.SimpleBind(r)
		return "bind " + outcome(err) + ": " + do(c)
	}}
}

// signals shows the policy's marks on an entry.
func signals(dn string) step {
	return stepSearch(search(dn, ldap.ScopeBaseObject, "(objectClass=*)",
		"pwdAccountLockedTime", "pwdFailureTime", "pwdReset", "pwdChangedTime", "pwdGraceUseTime"))
}

func policySteps(settings ...string) []step {
	pairs := append([]string{
		"objectClass", "applicationProcess", "objectClass", "pwdPolicy", "cn", "default", "pwdAttribute", "userPassword",
	}, settings...)
	return []step{
		stepAdd("policies", addOf("ou=policies,"+testSuffix, "objectClass", "organizationalUnit", "ou", "policies")),
		stepAdd("policy", addOf(testPolicy, pairs...)),
	}
}

func pause(d time.Duration) step {
	return step{name: "pause", do: func(*ldap.Conn) string { time.Sleep(d); return "" }}
}

func stepPassword(id, old, fresh string) step {
	return step{name: "password of " + id + " from " + old + " to " + fresh, do: func(c *ldap.Conn) string {
		return passwordText(c, id, old, fresh)
	}}
}

func passwordText(c *ldap.Conn, id, old, fresh string) string {
	res, err := c.PasswordModify(ldap.NewPasswordModifyRequest(id, old, fresh))
	out := outcome(err)
	if res != nil && res.GeneratedPassword != "" {
		out += " generated"
	}
	return out
}

func TestDifferential_Bind(t *testing.T) {
	t.Parallel()
	script := append(people(),
		stepAdd("with password", person("pat", "userPassword", "right")),
		stepBind("uid=pat,"+testSuffix, "right"), stepBind("UID = Pat, "+testSuffix, "right"), stepBind("uid=pat,"+testSuffix, "wrong"),
		stepBind("uid=pat,"+testSuffix, "Right"), stepBind("uid=pat,"+testSuffix, "right\x00"), stepBind("uid=pat,"+testSuffix, "\x00"),
		stepBind("uid=pat,"+testSuffix, ""), stepBind("uid=nobody,"+testSuffix, "x"), stepBind("dc=other", "x"), stepBind("bad", "x"), stepBind("bad", ""),
		stepBind("", ""), stepBind("", "x"), stepBind(annDN, "x"), stepBind("cn=Subschema", "x"), stepBind(testSuffix, "x"), stepBind("foo=x", "x"),
		as("read", "", "", func(c *ldap.Conn) string {
			return show(c.Search(search(testSuffix, ldap.ScopeWholeSubtree, "(objectClass=*)"))) + show(c.Search(search("uid=x,"+annDN, ldap.ScopeBaseObject, "(objectClass=*)")))
		}),
		as("write", "", "", func(c *ldap.Conn) string {
			return outcome(c.Add(person("x"))) + outcome(c.Del(ldap.NewDelRequest(annDN, nil))) + outcome(c.ModifyDN(ldap.NewModifyDNRequest(annDN, "uid=x", true, ""))) + passwordText(c, annDN, "", "x")
		}),
		as("compare", "", "", func(c *ldap.Conn) string { _, err := c.Compare(annDN, "uid", "ann"); return outcome(err) }),
		as("read", "uid=pat,"+testSuffix, "right", func(c *ldap.Conn) string {
			return show(c.Search(search(testSuffix, ldap.ScopeWholeSubtree, "(uid=a*)")))
		}),
		as("write", "uid=pat,"+testSuffix, "right", func(c *ldap.Conn) string {
			m := ldap.NewModifyRequest("uid=pat,"+testSuffix, nil)
			m.Replace("title", []string{"Boss"})
			return outcome(c.Add(person("x"))) + outcome(c.Del(ldap.NewDelRequest(annDN, nil))) + outcome(c.ModifyDN(ldap.NewModifyDNRequest(annDN, "uid=x", true, ""))) +
				outcome(c.Modify(m)) + passwordText(c, annDN, "", "x")
		}),
		as("unauthenticated", "uid=pat,"+testSuffix, "", func(c *ldap.Conn) string {
			return show(c.Search(search(annDN, ldap.ScopeBaseObject, "(objectClass=*)")))
		}),
		as("after a failed bind", "uid=pat,"+testSuffix, "wrong", func(c *ldap.Conn) string {
			return show(c.Search(search(annDN, ldap.ScopeBaseObject, "(objectClass=*)")))
		}),
		as("own password", "uid=pat,"+testSuffix, "right", func(c *ldap.Conn) string {
			return passwordText(c, "", "wrong", "new1") + passwordText(c, "", "right", "new1") + passwordText(c, "uid=pat,"+testSuffix, "", "new2") + passwordText(c, "", "new2", "")
		}),
		stepBind("uid=pat,"+testSuffix, "new2"),
		stepPassword("uid=pat,"+testSuffix, "", "new3"), stepBind("uid=pat,"+testSuffix, "new3"),
		stepPassword("dn:uid=pat,"+testSuffix, "", "new4"), stepBind("uid=pat,"+testSuffix, "new4"),
		stepPassword("uid=pat,"+testSuffix, "wrong", "new5"), stepPassword("uid=nobody,"+testSuffix, "", "x"), stepPassword("bad", "", "x"), stepPassword("u:pat", "", "x"),
		stepPassword("dc=other", "", "x"), stepPassword(teamDN, "", "x"),
		stepModify("replace", "uid=pat,"+testSuffix, func(r *ldap.ModifyRequest) { r.Replace("userPassword", []string{"plain"}) }),
		stepBind("uid=pat,"+testSuffix, "plain"),
		stepModify("add", "uid=pat,"+testSuffix, func(r *ldap.ModifyRequest) { r.Add("userPassword", []string{"plain"}) }),
		stepModify("second", "uid=pat,"+testSuffix, func(r *ldap.ModifyRequest) { r.Add("userPassword", []string{"second"}) }),
		stepBind("uid=pat,"+testSuffix, "second"), stepBind("uid=pat,"+testSuffix, "plain"),
		stepModify("delete wrong", "uid=pat,"+testSuffix, func(r *ldap.ModifyRequest) { r.Delete("userPassword", []string{"nope"}) }),
		stepModify("delete one", "uid=pat,"+testSuffix, func(r *ldap.ModifyRequest) { r.Delete("userPassword", []string{"plain"}) }),
		stepBind("uid=pat,"+testSuffix, "second"), stepBind("uid=pat,"+testSuffix, "plain"),
		as("own by modify", "uid=pat,"+testSuffix, "second", func(c *ldap.Conn) string {
			m := ldap.NewModifyRequest("uid=pat,"+testSuffix, nil)
			m.Delete("userPassword", []string{"second"})
			m.Add("userPassword", []string{"third"})
			return outcome(c.Modify(m))
		}),
		stepBind("uid=pat,"+testSuffix, "third"),
		stepModify("delete", "uid=pat,"+testSuffix, func(r *ldap.ModifyRequest) { r.Delete("userPassword", nil) }),
		stepBind("uid=pat,"+testSuffix, "third"),
		stepModify("empty", "uid=pat,"+testSuffix, func(r *ldap.ModifyRequest) { r.Replace("userPassword", []string{""}) }),
		stepBind("uid=pat,"+testSuffix, "x"),
		stepShow("uid=pat,"+testSuffix),
	)
	compareServers(t, script)
}

func TestDifferential_Lockout(t *testing.T) {
	t.Parallel()
	script := append(policySteps("pwdLockout", "TRUE", "pwdMaxFailure", "3", "pwdLockoutDuration", "2", "pwdFailureCountInterval", "60"),
		stepAdd("leo", person("leo", "userPassword", "right")), stepAdd("dis", person("dis", "userPassword", "right", "pwdAccountLockedTime", "000001010000Z")))
	leo, dis := "uid=leo,"+testSuffix, "uid=dis,"+testSuffix
	once := func(dn, password string) step {
		return step{name: "bind " + dn + " " + password, do: func(c *ldap.Conn) string {
			defer func() { _ = c.Bind(testService, testSecret) }()
			return bindText(c, dn, password, true)
		}}
	}
	period := func(dn, attr string, d time.Duration) step {
		return stepModify(attr, dn, func(r *ldap.ModifyRequest) { r.Replace(attr, []string{formatTime(time.Now().Add(d))}) })
	}
	script = append(script,
		signals(leo), once(leo, "wrong"), signals(leo), once(leo, "right"), signals(leo),
		once(leo, "wrong"), once(leo, "wrong"), signals(leo), once(leo, "wrong"), signals(leo), once(leo, "wrong"), once(leo, "right"), signals(leo),
		pause(3*time.Second), once(leo, "right"), signals(leo),
		once(leo, "wrong"), once(leo, "wrong"), once(leo, "wrong"), pause(3*time.Second), once(leo, "wrong"), signals(leo), once(leo, "right"), signals(leo),
		once(dis, "right"), once(dis, "wrong"), signals(dis), stepBind(dis, "right"),
		stepModify("enable", dis, func(r *ldap.ModifyRequest) { r.Delete("pwdAccountLockedTime", nil) }), once(dis, "right"),
		period(dis, "pwdStartTime", time.Hour), once(dis, "right"), once(dis, "wrong"), period(dis, "pwdStartTime", -time.Hour), once(dis, "right"),
		period(dis, "pwdEndTime", -time.Hour), once(dis, "right"), signals(dis), period(dis, "pwdEndTime", time.Hour), once(dis, "right"),
		stepModify("no lockout", testPolicy, func(r *ldap.ModifyRequest) { r.Replace("pwdLockout", []string{"FALSE"}) }),
		once(leo, "wrong"), once(leo, "wrong"), once(leo, "wrong"), once(leo, "wrong"), signals(leo), once(leo, "right"), signals(leo),
		stepModify("disable without lockout", dis, func(r *ldap.ModifyRequest) { r.Replace("pwdAccountLockedTime", []string{"000001010000Z"}) }), once(dis, "right"),
		stepModify("many failures", testPolicy, func(r *ldap.ModifyRequest) {
			r.Replace("pwdLockout", []string{"TRUE"})
			r.Replace("pwdMaxFailure", []string{"0"})
		}),
		once(leo, "wrong"), once(leo, "wrong"), once(leo, "wrong"), once(leo, "wrong"), once(leo, "wrong"), once(leo, "wrong"), once(leo, "wrong"), signals(leo), once(leo, "right"),
		stepModify("for ever", testPolicy, func(r *ldap.ModifyRequest) {
			r.Replace("pwdMaxFailure", []string{"1"})
			r.Replace("pwdLockoutDuration", []string{"0"})
		}),
		once(leo, "wrong"), signals(leo), once(leo, "right"),
		stepModify("unlock", leo, func(r *ldap.ModifyRequest) { r.Delete("pwdAccountLockedTime", nil) }), signals(leo), once(leo, "right"), signals(leo),
		once(leo, "wrong"), stepPassword(leo, "", "new"), signals(leo), once(leo, "new"),
		stepModify("policy of its own, missing", leo, func(r *ldap.ModifyRequest) {
			r.Replace("pwdPolicySubentry", []string{"cn=gone,ou=policies," + testSuffix})
		}),
		once(leo, "wrong"), signals(leo), once(leo, "new"),
		stepDelete(testPolicy), once(dis, "right"), once(dis, "wrong"), once(leo, "wrong"), signals(leo),
	)
	compareServers(t, script)
}

func TestDifferential_PasswordAge(t *testing.T) {
	t.Parallel()
	script := append(policySteps("pwdMaxAge", "2", "pwdGraceAuthNLimit", "2", "pwdMustChange", "TRUE", "pwdExpireWarning", "0"),
		stepAdd("eve", person("eve", "userPassword", "right")), stepAdd("max", person("max", "userPassword", "right", "pwdReset", "TRUE")))
	eve, max := "uid=eve,"+testSuffix, "uid=max,"+testSuffix
	setPolicy := func(attr, v string) step {
		return stepModify(attr, testPolicy, func(r *ldap.ModifyRequest) { r.Replace(attr, []string{v}) })
	}
	once := func(dn, password string) step {
		return step{name: "bind " + dn + " " + password, do: func(c *ldap.Conn) string {
			defer func() { _ = c.Bind(testService, testSecret) }()
			return bindText(c, dn, password, true)
		}}
	}
	script = append(script,
		signals(eve), once(eve, "right"), pause(3500*time.Millisecond), once(eve, "right"), signals(eve), once(eve, "wrong"), once(eve, "right"), signals(eve), once(eve, "right"), once(eve, "wrong"),
		stepPassword(eve, "", "new"), signals(eve), once(eve, "new"),
		setPolicy("pwdMaxAge", "1000"), setPolicy("pwdExpireWarning", "900"), once(eve, "new"),
		signals(max), once(max, "right"), once(max, "wrong"),
		as("restricted", max, "right", func(c *ldap.Conn) string {
			m := ldap.NewModifyRequest(max, nil)
			m.Replace("title", []string{"x"})
			_, cmp := c.Compare(max, "uid", "x")
			_, who := c.WhoAmI(nil)
			return show(c.Search(search(max, ldap.ScopeBaseObject, "(objectClass=*)"))) + outcome(c.Modify(m)) + outcome(c.Add(person("x"))) + outcome(cmp) + outcome(who) +
				show(c.Search(search("", ldap.ScopeBaseObject, "(objectClass=*)"))) + outcome(c.Del(ldap.NewDelRequest(max, nil)))
		}),
		as("change it", max, "right", func(c *ldap.Conn) string {
			return passwordText(c, "", "right", "changed") + " " + show(c.Search(search(max, ldap.ScopeBaseObject, "(objectClass=*)", "uid")))
		}),
		signals(max), once(max, "changed"),
		stepModify("reset", max, func(r *ldap.ModifyRequest) { r.Replace("pwdReset", []string{"TRUE"}) }),
		as("change it by modify", max, "changed", func(c *ldap.Conn) string {
			m := ldap.NewModifyRequest(max, nil)
			m.Replace("userPassword", []string{"again"})
			return outcome(c.Modify(m)) + " " + show(c.Search(search(max, ldap.ScopeBaseObject, "(objectClass=*)", "uid")))
		}),
		signals(max),
		stepPassword(max, "", "byadmin"), signals(max), once(max, "byadmin"),
		setPolicy("pwdMustChange", "FALSE"), once(max, "byadmin"), signals(max),
		setPolicy("pwdMinAge", "1000"), as("too young", eve, "new", func(c *ldap.Conn) string { return passwordText(c, "", "new", "newer") }), stepPassword(eve, "", "newer"),
		setPolicy("pwdMinAge", "0"), setPolicy("pwdMinLength", "6"), stepPassword(eve, "", "abc"), setPolicy("pwdCheckQuality", "2"), stepPassword(eve, "", "abc"), stepPassword(eve, "", "abcdef"),
		stepAdd("weak", person("weak", "userPassword", "abc")), stepModify("weak", eve, func(r *ldap.ModifyRequest) { r.Replace("userPassword", []string{"abc"}) }),
		stepModify("hash", eve, func(r *ldap.ModifyRequest) {
			r.Replace("userPassword", []string{"{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
		}),
		setPolicy("pwdSafeModify", "TRUE"), as("without the old one", eve, "abcdef", func(c *ldap.Conn) string {
			return passwordText(c, "", "", "ghijkl") + passwordText(c, "", "abcdef", "ghijkl")
		}),
		stepPassword(eve, "", "mnopqr"), setPolicy("pwdSafeModify", "FALSE"),
		setPolicy("pwdInHistory", "2"), stepPassword(eve, "", "secret1"), stepPassword(eve, "", "secret2"), signals(eve), stepPassword(eve, "", "secret2"), stepPassword(eve, "", "secret1"),
		pause(1100*time.Millisecond), stepPassword(eve, "", "secret3"), signals(eve), pause(1100*time.Millisecond), stepPassword(eve, "", "secret4"), stepPassword(eve, "", "secret1"), signals(eve),
		setPolicy("pwdAllowUserChange", "FALSE"), as("not allowed", eve, "secret1", func(c *ldap.Conn) string { return passwordText(c, "", "secret1", "secret9") }), stepPassword(eve, "", "secret9"),
		stepModify("no age", testPolicy, func(r *ldap.ModifyRequest) {
			r.Delete("pwdMaxAge", nil)
			r.Delete("pwdMinAge", nil)
			r.Delete("pwdAllowUserChange", nil)
		}),
		stepPassword(eve, "", "secret10"), signals(eve), stepAdd("late", person("late", "userPassword", "secret")), signals("uid=late,"+testSuffix),
		stepModify("two", eve, func(r *ldap.ModifyRequest) { r.Replace("userPassword", []string{"secret11", "secret12"}) }),
		stepModify("second", eve, func(r *ldap.ModifyRequest) { r.Add("userPassword", []string{"secret12"}) }),
		stepModify("swap", eve, func(r *ldap.ModifyRequest) {
			r.Delete("userPassword", []string{"wrong"})
			r.Add("userPassword", []string{"secret13"})
		}),
		stepAdd("two", person("two", "userPassword", "secret11", "userPassword", "secret12")),
		setPolicy("pwdInHistory", "0"), stepModify("gone", eve, func(r *ldap.ModifyRequest) { r.Delete("userPassword", nil) }), signals(eve),
	)
	compareServers(t, script)
}
