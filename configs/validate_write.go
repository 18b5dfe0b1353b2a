package configs

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Limits of the write section.
const (
	maxClasses   = 16
	maxProtected = 256
	maxNumber    = 1<<31 - 1
)

// neverDefaults are LDAP attributes that no new entry may be given by configuration.
var neverDefaults = []string{"objectclass", "memberof", "member", "uniquemember", "memberuid", "useraccountcontrol", "nsaccountlock"}

// validateWrite checks what a directory says of changes. base is its base DN as
// Preset and overrides are put together elsewhere.
func validateWrite(d *Directory, key string, base *ldap.DN, r *report) {
	w := &d.Write
	r.below(key+".user_container", w.UserContainer, base)
	r.below(key+".group_container", w.GroupContainer, base)
	r.dn(key+".placeholder_dn", w.PlaceholderDN)
	r.dn(key+".numbers.counter", w.Numbers.Counter)
	attribute := func(name string) bool { return name != "" && !ldapAttribute.MatchString(name) }
	r.table(
		check{attribute(w.UserRDN), key + ".user_rdn", shown(w.UserRDN) + " is no attribute name; write uid or cn"},
		check{attribute(w.GroupRDN), key + ".group_rdn", shown(w.GroupRDN) + " is no attribute name; write cn"},
		check{
			w.EmptyGroup == "fixed" && w.PlaceholderDN == "", key + ".placeholder_dn",
			"is missing; empty_group: fixed needs the DN that stands in an empty group",
		},
		check{
			w.Disable == "attribute" && (w.DisableWith.Attribute == "" || w.DisableWith.Value == ""), key + ".disable_with",
			"is missing; disable: attribute needs the attribute and the value that mark a disabled account",
		},
		check{
			attribute(w.DisableWith.Attribute), key + ".disable_with.attribute",
			shown(w.DisableWith.Attribute) + " is no attribute name; write one such as employeeType",
		},
		check{
			w.Numbers.Mode == "counter" && w.Numbers.Counter == "", key + ".numbers.counter",
			"is missing; mode: counter needs the DN of the entry that holds the next number",
		},
		check{
			attribute(w.Numbers.Attribute), key + ".numbers.attribute", shown(w.Numbers.Attribute) + " is no attribute name; write uidNumber",
		},
		check{
			w.Numbers.Mode == "range" && (w.Numbers.First < 1 || w.Numbers.Last <= w.Numbers.First || w.Numbers.Last > maxNumber), key + ".numbers",
			"needs first and last of the range, such as first: 10000 and last: 60000",
		},
		check{len(w.ProtectedGroups) > maxProtected, key + ".protected_groups", "has more than 256 groups"},
	)
	oneOfOrNone(r, key+".empty_group", w.EmptyGroup, "emptyDN", "fixed", "class")
	oneOfOrNone(r, key+".disable", w.Disable, "ppolicy", "nsaccountlock", "useraccountcontrol", "shadow", "attribute", "none")
	oneOfOrNone(r, key+".numbers.mode", w.Numbers.Mode, "off", "counter", "range")
	for name, list := range map[string][]string{"user_classes": w.UserClasses, "group_classes": w.GroupClasses} {
		validateNames(r, key+"."+name, list, "object class")
	}
	validateDefaults(r, key+".user_defaults", w.UserDefaults)
	validateDefaults(r, key+".group_defaults", w.GroupDefaults)
}

func oneOfOrNone(r *report, key, value string, allowed ...string) {
	if value != "" {
		r.table(oneOf(key, value, allowed...))
	}
}

func validateNames(r *report, key string, list []string, what string) {
	if len(list) > maxClasses {
		r.fault(key, "has more than %d names", maxClasses)
	}
	for i, name := range list {
		if !ldapAttribute.MatchString(name) {
			r.fault(key+"["+itoa(i)+"]", "%s is no %s", shown(name), what)
		}
	}
}

func validateDefaults(r *report, key string, defaults map[string]Names) {
	if len(defaults) > maxAttributes {
		r.fault(key, "has more than %d attributes", maxAttributes)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		path, lower := childKey(key, clip(name)), strings.ToLower(name)
		switch {
		case !ldapAttribute.MatchString(name):
			r.fault(path, "is no LDAP attribute; write a name such as loginShell")
		case slices.Contains(credentialAttributes, lower), slices.Contains(neverDefaults, lower):
			r.fault(path, "is never written from the configuration")
		}
	}
}
