package adapter

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/directory"
)

func TestCheckPIN(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	if r, err := h.CheckPIN(ctx, ann, "1", testClient()); err != nil || r != (PINResult{}) {
		t.Errorf("none set: %+v, %v", r, err)
	}
	_, err := h.CheckPIN(ctx, ByUsername("nobody"), "1", testClient())
	wantKind(t, err, NotFound, "user")
	must(t, h.SetPIN(ctx, ann, " 0123 ", "", testClient()))
	for pin, want := range map[string]bool{
		"0123": true, " 0123\r\n": true, "123": false, "01230": false, "0 123": false, "٠١٢٣": false, "0123\u00a0": false, "": false, "+123": false,
	} {
		r, err := h.CheckPIN(ctx, ann, pin, testClient())
		if err != nil || !r.Set || r.Valid != want {
			t.Errorf("%q: %+v, %v, want %v", pin, r, err, want)
		}
	}
	if n := h.count(t, EventAPIAuthFailed); n != 7 {
		t.Errorf("%d failures logged, want 7", n)
	}
	must(t, h.SetPIN(ctx, ann, "0", "admin", testClient()))
	if r, err := h.CheckPIN(ctx, ann, "0", testClient()); err != nil || !r.Valid {
		t.Errorf("PIN 0: %+v, %v", r, err)
	}
	if p, err := h.Person(ctx, ann); err != nil || !p.HasPIN {
		t.Errorf("person: %+v, %v", p, err)
	}
	for _, bad := range []string{"123456789", "12a4", " ", "１２３４"} {
		wantKind(t, h.SetPIN(ctx, ann, bad, "", testClient()), Invalid, "pin")
	}
	must(t, h.SetPIN(ctx, ann, "", "", testClient()))
	if r, err := h.CheckPIN(ctx, ann, "0", testClient()); err != nil || r.Set {
		t.Errorf("removed: %+v, %v", r, err)
	}
	if n := h.count(t, EventUserEdited); n != 3 {
		t.Errorf("%d changes logged, want 3", n)
	}
}

func TestCheckPIN_WhoMayNotSignIn(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	must(t, h.SetPIN(ctx, ann, "1234", "", testClient()))
	h.dir.set(func() { h.dir.states["ann"] = directory.AccountState{Disabled: true} })
	if r, err := h.CheckPIN(ctx, ann, "1234", testClient()); err != nil || !r.Set || r.Valid {
		t.Errorf("disabled: %+v, %v", r, err)
	}
	h.dir.set(func() { h.dir.states["ann"] = directory.AccountState{} })
	must(t, h.SetOverlay(ctx, ann, Overlay{Alert: true}, "admin"))
	if r, err := h.CheckPIN(ctx, ann, "1234", testClient()); err != nil || !r.Valid {
		t.Errorf("alert: %+v, %v", r, err)
	}
	h.dir.set(func() { h.dir.down = true })
	_, err := h.CheckPIN(ctx, ann, "1234", testClient())
	wantKind(t, err, Unavailable, "")
}

func TestAbuse_C12_B04_B08_PINGuessesAreStopped(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	must(t, h.SetPIN(ctx, ByUsername("ann"), "4321", "", testClient()))
	must(t, h.SetPIN(ctx, ByUsername("bob"), "4321", "", testClient()))
	h.settled(t)
	names := []string{"ann", "ANN", " Ann "}
	for i := range 10 {
		r, err := h.both()[i%2].CheckPIN(ctx, ByUsername(names[i%3]), "1111", testClient())
		if err != nil || r.Valid {
			t.Fatalf("guess %d: %+v, %v", i, r, err)
		}
	}
	for i, a := range h.both() {
		for _, key := range []PersonKey{ByUsername("ann"), ByUID(h.uid(t, "ann"))} {
			if r, err := a.CheckPIN(ctx, key, "4321", testClient()); err != nil || r.Valid || !r.Set {
				t.Errorf("process %d: the right PIN after too many wrong ones: %+v, %v", i, r, err)
			}
		}
	}
	if r, err := h.CheckPIN(ctx, ByUsername("bob"), "4321", testClient()); err != nil || !r.Valid {
		t.Errorf("another account: %+v, %v", r, err)
	}
	// Abuse B07: the wait is timed, and trying on does not prolong it.
	h.clock.add(4 * time.Minute)
	_, err := h.CheckPIN(ctx, ByUsername("ann"), "1111", testClient())
	must(t, err)
	h.clock.add(time.Minute + time.Second)
	if r, err := h.CheckPIN(ctx, ByUsername("ann"), "4321", testClient()); err != nil || !r.Valid {
		t.Errorf("after the wait: %+v, %v", r, err)
	}
}

func TestAbuse_C12_PatienceIsStoppedToo(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 2 })
	ctx := t.Context()
	ann := ByUsername("ann")
	must(t, h.SetPIN(ctx, ann, "4321", "", testClient()))
	for range 5 { // always within the short limit
		for range 2 {
			_, err := h.CheckPIN(ctx, ann, "1111", testClient())
			must(t, err)
		}
		h.clock.add(6 * time.Minute)
	}
	if r, err := h.CheckPIN(ctx, ann, "4321", testClient()); err != nil || r.Valid {
		t.Errorf("after ten patient guesses: %+v, %v", r, err)
	}
	must(t, h.ClearFailures(ctx, ann, "admin", testClient()))
	if r, err := h.CheckPIN(ctx, ann, "4321", testClient()); err != nil || !r.Valid {
		t.Errorf("cleared by the administrator: %+v, %v", r, err)
	}
}

func TestAbuse_C12_GuessesAtOnceAreCountedBefore(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 3 })
	must(t, h.SetPIN(t.Context(), ByUsername("ann"), "4321", "", testClient()))
	h.settled(t)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			_, err := h.both()[i%2].CheckPIN(context.Background(), ByUsername("ann"), "1111", testClient())
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	wrong := 0
	for _, r := range h.events(t) {
		if strings.HasSuffix(r.Text, "PIN: wrong") {
			wrong++
		}
	}
	if wrong > 3 || wrong == 0 {
		t.Errorf("%d guesses were compared, at most 3 are allowed", wrong)
	}
}

func TestAbuse_B12_SuccessClearsItsOwnCounterOnly(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 3 })
	ctx := t.Context()
	for _, name := range []string{"ann", "bob"} {
		must(t, h.SetPIN(ctx, ByUsername(name), "4321", "", testClient()))
		for range 2 {
			_, err := h.CheckPIN(ctx, ByUsername(name), "1", testClient())
			must(t, err)
		}
	}
	if r, err := h.CheckPIN(ctx, ByUsername("ann"), "4321", testClient()); err != nil || !r.Valid {
		t.Errorf("ann: %+v, %v", r, err)
	}
	for name, want := range map[string]bool{"ann": true, "bob": false} {
		_, err := h.CheckPIN(ctx, ByUsername(name), "1", testClient())
		must(t, err)
		if r, err := h.CheckPIN(ctx, ByUsername(name), "4321", testClient()); err != nil || r.Valid != want {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestAbuse_C11_C12_StoredPIN(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann, bob := h.uid(t, "ann"), h.uid(t, "bob")
	must(t, h.SetPIN(ctx, ByUID(ann), "4321", "", testClient()))
	hash, err := h.store.PINHash(ctx, ann)
	must(t, err)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("stored as %q", hash)
	}
	if match, err := matchesSlowly([]byte("4321"), hash); err != nil || match {
		t.Error("the hash alone is enough to try PINs")
	}
	must(t, h.store.SetPINHash(ctx, bob, hash))
	if r, err := h.CheckPIN(ctx, ByUID(bob), "4321", testClient()); err != nil || r.Valid {
		t.Errorf("another person's hash: %+v, %v", r, err)
	}
}

func TestParseArgon(t *testing.T) {
	good := hashSlowly([]byte("x"), argonCost{memory: 64, passes: 1, lanes: 1})
	if ok, err := matchesSlowly([]byte("x"), good); err != nil || !ok {
		t.Fatalf("%q: %v, %v", good, ok, err)
	}
	if ok, err := matchesSlowly([]byte("y"), good); err != nil || ok {
		t.Errorf("another secret: %v, %v", ok, err)
	}
	for _, bad := range []string{
		"", "x", "$argon2i$" + good[len("$argon2id$"):],
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=64", "m=9999999", 1),
		strings.Replace(good, "m=64", "m=064", 1),
		strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "t=1", "t=-1", 1),
		strings.Replace(good, "p=1$", "p=1,x=2$", 1),
		good + "$", good[:len(good)-30], good[:60] + "!" + good[61:],
		good + strings.Repeat("A", 300),
	} {
		if _, err := matchesSlowly([]byte("x"), bad); err == nil {
			t.Errorf("%q was accepted", bad)
		} else if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the error tells the hash: %v", err)
		}
	}
}

func TestSlowHashQueue(t *testing.T) {
	h := newSlowHash(1)
	release := make(chan struct{})
	begun := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		_ = h.do(context.Background(), func() error { close(begun); <-release; return nil })
	})
	<-begun
	var refused, ran atomic.Int32
	for range 2 * slowWaiting {
		group.Go(func() {
			err := h.do(context.Background(), func() error { ran.Add(1); return nil })
			if KindOf(err) == Throttled && err != nil {
				refused.Add(1)
			}
		})
	}
	for refused.Load() < slowWaiting {
		time.Sleep(time.Millisecond)
	}
	close(release)
	group.Wait()
	if refused.Load() != slowWaiting || ran.Load() != slowWaiting {
		t.Errorf("%d refused, %d ran", refused.Load(), ran.Load())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	hold := make(chan struct{})
	group.Go(func() { _ = h.do(context.Background(), func() error { <-hold; return nil }) })
	for len(h.slots) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := h.do(gone, func() error { return nil }); KindOf(err) != Unavailable || err == nil {
		t.Errorf("the caller is gone: %v", err)
	}
	close(hold)
	group.Wait()
}

// With the database gone nobody gets in by what it holds.
func TestAbuse_B09_K03_WithoutTheStore(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	must(t, h.SetPIN(ctx, ann, "4321", "", testClient()))
	must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
	must(t, h.GrantPermission(ctx, ann, "ADMIN", "admin", testClient()))
	plain, err := h.AddAppPassword(ctx, ann, "mail", "", testClient())
	must(t, err)
	mobile, err := h.AddMobileCode(ctx, ann, "phone", "", testClient())
	must(t, err)
	must(t, h.store.Close())
	for what, call := range map[string]func() (bool, error){
		"PIN":        func() (bool, error) { r, err := h.CheckPIN(ctx, ann, "4321", testClient()); return r.Valid, err },
		"verifytotp": func() (bool, error) { return h.VerifyTOTP(ctx, ann, h.code(t, testSecret, 0), testClient()) },
		"browser":    func() (bool, error) { return h.CheckTOTP(ctx, ann, h.code(t, testSecret, 0), testClient()) },
		"mobile":     func() (bool, error) { return h.MobileCodeValid(ctx, "ann", mobile) },
		"code":       func() (bool, error) { p, err := h.CodeLogin(ctx, "123456", testClient()); return p != nil, err },
		"app password": func() (bool, error) {
			r, err := h.CheckPassword(ctx, SignIn{Username: "ann", Password: plain, Client: testClient()})
			return r != nil && r.OK, err
		},
		"removal": func() (bool, error) { err := h.RemoveTOTP(ctx, ann, "", "admin", testClient()); return err == nil, err },
	} {
		if ok, err := call(); ok || err == nil {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
	}
}
