package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"portico/adapter"
	"portico/adapter/collaboration"
	"portico/adapter/store"
	"portico/internal/texts"
	"portico/testenv"
)

// post writes letters of a house and keeps the tokens of their links.
type post struct {
	*adapter.Adapter
	mu     sync.Mutex
	tokens map[string]string // by address
}

func (p *post) CanMail() bool { return true }

func (p *post) ComposeLetter(l adapter.Letter) (store.Message, error) {
	_, token, _ := strings.Cut(l.Path, "token=")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens[l.To] = token
	return store.Message{To: l.To, Subject: "x", Text: "x"}, nil
}

// withCollaborations adds an organisation with one collaboration, of which ada is
// administrator, to a house.
func (h *house) withCollaborations() (*collaboration.Collaborations, *post, *collaboration.Caller) {
	h.t.Helper()
	words, err := texts.Load("en", "")
	must(h.t, err)
	p := &post{Adapter: h.adapter, tokens: map[string]string{}}
	c := collaboration.New(collaboration.Config{PagePath: prefix}, collaboration.Deps{
		People: h.adapter, Post: p, Store: h.store, Texts: words, Log: h.console.log, Now: h.clock.Now,
	})
	h.console.collabs = c
	ctx := h.t.Context()
	_, err = c.PutOrg(ctx, collaboration.Org{ShortName: "acme", Name: "Acme Works"}, nil)
	must(h.t, err)
	_, err = c.PutService(ctx, collaboration.Service{EntityID: "urn:grid", Abbreviation: "grid", Name: "Grid", Settings: store.ServiceSettings{
		AccessAll: true, Managers: []string{"grid@example.org"},
	}}, nil)
	must(h.t, err)
	caller := collaboration.Command("acme")
	platform := "1"
	if h.uid("ada") != 1 {
		platform = "2"
	}
	_, err = c.Create(ctx, caller, collaboration.NewCollaboration{
		Name: "Solar Lab <script>alert(1)</script>", Description: "Sun \"watchers\" & friends", ShortName: "solar", Administrator: platform,
	})
	must(h.t, err)
	return c, p, caller
}

func (h *house) invite(c *collaboration.Collaborations, p *post, caller *collaboration.Caller, email string) string {
	h.t.Helper()
	_, err := c.Invite(h.t.Context(), caller, collaboration.Bulk{ShortName: "solar", Emails: []string{email}, Message: "Come <b>in</b>"})
	must(h.t, err)
	return p.tokens[email]
}

func TestInvitationPages(t *testing.T) {
	h := newHouse(t)
	c, p, caller := h.withCollaborations()
	token := h.invite(c, p, caller, "x@example.org")
	page := "/account/join?token=" + token

	t.Run("Abuse_F15 scanners and scripts", func(t *testing.T) {
		for range 3 {
			r := h.browser().get(page)
			r.has(t, "Sign in to accept", "&lt;script&gt;", "Come &lt;b&gt;in&lt;/b&gt;")
			if strings.Contains(r.body, "<script>alert") {
				t.Error("a script came through")
			}
			h.browser().get("/account/join/decline?token="+token).has(t, "Decline")
		}
		_, err := c.ByToken(t.Context(), token)
		must(t, err) // still open
	})
	t.Run("from another site", func(t *testing.T) {
		b := h.signedIn("jdoe")
		b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
		if r := b.post("/account/join", "token", token); r.StatusCode != http.StatusForbidden {
			t.Errorf("status %d", r.StatusCode)
		}
	})
	t.Run("sign in, then accept", func(t *testing.T) {
		b := h.browser()
		b.get(page)
		r := b.post("/account/join", "token", token)
		if r.Request.URL.Path != prefix+"/account/signin" {
			t.Fatalf("at %s", r.Request.URL)
		}
		b.post("/account/signin?to=join", "username", "jdoe")
		r = b.post("/account/signin?to=join", "password", "jdoe secret words")
		r.has(t, "Accept as John Doe")
		b.post("/account/join", "token", token).has(t, "You are a member of Solar Lab")
		if r = b.post("/account/join", "token", token); r.StatusCode != http.StatusConflict {
			t.Errorf("twice: %d", r.StatusCode)
		}
	})
	t.Run("decline", func(t *testing.T) {
		other := h.invite(c, p, caller, "y@example.org")
		b := h.browser()
		b.post("/account/join/decline", "token", other).has(t, "The invitation was declined")
		if r := b.get("/account/join?token=" + other); r.StatusCode != http.StatusNotFound {
			t.Errorf("after that: %d", r.StatusCode)
		}
	})
	t.Run("unknown tokens", func(t *testing.T) {
		for _, text := range []string{"", "x", strings.Repeat("A", 5000), "%00"} {
			if r := h.browser().get("/account/join?token=" + url.QueryEscape(text)); r.StatusCode != http.StatusNotFound {
				t.Errorf("%.20q: %d", text, r.StatusCode)
			}
		}
	})
}

func TestConnectionPages(t *testing.T) {
	h := newHouse(t)
	c, p, caller := h.withCollaborations()
	ask := func() string {
		answer, err := c.Connect(t.Context(), caller, collaboration.Target{ShortName: "solar"}, "urn:grid")
		must(t, err)
		if answer.Status != "pending" {
			t.Fatalf("status %s", answer.Status)
		}
		return p.tokens["grid@example.org"]
	}
	token := ask()
	h.browser().get("/account/connection?token="+token).has(t, "Grid", "Acme Works", "&lt;script&gt;")
	h.browser().post("/account/connection", "token", token, "answer", "deny", "reason", "Not now").has(t, "was denied")
	if r := h.browser().post("/account/connection", "token", token, "answer", "approve", "reason", ""); r.StatusCode != http.StatusConflict {
		t.Errorf("answered twice: %d", r.StatusCode)
	}
	token = ask()
	h.browser().post("/account/connection", "token", token, "answer", "approve", "reason", "").has(t, "was approved")
	v, err := c.Organisation(context.WithoutCancel(t.Context()), caller, collaboration.Filter{Services: []string{"grid"}})
	must(t, err)
	if len(v.Collaborations) != 1 {
		t.Error("not connected")
	}
}

// TestBrowserInvitation: a phone, a keyboard, no mouse.
func TestBrowserInvitation(t *testing.T) {
	h := newHouse(t)
	c, p, caller := h.withCollaborations()
	token := h.invite(c, p, caller, "x@example.org")
	k := &keyboard{t: t, tab: testenv.Browser(t)}
	run(k, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	k.open(h.server.URL + prefix + "/account/join?token=" + token)
	k.at("document.querySelector('main form') != null")
	k.picture("join-stranger")
	k.focus("main form button")
	run(k, chromedp.KeyEvent("\r"))
	k.enter("username", "jdoe")
	k.enter("password", "jdoe secret words")
	k.at("document.body.innerText.includes('Accept as John Doe')")
	k.picture("join-signed-in")
	k.focus("main form button")
	run(k, chromedp.KeyEvent("\r"))
	k.at("document.body.innerText.includes('You are a member of Solar Lab')")
	k.picture("join-done")
	_, err := c.Connect(t.Context(), caller, collaboration.Target{ShortName: "solar"}, "urn:grid")
	must(t, err)
	k.open(h.server.URL + prefix + "/account/connection?token=" + p.tokens["grid@example.org"])
	k.at("document.querySelector('main form') != null")
	k.scheme("dark")
	k.picture("connection-dark")
	k.focus("button[value=approve]")
	run(k, chromedp.KeyEvent("\r"))
	k.at("document.body.innerText.includes('was approved')")
}
