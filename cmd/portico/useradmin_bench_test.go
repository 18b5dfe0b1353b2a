package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
)

// crowd is LDIF of people and as many teams.
func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "dn: uid=u%05d,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: u%05d\ncn: User %d\nsn: User\ngivenName: N%d\nmail: u%05d@example.com\n\n", i, i, i, i, i)
		fmt.Fprintf(&b, "dn: cn=team %05d,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: team %05d\nmember: uid=u%05d,ou=people,dc=example,dc=com\n\n", i, i, i)
	}
	return b.String()
}

// BenchmarkUserAdmin compares the lists with a bare handler that sends the same
// bytes, member sign-in with raw binds, and measures the list of users.
func BenchmarkUserAdmin(b *testing.B) {
	const people = 10_000
	server := startOpenLDAP(b)
	if err := server.Load(strings.NewReader(crowd(people))); err != nil {
		b.Fatal(err)
	}
	s := start(b, server, setup{top: `
apis: {action: {login_interval: 0s}, integration: {allow_email: true, keys: ["password!"]}}
log: {level: warn}`})
	s.waitReady()
	person := adapter.ByUsername("jdoe")
	key, err := s.app.adapter.AddPersonalKey(b.Context(), person, "bench", adapter.Client{})
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	ask := func(target string, form url.Values) []byte {
		resp, err := client.PostForm(target, form)
		if err != nil {
			b.Error(err)
			return nil
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			b.Errorf("%d %v %.100s", resp.StatusCode, err, body)
		}
		return body
	}
	for _, list := range []string{"members", "teams"} {
		form := url.Values{"key": {"password!"}}
		want := ask(s.url+"/$intapi/"+list+"/", form)
		bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(want)
		}))
		ours, theirs := rate(func() { ask(s.url+"/$intapi/"+list+"/", form) }), rate(func() { ask(bare.URL, form) })
		bare.Close()
		b.ReportMetric(ours/theirs, list+"/bare")
		b.ReportMetric(ours, list+"/s")
	}
	member := url.Values{"key": {"password!"}, "username": {"jdoe"}, "password": {"jdoe-pw"}}
	ours := rateOf(64, func() { ask(s.url+"/$intapi/member/", member) }) // the log is written for many at once
	raw := rawBinds(b, server.Address())
	b.ReportMetric(ours, "member/s")
	b.ReportMetric(ours/raw, "member/bind")
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.url+"/users", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth("example/jdoe", key)
	for _, round := range []string{"first", "second"} {
		peak := &atomic.Uint64{}
		stop := watchHeap(peak)
		begin := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		stop()
		if err != nil || n < people*300 {
			b.Fatalf("%d bytes, %v", n, err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), round+"-users-s")
		b.ReportMetric(float64(peak.Load())/(1<<20), round+"-heap-MB")
	}
}

// watchHeap notes by how much the heap in use grows at the most.
func watchHeap(peak *atomic.Uint64) (stop func()) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	from := m.HeapAlloc
	done := make(chan struct{})
	var w sync.WaitGroup
	w.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > from {
				peak.Store(max(peak.Load(), m.HeapAlloc-from))
			}
		}
	})
	return func() { close(done); w.Wait() }
}

// rate is how often a second eight callers get through.
func rate(do func()) float64 { return rateOf(8, do) }

// rateOf is rate with a number of callers.
func rateOf(callers int, do func()) float64 {
	for range 20 {
		do()
	}
	var n atomic.Int64
	var w sync.WaitGroup
	end := time.Now().Add(2 * time.Second)
	for range callers {
		w.Go(func() {
			for time.Now().Before(end) {
				do()
				n.Add(1)
			}
		})
	}
	w.Wait()
	return float64(n.Load()) / 2
}

func rawBinds(b *testing.B, address string) float64 {
	conns := make(chan *ldap.Conn, 8)
	for range 8 {
		c, err := ldap.DialURL("ldap://" + address)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		conns <- c
	}
	return rate(func() {
		c := <-conns
		if err := c.Bind("uid=jdoe,ou=people,dc=example,dc=com", "jdoe-pw"); err != nil {
			b.Error(err)
		}
		conns <- c
	})
}
