package mapping

import (
	"iter"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
)

// Facts are the values from which names that the schema demands are derived.
type facts struct{ name, given, family, display string }

// commonName is the cn of somebody who was given none. A family name that was
// derived itself adds nothing.
func (f facts) commonName() string {
	if f.given == "" && f.family == f.surname() {
		f.family = ""
	}
	switch whole := strings.TrimSpace(f.given + " " + f.family); {
	case whole != "":
		return whole
	case f.display != "":
		return f.display
	}
	return f.name
}

// surname is the sn of somebody who was given none.
func (f facts) surname() string {
	if words := strings.Fields(f.display); len(words) > 0 {
		return words[len(words)-1]
	}
	return f.name
}

// factsOf reads them by a function that gives the first value of an LDAP attribute.
func (e *Encoder) factsOf(name string, first func(string) string) facts {
	get := func(attribute string) string {
		if in, ok := e.Writable(directory.KindPerson, attribute); ok && !strings.EqualFold(in, "cn") {
			return first(in)
		}
		return ""
	}
	return facts{
		name: name, given: get(directory.AttrGivenName), family: get(directory.AttrFamilyName), display: get(directory.AttrName),
	}
}

// derive fills in what the classes of people demand: cn, and sn unless the server
// is content without (Active Directory's user, RFC 2307's account).
func (e *Encoder) derive(d *Draft, classes []string) {
	_, nameIn := e.nameAttribute(directory.KindPerson)
	f := e.factsOf(d.First(nameIn), d.First)
	if !d.Has("cn") {
		d.set("cn", []string{cut(f.commonName(), e.cfg.MaxRDN)})
	}
	if !d.Has("sn") && demandsSurname(classes) {
		d.set("sn", []string{f.surname()})
	}
}

// cut shortens a text to so many characters; 0 leaves it.
func cut(text string, most int) string {
	if runes := []rune(text); most > 0 && len(runes) > most {
		return strings.TrimSpace(string(runes[:most]))
	}
	return text
}

// demandsSurname tells of the standard's person and what is built on it.
func demandsSurname(classes []string) bool {
	return hasFold(classes, "inetOrgPerson", "organizationalPerson", "person") && !hasFold(classes, "user")
}

func hasFold(list []string, names ...string) bool {
	return slices.ContainsFunc(list, func(have string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(have, name) })
	})
}

// withAuxiliary adds the classes that attributes need to those that are there.
func (e *Encoder) withAuxiliary(classes []string, attributes iter.Seq[string]) []string {
	out := slices.Clone(classes)
	var more []string
	for name := range attributes {
		if class := e.auxiliary[base(lower(name))]; class != "" && !hasFold(out, class) && !hasFold(more, class) {
			more = append(more, class)
		}
	}
	slices.Sort(more)
	return append(out, more...)
}

// Edit is what is to be different about one entry that was just read.
type Edit struct {
	// Name is the new name, "" for no new one.
	Name string
	// RDN is the first part of the new DN, "" where the DN stays.
	RDN     string
	Changes []ldap.Change
	// Portico's names of what changes, for records.
	Attributes []string
}

// Empty tells whether there is nothing to do.
func (x *Edit) Empty() bool { return x.RDN == "" && len(x.Changes) == 0 }

// Diff finds the least that makes the entry what the change wants, members,
// password and account state aside. now is the entry as it is, with everything
// that Mapper.Attributes asks for. Errors: *directory.WriteError.
func (e *Encoder) Diff(kind directory.Kind, now *ldap.Entry, c directory.Change, references map[string][]string) (*Edit, error) {
	x := &Edit{}
	b := &builder{e: e, kind: kind, now: now, rdn: rdnNames(now.DN), edit: x, final: map[string][]string{}}
	if err := b.name(c.Name); err != nil {
		return nil, err
	}
	for attribute, given := range c.Attributes {
		name, list, err := e.values(kind, attribute, given)
		if err != nil {
			return nil, err
		}
		if err := b.attribute(attribute, name, list); err != nil {
			return nil, err
		}
	}
	for attribute, dns := range references {
		name, ok := e.Writable(kind, attribute)
		if !ok {
			return nil, invalid(attribute, "has no place in this directory")
		}
		b.dns(attribute, name, dns)
	}
	b.rederive()
	b.classes()
	slices.SortStableFunc(x.Changes, func(p, q ldap.Change) int {
		return strings.Compare(lower(p.Modification.Type), lower(q.Modification.Type))
	})
	slices.Sort(x.Attributes)
	x.Attributes = slices.Compact(x.Attributes)
	return x, nil
}

// builder collects the changes of one entry.
type builder struct {
	e     *Encoder
	kind  directory.Kind
	now   *ldap.Entry
	rdn   []string // attributes that name the entry
	edit  *Edit
	final map[string][]string // what attributes hold afterwards, by lower-case name
}

func (b *builder) have(name string) []string { return b.now.GetEqualFoldAttributeValues(name) }

// after is the first value that an attribute holds afterwards.
func (b *builder) after(name string) string {
	list, ok := b.final[lower(name)]
	if !ok {
		list = b.have(name)
	}
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func (b *builder) name(name *string) error {
	if name == nil {
		return nil
	}
	portico, in := b.e.nameAttribute(b.kind)
	old := ""
	if list := b.have(in); len(list) > 0 {
		old = list[0]
		if rdn := rdnValue(b.now.DN, in, list); rdn != "" {
			old = rdn
		}
	}
	if old == *name {
		return nil
	}
	if err := b.e.checkName(b.kind, *name); err != nil {
		return err
	}
	b.edit.Name = *name
	b.edit.Attributes = append(b.edit.Attributes, portico)
	if !hasFold(b.rdn, in) {
		b.put(in, []string{*name})
		return nil
	}
	if len(b.rdn) > 1 {
		return invalid(portico, "the entry is named by several attributes and cannot be renamed here")
	}
	most := b.e.cfg.MaxRDN
	if most > 0 && len([]rune(*name)) > most {
		return invalid(portico, "longer than %d characters", most)
	}
	b.edit.RDN = b.rdn[0] + "=" + escapeRDN(*name)
	b.final[lower(in)] = []string{*name}
	return nil
}

// attribute makes the values of one mapped attribute the given ones. What is
// removed is removed wherever it would still be read from.
func (b *builder) attribute(attribute, name string, list []string) error {
	before := len(b.edit.Changes)
	if hasFold(b.rdn, name) && !slices.Equal(b.have(name), list) {
		if b.kind == directory.KindGroup || !strings.EqualFold(name, "cn") {
			return invalid(attribute, "%s names the entry and cannot be changed", name)
		}
		return nil // the display name of Active Directory's cn: it follows nothing
	}
	b.put(name, list)
	if len(list) == 0 {
		for _, other := range b.e.attributesOf(b.kind)[attribute][1:] {
			if !b.e.own(b.kind, attribute, other) && !hasFold(b.rdn, other) && !hasFold([]string{"cn", "sn"}, other) {
				b.put(other, nil)
			}
		}
	}
	if len(b.edit.Changes) > before {
		b.edit.Attributes = append(b.edit.Attributes, attribute)
	}
	return nil
}

// own tells whether an LDAP name is where another attribute is written.
func (e *Encoder) own(kind directory.Kind, attribute, name string) bool {
	for other, names := range e.attributesOf(kind) {
		if other != attribute && len(names) > 0 && strings.EqualFold(names[0], name) {
			return true
		}
	}
	return NeverWritten(name) != ""
}

// dns is put for references, which are equal in any spelling.
func (b *builder) dns(attribute, name string, list []string) {
	keys := func(dns []string) map[string]bool {
		m := make(map[string]bool, len(dns))
		for _, dn := range dns {
			if key, err := DNKey(dn); err == nil {
				m[key] = true
			}
		}
		return m
	}
	have, want := keys(b.have(name)), keys(list)
	same := len(have) == len(want)
	for key := range want {
		same = same && have[key]
	}
	if !same {
		b.put(name, list)
		b.edit.Attributes = append(b.edit.Attributes, attribute)
	}
}

// rederive keeps names that were derived from others in step with them, and puts
// one in place of a mandatory name that is removed.
func (b *builder) rederive() {
	if b.kind != directory.KindPerson || len(b.edit.Changes) == 0 && b.edit.RDN == "" {
		return
	}
	_, nameIn := b.e.nameAttribute(directory.KindPerson)
	old := b.e.factsOf(b.now.GetEqualFoldAttributeValue(nameIn), b.now.GetEqualFoldAttributeValue)
	now := b.e.factsOf(b.after(nameIn), b.after)
	classes := b.have("objectClass")
	if demandsSurname(classes) {
		b.follow("sn", old.surname(), now.surname())
		now = b.e.factsOf(b.after(nameIn), b.after)
	}
	b.follow("cn", cut(old.commonName(), b.e.cfg.MaxRDN), cut(now.commonName(), b.e.cfg.MaxRDN))
}

func (b *builder) follow(name, old, now string) {
	list, written := b.final[lower(name)]
	have := b.have(name)
	switch {
	case hasFold(b.rdn, name), written && len(list) > 0:
	case written: // removed: there must be one
		b.drop(name)
		b.put(name, []string{now})
	case len(have) == 1 && have[0] == old && old != now:
		b.put(name, []string{now})
	}
}

// drop forgets the changes of an attribute.
func (b *builder) drop(name string) {
	b.edit.Changes = slices.DeleteFunc(b.edit.Changes, func(c ldap.Change) bool {
		return strings.EqualFold(c.Modification.Type, name)
	})
	delete(b.final, lower(name))
}

// classes adds the auxiliary classes that new values need.
func (b *builder) classes() {
	if b.kind != directory.KindPerson {
		return
	}
	names := func(yield func(string) bool) {
		for name, list := range b.final {
			if len(list) > 0 && !yield(name) {
				return
			}
		}
	}
	have := b.have("objectClass")
	if more := b.e.withAuxiliary(have, names)[len(have):]; len(more) > 0 {
		b.edit.Changes = append(b.edit.Changes, change(ldap.AddAttribute, "objectClass", more))
	}
}

func change(operation uint, name string, list []string) ldap.Change {
	return ldap.Change{Operation: operation, Modification: ldap.PartialAttribute{Type: name, Vals: list}}
}

// put makes the values of one LDAP attribute the given ones: single values are
// added and deleted where that gives the wanted order, else all are replaced.
func (b *builder) put(name string, want []string) {
	have := b.have(name)
	b.final[lower(name)] = want
	if slices.Equal(have, want) {
		return
	}
	var gone, kept, fresh []string
	for _, v := range have {
		if slices.Contains(want, v) {
			kept = append(kept, v)
		} else {
			gone = append(gone, v)
		}
	}
	for _, v := range want {
		if !slices.Contains(have, v) {
			fresh = append(fresh, v)
		}
	}
	if len(kept) == 0 || !slices.Equal(append(kept, fresh...), want) {
		b.edit.Changes = append(b.edit.Changes, change(ldap.ReplaceAttribute, name, want))
		return
	}
	if len(gone) > 0 {
		b.edit.Changes = append(b.edit.Changes, change(ldap.DeleteAttribute, name, gone))
	}
	if len(fresh) > 0 {
		b.edit.Changes = append(b.edit.Changes, change(ldap.AddAttribute, name, fresh))
	}
}

// rdnNames are the attributes in the first part of a DN.
func rdnNames(dn string) []string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return nil
	}
	var names []string
	for _, pair := range parsed.RDNs[0].Attributes {
		names = append(names, pair.Type)
	}
	return names
}
