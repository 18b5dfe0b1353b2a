package mapping

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestSIDText(t *testing.T) {
	users := "\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x01\x02\x00\x00"
	for in, want := range map[string]string{
		users: "S-1-5-21-1-2-3-513", users[:27]: "", users + "x": "", "": "", "\x02\x00\x00\x00\x00\x00\x00\x05": "",
		"\x01\x00\x00\x00\x00\x00\x00\x05": "S-1-5",
	} {
		if got := sidText([]byte(in)); got != want {
			t.Errorf("%x: %q, want %q", in, got, want)
		}
	}
	m, err := New(Config{
		Directory: "corp", BaseDN: "DC=corp", UserFilter: "(objectClass=user)", GroupFilter: "(objectClass=group)",
		UserAttributes: map[string][]string{"username": {"cn"}}, GroupAttributes: map[string][]string{"name": {"cn"}},
		StableID: []string{"cn"}, PrimaryGroup: PrimarySID,
	})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(class, number string) string {
		e, err := m.Entry(ldap.NewEntry("CN=x,DC=corp", map[string][]string{
			"objectClass": {class}, "cn": {"x"}, "objectSid": {users}, "primaryGroupID": {number},
		}))
		if err != nil {
			t.Fatal(err)
		}
		return e.PrimaryGroup
	}
	for _, c := range [][3]string{
		{"user", "514", "S-1-5-21-1-2-3-514"}, {"group", "514", "S-1-5-21-1-2-3-513"}, {"user", "", ""}, {"user", "x", ""}, {"user", "99999999999", ""},
	} {
		if got := entry(c[0], c[1]); got != c[2] {
			t.Errorf("%s with %q: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
