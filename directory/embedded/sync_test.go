package embedded

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// changes are made while the consumer is away.
func changes(t *testing.T, c *ldap.Conn) {
	t.Helper()
	m := ldap.NewModifyRequest(annDN, nil)
	m.Replace("title", []string{"Changed"})
	must(t, c.Modify(m))
	must(t, c.Del(ldap.NewDelRequest(bobDN, nil)))
	must(t, c.Add(person("new")))
}

// TestSync_DR10_Restart wants the same present phase of both servers when a
// restart lost the session log.
func TestSync_DR10_Restart(t *testing.T) {
	t.Parallel()
	conf := newSlapd(t)
	url := "ldap://" + freePort(t)
	stop := serveSlapd(t, conf, url)
	ours := startEmbedded(t, nil)
	real := func() {
		stop()
		stop = serveSlapd(t, conf, url)
	}
	t.Cleanup(func() { stop() })
	own := func() {
		must(t, ours.Close())
		must(t, ours.Start())
	}
	var shown [2]string
	for i, x := range []struct {
		url     string
		restart func()
	}{{url, real}, {ours.URL(), own}} {
		c := dialService(t, x.url)
		for _, s := range people() {
			s.do(c)
		}
		k := &consumer{names: map[string]string{}}
		first := k.refreshOnly(c, testSuffix, "(objectClass=*)", "")
		changes(t, c)
		x.restart()
		c = dialService(t, x.url)
		again := k.refreshOnly(c, testSuffix, "(objectClass=*)", k.cookie)
		more := k.refreshOnly(c, testSuffix, "(objectClass=*)", k.cookie)
		m := ldap.NewModifyRequest(annDN, nil)
		m.Replace("title", []string{"After"})
		must(t, c.Modify(m))
		shown[i] = strings.Join([]string{first, again, more, k.refreshOnly(c, testSuffix, "(objectClass=*)", k.cookie)}, "\n----\n")
	}
	if shown[0] != shown[1] {
		t.Errorf("OpenLDAP:\n%s\nembedded:\n%s", shown[0], shown[1])
	}
	if !strings.Contains(shown[1], "deletes=false") {
		t.Errorf("no present phase:\n%s", shown[1])
	}
}

func TestSync_LogTooShort(t *testing.T) {
	s := startEmbedded(t, func(c *Config) { c.SessionLog = 2 })
	c := dialService(t, s.URL())
	for _, x := range people() {
		x.do(c)
	}
	k := &consumer{names: map[string]string{}}
	k.refreshOnly(c, testSuffix, "(uid=*)", "")
	old := k.cookie
	m := ldap.NewModifyRequest(annDN, nil)
	m.Replace("title", []string{"x"})
	must(t, c.Modify(m))
	if got := k.refreshOnly(c, testSuffix, "(uid=*)", old); !strings.Contains(got, "done deletes=true") {
		t.Errorf("one change fits the log:\n%s", got)
	}
	changes(t, c)
	got := k.refreshOnly(c, testSuffix, "(uid=*)", old)
	for _, want := range []string{
		"state 1 " + annDN, "state 1 uid=new," + testSuffix, "done deletes=false cookie=true",
		"ids deletes=false cookie=false  " + annDN + " uid=pia," + testSuffix + " uid=zoe," + peopleD,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
	s.SetFaults(Faults{StaleCookie: true})
	if got := k.refreshOnly(c, testSuffix, "(uid=*)", k.cookie); got != "end 4096" {
		t.Errorf("stale cookie: %s", got)
	}
	s.SetFaults(Faults{SizeLimit: 2})
	if got := k.refreshOnly(c, testSuffix, "(uid=*)", ""); strings.Count(got, "state 1") != 2 || !strings.Contains(got, "end 4") {
		t.Errorf("size limit: %s", got)
	}
}

// follow starts a persistent search and gives its lines.
func follow(t *testing.T, url, filter string) (lines chan string, stop func()) {
	t.Helper()
	c := dialService(t, url)
	c.SetTimeout(0)
	ctx, cancel := context.WithCancel(context.Background())
	k := &consumer{names: map[string]string{}}
	r := c.Syncrepl(ctx, search(testSuffix, ldap.ScopeWholeSubtree, filter, "uid"), 16, ldap.SyncRequestModeRefreshAndPersist, nil, false)
	lines = make(chan string, 10_000)
	go func() {
		defer close(lines)
		for r.Next() {
			for _, l := range k.seen(r) {
				lines <- l
			}
		}
		lines <- "end " + outcome(r.Err())
	}()
	return lines, func() { cancel(); _ = c.Close() }
}

func waitFor(t *testing.T, lines chan string, text string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case l, ok := <-lines:
			if strings.Contains(l, text) {
				return
			}
			if !ok {
				t.Fatalf("stream ended before %q", text)
			}
		case <-timeout:
			t.Fatalf("no %q", text)
		}
	}
}

func TestSync_PersistSeesEveryWrite(t *testing.T) {
	s := startEmbedded(t, nil)
	lines, stop := follow(t, s.URL(), "(uid=*)")
	defer stop()
	waitFor(t, lines, "refreshDelete")
	c := dialService(t, s.URL())
	const n = 300
	for i := range n {
		must(t, c.Add(person(fmt.Sprint("n", i))))
	}
	for i := range n {
		waitFor(t, lines, fmt.Sprintf("state 1 uid=n%d,", i))
	}
}

// TestSync_SlowConsumer: a consumer that does not read must not hold up writers
// or grow without bound.
func TestSync_SlowConsumer(t *testing.T) {
	s := startEmbedded(t, nil)
	f := newFeed(s.store, query{base: s.store.suffix, scope: scopeSub, filter: &filter{kind: filterAnd}})
	e := s.store.tree.at(s.store.suffix)
	for range feedBacklog + 10 {
		f.offer(change{old: e, now: e, csn: "x"})
	}
	if events, over := f.take(); !over || len(events) != 0 {
		t.Errorf("%d events, over=%v", len(events), over)
	}
}

func TestSync_CancelAndAbandon(t *testing.T) {
	s := startEmbedded(t, nil)
	raw := dialRaw(t, s.URL())
	raw.bindService()
	sync := reply{oid: oidSync, value: sequence(enumerated(3))}
	raw.send(7, searchRequestOf(testSuffix, "(uid=none)"), sync)
	raw.expect(7, tagIntermediate)
	raw.send(8, extendedOf(oidCancel, sequence(integer(7))))
	codes := map[int64]int{}
	for range 2 {
		id, _, code := raw.result()
		codes[id] = code
	}
	if codes[7] != resultCanceled || codes[8] != resultSuccess {
		t.Errorf("codes %v", codes)
	}
	raw.send(9, extendedOf(oidCancel, sequence(integer(7))))
	if _, _, code := raw.result(); code != resultNoSuchOperation {
		t.Errorf("cancel of nothing: %d", code)
	}
	raw.send(10, searchRequestOf(testSuffix, "(uid=none)"), sync)
	raw.expect(10, tagIntermediate)
	raw.send(11, abandonOf(10))
	raw.send(12, extendedOf(oidWhoAmI, nil))
	if id, _, code := raw.result(); id != 12 || code != 0 {
		t.Errorf("after abandon: message %d, code %d", id, code)
	}
}
