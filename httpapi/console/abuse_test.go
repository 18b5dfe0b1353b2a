package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"portico/adapter"
)

func TestAbuse_G01_CrossSitePosts(t *testing.T) {
	h := newHouse(t)
	for _, rt := range routes() {
		if rt.method != http.MethodPost {
			continue
		}
		for name, c := range map[string]struct {
			header  http.Header
			refused bool
		}{
			"cross-site":        {http.Header{"Sec-Fetch-Site": {"cross-site"}}, true},
			"same-site sibling": {http.Header{"Sec-Fetch-Site": {"same-site"}}, true},
			"foreign origin":    {http.Header{"Origin": {"https://evil.example"}}, true},
			"null origin":       {http.Header{"Origin": {"null"}}, true},
			"application":       {http.Header{"Origin": {"https://tasks.example.org"}}, true},
			"own origin":        {http.Header{"Origin": {h.server.URL}}, false},
			"same origin":       {http.Header{"Sec-Fetch-Site": {"same-origin"}}, false},
			"neither":           {http.Header{}, false},
		} {
			b := h.signedIn("ada")
			b.header = c.header
			b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			if r := b.post(rt.path); (r.StatusCode == http.StatusForbidden) != c.refused {
				t.Errorf("%s, %s: %d", rt.path, name, r.StatusCode)
			}
		}
	}
	if h.signedIn("ada").token() == "" {
		t.Error("nobody was signed in")
	}
}

// Changes are POSTs; their addresses do not know GET or HEAD, and a GET changes
// nothing that is stored.
func TestAbuse_G02_NoChangeByGet(t *testing.T) {
	h := newHouse(t)
	b := h.signedIn("jdoe")
	pages := map[string]bool{}
	for _, rt := range routes() {
		if rt.method == http.MethodGet {
			pages[rt.path] = true
		}
	}
	before := len(h.events())
	for _, rt := range routes() {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := b.do(method, rt.path+"?id=1&pin=1234&pin2=1234&description=x&totp=123456", nil)
			if rt.method == http.MethodPost && !pages[rt.path] && r.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, rt.path, r.StatusCode)
			}
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if r := b.do(method, rt.path, nil); r.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, rt.path, r.StatusCode)
			}
		}
	}
	b.get("/account/").has(t, "John Doe", "No PIN is set")
	if after := len(h.events()); after != before {
		t.Errorf("%d events by reading", after-before)
	}
}

func TestAbuse_G03_G05_F15_HeadersOfEveryAnswer(t *testing.T) {
	h := newHouse(t)
	check := func(r result) {
		t.Helper()
		policy := r.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: no %s in %q", r.Request.URL.Path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
			t.Errorf("%s: %q", r.Request.URL.Path, policy)
		}
		if len(r.Header["Access-Control-Allow-Origin"]) != 0 {
			t.Errorf("%s: other sites may read it", r.Request.URL.Path)
		}
		if r.Header.Get("X-Frame-Options") != "DENY" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", r.Request.URL.Path, r.Header)
		}
		if cached := r.Header.Get("Cache-Control"); cached != "no-store" && !strings.HasPrefix(r.Header.Get("Content-Type"), "text/css") {
			t.Errorf("%s: cached %q", r.Request.URL.Path, cached)
		}
		for _, bad := range []string{"<script", "onclick", "style=", "<style"} {
			if strings.Contains(r.body, bad) {
				t.Errorf("%s: %q in the page", r.Request.URL.Path, bad)
			}
		}
	}
	_, err := h.adapter.AddNotification(t.Context(), adapter.ByUsername("ada"),
		adapter.NewNotification{Title: "<script>1</script>", Content: "<img onerror=x>", URL: "https://x/\"><script>"})
	must(t, err)
	b := h.signedIn("ada")
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, rt := range routes() {
		if rt.method == http.MethodGet {
			check(b.get(rt.path))
		}
	}
	path, _ := h.loginPath()
	check(b.get(path))
	check(b.post("/account/apppasswords/add", "description", `"><script>alert(1)</script>`))
	check(b.post("/account/pin"))                                        // an error page
	check(h.browser().post("/account/signin", "username", "<script>x ")) // shown again
}

// Every page for somebody asks who that is, and a half-done sign-in is nobody.
func TestAbuse_C08_EveryRouteWantsTheWholeSignin(t *testing.T) {
	h := newHouse(t)
	h.enrol(h.signedIn("jdoe"))
	half := h.browser()
	half.post("/account/signin", "username", "jdoe")
	half.post("/account/signin", "password", "jdoe secret words").has(t, `name="totp"`)
	for name, b := range map[string]*browser{"nobody": h.browser(), "half": half} {
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, rt := range routes() {
			if rt.access == forAll {
				continue
			}
			var form url.Values
			if rt.method == http.MethodPost {
				form = url.Values{"id": {"1"}, "pin": {"1234"}, "pin2": {"1234"}}
			}
			r := b.do(rt.method, rt.path, form)
			if r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(r.Header.Get("Location"), prefix+"/account/signin") {
				t.Errorf("%s, %s %s: %d", name, rt.method, rt.path, r.StatusCode)
			}
		}
	}
}

func TestAbuse_D09_NewTokenAtEveryElevation(t *testing.T) {
	h := newHouse(t)
	first := h.signedIn("jdoe")
	before := first.token()
	secret := h.enrol(first)
	if first.token() == before {
		t.Error("the same token after enrolment")
	}
	b := h.browser()
	b.header.Set("Cookie", "portico=planted-by-somebody")
	b.post("/account/signin", "username", "jdoe")
	b.header.Del("Cookie")
	tokens := map[string]bool{"planted-by-somebody": true, "": true}
	next := func(step string) {
		t.Helper()
		if tokens[b.token()] {
			t.Errorf("the same token after %s", step)
		}
		tokens[b.token()] = true
	}
	next("the name")
	b.post("/account/signin", "password", "jdoe secret words")
	next("the password")
	b.post("/account/signin", "totp", h.code(secret))
	next("the code")
	for token := range tokens {
		if token == b.token() || token == "" {
			continue
		}
		old := h.browser()
		old.header.Set("Cookie", "portico="+token)
		if old.get("/account/").Request.URL.Path != prefix+"/account/signin" {
			t.Error("an old token is good")
		}
	}
}

func TestAbuse_D11_CookieFlags(t *testing.T) {
	for base, name := range map[string]string{"https://hub.example.org": "__Host-portico", "http://hub.example.org": "portico"} {
		h := newHouse(t, func(c *Config) { c.BaseURL = base })
		router := mux.NewRouter()
		h.console.Mount(router)
		r := httptest.NewRequest(http.MethodPost, prefix+"/account/signin", strings.NewReader("username=jdoe"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%v", cookies)
		}
		c := cookies[0]
		if c.Name != name || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" ||
			c.Secure != strings.HasPrefix(base, "https") || c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("%+v", c)
		}
		if len(c.Value) < 43 {
			t.Errorf("a token of %d characters", len(c.Value))
		}
	}
}

func TestAbuse_F14_ForgedHost(t *testing.T) {
	h := newHouse(t)
	r := httptest.NewRequest(http.MethodGet, prefix+"/login/?code=x&redirect=http://evil.example/", nil)
	r.Host = "evil.example"
	r.Header.Set("X-Forwarded-Host", "evil.example")
	router := mux.NewRouter()
	h.console.Mount(router)
	w := httptest.NewRecorder()
	router.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || strings.Contains(w.Body.String()+w.Header().Get("Content-Security-Policy"), "evil") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if address := h.console.mobileAddress(); address != h.server.URL+prefix+"/mobile/index.php" {
		t.Errorf("%s", address)
	}
}

func TestAbuse_A01_A02_OddForms(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.post("/account/signin", "username", "jdoe")
	b.post("/account/signin", "password", "").has(t, `role="alert"`, `name="password"`)
	for name, r := range map[string]result{
		"absent":   b.post("/account/signin", "other", "x"),
		"repeated": b.post("/account/signin", "password", "jdoe secret words", "password", "jdoe secret words"),
		"in query": b.post("/account/signin?password=jdoe+secret+words"),
		"huge":     b.post("/account/signin", "password", strings.Repeat("x", 5000)),
	} {
		if r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	if r := b.post("/account/signin", "password", strings.Repeat("x", 70000)); r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("larger than any form: %d", r.StatusCode)
	}
	b.header.Set("Content-Type", "application/json")
	if r := b.do(http.MethodPost, "/account/signin", nil); r.StatusCode != http.StatusBadRequest {
		t.Errorf("JSON: %d", r.StatusCode)
	}
	if len(h.events(1)) != 0 {
		t.Error("somebody came in")
	}
}

func TestAbuse_G09_ErrorPages(t *testing.T) {
	h := newHouse(t)
	b := h.signedIn("jdoe")
	must(t, h.store.Close())
	r := b.get("/account/")
	if r.StatusCode != http.StatusInternalServerError {
		t.Errorf("%d", r.StatusCode)
	}
	for _, bad := range []string{"store", "closed", "sql", ".go", "goroutine"} {
		if strings.Contains(strings.ToLower(r.body), bad) {
			t.Errorf("%q in %s", bad, r.body)
		}
	}
	w := httptest.NewRecorder()
	h.console.WriteFailure(w, httptest.NewRequest(http.MethodGet, "/", nil), 500, "r-7")
	if w.Code != 500 || !strings.Contains(w.Body.String(), "r-7") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLanguages(t *testing.T) {
	english, err := loadLabels("en", nil)
	must(t, err)
	for _, language := range []string{"nl", "de_AT"} {
		l, err := loadLabels(language, nil)
		must(t, err)
		for id, text := range l.text {
			if _, ok := english.text[id]; !ok || text == "" {
				t.Errorf("%s: %q", language, id)
			}
		}
		if l.get("next") == english.get("next") || strings.Count(l.get("home.hello"), "{name}") != 1 {
			t.Errorf("%s is not translated", language)
		}
		h := newHouse(t, func(c *Config) { c.Language = language })
		h.browser().get("/account/signin").has(t, l.get("label.username"), `<html lang="`+l.language+`"`)
	}
	if _, err := loadLabels("fr", nil); err == nil {
		t.Error("French")
	}
	for _, bad := range []Config{{}, {BaseURL: "ftp://x"}, {BaseURL: "http://x", Prefix: "a"}, {BaseURL: "http://x", Language: "../en"}} {
		if _, err := New(bad, Deps{}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// Guessing somebody's password keeps that person neither out of a session nor
// tells the guesser when the guess is right.
func TestAbuse_B07_GuessesDoNotEndSessions(t *testing.T) {
	h := newHouse(t)
	victim, attacker := h.signedIn("jdoe"), h.browser()
	attacker.post("/account/signin", "username", "jdoe")
	for range 12 {
		attacker.post("/account/signin", "password", "guess").has(t, `name="password"`)
	}
	attacker.post("/account/signin", "password", "jdoe secret words").has(t, `role="alert"`, `name="password"`)
	victim.get("/account/").has(t, "John Doe")
	victim.post("/account/pin", "pin", "2468", "pin2", "2468").has(t, "A PIN is set")
	h.clock.add(6 * time.Minute)
	if r := h.signedIn("jdoe").get("/account/"); r.StatusCode != http.StatusOK {
		t.Errorf("locked for good: %d", r.StatusCode)
	}
}

// A right password does not clear the count of wrong authentication codes.
func TestAbuse_B11_WrongCodesCount(t *testing.T) {
	h := newHouse(t)
	secret := h.enrol(h.signedIn("jdoe"))
	for range 12 {
		b := h.browser()
		b.post("/account/signin", "username", "jdoe")
		b.post("/account/signin", "password", "jdoe secret words").has(t, `name="totp"`)
		b.post("/account/signin", "totp", "000000").has(t, `role="alert"`)
	}
	b := h.browser()
	b.post("/account/signin", "username", "jdoe")
	b.post("/account/signin", "password", "jdoe secret words")
	b.post("/account/signin", "totp", h.code(secret)).has(t, `role="alert"`, `name="totp"`)
}
