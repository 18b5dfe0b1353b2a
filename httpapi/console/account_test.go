package console

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

func TestPIN(t *testing.T) {
	h := newHouse(t)
	b := h.signedIn("jdoe")
	b.post("/account/pin", "pin", "12a4", "pin2", "12a4").has(t, "1 to 8 digits")
	b.post("/account/pin", "pin", "1234", "pin2", "4321").has(t, `role="alert"`)
	b.post("/account/pin", "pin", "2468", "pin2", "2468").has(t, `role="status"`, "A PIN is set")
	r, err := h.adapter.CheckPIN(t.Context(), adapter.ByUsername("jdoe"), "2468", adapter.Client{})
	if err != nil || !r.Valid {
		t.Errorf("%+v, %v", r, err)
	}
	b.post("/account/pin/remove").has(t, "was removed", "No PIN is set")
	b.get("/account/").has(t, "No PIN is set")
}

func TestAppPasswordsAndPhones(t *testing.T) {
	h := newHouse(t)
	b := h.signedIn("jdoe")
	b.post("/account/apppasswords/add", "description", " ").has(t, `role="alert"`)
	r := b.post("/account/apppasswords/add", "description", "Mail <b>")
	r.has(t, "Mail &lt;b&gt;", "shown only now")
	plain := secretOf(t, r.body)
	if strings.Contains(b.get("/account/apppasswords").body, plain) {
		t.Error("shown again")
	}
	in, err := h.adapter.CheckPassword(t.Context(), adapter.SignIn{Username: "jdoe", Password: plain})
	if err != nil || !in.OK {
		t.Errorf("%+v, %v", in, err)
	}
	id := regexp.MustCompile(`name="id" value="(\d+)"`).FindStringSubmatch(r.body)[1]
	if got := h.signedIn("ada").post("/account/apppasswords/revoke", "id", id); got.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else's: %d", got.StatusCode)
	}
	b.post("/account/apppasswords/revoke", "id", id).has(t, "was removed", "nothing here yet")

	r = b.post("/account/phones/add", "description", "Old phone")
	code := secretOf(t, r.body)
	if !regexp.MustCompile(`^[0-9A-F]{5}( [0-9A-F]{5}){3}$`).MatchString(code) {
		t.Errorf("code %q", code)
	}
	valid, err := h.adapter.MobileCodeValid(t.Context(), "jdoe", code)
	if err != nil || !valid {
		t.Errorf("%v, %v", valid, err)
	}
	want := `bizsync://` + strings.ReplaceAll(h.server.URL, "/", `\`) + `\accounthub\mobile\index.php/jdoe/X`
	if got := h.console.syncText("jdoe", "X"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	id = regexp.MustCompile(`name="id" value="(\d+)"`).FindStringSubmatch(r.body)[1]
	b.post("/account/phones/revoke", "id", id).has(t, "was removed")
	if valid, _ := h.adapter.MobileCodeValid(t.Context(), "jdoe", code); valid {
		t.Error("a revoked phone is let in")
	}
}

func TestNotificationsAndHistory(t *testing.T) {
	h := newHouse(t)
	b := h.signedIn("jdoe")
	for _, n := range []adapter.NewNotification{
		{Title: "<i>One</i>", Content: "a\nb", URL: "javascript:alert(1)"},
		{Title: "Two", Content: "c", URL: "https://tasks.example.org/1"},
	} {
		_, err := h.adapter.AddNotification(t.Context(), adapter.ByUsername("jdoe"), n)
		must(t, err)
	}
	b.get("/account/").has(t, "2 unread")
	r := b.get("/account/notifications")
	r.has(t, "&lt;i&gt;One", `href="https://tasks.example.org/1"`)
	if strings.Contains(r.body, "javascript:") {
		t.Error("a script as an address")
	}
	ids := regexp.MustCompile(`name="id" value="(\d+)"`).FindAllStringSubmatch(r.body, -1)
	b.post("/account/notifications/read", "id", ids[0][1])
	b.get("/account/").has(t, "1 unread")
	b.post("/account/notifications/delete", "id", ids[0][1]).has(t, "was deleted")
	if got := h.signedIn("ada").post("/account/notifications/delete", "id", ids[2][1]); got.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else's: %d", got.StatusCode)
	}
	b.get("/account/history").has(t, "Signed in", "127.0.0.1")
}

func TestPasswordPage(t *testing.T) {
	h := newHouse(t)
	b, other := h.signedIn("jdoe"), h.signedIn("jdoe")
	b.post("/account/password", "oldpassword", "wrong", "newpassword", "brand new words", "newpassword2", "brand new words").has(t, `role="alert"`)
	r := b.post("/account/password", "oldpassword", "jdoe secret words", "newpassword", "brand new words", "newpassword2", "brand new words")
	r.has(t, "Your password was changed")
	if r.Request.URL.Path != prefix+"/account/" {
		t.Errorf("at %s", r.Request.URL)
	}
	if other.get("/account/").Request.URL.Path != prefix+"/account/signin" {
		t.Error("the other session lives on")
	}
}

func TestAbuse_C06_C07_C09_Enrolment(t *testing.T) {
	h := newHouse(t)
	b, other := h.signedIn("jdoe"), h.signedIn("jdoe")
	begun := b.post("/account/codes/begin")
	secret := secretOf(t, begun.body)
	person := func() bool {
		p, err := h.adapter.Person(t.Context(), adapter.ByUsername("jdoe"))
		must(t, err)
		return p.HasTOTP
	}
	own := "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	b.post("/account/codes/confirm", "totp", h.code(own), "secret", own).has(t, `role="alert"`)
	if person() {
		t.Fatal("active with somebody's own secret")
	}
	used := h.code(secret)
	ada := h.signedIn("ada")
	ada.post("/account/codes/begin")
	ada.post("/account/codes/confirm", "totp", used).has(t, `role="alert"`)
	b.post("/account/codes/confirm", "totp", used).has(t, "Authentication codes are on")
	if !person() {
		t.Fatal("not active")
	}
	if other.get("/account/").Request.URL.Path != prefix+"/account/signin" {
		t.Error("D10: the other session lives on")
	}
	// The code that proved the secret is used up.
	again := h.browser()
	again.post("/account/signin", "username", "jdoe")
	again.post("/account/signin", "password", "jdoe secret words")
	again.post("/account/signin", "totp", used).has(t, `role="alert"`, `name="totp"`)
	h.clock.add(31 * time.Second)
	// Replacing and removing want a fresh code.
	for _, path := range []string{"/account/codes/begin", "/account/codes/remove"} {
		b.post(path, "totp", "123456").has(t, `role="alert"`)
		if r := b.post(path); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s without a code: %d", path, r.StatusCode)
		}
	}
	b.post("/account/codes/remove", "totp", h.code(secret)).has(t, "codes are off")
	if person() {
		t.Error("still active")
	}
}

// A session that is not fresh cannot change factors, nor can one of the mobile API.
func TestAbuse_C09_FactorsWantAFreshSignin(t *testing.T) {
	h := newHouse(t)
	b := h.signedIn("jdoe")
	h.clock.add(16 * time.Minute)
	b.get("/account/").has(t, "John Doe")
	for _, rt := range routes() {
		if rt.access != forFresh {
			continue
		}
		r := b.post(rt.path, "pin", "1234", "pin2", "1234", "description", "x", "totp", "123456")
		if r.Request.URL.Path != prefix+"/account/signin" {
			t.Errorf("%s was done", rt.path)
		}
		r.has(t, "Sign in once more")
	}
	b.post("/account/signin?to=pin", "username", "jdoe")
	if r := b.post("/account/signin?to=pin", "password", "jdoe secret words"); r.Request.URL.Path != prefix+"/account/pin" {
		t.Errorf("went on to %s", r.Request.URL)
	}
	b.post("/account/pin", "pin", "2468", "pin2", "2468").has(t, "A PIN is set")
}

func TestBegin(t *testing.T) {
	h := newHouse(t)
	person, err := h.adapter.Person(t.Context(), adapter.ByUsername("jdoe"))
	must(t, err)
	w := httptest.NewRecorder()
	must(t, h.console.Begin(w, httptest.NewRequest(http.MethodPost, "/mobile/", nil), person, true))
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly {
		t.Fatalf("cookies %v", cookies)
	}
	b := h.browser()
	b.header.Set("Cookie", cookies[0].String())
	b.get("/account/").has(t, "John Doe")
	if r := b.post("/account/pin", "pin", "2468", "pin2", "2468"); r.Request.URL.Path != prefix+"/account/signin" {
		t.Error("a phone's session changed the PIN")
	}
}

func TestSessionsEnd(t *testing.T) {
	h := newHouse(t)
	out := func(b *browser) bool { return b.get("/account/").Request.URL.Path == prefix+"/account/signin" }
	b := h.signedIn("jdoe")
	h.clock.add(25 * time.Minute)
	if out(b) {
		t.Error("ended early")
	}
	h.clock.add(25 * time.Minute)
	if out(b) {
		t.Error("use does not count")
	}
	h.clock.add(31 * time.Minute)
	if !out(b) {
		t.Error("not ended by idling")
	}
	b = h.signedIn("jdoe")
	for range 25 {
		h.clock.add(29 * time.Minute)
		out(b)
	}
	if !out(b) {
		t.Error("not ended by age")
	}
	b = h.signedIn("jdoe")
	must(t, h.adapter.SetOverlay(t.Context(), adapter.ByUsername("jdoe"), store.Status{Locked: true}, "test"))
	if !out(b) {
		t.Error("a locked person is still in")
	}
	must(t, h.adapter.SetOverlay(t.Context(), adapter.ByUsername("jdoe"), store.Status{}, "test"))
	if !out(b) {
		t.Error("the session came back")
	}
	b = h.signedIn("jdoe")
	h.people.set(func() { h.people.down = true })
	if r := b.get("/account/"); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("directory down: %d", r.StatusCode)
	}
	h.people.set(func() { h.people.down = false })
	if out(b) {
		t.Error("an outage ended the session")
	}
}

// An old token does not come back, not even by a request that was under way.
func TestAbuse_D10_SignOut(t *testing.T) {
	h := newHouse(t)
	b, other, ada := h.signedIn("jdoe"), h.signedIn("jdoe"), h.signedIn("ada")
	stale := b.token()
	data, found, err := h.adapter.Session(t.Context(), stale)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	b.post("/account/signout").has(t, `name="username"`)
	must(t, h.adapter.PutSession(t.Context(), stale, 1, adapter.AnyEpoch, data, time.Now().Add(time.Hour)))
	again := h.browser()
	again.header.Set("Cookie", "portico="+stale)
	if again.get("/account/").Request.URL.Path != prefix+"/account/signin" {
		t.Error("a session came back from the dead")
	}
	other.get("/account/").has(t, "John Doe")
	third := h.signedIn("jdoe")
	third.post("/account/signout/everywhere")
	for name, gone := range map[string]*browser{"other": other, "third": third} {
		if gone.get("/account/").Request.URL.Path != prefix+"/account/signin" {
			t.Errorf("%s lives on", name)
		}
	}
	ada.get("/account/").has(t, "Ada &lt;script&gt;")
	if len(h.events(11)) < 2 {
		t.Errorf("log %v", h.events(11))
	}
}

func TestAbuse_C13_QRPicture(t *testing.T) {
	h := newHouse(t)
	h.people.names["jdoe"] = "x\r\nSet-Cookie: a=b\"><script>&secret=AAAA"
	r := h.signedIn("jdoe").post("/account/codes/begin")
	if strings.Contains(r.body, "<script>") || r.Header.Get("Set-Cookie") != "" && strings.Contains(r.Header.Get("Set-Cookie"), "a=b") {
		t.Error("broke out")
	}
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("cached: %s", r.Header.Get("Cache-Control"))
	}
	m := regexp.MustCompile(`src="data:image/png;base64,([^"]+)"`).FindStringSubmatch(r.body)
	if m == nil {
		t.Fatal("no picture")
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(m[1], "&#43;", "+"))
	must(t, err)
	picture, err := png.Decode(bytes.NewReader(data))
	must(t, err)
	if size := picture.Bounds().Dx(); size < 150 || size > 400 {
		t.Errorf("%d pixels", size)
	}
	if strings.Contains(h.log.String(), secretOf(t, r.body)) || strings.Contains(h.log.String(), "otpauth") {
		t.Error("the secret is in the log")
	}
}
