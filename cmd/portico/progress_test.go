package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"portico/testenv"
)

// TestProgress_InTheLog: a first read that takes a while is told about, and its end.
func TestProgress_InTheLog(t *testing.T) {
	server, _ := startSample(t, 300)
	proxy := testenv.OpenProxy(t, server.Address())
	proxy.SlowDown(100_000)
	s := start(t, server, setup{urls: []string{proxy.URL("ldap")}})
	log := &logBuffer{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.app.members[0].logProgress(ctx, newLogger(s.app.cfg, log), time.Millisecond)
	}()
	s.waitLong()
	<-done
	for _, line := range []string{"reading the directory for the first time", "the first read of the directory is complete"} {
		if text := log.String(); !strings.Contains(text, line) {
			t.Errorf("%q is not in the log: %s", line, text)
		}
	}
}
