package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"portico/adapter"
	"portico/adapter/store"
	"portico/directory"
	"portico/httpapi"
)

// people is a directory in memory: login name and password, and account states.
type people struct {
	adapter.Directory // groups and managers are not asked for

	mu        sync.Mutex
	passwords map[string]string
	states    map[string]directory.AccountState
	names     map[string]string
	down      bool
	refusal   *directory.PasswordError
}

func (*people) SpendMiss(context.Context, string) {} // memory answers alike for everybody

func (p *people) entry(login string) *directory.Entry {
	return &directory.Entry{
		ID: directory.ID{Directory: "d", Stable: login}, Kind: directory.KindPerson, Login: login, Name: login,
		Attributes: directory.Attributes{directory.AttrName: {p.names[login]}, directory.AttrMail: {login + "@example.org"}},
	}
}

func (p *people) find(login string) (*directory.Entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	login = directory.FoldName(login)
	if p.down {
		return nil, directory.ErrUnavailable
	}
	if _, ok := p.passwords[login]; !ok {
		return nil, directory.ErrNotFound
	}
	return p.entry(login), nil
}

func (p *people) PersonByLogin(_ context.Context, login string) (*directory.Entry, error) {
	return p.find(login)
}

func (p *people) PersonByID(_ context.Context, id directory.ID) (*directory.Entry, error) {
	return p.find(id.Stable)
}

func (p *people) Authenticate(_ context.Context, person *directory.Entry, password string) (directory.BindResult, *directory.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wrong := directory.BindResult{Verdict: directory.VerdictWrong}
	switch {
	case p.down:
		return directory.BindResult{}, person
	case person == nil || p.passwords[person.Login] != password:
		return wrong, person
	case p.states[person.Login].MustChange:
		return directory.BindResult{Verdict: directory.VerdictMustChange, PasswordRight: true}, person
	case p.states[person.Login].Disabled:
		return directory.BindResult{Verdict: directory.VerdictDisabled, PasswordRight: true}, person
	}
	return directory.BindResult{Verdict: directory.VerdictSignedIn, PasswordRight: true}, person
}

func (p *people) State(_ context.Context, person *directory.Entry, _ time.Time) directory.AccountState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states[person.Login]
}

func (p *people) ChangePassword(_ context.Context, person *directory.Entry, oldPassword, newPassword string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.passwords[person.Login] != oldPassword:
		return &directory.PasswordError{Fault: directory.PasswordOldWrong}
	case p.refusal != nil:
		return p.refusal
	}
	p.passwords[person.Login] = newPassword
	delete(p.states, person.Login)
	return nil
}

func (p *people) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// house is the pages on a real store, behind a test server.
type house struct {
	t       testing.TB
	people  *people
	store   *store.Store
	adapter *adapter.Adapter
	console *Console
	server  *httptest.Server
	clock   *clock
	log     *logBuffer
	mails   []string
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (h *house) AlertMail(_ context.Context, username, appName string, _ adapter.Client) error {
	h.mails = append(h.mails, username+" at "+appName)
	return nil
}

const prefix = "/accounthub"

func newHouse(t testing.TB, change ...func(*Config)) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{now: time.Now()}, log: &logBuffer{}, people: &people{
		passwords: map[string]string{"jdoe": "jdoe secret words", "ada": "ada secret words"},
		names:     map[string]string{"jdoe": "John Doe", "ada": "Ada <script>alert(1)</script>"},
		states:    map[string]directory.AccountState{},
	}}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	var err error
	h.store, err = store.Open(t.Context(), "", store.Options{
		DataDir: t.TempDir(), Key: bytes.Repeat([]byte{7}, store.KeySize), Log: log, Clock: h.clock.Now,
	})
	must(t, err)
	t.Cleanup(func() { must(t, h.store.Close()) })
	h.adapter, err = adapter.New(adapter.Config{LoginInterval: -1}, adapter.Deps{
		Directory: h.people, Passwords: h.people, Store: h.store, Log: log, Now: h.clock.Now,
	})
	must(t, err)
	mounted := http.NewServeMux()
	h.server = httptest.NewServer(mounted)
	t.Cleanup(h.server.Close)
	cfg := Config{
		Prefix: prefix, BaseURL: h.server.URL, Title: "Example Works", Mobile: true,
		Apps: []App{{Title: "Task & Floor", URL: "https://tasks.example.org/app/"}, {Title: "Bins", URL: "http://127.0.0.1:9/"}},
	}
	for _, f := range change {
		f(&cfg)
	}
	h.console, err = New(cfg, Deps{Adapter: h.adapter, Alerts: h, Log: log, Now: h.clock.Now})
	must(t, err)
	server, err := httpapi.New(httpapi.Config{Listen: "127.0.0.1:0"}, httpapi.Deps{
		Log: log, Now: time.Now, Rand: rand.Reader, Dialects: []httpapi.Dialect{h.console},
	})
	must(t, err)
	mounted.Handle("/", server.Handler())
	return h
}

// logBuffer keeps what was logged, for any number of writers and readers.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser keeps cookies and follows redirects within the server only.
type browser struct {
	h      *house
	client *http.Client
	header http.Header
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(h.t, err)
	return &browser{h: h, header: http.Header{"Sec-Fetch-Site": {"same-origin"}}, client: &http.Client{
		Jar: jar,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if !strings.HasPrefix(r.URL.String(), h.server.URL) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}}
}

// result is an answer with its body read.
type result struct {
	*http.Response
	body string
}

func (b *browser) do(method, path string, form url.Values) result {
	b.h.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.h.server.URL + prefix + path
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.h.t.Context(), method, path, body)
	must(b.h.t, err)
	maps.Copy(r.Header, b.header)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(r)
	must(b.h.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.h.t, err)
	return result{resp, string(text)}
}

func (b *browser) get(path string) result { return b.do(http.MethodGet, path, nil) }

func (b *browser) post(path string, pairs ...string) result {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

// token is the session cookie's value, "" for none.
func (b *browser) token() string {
	u, err := url.Parse(b.h.server.URL)
	must(b.h.t, err)
	for _, cookie := range b.client.Jar.Cookies(u) {
		if cookie.Name == "portico" {
			return cookie.Value
		}
	}
	return ""
}

// signedIn is a browser in which that person is signed in.
func (h *house) signedIn(login string) *browser {
	h.t.Helper()
	b := h.browser()
	b.post("/account/signin", "username", login)
	r := b.post("/account/signin", "password", login+" secret words")
	if r.Request.URL.Path != prefix+"/account/" {
		h.t.Fatalf("not signed in: %s %s", r.Request.URL, r.body)
	}
	return b
}

func (r result) has(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.body, text) {
			t.Errorf("%s %s: no %q in\n%s", r.Request.Method, r.Request.URL, text, r.body)
		}
	}
}

func (h *house) events(types ...int) []store.Record {
	h.t.Helper()
	records, err := h.store.ListRecords(h.t.Context(), store.RecordFilter{Types: types})
	must(h.t, err)
	return records
}

func (h *house) uid(login string) int64 {
	h.t.Helper()
	p, err := h.adapter.Person(h.t.Context(), adapter.ByUsername(login))
	must(h.t, err)
	return p.UID
}

// secretOf finds the secret of a page that shows one.
func secretOf(t testing.TB, body string) string {
	t.Helper()
	m := regexp.MustCompile(`<code class="secret">([^<]+)</code>`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no secret in\n%s", body)
	}
	return m[1]
}

// code is the authentication code of that moment.
func (h *house) code(secret string) string {
	h.t.Helper()
	code, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), h.clock.Now())
	must(h.t, err)
	return code
}

// enrol sets up authentication codes for whoever is signed in in b.
func (h *house) enrol(b *browser) (secret string) {
	h.t.Helper()
	secret = secretOf(h.t, b.post("/account/codes/begin").body)
	b.post("/account/codes/confirm", "totp", h.code(secret)).has(h.t, "Authentication codes are on")
	h.clock.add(31 * time.Second)
	return secret
}
