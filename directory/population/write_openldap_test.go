package population

import (
	"errors"
	"slices"
	"testing"

	"portico/directory"
	"portico/testenv"
)

func asWrite(err error) (*directory.WriteError, bool) {
	return errors.AsType[*directory.WriteError](err)
}

func TestL31_SomebodyWithOnlyALoginNameCanBeMade(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	e := w.person("jdoe")
	if e.Login != "jdoe" || e.ID.Stable == "" || e.Version == "" {
		t.Errorf("%+v", e)
	}
	for name, want := range map[string]string{"cn": "jdoe", "sn": "jdoe", "uid": "jdoe"} {
		if got := w.values("uid=jdoe,ou=people,"+w.server.BaseDN, name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %v", name, got)
		}
	}
	found, err := w.PersonByLogin(t.Context(), "JDoe")
	if err != nil || found.ID != e.ID {
		t.Errorf("not read back: %v %v", found, err)
	}
}

func TestWrites_CreateModifyDelete(t *testing.T) {
	w := newWriteWorld(t, testenv.OpenLDAP(t), setUp{})
	boss := w.person("boss")
	e := w.person("jdoe", func(n *directory.NewEntry) {
		n.Attributes = directory.Attributes{
			"given_name": {"Jane"}, "family_name": {"Doe"}, "mail": {"jane@example.org", "jd@example.org"}, "phone": {"+1 2"}, "name": {""},
		}
		n.References = map[string][]directory.ID{"manager": {boss.ID}}
		n.Password = "correct horse"
	})
	dn := "uid=jdoe,ou=people," + w.server.BaseDN
	if got := w.values(dn, "cn"); !slices.Equal(got, []string{"Jane Doe"}) {
		t.Errorf("cn %v", got)
	}
	if v := w.client.Bind(t.Context(), dn, "correct horse"); !v.PasswordRight {
		t.Errorf("the password is not set: %+v", v)
	}
	if pw := w.values(dn, "userPassword"); len(pw) != 1 || pw[0] == "correct horse" || pw[0][:1] != "{" {
		t.Errorf("the password is stored as %q", pw)
	}
	reports, err := w.ManagedBy(t.Context(), boss.ID)
	if err != nil || len(reports) != 1 {
		t.Errorf("reports of the boss: %v %v", reports, err)
	}

	e2 := w.modify(e.ID, directory.Change{Attributes: directory.Attributes{
		"mail": {"jane@example.org", "new@example.org"}, "phone": {}, "family_name": {"Roe"},
	}, References: map[string][]directory.ID{"manager": nil}})
	if e2.Version == e.Version || !slices.Equal(e2.Attributes["mail"], []string{"jane@example.org", "new@example.org"}) || e2.Attributes["phone"] != nil {
		t.Errorf("%+v", e2)
	}
	if got := w.values(dn, "cn"); !slices.Equal(got, []string{"Jane Roe"}) {
		t.Errorf("a derived cn does not follow: %v", got)
	}
	if same := w.modify(e.ID, directory.Change{Attributes: directory.Attributes{"family_name": {"Roe"}}}); same.Version != e2.Version {
		t.Error("a change of nothing was written")
	}

	if err := w.Delete(t.Context(), e.ID, ""); err != nil {
		t.Fatal(err)
	}
	if w.raw(dn) != nil {
		t.Error("still there")
	}
	if _, err := w.PersonByID(t.Context(), e.ID); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("still found: %v", err)
	}
	fault(t, w.Delete(t.Context(), e.ID, ""), directory.WriteNotFound, "")
}
