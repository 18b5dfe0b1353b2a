package population

import (
	"slices"
	"strings"
	"testing"

	"portico/directory"
	"portico/directory/mapping"
	"portico/directory/writer"
	"portico/testenv"
)

func TestL36_DisablingKeepsPeopleOut(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	e := w.person("jdoe", func(n *directory.NewEntry) { n.Password, n.Disabled = "correct horse", true })
	may := func() bool { return w.client.Bind(t.Context(), e.DN, "correct horse").PasswordRight }
	disabled := func() bool {
		now, err := w.PersonByID(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		return w.State(t.Context(), now, w.now()).Disabled
	}
	if may() || !disabled() {
		t.Error("made disabled, and may come in")
	}
	w.modify(e.ID, directory.Change{Disabled: new(false)})
	if !may() || disabled() {
		t.Error("enabled, and kept out")
	}
	w.modify(e.ID, directory.Change{Disabled: new(true)})
	w.modify(e.ID, directory.Change{Password: new("another horse")})
	if v := w.client.Bind(t.Context(), e.DN, "another horse"); v.PasswordRight || !disabled() {
		t.Errorf("a new password enabled the account: %+v", v)
	}
	w.modify(e.ID, directory.Change{Disabled: new(false), Password: new("correct horse")})
	if !may() || disabled() {
		t.Error("enabled with a new password, and kept out")
	}

	if err := w.server.SetPolicy(map[string]string{"pwdLockout": "FALSE"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Modify(t.Context(), e.ID, directory.Change{Disabled: new(true)})
	fault(t, err, directory.WriteMisconfigured, "disabled")
	if disabled() || len(w.values(e.DN, "pwdAccountLockedTime")) != 0 {
		t.Error("the lock was stored although nobody heeds it")
	}
}

func TestL36_OtherWaysToDisable(t *testing.T) {
	server := testenv.OpenLDAP(t)
	w := newWriteWorld(t, server, setUp{
		mapping: func(c *mapping.Config) { c.DisabledAttribute, c.DisabledValue = "employeeType", "left" },
		writer: func(c *writer.Config) {
			c.Lock = writer.Lock{Method: writer.LockAttribute, Attribute: "employeeType", Value: "left"}
		},
	})
	e := w.person("jdoe")
	e = w.modify(e.ID, directory.Change{Disabled: new(true)})
	if !w.State(t.Context(), e, w.now()).Disabled {
		t.Error("not disabled")
	}
	e = w.modify(e.ID, directory.Change{Disabled: new(false)})
	if w.State(t.Context(), e, w.now()).Disabled || len(w.values(e.DN, "employeeType")) != 0 {
		t.Error("not enabled")
	}
	none := newWriteWorld(t, server, setUp{writer: func(c *writer.Config) { c.Lock = writer.Lock{Method: writer.LockNone} }})
	_, err := none.Modify(t.Context(), e.ID, directory.Change{Disabled: new(true)})
	fault(t, err, directory.WriteMisconfigured, "disabled")
	shadow := newWriteWorld(t, server, setUp{
		mapping: func(c *mapping.Config) { c.StatusRules = mapping.RulesShadow },
		writer:  func(c *writer.Config) { c.Lock = writer.Lock{Method: writer.LockShadow} },
	})
	s := shadow.person("unix", func(n *directory.NewEntry) { n.Disabled = true })
	if !shadow.State(t.Context(), s, w.now()).Disabled && !shadow.State(t.Context(), s, w.now()).OutsidePeriod {
		t.Error("shadowExpire does not disable")
	}
	s = shadow.modify(s.ID, directory.Change{Disabled: new(false)})
	if shadow.State(t.Context(), s, w.now()).OutsidePeriod {
		t.Error("not enabled")
	}
}

func TestDR20_NamesWithSpecialCharacters(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	for _, name := range []string{
		"Doe, John", "a+b", `say "hi"`, `back\slash`, "less<more>", "semi;colon", "eq=ual", "#hash", "sl/ash", "Jörg Ÿ", "日本語", "two  spaces", "per%cent", "*star*", "(paren)",
	} {
		e := w.person(name, func(n *directory.NewEntry) { n.Password = "correct horse" })
		g := w.group(name, e)
		if got := w.logins(g); !slices.Equal(got, []string{directory.FoldName(name)}) {
			t.Errorf("%q: members %q", name, got)
		}
		fresh := name + ", 2nd"
		e = w.modify(e.ID, directory.Change{Name: &fresh})
		if e.Name != fresh || w.raw(e.DN) == nil {
			t.Errorf("renamed %q: %q %q", name, e.Name, e.DN)
		}
		if got := w.values(g.DN, "member"); len(got) != 1 || !strings.EqualFold(got[0], e.DN) {
			t.Errorf("%q: member %q, DN %q", name, got, e.DN)
		}
		w.modify(g.ID, directory.Change{Name: &fresh})
		for _, id := range ids(e, g) {
			if err := w.Delete(t.Context(), id, ""); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for _, bad := range []string{"", " x", "x ", "a\x00b", "a\nb", strings.Repeat("x", 300), "uid=x,dc=y"} {
		_, err := w.Create(t.Context(), "", directory.NewEntry{Kind: directory.KindPerson, Name: bad})
		fault(t, err, directory.WriteInvalid, "username")
	}
}

// Without help of the server (no memberof, and refint for other attributes only),
// references follow a rename and go with a delete.
func TestL51_ReferencesFollow(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t, testenv.WithOptions(func(o *testenv.LDAPOptions) { o.NoMemberOf = true })), setUp{})
	boss, ann := w.person("boss"), w.person("ann")
	g, alone := w.group("staff", boss, ann), w.group("alone", boss)
	w.modify(ann.ID, directory.Change{References: map[string][]directory.ID{"manager": ids(boss)}})
	w.modify(g.ID, directory.Change{References: map[string][]directory.ID{"owner": ids(boss)}})
	boss = w.modify(boss.ID, directory.Change{Name: new("chief"), Attributes: directory.Attributes{"mail": {"chief@example.org"}}})
	if boss.Login != "chief" || !strings.HasPrefix(boss.DN, "uid=chief,") {
		t.Errorf("%+v", boss)
	}
	w.wantMembers(g, "member", []string{boss.DN, ann.DN}, []string{"ann", "chief"})
	w.wantMembers(alone, "member", []string{boss.DN}, []string{"chief"})
	if got := w.values(ann.DN, "manager"); !slices.Equal(got, []string{boss.DN}) {
		t.Errorf("manager %v", got)
	}
	if got := w.values(g.DN, "owner"); !slices.Equal(got, []string{boss.DN}) {
		t.Errorf("owner %v", got)
	}
	if got := w.values(boss.DN, "uid"); !slices.Equal(got, []string{"chief"}) {
		t.Errorf("uid %v", got)
	}
	_, err := w.Modify(t.Context(), ann.ID, directory.Change{Name: new("chief")})
	fault(t, err, directory.WriteExists, "username")
	if err := w.Delete(t.Context(), boss.ID, ""); err != nil {
		t.Fatal(err)
	}
	w.wantMembers(g, "member", []string{ann.DN}, []string{"ann"})
	w.wantMembers(alone, "member", []string{""}, nil)
	if got := w.values(ann.DN, "manager"); len(got) != 0 {
		t.Errorf("manager %v", got)
	}
}

func TestL52_WhatFailsHalfWayIsTakenBack(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	e := w.person("jdoe", func(n *directory.NewEntry) {
		n.Attributes, n.Password = directory.Attributes{"mail": {"a@example.org"}}, "correct horse"
	})
	_, err := w.Modify(t.Context(), e.ID, directory.Change{Name: new("other"), Attributes: directory.Attributes{"mail": {"bad\u00fc@example.org"}}})
	fault(t, err, directory.WriteInvalid, "mail")
	_, err = w.Modify(t.Context(), e.ID, directory.Change{
		Name: new("other"), Attributes: directory.Attributes{"mail": {"b@example.org"}, "phone": {"1"}}, Password: new("x\x00y"),
	})
	fault(t, err, directory.WritePassword, "password")
	if w.raw("uid=other,ou=people,"+w.server.BaseDN) != nil || !slices.Equal(w.values(e.DN, "mail"), []string{"a@example.org"}) ||
		len(w.values(e.DN, "telephoneNumber")) != 0 || !slices.Equal(w.values(e.DN, "cn"), []string{"jdoe"}) {
		t.Errorf("not taken back: %v", w.raw(e.DN))
	}
	_, err = w.Create(t.Context(), "", directory.NewEntry{Kind: directory.KindPerson, Name: "weak", Password: "x\x00y"})
	fault(t, err, directory.WritePassword, "password")
	if w.raw("uid=weak,ou=people,"+w.server.BaseDN) != nil {
		t.Error("somebody without a password was left behind")
	}
}

func TestL61_TheDirectoryEnforcesTheVersion(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	e := w.person("jdoe")
	second := w.modify(e.ID, directory.Change{Attributes: directory.Attributes{"phone": {"1"}}, IfVersion: e.Version})
	_, err := w.Modify(t.Context(), e.ID, directory.Change{Attributes: directory.Attributes{"phone": {"2"}}, IfVersion: e.Version})
	fault(t, err, directory.WriteStale, "")
	_, err = w.Modify(t.Context(), e.ID, directory.Change{Name: new("other"), IfVersion: e.Version})
	fault(t, err, directory.WriteStale, "")
	fault(t, w.Delete(t.Context(), e.ID, e.Version), directory.WriteStale, "")
	g := w.group("staff")
	_, err = w.Modify(t.Context(), g.ID, directory.Change{AddMembers: ids(e), IfVersion: "20200101000000.000000Z#000000#000#000000"})
	fault(t, err, directory.WriteStale, "")
	w.modify(g.ID, directory.Change{AddMembers: ids(e), IfVersion: g.Version})
	third := w.modify(e.ID, directory.Change{Name: new("other"), Attributes: directory.Attributes{"phone": {"3"}}, IfVersion: second.Version})
	if err := w.Delete(t.Context(), e.ID, third.Version); err != nil {
		t.Error(err)
	}
}

func TestS06_WhatIsNeverWritten(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	for attribute, value := range map[string]string{"number": "0", "manager": "uid=x", "username": "x", "unknown": "x"} {
		_, err := w.Create(t.Context(), "", directory.NewEntry{
			Kind: directory.KindPerson, Name: "x", Attributes: directory.Attributes{attribute: {value}},
		})
		fault(t, err, directory.WriteInvalid, attribute)
	}
	for _, name := range []string{"objectClass", "memberOf", "member", "userPassword", "pwdAccountLockedTime", "entryUUID", "userAccountControl", "unicodePwd"} {
		if mapping.NeverWritten(name) == "" {
			t.Errorf("%s may be written", name)
		}
	}
	e := w.person("posix", func(n *directory.NewEntry) {
		n.Attributes = directory.Attributes{"number": {"1001"}, "primary_group": {"100"}, "home": {"/home/x"}}
	})
	if !slices.Contains(w.values(e.DN, "objectClass"), "posixAccount") {
		t.Error("the class that uidNumber needs is missing")
	}
	plain := w.person("plain")
	w.modify(plain.ID, directory.Change{Attributes: directory.Attributes{"number": {"1002"}, "primary_group": {"100"}, "home": {"/home/y"}, "fax": {"+1 2"}}})
	w.modify(plain.ID, directory.Change{Attributes: directory.Attributes{"fax": {"+1 3", "+1 4"}}})
	w.modify(plain.ID, directory.Change{Attributes: directory.Attributes{"fax": {"+1 4"}}})
	if got := w.values(plain.DN, "facsimileTelephoneNumber"); !slices.Equal(got, []string{"+1 4"}) {
		t.Errorf("an attribute without equality: %v", got)
	}
}

// The overlay memberof holds the assertion control of a write against the members
// too: none goes out with changes that it follows.
func TestMemberOfOverlayFollowsWrites(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	ann, bob := w.person("ann"), w.person("bob")
	g := w.group("staff", ann)
	of := func(e *directory.Entry) []string { return w.values(e.DN, "memberOf") }
	g = w.modify(g.ID, directory.Change{AddMembers: ids(bob), IfVersion: g.Version})
	if !slices.Equal(of(bob), []string{g.DN}) {
		t.Errorf("memberOf after adding: %v", of(bob))
	}
	w.modify(g.ID, directory.Change{RemoveMembers: ids(ann)})
	g = w.modify(g.ID, directory.Change{Name: new("crew")})
	if len(of(ann)) != 0 || !slices.Equal(of(bob), []string{g.DN}) {
		t.Errorf("memberOf after removing and renaming: %v %v", of(ann), of(bob))
	}
	bob = w.modify(bob.ID, directory.Change{Name: new("robert"), IfVersion: w.raw(bob.DN).GetEqualFoldAttributeValue("entryCSN")})
	if !slices.Equal(of(bob), []string{g.DN}) || !slices.Equal(w.values(g.DN, "member"), []string{bob.DN}) {
		t.Errorf("after renaming a member: %v %v", of(bob), w.values(g.DN, "member"))
	}
	if err := w.Delete(t.Context(), g.ID, w.raw(g.DN).GetEqualFoldAttributeValue("entryCSN")); err != nil {
		t.Fatal(err)
	}
	if len(of(bob)) != 0 {
		t.Errorf("memberOf after deleting the group: %v", of(bob))
	}
}
