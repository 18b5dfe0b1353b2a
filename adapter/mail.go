package adapter

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"time"

	"portico/adapter/store"
	"portico/internal/texts"
)

// Mailer sends one message through a mail server (package adapter/smtp). An
// error that wraps ErrMailRefused is final; any other is tried again later.
type Mailer interface {
	Send(ctx context.Context, m store.Message) error
}

// ErrMailRefused is wrapped by the errors of a Mailer that no retry can mend.
var ErrMailRefused = errors.New("the mail server refused the message for good")

// MailConfig says how mail is sent. The zero value sends none.
type MailConfig struct {
	Mailer     Mailer
	From       string // the sender's address
	AdminEmail string // where alert mails go
	Texts      *texts.Catalogue
	Location   *time.Location // of the times in mails; nil: UTC
	// BaseURL is how the outside world reaches the service. Links in mails begin
	// with it, whatever host a request named.
	BaseURL string
	Title   string // of the service, as the sender's name; default "Portico"
}

// How the outbox is worked off.
const (
	mailLease    = 2 * time.Minute
	mailBatch    = 10
	mailTimeout  = time.Minute
	mailAttempts = 12 // about three days with the pauses below
	mailMinPause = time.Minute
	mailMaxPause = 12 * time.Hour
	mailIdle     = 30 * time.Second // looks for mail that other processes queued
)

// AlertMail queues a mail that tells the administrator of a sign-in. The request
// never waits for the mail server. Errors: NotFound "user", Throttled, and
// Invalid with Text "invalid_to_email" or "invalid_from_email" when the
// addresses are not configured.
func (a *Adapter) AlertMail(ctx context.Context, username, appName string, client Client) error {
	if err := a.passGate("alert", username, client); err != nil {
		return err
	}
	person, err := a.Person(ctx, ByUsername(username))
	if err != nil {
		return err
	}
	c := a.cfg.Mail
	switch {
	case !MailAddress(c.AdminEmail):
		return &Error{Kind: Invalid, Field: "admin_email", Text: "invalid_to_email"}
	case c.Mailer == nil || !MailAddress(c.From):
		return &Error{Kind: Invalid, Field: "from", Text: "invalid_from_email"}
	}
	location := c.Location
	if location == nil {
		location = time.UTC
	}
	values := []string{
		"username", person.Username, "appname", oneLine(appName), "ipaddr", client.Address,
		"datetime", a.now().In(location).Format(time.DateTime),
	}
	return a.QueueMail(ctx, store.Message{
		To: c.AdminEmail, ToName: "System Admin", From: "Account Alerts",
		Subject: c.Texts.Format(texts.AlertSubject, values...),
		Text:    c.Texts.Format(texts.AlertMessage, values...),
	})
}

// QueueMail puts a message into the outbox. It is sent in the background, also
// after a restart. Error: Unavailable when too much mail waits already.
func (a *Adapter) QueueMail(ctx context.Context, m store.Message) error {
	_, err := a.store.QueueMail(ctx, m)
	if errors.Is(err, store.ErrExhausted) {
		return &Error{Kind: Unavailable, Field: "mail", Text: "too much mail waits for the mail server", Cause: err}
	}
	if err != nil {
		return fromStore(err, "mail")
	}
	a.wakeMail()
	return nil
}

// wakeMail lets the outbox look for mail now.
func (a *Adapter) wakeMail() {
	select {
	case a.mailQueued <- struct{}{}:
	default:
	}
}

// oneLine turns line ends and other control characters into blanks.
func oneLine(text string) string { return strings.Join(strings.FieldsFunc(text, isLineEnd), " ") }

func isLineEnd(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 }

// maxAddress is the longest mail address there is (RFC 5321 §4.5.3.1).
const maxAddress = 254

// MailAddress tells whether text is one plain mail address: no name, no comment,
// nothing quoted, no control character.
func MailAddress(text string) bool {
	if len(text) > maxAddress || strings.ContainsAny(text, " \"<>()[],;:\\") || strings.ContainsFunc(text, isLineEnd) {
		return false
	}
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text && parsed.Name == ""
}

// runMail works off the outbox until ctx ends.
func (a *Adapter) runMail(ctx context.Context) {
	if a.cfg.Mail.Mailer == nil {
		return
	}
	tick := time.NewTicker(mailIdle)
	defer tick.Stop()
	for {
		for a.sendDue(ctx) == mailBatch {
		}
		select {
		case <-ctx.Done():
			return
		case <-a.mailQueued:
		case <-tick.C:
		}
	}
}

// sendDue sends one batch and gives its size.
func (a *Adapter) sendDue(ctx context.Context) int {
	due, err := a.store.ClaimMail(ctx, mailLease, mailBatch)
	if err != nil {
		if ctx.Err() == nil {
			a.log.WarnContext(ctx, "the outbox cannot be read; it is tried again", "error", err)
		}
		return 0
	}
	for _, m := range due {
		a.sendOne(ctx, m)
	}
	return len(due)
}

func (a *Adapter) sendOne(ctx context.Context, m store.Mail) {
	sending, cancel := context.WithTimeout(ctx, mailTimeout)
	err := a.cfg.Mail.Mailer.Send(sending, m.Message)
	cancel()
	// What became of it is written down even while the program ends: else it would be sent twice.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	switch {
	case err == nil:
		err = a.store.EndMail(ctx, m.ID, store.MailSent, "")
	case errors.Is(err, ErrMailRefused) || m.Attempts >= mailAttempts:
		a.log.ErrorContext(ctx, "mail given up; \"portico mail retry\" tries it again", "mail", m.ID, "attempts", m.Attempts, "error", err)
		err = a.store.EndMail(ctx, m.ID, store.MailDead, err.Error())
	default:
		pause := min(mailMinPause<<(m.Attempts-1), mailMaxPause)
		a.log.WarnContext(ctx, "mail not sent; it is tried again", "mail", m.ID, "in", pause, "error", err)
		err = a.store.PostponeMail(ctx, m.ID, a.now().Add(pause), err.Error())
	}
	if err != nil {
		a.log.ErrorContext(ctx, "the fate of a mail was not written down; it may be sent again", "mail", m.ID, "error", err)
	}
}
