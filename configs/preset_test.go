package configs

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

func TestEveryPresetIsWhole(t *testing.T) {
	formats := []string{"uuid", "guid", "nsuniqueid"}
	rules := []string{"ppolicy", "389ds", "freeipa", "activedirectory", "shadow"}
	for _, name := range PresetNames() {
		t.Run(name, func(t *testing.T) {
			p, err := PresetByName(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, filter := range []string{p.People.ObjectFilter, p.Groups.ObjectFilter, p.ContainerFilter} {
				if problem := filterProblem(filter); problem != "" {
					t.Errorf("filter %s", problem)
				}
			}
			for _, want := range []string{"username", "name", "given_name", "family_name", "mail", "phone", "mobile", "manager", "number"} {
				if len(p.People.Attributes[want]) == 0 {
					t.Errorf("people have no %s", want)
				}
			}
			for _, want := range []string{"name", "description", "owner", "hidden", "number", "mail"} {
				if len(p.Groups.Attributes[want]) == 0 {
					t.Errorf("groups have no %s", want)
				}
			}
			if p.Name != name || len(p.StableID) == 0 || !slices.Contains(formats, p.StableIDFormat) ||
				!slices.Contains(rules, p.StatusRules) || len(p.Signals) == 0 || len(p.Groups.MemberAttributes) == 0 ||
				p.Created == "" || p.Modified == "" || p.Write.UserRDN == "" || len(p.Write.UserClasses) == 0 || len(p.Write.GroupClasses) == 0 {
				t.Errorf("something is missing: %+v", p)
			}
			if !strings.HasPrefix(string(PresetSource(name)), "#") {
				t.Error("the file has no comment at its head")
			}
		})
	}
}

func TestPresetsNeverReadCredentials(t *testing.T) {
	for _, name := range PresetNames() {
		p, err := PresetByName(name)
		if err != nil {
			t.Fatal(err)
		}
		r := report{broken: make(map[string]bool)}
		validateAttributes(&r, name, p.People.Attributes, nil)
		validateAttributes(&r, name, p.Groups.Attributes, nil)
		validateAttributes(&r, name, map[string]Names{"signals": p.Signals[:min(len(p.Signals), maxNames)]}, nil)
		if err := r.err(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnUnknownPresetIsAnError(t *testing.T) {
	for _, name := range []string{"", "novell", "../portico.sample", "openldap.yaml"} {
		if _, err := PresetByName(name); err == nil {
			t.Errorf("%q was found", name)
		}
	}
	if _, err := (&Directory{Name: "x"}).Resolve(); err == nil {
		t.Error("a directory without preset was resolved")
	}
}

func TestOpenLDAPReadsGroupsOfBothLayouts(t *testing.T) {
	for _, name := range []string{"openldap", "389ds", "rfc2307"} {
		p, err := PresetByName(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, class := range []string{"groupOfNames", "groupOfUniqueNames", "posixGroup"} {
			if !strings.Contains(p.Groups.ObjectFilter, "(objectClass="+class+")") {
				t.Errorf("%s does not find %s", name, class)
			}
		}
		if !slices.Equal(p.Groups.MemberAttributes, []string{"member", "uniqueMember"}) || !slices.Equal(p.Groups.MemberNameAttributes, []string{"memberUid"}) {
			t.Errorf("%s: members are in %v and %v", name, p.Groups.MemberAttributes, p.Groups.MemberNameAttributes)
		}
	}
}

func TestResolvePutsOverridesOverThePreset(t *testing.T) {
	d := DefaultDirectory()
	d.Preset, d.BaseDN = "openldap", "dc=example,dc=org"
	d.Users = Users{BaseDN: "ou=people,dc=example,dc=org", Filter: "(objectClass=person)", Attributes: map[string]Names{
		"name": {"cn"}, "phone": {}, "eye_colour": {"eyeColor"},
	}}
	d.Groups.Attributes = map[string]Names{"members": {"rgyMember"}, "member_names": {}, "owner": {"manager"}}
	p, err := d.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if p.People.BaseDN != "ou=people,dc=example,dc=org" || p.People.ObjectFilter != "(objectClass=person)" {
		t.Errorf("people: %q %q", p.People.BaseDN, p.People.ObjectFilter)
	}
	if p.Groups.BaseDN != "dc=example,dc=org" || !strings.Contains(p.Groups.ObjectFilter, "posixGroup") {
		t.Errorf("groups: %q %q", p.Groups.BaseDN, p.Groups.ObjectFilter)
	}
	a := p.People.Attributes
	if !slices.Equal(a["name"], Names{"cn"}) || a["phone"] != nil || !slices.Equal(a["eye_colour"], Names{"eyeColor"}) || !slices.Equal(a["mail"], Names{"mail"}) {
		t.Errorf("people's attributes: %v", a)
	}
	g := p.Groups
	if !slices.Equal(g.MemberAttributes, []string{"rgyMember"}) || len(g.MemberNameAttributes) != 0 || g.Attributes["members"] != nil || !slices.Equal(g.Attributes["owner"], Names{"manager"}) {
		t.Errorf("groups: %+v", g)
	}
	if p.Write.UserContainer != "ou=people,dc=example,dc=org" || p.Write.GroupContainer != "dc=example,dc=org" || p.Write.UserRDN != "uid" {
		t.Errorf("write: %+v", p.Write)
	}
	fresh, err := PresetByName("openldap")
	if err != nil || !slices.Equal(fresh.People.Attributes["name"], Names{"displayName", "cn"}) {
		t.Error("the preset itself was changed")
	}
}

func TestFreeIPAPeopleAreBelowCnAccounts(t *testing.T) {
	d := Directory{Preset: "freeipa", BaseDN: "dc=example,dc=org"}
	p, err := d.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("cn=users,cn=accounts,dc=example,dc=org", p.People.BaseDN); diff != "" {
		t.Error(diff)
	}
	if _, err := ldap.ParseDN(p.Groups.BaseDN); err != nil || p.Groups.BaseDN != "cn=groups,cn=accounts,dc=example,dc=org" {
		t.Errorf("groups: %q, %v", p.Groups.BaseDN, err)
	}
}
