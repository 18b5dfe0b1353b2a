package main

import (
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/adapter"
	"portico/adapter/store"
	"portico/testenv"
)

const directoryError = "The directory cannot be reached at the moment. Please try again later."

// signIn posts one auth and tells its text and how long it took.
func (s *service) signIn(username, password string) (answer string, took time.Duration) {
	begin := time.Now()
	_, body, err := s.post("/api.php", url.Values{
		"key": {s.key}, "action": {"auth"}, "username": {username}, "password": {password},
	})
	if err != nil {
		return err.Error(), time.Since(begin)
	}
	return string(body), time.Since(begin)
}

// signedIn tells whether auth lets somebody in just now.
func (s *service) signedIn(username, password string) bool {
	answer, _ := s.signIn(username, password)
	return strings.Contains(answer, `"status":"OK"`)
}

// records are the records of the security log of these types.
func (s *service) records(types ...adapter.EventType) []store.Record {
	s.t.Helper()
	filter := store.RecordFilter{Limit: store.MaxRecords}
	for _, t := range types {
		filter.Types = append(filter.Types, int(t))
	}
	found, err := s.app.store.ListRecords(s.t.Context(), filter)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// noWrongPasswords: an outage must never be taken for a wrong password.
func (s *service) noWrongPasswords() {
	s.t.Helper()
	if failed := s.records(adapter.EventAPIAuthFailed, adapter.EventAPILoginFailed); len(failed) > 0 {
		s.t.Errorf("%d sign-ins with the right password were taken for wrong ones: %+v", len(failed), failed[0])
	}
}

func TestAbuse_I01_DirectoryDownAtStart(t *testing.T) {
	ldap := startOpenLDAP(t)
	ldap.Kill()
	s := start(t, ldap, setup{})
	if status, _ := get(t, s.url+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz = %d", status)
	}
	status, body := get(t, s.url+"/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "directory corp") {
		t.Errorf("/readyz = %d %s, want 503 that names the directory", status, body)
	}
	if strings.Contains(body, "127.0.0.1") || strings.Contains(body, "dc=example") {
		t.Errorf("/readyz tells strangers about the inside: %s", body)
	}
	if text := s.refused("auth", "username", "jdoe", "password", "jdoe-pw")["msg"]; text != directoryError {
		t.Errorf("auth: %v", text)
	}
	if answer := s.refused("userexists", "username", "jdoe"); answer["exists"] != nil {
		t.Errorf("an outage was taken for an answer: %v", answer)
	}
	if err := ldap.Restart(); err != nil {
		t.Fatal(err)
	}
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	if status, _ := get(t, s.url+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz = %d", status)
	}
	s.noWrongPasswords()
}

// load is requests without end, and what came of them.
type load struct {
	mu      sync.Mutex
	answers map[string]int
	times   []time.Duration
	stop    chan struct{}
	work    sync.WaitGroup
}

// startLoad makes so many workers sign in and read by turns.
func (s *service) startLoad(workers int) *load {
	l := &load{stop: make(chan struct{})}
	l.reset()
	for range workers {
		l.work.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				answer, took := s.signIn("jdoe", "jdoe-pw")
				l.note("auth: "+answer, took)
				begin := time.Now()
				_, body, err := s.post("/api.php", url.Values{"key": {s.key}, "action": {"userinfo"}, "username": {"jadoe"}})
				if err != nil || !strings.Contains(string(body), `"Jane Doe"`) {
					l.note("userinfo: "+string(body), time.Since(begin))
				}
			}
		})
	}
	return l
}

func (l *load) note(answer string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[answer]++
	l.times = append(l.times, took)
}

func (l *load) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers, l.times = map[string]int{}, nil
}

// seen gives the answers since the last reset, and the median time.
func (l *load) seen() (answers map[string]int, median time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers = map[string]int{}
	maps.Copy(answers, l.answers)
	times := slices.Clone(l.times)
	slices.Sort(times)
	if len(times) > 0 {
		median = times[len(times)/2]
	}
	return answers, median
}

func (l *load) end() {
	close(l.stop)
	l.work.Wait()
}

func TestAbuse_I02_KilledAndRestartedUnderLoad(t *testing.T) {
	ldap := startOpenLDAP(t)
	s := start(t, ldap, setup{})
	s.waitReady()
	s.ok("userinfo", "username", "jadoe")
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	quiet := func() int {
		http.DefaultClient.CloseIdleConnections()
		return runtime.NumGoroutine()
	}
	before := quiet()
	l := s.startLoad(16)
	defer func() {
		if l != nil {
			l.end()
		}
	}()
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		ldap.Kill()
		time.Sleep(time.Second)
		l.reset()
		time.Sleep(time.Second)
		answers, median := l.seen()
		for answer := range answers {
			if !strings.Contains(answer, directoryError) {
				t.Errorf("while the directory was down: %s", answer)
			}
		}
		if len(answers) == 0 || median > 2*time.Second {
			t.Errorf("%d kinds of answers while the directory was down, half of them later than %s", len(answers), median)
		}
		if err := ldap.Restart(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 15*time.Second, "sign-ins after the restart", func() bool { return s.signedIn("jdoe", "jdoe-pw") })
		l.reset()
	}
	eventually(t, 15*time.Second, "sign-ins of the load after the last restart", func() bool {
		answers, _ := l.seen()
		return answers[`auth: {"status":"OK","msg":"You are signed in."}`] > 0
	})
	l.end()
	l = nil
	s.noWrongPasswords()
	open := s.app.members[0].client.Stats()
	if most := open.Service.Size + open.Binds.Size + 4; open.Open > most {
		t.Errorf("%d connections are open, want %d at most", open.Open, most)
	}
	eventually(t, 30*time.Second, "goroutines are as many as before", func() bool {
		return quiet() <= before+2*(open.Service.Size+open.Binds.Size)
	})
	if err := ldap.Add("dn: uid=late,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: late\ncn: Later Comer\nsn: Comer\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "changes are followed again", func() bool {
		hits, _ := s.ok("usersearch", "search", "later com")["result"].([]any)
		return len(hits) == 1
	})
}

func TestAbuse_I12_FirstURLHangs(t *testing.T) {
	ldap := startOpenLDAP(t)
	hanging := "ldap://" + testenv.HangingAddress(t)
	s := start(t, ldap, setup{urls: []string{hanging, ldap.URL()}, directory: "    pool: {dial_timeout: 500ms, timeout: 2s}"})
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	for range 20 {
		if answer, took := s.signIn("jdoe", "jdoe-pw"); !strings.Contains(answer, `"OK"`) || took > 5*time.Second {
			t.Fatalf("%s after %s", answer, took)
		}
	}
	s.noWrongPasswords()
}

// TestAbuse_I03_SilentServer: a server that accepts connections and says
// nothing holds up neither reads nor the process.
func TestAbuse_I03_SilentServer(t *testing.T) {
	ldap := startOpenLDAP(t)
	s := start(t, ldap, setup{directory: "    pool: {dial_timeout: 500ms, timeout: 1s}"})
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	s.ok("userinfo", "username", "jadoe")
	ldap.Pause()
	defer ldap.Resume()
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			answer, took := s.signIn("jdoe", "jdoe-pw")
			if !strings.Contains(answer, directoryError) || took > 20*time.Second {
				t.Errorf("%s after %s", answer, took)
			}
		})
	}
	for range 50 {
		begin := time.Now()
		s.ok("userinfo", "username", "jadoe")
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("a read took %s while the directory was silent", took)
		}
	}
	work.Wait()
	ldap.Resume()
	eventually(t, 20*time.Second, "sign-ins go on", func() bool { return s.signedIn("jdoe", "jdoe-pw") })
	s.noWrongPasswords()
}

func TestAbuse_I03_SlowServer(t *testing.T) {
	ldap := startOpenLDAP(t)
	proxy := testenv.OpenProxy(t, ldap.Address())
	s := start(t, ldap, setup{urls: []string{proxy.URL("ldap")}, directory: "    pool: {timeout: 1s, dial_timeout: 1s}"})
	s.waitReady()
	s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
	proxy.SlowDown(1)
	answer, took := s.signIn("jdoe", "jdoe-pw")
	if !strings.Contains(answer, directoryError) || took > 20*time.Second {
		t.Errorf("one byte a second: %s after %s", answer, took)
	}
	proxy.SlowDown(0)
	proxy.Delay(100 * time.Millisecond)
	eventually(t, 20*time.Second, "sign-ins through a slow network", func() bool { return s.signedIn("jdoe", "jdoe-pw") })
	s.noWrongPasswords()
}

// TestAbuse_I05_ConnectionsCutSilently: what was idle and is dead now costs
// nobody a refusal.
func TestAbuse_I05_ConnectionsCutSilently(t *testing.T) {
	ldap := startOpenLDAP(t)
	proxy := testenv.OpenProxy(t, ldap.Address())
	s := start(t, ldap, setup{urls: []string{proxy.URL("ldap")}})
	s.waitReady()
	for range 3 {
		s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
		s.ok("userexists", "username", "nobody-yet")
		proxy.Cut()
		s.ok("auth", "username", "jdoe", "password", "jdoe-pw")
		s.refused("auth", "username", "stranger", "password", "x")
	}
	if wrong := s.records(adapter.EventAPIAuthFailed); len(wrong) != 3 {
		t.Errorf("%d failures, want only the stranger's 3: %+v", len(wrong), wrong)
	}
}

// TestAbuse_I04_CutDuringTheFirstRead: half of a directory is never taken for
// all of it.
func TestAbuse_I04_CutDuringTheFirstRead(t *testing.T) {
	for _, mode := range []string{"syncrepl", "poll"} {
		t.Run(mode, func(t *testing.T) {
			ldap, d := startSample(t, 1500)
			proxy := testenv.OpenProxy(t, ldap.Address())
			proxy.CutAfter(400_000)
			s := start(t, ldap, setup{urls: []string{proxy.URL("ldap")}, sync: mode, dataDir: filepath.Join(t.TempDir(), "data")})
			eventually(t, 30*time.Second, "the connection was cut", func() bool { return proxy.Received() > 390_000 })
			s.waitReady()
			for _, i := range []int{0, 700, 1499} {
				hits, _ := s.ok("usersearch", "search", d.UID(i))["result"].([]any)
				if len(hits) == 0 {
					t.Errorf("ready, but person %d of 1500 is not there", i)
				}
			}
		})
	}
}
