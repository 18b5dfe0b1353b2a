package mapping

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// WriteConfig says how entries of one directory are written. It comes from the
// preset and the configuration; NewEncoder checks it.
type WriteConfig struct {
	UserClasses, GroupClasses     []string // of new entries
	UserRDN, GroupRDN             string   // attribute that names a new entry
	UserContainer, GroupContainer string   // DNs that new entries go below

	// Auxiliary are the attributes that need a class of their own, by class: it is
	// added to an entry that lacks it.
	Auxiliary map[string][]string
	// UserDefaults and GroupDefaults are values by LDAP name that a new entry gets
	// where nothing else gives them; {name} stands for its name.
	UserDefaults, GroupDefaults map[string][]string

	// Unwritable are attributes of people that are read and never written, Single
	// those that hold one value. Portico's names.
	Unwritable, Single []string

	// Placeholder is the value that stands in a group that must not be empty
	// (EmptyGroupFixed); with EmptyGroupDN it is "".
	EmptyGroup  EmptyGroup
	Placeholder string

	// MaxRDN bounds the value that names an entry, in characters; 0: 256.
	MaxRDN int
}

// EmptyGroup is what is done where a class demands a member and there is none.
type EmptyGroup string

// The strategies for empty groups.
const (
	// EmptyGroupClass: nothing, the classes of groups do not demand members.
	EmptyGroupClass EmptyGroup = "class"
	// EmptyGroupDN: the empty DN stands in.
	EmptyGroupDN EmptyGroup = "emptyDN"
	// EmptyGroupFixed: a configured DN stands in.
	EmptyGroupFixed EmptyGroup = "fixed"
)

// Encoder turns what is to be written into LDAP. It is immutable and safe for
// many goroutines.
type Encoder struct {
	m         *Mapper
	cfg       WriteConfig
	auxiliary map[string]string // lower-case attribute to class
}

// NewEncoder checks the configuration. Its error joins one *Fault for each thing
// that is wrong.
func NewEncoder(m *Mapper, cfg WriteConfig) (*Encoder, error) {
	e := &Encoder{m: m, cfg: cfg, auxiliary: map[string]string{}}
	var errs []error
	for field, list := range map[string][]string{"UserClasses": cfg.UserClasses, "GroupClasses": cfg.GroupClasses} {
		if len(list) == 0 {
			errs = append(errs, fault(field, "must name an object class"))
		}
	}
	for field, name := range map[string]string{"UserRDN": cfg.UserRDN, "GroupRDN": cfg.GroupRDN} {
		if err := checkAttribute(name); err != nil {
			errs = append(errs, fault(field, "%v", err))
		}
	}
	errs = append(errs, e.checkContainer("UserContainer", cfg.UserContainer, m.userKey),
		e.checkContainer("GroupContainer", cfg.GroupContainer, m.groupKey), e.checkPlaceholder())
	for class, names := range cfg.Auxiliary {
		for _, name := range names {
			e.auxiliary[lower(name)] = class
		}
	}
	for field, defaults := range map[string]map[string][]string{"UserDefaults": cfg.UserDefaults, "GroupDefaults": cfg.GroupDefaults} {
		for name := range defaults {
			if why := NeverWritten(name); why != "" {
				errs = append(errs, fault(field, "%s %s", name, why))
			}
		}
	}
	return e, errors.Join(errs...)
}

func (e *Encoder) checkContainer(field, dn, base string) error {
	key, err := DNKey(dn)
	switch {
	case err != nil:
		return fault(field, "%q: %v", dn, err)
	case !Under(key, base):
		return fault(field, "%q does not lie where entries are read", dn)
	}
	return nil
}

func (e *Encoder) checkPlaceholder() error {
	switch e.cfg.EmptyGroup {
	case "", EmptyGroupClass, EmptyGroupDN:
		return nil
	case EmptyGroupFixed:
		key, err := DNKey(e.cfg.Placeholder)
		if err != nil || key == "" {
			return fault("Placeholder", "%q is not a DN", e.cfg.Placeholder)
		}
		if !e.m.placeholders[key] {
			return fault("Placeholder", "%q is not among the placeholders that are hidden", e.cfg.Placeholder)
		}
		return nil
	}
	return fault("EmptyGroup", "%q is none of emptyDN, fixed, class", e.cfg.EmptyGroup)
}

// invalid is the error for a value that cannot be stored.
func invalid(attribute, format string, args ...any) error {
	return &directory.WriteError{Fault: directory.WriteInvalid, Attribute: attribute, Detail: fmt.Sprintf(format, args...)}
}

// attributesOf are the mapped attributes of a kind.
func (e *Encoder) attributesOf(kind directory.Kind) map[string][]string {
	if kind == directory.KindGroup {
		return e.m.cfg.GroupAttributes
	}
	return e.m.cfg.UserAttributes
}

// nameAttribute is the attribute that holds the name of a kind, Portico's and LDAP's.
func (e *Encoder) nameAttribute(kind directory.Kind) (string, string) {
	if kind == directory.KindGroup {
		return directory.AttrName, e.m.cfg.GroupAttributes[directory.AttrName][0]
	}
	return directory.AttrUsername, e.m.cfg.UserAttributes[directory.AttrUsername][0]
}

// RDNAttribute names new entries of a kind.
func (e *Encoder) RDNAttribute(kind directory.Kind) string {
	if kind == directory.KindGroup {
		return e.cfg.GroupRDN
	}
	return e.cfg.UserRDN
}

// NamedByRDN tells whether the name of a kind is what new entries are named by.
func (e *Encoder) NamedByRDN(kind directory.Kind) bool {
	_, name := e.nameAttribute(kind)
	return strings.EqualFold(name, e.RDNAttribute(kind))
}

// NameAttribute is the LDAP attribute that holds the name of a kind.
func (e *Encoder) NameAttribute(kind directory.Kind) string {
	_, name := e.nameAttribute(kind)
	return name
}

// Writable tells under which LDAP name an attribute is written, and whether it may be.
func (e *Encoder) Writable(kind directory.Kind, attribute string) (string, bool) {
	names := e.attributesOf(kind)[attribute]
	if len(names) == 0 || NeverWritten(names[0]) != "" || kind == directory.KindPerson && slices.Contains(e.cfg.Unwritable, attribute) {
		return "", false
	}
	return e.transfer(names[0]), true
}

// Room is how many values of an attribute can be written: 0, 1, or many.
func (e *Encoder) Room(kind directory.Kind, attribute string) int {
	_, ok := e.Writable(kind, attribute)
	switch {
	case !ok:
		return 0
	case kind == directory.KindPerson && slices.Contains(e.cfg.Single, attribute):
		return 1
	}
	return maxValues
}

// checkName refuses a name that cannot be one here.
func (e *Encoder) checkName(kind directory.Kind, name string) error {
	attribute, _ := e.nameAttribute(kind)
	switch {
	case !usable(name) || strings.TrimSpace(name) != name:
		return invalid(attribute, "empty, not text, or with spaces at its ends")
	case len(name) > maxNameLength:
		return invalid(attribute, "longer than %d bytes", maxNameLength)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return invalid(attribute, "holds a control character")
	case kind == directory.KindPerson && LooksLikeDN(name):
		return invalid(attribute, "looks like a DN")
	}
	return nil
}

// values checks what is to be stored in an attribute; empty texts are dropped.
func (e *Encoder) values(kind directory.Kind, attribute string, given []string) (name string, list []string, err error) {
	if own, _ := e.nameAttribute(kind); attribute == own || attribute == directory.AttrUsername {
		return "", nil, invalid(attribute, "is the name of the entry")
	}
	if attribute == directory.AttrManager || attribute == directory.AttrOwner {
		return "", nil, invalid(attribute, "is a reference")
	}
	names := e.attributesOf(kind)[attribute]
	if len(names) == 0 {
		return "", nil, invalid(attribute, "has no place in this directory")
	}
	if why := NeverWritten(names[0]); why != "" {
		return "", nil, invalid(attribute, "%s %s", names[0], why)
	}
	if _, ok := e.Writable(kind, attribute); !ok {
		return "", nil, invalid(attribute, "has no place in this directory")
	}
	for _, value := range given {
		if isBinary(names[0]) {
			raw, err := base64.StdEncoding.DecodeString(value)
			if err != nil || len(raw) == 0 || base64.StdEncoding.EncodedLen(len(raw)) > maxValueLength {
				return "", nil, invalid(attribute, "is no base64, or too long")
			}
			if !slices.Contains(list, string(raw)) {
				list = append(list, string(raw))
			}
			continue
		}
		switch {
		case strings.TrimSpace(value) == "" || slices.Contains(list, value):
		case !usable(value):
			return "", nil, invalid(attribute, "holds a value that is too long or no text")
		case isNumber(names[0]) && strings.Trim(value, "0") == "":
			return "", nil, invalid(attribute, "0 is the number of the system's administrator")
		default:
			list = append(list, value)
		}
	}
	if len(list) > maxValues {
		return "", nil, invalid(attribute, "holds more than %d values", maxValues)
	}
	return e.transfer(names[0]), list, nil
}

// Draft is an entry that is to be made, by lower-case LDAP name.
type Draft struct {
	Kind   directory.Kind
	DN     string
	values map[string]*ldap.Attribute
}

func (d *Draft) set(name string, list []string) {
	if len(list) > 0 {
		d.values[lower(name)] = &ldap.Attribute{Type: name, Vals: list}
	}
}

// Set puts values in place that come from elsewhere: members, a number, a lock.
func (d *Draft) Set(name string, list ...string) { d.set(name, list) }

// Has tells whether the draft holds values of an attribute.
func (d *Draft) Has(name string) bool { return d.values[lower(name)] != nil }

// First is the first value of an attribute, or "".
func (d *Draft) First(name string) string {
	if a := d.values[lower(name)]; a != nil {
		return a.Vals[0]
	}
	return ""
}

// Request is the LDAP request that makes the entry. Values are in a fixed order,
// the object classes first.
func (d *Draft) Request() *ldap.AddRequest {
	req := ldap.NewAddRequest(d.DN, nil)
	if classes := d.values["objectclass"]; classes != nil {
		req.Attributes = append(req.Attributes, *classes)
	}
	for _, key := range slices.Sorted(maps.Keys(d.values)) {
		if key != "objectclass" {
			req.Attributes = append(req.Attributes, *d.values[key])
		}
	}
	return req
}

// Draft makes an entry of what is wanted, without members: mapped values, those
// that the schema demands and nobody gave (cn, sn), defaults, and the classes.
// references are DNs by Portico's name. Errors: *directory.WriteError.
func (e *Encoder) Draft(n directory.NewEntry, references map[string][]string) (*Draft, error) {
	if err := e.checkName(n.Kind, n.Name); err != nil {
		return nil, err
	}
	classes, defaults, container := e.cfg.UserClasses, e.cfg.UserDefaults, e.cfg.UserContainer
	if n.Kind == directory.KindGroup {
		classes, defaults, container = e.cfg.GroupClasses, e.cfg.GroupDefaults, e.cfg.GroupContainer
		if n.Parent != "" {
			container = n.Parent
		}
	}
	d := &Draft{Kind: n.Kind, values: map[string]*ldap.Attribute{}}
	_, nameIn := e.nameAttribute(n.Kind)
	d.set(nameIn, []string{n.Name})
	for attribute, given := range n.Attributes {
		name, list, err := e.values(n.Kind, attribute, given)
		if err != nil {
			return nil, err
		}
		d.set(name, list)
	}
	for attribute, dns := range references {
		name, ok := e.Writable(n.Kind, attribute)
		if !ok {
			return nil, invalid(attribute, "has no place in this directory")
		}
		d.set(name, dns)
	}
	for name, list := range defaults {
		if !d.Has(name) {
			d.set(name, expand(list, n.Name))
		}
	}
	switch rdn := e.RDNAttribute(n.Kind); {
	case n.Kind == directory.KindPerson:
		e.derive(d, classes)
	case !d.Has(rdn):
		d.set(rdn, []string{n.Name})
	}
	d.set("objectClass", classes)
	if n.Kind == directory.KindPerson {
		d.set("objectClass", e.withAuxiliary(classes, maps.Keys(d.values)))
	}
	rdn, err := e.RDN(n.Kind, d.First(e.RDNAttribute(n.Kind)))
	if err != nil {
		return nil, err
	}
	d.DN = rdn + "," + container
	return d, nil
}

// expand fills the name into values of a configuration.
func expand(list []string, name string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = strings.ReplaceAll(text, "{name}", name)
	}
	return out
}

// RDN is the first part of the DN of an entry with that name.
func (e *Encoder) RDN(kind directory.Kind, value string) (string, error) {
	most := e.cfg.MaxRDN
	if most == 0 {
		most = maxNameLength
	}
	attribute, _ := e.nameAttribute(kind)
	switch {
	case value == "":
		return "", invalid(attribute, "%s, which names the entry, has no value", e.RDNAttribute(kind))
	case len([]rune(value)) > most:
		return "", invalid(attribute, "%s, which names the entry, is longer than %d characters", e.RDNAttribute(kind), most)
	}
	return e.RDNAttribute(kind) + "=" + escapeRDN(value), nil
}

// escapeRDN escapes a value for a DN. Active Directory wants "=" escaped too, which
// RFC 4514 leaves open.
func escapeRDN(value string) string { return strings.ReplaceAll(ldap.EscapeDN(value), "=", `\=`) }

// AttributeOf is Portico's name of an LDAP attribute that is written under it,
// "" where none is. The name is lower-case.
func (e *Encoder) AttributeOf(kind directory.Kind, name string) string {
	own, in := e.nameAttribute(kind)
	if strings.EqualFold(in, name) {
		return own
	}
	found := ""
	for attribute, names := range e.attributesOf(kind) {
		if len(names) > 0 && strings.EqualFold(names[0], name) && (found == "" || attribute < found) {
			found = attribute
		}
	}
	return found
}

// AddClass adds an object class that the draft lacks.
func (d *Draft) AddClass(class string) {
	if a := d.values["objectclass"]; a != nil && !hasFold(a.Vals, class) {
		a.Vals = append(slices.Clip(a.Vals), class)
	}
}
