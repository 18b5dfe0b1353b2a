package embedded

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

func assertion(t *testing.T, filter string) ldap.Control {
	t.Helper()
	p, err := ldap.CompileFilter(filter)
	must(t, err)
	return ldap.NewControlString(oidAssertion, true, string(p.Bytes()))
}

func readControl(oid string, critical bool, attrs ...string) ldap.Control {
	seq := sequence()
	for _, a := range attrs {
		seq.AppendChild(octets(a))
	}
	return ldap.NewControlString(oid, critical, string(seq.Bytes()))
}

// readBack shows the entry in a pre- or post-read control.
func readBack(controls []ldap.Control) string {
	var out []string
	for _, c := range controls {
		s, ok := c.(*ldap.ControlString)
		if !ok {
			out = append(out, c.GetControlType())
			continue
		}
		p := ber.DecodePacket([]byte(s.ControlValue))
		if p == nil || len(p.Children) != 2 {
			out = append(out, s.ControlType+" unreadable")
			continue
		}
		var line strings.Builder
		line.WriteString(fmt.Sprint(s.ControlType, " ", p.ClassType, " ", p.Tag, " ", p.Children[0].Data.String()))
		for _, a := range p.Children[1].Children {
			line.WriteString(" " + a.Children[0].Data.String())
			for _, v := range a.Children[1].Children {
				line.WriteString("=" + v.Data.String())
			}
		}
		out = append(out, line.String())
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

func TestDifferential_Controls(t *testing.T) {
	t.Parallel()
	modify := func(name, dn string, f func(*ldap.ModifyRequest), controls ...ldap.Control) step {
		return step{name: "modify with " + name, do: func(c *ldap.Conn) string {
			r := ldap.NewModifyRequest(dn, controls)
			f(r)
			res, err := c.ModifyWithResult(r)
			if res == nil {
				return outcome(err)
			}
			return outcome(err) + " " + readBack(res.Controls)
		}}
	}
	title := func(v string) func(*ldap.ModifyRequest) {
		return func(r *ldap.ModifyRequest) { r.Replace("title", []string{v}) }
	}
	find := func(name string, controls ...ldap.Control) step {
		return step{name: "search with " + name, do: func(c *ldap.Conn) string {
			r := search(annDN, ldap.ScopeBaseObject, "(objectClass=*)", "1.1")
			r.Controls = controls
			return show(c.Search(r))
		}}
	}
	unknown := func(critical bool) ldap.Control { return ldap.NewControlString("1.2.3.4.5", critical, "") }
	script := append(people(),
		find("unknown", unknown(false)), find("unknown critical", unknown(true)),
		modify("unknown", annDN, title("a"), unknown(false)), modify("unknown critical", annDN, title("b"), unknown(true)), stepShow(annDN),
		find("post-read", readControl(oidPostRead, false, "cn")), find("critical post-read", readControl(oidPostRead, true, "cn")),
		find("twice", ldap.NewControlManageDsaIT(false), ldap.NewControlManageDsaIT(false)),
		find("assertion true", assertion(t, "(uid=ann)")), find("assertion false", assertion(t, "(uid=bob)")), find("assertion undefined", assertion(t, "(foo=bob)")),
		modify("assertion true", annDN, title("c"), assertion(t, "(title=a)")), modify("assertion false", annDN, title("d"), assertion(t, "(title=a)")),
		modify("assertion, absent entry", "uid=zz,"+testSuffix, title("d"), assertion(t, "(title=a)")),
		step{name: "delete with assertion", do: func(c *ldap.Conn) string {
			return outcome(c.Del(ldap.NewDelRequest(annDN, []ldap.Control{assertion(t, "(title=a)")})))
		}},
		step{name: "rename with assertion", do: func(c *ldap.Conn) string {
			return outcome(c.ModifyDN(&ldap.ModifyDNRequest{DN: annDN, NewRDN: "uid=x", DeleteOldRDN: true, Controls: []ldap.Control{assertion(t, "(title=a)")}}))
		}},
		step{name: "add with assertion", do: func(c *ldap.Conn) string {
			r := person("asserted", "title", "t")
			r.Controls = []ldap.Control{assertion(t, "(title=a)")}
			return outcome(c.Add(r))
		}},
		step{name: "add with true assertion", do: func(c *ldap.Conn) string {
			r := person("asserted2", "title", "t")
			r.Controls = []ldap.Control{assertion(t, "(title=t)")}
			return outcome(c.Add(r))
		}},
		modify("pre-read and post-read", annDN, title("e"), readControl(oidPreRead, true, "title", "uid"), readControl(oidPostRead, true, "title")),
		modify("post-read of nothing known", annDN, title("f"), readControl(oidPostRead, false, "foo")),
		modify("post-read of unknown, critical", annDN, title("f"), readControl(oidPostRead, true, "foo")),
		modify("post-read, failing", annDN, title(""), readControl(oidPostRead, true, "title")),
		modify("bad post-read", annDN, title("g"), ldap.NewControlString(oidPostRead, true, "x")),
		modify("paging", annDN, title("g"), ldap.NewControlPaging(5)),
		find("policy", ldap.NewControlBeheraPasswordPolicy()), modify("policy", annDN, title("h"), ldap.NewControlBeheraPasswordPolicy()),
		stepShow(annDN),
	)
	compareServers(t, script)
}

func TestDifferential_Paging(t *testing.T) {
	t.Parallel()
	all := "(uid=p*)"
	// pagesOf reads page by page and shows each page.
	pagesOf := func(name string, size uint32, limit int) step {
		return step{name: name, do: func(c *ldap.Conn) string {
			var out []string
			p := ldap.NewControlPaging(size)
			for range 20 {
				r := search(testSuffix, ldap.ScopeWholeSubtree, all, "1.1")
				r.SizeLimit, r.Controls = limit, []ldap.Control{p}
				res, err := c.Search(r)
				next, _ := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
				out = append(out, fmt.Sprint(outcome(err), " ", len(res.Entries), " ", next != nil && len(next.Cookie) > 0))
				if err != nil || next == nil || len(next.Cookie) == 0 {
					break
				}
				p.SetCookie(next.Cookie)
			}
			return strings.Join(out, ", ")
		}}
	}
	cookie := func(name, value string, size uint32) step {
		return step{name: name, do: func(c *ldap.Conn) string {
			p := ldap.NewControlPaging(size)
			p.SetCookie([]byte(value))
			r := search(testSuffix, ldap.ScopeWholeSubtree, all, "1.1")
			r.Controls = []ldap.Control{p}
			res, err := c.Search(r)
			return fmt.Sprint(outcome(err), " ", len(res.Entries))
		}}
	}
	var script []step
	for i := range 12 {
		script = append(script, stepAdd("page", person(fmt.Sprint("p", i))))
	}
	script = append(script,
		pagesOf("pages of 5", 5, 0), pagesOf("pages of 4", 4, 0), pagesOf("pages of 12", 12, 0), pagesOf("pages of 100", 100, 0), pagesOf("pages of none", 0, 0),
		pagesOf("pages of 5, limit 7", 5, 7), pagesOf("pages of 5, limit 5", 5, 5), pagesOf("pages of 5, limit 3", 5, 3), pagesOf("pages of 5, limit 12", 5, 12),
		step{name: "another cookie in the middle", do: func(c *ldap.Conn) string {
			p := ldap.NewControlPaging(5)
			r := search(testSuffix, ldap.ScopeWholeSubtree, all, "1.1")
			r.Controls = []ldap.Control{p}
			_, err := c.Search(r)
			p.SetCookie([]byte("12345678"))
			_, err2 := c.Search(r)
			return outcome(err) + " " + outcome(err2)
		}},
		cookie("false cookie", "garbage!", 5), cookie("false cookie", "x", 5), cookie("false cookie, no size", "12345678", 0),
		pagesOf("still works", 5, 0),
	)
	compareServers(t, script)
}
