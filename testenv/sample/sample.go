// Package sample makes up directories of any size for tests and measurements: people with names in many scripts, long
// and multi-valued attributes, awkward DNs, groups of very different size, nested ones and a cycle among them, and a
// tree of managers.
//
// Everything follows from Options: the same options give the same bytes, on every machine. A person or a group is
// computed from its number when it is asked for, so a directory of a million people takes no memory, and a test can
// say who the 4711th person is, what her password is and who her manager is without reading the file.
//
// The package knows nothing of servers; testenv starts those.
package sample

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Options say what a directory looks like. The zero value is an empty directory below dc=example,dc=com.
type Options struct {
	People int    // how many
	Groups int    // ordinary groups; default: one for 20 people, at least 5; negative: none
	BaseDN string // default dc=example,dc=com; people go below ou=people, groups below ou=groups
	Seed   uint64 // another seed, another directory
	Posix  bool   // people are posixAccounts as well, and each ordinary group has a posixGroup beside it
	States bool   // some accounts are disabled, some must change their password (OpenLDAP's attributes)
	Base   bool   // write the base, ou=people and ou=groups too; testenv's servers have them already
}

// State is what is special about an account.
type State uint8

// The states that Options.States gives to some.
const (
	StateNormal     State = iota
	StateDisabled         // by an administrator: pwdAccountLockedTime 000001010000Z
	StateMustChange       // pwdReset TRUE
)

// Person is one made-up person.
type Person struct {
	Index       int
	UID         string // user name: ASCII letters and the index, such as jdoe4711
	DN          string
	Given       string
	Family      string
	DisplayName string
	CommonNames []string // the display name, and in plain letters where the script is another
	Mail        []string // ASCII; the first is UID@example.org
	Phone       string
	Mobile      string
	Title       string
	Department  int
	Town        string
	Language    string
	Description []string
	Manager     int // index; -1 for the first person
	State       State
}

// Directory is a made-up directory. It holds nothing and may be used by several goroutines at once.
type Directory struct {
	options Options
	people  string // DN of the container
	groups  string
	weights int
}

// New fills in the defaults of the options.
func New(options Options) *Directory {
	if options.BaseDN == "" {
		options.BaseDN = "dc=example,dc=com"
	}
	if options.Groups == 0 {
		options.Groups = max(5, options.People/20)
	}
	if options.Groups < 0 || options.People == 0 {
		options.Groups = 0
	}
	d := &Directory{options: options, people: "ou=people," + options.BaseDN, groups: "ou=groups," + options.BaseDN}
	for i := range cultures {
		d.weights += cultures[i].weight
	}
	return d
}

// People is the number of people.
func (d *Directory) People() int { return d.options.People }

// Departments is the number of containers that people are spread over.
func (d *Directory) Departments() int { return min(len(departments), 1+d.options.People/50) }

// DepartmentDN is the DN of a department's container.
func (d *Directory) DepartmentDN(i int) string {
	return "ou=" + ldap.EscapeDN(departments[i]) + "," + d.people
}

// Password is the password of a person: the user name and "-pw".
func Password(uid string) string { return uid + "-pw" }

// identity is what the DN of a person depends on.
type identity struct {
	culture *culture
	given   name
	family  name
	uid     string
	display string
	rest    *rand.Rand
}

// identify draws the names of a person.
func (d *Directory) identify(i int) identity {
	r := rand.New(rand.NewPCG(d.options.Seed, uint64(i)))
	pick := r.IntN(d.weights)
	c := &cultures[0]
	for k := range cultures {
		c = &cultures[k]
		if pick -= c.weight; pick < 0 {
			break
		}
	}
	who := identity{culture: c, given: c.given[r.IntN(len(c.given))], family: c.family[r.IntN(len(c.family))], rest: r}
	who.uid = fmt.Sprintf("%.1s%s%d", who.given.plain, who.family.plain, i)
	who.display = who.given.native + c.separator + who.family.native
	if c.familyFirst {
		who.display = who.family.native + c.separator + who.given.native
	}
	return who
}

// UID is the user name of a person.
func (d *Directory) UID(i int) string { return d.identify(i).uid }

// DN is the DN of a person. Most are uid=...; every 97th is a name with characters that must be escaped, every 197th
// has an RDN of two values.
func (d *Directory) DN(i int) string { return d.dn(i, d.identify(i)) }

func (d *Directory) dn(i int, who identity) string {
	rdn := "uid=" + who.uid
	switch {
	case i%97 == 96:
		rdn = "cn=" + ldap.EscapeDN(d.awkward(who))
	case i%197 == 196:
		rdn = "cn=" + ldap.EscapeDN(who.display) + "+uid=" + who.uid
	}
	return rdn + "," + d.DepartmentDN(i%d.Departments())
}

// awkward is a common name that needs every kind of escaping.
func (d *Directory) awkward(who identity) string {
	return "#" + who.family.native + ", " + who.given.native + ` "` + who.uid + `" <a+b=c; d\e>/x`
}

// Person makes up the person with this number, from 0 to People()-1.
func (d *Directory) Person(i int) Person {
	who := d.identify(i)
	r := who.rest
	p := Person{
		Index: i, UID: who.uid, DN: d.dn(i, who), Given: who.given.native, Family: who.family.native,
		DisplayName: who.display, CommonNames: []string{who.display}, Language: who.culture.language,
		Phone: fmt.Sprintf("+49 30 %07d", i), Title: titles[r.IntN(len(titles))], Town: towns[r.IntN(len(towns))],
		Department: i % d.Departments(), Manager: (i+7)/8 - 1,
	}
	if spelled := who.given.plain + " " + who.family.plain; !strings.EqualFold(spelled, who.display) {
		p.CommonNames = append(p.CommonNames, spelled)
	}
	if i%97 == 96 {
		p.CommonNames = append(p.CommonNames, d.awkward(who))
	}
	if r.IntN(3) > 0 {
		p.Mobile = fmt.Sprintf("+49 170 %07d", i)
	}
	p.Mail = mail(i, who, r)
	p.Description = description(i, r)
	if d.options.States {
		switch i % 50 {
		case 13:
			p.State = StateDisabled
		case 29:
			p.State = StateMustChange
		}
	}
	return p
}

// mail gives everybody one address, some two or three, and every 151st person thirty.
func mail(i int, who identity, r *rand.Rand) []string {
	addresses := []string{who.uid + "@example.org"}
	if r.IntN(4) == 0 {
		addresses = append(addresses, fmt.Sprintf("%s.%s.%d@example.org", who.given.plain, who.family.plain, i))
	}
	if r.IntN(10) == 0 {
		addresses = append(addresses, who.uid+"@branch.example.net")
	}
	if i%151 == 150 {
		for k := range 30 {
			addresses = append(addresses, fmt.Sprintf("%s+%d@lists.example.org", who.uid, k))
		}
	}
	return addresses
}

// description gives half of the people a sentence, every 101st a text of 4,000 bytes and more, every 53rd several.
func description(i int, r *rand.Rand) []string {
	sentence := func(least int) string {
		var text strings.Builder
		fmt.Fprintf(&text, "%d:", i)
		for text.Len() < least {
			text.WriteByte(' ')
			text.WriteString(words[r.IntN(len(words))])
		}
		return text.String()
	}
	switch {
	case i%101 == 100:
		return []string{sentence(4000)}
	case i%53 == 52:
		return []string{sentence(20), sentence(30), sentence(40) + "\nand a second line", sentence(50)}
	case r.IntN(2) == 0:
		return []string{sentence(40)}
	default:
		return nil
	}
}
