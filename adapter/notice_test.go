package adapter

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
)

// postbox keeps what it is given.
type postbox struct {
	mu    sync.Mutex
	mails []store.Message
}

func (p *postbox) Send(_ context.Context, m store.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, m)
	return nil
}

func (p *postbox) all() []store.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]store.Message(nil), p.mails...)
}

// Whoever changes what a person signs in with: the person hears of it by mail, in
// the language of the server, and no secret is in the mail.
func TestAbuse_C09_NoticeOfChangedFactors(t *testing.T) {
	for language, words := range map[string][]string{
		"en": {"password changed", "PIN set", "PIN removed", "app password added", "app password revoked", "mobile device added", "mobile device removed", "authenticator app set up", "authenticator app removed"},
		"nl": {"wachtwoord gewijzigd", "pincode ingesteld", "pincode verwijderd", "app-wachtwoord toegevoegd", "app-wachtwoord ingetrokken", "mobiel apparaat toegevoegd", "mobiel apparaat verwijderd", "authenticator-app ingesteld", "authenticator-app verwijderd"},
		"de": {"Passwort geändert", "PIN gesetzt", "PIN entfernt", "App-Passwort hinzugefügt", "App-Passwort widerrufen", "Mobilgerät hinzugefügt", "Mobilgerät entfernt", "Authenticator-App eingerichtet", "Authenticator-App entfernt"},
	} {
		t.Run(language, func(t *testing.T) {
			box := &postbox{}
			h := newHouse(t, func(c *Config) {
				catalogue, err := texts.Load(language, "")
				must(t, err)
				c.Mail = MailConfig{Mailer: box, From: "portico@example.com", Texts: catalogue}
			})
			go h.Run(t.Context()) //nolint:errcheck // ends with the test
			h.dir.set(func() {
				for _, e := range h.dir.people {
					if e.Login == "bob" {
						delete(e.Attributes, directory.AttrMail)
					}
				}
			})
			secrets := changeAllFactors(t, h, ByUsername("ann"))
			for end := time.Now().Add(30 * time.Second); len(box.all()) < len(words); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d mails, want %d", len(box.all()), len(words))
				}
			}
			seen := ""
			for _, m := range box.all() {
				seen += m.Subject + "\n" + m.Text + "\n"
				if m.To != "ann@example.org" || !strings.Contains(m.Text, testClient().Address) || strings.Contains(m.Text, "{") {
					t.Errorf("mail %+v", m)
				}
			}
			for _, word := range words {
				if strings.Count(seen, ": "+word+".\n") != 1 {
					t.Errorf("%q is not told once:\n%s", word, seen)
				}
			}
			for _, secret := range secrets {
				if strings.Contains(seen, secret) {
					t.Error("a secret is in a mail")
				}
			}
			// Nobody is told who has no address, and the change is made all the same.
			changeAllFactors(t, h, ByUsername("bob"))
			if list, err := h.ListMail(t.Context(), "", 100); err != nil || len(list) != len(words) {
				t.Errorf("%d mails, %v", len(list), err)
			}
		})
	}
}

// newPasswords is a directory that takes every new password.
type newPasswords struct{}

func (newPasswords) ChangePassword(context.Context, *directory.Entry, string, string) error {
	return nil
}

// changeAllFactors sets and takes away everything, and gives the secrets.
func changeAllFactors(t *testing.T, h *house, key PersonKey) []string {
	t.Helper()
	ctx := t.Context()
	h.passwords = newPasswords{}
	must(t, h.ChangePassword(ctx, key, "old words of mine", "new words of mine", testClient()))
	must(t, h.SetPIN(ctx, key, "73915", "", testClient()))
	must(t, h.SetPIN(ctx, key, "", "admin", testClient()))
	app, err := h.AddAppPassword(ctx, key, "phone", "", testClient())
	must(t, err)
	apps, err := h.ListAppPasswords(ctx, key)
	must(t, err)
	must(t, h.RevokeAppPassword(ctx, key, apps[0].ID, "admin", testClient()))
	code, err := h.AddMobileCode(ctx, key, "phone", "", testClient())
	must(t, err)
	codes, err := h.ListMobileCodes(ctx, key)
	must(t, err)
	must(t, h.RevokeMobileCode(ctx, key, codes[0].ID, "", testClient()))
	must(t, h.SetTOTP(ctx, key, testSecret, "admin", testClient()))
	must(t, h.RemoveTOTP(ctx, key, "", "admin", testClient()))
	return []string{app, code, testSecret, "73915", "old words of mine", "new words of mine"}
}
