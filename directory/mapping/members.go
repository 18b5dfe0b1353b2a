package mapping

import (
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// memberValues gives the references of a group: DNs where there are any, else
// login names (memberUid). Placeholders are hidden: the group's own DN, the empty
// DN, and the configured ones.
func (m *Mapper) memberValues(dn string, v *values) (list []string, byName bool) {
	total := 0
	for _, slot := range m.members {
		total += len(v.slots[slot].text)
	}
	list = make([]string, 0, total)
	own := newSelf(dn)
	for _, slot := range m.members {
		for _, member := range v.slots[slot].text {
			member = cutUniqueID(member)
			if len(member) <= maxDNLength && usable(member) && !own.is(member) && !m.placeholder(member) {
				list = append(list, member)
			}
		}
	}
	if len(list) > 0 {
		return list, false
	}
	for _, slot := range m.memberNames {
		for _, name := range v.slots[slot].text {
			if len(name) <= maxNameLength && usable(name) {
				list = append(list, directory.FoldName(name))
			}
		}
	}
	return list, len(list) > 0
}

// cutUniqueID cuts the optional identifier off a value of uniqueMember
// (RFC 4517 §3.3.21: DN#'0101'B).
func cutUniqueID(member string) string {
	if strings.HasSuffix(member, "'B") {
		if i := strings.LastIndex(member, "#'"); i > 0 {
			return member[:i]
		}
	}
	return member
}

func (m *Mapper) placeholder(member string) bool {
	if len(m.placeholders) == 1 { // only the empty DN, which is no usable value
		return false
	}
	key, err := DNKey(member)
	return err == nil && m.placeholders[key]
}

// self compares many DNs with one. Plain spellings are compared as text, so a
// group of 10,000 members costs no 10,000 keys.
type self struct {
	dn, key string
	plain   bool
}

func newSelf(dn string) self {
	key, err := DNKey(dn)
	if err != nil {
		key = dn
	}
	return self{dn: dn, key: key, plain: plainDN(dn)}
}

func (s self) is(member string) bool {
	if len(member) == len(s.dn) && strings.EqualFold(member, s.dn) {
		return true
	}
	if s.plain && plainDN(member) {
		return false
	}
	key, err := DNKey(member)
	return err == nil && key == s.key
}

// plainDN tells whether a DN is spelled in the one way without escapes, quotes,
// spaces around separators, several values in a part, or letters beyond ASCII.
func plainDN(dn string) bool {
	for i := 0; i < len(dn); i++ {
		switch c := dn[i]; c {
		case '\\', '"', '+', ';', '#':
			return false
		case ' ':
			if i == 0 || i == len(dn)-1 || dn[i-1] == ',' || dn[i-1] == '=' || dn[i-1] == ' ' || dn[i+1] == ',' || dn[i+1] == '=' {
				return false
			}
		case '.': // an attribute named by number
			if i > 0 && dn[i-1] >= '0' && dn[i-1] <= '9' {
				return false
			}
		default:
			if c >= 0x80 {
				return false
			}
		}
	}
	return true
}

// rdnValue gives the value of the list that stands in the DN's first part under
// the named attribute, "" if none does.
func rdnValue(dn, attribute string, list []string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return ""
	}
	for _, pair := range parsed.RDNs[0].Attributes {
		if !strings.EqualFold(pair.Type, attribute) {
			continue
		}
		for _, value := range list {
			if strings.EqualFold(value, pair.Value) {
				return strings.TrimSpace(value)
			}
		}
	}
	return ""
}

// firstRDNValue is the decoded value of the DN's first part, the name of a
// container.
func firstRDNValue(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 || len(parsed.RDNs[0].Attributes) == 0 {
		return ""
	}
	return parsed.RDNs[0].Attributes[0].Value
}

// UnitAbove is the name of the organizational unit right above an entry, "" where
// something else is there.
func UnitAbove(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err == nil && len(parsed.RDNs) > 1 && strings.EqualFold(parsed.RDNs[1].Attributes[0].Type, "ou") {
		return parsed.RDNs[1].Attributes[0].Value
	}
	return ""
}
