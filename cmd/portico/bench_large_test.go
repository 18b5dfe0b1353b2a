package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/testenv"
	"portico/testenv/sample"
)

const (
	// peopleVariable is the size of the directory behind BenchmarkLarge; default 100,000.
	peopleVariable = "BENCH_PEOPLE"
	// dataVariable names a folder in which the loaded directory is kept for the next run.
	dataVariable = "BENCH_DATA"
)

// startLarge starts the server with its people, or again with those of an earlier run.
func startLarge(b testing.TB, people int) (*testenv.LDAPServer, *sample.Directory) {
	return startSample(b, people, testenv.WithOptions(func(o *testenv.LDAPOptions) {
		o.DataFolder, o.MaxSize = os.Getenv(dataVariable), 64<<30
	}))
}

func largePeople(b *testing.B) int {
	text := os.Getenv(peopleVariable)
	if text == "" {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		b.Fatalf("%s=%s is not a number of people, 1000 at least", peopleVariable, text)
	}
	return n
}

// BenchmarkLarge measures what depends on the size of the directory, in front of
// one server that takes a while to fill. Run it with -benchtime=3x: rounds of the
// limit and of Portico alternate.
func BenchmarkLarge(b *testing.B) {
	// The server gets an index for every attribute that the search looks at.
	server, d := startLarge(b, largePeople(b))
	dataDir := filepath.Join(b.TempDir(), "data")
	b.Run("first-read", func(b *testing.B) { benchFirstRead(b, server) })
	b.Run("process", func(b *testing.B) { benchProcess(b, server, d, dataDir) })
	s := start(b, server, setup{dataDir: dataDir, top: "log: {level: warn}"})
	s.waitLong()
	b.Run("lists", func(b *testing.B) { benchLists(b, s, d) })
	b.Run("usersearch-rare", func(b *testing.B) { benchUserSearch(b, server, s, rareTerms(d)) })
	b.Run("usersearch-mixed", func(b *testing.B) { benchUserSearch(b, server, s, searchTerms(d)) })
	b.Run("visible", func(b *testing.B) { benchVisible(b, server, s, d) })
}

// benchFirstRead: an empty mirror until ready, beside the same refresh by go-ldap
// alone and by ldapsearch.
func benchFirstRead(b *testing.B, server *testenv.LDAPServer) {
	var ours, library, tool time.Duration
	for b.Loop() {
		s := start(b, server, setup{top: "log: {level: warn}"})
		begin := time.Now()
		s.waitLong()
		ours += time.Since(begin)
		filter, attributes := s.app.members[0].mapper.FeedFilter(), s.app.members[0].mapper.Attributes()
		s.stop()
		begin = time.Now()
		refreshAlone(b, server, filter, attributes)
		library += time.Since(begin)
		begin = time.Now()
		ldapsearch(b, server, filter, attributes)
		tool += time.Since(begin)
	}
	n := float64(b.N)
	b.ReportMetric(ours.Seconds()/n, "ours-s")
	b.ReportMetric(library.Seconds()/n, "go-ldap-s")
	b.ReportMetric(tool.Seconds()/n, "ldapsearch-s")
	b.ReportMetric(ours.Seconds()/library.Seconds(), "ratio")
	b.ReportMetric(ours.Seconds()/tool.Seconds(), "ratio-ldapsearch")
}

// waitLong waits for as long as a large directory may take on a slow machine.
func (s *service) waitLong() {
	s.t.Helper()
	if err := s.app.waitReady(s.t.Context(), 30*time.Minute); err != nil {
		s.t.Fatal(err)
	}
}

func refreshAlone(b *testing.B, server *testenv.LDAPServer, filter string, attributes []string) {
	b.Helper()
	conn := dialMany(b, server, 1, true)[0]
	req := ldap.NewSearchRequest(server.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, nil)
	response := conn.Syncrepl(b.Context(), req, 64, ldap.SyncRequestModeRefreshOnly, nil, false)
	for response.Next() {
	}
	if err := response.Err(); err != nil {
		b.Fatal(err)
	}
}

func ldapsearch(b *testing.B, server *testenv.LDAPServer, filter string, attributes []string) {
	b.Helper()
	cmd := exec.Command("ldapsearch", append([]string{
		"-x", "-LLL", "-H", server.URL(), "-D", server.ServiceDN, "-w", server.ServicePassword,
		"-b", server.BaseDN, "-E", "!sync=ro", filter,
	}, attributes...)...)
	cmd.Stdout = io.Discard
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v; ldapsearch is in the package ldap-utils", err)
	}
}

// searchTerms are parts of names that some people have: login names and display
// names, rare and frequent ones.
func searchTerms(d *sample.Directory) []string {
	var terms []string
	for i := range 200 {
		p := d.Person(i * 97 % d.People())
		terms = append(terms, []string{p.UID[1:], p.Family, p.UID[:4], p.Given}[i%4])
	}
	return slices.DeleteFunc(terms, func(t string) bool { return len([]rune(t)) < 3 })
}

// rareTerms are parts of login names that one person has, or a few: the whole
// directory must be looked through.
func rareTerms(d *sample.Directory) []string {
	var terms []string
	for i := range 200 {
		terms = append(terms, d.UID(i * 97 % d.People())[2:])
	}
	return terms
}

// benchUserSearch: the same substring search with the same limit of hits, by
// LDAP and by the API.
func benchUserSearch(b *testing.B, server *testenv.LDAPServer, s *service, terms []string) {
	const limitRound, oursRound = 64, 2000
	conns, c := dialMany(b, server, workers, true), httpClient(workers)
	limit := func(w, i int) error {
		text := ldap.EscapeFilter(terms[i%len(terms)])
		_, err := conns[w].Search(ldap.NewSearchRequest(server.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 10, 0, false,
			"(&(objectClass=inetOrgPerson)(|(uid=*"+text+"*)(displayName=*"+text+"*)))", []string{"uid", "displayName"}, nil))
		if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			err = nil
		}
		return err
	}
	ours := func(_, i int) error {
		body, err := fetch(c, s.url+"/api/usersearch/"+s.key+"/?search="+url.QueryEscape(terms[i%len(terms)]), nil)
		if err == nil && !strings.Contains(body, `"uid"`) {
			err = errors.New(terms[i%len(terms)] + ": " + body)
		}
		return err
	}
	spread(b, workers, limitRound, limit)
	spread(b, workers, oursRound, ours)
	var limitTime, oursTime time.Duration
	for b.Loop() {
		limitTime += spread(b, workers, limitRound, limit)
		oursTime += spread(b, workers, oursRound, ours)
	}
	limitRate := float64(limitRound*b.N) / limitTime.Seconds()
	oursRate := float64(oursRound*b.N) / oursTime.Seconds()
	b.ReportMetric(limitRate, "limit-op/s")
	b.ReportMetric(oursRate, "ours-op/s")
	b.ReportMetric(oursRate/limitRate, "ratio")
}

// benchVisible: from the end of a write in LDAP until the API shows it.
func benchVisible(b *testing.B, server *testenv.LDAPServer, s *service, d *sample.Directory) {
	admin, c := server.Admin(b), httpClient(1)
	var delays []time.Duration
	for round := 0; b.Loop(); round++ {
		for i := range 50 {
			p := d.Person(i*d.People()/50 + round%100)
			mark := fmt.Sprintf("mark-%d-%d", round, i)
			change := ldap.NewModifyRequest(p.DN, nil)
			change.Replace("displayName", []string{mark})
			if err := admin.Modify(change); err != nil {
				b.Fatal(err)
			}
			begin := time.Now()
			for {
				body, err := fetch(c, s.url+"/api/userinfo/"+s.key+"/?username="+url.QueryEscape(p.UID), nil)
				if err == nil && strings.Contains(body, mark) {
					break
				}
				if err != nil || time.Since(begin) > 30*time.Second {
					b.Fatal(body, err)
				}
				time.Sleep(time.Millisecond)
			}
			delays = append(delays, time.Since(begin))
		}
	}
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds())/1000, "p99-ms")
}

// benchProcess: a process of its own reads everything for the first time, gets
// some traffic, and is started again on what it kept.
func benchProcess(b *testing.B, server *testenv.LDAPServer, d *sample.Directory, dataDir string) {
	address := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(b))
	config := strings.Replace(configText(server, setup{dataDir: dataDir, top: "log: {level: warn}"}), "127.0.0.1:0", address, 1)
	path := filepath.Join(b.TempDir(), "portico.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	key := makeKey(b, path)
	c := startReady(b, path, address)
	firstNow, firstPeak := residentMB(b, c)
	traffic(b, c.url, key, d)
	loadedNow, _ := residentMB(b, c)
	var ready time.Duration
	for b.Loop() {
		c.kill()
		begin := time.Now()
		c = startReady(b, path, address)
		ready += time.Since(begin)
	}
	b.ReportMetric(ready.Seconds()/float64(b.N), "restart-s")
	b.ReportMetric(firstNow, "first-MB")
	b.ReportMetric(firstPeak, "first-peak-MB")
	b.ReportMetric(loadedNow, "first-used-MB")
	traffic(b, c.url, key, d)
	now, peak := residentMB(b, c)
	b.ReportMetric(now, "used-MB")
	b.ReportMetric(peak, "used-peak-MB")
	c.kill()
}

// startReady starts a service on a known address and waits until it is ready.
func startReady(b *testing.B, path, address string) *child {
	b.Helper()
	c := startChild(b, "serve", "--config", path)
	c.url = "http://" + address
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Minute)
	defer cancel()
	for {
		status, body := get(b, c.url+"/readyz")
		if status == http.StatusOK {
			return c
		}
		if ctx.Err() != nil || c.ended() {
			b.Fatalf("not ready: %d %s %s", status, body, c.log.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// traffic is a little of everything, from several clients.
func traffic(b *testing.B, base, key string, d *sample.Directory) {
	b.Helper()
	c, terms, people := httpClient(workers), searchTerms(d), normalPeople(d, 2000)
	spread(b, workers, 4000, func(_, i int) error {
		name := people[i%len(people)].UID
		form := url.Values{"key": {key}, "action": {"userinfo"}, "username": {name}}
		switch i % 10 {
		case 0:
			form = url.Values{"key": {key}, "action": {"auth"}, "username": {name}, "password": {sample.Password(name)}}
		case 1, 2:
			form = url.Values{"key": {key}, "action": {"usersearch"}, "search": {terms[i%len(terms)]}}
		case 3:
			form = url.Values{"key": {key}, "action": {"getgroupsbyuser"}, "username": {name}}
		}
		_, err := fetch(c, base+"/api.php", form)
		return err
	})
}

// residentMB is the memory of a child in MB: now, and at most.
func residentMB(b *testing.B, c *child) (now, peak float64) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		switch name {
		case "VmRSS":
			now = kb / 1024
		case "VmHWM":
			peak = kb / 1024
		}
	}
	return now, peak
}
