package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"portico/adapter"
	"portico/adapter/store"
	"portico/configs"
	"portico/testenv"
)

// writerVariable makes the test binary be a service that changes one person as
// soon as it can: "disable", "delete", "password" or "create".
const writerVariable = "RUN_AS_WRITER"

func beWriter() {
	what := os.Getenv(writerVariable)
	if what == "" {
		return
	}
	_ = os.Unsetenv(writerVariable)
	if err := changeOnce(context.Background(), what, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func changeOnce(ctx context.Context, what, path string) error {
	cfg, err := configs.Load(path, nil)
	if err != nil {
		return err
	}
	a, err := newApp(ctx, cfg, newLogger(cfg, os.Stderr), cfg.DataDir)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.Listen(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	by, yes, secret := adapter.By{Actor: "provisioning"}, true, "another-Pw1"
	ann := adapter.ByUsername("ann")
	switch what {
	case "disable":
		_, err = a.adapter.ChangePerson(ctx, ann, adapter.PersonChange{Disabled: &yes}, by)
	case "password":
		_, err = a.adapter.ChangePerson(ctx, ann, adapter.PersonChange{Password: &secret}, by)
	case "delete":
		err = a.adapter.DeletePerson(ctx, ann, "", by)
	case "create":
		_, err = a.adapter.CreatePerson(ctx, adapter.NewPerson{Username: "eve", Password: secret}, by)
	}
	cancel()
	return errors.Join(err, <-done)
}

// TestE09_KilledBetweenDirectoryAndDatabase kills the service after the directory
// was changed and before its own database was; the answers of the directory are
// held up, so that there is such a moment. The next start finishes the change.
func TestE09_KilledBetweenDirectoryAndDatabase(t *testing.T) {
	eachStore(t, func(t *testing.T, storeURL string) {
		for what, in := range map[string]struct {
			shown func(conn *ldap.Conn) bool // the directory is changed
			ends  bool                       // ann's session and codes end
			text  string
		}{
			"disable": {
				shown: func(conn *ldap.Conn) bool { return has(conn, "(&(uid=ann)(pwdAccountLockedTime=*))") }, ends: true, text: "disabled",
			},
			"delete": {shown: func(conn *ldap.Conn) bool { return !has(conn, "(uid=ann)") }, ends: true, text: "deleted"},
			"password": {
				shown: func(conn *ldap.Conn) bool { return has(conn, "(&(uid=ann)(pwdChangedTime=*))") }, text: "password",
			},
			"create": {shown: func(conn *ldap.Conn) bool { return has(conn, "(uid=eve)") }, text: "taken away"},
		} {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				killedWriter(t, storeURL, what, in.text, in.ends, in.shown)
			})
		}
	})
}

func has(conn *ldap.Conn, filter string) bool {
	r, err := conn.Search(ldap.NewSearchRequest("dc=example,dc=com", ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, []string{"1.1"}, nil))
	return err == nil && len(r.Entries) > 0
}

func killedWriter(t *testing.T, storeURL, what, text string, ends bool, shown func(*ldap.Conn) bool) {
	if storeURL != "" {
		storeURL = testenv.PostgreSQL(t)
	}
	server := testenv.OpenLDAP(t, testenv.WithLDIF(strings.NewReader("dn: uid=ann,ou=people,dc=example,dc=com\n"+
		"objectClass: inetOrgPerson\nuid: ann\ncn: Ann Other\nsn: Other\nuserPassword: ann-pw\n")))
	proxy := testenv.OpenProxy(t, server.Address())
	path := writeConfig(t, server, setup{storeURL: storeURL, urls: []string{proxy.URL("ldap")}, directory: "    write: {enabled: true}"})
	var uid int64
	s := serveChild(t, path)
	s.waitReady()
	s.kill()
	withAdapter(t, path, func(ctx context.Context, a *app) {
		p, err := a.adapter.Person(ctx, adapter.ByUsername("ann"))
		must(t, err)
		uid = p.UID
		must(t, a.adapter.PutSession(ctx, "session", uid, p.Epoch, []byte("{}"), time.Now().Add(time.Hour)))
		_, err = a.adapter.AddMobileCode(ctx, adapter.ByUID(uid), "phone", "", adapter.Client{})
		must(t, err)
	})
	proxy.Delay(150 * time.Millisecond)
	w := startChildAs(t, writerVariable+"="+what, path)
	conn := server.Admin(t)
	eventually(t, time.Minute, "the directory is changed", func() bool {
		if w.ended() {
			t.Fatalf("it ended before it was killed: %s", w.log)
		}
		return shown(conn)
	})
	if what == "create" {
		withStore(t, path, func(ctx context.Context, st *store.Store) {
			eventually(t, time.Minute, "it notes whom it has made", func() bool {
				list, err := st.ListIntents(ctx)
				return err == nil && len(list) == 1 && list[0].Stable != ""
			})
		})
	}
	w.kill()
	proxy.Delay(0)
	withStore(t, path, func(ctx context.Context, st *store.Store) {
		if n, err := st.OpenIntents(ctx); err != nil || n != 1 {
			t.Fatalf("%d changes under way after the kill, %v", n, err)
		}
	})
	s = serveChild(t, path)
	s.waitReady()
	withStore(t, path, func(ctx context.Context, st *store.Store) {
		eventually(t, time.Minute, "the change is finished", func() bool {
			n, err := st.OpenIntents(ctx)
			return err == nil && n == 0
		})
		codes, err := st.MobileCodes(ctx, uid)
		must(t, err)
		_, err = st.Session(ctx, "session")
		if over := ends || what == "password"; over != (err != nil) || ends != (len(codes) == 0) {
			t.Errorf("codes %v, session %v", codes, err)
		}
		found := false
		for _, r := range allRecords(ctx, t, st) {
			found = found || strings.Contains(r.Text, text) && r.Actor == "provisioning"
		}
		if !found {
			t.Error("nothing in the security log")
		}
		if has(conn, "(uid=eve)") {
			t.Error("who was half made is still there")
		}
	})
}

// withAdapter runs the program's inside without serving.
func withAdapter(t *testing.T, path string, f func(context.Context, *app)) {
	t.Helper()
	cfg, err := configs.Load(path, nil)
	must(t, err)
	a, err := newApp(t.Context(), cfg, slog.New(slog.DiscardHandler), cfg.DataDir)
	must(t, err)
	defer a.Close()
	f(t.Context(), a)
}
