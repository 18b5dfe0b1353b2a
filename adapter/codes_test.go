package adapter

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/directory"
)

func TestCodeLogin(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	code, err := h.GenerateCode(ctx, ann)
	if err != nil || code < 100_000 || code > 999_999 {
		t.Fatalf("%d, %v", code, err)
	}
	text := strconv.Itoa(code)
	for _, bad := range []string{"", "12345", text + "1", text[:3] + " " + text[3:], "B-", "１２３４５６"} {
		_, err := h.CodeLogin(ctx, bad, testClient())
		wantKind(t, err, NotFound, "code")
	}
	p, err := h.CodeLogin(ctx, "B-"+text, testClient())
	if err != nil || p.Username != "ann" {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = h.CodeLogin(ctx, text, testClient())
	wantKind(t, err, NotFound, "code")
	code, err = h.GenerateCode(ctx, ann)
	must(t, err)
	h.clock.add(oneTimeLife)
	_, err = h.CodeLogin(ctx, strconv.Itoa(code), testClient())
	wantKind(t, err, NotFound, "code")
	if ok, bad := h.count(t, EventAPIAuthOK), h.count(t, EventAPIAuthFailed); ok != 1 || bad != 8 {
		t.Errorf("%d successes and %d failures logged", ok, bad)
	}
	for _, r := range h.events(t) {
		if strings.Contains(r.Text, text) {
			t.Error("Abuse K04: a code is in the security log")
		}
	}
}

func TestCodeLogin_WhoMayNotSignIn(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	code, err := h.GenerateCode(ctx, ann)
	must(t, err)
	h.dir.set(func() { h.dir.states["ann"] = directory.AccountState{Locked: true} })
	_, err = h.CodeLogin(ctx, strconv.Itoa(code), testClient())
	wantKind(t, err, NotFound, "code")
	_, err = h.GenerateCode(ctx, ann)
	wantKind(t, err, Denied, "user")
	h.dir.set(func() { h.dir.states["ann"] = directory.AccountState{} })
	_, err = h.CodeLogin(ctx, strconv.Itoa(code), testClient())
	wantKind(t, err, NotFound, "code") // used up by the refused try
}

func TestAbuse_C10_OneTimeCodeOnce(t *testing.T) {
	h := newHouse(t)
	code, err := h.GenerateCode(t.Context(), ByUsername("ann"))
	must(t, err)
	var winners atomic.Int32
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			_, err := h.both()[i%2].CodeLogin(context.Background(), strconv.Itoa(code), testClient())
			if err == nil {
				winners.Add(1)
			} else if KindOf(err) != NotFound {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if winners.Load() != 1 {
		t.Errorf("%d got in with one code", winners.Load())
	}
}

func TestAbuse_C05_OneTimeCodeGuesses(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.FailureLimit = 1 })
	ctx := t.Context()
	guess := func(address, code string) error {
		_, err := h.CodeLogin(ctx, code, Client{Address: address})
		return err
	}
	code, err := h.GenerateCode(ctx, ByUsername("ann"))
	must(t, err)
	for i := range codeFactor {
		wantKind(t, guess("2001:db8::"+strconv.Itoa(i), "000000"), NotFound, "code")
	}
	wantKind(t, guess("2001:db8::99", strconv.Itoa(code)), NotFound, "code")
	if err := guess("192.0.2.1", strconv.Itoa(code)); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestLoginKeys(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	uid := h.uid(t, "ann")
	_, err := h.NewLoginKey(ctx, " ", "")
	wantKind(t, err, Invalid, "appname")
	code, err := h.NewLoginKey(ctx, "BinStack", "/icon.svg")
	must(t, err)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(code) {
		t.Errorf("code %q", code)
	}
	if k, err := h.other.LoginKey(ctx, code); err != nil || k.AppName != "BinStack" || k.AppIcon != "/icon.svg" || k.UID != 0 {
		t.Errorf("%+v, %v", k, err)
	}
	_, err = h.CheckLoginKey(ctx, code)
	wantKind(t, err, NotFound, "code")
	h.clock.add(loginKeyLife - time.Second)
	must(t, h.other.CompleteLoginKey(ctx, code, uid))
	wantKind(t, h.CompleteLoginKey(ctx, code, h.uid(t, "bob")), Conflict, "code")
	h.clock.add(loginKeyKept - time.Second)
	for range 2 {
		if got, err := h.CheckLoginKey(ctx, code); err != nil || got != uid {
			t.Errorf("%d, %v", got, err)
		}
	}
	h.clock.add(time.Second)
	_, err = h.CheckLoginKey(ctx, code)
	wantKind(t, err, NotFound, "code")
	late, err := h.NewLoginKey(ctx, "BinStack", "")
	must(t, err)
	h.clock.add(loginKeyLife)
	wantKind(t, h.CompleteLoginKey(ctx, late, uid), NotFound, "code")
	if readLoginKey("a b/c=") != "a+b/c=" {
		t.Error("a blank stands for a plus sign")
	}
}

func TestMobileCodes(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.LoginInterval = 2 * time.Second })
	ctx := t.Context()
	ann := ByUsername("ann")
	code, err := h.AddMobileCode(ctx, ann, "phone", "", testClient())
	if err != nil || !regexp.MustCompile(`^[0-9A-F]{20}$`).MatchString(code) {
		t.Fatalf("%q, %v", code, err)
	}
	for _, c := range []struct {
		name, code string
		want       bool
	}{
		{"ann", code, true},
		{" ANN ", strings.ToLower(code), true},
		{"ann", code[:5] + " " + code[5:], true},
		{"bob", code, false},
		{"nobody", code, false},
		{"ann", "", false},
		{"", code, false},
		{"ann", code[1:], false},
		{"ann", strings.Repeat("ı", 20), false},
	} {
		if ok, err := h.MobileCodeValid(ctx, c.name, c.code); err != nil || ok != c.want {
			t.Errorf("%q %q: %v, %v", c.name, c.code, ok, err)
		}
	}
	caller := func(name, code string) (*Person, error) {
		return h.MobileCaller(ctx, MobileSignIn{Username: name, Code: code, Client: testClient()})
	}
	must(t, h.SetOverlay(ctx, ann, Overlay{Locked: true}, "admin"))
	for range 2 {
		if p, err := caller("Ann", code); err != nil || p.Username != "ann" {
			t.Errorf("%+v, %v", p, err)
		}
	}
	_, err = caller("bob", code)
	wantKind(t, err, Unauthenticated, "key")
	_, err = caller("bob", code)
	if KindOf(err) != Throttled {
		t.Errorf("again at once: %v", err)
	}
	records := h.events(t)
	last := records[len(records)-1]
	if last.Type != int(EventMobileBadKey) || strings.Contains(last.Text, code) || !strings.Contains(last.Text, code[:3]+"****"+code[17:]) {
		t.Errorf("logged %+v", last)
	}
	list, err := h.ListMobileCodes(ctx, ann)
	if err != nil || len(list) != 1 || list[0].Description != "phone" {
		t.Fatalf("list: %+v, %v", list, err)
	}
	wantKind(t, h.RevokeMobileCode(ctx, ByUsername("bob"), list[0].ID, "", testClient()), NotFound, "mobile code")
	must(t, h.RevokeMobileCode(ctx, ann, list[0].ID, "", testClient()))
	if ok, err := h.other.MobileCodeValid(ctx, "ann", code); err != nil || ok {
		t.Errorf("revoked: %v, %v", ok, err)
	}
	h.dir.set(func() { h.dir.down = true })
	_, err = h.MobileCodeValid(ctx, "ann", code)
	wantKind(t, err, Unavailable, "")
}
