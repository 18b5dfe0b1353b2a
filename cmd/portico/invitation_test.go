package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/testenv"
)

// office is the service with a real directory that may be written and a real mail
// server, and jdoe who manages users.
type office struct {
	*service
	mail *testenv.SMTPServer
	ldap *testenv.LDAPServer
	key  string
	base string
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func openOffice(t *testing.T, more string) *office {
	t.Helper()
	o := &office{mail: testenv.SMTP(t), ldap: startOpenLDAP(t)}
	address := freePort(t)
	o.base = "http://" + address
	o.service = start(t, o.ldap, setup{
		directory: `    write: {enabled: true, user_container: "ou=people,dc=example,dc=com", group_container: "ou=groups,dc=example,dc=com"}`,
		top: fmt.Sprintf(`base_url: %s
apis: {action: {login_interval: 0s, title: Guild}, integration: {allow_email: true, keys: ["{page}password!"]}%s}
mail: {smtp_url: "smtp://user:secret@%s", from: portico@example.org, ca_file: %q}`, o.base, more, o.mail.Address(), o.mail.CAFile),
	})
	o.waitReady()
	person := adapter.ByUsername("jdoe")
	if err := o.app.adapter.GiveRole(t.Context(), person, "Administrators", "test"); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.key, err = o.app.adapter.AddPersonalKey(t.Context(), person, "test", adapter.Client{}); err != nil {
		t.Fatal(err)
	}
	return o
}

// um calls the user management as somebody.
func (o *office) um(user, key, method, path, body string) (int, string) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.SetBasicAuth(user, key)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Host = "evil.example" // F14
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	return resp.StatusCode, readAll(resp)
}

func (o *office) as(method, path, body string) (int, string) {
	o.t.Helper()
	return o.um("example/jdoe", o.key, method, path, body)
}

// letter waits for the n-th mail and gives its parts.
func (o *office) letter(n int) (m *mail.Message, text, html string) {
	o.t.Helper()
	eventually(o.t, 30*time.Second, "the mail arrives", func() bool { return len(o.mail.Delivered(o.t)) >= n })
	m = o.mail.Delivered(o.t)[n-1]
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		o.t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return m, text, html
		}
		data, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			o.t.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			html = string(data)
		} else {
			text = string(data)
		}
	}
}

var invitationLink = regexp.MustCompile(`https?://\S+/account/invitation\?t=[A-Z2-7]+`)

// onPort makes a link of the mails one of this test's service.
func (o *office) onPort(link string) string { return strings.Replace(link, o.base, o.url, 1) }

const grace = `{"user":{"first_name":"Grace","last_name":"Hopper","email_address":"Grace@example.org","role_id":null}}`

// TestInvitationJourney: from the API call through a real mail server and a
// browser to an entry in the directory. F14, D12: twice, G10.
func TestInvitationJourney(t *testing.T) {
	o := openOffice(t, "")
	status, body := o.as("POST", "/users", grace)
	if status != http.StatusCreated || !strings.Contains(body, `"username":null`) || !strings.Contains(body, `"enabled":false`) {
		t.Fatalf("%d %s", status, body)
	}
	var made struct{ User struct{ ID int64 } }
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	if status, body := o.as("POST", "/users", grace); status != 422 || !strings.Contains(body, "already in use") {
		t.Errorf("twice: %d %s", status, body)
	}
	m, text, html := o.letter(1)
	link := invitationLink.FindString(text)
	if !strings.HasPrefix(link, o.base+"/account/invitation?t=") || !strings.Contains(html, link) || strings.Contains(text+html, "evil.example") {
		t.Fatalf("the link is %q in\n%s\n%s", link, text, html)
	}
	if to := m.Header.Get("To"); !strings.Contains(to, "Grace@example.org") || m.Header.Get("Subject") != "Invitation to Guild" {
		t.Errorf("to %q, subject %q", to, m.Header.Get("Subject"))
	}
	tab := testenv.Browser(t)
	o.acceptInBrowser(tab, o.onPort(link))
	if status, _ := get(t, o.onPort(link)); status != http.StatusNotFound {
		t.Errorf("the link works again: %d", status)
	}
	if answer := o.ok("auth", "username", "grace", "password", "correct horse staple"); answer["status"] != "OK" {
		t.Errorf("auth = %v", answer)
	}
	status, body = o.as("GET", fmt.Sprintf("/users/%d", made.User.ID), "")
	if status != 200 || !strings.Contains(body, `"username":"grace"`) || !strings.Contains(body, `"enabled":true`) || !strings.Contains(body, `"time_zone":"Berlin"`) {
		t.Errorf("%d %s", status, body)
	}
}

// acceptInBrowser fills in the page and waits for its end.
func (o *office) acceptInBrowser(tab context.Context, link string) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(tab, 90*time.Second)
	defer cancel()
	do := func(what string, err error) {
		o.t.Helper()
		if err != nil {
			o.t.Fatalf("%s: %v", what, err)
		}
	}
	_, err := chromedp.Run(ctx, chromedp.Navigate(link))
	do("open", err)
	o.shoot(ctx, "invitation")
	fill := `(() => {
		document.querySelector("#username").value = "Grace";
		document.querySelector("#newpassword").value = "correct horse staple";
		document.querySelector("#newpassword2").value = "correct horse staple";
		document.querySelector("#timezone").value = "Europe/Berlin";
		document.querySelector("main form button").click();
		return true })()`
	_, err = chromedp.Run(ctx, chromedp.Evaluate[bool](fill))
	do("fill in", err)
	eventually(o.t, 30*time.Second, "the account is ready", func() bool {
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
		return err == nil && strings.Contains(text, "grace is ready") && strings.Contains(text, "pk_u_")
	})
	o.shoot(ctx, "invitation-done")
}

// shoot keeps a picture of the page where the tester asks for pictures.
func (o *office) shoot(ctx context.Context, name string) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600)
	}
	if err != nil {
		o.t.Error(err)
	}
}

// accept posts the form of the page, as a browser would.
func (o *office) accept(link, username string) (int, string) {
	token := link[strings.Index(link, "?t=")+3:]
	form := "token=" + token + "&username=" + username + "&newpassword=correct+horse+staple&newpassword2=correct+horse+staple&timezone=UTC"
	resp, err := http.Post(o.url+"/account/invitation", "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, readAll(resp)
}

// D12: of many who accept at the same time one is let through, under one name.
func TestAbuse_D12_AcceptedByManyAtOnce(t *testing.T) {
	o := openOffice(t, "")
	if status, body := o.as("POST", "/users", grace); status != 201 {
		t.Fatal(body)
	}
	_, text, _ := o.letter(1)
	link := invitationLink.FindString(text)
	var mu sync.Mutex
	ready := 0
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			_, body := o.accept(link, fmt.Sprintf("grace%d", i))
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(body, "is ready") {
				ready++
			}
		})
	}
	all.Wait()
	if ready != 1 {
		t.Errorf("%d were let through", ready)
	}
	_, body := o.as("GET", "/users", "")
	if n := strings.Count(body, `"last_name":"Hopper"`); n != 1 {
		t.Errorf("%d people were made", n)
	}
}

// D12: after the inviter lost the right, after it was withdrawn, and by a link
// that was replaced. D07: no role above one's own, the last one stays.
func TestAbuse_D07_D12_RightsAtAcceptance(t *testing.T) {
	o := openOffice(t, "")
	if status, body := o.as("POST", "/users", strings.Replace(grace, "null", "1", 1)); status != 403 {
		t.Errorf("a role above one's own: %d %s", status, body)
	}
	status, body := o.as("POST", "/users", strings.Replace(grace, "null", `"3"`, 1))
	if status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	var made struct{ User struct{ ID int64 } }
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	_, text, _ := o.letter(1)
	first := invitationLink.FindString(text)
	path := fmt.Sprintf("/users/%d", made.User.ID)
	if status, body := o.as("POST", path+"/resend_invitation", ""); status != 200 || body != "" {
		t.Fatalf("resend: %d %s", status, body)
	}
	if status, _ := o.as("POST", path+"/resend_invitation", ""); status != 429 {
		t.Errorf("resend at once: %d", status)
	}
	_, text, _ = o.letter(2)
	second := invitationLink.FindString(text)
	if status, _ := get(t, o.onPort(first)); status != 404 {
		t.Errorf("the first link works still: %d", status)
	}
	if status, _ := get(t, o.onPort(second)); status != 200 {
		t.Errorf("the second link: %d", status)
	}
	ctx := t.Context()
	if status, body := o.as("PUT", "/users/jdoe", `{"user":{"role_id":5}}`); status != 409 {
		t.Errorf("the last who manages users went: %d %s", status, body)
	}
	if err := o.app.adapter.GiveRole(ctx, adapter.ByUsername("jdoe"), "Users", "test"); err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, o.onPort(second)); status != 404 {
		t.Errorf("the inviter lost the right: %d", status)
	}
	if _, body := o.accept(second, "grace"); strings.Contains(body, "is ready") {
		t.Error("accepted though the inviter lost the right")
	}
	if status, body := o.as("POST", "/users", grace); status != 403 {
		t.Errorf("invited without the right: %d %s", status, body)
	}
	if err := o.app.adapter.GiveRole(ctx, adapter.ByUsername("jdoe"), "Administrators", "test"); err != nil {
		t.Fatal(err)
	}
	if status, body := o.as("DELETE", path, ""); status != 200 {
		t.Fatalf("withdraw: %d %s", status, body)
	}
	if status, _ := get(t, o.onPort(second)); status != 404 {
		t.Errorf("withdrawn: %d", status)
	}
	if status, _ := o.as("GET", path, ""); status != 404 {
		t.Errorf("withdrawn and still a user: %d", status)
	}
}

// D12, D14: an entry with the address exists: only its owner, signed in, accepts.
func TestAbuse_D14_LinkNeedsItsOwner(t *testing.T) {
	o := openOffice(t, "")
	change := ldap.NewModifyRequest("uid=jadoe,ou=people,dc=example,dc=com", nil)
	change.Replace("mail", []string{"jane@example.com"})
	if err := o.ldap.Admin(t).Modify(change); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the address is known", func() bool {
		p, err := o.app.adapter.Person(t.Context(), adapter.ByUsername("jadoe"))
		return err == nil && p.Email() == "jane@example.com"
	})
	body := `{"user":{"first_name":"Jane","last_name":"Doe","email_address":"JANE@example.com","role_id":4}}`
	if status, answer := o.as("POST", "/users", body); status != 201 {
		t.Fatal(answer)
	}
	_, text, _ := o.letter(1)
	token := invitationLink.FindString(text)
	token = token[strings.Index(token, "?t=")+3:]
	if _, page := o.accept("?t="+token, "mallory"); strings.Contains(page, "is ready") {
		t.Fatal("a link in a mail was enough")
	}
	other, err := o.app.adapter.Person(t.Context(), adapter.ByUsername("admin"))
	if err != nil {
		t.Fatal(err)
	}
	owner, err := o.app.adapter.Person(t.Context(), adapter.ByUsername("jadoe"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.app.adapter.AcceptInvitation(t.Context(), adapter.Acceptance{Token: token, SignedIn: other}, adapter.Client{})
	if adapter.KindOf(err) != adapter.Denied {
		t.Errorf("somebody else: %v", err)
	}
	done, err := o.app.adapter.AcceptInvitation(t.Context(), adapter.Acceptance{Token: token, SignedIn: owner}, adapter.Client{})
	if err != nil || done.Username != "jadoe" || done.Key == "" {
		t.Fatalf("the owner: %+v %v", done, err)
	}
	status, profile := o.um("example/jadoe", done.Key, "GET", "/profile", "")
	if status != 200 || !strings.Contains(profile, fmt.Sprintf(`"id":%d`, owner.UID)) || !strings.Contains(profile, done.Key) {
		t.Errorf("%d %s", status, profile)
	}
	if bytes.Contains([]byte(o.log.String()), []byte(token)) || strings.Contains(o.log.String(), done.Key) {
		t.Error("a secret is in the log")
	}
}
