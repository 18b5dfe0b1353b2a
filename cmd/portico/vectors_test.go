package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"portico/adapter"
	"portico/adapter/store"
	"portico/directory"
	"portico/internal/texts"
	"portico/testenv"
	"portico/testenv/replay"
)

const exchanges = "../../httpapi/action/testdata/"

// vectorPeople are the people and groups of the recorded exchanges, as LDIF.
const vectorPeople = `
dn: uid=admin,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: admin
cn: Ada Min
sn: Min
mail: admin@example.com
userPassword: admin-pw

dn: uid=jdoe,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: JDoe
cn: John Doe
sn: Doe
mail: jdoe@example.com
telephoneNumber: 1234567890
manager: uid=admin,ou=people,dc=example,dc=com
userPassword: jdoe-pw

dn: uid=locked,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: locked
cn: Lo Cked
sn: Cked
userPassword: locked-pw

dn: uid=expired,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: expired
cn: Ex Pired
sn: Pired
mail: expired@example.com
userPassword: expired-pw

dn: uid=termin,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: termin
cn: Ter Min
sn: Min
mail: termin@example.com
userPassword: termin-pw

dn: uid=alerty,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: alerty
cn: Al Erty
sn: Erty
mail: alerty@example.com
userPassword: alerty-pw

dn: uid=jadoe,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: jadoe
cn: Jane Doe
sn: Doe
mail: jadoe@example.com
manager: uid=admin,ou=people,dc=example,dc=com
manager: uid=jdoe,ou=people,dc=example,dc=com
userPassword: jadoe-pw

dn: cn=Sales,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: Sales
member: uid=jdoe,ou=people,dc=example,dc=com
member: uid=expired,ou=people,dc=example,dc=com
member: uid=jadoe,ou=people,dc=example,dc=com

dn: cn=Support,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: Support
gidNumber: 2000
memberUid: jdoe

dn: cn=Empty \3C&\3E \22B\C3\BCro\22,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn:: RW1wdHkgPCY+ICJCw7xybyI=
gidNumber: 2001
`

// vectorConfig makes the service answer as the recorded exchanges want it.
const vectorConfig = `
base_url: https://id.example.org
secret_key: a-secret-key-of-the-tests-that-is-long-enough
apis:
  action:
    prefix: /accounthub
    texts_file: %q
    login_interval: 1s
    exempt_keys: [portal]
    admin_email: root@example.com
    apps:
      qwikclock:
        url: /qwikclock
        mobileapi: /mobile/index.php
        icon: /static/img/logo.svg
        title: QwikClock
        station_features: [qwikclock_punchinout]
        card: {color: blue, string: Punch in}
      binstack: {title: Bin<Stack>, url: "https://apps.example.org:8443/bin", mobileapi: /m, icon: "https://x/i.svg", own: null}
mail: {smtp_url: "smtp://user:secret@%s", from: portico@example.org, ca_file: %q}
`

// totpSecret is jdoe's.
const totpSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// vectors is the whole program with the fixture of the recorded exchanges.
type vectors struct {
	*service
	keys map[string]string // names of keys in the files, and the keys
	sync map[string]string // sync codes by user name
	mail *testenv.SMTPServer
}

func startVectors(t *testing.T, storeURL string) *vectors {
	t.Helper()
	ldap := testenv.OpenLDAP(t, testenv.WithLDIF(strings.NewReader(vectorPeople)))
	if err := ldap.SetOperational("uid=expired,ou=people,dc=example,dc=com", "pwdReset", "TRUE"); err != nil {
		t.Fatal(err)
	}
	ids := map[texts.ID]texts.ID{}
	for _, id := range texts.All() {
		ids[id] = id
	}
	plain, err := json.Marshal(ids)
	file := filepath.Join(t.TempDir(), "texts.json")
	if err == nil {
		err = os.WriteFile(file, plain, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	v := &vectors{sync: map[string]string{}, mail: testenv.SMTP(t)}
	v.service = start(t, ldap, setup{storeURL: storeURL, top: fmt.Sprintf(vectorConfig, file, v.mail.Address(), v.mail.CAFile)})
	v.waitReady()
	v.keys = map[string]string{"K123": v.key}
	if err := v.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v
}

// prepare gives people and groups their ids, and all that LDAP does not hold.
func (v *vectors) prepare(ctx context.Context) error {
	for uid, name := range map[int64]string{1: "admin", 2: "jdoe", 3: "locked", 4: "expired", 5: "termin", 6: "alerty", 9: "jadoe"} {
		found, err := v.app.mirror.ByLogin(ctx, name)
		if err := v.assign(ctx, store.KindPerson, uid, found, err); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for gid, name := range map[int64]string{1: "Sales", 2: "Support", 3: `Empty <&> "Büro"`} {
		found, err := v.app.mirror.GroupByName(ctx, name)
		if err := v.assign(ctx, store.KindGroup, gid, found, err); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, level := range map[string]string{"NONEKEY": "none", "AUTHKEY": "auth", "READKEY": "read", "PORTAL": "full"} {
		_, key, err := v.app.adapter.CreateKey(ctx, adapter.KeyRequest{API: "action", Label: strings.ToLower(name), Level: level})
		if err != nil {
			return err
		}
		v.keys[name] = key
	}
	return v.addLocals(ctx)
}

func (v *vectors) assign(ctx context.Context, kind store.Kind, id int64, found []*directory.Entry, err error) error {
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d entries", len(found))
	}
	if err != nil {
		return err
	}
	who := found[0].ID
	return v.app.store.AssignUID(ctx, kind, store.Subject{Directory: who.Directory, Stable: who.Stable, Name: found[0].Name}, id)
}

func (v *vectors) addLocals(ctx context.Context) error {
	const by = "test"
	a, key, from := v.app.adapter, adapter.ByUsername, adapter.Client{}
	steps := []error{
		a.SetPIN(ctx, key("jdoe"), "0123", by, from),
		a.SetPIN(ctx, key("jadoe"), "1234", by, from),
		a.SetTOTP(ctx, key("jdoe"), totpSecret, by, from),
		a.GrantPermission(ctx, key("admin"), "ADMIN", by, from),
		a.GrantPermission(ctx, key("jdoe"), "TASKFLOOR", by, from),
		a.SetOverlay(ctx, key("locked"), adapter.Overlay{Locked: true}, by),
		a.SetOverlay(ctx, key("termin"), adapter.Overlay{Terminated: true}, by),
		a.SetOverlay(ctx, key("alerty"), adapter.Overlay{Alert: true}, by),
	}
	for _, name := range []string{"jdoe", "jadoe"} {
		code, err := a.AddMobileCode(ctx, key(name), "phone", by, from)
		steps, v.sync[name] = append(steps, err), code
	}
	for i, err := range steps {
		if err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// direct carries out the directives of the files that are played here.
func (v *vectors) direct(directive string) error {
	verb, arg, _ := strings.Cut(directive, " ")
	switch verb {
	case "wait": // for longer than the login interval
		time.Sleep(1100 * time.Millisecond)
		return nil
	case "sign-in":
		code, uid, _ := strings.Cut(arg, " ")
		n, err := strconv.ParseInt(uid, 10, 64)
		if err != nil {
			return err
		}
		return v.app.adapter.CompleteLoginKey(context.Background(), code, n)
	}
	return fmt.Errorf("no such directive here")
}

func (v *vectors) variable(name string) (string, error) {
	verb, arg, _ := strings.Cut(name, " ")
	switch verb {
	case "totp":
		step, err := strconv.Atoi(arg)
		if err != nil {
			return "", err
		}
		// Not close to the end of a step, or the server is one ahead.
		if left := 30*time.Second - time.Duration(time.Now().UnixNano())%(30*time.Second); left < 5*time.Second {
			time.Sleep(left)
		}
		return totp.GenerateCode(totpSecret, time.Now().Add(time.Duration(step)*30*time.Second))
	case "sync":
		return v.sync[arg], nil
	case "sync-lower":
		return strings.ToLower(v.sync[arg]), nil
	}
	return "", fmt.Errorf("no variable %q", name)
}

func (v *vectors) play(t *testing.T, file string) {
	t.Helper()
	list, err := replay.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	target := replay.Target{
		Addr: strings.TrimPrefix(v.url, "http://"), Replace: v.keys, Var: v.variable, Direct: v.direct,
	}
	target.Play(t, list)
}

// TestConformanceVectors plays the vectors of the action API and what the client
// families send against the whole program in front of a real OpenLDAP, with both
// databases.
func TestConformanceVectors(t *testing.T) {
	files, err := filepath.Glob(exchanges + "family_*.txt")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files of client families, %v", len(files), err)
	}
	for name, database := range map[string]func(*testing.T) string{
		"SQLite":     func(*testing.T) string { return "" },
		"PostgreSQL": func(t *testing.T) string { return testenv.PostgreSQL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := startVectors(t, database(t))
			play := func(file string) {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
					time.Sleep(1100 * time.Millisecond) // the file before may have used up the login interval
					v.play(t, file)
				})
			}
			for _, file := range append([]string{exchanges + "vectors.txt"}, files...) {
				play(file)
			}
			v.untilAlerts(t, 1) // the vectors have one sign-in that raises an alert
			play(exchanges + "alert_2017_apps.txt")
			v.untilAlerts(t, 2)
		})
	}
}

// untilAlerts waits until so many alerts about alerty reached the administrator,
// and no more.
func (v *vectors) untilAlerts(t *testing.T, want int) {
	t.Helper()
	count := func() int {
		n := 0
		for _, m := range v.mail.Delivered(t) {
			if strings.Contains(m.Header.Get("To"), "root@example.com") {
				n++
			}
		}
		return n
	}
	eventually(t, 30*time.Second, fmt.Sprintf("%d alerts", want), func() bool { return count() >= want })
	if n := count(); n != want {
		t.Errorf("%d alerts, want %d", n, want)
	}
}
