package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"portico/adapter"
)

// Somebody who must change the password does so on the way to an application,
// and the directory has the new one.
func TestSigninPage_MustChangePassword(t *testing.T) {
	ldap := startOpenLDAP(t)
	s := start(t, ldap, setup{})
	s.waitReady()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	code, err := s.app.adapter.NewLoginKey(t.Context(), "Tasks", "")
	if err != nil {
		t.Fatal(err)
	}
	back := s.app.cfg.ExternalURL() + s.app.cfg.APIs.Action.Prefix + "/home.php?from=app"
	address := s.url + s.app.cfg.APIs.Action.Prefix + "/login/?code=" + code + "&redirect=" + back
	post := func(pairs ...string) (*http.Response, string) {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		resp, err := browser.PostForm(address, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	post("username", "expired")
	if _, body := post("password", "expired-pw"); !strings.Contains(body, `name="oldpassword"`) {
		t.Fatalf("no form for a new password:\n%s", body)
	}
	resp, body := post("oldpassword", "expired-pw", "newpassword", "quite new words", "newpassword2", "quite new words")
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != back {
		t.Fatalf("%d:\n%s", resp.StatusCode, body)
	}
	s.ok("auth", "username", "expired", "password", "quite new words")
	s.refused("auth", "username", "expired", "password", "expired-pw")
	if got := s.ok("acctstatus", "username", "expired")["account"]; got != "NORMAL" {
		t.Errorf("status %v", got)
	}
	uid, err := s.app.adapter.CheckLoginKey(t.Context(), code)
	person, other := s.app.adapter.Person(t.Context(), adapter.ByUsername("expired"))
	if err != nil || other != nil || person.UID != uid {
		t.Errorf("uid %d, %v, %v", uid, err, other)
	}
}

// TestPages_Configured: how long sessions last and how long passwords must be are
// the administrator's choice.
func TestPages_Configured(t *testing.T) {
	s := start(t, startOpenLDAP(t), setup{top: "pages: {idle_timeout: 7m, max_age: 3h, fresh_for: 2m, min_password_length: 20}"})
	s.waitReady()
	err := s.app.adapter.ChangePassword(t.Context(), adapter.ByUsername("jdoe"), "jdoe-pw", "nineteen characters", adapter.Client{})
	if adapter.ReasonOf(err) != "short" {
		t.Errorf("a password of 19 characters: %v", err)
	}
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	err = s.app.adapter.ChangePassword(t.Context(), adapter.ByUsername("jdoe"), "jdoe-pw", "twenty characters it", adapter.Client{})
	if err != nil {
		t.Fatal(err)
	}
	s.ok("auth", "username", "jdoe", "password", "twenty characters it")

	pages, err := pagesConfig(s.app.cfg)
	must(t, err)
	if pages.IdleTimeout != 7*time.Minute || pages.MaxAge != 3*time.Hour || pages.FreshFor != 2*time.Minute {
		t.Errorf("sessions: %v, %v, %v", pages.IdleTimeout, pages.MaxAge, pages.FreshFor)
	}
}
