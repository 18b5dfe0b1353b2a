package population

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"portico/directory"
	"portico/directory/client"
	"portico/testenv"
)

// The connection is cut after every few bytes of what the server says in the
// course of a write: whatever the step, the write is done and said to be, or is
// not done and said not to be.
func TestL72_LostAnswersAreFoundOut(t *testing.T) {
	server := testenv.OpenLDAP(t)
	proxy := testenv.OpenProxy(t, server.Address())
	w := newWriteWorld(t, server, setUp{url: proxy.URL("ldap"), client: func(c *client.Config) { c.Cooldown = 20 * time.Millisecond }})
	boss := w.person("boss")
	g := w.group("staff", boss)
	outcomes := map[string]int{}
	judge := func(what string, cut int64, err error, done, undone bool) {
		t.Helper()
		switch {
		case err == nil && done:
			outcomes[what+" done"]++
		case err != nil && undone:
			outcomes[what+" not done"]++
		case err != nil && directory.WriteFaultOf(err) == directory.WriteUnknown:
			outcomes[what+" unknown"]++
			t.Errorf("%s, cut after %d bytes: the directory answers, and the outcome is unknown: %v", what, cut, err)
		default:
			t.Errorf("%s, cut after %d bytes: done %v, not done %v, but %v", what, cut, done, undone, err)
		}
	}
	calm := func() { // no more cuts, and the client has noticed
		proxy.CutAfter(1 << 40)
		for w.client.Ping(t.Context()) != nil {
			time.Sleep(5 * time.Millisecond)
		}
	}
	const step, most = 45, 1800
	for cut := int64(1); cut < most; cut += step {
		name := fmt.Sprintf("u%d", cut)
		dn := "uid=" + name + ",ou=people," + server.BaseDN
		proxy.CutAfter(cut)
		e, err := w.Create(t.Context(), "", directory.NewEntry{Kind: directory.KindPerson, Name: name, Password: "correct horse"})
		calm()
		there := w.raw(dn) != nil
		judge("create", cut, err, there && w.client.Bind(t.Context(), dn, "correct horse").Verdict != directory.VerdictWrong, !there)
		if err != nil {
			if there {
				continue
			}
			e = w.person(name)
		}

		proxy.CutAfter(cut)
		_, err = w.Modify(t.Context(), e.ID, directory.Change{
			Name: new(name + "x"), Attributes: directory.Attributes{"mail": {"a@example.org", "b@example.org"}}, Disabled: new(true),
		})
		calm()
		renamed := "uid=" + name + "x,ou=people," + server.BaseDN
		raw, old := w.raw(renamed), w.raw(dn)
		judge("rename and change", cut, err,
			raw != nil && old == nil && len(raw.GetAttributeValues("mail")) == 2 && raw.GetAttributeValue("pwdAccountLockedTime") != "",
			raw == nil && old != nil && len(old.GetAttributeValues("mail")) == 0 && old.GetAttributeValue("pwdAccountLockedTime") == "")

		proxy.CutAfter(cut)
		_, err = w.Modify(t.Context(), g.ID, directory.Change{AddMembers: ids(e), RemoveMembers: ids(boss)})
		calm()
		now, err2 := w.PersonByID(t.Context(), e.ID)
		if err2 != nil {
			t.Fatal(err2)
		}
		members := w.values(g.DN, "member")
		in, out := slices.Contains(members, now.DN), slices.Contains(members, boss.DN)
		judge("members", cut, err, in && !out, !in)
		w.modify(g.ID, directory.Change{AddMembers: ids(boss, e)})

		proxy.CutAfter(cut)
		err = w.Delete(t.Context(), e.ID, "")
		calm()
		gone := w.raw(now.DN) == nil
		members = w.values(g.DN, "member")
		judge("delete", cut, err, gone && !slices.Contains(members, now.DN), !gone && slices.Contains(members, now.DN))
		if !gone {
			if err := w.Delete(t.Context(), e.ID, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	proxy.CutAfter(1 << 40)
	t.Logf("%v", outcomes)
}

// A directory that is gone after it got the request leaves an unknown outcome, and
// one that cannot be reached at all leaves nothing changed.
func TestL72_WhoCannotAskDoesNotGuess(t *testing.T) {
	server := testenv.OpenLDAP(t)
	proxy := testenv.OpenProxy(t, server.Address())
	w := newWriteWorld(t, server, setUp{url: proxy.URL("ldap"), client: func(c *client.Config) {
		c.Timeout, c.Cooldown = 500*time.Millisecond, 20*time.Millisecond
	}})
	e := w.person("jdoe")
	if _, err := w.client.Features(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	_, err := w.Modify(t.Context(), e.ID, directory.Change{Attributes: directory.Attributes{"phone": {"1"}}})
	server.Resume()
	fault(t, err, directory.WriteUnavailable, "") // it was still reading
	proxy.Refuse()
	_, err = w.Modify(t.Context(), e.ID, directory.Change{Attributes: directory.Attributes{"phone": {"1"}}})
	fault(t, err, directory.WriteUnavailable, "")
	_, err = w.Create(t.Context(), "", directory.NewEntry{Kind: directory.KindPerson, Name: "other"})
	fault(t, err, directory.WriteUnavailable, "*")
	if err := proxy.Accept(); err != nil {
		t.Fatal(err)
	}
	if got := w.values(e.DN, "telephoneNumber"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
