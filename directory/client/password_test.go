package client_test

import (
	"errors"
	"testing"

	"portico/directory"
	"portico/directory/client"
	"portico/testenv"
)

func TestDR21_PasswordChange(t *testing.T) {
	server := testenv.OpenLDAP(t)
	if err := server.SetPolicy(map[string]string{
		"pwdMinLength": "10", "pwdCheckQuality": "2", "pwdInHistory": "3", "pwdSafeModify": "FALSE", "pwdMustChange": "TRUE",
	}); err != nil {
		t.Fatal(err)
	}
	if err := server.Add("dn: uid=ann,ou=people," + server.BaseDN +
		"\nobjectClass: inetOrgPerson\nuid: ann\ncn: Ann\nsn: Ann\nuserPassword: first password\n"); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{
		Name: "corp", URLs: []string{server.URL()}, BindDN: server.ServiceDN, BindPassword: server.ServicePassword,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	dn := "uid=ann,ou=people," + server.BaseDN
	change := func(name, old, new string, want directory.PasswordFault, done bool) {
		t.Helper()
		err := c.ChangePassword(t.Context(), directory.PasswordChange{DN: dn, Old: old, New: new})
		var refusal *directory.PasswordError
		if done != (err == nil) || !done && (!errors.As(err, &refusal) || refusal.Fault != want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	verdict := func(password string, want directory.Verdict) {
		t.Helper()
		if r := c.Bind(t.Context(), dn, password); r.Verdict != want {
			t.Errorf("%s: %v, want %v", password, r.Verdict, want)
		}
	}
	change("wrong old one", "wrong", "second password", directory.PasswordOldWrong, false)
	change("empty old one", "", "second password", directory.PasswordOldWrong, false)
	change("too short", "first password", "short", directory.PasswordTooShort, false)
	change("the person", "first password", "second password", 0, true)
	verdict("second password", directory.VerdictSignedIn)
	change("in history", "second password", "first password", directory.PasswordInHistory, false)

	if err := server.SetOperational(dn, "pwdReset", "TRUE"); err != nil {
		t.Fatal(err)
	}
	verdict("second password", directory.VerdictMustChange)
	change("must change", "second password", "third password", 0, true)
	verdict("third password", directory.VerdictSignedIn)

	// Expired: the person cannot come in for it, so the service account does it.
	if err := server.SetPolicy(map[string]string{"pwdMaxAge": "60"}); err != nil {
		t.Fatal(err)
	}
	if err := server.SetOperational(dn, "pwdChangedTime", "20200101000000Z"); err != nil {
		t.Fatal(err)
	}
	verdict("third password", directory.VerdictPasswordExpired)
	change("expired, wrong old one", "wrong", "fourth password", directory.PasswordOldWrong, false)
	change("expired", "third password", "fourth password", 0, true)
	verdict("fourth password", directory.VerdictSignedIn)

	if err := server.SetPolicy(map[string]string{"pwdAllowUserChange": "FALSE", "pwdMaxAge": ""}); err != nil {
		t.Fatal(err)
	}
	change("not allowed", "fourth password", "fifth password", directory.PasswordNotAllowed, false)
	if err := server.SetOperational(dn, "pwdAccountLockedTime", "000001010000Z"); err != nil {
		t.Fatal(err)
	}
	change("locked", "fourth password", "fifth password", directory.PasswordAccountClosed, false)
	server.Kill()
	if err := c.ChangePassword(t.Context(), directory.PasswordChange{DN: dn, Old: "a", New: "b"}); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("server gone: %v", err)
	}
}

func TestPasswordChange_ActiveDirectoryWantsTLS(t *testing.T) {
	c, err := client.New(client.Config{Name: "ad", URLs: []string{"ldap://127.0.0.1:1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	change := directory.PasswordChange{DN: "cn=a,dc=b", Old: "old", New: "new", ActiveDirectory: true}
	if err := c.ChangePassword(t.Context(), change); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("sent in clear: %v", err)
	}
}
