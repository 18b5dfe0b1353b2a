package client

import (
	"testing"

	"portico/directory"
)

func TestUnicodePassword(t *testing.T) {
	const want = "\"\x00n\x00\xe9\x00w\x00=\xd8\x00\xde\"\x00"
	if got := unicodePassword("néw😀"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFaultOf(t *testing.T) {
	for _, c := range []struct {
		policy int8
		text   string
		want   directory.PasswordFault
	}{
		{3, "", directory.PasswordNotAllowed},
		{5, "", directory.PasswordTooWeak},
		{6, "", directory.PasswordTooShort},
		{7, "", directory.PasswordTooYoung},
		{8, "", directory.PasswordInHistory},
		{policyNone, "invalid password syntax - password must be at least 8 characters long", directory.PasswordTooWeak},
		{policyNone, "password is in history of old passwords", directory.PasswordInHistory},
		{policyNone, "within password minimum age", directory.PasswordTooYoung},
		{policyNone, "0000052d: constraint violation", directory.PasswordRefused},
	} {
		if got := faultOf(c.policy, c.text); got != c.want {
			t.Errorf("%d %q: %v, want %v", c.policy, c.text, got, c.want)
		}
	}
}
