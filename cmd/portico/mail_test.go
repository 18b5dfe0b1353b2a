package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/testenv"
)

// A sign-in of somebody with an alert flag sends one mail, and alertemail another.
func TestAlertMail(t *testing.T) {
	server := testenv.SMTP(t)
	s := startWithMail(t, server)
	if answer := s.ok("login", "username", "jdoe", "password", "jdoe-pw"); answer["alert"] != true {
		t.Errorf("login = %v", answer)
	}
	eventually(t, 30*time.Second, "the mail of the sign-in arrives", func() bool { return len(server.Delivered(t)) == 1 })
	s.ok("alertemail", "username", "jdoe", "appname", "Time Clock")
	eventually(t, 30*time.Second, "the mail of the application arrives", func() bool { return len(server.Delivered(t)) == 2 })
	m := server.Delivered(t)[1]
	if to := m.Header.Get("To"); !strings.Contains(to, "admin@example.org") || !strings.Contains(m.Header.Get("Subject"), "jdoe") {
		t.Errorf("to %q, subject %q", to, m.Header.Get("Subject"))
	}
	if msg := s.refused("alertemail", "username", "nobody")["msg"]; msg == "" {
		t.Error("nobody was mailed about")
	}
}

// Who changes a password has the person told, in a mail that holds neither the old
// nor the new one.
func TestAbuse_C09_PasswordNoticeArrives(t *testing.T) {
	server := testenv.SMTP(t)
	s := startWithMail(t, server)
	client := adapter.Client{Address: "192.0.2.7"}
	err := s.app.adapter.ChangePassword(t.Context(), adapter.ByUsername("jdoe"), "wrong words", "quite new words", client)
	if adapter.KindOf(err) != adapter.Invalid {
		t.Fatal(err)
	}
	must(t, s.app.adapter.ChangePassword(t.Context(), adapter.ByUsername("jdoe"), "jdoe-pw", "quite new words", client))
	eventually(t, 30*time.Second, "the notice arrives", func() bool { return len(server.Delivered(t)) > 0 })
	m := server.Delivered(t)[0]
	body, err := io.ReadAll(m.Body)
	must(t, err)
	if to := m.Header.Get("To"); !strings.Contains(to, "jdoe@example.com") || !strings.Contains(string(body), "password changed") ||
		!strings.Contains(string(body), client.Address) {
		t.Errorf("to %q:\n%s", to, body)
	}
	for _, secret := range []string{"jdoe-pw", "quite new words", "wrong words"} {
		if strings.Contains(string(body), secret) {
			t.Errorf("the mail holds %q", secret)
		}
	}
	list, err := s.app.adapter.ListMail(t.Context(), "", 0)
	if err != nil || len(list) > 1 || len(server.Delivered(t)) != 1 {
		t.Errorf("more than one notice of one change: %d in the outbox, %d delivered, %v", len(list), len(server.Delivered(t)), err)
	}
}

// A mail server that is down delays nobody; what was queued leaves once it is
// back, also after a restart of ours, and once only.
func TestAbuse_J15_MailServerDown(t *testing.T) {
	server := testenv.SMTP(t)
	server.Stop()
	s := startWithMail(t, server)
	for range 3 {
		begin := time.Now()
		if s.ok("login", "username", "jdoe", "password", "jdoe-pw")["alert"] != true {
			t.Error("the sign-in was not let through")
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("a sign-in waited %s for the mail server", took)
		}
	}
	eventually(t, 30*time.Second, "the attempts fail", func() bool {
		list, err := s.app.adapter.ListMail(t.Context(), "waiting", 0)
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		for _, m := range list {
			if m.LastError != "" {
				failed++
			}
		}
		return failed == 3
	})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := s.app.adapter.ListMail(t.Context(), "", 0)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d mails, %v", len(list), err)
	}
	for _, m := range list {
		if err := s.app.adapter.RetryMail(t.Context(), m.ID); err != nil {
			t.Fatal(err)
		}
	}
	cfg := s.app.cfg
	s.stop()
	startConfig(t, cfg)
	eventually(t, 60*time.Second, "all arrive", func() bool { return len(server.Delivered(t)) == 3 })
}

func startWithMail(t *testing.T, server *testenv.SMTPServer) *service {
	t.Helper()
	s := start(t, startOpenLDAP(t), setup{top: fmt.Sprintf(`
apis: {action: {admin_email: admin@example.org, login_interval: 0s}}
mail: {smtp_url: "smtp://user:secret@%s", from: portico@example.org, ca_file: %q}`, server.Address(), server.CAFile)})
	s.waitReady()
	err := s.app.adapter.SetOverlay(t.Context(), adapter.ByUsername("jdoe"), adapter.Overlay{Alert: true}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// With everything logged there still is no password in the log.
func TestAbuse_K05_DebugLog(t *testing.T) {
	s := start(t, startOpenLDAP(t), setup{top: "log: {level: debug}"})
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	s.refused("auth", "username", "jdoe", "password", "marked-wrong-password")
	s.refused("auth", "username", "nobody", "password", "marked-wrong-password")
	s.stop()
	log := s.log.String()
	if !strings.Contains(log, "auth") {
		t.Fatal("nothing was logged")
	}
	for _, secret := range []string{"jdoe-pw", "marked-wrong-password", "portico-service", s.key} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
