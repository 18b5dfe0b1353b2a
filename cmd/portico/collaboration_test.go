package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/adapter/collaboration"
	"portico/testenv"
)

// An invitation goes from the API through a real mail server to a person of a
// real directory, who accepts it.
func TestCollaborationInvitation(t *testing.T) {
	server := testenv.SMTP(t)
	s := start(t, startOpenLDAP(t), setup{top: fmt.Sprintf(`
base_url: https://id.example.org
mail: {smtp_url: "smtp://user:secret@%s", from: portico@example.org, ca_file: %q}`, server.Address(), server.CAFile)})
	s.waitReady()
	_, err := s.app.collabs.PutOrg(t.Context(), collaboration.Org{ShortName: "acme", Name: "Acme"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := s.app.adapter.CreateKey(t.Context(), adapter.KeyRequest{API: "collaboration", Org: "acme", Label: "test"})
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, authorization, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if authorization == "" {
			r.SetBasicAuth("jdoe", "jdoe-pw")
		} else {
			r.Header.Set("Authorization", authorization)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(data)
	}
	status, text := send("POST", "/api/collaborations/v1/", "bearer "+key, `{"name":"Solar Lab","description":"d","disable_join_requests":false,`+
		`"disclose_member_information":true,"disclose_email_information":true,"administrators":["jdoe@example.com"],"short_name":"solar"}`)
	if status != 201 {
		t.Fatal(status, text)
	}
	eventually(t, 30*time.Second, "the mail arrives", func() bool { return len(server.Delivered(t)) == 1 })
	m := server.Delivered(t)[0]
	raw, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.NewReplacer("=\r\n", "", "=\n", "", "=3D", "=").Replace(string(raw))
	_, after, found := strings.Cut(body, "https://id.example.org/account/join?token=")
	if !found || !strings.Contains(body, "text/html") || !strings.Contains(m.Header.Get("To"), "jdoe@example.com") {
		t.Fatal(body)
	}
	if status, text = send("POST", "/api/invitations/v1/accept", "", `{"token":"`+after[:26]+`"}`); status != 200 {
		t.Fatal(status, text)
	}
	status, text = send("GET", "/api/organisations/v1", "Bearer "+key, "")
	if status != 200 || !strings.Contains(text, `"role":"admin","status":"active"`) || !strings.Contains(text, `"email":"jdoe@example.com"`) {
		t.Error(status, text)
	}
	if status, _ = send("GET", "/api/ping/"+key+"/", "Bearer "+key, ""); status == 404 {
		t.Error("the action API is not reached any more")
	}
}
