package feed

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/testenv"
)

func TestDR05_ADChangesArriveAndIDsStay(t *testing.T) {
	w := newADWorld(t, Config{}, "")
	w.addUser("early")
	w.start()
	w.following()
	w.equal()
	if mode := w.feed.Status().Mode; mode != ModeAD {
		t.Errorf("auto chose %s", mode)
	}
	dn := w.addUser("ann", "mail", "ann@example.com", "manager", w.user("early"))
	w.equal()
	id := w.store.byName("ann")[0].ID
	w.modify(dn, "mail", "ann@example.org")
	w.equal()
	w.rename(dn, "CN=Anne", "")
	w.modify(w.user("Anne"), "sAMAccountName", "anne")
	w.equal()
	w.addOU("OU=Branch,OU=People," + w.samba.BaseDN)
	w.rename(w.user("Anne"), "CN=Anne", "OU=Branch,OU=People,"+w.samba.BaseDN)
	w.equal()
	if got := w.store.byName("anne"); len(got) != 1 || got[0].ID != id {
		t.Fatalf("after the move: %v", got)
	}
	full := w.feed.Status().Refreshes
	w.del("CN=Anne,OU=Branch,OU=People," + w.samba.BaseDN)
	w.equal()
	w.addUser("anne") // somebody else under the old name is somebody else
	w.equal()
	if w.store.byName("anne")[0].ID == id {
		t.Fatal("the identity passed on with the name")
	}
	if w.feed.Status().Refreshes != full {
		t.Error("a deletion took a full read or a sweep")
	}
}

func TestDR06_ADContainerRename(t *testing.T) {
	w := newADWorld(t, Config{}, "")
	base := w.samba.BaseDN
	branch := "OU=Branch,OU=People," + base
	w.addOU(branch)
	w.must(w.addUserAt("CN=boss,"+branch, "boss"))
	w.must(w.addUserAt("CN=clerk,"+branch, "clerk", "manager", "CN=boss,"+branch))
	w.addUser("outside", "manager", "CN=boss,"+branch)
	w.addTeam("staff", "CN=clerk,"+branch, w.user("outside"))
	w.start()
	w.following()
	w.equal()
	w.rename(branch, "OU=Twig", "")
	w.equal()
	w.rename("OU=Twig,OU=People,"+base, "OU=Twig", base)
	w.equal()
	w.modify("CN=clerk,OU=Twig,"+base, "mail", "clerk@example.com")
	w.equal()
}

// A container that leaves the base takes everything below it along, and one that
// enters brings it.
func TestDR06_ADContainerLeavesTheBase(t *testing.T) {
	w := newADWorld(t, Config{}, "OU=People,")
	base := w.samba.BaseDN
	branch := "OU=Branch,OU=People," + base
	w.addOU(branch)
	w.must(w.addUserAt("CN=clerk,"+branch, "clerk"))
	dn := w.addUser("ann")
	w.start()
	w.following()
	w.equal()
	w.rename(dn, "CN=ann", "OU=Groups,"+base)
	w.equal()
	if len(w.store.byName("ann")) != 0 {
		t.Error("who left the base is still there")
	}
	w.rename("CN=ann,OU=Groups,"+base, "CN=ann", "OU=People,"+base)
	w.equal()
	w.rename(branch, "OU=Branch", "OU=Groups,"+base)
	w.equal()
	if len(w.store.byName("clerk")) != 0 {
		t.Error("who left the base with a container is still there")
	}
	w.rename("OU=Branch,OU=Groups,"+base, "OU=Branch", "OU=People,"+base)
	w.equal()
	if len(w.store.byName("clerk")) != 1 || len(w.store.byName("ann")) != 1 {
		t.Error("who came back is not there")
	}
}

func TestDR07_DR18_ADMembers(t *testing.T) {
	w := newADWorld(t, Config{}, "")
	boss, clerk := w.addUser("boss"), w.addUser("clerk", "manager", w.user("boss"))
	one, two := w.addTeam("one", boss, clerk), w.addTeam("two", boss)
	w.start()
	w.following()
	w.equal()
	w.member(two, true, clerk, one)
	w.equal()
	w.member(two, false, boss)
	w.equal()
	w.modify(two, "member") // emptied
	w.equal()
	w.member(two, true, boss)
	w.del(boss)
	w.equal()
	for _, f := range w.store.dump() {
		if f.Kind == directory.KindGroup && f.Name == "one" && len(f.Members) != 1 {
			t.Errorf("members of one: %v", f.Members)
		}
	}
	w.del(one)
	w.equal()
}

func TestDR08_ADLeavesAndEntersTheFilter(t *testing.T) {
	w := newADWorld(t, Config{}, "")
	dn := w.addUser("ann")
	w.addTeam("staff", dn)
	w.start()
	w.following()
	w.equal()
	id := w.store.byName("ann")[0].ID
	w.modify(dn, "employeeType", "hidden")
	w.eventually("ann is gone", func() bool { return len(w.store.byName("ann")) == 0 })
	w.modify(dn, "employeeType", "open")
	w.eventually("ann is back", func() bool { return len(w.store.byName("ann")) == 1 })
	if w.store.byName("ann")[0].ID != id {
		t.Fatal("another id")
	}
}

func TestDR09_ADRestartsReadOnlyTheChanges(t *testing.T) {
	w := newADWorld(t, Config{}, "")
	for i := range 30 {
		w.addUser(numbered("user", i))
	}
	w.start()
	w.following()
	w.equal()
	w.stop()
	before := w.reads()
	w.modify(w.user("user3"), "mail", "three@example.com")
	w.del(w.user("user4"))
	w.start()
	w.following()
	w.equal()
	if n := w.reads() - before; n > 3 || w.feed.Status().Refreshes != 0 {
		t.Errorf("a restart read %d entries, %d full reads", n, w.feed.Status().Refreshes)
	}
	// The server restarts, too.
	w.samba.Kill()
	w.must(w.samba.Restart())
	w.admin = w.samba.Admin(t)
	w.addUser("late")
	w.equal()
	if w.feed.Status().Refreshes != 0 {
		t.Error("a restart of the server took a full read")
	}
}

// Another controller, or the same one put back from a backup, counts otherwise:
// everything is read again, and nothing is emptied in between.
func TestDR11_ADAnotherController(t *testing.T) {
	w := newADWorld(t, Config{}, "")
	w.addUser("ann")
	w.start()
	w.following()
	w.equal()
	w.store.watch()
	w.must(w.samba.Reincarnate())
	w.admin = w.samba.Admin(t)
	w.addUser("new")
	w.equal()
	if w.feed.Status().Refreshes < 2 {
		t.Error("a restored controller was believed")
	}
	for name, cookie := range map[string]string{
		"from the future": strings.NewReplacer(`"since":"`, `"since":"9`).Replace(w.store.cookie),
		"garbage":         "garbage", "another server": strings.ReplaceAll(w.store.cookie, "DC1", "DC2"),
	} {
		w.stop()
		w.store.mu.Lock()
		w.store.cookie = cookie
		w.store.mu.Unlock()
		w.addUser("after " + name)
		w.start()
		w.following()
		w.equal()
		if w.feed.Status().Refreshes != 1 {
			t.Errorf("%s: %d full reads", name, w.feed.Status().Refreshes)
		}
	}
	if w.store.lowest < 2 {
		t.Errorf("the store held %d entries for a while", w.store.lowest)
	}
}

// A service account that may not see what was deleted finds out by sweeps.
func TestADDeletionsWithoutTheRight(t *testing.T) {
	w := newADWorld(t, Config{Sweep: 100 * time.Millisecond}, "", testenv.WithWeakService())
	for i := range 12 {
		w.addUser(numbered("user", i))
	}
	w.start()
	w.following()
	w.equal()
	w.del(w.user("user4"))
	w.equal()
}

// With no interval configured a change is visible within two seconds.
func TestADDelayOfOneChange(t *testing.T) {
	w := newADWorld(t, Config{Interval: -1}, "")
	w.cfg.Interval = 0
	dn := w.addUser("ann")
	w.start()
	w.following()
	w.equal()
	slowest := time.Duration(0)
	for i := range 4 {
		mail := numbered("ann", i) + "@example.com"
		began := time.Now()
		w.modify(dn, "mail", mail)
		w.eventually(mail, func() bool { return w.store.byName("ann")[0].Attributes.First("mail") == mail })
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("slowest of four changes: %s", slowest)
	if slowest > 2*time.Second {
		t.Errorf("a change took %s", slowest)
	}
}

// References are by identity: who is renamed where nobody looks keeps his groups
// when he comes into view, and who takes over his old DN does not get them.
func TestADReferencesToWhoWasNotSeen(t *testing.T) {
	w := newADWorld(t, Config{}, "OU=People,")
	outside := "OU=Groups," + w.samba.BaseDN
	unseen, hidden := "CN=unseen,"+outside, w.addUser("hidden", "employeeType", "hidden")
	w.must(w.addUserAt(unseen, "unseen"))
	boss := w.addUser("boss", "manager", unseen)
	group := ldap.NewAddRequest("CN=team,OU=People,"+w.samba.BaseDN, nil)
	group.Attribute("objectClass", []string{"group"})
	group.Attribute("sAMAccountName", []string{"team"})
	group.Attribute("member", []string{unseen, hidden, boss})
	w.must(w.admin.Add(group))
	w.start()
	w.following()
	w.equal()
	w.rename(unseen, "CN=seen", "OU=People,"+w.samba.BaseDN)
	w.rename(hidden, "CN=renamed", "")
	w.equal()
	w.must(w.addUserAt(hidden, "impostor"))
	w.equal()
	if members := w.store.dump(); !strings.Contains(fmt.Sprint(members), "seen") {
		t.Error("who came is not there")
	}
	w.modify(w.user("renamed"), "employeeType")
	w.equal()
	if w.feed.Status().Refreshes != 1 {
		t.Error("that took a full read")
	}
}
