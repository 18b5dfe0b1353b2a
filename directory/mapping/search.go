package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// ErrBadName is wrapped by the error of a look-up whose name cannot be anybody's:
// empty, too long, a DN, or with the suffix of another directory. Nothing must be
// sent to the server then; the answer is "not found".
var ErrBadName = errors.New("not a name of this directory")

// lookupLimit is the size limit of look-ups by name: two hits already are
// ambiguous, a few more are worth naming in the log.
const lookupLimit = 10

// PersonByUsername finds a person by login name. Where the directory has a suffix
// the name must carry it. More than one answer is ambiguous. A server compares
// loosely, so the caller checks that the entry found has that Login. Errors wrap
// ErrBadName.
func (m *Mapper) PersonByUsername(login string) (*ldap.SearchRequest, error) {
	name := strings.TrimSpace(login)
	if m.cfg.Suffix != "" {
		cut := len(name) - len(m.cfg.Suffix) - 1
		if cut < 0 || name[cut] != '@' || !strings.EqualFold(name[cut+1:], m.cfg.Suffix) {
			return nil, fmt.Errorf("%w: it lacks the suffix", ErrBadName)
		}
		name = name[:cut]
	}
	return m.byName(m.UserBaseDN(), m.people, m.cfg.UserAttributes[directory.AttrUsername], name)
}

// PersonByMail finds people by mail address. Errors wrap ErrBadName.
func (m *Mapper) PersonByMail(mail string) (*ldap.SearchRequest, error) {
	return m.byName(m.UserBaseDN(), m.people, m.cfg.UserAttributes[directory.AttrMail], mail)
}

// GroupByName finds groups by name. Errors wrap ErrBadName.
func (m *Mapper) GroupByName(name string) (*ldap.SearchRequest, error) {
	return m.byName(m.GroupBaseDN(), m.groups, m.cfg.GroupAttributes[directory.AttrName], name)
}

// ByStableID finds a person, group or container by directory.ID.Stable. Errors
// wrap ErrBadName.
func (m *Mapper) ByStableID(stable string) (*ldap.SearchRequest, error) {
	value, ok := m.stableFilterValue(stable)
	if !ok {
		return nil, fmt.Errorf("%w: not a permanent id", ErrBadName)
	}
	return m.request(m.cfg.BaseDN, ldap.ScopeWholeSubtree, and(m.feedFilter, anyEqual(m.cfg.StableID, value))), nil
}

// ByStableIDs finds people, groups and containers by their permanent ids. It sets
// no size limit. Errors wrap ErrBadName.
func (m *Mapper) ByStableIDs(stable []string) (*ldap.SearchRequest, error) {
	var any strings.Builder
	for _, id := range stable {
		value, ok := m.stableFilterValue(id)
		if !ok {
			return nil, fmt.Errorf("%w: not a permanent id", ErrBadName)
		}
		any.WriteString(anyEqual(m.cfg.StableID, value))
	}
	req := m.request(m.cfg.BaseDN, ldap.ScopeWholeSubtree, and(m.feedFilter, "(|"+any.String()+")"))
	req.SizeLimit = 0
	return req, nil
}

// ByDN reads the person, group or container that has a DN. A DN that lies outside
// BaseDN, or is none, gives an error that wraps ErrBadName.
func (m *Mapper) ByDN(dn string) (*ldap.SearchRequest, error) {
	key, err := DNKey(dn)
	if err != nil || key == "" || !Under(key, m.baseKey) {
		return nil, fmt.Errorf("%w: not a DN below %s", ErrBadName, m.cfg.BaseDN)
	}
	return m.request(dn, ldap.ScopeBaseObject, m.feedFilter), nil
}

// All reads everything of one base: the whole directory (kind 0), people, or
// groups. Use it with paging; it sets no size limit.
func (m *Mapper) All(kind directory.Kind) *ldap.SearchRequest {
	base, filter := m.cfg.BaseDN, m.feedFilter
	switch kind {
	case directory.KindPerson:
		base, filter = m.UserBaseDN(), m.people.text
	case directory.KindGroup:
		base, filter = m.GroupBaseDN(), m.groups.text
	}
	req := m.request(base, ldap.ScopeWholeSubtree, filter)
	req.SizeLimit = 0
	return req
}

// ChangedSince reads what changed at or after a value of the attribute (a
// generalized time, or a change number). It sets no size limit.
func (m *Mapper) ChangedSince(attribute, value string) *ldap.SearchRequest {
	req := m.All(0)
	req.Filter = and(m.feedFilter, "("+attribute+">="+ldap.EscapeFilter(value)+")")
	return req
}

// IDs reads only the permanent ids of everything, with what the filters test.
func (m *Mapper) IDs() *ldap.SearchRequest {
	req := m.All(0)
	req.Attributes = m.idAttributes()
	return req
}

// idAttributes are the permanent ids and all that decides the kind of an entry.
func (m *Mapper) idAttributes() []string {
	list := m.StableIDAttributes()
	for slot, name := range m.names[:m.filterSlots] {
		if !slices.Contains(m.stable, slot) {
			list = append(list, name)
		}
	}
	return list
}

// byName refuses what cannot be a name before anything is sent.
func (m *Mapper) byName(base string, f *filter, attributes []string, name string) (*ldap.SearchRequest, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return nil, fmt.Errorf("%w: empty", ErrBadName)
	case len(name) > maxNameLength:
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrBadName, maxNameLength)
	case len(attributes) == 0:
		return nil, fmt.Errorf("%w: no LDAP attribute is mapped to it", ErrBadName)
	case LooksLikeDN(name):
		return nil, fmt.Errorf("%w: a DN", ErrBadName)
	}
	return m.request(base, ldap.ScopeWholeSubtree, and(f.text, anyEqual(attributes, name))), nil
}

func (m *Mapper) request(base string, scope int, filter string) *ldap.SearchRequest {
	return ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, lookupLimit, 0, false, filter, m.Attributes(), nil)
}

// anyEqual is the one place where a value from outside enters a filter.
func anyEqual(attributes []string, value string) string {
	value = ldap.EscapeFilter(value)
	var b strings.Builder
	for _, a := range attributes {
		b.WriteString("(" + base(a) + "=" + value + ")")
	}
	if len(attributes) == 1 {
		return b.String()
	}
	return "(|" + b.String() + ")"
}

func and(a, b string) string { return "(&" + a + b + ")" }

// GroupsNaming finds the groups that hold a person's DN or login name directly.
func (m *Mapper) GroupsNaming(e *directory.Entry) *ldap.SearchRequest {
	var filter strings.Builder
	filter.WriteString("(|")
	for _, attribute := range m.cfg.MemberAttributes {
		filter.WriteString("(" + attribute + "=" + ldap.EscapeFilter(e.DN) + ")")
	}
	for _, attribute := range m.cfg.MemberNameAttributes {
		filter.WriteString("(" + attribute + "=" + ldap.EscapeFilter(e.Name) + ")")
	}
	filter.WriteString(")")
	return m.request(m.GroupBaseDN(), ldap.ScopeWholeSubtree, and(m.groups.text, filter.String()))
}
