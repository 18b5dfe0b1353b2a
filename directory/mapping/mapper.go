package mapping

import (
	"errors"
	"slices"
	"strings"

	"portico/directory"
)

// Mapper reads entries of one directory. It is immutable after New and safe for
// many goroutines.
type Mapper struct {
	cfg    Config
	format StableIDFormat

	baseKey, userKey, groupKey string
	people, groups, containers *filter
	slotOf                     map[string]int // lower-case LDAP name, without options
	names                      []string       // LDAP names by slot, as configured
	user, group                []target
	login, groupName           []int // slots of the name
	members, memberNames       []int
	stable, signals            []int
	created, modified, version int // -1: none
	sid, primaryID             int // -1: no primary groups
	disabled                   int // -1: none
	placeholders               map[string]bool
	feedFilter                 string
	attributes                 []string
	filterSlots                int // the first slots are what the filters test
}

// target is one of Portico's attributes and the slots it may come from.
type target struct {
	name  string
	slots []int
	// binary values are shown in base64
	binary bool
}

// New compiles a configuration. Its error joins one *Fault for each thing that is
// wrong.
func New(cfg Config) (*Mapper, error) {
	if cfg.Signals == nil {
		cfg.Signals = DefaultSignals(cfg.StatusRules)
	}
	if cfg.ContainerFilter == "" {
		cfg.ContainerFilter = DefaultContainerFilter
	}
	if cfg.StableIDFormat == "" {
		cfg.StableIDFormat = FormatUUID
	}
	m := &Mapper{cfg: cfg, format: cfg.StableIDFormat, slotOf: map[string]int{}, placeholders: map[string]bool{"": true}}
	m.slot("objectClass")
	if err := errors.Join(cfg.check(), m.parseDNs(), m.compileFilters()); err != nil {
		return nil, err
	}
	m.filterSlots = len(m.names)
	m.user, m.group = m.targets(cfg.UserAttributes), m.targets(cfg.GroupAttributes)
	m.login = m.slots(cfg.UserAttributes[directory.AttrUsername])
	m.groupName = m.slots(cfg.GroupAttributes[directory.AttrName])
	m.members, m.memberNames = m.slots(cfg.MemberAttributes), m.slots(cfg.MemberNameAttributes)
	m.stable, m.signals = m.slots(cfg.StableID), m.slots(cfg.Signals)
	m.created, m.modified, m.version = m.optional(cfg.Created), m.optional(cfg.Modified), m.optional(cfg.Version)
	m.sid, m.primaryID = -1, -1
	if cfg.PrimaryGroup == PrimarySID {
		m.sid, m.primaryID = m.slot("objectSid"), m.slot("primaryGroupID")
	}
	m.disabled = m.optional(cfg.DisabledAttribute)
	m.attributes = slices.Clone(m.names)
	m.feedFilter = "(|" + m.people.text + m.groups.text + m.containers.text + ")"
	return m, nil
}

func (m *Mapper) parseDNs() error {
	var errs []error
	parse := func(field, dn, fallback string) string {
		if dn == "" {
			return fallback
		}
		key, err := DNKey(dn)
		switch {
		case err != nil:
			errs = append(errs, fault(field, "%q: %v", dn, err))
		case !Under(key, m.baseKey):
			errs = append(errs, fault(field, "%q does not lie below BaseDN %q", dn, m.cfg.BaseDN))
		}
		return key
	}
	m.baseKey = parse("BaseDN", m.cfg.BaseDN, "")
	if m.cfg.BaseDN == "" {
		errs = append(errs, fault("BaseDN", "must not be empty"))
	}
	m.userKey = parse("UserBase", m.cfg.UserBase, m.baseKey)
	m.groupKey = parse("GroupBase", m.cfg.GroupBase, m.baseKey)
	for _, dn := range m.cfg.PlaceholderMembers {
		key, err := DNKey(dn)
		if err != nil {
			errs = append(errs, fault("PlaceholderMembers", "%q: %v", dn, err))
		}
		m.placeholders[key] = true
	}
	return errors.Join(errs...)
}

func (m *Mapper) compileFilters() error {
	var errs []error
	compile := func(field, text string) *filter {
		f, err := compileFilter(text, m.slot)
		if err != nil {
			errs = append(errs, fault(field, "%v", err))
		}
		return f
	}
	m.people = compile("UserFilter", m.cfg.UserFilter)
	m.groups = compile("GroupFilter", m.cfg.GroupFilter)
	m.containers = compile("ContainerFilter", m.cfg.ContainerFilter)
	return errors.Join(errs...)
}

// slot gives the place of an LDAP attribute's values, a new one at first use.
func (m *Mapper) slot(name string) int {
	key := base(lower(name))
	if i, ok := m.slotOf[key]; ok {
		return i
	}
	m.slotOf[key] = len(m.names)
	m.names = append(m.names, base(name))
	return len(m.names) - 1
}

func (m *Mapper) slots(names []string) []int {
	list := make([]int, len(names))
	for i, name := range names {
		list[i] = m.slot(name)
	}
	return list
}

func (m *Mapper) optional(name string) int {
	if name == "" {
		return -1
	}
	return m.slot(name)
}

// targets are the mapped attributes in a fixed order.
func (m *Mapper) targets(attributes map[string][]string) []target {
	list := make([]target, 0, len(attributes))
	for name, ldapNames := range attributes {
		if len(ldapNames) > 0 {
			list = append(list, target{name, m.slots(ldapNames), isBinary(ldapNames[0])})
		}
	}
	slices.SortFunc(list, func(a, b target) int { return strings.Compare(a.name, b.name) })
	return list
}

// Attributes are the LDAP names of everything that must be asked for so that
// Entry can do its work: people, groups and containers, operational attributes by
// name, and what the configured filters test. The slice is the caller's.
func (m *Mapper) Attributes() []string { return slices.Clone(m.attributes) }

// FeedFilter finds people, groups and containers at once.
func (m *Mapper) FeedFilter() string { return m.feedFilter }

// UserFilter and GroupFilter are the configured filters, checked.
func (m *Mapper) UserFilter() string { return m.people.text }

// GroupFilter is the configured filter of groups, checked.
func (m *Mapper) GroupFilter() string { return m.groups.text }

// BaseDN is the DN that everything lies below, as configured.
func (m *Mapper) BaseDN() string { return m.cfg.BaseDN }

// UserBaseDN is where people are searched, as configured.
func (m *Mapper) UserBaseDN() string { return or(m.cfg.UserBase, m.cfg.BaseDN) }

// GroupBaseDN is where groups are searched, as configured.
func (m *Mapper) GroupBaseDN() string { return or(m.cfg.GroupBase, m.cfg.BaseDN) }

// Directory is the configured name of the directory.
func (m *Mapper) Directory() string { return m.cfg.Directory }

// ModifiedAttribute is the LDAP name of the time of the last change, "" if none.
func (m *Mapper) ModifiedAttribute() string { return m.cfg.Modified }

// StableIDAttributes are the LDAP names that hold permanent ids.
func (m *Mapper) StableIDAttributes() []string { return slices.Clone(m.cfg.StableID) }

// ReferenceAttributes are the LDAP names that hold DNs of other entries: members,
// managers and owners.
func (m *Mapper) ReferenceAttributes() []string {
	list := slices.Clone(m.cfg.MemberAttributes)
	list = append(list, m.cfg.UserAttributes[directory.AttrManager]...)
	return append(list, m.cfg.GroupAttributes[directory.AttrOwner]...)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
