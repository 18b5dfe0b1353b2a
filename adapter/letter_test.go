package adapter

import (
	"context"
	"strings"
	"testing"

	"portico/adapter/store"
	"portico/internal/texts"
)

type noMailer struct{}

func (noMailer) Send(context.Context, store.Message) error { return nil }

func letterAdapter(t *testing.T) *Adapter {
	t.Helper()
	return newHouse(t, func(c *Config) {
		words, err := texts.Load("de", "")
		if err != nil {
			t.Fatal(err)
		}
		c.Mail = MailConfig{Mailer: noMailer{}, From: "portico@example.org", Texts: words, BaseURL: "https://id.example.org/p/", Title: "Verein"}
	}).Adapter
}

// F12, F14: values cannot break out of their line or of the HTML, and a link
// begins with the configured URL.
func TestAbuse_F12_F14_Letters(t *testing.T) {
	a := letterAdapter(t)
	m, err := a.compose(Letter{
		To: "ada@example.org", ToName: "Ada\r\nBcc: eve@example.org",
		Subject: texts.InviteSubject, Body: texts.InviteBody, Button: texts.InviteButton, Footer: texts.InviteFooter,
		Values: []string{"name", "<script>alert(1)</script>\n\nhttps://evil.example", "inviter", "Eve {site}", "expires", "2026-12-06"},
		Path:   PublicPath("account", "invitation", "to/ken"),
	})
	if err != nil {
		t.Fatal(err)
	}
	const link = "https://id.example.org/p/account/invitation/to%2Fken"
	if !strings.Contains(m.Text, link) || !strings.Contains(m.HTML, `href="`+link+`"`) {
		t.Errorf("the link is missing:\n%s\n%s", m.Text, m.HTML)
	}
	if strings.Contains(m.HTML, "<script") || strings.Contains(m.Text, "\nhttps://evil") {
		t.Errorf("a value breaks out:\n%s\n%s", m.Text, m.HTML)
	}
	if m.Subject != "Einladung zu Verein" || m.From != "Verein" || strings.ContainsAny(m.ToName, "\r\n") {
		t.Errorf("subject %q, from %q, to %q", m.Subject, m.From, m.ToName)
	}
	if !strings.Contains(m.Text, "Eve {site} lädt Sie") {
		t.Errorf("a value was filled in twice:\n%s", m.Text)
	}
	if got := PublicLink("https://id.example.org", "//evil.example/x"); got != "https://id.example.org/evil.example/x" {
		t.Errorf("link %s", got)
	}
	if _, err := a.compose(Letter{To: "a@b.org\r\nBcc: x@y.org"}); KindOf(err) != Invalid {
		t.Errorf("a broken address: %v", err)
	}
	none := newHouse(t)
	if _, err := none.compose(Letter{To: "a@b.org"}); KindOf(err) != Unavailable {
		t.Errorf("no mail server: %v", err)
	}
}
