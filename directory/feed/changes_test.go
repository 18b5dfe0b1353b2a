package feed

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/testenv"
)

// modes runs a case with each mechanism.
func modes(t *testing.T, run func(t *testing.T, mode Mode)) {
	for _, mode := range []Mode{ModeSyncrepl, ModePoll} {
		t.Run(string(mode), func(t *testing.T) { run(t, mode) })
	}
}

func TestDR05_ChangesArriveAndIDsStay(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode})
		w.addPerson("early")
		w.start()
		w.following()
		w.equal()

		dn := w.addPerson("ann", "mail", "ann@example.com", "manager", w.person("early"))
		w.equal()
		id := w.store.byName("ann")[0].ID
		w.modify(dn, "mail", "ann@example.org", "ann2@example.org")
		w.equal()

		w.must(w.admin.ModifyDN(ldap.NewModifyDNRequest(dn, "uid=anne", true, "")))
		w.equal()
		if got := w.store.byName("anne"); len(got) != 1 || got[0].ID != id {
			t.Fatalf("after the rename: %v", got)
		}
		w.addOU("ou=branch,ou=people," + w.server.BaseDN)
		w.must(w.admin.ModifyDN(ldap.NewModifyDNRequest(w.person("anne"), "uid=anne", true, "ou=branch,ou=people,"+w.server.BaseDN)))
		w.equal()
		if got := w.store.byName("anne"); len(got) != 1 || got[0].ID != id {
			t.Fatalf("after the move: %v", got)
		}
		w.must(w.admin.Del(ldap.NewDelRequest("uid=anne,ou=branch,ou=people,"+w.server.BaseDN, nil)))
		w.equal()

		// Somebody else under the old name is somebody else.
		w.addPerson("ann")
		w.equal()
		if w.store.byName("ann")[0].ID == id {
			t.Fatal("the identity passed on with the name")
		}
	})
}

func TestAbuse_A19_NameReuseIsAnotherIdentity(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl})
	w.start()
	w.following()
	first := w.addPerson("jdoe")
	w.equal()
	id := w.store.byName("jdoe")[0].ID
	// Renamed, and somebody new takes the name before the feed has looked.
	w.must(w.admin.ModifyDN(ldap.NewModifyDNRequest(first, "uid=jdoe-old", true, "")))
	w.addPerson("jdoe")
	w.equal()
	if got := w.store.byName("jdoe-old"); len(got) != 1 || got[0].ID != id {
		t.Fatalf("the person who was renamed: %v", got)
	}
	if got := w.store.byName("jdoe"); len(got) != 1 || got[0].ID == id {
		t.Fatalf("the new person: %v", got)
	}
}

func TestDR06_ContainerRename(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode})
		branch := "ou=branch,ou=people," + w.server.BaseDN
		w.addOU(branch)
		w.must(w.addPersonAt("uid=boss,"+branch, "boss"))
		w.must(w.addPersonAt("uid=clerk,"+branch, "clerk", "manager", "uid=boss,"+branch))
		w.addPerson("outside", "manager", "uid=boss,"+branch)
		w.addGroup("staff", "uid=clerk,"+branch, w.person("outside"))
		w.start()
		w.following()
		w.equal()
		w.must(w.admin.ModifyDN(ldap.NewModifyDNRequest(branch, "ou=twig", true, "")))
		w.equal()
		w.must(w.admin.ModifyDN(ldap.NewModifyDNRequest("ou=twig,ou=people,"+w.server.BaseDN, "ou=twig", true, w.server.BaseDN)))
		w.equal()
		// The references stay right for what happens afterwards.
		w.modify("uid=clerk,ou=twig,"+w.server.BaseDN, "mail", "clerk@example.com")
		w.equal()
	})
}

func TestDR07_DeletedMemberAndManager(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode})
		boss, clerk := w.addPerson("boss"), w.addPerson("clerk", "manager", w.person("boss"))
		w.addGroup("one", boss, clerk)
		w.addGroup("two", boss)
		w.start()
		w.following()
		w.equal()
		w.must(w.admin.Del(ldap.NewDelRequest(boss, nil)))
		w.equal()
	})
}

func TestDR08_LeavesAndEntersTheFilter(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode})
		dn := w.addPerson("ann")
		w.addGroup("staff", dn)
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
	})
}

func TestDR16_LargeGroup(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl}, testenv.WithGlobalConfig("sortvals member"),
		testenv.WithOptions(func(o *testenv.LDAPOptions) { o.NoMemberOf = true }))
	const n = 10_000
	w.must(w.server.Load(strings.NewReader(manyPeople(w.server.BaseDN, n))))
	w.admin = w.server.Admin(t)
	members := make([]string, n-1)
	for i := range members {
		members[i] = w.person("bulk" + fiveDigits(i))
	}
	w.addGroup("everybody", members...)
	w.start()
	w.following()
	w.equal()
	change := func(add bool, who string) {
		req := ldap.NewModifyRequest(w.group("everybody"), nil)
		if add {
			req.Add("member", []string{who})
		} else {
			req.Delete("member", []string{who})
		}
		w.must(w.admin.Modify(req))
	}
	change(true, w.person("bulk"+fiveDigits(n-1)))
	w.equal()
	change(false, w.person("bulk"+fiveDigits(17)))
	w.equal()

	// A storm of changes of the large group costs bounded memory.
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	for range 6 {
		change(true, w.person("bulk"+fiveDigits(17)))
		change(false, w.person("bulk"+fiveDigits(17)))
		runtime.ReadMemStats(&after)
		peak = max(peak, after.HeapAlloc)
	}
	w.equal()
	t.Logf("heap before %d MiB, highest %d MiB", before.HeapAlloc>>20, peak>>20)
	if peak > before.HeapAlloc+300<<20 {
		t.Errorf("heap grew from %d to %d MiB", before.HeapAlloc>>20, peak>>20)
	}
}

func fiveDigits(i int) string {
	const digits = "0123456789"
	b := []byte("00000")
	for p := 4; p >= 0; p-- {
		b[p] = digits[i%10]
		i /= 10
	}
	return string(b)
}

func TestDR24_NestedCyclesAndUnknownMembers(t *testing.T) {
	modes(t, func(t *testing.T, mode Mode) {
		w := newWorld(t, Config{Mode: mode})
		w.start()
		w.following()
		w.addGroup("a", w.group("b"), "uid=late,ou=people,"+w.server.BaseDN, "cn=far,dc=elsewhere,dc=org")
		w.addGroup("b", w.group("c"))
		w.addGroup("c", w.group("a"))
		w.equal()
		w.addPerson("late")
		w.equal()
		late := w.store.byName("late")[0].ID.Stable
		for _, f := range w.store.dump() {
			if f.Name == "a" && f.Kind == directory.KindGroup {
				if len(f.Members) != 2 || f.Members[0] != late && f.Members[1] != late {
					t.Fatalf("members of a: %v, late is %s", f.Members, late)
				}
			}
		}
	})
}

// Failed sign-ins write to the person's entry: each is an event.
func TestDR28_StormOfFailedBindsIsCoalesced(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeSyncrepl})
	w.must(w.server.SetPolicy(map[string]string{"pwdMaxFailure": "100000", "pwdMaxRecordedFailure": "5"}))
	victim := w.addPerson("victim")
	w.addPerson("other")
	w.start()
	w.following()
	w.equal()
	applies, upserts, _ := w.store.counters()
	events := w.feed.Status().Events

	const binds, workers = 1000, 8
	started := time.Now()
	done := make(chan error, workers)
	for range workers {
		go func() { done <- failBinds(w.server.URL(), victim, binds/workers) }()
	}
	delay := time.Duration(0)
	for range 5 { // other changes stay fast meanwhile
		time.Sleep(20 * time.Millisecond)
		delay = max(delay, w.visible("other", time.Now().Format("15:04:05.000000")+"@example.com"))
	}
	for range workers {
		w.must(<-done)
	}
	took := time.Since(started)
	w.equal()
	a, u, _ := w.store.counters()
	t.Logf("%d failed binds in %s: %d events, %d transactions, %d entries written; slowest other change visible after %s",
		binds, took.Round(time.Millisecond), w.feed.Status().Events-events, a-applies, u-upserts, delay.Round(100*time.Microsecond))
	if writes := u - upserts; writes > binds/4 && took < 2*time.Second {
		t.Errorf("%d failed binds made %d writes", binds, writes)
	}
	if delay > 3*time.Second {
		t.Errorf("another change took %s", delay)
	}
}

func failBinds(url, dn string, n int) error {
	conn, err := ldap.DialURL(url)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range n {
		if err := conn.Bind(dn, "wrong"); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
			return err
		}
	}
	return nil
}

// visible changes somebody's mail address and gives the time until the store has it.
func (w *world) visible(uid, mail string) time.Duration {
	w.t.Helper()
	started := time.Now()
	w.modify(w.person(uid), "mail", mail)
	for {
		for _, e := range w.store.byName(uid) {
			if e.Attributes.First("mail") == mail {
				return time.Since(started)
			}
		}
		if time.Since(started) > 10*time.Second {
			w.t.Fatalf("the change of %s never arrived; status %+v", uid, w.feed.Status())
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func TestDelayOfOneChange(t *testing.T) {
	w := newWorld(t, Config{Mode: ModeAuto})
	w.addPerson("ann")
	w.start()
	w.following()
	w.equal()
	slowest, sum := time.Duration(0), time.Duration(0)
	const n = 50
	for i := range n {
		d := w.visible("ann", "ann"+fiveDigits(i)+"@example.com")
		slowest, sum = max(slowest, d), sum+d
		time.Sleep(7 * time.Millisecond)
	}
	t.Logf("from the request to the store: mean %s, slowest %s", sum/n, slowest)
	if sum/n > time.Second {
		t.Errorf("mean delay %s", sum/n)
	}
	if w.feed.Status().Mode != ModeSyncrepl {
		t.Errorf("auto chose %s", w.feed.Status().Mode)
	}
}
