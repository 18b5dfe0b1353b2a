package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/adapter/store"
	"portico/configs"
	"portico/testenv/sample"
)

// killsVariable says how often TestAbuse_J01 kills; default shortKills. The long
// form is KILLS=100.
const (
	killsVariable = "KILLS"
	shortKills    = 10
)

func kills(t testing.TB) int {
	t.Helper()
	text := os.Getenv(killsVariable)
	if text == "" {
		return shortKills
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is not a number of kills", killsVariable, text)
	}
	return n
}

// ledger is what was acknowledged to clients. It may only grow.
type ledger struct {
	mu       sync.Mutex
	uids     map[string]string // user name to uid
	keys     []string          // API keys that were printed
	requests []string          // request ids of sign-ins that were answered OK
}

// uid notes what a name was given; a second one for the same name is a fault.
func (l *ledger) uid(name, uid string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.uids[name]; ok && known != uid {
		return fmt.Errorf("%s had uid %s and has %s now", name, known, uid)
	}
	l.uids[name] = uid
	return nil
}

func (l *ledger) request(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, id)
}

func (l *ledger) key(plain string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, plain)
}

// TestAbuse_J01_KillAtAnyMoment kills the service and the command line in the
// middle of their writes. What was acknowledged before must be there after.
func TestAbuse_J01_KillAtAnyMoment(t *testing.T) {
	server, people := startSample(t, 2000)
	path := writeConfig(t, server, setup{})
	l := &ledger{uids: map[string]string{}, keys: []string{makeKey(t, path)}}
	s := serveChild(t, path) // reads the directory once, so that the rounds begin at once
	s.waitReady()
	s.kill()
	for range kills(t) {
		killOnce(t, path, people, l)
		checkLedger(t, path, l)
	}
	s = serveChild(t, path)
	s.waitReady()
	final := s.as(l.keys[0])
	owners := map[string]string{}
	for name, uid := range l.uids {
		if other, taken := owners[uid]; taken {
			t.Fatalf("uid %s belongs to %s and %s", uid, name, other)
		}
		owners[uid] = name
		if now := final.ok("userinfo", "username", name)["data"].(map[string]any)["uid"]; now != uid {
			t.Fatalf("%s had uid %s and has %v now", name, uid, now)
		}
	}
	for _, key := range l.keys {
		s.as(key).ok("ping")
	}
	t.Logf("%d kills: %d uids, %d keys and %d sign-ins were acknowledged, and all are there", kills(t), len(l.uids), len(l.keys), len(l.requests))
}

// killOnce runs the service under load and kills it, and a command beside it.
func killOnce(t *testing.T, path string, people *sample.Directory, l *ledger) {
	t.Helper()
	s := serveChild(t, path)
	s.waitReady()
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for !s.ended() {
				if err := oneWrite(s.url, l, people.UID(rand.IntN(people.People()))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	tool := startChild(t, "key", "create", "--config", path, "--api", "action", "--label", "while killed")
	time.Sleep(time.Duration(rand.IntN(400)) * time.Millisecond)
	s.kill()
	time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
	tool.kill()
	if key := strings.TrimSpace(tool.out.String()); key != "" {
		l.key(key)
	}
	work.Wait()
}

// oneWrite makes the service give out a uid and write a record, and notes what
// was acknowledged. A broken connection is no fault here.
func oneWrite(base string, l *ledger, name string) error {
	l.mu.Lock()
	key := l.keys[0]
	l.mu.Unlock()
	form := url.Values{"key": {key}, "action": {"userinfo"}, "username": {name}}
	if _, body, err := postForm(base, form); err == nil {
		_, rest, found := strings.Cut(body, `"uid":"`)
		uid, _, ended := strings.Cut(rest, `"`)
		if !found || !ended {
			return fmt.Errorf("userinfo %s: %s", name, body)
		}
		if err := l.uid(name, uid); err != nil {
			return err
		}
	}
	form.Set("action", "auth")
	form.Set("password", sample.Password(name))
	if id, body, err := postForm(base, form); err == nil {
		if !strings.Contains(body, `"status":"OK"`) {
			return fmt.Errorf("auth %s: %s", name, body)
		}
		l.request(id)
	}
	return nil
}

// postForm gives the request's id and the body of a complete answer.
func postForm(base string, form url.Values) (id, body string, err error) {
	resp, err := http.PostForm(base+"/api.php", form)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.Header.Get("X-Request-Id"), string(b), err
}

// checkLedger opens the database as it was left: the chain must hold, and every
// acknowledged sign-in must be in the security log.
func checkLedger(t *testing.T, path string, l *ledger) {
	t.Helper()
	withStore(t, path, func(ctx context.Context, s *store.Store) {
		if _, err := s.Verify(ctx); err != nil {
			t.Fatalf("the security log is broken: %v", err)
		}
		written := map[string]bool{}
		for _, r := range allRecords(ctx, t, s) {
			written[r.RequestID] = true
		}
		for _, id := range l.requests {
			if !written[id] {
				t.Fatalf("the sign-in of request %s was acknowledged and is not in the security log", id)
			}
		}
	})
}

// withStore opens the database that a configuration names.
func withStore(t testing.TB, path string, f func(context.Context, *store.Store)) {
	t.Helper()
	cfg, err := configs.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStore(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f(t.Context(), s)
}

func allRecords(ctx context.Context, t testing.TB, s *store.Store) []store.Record {
	t.Helper()
	var all []store.Record
	filter := store.RecordFilter{Limit: store.MaxRecords}
	for {
		page, err := s.ListRecords(ctx, filter)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if len(page) < filter.Limit {
			return all
		}
		filter.After = page[len(page)-1].Seq
	}
}
