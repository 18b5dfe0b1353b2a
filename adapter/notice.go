package adapter

import (
	"context"
	"time"

	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
)

// notice tells a person by mail that something they sign in with was changed, so
// that a stranger cannot do it unseen. Who did it does not matter: the person, an
// administrator or an application. The change stands, whatever becomes of the mail.
func (a *Adapter) notice(ctx context.Context, entry *directory.Entry, what texts.ID, client Client) {
	c := a.cfg.Mail
	to := entry.Attributes.First(directory.AttrMail)
	if c.Mailer == nil || c.Texts == nil || !MailAddress(c.From) || !MailAddress(to) {
		return
	}
	location := c.Location
	if location == nil {
		location = time.UTC
	}
	address := client.Address
	if address == "" {
		address = "-"
	}
	values := []string{
		"username", entry.Login, "what", c.Texts.Get(what), "ipaddr", address,
		"datetime", a.now().In(location).Format(time.DateTime),
	}
	// The caller may have gone; the change is made all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := a.QueueMail(ctx, store.Message{
		To: to, ToName: oneLine(entry.DisplayName()),
		Subject: c.Texts.Format(texts.NoticeSubject, values...),
		Text:    c.Texts.Format(texts.NoticeMessage, values...),
	})
	if err != nil {
		a.log.WarnContext(ctx, "a person was not told of a change to the account", "username", entry.Login, "error", err)
	}
}
