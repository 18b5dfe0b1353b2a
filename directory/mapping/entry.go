package mapping

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// Bounds of what is kept of one entry. Values beyond them are left out; members
// of a group are not bounded in number.
const (
	maxValueLength = 16 << 10
	maxValues      = 512
	maxNameLength  = 256
)

// Errors of Entry, for entries that match the configuration and cannot be used.
var (
	// ErrNoStableID: none of the configured attributes holds a permanent id, or
	// it does not have the configured format.
	ErrNoStableID = errors.New("no permanent id")
	// ErrNoName: a person without a login name, a group without a name.
	ErrNoName = errors.New("no name")
	// ErrIDMismatch: the feed's id of an entry is not its configured permanent
	// id, so deletions could not be told. Configure the attribute that the
	// server's feed uses.
	ErrIDMismatch = errors.New("the feed identifies entries by another attribute than the configured permanent id")
	// ErrRanged: the server gave only the first part of a long attribute.
	ErrRanged = errors.New("only part of the values arrived")
)

// Entry maps one LDAP entry. It gives nil, nil for an entry that is neither a
// person, nor a group, nor a container by the configured filters and bases.
//
// Outcomes: attribute names are compared without regard to case, options are split
// off (plain values win over those of a language). Values that are empty, not
// text (invalid UTF-8 or a NUL), or longer than 16 KiB are left out, and so are
// those beyond the first 512 of an attribute. Of several login names the one in
// the RDN wins, else the first. Errors wrap ErrNoStableID, ErrNoName, ErrRanged
// or ErrBadDN and name the DN.
func (m *Mapper) Entry(e *ldap.Entry) (*directory.Entry, error) { return m.entry(e, "") }

// EntryWithID is Entry for a feed that announces the entry's permanent id itself
// (syncrepl's entryUUID, as text of a UUID or as its sixteen bytes). Where the
// entry holds another one the error wraps ErrIDMismatch.
func (m *Mapper) EntryWithID(e *ldap.Entry, uuid string) (*directory.Entry, error) {
	stable, err := m.StableFromUUID(uuid)
	if err != nil {
		return nil, err
	}
	return m.entry(e, stable)
}

func (m *Mapper) entry(e *ldap.Entry, announced string) (*directory.Entry, error) {
	key, err := DNKey(e.DN)
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", e.DN, err)
	}
	v, err := m.read(e)
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", e.DN, err)
	}
	kind := m.kind(key, v)
	if kind == 0 {
		return nil, nil
	}
	stable, err := m.stableID(v, announced)
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", e.DN, err)
	}
	out := &directory.Entry{
		ID: directory.ID{Directory: m.cfg.Directory, Stable: stable}, Kind: kind, DN: e.DN,
		Created: v.time(m.created), Modified: v.time(m.modified), Version: v.first(m.version),
	}
	switch kind {
	case directory.KindPerson:
		err = m.person(out, v)
	case directory.KindGroup:
		err = m.groupOf(out, v)
	default:
		out.Name = firstRDNValue(e.DN)
	}
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", e.DN, err)
	}
	if out.Version == "" && kind != directory.KindContainer {
		out.Version = madeVersionOf(out)
	}
	return out, nil
}

// Identify tells only which entry it is: for sweeps that read nothing but ids. It
// gives kind 0 for what Entry gives nil for.
func (m *Mapper) Identify(e *ldap.Entry) (directory.ID, directory.Kind, error) {
	key, err := DNKey(e.DN)
	if err != nil {
		return directory.ID{}, 0, fmt.Errorf("entry %q: %w", e.DN, err)
	}
	v, err := m.read(e)
	if err != nil {
		return directory.ID{}, 0, fmt.Errorf("entry %q: %w", e.DN, err)
	}
	kind := m.kind(key, v)
	if kind == 0 {
		return directory.ID{}, 0, nil
	}
	stable, err := m.stableID(v, "")
	if err != nil {
		return directory.ID{}, 0, fmt.Errorf("entry %q: %w", e.DN, err)
	}
	return directory.ID{Directory: m.cfg.Directory, Stable: stable}, kind, nil
}

// Stable is the permanent id of any entry, whether it is ours or not; "" where it
// shows none.
func (m *Mapper) Stable(e *ldap.Entry) string {
	v, err := m.read(e)
	if err != nil {
		return ""
	}
	stable, err := m.stableID(v, "")
	if err != nil {
		return ""
	}
	return stable
}

// kind decides by filter and base.
func (m *Mapper) kind(key string, v *values) directory.Kind {
	switch {
	case !Under(key, m.baseKey):
		return 0
	case Under(key, m.userKey) && m.people.test.match(v):
		return directory.KindPerson
	case Under(key, m.groupKey) && m.groups.test.match(v):
		return directory.KindGroup
	case m.containers.test.match(v):
		return directory.KindContainer
	}
	return 0
}

func (m *Mapper) person(out *directory.Entry, v *values) error {
	out.Name = v.name(m.login, out.DN, m.names)
	if out.Name == "" {
		return ErrNoName
	}
	out.Login = m.Login(out.Name)
	out.Attributes = v.attributes(m.user)
	out.Attributes[directory.AttrUsername] = []string{out.Name}
	out.PrimaryGroup = m.primaryOf(v)
	for _, slot := range m.signals {
		if list := cleaned(v.slots[slot].text, maxValues); len(list) > 0 {
			if out.Signals == nil {
				out.Signals = make(directory.Attributes, 4)
			}
			out.Signals[lower(m.names[slot])] = list
		}
	}
	if m.disabled >= 0 && slices.ContainsFunc(v.slots[m.disabled].text, func(s string) bool { return strings.EqualFold(s, m.cfg.DisabledValue) }) {
		if out.Signals == nil {
			out.Signals = make(directory.Attributes, 1)
		}
		out.Signals[signalDisabled] = []string{m.names[m.disabled], m.cfg.DisabledValue}
	}
	return nil
}

// signalDisabled is a signal of ours: the configured attribute marks the account
// as disabled. Its values are that attribute and its value.
const signalDisabled = "portico:disabled"

func (m *Mapper) groupOf(out *directory.Entry, v *values) error {
	out.Name = v.name(m.groupName, out.DN, m.names)
	if out.Name == "" {
		return ErrNoName
	}
	out.Attributes = v.attributes(m.group)
	out.Members, out.MembersByName = m.memberValues(out.DN, v)
	out.PrimaryGroup = m.markOf(v)
	return nil
}

// Login is the name under which the population knows a person of this directory:
// folded, with the configured suffix.
func (m *Mapper) Login(name string) string {
	name = directory.FoldName(name)
	if m.cfg.Suffix != "" {
		name += "@" + directory.FoldName(m.cfg.Suffix)
	}
	return name
}

// read sorts an entry's values into their slots.
func (m *Mapper) read(e *ldap.Entry) (*values, error) {
	v := &values{dn: e.DN, slots: make([]slotValues, len(m.names))}
	var buf [64]byte
	for _, a := range e.Attributes {
		name, options, tagged := strings.Cut(a.Name, ";")
		slot, ok := m.find(name, buf[:])
		if !ok {
			continue
		}
		if tagged {
			var err error
			if tagged, err = variant(options); err != nil {
				return nil, fmt.Errorf("%s: %w", a.Name, err)
			}
		}
		s := &v.slots[slot]
		switch {
		case len(a.Values) == 0, tagged && len(s.text) > 0 && !s.tagged: // the plain ones are there
		case !tagged && s.tagged:
			*s = slotValues{text: a.Values, raw: a.ByteValues}
		case len(s.text) == 0:
			*s = slotValues{text: a.Values, raw: a.ByteValues, tagged: tagged}
		default:
			s.text = append(slices.Clip(s.text), a.Values...)
			s.raw = append(slices.Clip(s.raw), a.ByteValues...)
		}
	}
	return v, nil
}

// find looks a name up without regard to case and without an allocation.
func (m *Mapper) find(name string, buf []byte) (int, bool) {
	if len(name) > len(buf) {
		slot, ok := m.slotOf[lower(name)]
		return slot, ok
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	slot, ok := m.slotOf[string(buf[:len(name)])]
	return slot, ok
}

// variant tells whether options name another variant of a value (a language)
// rather than its transfer (";binary") or a part of the values (";range=0-*").
func variant(options string) (bool, error) {
	for option := range strings.SplitSeq(lower(options), ";") {
		switch {
		case option == "binary":
		case strings.HasPrefix(option, "range="):
			if !strings.HasSuffix(option, "-*") {
				return false, ErrRanged
			}
		default:
			return true, nil
		}
	}
	return false, nil
}

// attributes gives the mapped values of all targets that have some.
func (v *values) attributes(targets []target) directory.Attributes {
	out := make(directory.Attributes, len(targets))
	for _, t := range targets {
		for _, slot := range t.slots {
			list := v.slots[slot].text
			if t.binary {
				list = encoded(v.slots[slot].raw)
			}
			if list = cleaned(list, maxValues); len(list) > 0 {
				out[t.name] = list
				break
			}
		}
	}
	return out
}

// encoded gives values that are no text in base64, as far as that is short enough.
func encoded(raw [][]byte) []string {
	list := make([]string, len(raw))
	for i, value := range raw {
		list[i] = base64.StdEncoding.EncodeToString(value)
	}
	return list
}

// name is the first slot's value that can be a name; of several values the one
// in the RDN wins.
func (v *values) name(slots []int, dn string, names []string) string {
	for _, slot := range slots {
		list := cleaned(v.slots[slot].text, maxValues)
		for i := 0; i < len(list); i++ {
			if len(list[i]) > maxNameLength {
				list = append(list[:i:i], list[i+1:]...)
				i--
			}
		}
		if len(list) > 1 {
			if rdn := rdnValue(dn, names[slot], list); rdn != "" {
				return rdn
			}
		}
		if len(list) > 0 {
			return strings.TrimSpace(list[0])
		}
	}
	return ""
}

func (v *values) first(slot int) string {
	if slot < 0 || len(v.slots[slot].text) == 0 {
		return ""
	}
	s := v.slots[slot].text[0]
	if !usable(s) {
		return ""
	}
	return s
}

// usable tells whether a value is text that may be kept.
func usable(s string) bool {
	return s != "" && len(s) <= maxValueLength && utf8.ValidString(s) &&
		strings.IndexByte(s, 0) < 0 && strings.TrimSpace(s) != ""
}

// cleaned gives the usable values, the slice itself where all are.
func cleaned(list []string, limit int) []string {
	for i, s := range list {
		if !usable(s) || i == limit {
			kept := append([]string(nil), list[:i]...)
			for _, s := range list[i:] {
				if len(kept) < limit && usable(s) {
					kept = append(kept, s)
				}
			}
			return kept
		}
	}
	return list
}
