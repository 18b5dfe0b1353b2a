package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"portico/adapter"
	"portico/adapter/store"
)

// TestAbuse_K02_OneRecordForEach sends sign-ins and checks of every kind through
// both APIs: each leaves exactly one record, with its type, its person, the
// address and the request's id, and none shows a secret.
func TestAbuse_K02_OneRecordForEach(t *testing.T) {
	v := startVectors(t, "")
	const api, mobile = "/accounthub/api.php", "/accounthub/mobile/"
	sync := "username=jdoe&key=" + v.sync["jdoe"]
	wrong, err := v.variable("totp 9")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		path, query string
		event       adapter.EventType
		uid         int64
	}{
		{api, "action=auth&username=jdoe&password=jdoe-pw", adapter.EventAPIAuthOK, 2},
		{api, "action=auth&username=jdoe&password=wrong", adapter.EventAPIAuthFailed, 2},
		{api, "action=auth&username=termin&password=termin-pw", adapter.EventAPIAuthFailed, 5},
		{api, "action=auth&username=nobody&password=wrong", adapter.EventAPIAuthFailed, 0},
		{api, "action=login&username=admin&password=admin-pw", adapter.EventAPILoginOK, 1},
		{api, "action=login&username=jadoe&password=wrong", adapter.EventAPILoginFailed, 9},
		{api, "action=verifytotp&username=jdoe&code=" + wrong, adapter.EventAPIBadTOTP, 2},
		{api, "action=addapppassword&username=jdoe&desc=mail", adapter.EventUserEdited, 2},
		{api, "action=permission&uid=1&code=X&key=" + v.keys["AUTHKEY"], adapter.EventAPIBadKey, 0},
		{api, "action=ping&key=wrong-wrong-wrong", adapter.EventAPIBadKey, 0},
		{mobile, "action=check_password&password=jdoe-pw&" + sync, adapter.EventMobileLoginOK, 2},
		{mobile, "action=generatesynccode&username=jdoe&key=x&password=jdoe-pw", adapter.EventMobileLoginFailed, 2},
		{mobile, "action=generatesynccode&username=nobody&key=x&password=x", adapter.EventMobileLoginFailed, 0},
		{mobile, "action=check_key&username=jadoe&key=0123456789ABCDEF9999", adapter.EventMobileBadKey, 0},
	}
	for _, c := range cases {
		before := v.records(t)
		form, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		if !form.Has("key") {
			form.Set("key", v.key)
		}
		resp, err := http.PostForm(v.url+c.path, form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		after := v.records(t)
		if len(after) != len(before)+1 {
			t.Errorf("%s: %d records", c.query, len(after)-len(before))
			continue
		}
		got := after[0]
		want := fmt.Sprint(int(c.event), c.uid, "127.0.0.1", resp.Header.Get("X-Request-Id"))
		if fmt.Sprint(got.Type, got.UID, got.Address, got.RequestID) != want || got.Text == "" {
			t.Errorf("%s: %+v, want %s", c.query, got, want)
		}
		for _, secret := range []string{v.key, v.sync["jdoe"], v.keys["AUTHKEY"], "jdoe-pw", "wrong-wrong", wrong} {
			if strings.Contains(got.Text, secret) {
				t.Errorf("%s: a secret is in %q", c.query, got.Text)
			}
		}
	}
}

// records are the latest records first.
func (v *vectors) records(t *testing.T) []store.Record {
	t.Helper()
	list, err := v.app.store.ListRecords(t.Context(), store.RecordFilter{Since: time.Now().Add(-time.Hour), Limit: 1000, Newest: true})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
