package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/adapter/store"
	"portico/directory"
)

const back = "https://tasks.example.org/app/?x=1+2%20y"

func (h *house) loginPath() (path, code string) {
	h.t.Helper()
	code, err := h.adapter.NewLoginKey(h.t.Context(), "Task <Floor>", "https://tasks.example.org/icon.png")
	must(h.t, err)
	return "/login/?code=" + code + "&redirect=" + back, code
}

func TestAppSignin(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	path, code := h.loginPath()
	r := b.get(path)
	r.has(t, `name="username"`, "Task &lt;Floor&gt;", `src="https://tasks.example.org/icon.png"`)
	if policy := r.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "img-src 'self' data: https://tasks.example.org;") ||
		!strings.Contains(policy, "https://tasks.example.org;") {
		t.Errorf("policy %s", policy)
	}
	b.post(path, "username", "JDoe").has(t, `name="password"`)
	b.post(path, "password", "wrong").has(t, "role=\"alert\"", `name="password"`)
	r = b.post(path, "password", "jdoe secret words")
	if r.StatusCode != http.StatusFound || r.Header.Get("Location") != back {
		t.Fatalf("%d %s", r.StatusCode, r.Header.Get("Location"))
	}
	uid, err := h.adapter.CheckLoginKey(t.Context(), code)
	if err != nil || uid != h.uid("jdoe") {
		t.Errorf("uid %d, %v", uid, err)
	}
	if len(h.events(1)) != 1 || len(h.events(2)) != 1 {
		t.Errorf("log: %v %v", h.events(1), h.events(2))
	}
	if r := b.get(path); r.StatusCode != http.StatusFound || r.Header.Get("Location") != back {
		t.Errorf("a used code: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
	if b.get("/account/").Request.URL.Path != prefix+"/account/signin" {
		t.Error("an application's sign-in opened self service")
	}
}

func TestAppSignin_Reset(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	path, _ := h.loginPath()
	b.post(path, "username", "jdoe").has(t, `name="password"`, "reset=1")
	r := b.get(strings.Replace(path, "?", "?reset=1&", 1))
	r.has(t, `name="username"`)
	if strings.Contains(r.Request.URL.RawQuery, "reset") {
		t.Errorf("still at %s", r.Request.URL)
	}
	b.post(path, "username", "ada").has(t, `name="password"`, "ada")
	other, _ := h.loginPath()
	b.get(other).has(t, `name="username"`) // progress belongs to one code
	b.post(other, "password", "ada secret words").has(t, `name="username"`)
}

func TestAppSignin_WithoutCodeOrRedirect(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	for _, path := range []string{"/login/", "/login/?code=x", "/login/?redirect=" + back, "/login/?reset=1"} {
		r := b.get(path)
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
		r.has(t, "Bad request")
	}
	if r := b.get("/login/?code=unknown&redirect=" + back); r.StatusCode != http.StatusFound || r.Header.Get("Location") != back {
		t.Errorf("unknown code: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
	path, _ := h.loginPath()
	h.clock.add(11 * time.Minute)
	if r := b.post(path, "username", "jdoe"); r.StatusCode != http.StatusFound {
		t.Errorf("old code: %d", r.StatusCode)
	}
}

func TestAppSignin_SecondFactor(t *testing.T) {
	h := newHouse(t)
	secret := h.enrol(h.signedIn("jdoe"))
	b := h.browser()
	path, code := h.loginPath()
	b.post(path, "username", "jdoe")
	b.post(path, "password", "jdoe secret words").has(t, `name="totp"`)
	if _, err := h.adapter.CheckLoginKey(t.Context(), code); adapter.KindOf(err) != adapter.NotFound {
		t.Errorf("before the code: %v", err)
	}
	b.post(path, "totp", "000000").has(t, `role="alert"`, `name="totp"`)
	if len(h.events(6)) != 1 {
		t.Errorf("log: %v", h.events(6))
	}
	if r := b.post(path, "totp", h.code(secret)); r.Header.Get("Location") != back {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestAppSignin_Statuses(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	try := func(password string) result {
		b := h.browser()
		path, _ := h.loginPath()
		b.post(path, "username", "jdoe").has(t, `name="password"`)
		return b.post(path, "password", password)
	}
	must(t, h.adapter.SetOverlay(ctx, adapter.ByUsername("jdoe"), store.Status{Terminated: true}, "test"))
	try("jdoe secret words").has(t, "account", `name="username"`)
	must(t, h.adapter.SetOverlay(ctx, adapter.ByUsername("jdoe"), store.Status{Locked: true}, "test"))
	try("jdoe secret words").has(t, "help desk")
	if strings.Contains(try("wrong").body, "help desk") {
		t.Error("the status was told without the password")
	}
	must(t, h.adapter.SetOverlay(ctx, adapter.ByUsername("jdoe"), store.Status{Alert: true}, "test"))
	if r := try("jdoe secret words"); r.Header.Get("Location") != back || len(h.mails) != 1 || h.mails[0] != "jdoe at Task <Floor>" {
		t.Errorf("alert: %d, mails %q", r.StatusCode, h.mails)
	}
	plain, err := h.adapter.AddAppPassword(ctx, adapter.ByUsername("jdoe"), "x", "", adapter.Client{})
	must(t, err)
	try(plain).has(t, "App passwords are", `name="password"`)
	h.people.set(func() { h.people.down = true })
	b := h.browser()
	path, _ := h.loginPath()
	b.post(path, "username", "jdoe")
	b.post(path, "password", "jdoe secret words").has(t, "directory", `role="alert"`)
}

func TestAppSignin_MustChange(t *testing.T) {
	for _, local := range []bool{false, true} {
		h := newHouse(t)
		if local {
			must(t, h.adapter.SetOverlay(t.Context(), adapter.ByUsername("jdoe"), store.Status{MustChange: true, Alert: true}, "test"))
		} else {
			h.people.states["jdoe"] = directory.AccountState{MustChange: true}
		}
		b := h.browser()
		path, code := h.loginPath()
		b.post(path, "username", "jdoe")
		b.post(path, "password", "jdoe secret words").has(t, `name="oldpassword"`, `name="newpassword2"`)
		change := func(old, one, two, want string) {
			t.Helper()
			b.post(path, "oldpassword", old, "newpassword", one, "newpassword2", two).has(t, want, `name="oldpassword"`)
		}
		change("jdoe secret words", "new words here", "", "all three")
		change("jdoe secret words", "new words here", "new words there", "same")
		change("jdoe secret words", "jdoe secret words", "jdoe secret words", "differ")
		change("jdoe secret words", "short", "short", "too short")
		change("jdoe secret words", "Passw0rd", "Passw0rd", "too easy")
		change("not it", "new words here", "new words here", "current password")
		h.people.refusal = &directory.PasswordError{Fault: directory.PasswordInHistory}
		change("jdoe secret words", "new words here", "new words here", "before")
		h.people.refusal = nil
		r := b.post(path, "oldpassword", "jdoe secret words", "newpassword", "new words here", "newpassword2", "new words here")
		if r.Header.Get("Location") != back {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		if _, err := h.adapter.CheckLoginKey(t.Context(), code); err != nil {
			t.Error(err)
		}
		status, err := h.adapter.AccountStatus(t.Context(), adapter.ByUsername("jdoe"))
		if err != nil || !status.MaySignIn() || local && status != adapter.StatusAlert {
			t.Errorf("status %v, %v", status, err)
		}
		if len(h.events(3)) != 1 || len(h.events(1)) != 1 {
			t.Errorf("log: %v", h.events())
		}
	}
}

// Somebody who must change the password and has authentication codes shows one
// before anything can be changed.
func TestAbuse_C08_MustChangeWithSecondFactor(t *testing.T) {
	h := newHouse(t)
	secret := h.enrol(h.signedIn("jdoe"))
	h.people.set(func() { h.people.states["jdoe"] = directory.AccountState{MustChange: true} })
	b := h.browser()
	path, _ := h.loginPath()
	b.post(path, "username", "jdoe")
	b.post(path, "password", "jdoe secret words").has(t, `name="totp"`)
	if r := b.post(path, "oldpassword", "jdoe secret words", "newpassword", "new words here", "newpassword2", "new words here"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("the step was skipped: %d", r.StatusCode)
	}
	b.post(path, "totp", h.code(secret)).has(t, `name="oldpassword"`)
	r := b.post(path, "oldpassword", "jdoe secret words", "newpassword", "new words here", "newpassword2", "new words here")
	if r.Header.Get("Location") != back {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestAbuse_G04_Redirects(t *testing.T) {
	h := newHouse(t)
	for address, want := range map[string]bool{
		back:                               true,
		"HTTPS://Tasks.Example.Org:443/x":  true,
		"http://127.0.0.1:9/deep?q=1":      true,
		h.server.URL + "/accounthub/":      true,
		"http://tasks.example.org/app/":    false,
		"https://tasks.example.org:8443/":  false,
		"https://tasks.example.org.evil/":  false,
		"https://evil/#tasks.example.org":  false,
		"https://tasks.example.org@evil/":  false,
		"https://evil\\tasks.example.org/": false,
		"//evil/":                          false,
		"\\\\evil/":                        false,
		"https:evil":                       false,
		"https:/tasks.example.org/":        false,
		"https:///tasks.example.org/":      false,
		"javascript:alert(1)":              false,
		"data:text/html,x":                 false,
		"/account/":                        false,
		"https://tasks.example.org\t/":     false,
		"https://tasks.example.org\r\nX:y": false,
		" https://tasks.example.org/":      false,
		"https://tasks.example.org\x00/":   false,
		"ftp://tasks.example.org/":         false,
		"":                                 false,
	} {
		if got := h.console.allowed(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
	b := h.browser()
	code, err := h.adapter.NewLoginKey(t.Context(), "x", "")
	must(t, err)
	for _, evil := range []string{"https://evil.example/", "https%3A%2F%2Fevil.example%2F", "//evil.example/", "%2F%2Fevil.example"} {
		for _, key := range []string{code, "unknown"} {
			r := b.get("/login/?code=" + key + "&redirect=" + evil)
			if r.StatusCode != http.StatusBadRequest || r.Header.Get("Location") != "" {
				t.Errorf("%s: %d %s", evil, r.StatusCode, r.Header.Get("Location"))
			}
		}
	}
	b.post("/account/signin?to=//evil.example", "username", "jdoe")
	if r := b.post("/account/signin?to=https://evil.example", "password", "jdoe secret words"); r.Request.URL.Path != prefix+"/account/" {
		t.Errorf("self service led to %s", r.Request.URL)
	}
}

// Neither the first step nor a wrong password tells whether somebody exists.
func TestAbuse_B01_B02_NobodyLooksLikeSomebody(t *testing.T) {
	h := newHouse(t)
	must(t, h.adapter.SetOverlay(t.Context(), adapter.ByUsername("ada"), store.Status{Terminated: true}, "test"))
	page := func(name string) string {
		b := h.browser()
		path, _ := h.loginPath()
		one := b.post(path, "username", name).body
		two := b.post(path, "password", "wrong").body
		code := path[strings.Index(path, "code=")+5 : strings.Index(path, "&")]
		clean := strings.NewReplacer(name, "NAME", code, "CODE", strings.ReplaceAll(code, "+", "%2B"), "CODE")
		return clean.Replace(one + two)
	}
	want := page("jdoe")
	for _, name := range []string{"nobody", "ada"} {
		if got := page(name); len(got) != len(want) {
			t.Errorf("%s differs:\n%s\n%s", name, got, want)
		}
	}
}
