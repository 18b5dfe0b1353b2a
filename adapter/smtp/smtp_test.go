package smtp

import (
	"errors"
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/adapter/store"
	"portico/testenv"
)

func TestSend(t *testing.T) {
	server := testenv.SMTP(t)
	for name, url := range map[string]string{
		"STARTTLS":              "smtp://" + server.Address(),
		"STARTTLS and password": "smtp://user:secret@" + server.Address(),
		"TLS":                   "smtps://user:secret@" + server.TLSAddress(),
	} {
		t.Run(name, func(t *testing.T) {
			before := len(server.Delivered(t))
			err := sender(t, server, url).Send(t.Context(), store.Message{
				To: "admin@example.org", ToName: "Zoë Admin", From: "Account Alerts", Subject: "Grüße " + name,
				Text: "Körper\n", HTML: "<p>Körper</p>",
			})
			if err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(20 * time.Second)
			for len(server.Delivered(t)) == before && time.Now().Before(deadline) {
				time.Sleep(10 * time.Millisecond)
			}
			all := server.Delivered(t)
			if len(all) != before+1 {
				t.Fatalf("%d messages arrived", len(all)-before)
			}
			found := false
			for _, m := range all {
				subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
				found = found || err == nil && subject == "Grüße "+name &&
					strings.Contains(m.Header.Get("From"), "<portico@example.org>") && m.Header.Get("Auto-Submitted") == "auto-generated" &&
					strings.HasPrefix(m.Header.Get("Content-Type"), "multipart/alternative")
			}
			if !found {
				t.Error("the message did not arrive as it was sent")
			}
		})
	}
}

func TestSendFaults(t *testing.T) {
	server := testenv.SMTP(t)
	to := func(address string) store.Message {
		return store.Message{To: address, From: "Alerts", Subject: "x", Text: "x"}
	}
	t.Run("refused for good", func(t *testing.T) {
		err := sender(t, server, "smtp://"+server.Address()).Send(t.Context(), to("refused@example.org"))
		if !errors.Is(err, adapter.ErrMailRefused) {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("refused for the moment", func(t *testing.T) {
		err := sender(t, server, "smtp://"+server.Address()).Send(t.Context(), to("later@example.org"))
		if err == nil || errors.Is(err, adapter.ErrMailRefused) {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("wrong password, which no error shows", func(t *testing.T) {
		err := sender(t, server, "smtp://user:guessed-secret@"+server.Address()).Send(t.Context(), to("a@example.org"))
		if err == nil || errors.Is(err, adapter.ErrMailRefused) || strings.Contains(err.Error(), "guessed-secret") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("unknown authority", func(t *testing.T) {
		s, err := New(Config{URL: "smtps://" + server.TLSAddress(), From: "portico@example.org"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), to("a@example.org")); err == nil {
			t.Error("an unknown authority was trusted")
		}
	})
	t.Run("server down", func(t *testing.T) {
		server.Stop()
		err := sender(t, server, "smtp://"+server.Address()).Send(t.Context(), to("a@example.org"))
		if err == nil || errors.Is(err, adapter.ErrMailRefused) {
			t.Errorf("err = %v", err)
		}
	})
}

func TestAbuse_F12_LineEndsInMail(t *testing.T) {
	s, err := New(Config{URL: "smtp://localhost:25", From: "portico@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{
		"a@example.org\r\nBcc: b@example.org", "a@example.org, b@example.org", "<a@example.org>", "\"a b\"@example.org",
		"a@example.org>", "a\x00@example.org", "A <a@example.org>", "", "a", strings.Repeat("a", 100000) + "@example.org",
	} {
		if err := s.Send(t.Context(), store.Message{To: address, Text: "x"}); !errors.Is(err, adapter.ErrMailRefused) {
			t.Errorf("address %.40q: %v", address, err)
		}
	}
	message, err := s.compose(store.Message{
		To: "a@example.org", ToName: "A\r\nBcc: x@example.org", From: "F\nX: y", Subject: "S\r\nBcc: x@example.org\r\n\r\nbody", Text: "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if _, err := message.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(text.String(), "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(line, "Bcc:") || strings.HasPrefix(line, "X:") {
			t.Errorf("a value became a header: %q", line)
		}
	}
}

// A name with quotation marks stays a name of the one recipient.
func TestAbuse_F12_QuotedNames(t *testing.T) {
	s, err := New(Config{URL: "smtp://localhost:25", From: "portico@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`Grace "Amazing" Hopper`, `x" <evil@example.org>, "y`, `ends in \`, `=HYPERLINK("http://evil") <b>`, `Zoë "ß"`} {
		message, err := s.compose(store.Message{To: "a@example.org", ToName: name, From: name, Text: "x"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var text strings.Builder
		if _, err := message.WriteTo(&text); err != nil {
			t.Fatal(err)
		}
		parsed, err := mail.ReadMessage(strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		for _, header := range []string{"To", "From"} {
			list, err := parsed.Header.AddressList(header)
			if err != nil || len(list) != 1 || list[0].Name != name || strings.Contains(list[0].Address, "evil") {
				t.Errorf("%s: %v %v", header, list, err)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []Config{
		{URL: "", From: "a@example.org"},
		{URL: "http://mail.example.org", From: "a@example.org"},
		{URL: "smtp://mail.example.org:99999", From: "a@example.org"},
		{URL: "smtp://mail.example.org", From: "A <a@example.org>"},
		{URL: "smtp://mail.example.org", From: "a@example.org", CAFile: "/nowhere"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

func sender(t *testing.T, server *testenv.SMTPServer, url string) *Sender {
	t.Helper()
	s, err := New(Config{URL: url, From: "portico@example.org", CAFile: server.CAFile, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
