// Package smtp hands single messages to a mail server: STARTTLS for smtp://
// URLs, TLS from the first byte for smtps:// URLs, always verified, with
// authentication where the URL carries a user. It keeps nothing: what to send,
// and when to try again, is decided by the outbox of package adapter.
package smtp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"portico/adapter"
	"portico/adapter/store"
)

// Config names the mail server.
type Config struct {
	// URL is smtp://user:password@host:port (port 587, STARTTLS) or
	// smtps://... (port 465). To a loopback host smtp:// works without TLS where
	// the server offers none.
	URL string
	// From is the sender's address.
	From string
	// CAFile is a PEM file of authorities for the server's certificate; "" is the
	// system's.
	CAFile string
	// Timeout bounds connecting and each command; default 20 s.
	Timeout time.Duration
}

// Sender sends through one server. Safe for concurrent use.
type Sender struct {
	cfg     Config
	host    string
	options []mail.Option
}

// New checks the configuration; it dials nothing. No error holds the password.
func New(cfg Config) (*Sender, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("mail.smtp_url is not of the form smtp://user:password@host:port")
	}
	if !adapter.MailAddress(cfg.From) {
		return nil, fmt.Errorf("mail.from: %q is not a plain mail address", cfg.From)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 20 * time.Second
	}
	s := &Sender{cfg: cfg, host: u.Hostname()}
	settings, err := s.tls()
	if err != nil {
		return nil, err
	}
	s.options = []mail.Option{mail.WithTimeout(cfg.Timeout), mail.WithTLSConfig(settings)}
	if err := s.security(u); err != nil {
		return nil, err
	}
	if u.User != nil {
		password, _ := u.User.Password()
		s.options = append(s.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
			mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	return s, nil
}

// security chooses port and kind of TLS by the scheme.
func (s *Sender) security(u *url.URL) error {
	port := 0
	switch u.Scheme {
	case "smtps":
		port = 465
		s.options = append(s.options, mail.WithSSL())
	case "smtp":
		port = 587
		policy := mail.TLSMandatory
		if loopback(s.host) && u.User == nil {
			policy = mail.TLSOpportunistic
		}
		s.options = append(s.options, mail.WithTLSPolicy(policy))
	default:
		return fmt.Errorf("mail.smtp_url: the scheme %q is neither smtp nor smtps", u.Scheme)
	}
	if text := u.Port(); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("mail.smtp_url: %q is not a port", text)
		}
		port = n
	}
	s.options = append(s.options, mail.WithPort(port))
	return nil
}

func (s *Sender) tls() (*tls.Config, error) {
	settings := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if s.cfg.CAFile == "" {
		return settings, nil
	}
	pem, err := os.ReadFile(s.cfg.CAFile)
	if err != nil {
		return nil, err
	}
	settings.RootCAs = x509.NewCertPool()
	if !settings.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", s.cfg.CAFile)
	}
	return settings, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Send hands one message to the server. An error wraps adapter.ErrMailRefused
// when the server, or the message itself, rules out another attempt.
func (s *Sender) Send(ctx context.Context, m store.Message) error {
	message, err := s.compose(m)
	if err != nil {
		return fmt.Errorf("%w: %w", adapter.ErrMailRefused, err)
	}
	client, err := mail.NewClient(s.host, s.options...)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, message)
	var sending *mail.SendError
	if errors.As(err, &sending) && !sending.IsTemp() && permanent(sending) {
		return fmt.Errorf("%w: %w", adapter.ErrMailRefused, err)
	}
	return err
}

// permanent tells whether the server refused the message or the addresses, as
// opposed to the connection.
func permanent(err *mail.SendError) bool {
	switch err.Reason {
	case mail.ErrSMTPMailFrom, mail.ErrSMTPRcptTo, mail.ErrSMTPData, mail.ErrSMTPDataClose, mail.ErrGetRcpts:
		return err.ErrorCode() >= 500 || err.ErrorCode() == 0
	}
	return false
}

// compose builds the message. Values with line ends never get into a header.
func (s *Sender) compose(m store.Message) (*mail.Msg, error) {
	if !adapter.MailAddress(m.To) {
		return nil, errors.New("the recipient is not a plain mail address")
	}
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := message.FromFormat(quotable(m.From), s.cfg.From); err != nil {
		return nil, err
	}
	if err := message.AddToFormat(quotable(m.ToName), m.To); err != nil {
		return nil, err
	}
	message.Subject(header(m.Subject))
	message.SetDate()
	message.SetMessageIDWithValue(messageID(s.cfg.From))
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		message.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return message, nil
}

// header makes one line of a text.
func header(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 }), " ")
}

// quotable is a name between quotation marks (RFC 5322 §3.2.4), so that no name
// ends them and goes on with an address.
func quotable(name string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(header(name))
}

// messageID is a new id in the sender's domain, so that it says nothing of this host.
func messageID(from string) string {
	_, domain, _ := strings.Cut(from, "@")
	return rand.Text() + "@" + domain
}
