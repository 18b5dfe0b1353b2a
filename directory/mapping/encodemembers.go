package mapping

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// MemberStyle says how a group names its members.
type MemberStyle struct {
	Attribute   string // member, uniqueMember, memberUid
	ByName      bool   // login names instead of DNs
	Placeholder string // stands in an empty group
	NeedsOne    bool   // the placeholder is wanted in an empty group
}

// StyleOf tells how a group of those classes names its members: DNs where one of
// the classes has them, else login names.
func (e *Encoder) StyleOf(classes []string) MemberStyle {
	s := MemberStyle{Placeholder: e.cfg.Placeholder}
	if e.cfg.EmptyGroup == EmptyGroupDN {
		s.Placeholder = ""
	}
	unique, names := hasFold(classes, "groupOfUniqueNames"), hasFold(classes, "groupOfNames", "group", "groupOfMembers", "nestedGroup")
	switch {
	case unique && !names && hasFold(e.m.cfg.MemberAttributes, "uniqueMember"):
		s.Attribute = "uniqueMember"
	case names && hasFold(e.m.cfg.MemberAttributes, "member"):
		s.Attribute = "member"
	case hasFold(classes, "posixGroup") && len(e.m.cfg.MemberNameAttributes) > 0:
		s.Attribute, s.ByName = e.m.cfg.MemberNameAttributes[0], true
	case len(e.m.cfg.MemberAttributes) > 0:
		s.Attribute = e.m.cfg.MemberAttributes[0]
	case len(e.m.cfg.MemberNameAttributes) > 0:
		s.Attribute, s.ByName = e.m.cfg.MemberNameAttributes[0], true
	}
	demands := hasFold(classes, "groupOfNames") || hasFold(classes, "groupOfUniqueNames")
	s.NeedsOne = demands && !s.ByName && (e.cfg.EmptyGroup == EmptyGroupDN || e.cfg.EmptyGroup == EmptyGroupFixed)
	return s
}

// GroupClasses are the classes of new groups.
func (e *Encoder) GroupClasses() []string { return slices.Clone(e.cfg.GroupClasses) }

// Mapper is what the entries are read with.
func (e *Encoder) Mapper() *Mapper { return e.m }

// ReferencesTo finds what refers to a DN or, for groups that name people, to a
// login name; only classes and DNs of it are read. It sets no size limit.
func (e *Encoder) ReferencesTo(dn, name string) (req *ldap.SearchRequest, attributes []string) {
	attributes = e.referenceAttributes()
	var filter strings.Builder
	filter.WriteString("(|")
	for _, attribute := range attributes {
		filter.WriteString("(" + attribute + "=" + ldap.EscapeFilter(dn) + ")")
	}
	if name != "" {
		for _, attribute := range e.m.cfg.MemberNameAttributes {
			filter.WriteString("(" + attribute + "=" + ldap.EscapeFilter(name) + ")")
		}
	}
	filter.WriteString(")")
	req = ldap.NewSearchRequest(e.m.cfg.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		filter.String(), []string{"objectClass"}, nil)
	return req, attributes
}

// referenceAttributes hold DNs of people and groups.
func (e *Encoder) referenceAttributes() []string {
	list := slices.Clone(e.m.cfg.MemberAttributes)
	add := func(names []string) {
		for _, name := range names {
			if !hasFold(list, name) {
				list = append(list, name)
			}
		}
	}
	add(e.m.cfg.UserAttributes[directory.AttrManager])
	add(e.m.cfg.GroupAttributes[directory.AttrOwner])
	return list
}

// MemberNameAttributes hold login names of members.
func (e *Encoder) MemberNameAttributes() []string { return slices.Clone(e.m.cfg.MemberNameAttributes) }

// Plain are the LDAP names to ask for where the members of a group are not
// wanted: a group may have very many.
func (m *Mapper) Plain() []string {
	return slices.DeleteFunc(m.Attributes(), func(name string) bool {
		return hasFold(m.cfg.MemberAttributes, name) || hasFold(m.cfg.MemberNameAttributes, name)
	})
}

// ReadBack reads an entry by its DN, whatever it is, with everything that Entry
// needs or, without members, all but those.
func (m *Mapper) ReadBack(dn string, members bool) *ldap.SearchRequest {
	attributes := m.Plain()
	if members {
		attributes = m.Attributes()
	}
	return ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", attributes, nil)
}

// Holds asks whether an entry has a value of an attribute, without reading it.
func Holds(dn, attribute, value string) *ldap.SearchRequest {
	filter := "(" + attribute + "=" + ldap.EscapeFilter(value) + ")"
	return ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, filter, []string{"1.1"}, nil)
}

// Ref is a person or a group as a reference names it.
type Ref struct{ DN, Name string }

// Values are the values of a group's members, each once.
func (s MemberStyle) Values(members []Ref) []string {
	out := make([]string, 0, len(members))
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		v := m.DN
		if s.ByName {
			v = m.Name
		}
		if v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// CutUniqueID cuts the optional identifier off a value of uniqueMember (RFC 4517 §3.3.21).
func CutUniqueID(member string) string { return cutUniqueID(member) }
