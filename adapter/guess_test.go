package adapter

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/adapter/store"
)

func TestAbuse_B10_HugeNamesInTheGate(t *testing.T) {
	g, err := newGate(2*time.Second, 10, time.Now)
	must(t, err)
	if g.pass("login", strings.Repeat("x", 1<<20)) != 0 || g.pass("login", strings.Repeat("x", 1<<20)) == 0 {
		t.Error("the gate does not hold")
	}
	for _, key := range g.passed.Keys() {
		if len(key) > 64 {
			t.Errorf("a key of %d bytes is kept", len(key))
		}
	}
}

// An importer gives a person another number while the service runs.
func TestNumberTakenOver(t *testing.T) {
	h := newHouse(t)
	old := h.uid(t, "ann")
	if _, err := h.Person(t.Context(), ByUID(old)); err != nil {
		t.Fatal(err)
	}
	subject := store.Subject{Directory: "corp", Stable: "id-ann", Name: "ann"}
	must(t, h.other.store.AssignUID(t.Context(), store.KindPerson, subject, 5000))
	h.settled(t)
	if now := h.uid(t, "ann"); now != 5000 {
		t.Errorf("the number is still %d", now)
	}
	_, err := h.Person(t.Context(), ByUID(old))
	wantKind(t, err, NotFound, "user")
}

func TestAbuse_B07_PasswordsGuessedAtOnce(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 5 })
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			r, err := h.CheckPassword(t.Context(), SignIn{Username: "ann", Password: "wrong", Client: testClient()})
			if err != nil || r.OK {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	all.Wait()
	if h.dir.binds != 5 {
		t.Errorf("%d guesses reached the directory, want 5", h.dir.binds)
	}
	h.clock.add(time.Hour)
	for range 50 {
		all.Go(func() {
			if r, err := h.CheckPassword(t.Context(), SignIn{Username: "ann", Password: "ann-pw", Client: testClient()}); err != nil || !r.OK {
				t.Errorf("right password: %+v, %v", r, err)
			}
		})
	}
	all.Wait()
}

// Who guesses codes of others must not get new tries with a code of his own.
func TestAbuse_B11_OwnCodeDoesNotClearTheCounter(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 1 })
	guess := func(n int) {
		for range n {
			_, err := h.CodeLogin(t.Context(), "000000", testClient())
			wantKind(t, err, NotFound, "code")
		}
	}
	own := func() error {
		code, err := h.GenerateCode(t.Context(), ByUsername("cid"))
		must(t, err)
		_, err = h.CodeLogin(t.Context(), strconv.Itoa(code), testClient())
		return err
	}
	for range 3 * codeFactor { // right ones do not add up
		must(t, own())
	}
	guess(codeFactor - 1)
	must(t, own())
	guess(1)
	wantKind(t, own(), NotFound, "code")
}

// Nobody's name is counted like a person's, so that neither time nor work tells them apart.
func TestAbuse_B01_NobodyIsCountedToo(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 3 })
	for _, name := range []string{"ann", "nobody"} {
		h.dir.set(func() { h.dir.binds = 0 })
		for range 5 {
			r, err := h.CheckPassword(t.Context(), SignIn{Username: name, Password: "wrong", Client: testClient()})
			if err != nil || r.OK {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		}
		if h.dir.binds != 3 {
			t.Errorf("%s: %d binds, want 3", name, h.dir.binds)
		}
	}
	h.clock.add(time.Hour)
	if _, err := h.CheckPassword(t.Context(), SignIn{Username: "nobody", Password: "wrong", Client: testClient()}); err != nil || h.dir.binds != 4 {
		t.Errorf("after the window: %d binds, %v", h.dir.binds, err)
	}
}

func TestAbuse_A20_WhatWasMadeHereIsNoPassword(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	app, err := h.AddAppPassword(ctx, ByUsername("ann"), "mail", "", testClient())
	must(t, err)
	list, err := h.ListAppPasswords(ctx, ByUsername("ann"))
	must(t, err)
	must(t, h.RevokeAppPassword(ctx, ByUsername("ann"), list[0].ID, "", testClient()))
	_, key, err := h.CreateKey(ctx, KeyRequest{API: "action", Label: "test"})
	must(t, err)
	for _, text := range []string{app, key} {
		for _, surface := range []Surface{SurfaceAPI, SurfaceMobile, SurfacePortal} {
			for _, name := range []string{"ann", "nobody"} {
				r, err := h.CheckPassword(ctx, SignIn{Surface: surface, Username: name, Password: text, Client: testClient()})
				if err != nil || r.OK {
					t.Errorf("%s: %+v, %v", name, r, err)
				}
			}
		}
	}
	if h.dir.binds != 0 {
		t.Errorf("%d of them were sent to the directory", h.dir.binds)
	}
	if n, err := h.failures(ctx, h.uid(t, "ann")); err != nil || n != 6 {
		t.Errorf("%d failures counted, %v", n, err)
	}
}

// The security log must not call a refusal "signed in".
func TestRefusalAfterARightPasswordIsLogged(t *testing.T) {
	h := newHouse(t)
	must(t, h.SetOverlay(t.Context(), ByUsername("ann"), Overlay{Terminated: true}, "admin"))
	if r := h.signIn(t, SignIn{Username: "ann", Password: "ann-pw"}); r.OK {
		t.Errorf("%+v", r)
	}
	records := h.events(t)
	if last := records[len(records)-1]; !strings.HasSuffix(last.Text, ": right password, but the account is TERMINATED") {
		t.Errorf("logged %q", last.Text)
	}
}
