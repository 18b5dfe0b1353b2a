package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"portico/adapter"
	"portico/adapter/importer"
	"portico/adapter/store"
	"portico/configs"
	"portico/testenv"
)

// importing runs "portico import accounthub" against one installation.
type importing struct {
	t       *testing.T
	config  string // file
	setup   setup
	ldap    *testenv.LDAPServer
	dsnFile string
}

func newImporting(t *testing.T, storeURL, address string) *importing {
	t.Helper()
	m := &importing{t: t, ldap: startOpenLDAP(t), setup: setup{dataDir: filepath.Join(t.TempDir(), "data"), storeURL: storeURL}}
	m.setup.top = "apis: {action: {timezone: America/Denver}}"
	m.config, m.dsnFile = filepath.Join(t.TempDir(), "portico.yaml"), filepath.Join(t.TempDir(), "dsn")
	for path, text := range map[string]string{m.config: configText(m.ldap, m.setup), m.dsnFile: address + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// run gives the report as JSON tells it. No secret may be printed.
func (m *importing) run(flags ...string) *importer.Report {
	m.t.Helper()
	out := m.text(append(flags, "--json")...)
	report := &importer.Report{}
	if err := json.Unmarshal([]byte(out), report); err != nil {
		m.t.Fatalf("%v in %s", err, out)
	}
	return report
}

func (m *importing) text(flags ...string) string {
	m.t.Helper()
	out, errOut, err := m.try(flags...)
	if err != nil {
		m.t.Fatalf("%v: %v; %s", flags, err, errOut)
	}
	for _, secret := range importSecrets() {
		if strings.Contains(out, secret) || strings.Contains(errOut, secret) {
			m.t.Errorf("%v: the secret %q was printed", flags, secret)
		}
	}
	return out
}

// try does not go through run, which sets what LDAP connections of other parts
// of the test read.
func (m *importing) try(flags ...string) (string, string, error) {
	var out, errOut bytes.Buffer
	root := (&program{out: &out, err: &errOut}).rootCommand()
	root.SetArgs(append([]string{"import", "accounthub", "--config", m.config, "--dsn-file", m.dsnFile}, flags...))
	err := root.ExecuteContext(m.t.Context())
	return out.String(), errOut.String(), err
}

// app opens the installation without serving anything.
func (m *importing) app() *app {
	m.t.Helper()
	cfg, err := configs.Parse("test.yaml", []byte(configText(m.ldap, m.setup)), nil)
	if err != nil {
		m.t.Fatal(err)
	}
	a, err := newApp(m.t.Context(), cfg, newLogger(cfg, &logBuffer{}), m.t.TempDir())
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(a.Close)
	return a
}

func counts(r *importer.Report) map[string]importer.Count {
	all := map[string]importer.Count{}
	for _, c := range r.Counts {
		all[c.What] = importer.Count{New: c.New, Before: c.Before, Skipped: c.Skipped}
	}
	return all
}

func wantCounts22() map[string]importer.Count {
	return map[string]importer.Count{
		"people": {New: 4, Skipped: 2}, "status": {New: 2}, "TOTP secrets": {New: 1, Skipped: 1},
		"PINs": {New: 1, Skipped: 2}, "permission codes": {New: 1, Before: 1, Skipped: 1},
		"permissions": {New: 2, Skipped: 3}, "app passwords": {New: 1, Skipped: 1}, "mobile codes": {New: 1},
		"notifications": {New: 2, Skipped: 1}, "managers": {New: 2, Skipped: 2}, "groups": {New: 1, Skipped: 1},
		"API keys": {New: 1, Skipped: 1}, "log records": {New: 3, Skipped: 1},
	}
}

func TestImportAccountHub(t *testing.T) {
	for _, db := range []string{"sqlite", "postgres"} {
		t.Run(db, func(t *testing.T) {
			storeURL := ""
			if db == "postgres" {
				storeURL = testenv.PostgreSQL(t)
			}
			m := newImporting(t, storeURL, newAccountHub(t, "2.2"))
			rehearsed := m.run("--with-log")
			if diff := cmp.Diff(wantCounts22(), counts(rehearsed)); diff != "" || rehearsed.Applied {
				t.Errorf("dry run: %s", diff)
			}
			m.nothingStored()
			applied := m.run("--with-log", "--apply")
			applied.Applied = false
			if diff := cmp.Diff(rehearsed, applied); diff != "" {
				t.Errorf("the dry run said something else: %s", diff)
			}
			for _, flags := range [][]string{{"--with-log"}, {"--with-log", "--apply"}} {
				again := m.run(flags...)
				if again.Changes != 0 || len(again.People) != 0 || len(again.Problems) != len(applied.Problems)-1 {
					t.Errorf("%v again: %d changes, %v, %v", flags, again.Changes, again.People, again.Problems)
				}
			}
			if text := m.text("--apply"); !strings.Contains(text, "Nothing was changed") {
				t.Errorf("the second run does not say that nothing changed: %s", text)
			}
			m.works()
			m.staysRemoved()
		})
	}
}

// nothingStored proves that a dry run left no trace.
func (m *importing) nothingStored() {
	m.t.Helper()
	a := m.app()
	defer a.Close()
	uids := []int64{10, 20, 30, 40, 50, 1, 2, 3, 4, 5}
	found, err := a.store.SubjectsByUID(m.t.Context(), store.KindPerson, uids)
	if err != nil || len(found) != 0 {
		m.t.Errorf("numbers given out by a dry run: %v, %v", found, err)
	}
	keys, err := a.store.ListKeys(m.t.Context(), "")
	permissions, permErr := a.store.Permissions(m.t.Context())
	records, logErr := a.store.ListRecords(m.t.Context(), store.RecordFilter{})
	if err != nil || permErr != nil || logErr != nil || len(keys) != 0 || len(permissions) != 13 || len(records) != 0 {
		m.t.Errorf("after a dry run: %d keys, %d permissions, %d records", len(keys), len(permissions), len(records))
	}
}

// works proves what clients rely on, with the old numbers.
func (m *importing) works() {
	t := m.t
	t.Helper()
	s := start(t, m.ldap, m.setup)
	s.waitReady()
	defer s.stop()
	if data := s.ok("userinfo", "uid", "20")["data"].(map[string]any); data["username"] != "jdoe" || data["pin"] != true {
		t.Errorf("uid 20 is %v", data)
	}
	own := s.key
	s.key = importKey // kept, and its type AUTH is not enforced
	s.ok("getgroups")
	s.key = own
	if got := s.ok("getusersbygroup", "gid", "5", "get", "username")["users"]; len(got.([]any)) != 3 {
		t.Errorf("group 5: %v", got)
	}
	a, ctx, jdoe, client := s.app.adapter, t.Context(), adapter.ByUID(20), adapter.Client{}
	signedIn, err := a.CheckPassword(ctx, adapter.SignIn{Username: "jdoe", Password: importAppPass})
	if err != nil || !signedIn.OK || !signedIn.AppPassword {
		t.Errorf("app password: %+v, %v", signedIn, err)
	}
	if pin, err := a.CheckPIN(ctx, jdoe, importPIN, client); err != nil || !pin.Valid {
		t.Errorf("PIN: %+v, %v", pin, err)
	}
	code, err := totp.GenerateCode(importTOTP, time.Now())
	if right, verifyErr := a.VerifyTOTP(ctx, adapter.ByUID(10), code, client); err != nil || verifyErr != nil || !right {
		t.Errorf("TOTP: %v, %v", right, verifyErr)
	}
	for code, want := range map[string]bool{"OWN_CODE": true, "own_code": true, "ADMIN": false} {
		if got, err := a.Permission(ctx, jdoe, code); err != nil || got != want {
			t.Errorf("permission %s: %v, %v", code, got, err)
		}
	}
	if valid, err := a.MobileCodeValid(ctx, "jdoe", strings.ToLower(importMobile)); err != nil || !valid {
		t.Errorf("mobile code: %v, %v", valid, err)
	}
	if is, err := a.IsManagerOf(ctx, adapter.ByUID(20), adapter.ByUID(30)); err != nil || !is {
		t.Errorf("manager: %v, %v", is, err)
	}
	for uid, want := range map[int64]adapter.Status{20: adapter.StatusNormal, 30: adapter.StatusAlert, 40: adapter.StatusTerminated} {
		if got, err := a.AccountStatus(ctx, adapter.ByUID(uid)); err != nil || got != want {
			t.Errorf("status of %d: %v, %v", uid, got, err)
		}
	}
	m.notifications(a)
	m.newNumbers(s)
	m.auditLog(s.app.store)
}

func (m *importing) notifications(a *adapter.Adapter) {
	list, err := a.Notifications(m.t.Context(), adapter.ByUID(20), false)
	if err != nil || len(list) != 2 {
		m.t.Fatalf("notifications: %v, %v", list, err)
	}
	first := list[0]
	if first.ID != 7 || first.Title != "Schicht geändert" || !first.Sensitive || first.Seen || list[1].ID != 8 || !list[1].Seen {
		m.t.Errorf("notifications: %+v", list)
	}
	if got := first.Time.UTC().Format(time.DateTime); got != "2019-07-01 15:30:00" { // Denver, in summer
		m.t.Errorf("time %s", got)
	}
	passwords, err := a.ListAppPasswords(m.t.Context(), adapter.ByUID(20))
	if err != nil || len(passwords) != 1 || passwords[0].Description != "Mail & calendar" {
		m.t.Errorf("app passwords: %v, %v", passwords, err)
	}
}

// newNumbers proves that numbers given out later lie above all imported ones.
func (m *importing) newNumbers(s *service) {
	person, err := s.app.adapter.Person(m.t.Context(), adapter.ByUsername("locked"))
	if err != nil || person.UID <= 70 {
		m.t.Errorf("somebody new has %+v, %v", person, err)
	}
	for _, g := range s.ok("getgroups")["groups"].([]any) {
		if g := g.(map[string]any); g["name"] == "Support" && g["id"].(string) <= "6" {
			m.t.Errorf("a new group: %v", g)
		}
	}
}

func (m *importing) auditLog(st *store.Store) {
	records, err := st.ListRecords(m.t.Context(), store.RecordFilter{Text: "imported from AccountHub"})
	if err != nil || len(records) != 3 {
		m.t.Fatalf("log: %v, %v", records, err)
	}
	if r := records[0]; r.UID != 20 || r.Type != 1 || r.Address != "192.0.2.7" || !r.At.Equal(time.Date(2019, 6, 1, 14, 0, 0, 0, time.UTC)) {
		m.t.Errorf("first record: %+v", r)
	}
	for _, r := range records {
		if strings.Contains(r.Text, "LEAKEDKEY") {
			m.t.Error("a rejected key is in the log")
		}
	}
	if records[2].UID != 0 || !strings.Contains(records[2].Text, "number 50 there") {
		m.t.Errorf("somebody who is not here: %+v", records[2])
	}
	if _, err := st.Verify(m.t.Context()); err != nil {
		m.t.Error(err)
	}
}

// staysRemoved proves that what was removed or changed here does not come back.
func (m *importing) staysRemoved() {
	t, ctx, jdoe, client := m.t, m.t.Context(), adapter.ByUsername("jdoe"), adapter.Client{}
	a := m.app()
	passwords, err := a.adapter.ListAppPasswords(ctx, jdoe)
	codes, codesErr := a.adapter.ListMobileCodes(ctx, jdoe)
	keys, keysErr := a.adapter.ListKeys(ctx, "action")
	if err != nil || codesErr != nil || keysErr != nil {
		t.Fatal(err, codesErr, keysErr)
	}
	webApp := slices.IndexFunc(keys, func(k adapter.KeyInfo) bool { return k.Label == "Web app" })
	for name, err := range map[string]error{
		"app password": a.adapter.RevokeAppPassword(ctx, jdoe, passwords[0].ID, "", client),
		"mobile code":  a.adapter.RevokeMobileCode(ctx, jdoe, codes[0].ID, "", client),
		"notification": a.adapter.DeleteNotification(ctx, jdoe, 8),
		"permission":   a.adapter.RevokePermission(ctx, jdoe, "OWN_CODE", "test", client),
		"PIN":          a.adapter.SetPIN(ctx, jdoe, "", "test", client),
		"TOTP":         a.adapter.RemoveTOTP(ctx, adapter.ByUsername("admin"), "", "test", client),
		"manager":      a.adapter.RemoveManager(ctx, jdoe, adapter.ByUsername("jadoe"), "test", client),
		"status":       a.adapter.SetOverlay(ctx, adapter.ByUsername("jadoe"), adapter.Overlay{}, "test"),
		"key":          a.adapter.RevokeKey(ctx, keys[webApp].ID),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if again := m.run("--apply"); again.Changes != 0 {
		t.Errorf("what was removed here came back: %+v", again.People)
	}
}

func TestImportAccountHub_OlderVersion(t *testing.T) {
	m := newImporting(t, "", newAccountHub(t, "2.0"))
	report := m.run("--apply", "--timezone", "Europe/Berlin")
	want := wantCounts22()
	delete(want, "app passwords")
	delete(want, "log records")
	want["API keys"] = importer.Count{New: 1}
	if diff := cmp.Diff(want, counts(report)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"apppasswords"}, report.Missing); diff != "" || report.Timezone != "Europe/Berlin" {
		t.Error(diff, report.Timezone)
	}
	keys, err := m.app().adapter.ListKeys(t.Context(), "action")
	if err != nil || len(keys) != 1 || keys[0].Level != "full" || keys[0].Enforced {
		t.Errorf("keys: %+v, %v", keys, err)
	}
}

// TestImportAccountHub_NumbersGivenOutBefore imports after people have got
// numbers here: who has no data moves, nobody loses a number to somebody else.
func TestImportAccountHub_NumbersGivenOutBefore(t *testing.T) {
	m := newImporting(t, "", newAccountHub(t, "2.2"))
	a := m.app()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(a.store.ReserveAbove(ctx, store.KindPerson, 29))
	locked, err := a.adapter.Person(ctx, adapter.ByUsername("locked")) // gets 30, which is jadoe's there
	must(err)
	admin, err := a.adapter.Person(ctx, adapter.ByUsername("admin"))
	must(err)
	jdoe, err := a.adapter.Person(ctx, adapter.ByUsername("jdoe"))
	must(err)
	must(a.adapter.SetPIN(ctx, adapter.ByUsername("jdoe"), "77", "test", adapter.Client{}))
	report := m.run("--apply")
	reasons := map[int64]string{}
	for _, p := range report.Problems {
		if p.What == "people" {
			reasons[p.ID] = p.Reason
		}
	}
	if !strings.Contains(reasons[30], "belongs to locked") || !strings.Contains(reasons[20], "data are stored here under number") {
		t.Errorf("reasons: %v", reasons)
	}
	if locked.UID != 30 || report.People[0].UID != 10 || report.People[0].Was != admin.UID {
		t.Errorf("locked %d, moved %+v", locked.UID, report.People)
	}
	after, err := a.store.SubjectsByUID(ctx, store.KindPerson, []int64{10, 20, 30, admin.UID, jdoe.UID})
	must(err)
	got := map[int64]string{}
	for uid, sub := range after {
		got[uid] = sub.Name
	}
	if diff := cmp.Diff(map[int64]string{10: "admin", 30: "locked", jdoe.UID: "jdoe"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestImportAccountHub_Stopped proves that a stopped import is taken up again.
func TestImportAccountHub_Stopped(t *testing.T) {
	address := newAccountHub(t, "2.2")
	m := newImporting(t, "", address)
	a := m.app()
	ctx, stop := context.WithCancel(t.Context())
	_, err := importer.Run(ctx, importer.Options{DSN: address, Apply: true, Progress: func(step string, done, _ int) {
		if step == "people" && done == 2 {
			stop()
		}
	}}, importer.Deps{Target: a.adapter, Store: a.store, Groups: directoryGroups{a.members}, Now: time.Now})
	if err == nil {
		t.Fatal("a stopped import has no error")
	}
	m.run("--apply", "--with-log")
	if again := m.run("--apply", "--with-log"); again.Changes != 0 || counts(again)["people"].Before != 4 {
		t.Errorf("after going on: %+v", again.Counts)
	}
	m.works()
}

// TestImportAccountHub_DirectoryDown proves that nobody counts as absent because
// the directory does not answer.
func TestImportAccountHub_DirectoryDown(t *testing.T) {
	m := newImporting(t, "", newAccountHub(t, "2.0"))
	m.ldap.Stop()
	out, _, err := m.try("--apply")
	if err == nil || out != "" || !strings.Contains(err.Error(), "the import stopped") {
		t.Errorf("%s, %v", out, err)
	}
}
