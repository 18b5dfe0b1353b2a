package adapter

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/adapter/store"
)

// fallible panics at its first mail.
type fallible struct{ calls, sent atomic.Int32 }

func (f *fallible) Send(context.Context, store.Message) error {
	if f.calls.Add(1) == 1 {
		panic("a fault in the mail library")
	}
	f.sent.Add(1)
	return nil
}

func TestAbuse_J13_BackgroundWorkStartsAgain(t *testing.T) {
	mailer := &fallible{}
	h := newHouse(t, func(c *Config) { c.Mail.Mailer = mailer })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	wait := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	must(t, h.QueueMail(ctx, store.Message{To: "a@example.com", Subject: "one", Text: "one"}))
	wait("the panic is counted", func() bool { return h.Restarts() == 1 })
	must(t, h.QueueMail(ctx, store.Message{To: "a@example.com", Subject: "two", Text: "two"}))
	wait("mail goes on", func() bool { return mailer.sent.Load() == 1 })
	h.clock.add(mailLease + time.Second) // then nobody holds the first any more
	must(t, h.QueueMail(ctx, store.Message{To: "a@example.com", Subject: "three", Text: "three"}))
	wait("the mail of the panic is sent", func() bool { return mailer.sent.Load() == 3 })
	cancel()
	must(t, <-done)
	if log := h.log.String(); strings.Count(log, "a panic in the background") != 1 {
		t.Errorf("log: %s", log)
	}
}

// What an administrator takes away ends what was signed in with it.
func TestSessionsEndWithFactorAndAccount(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	ann := ByUsername("ann")
	uid := h.uid(t, "ann")
	for what, change := range map[string]func(){
		"TOTP removed": func() {
			must(t, h.SetTOTP(ctx, ann, testSecret, "admin", testClient()))
			must(t, h.RemoveTOTP(ctx, ann, "", "admin", testClient()))
		},
		"terminated": func() { must(t, h.SetOverlay(ctx, ann, Overlay{Terminated: true}, "admin")) },
		"locked":     func() { must(t, h.SetOverlay(ctx, ann, Overlay{Locked: true}, "admin")) },
	} {
		must(t, h.store.PutSession(ctx, what, uid, store.AnyEpoch, []byte("x"), h.clock.Now().Add(time.Hour)))
		change()
		if _, err := h.store.Session(ctx, what); err == nil {
			t.Errorf("%s: the session goes on", what)
		}
	}
}
