package adapter

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"portico/directory"
)

func (h *house) signIn(t testing.TB, in SignIn) *SignInResult {
	t.Helper()
	in.Client = testClient()
	r, err := h.CheckPassword(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAppPasswords(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	plain, err := h.AddAppPassword(ctx, ann, "mail", "", testClient())
	must(t, err)
	if !isAppPassword(plain) {
		t.Errorf("made %q", plain)
	}
	for _, c := range []struct {
		name string
		in   SignIn
		want bool
	}{
		{"app password", SignIn{Password: plain}, true},
		{"app password only", SignIn{Password: plain, AppPasswordOnly: true}, true},
		{"full sign-in", SignIn{Password: plain, FullSignIn: true}, true},
		{"directory password, app password asked for, no TOTP", SignIn{Password: "ann-pw", AppPasswordOnly: true}, true},
		{"lower case", SignIn{Password: strings.ToLower(plain)}, false},
		{"without hyphens", SignIn{Password: strings.ReplaceAll(plain, "-", "")}, false},
		{"with a blank", SignIn{Password: plain + " "}, false},
		{"another of that form", SignIn{Password: "AAAAA-BBBBB-CCCCC-DDDDD"}, false},
		{"somebody else's", SignIn{Username: "bob", Password: plain}, false},
		{"on mobile", SignIn{Password: plain, Surface: SurfaceMobile}, false},
		{"on the portal", SignIn{Password: plain, Surface: SurfacePortal}, false},
	} {
		if c.in.Username == "" {
			c.in.Username = "Ann"
		}
		if r := h.signIn(t, c.in); r.OK != c.want {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
	if r := h.signIn(t, SignIn{Username: "ann", Password: plain, Surface: SurfacePortal}); r.OK || !r.AppPassword {
		t.Errorf("the portal says why: %+v", r)
	}
	must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
	for _, c := range []struct {
		password string
		appOnly  bool
		want     bool
	}{{"ann-pw", false, true}, {"ann-pw", true, false}, {plain, true, true}, {plain, false, true}} {
		if r := h.signIn(t, SignIn{Username: "ann", Password: c.password, AppPasswordOnly: c.appOnly}); r.OK != c.want {
			t.Errorf("with TOTP, %+v: %+v", c, r)
		}
	}
	list, err := h.ListAppPasswords(ctx, ann)
	if err != nil || len(list) != 1 || list[0].Description != "mail" || list[0].LastUsed == nil {
		t.Fatalf("list: %+v, %v", list, err)
	}
	wantKind(t, h.RevokeAppPassword(ctx, ByUsername("bob"), list[0].ID, "", testClient()), NotFound, "app password")
	must(t, h.RevokeAppPassword(ctx, ann, list[0].ID, "", testClient()))
	if r := h.signIn(t, SignIn{Username: "ann", Password: plain}); r.OK {
		t.Error("revoked")
	}
	_, err = h.AddAppPassword(ctx, ByUsername("nobody"), "x", "", testClient())
	wantKind(t, err, NotFound, "user")
	if dump := h.log.String(); strings.Contains(dump, plain) {
		t.Error("Abuse K04: an app password is in the log")
	}
	for _, r := range h.events(t) {
		if strings.Contains(r.Text, plain) {
			t.Error("Abuse K04: an app password is in the security log")
		}
	}
}

func TestAppPasswords_Status(t *testing.T) {
	h := newHouse(t)
	plain, err := h.AddAppPassword(t.Context(), ByUsername("ann"), "mail", "", testClient())
	must(t, err)
	for _, c := range []struct {
		state   directory.AccountState
		overlay Overlay
		want    Status
	}{
		{directory.AccountState{Disabled: true}, Overlay{}, StatusLocked},
		{directory.AccountState{MustChange: true}, Overlay{}, StatusChangePassword},
		{directory.AccountState{}, Overlay{Terminated: true}, StatusTerminated},
	} {
		h.dir.set(func() { h.dir.states["ann"] = c.state })
		must(t, h.SetOverlay(t.Context(), ByUsername("ann"), c.overlay, "admin"))
		if r := h.signIn(t, SignIn{Username: "ann", Password: plain}); r.OK || r.Status != c.want || !r.PasswordRight {
			t.Errorf("%v: %+v", c.want, r)
		}
	}
	h.dir.set(func() { h.dir.states["ann"] = directory.AccountState{} })
	must(t, h.SetOverlay(t.Context(), ByUsername("ann"), Overlay{Alert: true}, "admin"))
	if r := h.signIn(t, SignIn{Username: "ann", Password: plain, FullSignIn: true}); !r.OK || !r.Alert {
		t.Errorf("alert: %+v", r)
	}
}

func TestAppPasswords_TakenOver(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	uid := h.uid(t, "ann")
	const plain = "01234-56789-ABCDE-F0123"
	hash, err := bcrypt.GenerateFromPassword([]byte(plain), bcrypt.MinCost)
	must(t, err)
	php := "$2y$" + string(hash[4:])
	for i, hash := range []string{"garbage", "$2y$31$" + string(hash[7:]), php} {
		_, err := h.store.ImportAppPassword(ctx, uid, hash, "phone", "accounthub:"+string(rune('a'+i)))
		must(t, err)
	}
	if r := h.signIn(t, SignIn{Username: "ann", Password: "01234-56789-ABCDE-F0124"}); r.OK {
		t.Error("a wrong one")
	}
	for range 2 {
		if r := h.signIn(t, SignIn{Username: "ann", Password: plain, AppPasswordOnly: true}); !r.OK {
			t.Errorf("%+v", r)
		}
	}
	rest, err := h.store.ImportedAppPasswords(ctx, uid)
	if err != nil || len(rest) != 2 {
		t.Errorf("not hashed anew on use: %+v, %v", rest, err)
	}
}

func TestAbuse_B03_AppPasswordGuesses(t *testing.T) {
	h := newHouse(t)
	plain, err := h.AddAppPassword(t.Context(), ByUsername("ann"), "mail", "", testClient())
	must(t, err)
	for range 10 {
		h.signIn(t, SignIn{Username: "ann", Password: "AAAAA-BBBBB-CCCCC-DDDDD"})
	}
	if r := h.signIn(t, SignIn{Username: "ann", Password: plain}); r.OK {
		t.Error("the right one after too many wrong ones")
	}
	if r := h.signIn(t, SignIn{Username: "bob", Password: "bob-pw"}); !r.OK {
		t.Errorf("another account: %+v", r)
	}
}

func TestSurfaces(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	must(t, h.SetTOTP(ctx, ByUsername("bob"), testSecret, "admin", testClient()))
	for _, c := range []struct {
		name    string
		surface Surface
		user    string
		ok      bool
		code    bool
		event   EventType // 0: none
	}{
		{"mobile", SurfaceMobile, "ann", true, false, EventMobileLoginOK},
		{"mobile with TOTP", SurfaceMobile, "bob", true, false, EventMobileLoginOK},
		{"mobile, alert", SurfaceMobile, "cid", false, false, EventMobileLoginFailed},
		{"mobile, nobody", SurfaceMobile, "eve", false, false, EventMobileLoginFailed},
		{"portal", SurfacePortal, "ann", true, false, EventPortalLoginOK},
		{"portal with TOTP", SurfacePortal, "bob", false, true, 0},
		{"portal, alert", SurfacePortal, "cid", true, false, EventPortalLoginOK},
		{"portal, nobody", SurfacePortal, "eve", false, false, EventPortalLoginFailed},
		{"API", SurfaceAPI, "bob", true, false, EventAPIAuthOK},
	} {
		must(t, h.SetOverlay(ctx, ByUsername("cid"), Overlay{Alert: true}, "admin"))
		before := len(h.events(t))
		r := h.signIn(t, SignIn{Surface: c.surface, Username: c.user, Password: c.user + "-pw"})
		if r.OK != c.ok || r.NeedsCode != c.code {
			t.Errorf("%s: %+v", c.name, r)
		}
		events := h.events(t)[before:]
		if c.event == 0 && len(events) != 0 || c.event != 0 && (len(events) != 1 || events[0].Type != int(c.event)) {
			t.Errorf("Abuse K02: %s logged %+v", c.name, events)
		}
	}
}
