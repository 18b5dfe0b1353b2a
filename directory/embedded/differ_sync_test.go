package embedded

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// consumer follows a directory and writes down what it is told.
type consumer struct {
	cookie string
	names  map[string]string // uuid -> DN, so that ids can be compared
}

// refreshOnly runs one refresh and shows it.
func (k *consumer) refreshOnly(c *ldap.Conn, base, filter string, cookie string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r := c.Syncrepl(ctx, search(base, ldap.ScopeWholeSubtree, filter, "uid"), 16, ldap.SyncRequestModeRefreshOnly, []byte(cookie), false)
	var out []string
	for r.Next() {
		out = append(out, k.seen(r)...)
	}
	if len(out) > 1 { // the order of entries is the server's choice
		slices.Sort(out[:len(out)-1])
	}
	return strings.Join(append(out, "end "+outcome(r.Err())), "\n  ")
}

func (k *consumer) seen(r ldap.Response) []string {
	var out []string
	e := r.Entry()
	for _, control := range r.Controls() {
		switch x := control.(type) {
		case *ldap.ControlSyncState:
			id := x.EntryUUID.String()
			k.names[id] = e.DN
			line := fmt.Sprintf("state %d %s %d", x.State, e.DN, len(e.Attributes))
			if len(x.Cookie) > 0 {
				k.cookie = string(x.Cookie)
				line += " cookie"
			}
			out = append(out, line)
		case *ldap.ControlSyncDone:
			out = append(out, fmt.Sprintf("done deletes=%v cookie=%v", x.RefreshDeletes, len(x.Cookie) > 0))
			if len(x.Cookie) > 0 {
				k.cookie = string(x.Cookie)
			}
		case *ldap.ControlSyncInfo:
			out = append(out, k.info(x))
		default:
			out = append(out, "control "+control.GetControlType())
		}
	}
	return out
}

func (k *consumer) info(x *ldap.ControlSyncInfo) string {
	keep := func(cookie []byte) string {
		if len(cookie) > 0 {
			k.cookie = string(cookie)
		}
		return fmt.Sprint(" cookie=", len(cookie) > 0)
	}
	switch {
	case x.NewCookie != nil:
		return "new cookie" + keep(x.NewCookie.Cookie)
	case x.RefreshDelete != nil:
		return fmt.Sprint("refreshDelete done=", x.RefreshDelete.RefreshDone) + keep(x.RefreshDelete.Cookie)
	case x.RefreshPresent != nil:
		return fmt.Sprint("refreshPresent done=", x.RefreshPresent.RefreshDone) + keep(x.RefreshPresent.Cookie)
	case x.SyncIdSet != nil:
		var ids []string
		for _, id := range x.SyncIdSet.SyncUUIDs {
			ids = append(ids, k.names[id.String()])
		}
		slices.Sort(ids)
		return fmt.Sprint("ids deletes=", x.SyncIdSet.RefreshDeletes, keep(x.SyncIdSet.Cookie), " ", strings.Join(ids, " "))
	}
	return "empty info"
}

// withConsumers gives each server a consumer of its own.
func withConsumers() func(name string, do func(k *consumer, c *ldap.Conn) string) step {
	all := map[*ldap.Conn]*consumer{}
	return func(name string, do func(k *consumer, c *ldap.Conn) string) step {
		return step{name: name, do: func(c *ldap.Conn) string {
			if all[c] == nil {
				all[c] = &consumer{names: map[string]string{}}
			}
			return do(all[c], c)
		}}
	}
}

func TestDifferential_SyncRefresh(t *testing.T) {
	t.Parallel()
	on := withConsumers()
	refresh := func(name, filter string) step {
		return on(name, func(k *consumer, c *ldap.Conn) string { return k.refreshOnly(c, testSuffix, filter, k.cookie) })
	}
	withCookie := func(cookie string) step {
		return on("cookie "+cookie, func(k *consumer, c *ldap.Conn) string {
			k2 := &consumer{names: k.names}
			return k2.refreshOnly(c, testSuffix, "(uid=*)", cookie)
		})
	}
	script := append(people(),
		refresh("first", "(objectClass=*)"),
		refresh("nothing new", "(objectClass=*)"),
		stepModify("x", annDN, func(r *ldap.ModifyRequest) { r.Replace("title", []string{"x"}) }),
		refresh("one changed", "(objectClass=*)"),
		stepDelete(bobDN), stepAdd("cy", person("cy")), stepRename("uid=pia,"+testSuffix, "uid=mia", true, ""),
		refresh("deleted, added, renamed", "(objectClass=*)"),
		refresh("other filter, nothing new", "(title=x)"),
		stepModify("away", annDN, func(r *ldap.ModifyRequest) { r.Delete("title", nil) }),
		refresh("left the filter", "(title=x)"),
		stepModify("back", annDN, func(r *ldap.ModifyRequest) { r.Replace("title", []string{"x"}) }),
		refresh("back in the filter", "(title=x)"),
		stepRename(peopleD, "ou=persons", true, ""),
		refresh("container", "(objectClass=*)"),
		stepAdd("brief", person("brief")), stepDelete("uid=brief,"+testSuffix),
		refresh("came and went", "(objectClass=*)"),
		withCookie("garbage"), withCookie("rid=000"), withCookie("rid=000,csn=garbage"),
		withCookie("rid=000,sid=001,csn=20990101000000.000000Z#000000#001#000000"),
		on("no such base", func(k *consumer, c *ldap.Conn) string { return k.refreshOnly(c, "ou=x,"+testSuffix, "(uid=*)", "") }),
	)
	compareServers(t, script)
}

// writes are done one after the other while a consumer follows.
func writes(c *ldap.Conn) []func() error {
	modify := func(dn, attr string, vals ...string) func() error {
		return func() error {
			m := ldap.NewModifyRequest(dn, nil)
			m.Replace(attr, vals)
			return c.Modify(m)
		}
	}
	return []func() error{
		func() error { return c.Add(person("new")) },
		modify("uid=new,"+testSuffix, "title", "x"),
		func() error {
			return c.ModifyDN(ldap.NewModifyDNRequest("uid=new,"+testSuffix, "uid=newer", true, peopleD))
		},
		func() error { return c.Del(ldap.NewDelRequest("uid=newer,"+peopleD, nil)) },
		func() error { return c.Del(ldap.NewDelRequest(bobDN, nil)) },
		func() error { return c.ModifyDN(ldap.NewModifyDNRequest(peopleD, "ou=persons", true, "")) },
		modify(testSuffix, "description", "unseen"),
		modify(annDN, "uid", "ann", "annie"),
	}
}

// followWrites shows everything that a consumer is told of the writes. After
// each one a marker is written, which tells that all before it is told.
func followWrites(t *testing.T, url string) string {
	writer := dialService(t, url)
	for _, s := range people() {
		s.do(writer)
	}
	lines, stop := follow(t, url, "(|(uid=*)(cn=*)(ou=*))")
	defer stop()
	var out []string
	wait := func(end string) {
		for l := range lines {
			out = append(out, l)
			if strings.Contains(l, end) {
				return
			}
		}
	}
	wait("refreshDelete")
	for i, do := range writes(writer) {
		out = append(out, outcome(do()))
		must(t, writer.Add(person(fmt.Sprint("marker", i))))
		wait(fmt.Sprint("uid=marker", i, ",", testSuffix))
	}
	return strings.Join(out, "\n")
}

func TestDifferential_SyncPersist(t *testing.T) {
	t.Parallel()
	want, got := followWrites(t, startSlapd(t)), followWrites(t, startEmbedded(t, nil).URL())
	if got != want {
		t.Errorf("OpenLDAP:\n%s\nembedded:\n%s", want, got)
	}
}
