package main

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portico/testenv"
)

// TestAbuse_J09_DrainsRequestsInFlight: what was begun is finished after SIGTERM,
// new connections are refused, and the exit code is 0.
func TestAbuse_J09_DrainsRequestsInFlight(t *testing.T) {
	ldap := startOpenLDAP(t)
	proxy := testenv.OpenProxy(t, ldap.Address())
	path := writeConfig(t, ldap, setup{urls: []string{proxy.URL("ldap")}})
	key := makeKey(t, path)
	c := serveChild(t, path)
	c.waitReady()
	s := c.as(key)
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	proxy.Delay(1200 * time.Millisecond) // so that sign-ins take a while
	var work sync.WaitGroup
	var good atomic.Int32
	for range 8 {
		work.Go(func() {
			answer, _ := s.signIn("jdoe", "jdoe-pw")
			if !strings.Contains(answer, `"OK"`) {
				t.Errorf("a request in flight got %s", answer)
				return
			}
			good.Add(1)
		})
	}
	time.Sleep(800 * time.Millisecond)
	c.signal(syscall.SIGTERM)
	work.Wait()
	if code := c.wait(30 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if good.Load() != 8 {
		t.Errorf("%d of 8 requests were finished", good.Load())
	}
	if conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://")); err == nil {
		_ = conn.Close()
		t.Error("somebody still listens")
	}
}

// TestAbuse_J09_SecondSignalEnds: who does not want to wait sends it twice.
func TestAbuse_J09_SecondSignalEnds(t *testing.T) {
	ldap := startOpenLDAP(t)
	path := writeConfig(t, ldap, setup{top: "limits: {shutdown_timeout: 60s}"})
	c := serveChild(t, path)
	c.waitReady()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	must(t, err)
	defer conn.Close()
	// A request that never ends by itself: half a body.
	_, err = fmt.Fprint(conn, "POST /api.php HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nkey=")
	must(t, err)
	time.Sleep(time.Second)
	c.signal(syscall.SIGTERM)
	time.Sleep(500 * time.Millisecond)
	if c.ended() {
		t.Fatal("it did not wait for the request in flight")
	}
	begin := time.Now()
	c.signal(syscall.SIGTERM)
	c.wait(20 * time.Second)
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("the second signal took %s", took)
	}
}

// TestAbuse_J09_HangupStorm: reloads come one after the other and disturb nobody.
func TestAbuse_J09_HangupStorm(t *testing.T) {
	ldap := startOpenLDAP(t)
	path := writeConfig(t, ldap, setup{})
	key := makeKey(t, path)
	c := serveChild(t, path)
	c.waitReady()
	s := c.as(key)
	for range 200 {
		c.signal(syscall.SIGHUP)
		if answer, _ := s.signIn("jdoe", "jdoe-pw"); !strings.Contains(answer, `"OK"`) {
			t.Fatalf("during a storm of SIGHUP: %s", answer)
		}
	}
	c.signal(syscall.SIGTERM)
	if code := c.wait(30 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
