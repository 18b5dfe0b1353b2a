package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/adapter/collaboration"
	"portico/testenv"
)

const (
	collabsDN = "ou=collaborations,ou=groups,dc=example,dc=com"
	solarDN   = "cn=acme.solar," + collabsDN
)

// lab is an office whose collaborations are written to the directory, with an
// organisation that lets strangers sign up.
type lab struct {
	*office
	orgKey string
	keyID  int64
}

func openLab(t *testing.T) *lab {
	t.Helper()
	o := openOffice(t, `, collaboration: {write_container: "`+collabsDN+`", job_interval: 1s, visible_as_groups: true}`)
	err := o.ldap.Add("dn: " + collabsDN + "\nobjectClass: organizationalUnit\nou: collaborations\n")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{office: o}
	org := collaboration.Org{ShortName: "acme", Name: "Acme"}
	org.Settings.SignUp = true
	if _, err := o.app.collabs.PutOrg(t.Context(), org, nil); err != nil {
		t.Fatal(err)
	}
	info, key, err := o.app.adapter.CreateKey(t.Context(), adapter.KeyRequest{API: "collaboration", Org: "acme", Label: "test"})
	if err != nil {
		t.Fatal(err)
	}
	l.keyID, l.orgKey = info.ID, key
	return l
}

// org calls the API with the organisation's key.
func (l *lab) org(method, path, body string) (int, string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, l.url+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.orgKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, readAll(resp)
}

func (l *lab) must(status int, method, path, body string) string {
	l.t.Helper()
	got, text := l.org(method, path, body)
	if got != status {
		l.t.Fatalf("%s %s: %d %s", method, path, got, text)
	}
	return text
}

func (l *lab) create(more string) string {
	l.t.Helper()
	text := l.must(201, "POST", "/api/collaborations/v1", `{"name":"Solar Lab","description":"Sun watchers","disable_join_requests":false,`+
		`"disclose_member_information":true,"disclose_email_information":true,"administrators":[],"short_name":"solar"`+more+`}`)
	var made struct{ Identifier string }
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		l.t.Fatal(err)
	}
	return made.Identifier
}

func (l *lab) uid(name string) string {
	l.t.Helper()
	p, err := l.app.adapter.Person(l.t.Context(), adapter.ByUsername(name))
	if err != nil {
		l.t.Fatal(err)
	}
	return fmt.Sprint(p.UID)
}

// listed gives the login names in an attribute of an entry, nil for no entry.
func (l *lab) listed(dn, attribute string) []string {
	result, err := l.ldap.Admin(l.t).Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	if err != nil {
		l.t.Fatal(err)
	}
	names := []string{}
	for _, value := range result.Entries[0].GetAttributeValues(attribute) {
		if name, ok := strings.CutPrefix(strings.ToLower(value), "uid="); ok {
			names = append(names, name[:strings.IndexByte(name, ',')])
		}
	}
	slices.Sort(names)
	return names
}

func (l *lab) wait(dn, attribute string, want ...string) {
	l.t.Helper()
	var got []string
	until := time.Now().Add(30 * time.Second)
	for time.Now().Before(until) {
		if got = l.listed(dn, attribute); got != nil && slices.Equal(got, want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	l.t.Fatalf("%s of %s: %v, want %v\n%s", attribute, dn, got, want, l.log.String())
}

// members are the login names and roles as the API has them.
func (l *lab) members(co string) string {
	l.t.Helper()
	var v struct {
		Members []struct {
			Role, Status string
			User         struct{ Username string }
		} `json:"collaboration_memberships"`
	}
	if err := json.Unmarshal([]byte(l.must(200, "GET", "/api/collaborations/v1/"+co, "")), &v); err != nil {
		l.t.Fatal(err)
	}
	var list []string
	for _, m := range v.Members {
		list = append(list, strings.ToLower(m.User.Username)+" "+m.Role+" "+m.Status)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (l *lab) waitMembers(co, want string) {
	l.t.Helper()
	var got string
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if got = l.members(co); got == want {
			return
		}
	}
	l.t.Fatalf("the members are %q, want %q", got, want)
}

func (l *lab) modify(dn, operation, attribute string, people ...string) {
	l.t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	for i, name := range people {
		people[i] = "uid=" + name + ",ou=people,dc=example,dc=com"
	}
	switch operation {
	case "add":
		req.Add(attribute, people)
	case "delete":
		req.Delete(attribute, people)
	}
	if err := l.ldap.Admin(l.t).Modify(req); err != nil {
		l.t.Fatal(err)
	}
}

var joinLink = regexp.MustCompile(`https?://\S+/account/join\?token=[A-Z2-7]+`)

// invite sends an invitation and gives the link of the n-th mail.
func (l *lab) invite(n int, email string) string {
	l.t.Helper()
	l.must(201, "PUT", "/api/invitations/v1/collaboration_invites", `{"short_name":"solar","invites":["`+email+`"]}`)
	_, text, html := l.letter(n)
	link := joinLink.FindString(text)
	if !strings.HasPrefix(link, l.base) || !strings.Contains(html, link) {
		l.t.Fatalf("the link is %q in\n%s", link, text)
	}
	return l.onPort(link)
}

// TestCollaborationJourney: from the API call through a real mail server and a
// browser to an entry in the directory, on a server that demands another password
// of those whose password somebody else set.
func TestCollaborationJourney(t *testing.T) {
	l := openLab(t)
	if err := l.ldap.SetPolicy(map[string]string{"pwdMustChange": "TRUE"}); err != nil {
		t.Fatal(err)
	}
	co := l.create("")
	l.wait(solarDN, "member")
	link := l.invite(1, "Grace@example.org")
	l.signUpInBrowser(testenv.Browser(t), link)
	l.wait(solarDN, "member", "grace")
	l.waitMembers(co, "grace member active")
	if answer := l.ok("auth", "username", "grace", "password", "correct horse staple"); answer["status"] != "OK" {
		t.Errorf("auth = %v", answer)
	}
	entry, err := l.ldap.Admin(t).Search(ldap.NewSearchRequest("uid=grace,ou=people,dc=example,dc=com", ldap.ScopeBaseObject, 0, 0, 0, false,
		"(objectClass=*)", []string{"mail", "sn", "pwdReset"}, nil))
	if err != nil || entry.Entries[0].GetAttributeValue("mail") != "Grace@example.org" || entry.Entries[0].GetAttributeValue("pwdReset") != "" {
		t.Errorf("%v %v", entry, err)
	}
	if status, _ := get(t, link); status != http.StatusConflict {
		t.Errorf("the link again: %d", status)
	}
}

func (l *lab) signUpInBrowser(tab context.Context, link string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(tab, 90*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Navigate(link)); err != nil {
		l.t.Fatal(err)
	}
	l.shoot(ctx, "join-signup")
	fill := `(() => {
		for (const [id, value] of Object.entries({givenname: "Grace", familyname: "Hopper", username: "Grace",
			newpassword: "correct horse staple", newpassword2: "correct horse staple"})) document.getElementById(id).value = value;
		document.getElementById("username").form.querySelector("button").click();
		return true })()`
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fill)); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, 30*time.Second, "the account is ready", func() bool {
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body ? document.body.innerText : ''"))
		return err == nil && strings.Contains(text, "grace is ready") && strings.Contains(text, "Solar Lab")
	})
	l.shoot(ctx, "join-signup-done")
}

// signUp posts the form, as a browser would.
func (l *lab) signUp(link, username string) (int, string) {
	form := url.Values{
		"token": {link[strings.Index(link, "token=")+6:]}, "username": {username}, "givenname": {"Grace"}, "familyname": {"Hopper"},
		"newpassword": {"correct horse staple"}, "newpassword2": {"correct horse staple"},
	}
	resp, err := http.PostForm(l.url+"/account/join/signup", form)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, readAll(resp)
}

// D12: of many who sign up with one link, one is made; then the link is used up.
func TestAbuse_D12_SignUpByManyAtOnce(t *testing.T) {
	l := openLab(t)
	co := l.create("")
	link := l.invite(1, "grace@example.org")
	var mu sync.Mutex
	ready := 0
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			_, body := l.signUp(link, fmt.Sprintf("grace%d", i))
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(body, "is ready") {
				ready++
			}
		})
	}
	all.Wait()
	made, err := l.ldap.Admin(t).Search(ldap.NewSearchRequest("ou=people,dc=example,dc=com", ldap.ScopeSingleLevel, 0, 0, 0, false, "(sn=Hopper)", nil, nil))
	if err != nil || ready != 1 || len(made.Entries) != 1 || strings.Count(l.members(co), "grace") != 1 {
		t.Errorf("%d were let through, %v, %s, %v", ready, made, l.members(co), err)
	}
}

// D12: the key that invited is revoked; another key sends the invitation again.
// An address that somebody has is no sign-up; nor is one where the organisation
// does not allow it.
func TestAbuse_D12_InviterLosesTheRight(t *testing.T) {
	l := openLab(t)
	co := l.create("")
	link := l.invite(1, "grace@example.org")
	open := l.must(200, "GET", "/api/invitations/v1/invitations/"+co, "")
	id := regexp.MustCompile(`"identifier":"([0-9a-f-]{36})","email"`).FindStringSubmatch(open)
	if err := l.app.adapter.RevokeKey(t.Context(), l.keyID); err != nil {
		t.Fatal(err)
	}
	if status, _ := get(t, link); status != http.StatusConflict {
		t.Errorf("the page: %d", status)
	}
	if status, body := l.signUp(link, "grace"); status != http.StatusConflict {
		t.Errorf("sign-up: %d %s", status, body)
	}
	_, key, err := l.app.adapter.CreateKey(t.Context(), adapter.KeyRequest{API: "collaboration", Org: "acme", Label: "second"})
	if err != nil {
		t.Fatal(err)
	}
	l.orgKey = key
	l.must(201, "PUT", "/api/invitations/v1/resend/"+id[1], "")
	_, text, _ := l.letter(2)
	link = l.onPort(joinLink.FindString(text))
	if status, body := l.signUp(link, "grace"); status != 200 || !strings.Contains(body, "is ready") {
		t.Fatalf("after sending again: %d %s", status, body)
	}
	taken := l.invite(3, "JDOE@example.com")
	if status, body := get(t, taken); status != 200 || strings.Contains(body, "familyname") {
		t.Errorf("a taken address: %d", status)
	}
	if _, body := l.signUp(taken, "mallory"); strings.Contains(body, "is ready") {
		t.Error("a second account with the address")
	}
	org, err := l.app.collabs.FindOrg(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	org.Settings.SignUp = false
	if _, err := l.app.collabs.PutOrg(t.Context(), *org, nil); err != nil {
		t.Fatal(err)
	}
	other := l.invite(4, "eve@example.org")
	if _, body := l.signUp(other, "eve"); strings.Contains(body, "is ready") {
		t.Error("signed up though the organisation does not allow it")
	}
}

// TestCollaborationsInTheDirectory: both sides change, and agree; what an
// administrator does in the directory wins.
func TestCollaborationsInTheDirectory(t *testing.T) {
	l := openLab(t)
	co := l.create(`,"administrator":"` + l.uid("jdoe") + `"`)
	l.wait(solarDN, "member", "jdoe")
	l.wait(solarDN, "owner", "jdoe")
	opsDN := "cn=ops," + solarDN
	l.must(201, "POST", "/api/groups/v1", `{"collaboration_identifier":"`+co+`","name":"Ops","short_name":"ops","description":"Night shift","auto_provision_members":false}`)
	l.wait(opsDN, "member")

	t.Run("an administrator adds", func(t *testing.T) {
		l.modify(solarDN, "add", "member", "jadoe")
		l.waitMembers(co, "jadoe member active, jdoe admin active")
		l.modify(opsDN, "add", "member", "admin")
		l.waitMembers(co, "admin member active, jadoe member active, jdoe admin active")
		l.wait(solarDN, "member", "admin", "jadoe", "jdoe")
	})
	t.Run("an administrator gives a role and takes it", func(t *testing.T) {
		l.modify(solarDN, "add", "owner", "jadoe")
		l.waitMembers(co, "admin member active, jadoe admin active, jdoe admin active")
		l.modify(solarDN, "delete", "owner", "jadoe")
		l.waitMembers(co, "admin member active, jadoe member active, jdoe admin active")
	})
	t.Run("the API gives a role", func(t *testing.T) {
		l.must(201, "PUT", "/api/collaborations/v1/"+co+"/members", `{"uid":"`+l.uid("jadoe")+`","role":"admin"}`)
		l.wait(solarDN, "owner", "jadoe", "jdoe")
	})
	t.Run("an administrator removes", func(t *testing.T) {
		l.modify(solarDN, "delete", "member", "admin")
		l.waitMembers(co, "jadoe admin active, jdoe admin active")
		l.wait(opsDN, "member")
	})
	t.Run("the API removes", func(t *testing.T) {
		l.must(204, "DELETE", "/api/collaborations/v1/"+co+"/members/"+l.uid("jadoe"), "")
		l.wait(solarDN, "member", "jdoe")
		l.wait(solarDN, "owner", "jdoe")
	})
	t.Run("the description is the administrator's", func(t *testing.T) {
		req := ldap.NewModifyRequest(opsDN, nil)
		req.Replace("description", []string{"mine"})
		if err := l.ldap.Admin(t).Modify(req); err != nil {
			t.Fatal(err)
		}
		l.modify(opsDN, "add", "member", "jdoe")
		eventually(t, 30*time.Second, "jdoe is in the group", func() bool {
			return strings.Contains(l.must(200, "GET", "/api/organisations/v1", ""), `"collaboration_memberships":[`+l.uid("jdoe")+`]`)
		})
		got, err := l.ldap.Admin(t).Search(ldap.NewSearchRequest(opsDN, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil))
		if err != nil || got.Entries[0].GetAttributeValue("description") != "mine" {
			t.Errorf("%v %v", got, err)
		}
	})
	t.Run("deletion", func(t *testing.T) {
		l.must(204, "DELETE", "/api/collaborations/v1/"+co, "")
		eventually(t, 30*time.Second, "the entries are gone", func() bool { return l.listed(solarDN, "member") == nil && l.listed(opsDN, "member") == nil })
	})
	t.Run("a name of somebody else", func(t *testing.T) {
		err := l.ldap.Add("dn: " + solarDN + "\nobjectClass: groupOfNames\ncn: acme.solar\nmember: uid=admin,ou=people,dc=example,dc=com\n")
		if err != nil {
			t.Fatal(err)
		}
		again := l.create("")
		eventually(t, 30*time.Second, "it is noticed", func() bool { return strings.Contains(l.log.String(), "another entry under the name") })
		if got := l.members(again); got != "" {
			t.Errorf("members: %s", got)
		}
		if got := l.listed(solarDN, "member"); !slices.Equal(got, []string{"admin"}) {
			t.Errorf("listed: %v", got)
		}
		l.must(204, "DELETE", "/api/collaborations/v1/"+again, "")
		time.Sleep(2 * time.Second)
		if l.listed(solarDN, "member") == nil {
			t.Error("the entry of somebody else was deleted")
		}
	})
}
