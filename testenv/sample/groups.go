package sample

import (
	"fmt"
	"math/rand/v2"

	"github.com/go-ldap/ldap/v3"
)

// The special groups: three that contain one another in a circle, and a chain in directories of a thousand people and
// more.
const (
	cycleLength = 3
	chainLength = 50
	chainFrom   = 1000
)

// Group is one made-up group.
type Group struct {
	Name        string
	DN          string
	Class       string   // groupOfNames or groupOfUniqueNames
	Description string   // may be empty
	Owner       string   // DN of a person
	Members     []int    // people, each once
	Subgroups   []string // DNs of groups
	Strangers   []string // DNs of nothing that is in the directory
}

// Groups is the number of groups, the special ones included.
func (d *Directory) Groups() int {
	if d.options.Groups == 0 {
		return 0
	}
	return d.options.Groups + cycleLength + d.chain()
}

// chain is the number of groups that are nested in one another.
func (d *Directory) chain() int {
	if d.options.People < chainFrom {
		return 0
	}
	return chainLength
}

// GroupName is the name of a group, from 0 to Groups()-1.
func (d *Directory) GroupName(g int) string {
	switch ordinary := d.options.Groups; {
	case g < ordinary:
		return fmt.Sprintf("%s %d", departments[g%len(departments)], g)
	case g < ordinary+cycleLength:
		return fmt.Sprintf("cycle-%d", g-ordinary)
	default:
		return fmt.Sprintf("chain-%d", g-ordinary-cycleLength)
	}
}

// GroupDN is the DN of a group.
func (d *Directory) GroupDN(g int) string {
	return "cn=" + ldap.EscapeDN(d.GroupName(g)) + "," + d.groups
}

// GroupSize is the number of people that are direct members of a group. The first has a tenth of everybody, the second
// half as many, the third a third, and so on down to one.
func (d *Directory) GroupSize(g int) int {
	if g >= d.options.Groups {
		return 1
	}
	return max(1, d.options.People/10/(g+1))
}

// Group makes up the group with this number. Every seventh contains the two that follow it; every tenth has a member
// outside the directory; every eleventh is a groupOfUniqueNames.
func (d *Directory) Group(g int) Group {
	r := rand.New(rand.NewPCG(d.options.Seed^0x67726f7570, uint64(g)))
	made := Group{
		Name: d.GroupName(g), DN: d.GroupDN(g), Class: "groupOfNames", Members: d.members(d.GroupSize(g), r),
		Owner: d.DN(r.IntN(d.options.People)),
	}
	ordinary := d.options.Groups
	switch {
	case g >= ordinary+cycleLength:
		if g+1 < d.Groups() {
			made.Subgroups = []string{d.GroupDN(g + 1)}
		}
	case g >= ordinary:
		made.Subgroups = []string{d.GroupDN(ordinary + (g-ordinary+1)%cycleLength)}
	default:
		made.Description = fmt.Sprintf("Group %d of %s", g, towns[g%len(towns)])
		d.decorate(g, &made)
	}
	return made
}

// decorate adds what only some of the ordinary groups have.
func (d *Directory) decorate(g int, made *Group) {
	if g%7 == 6 {
		for next := g + 1; next <= g+2 && next < d.options.Groups; next++ {
			made.Subgroups = append(made.Subgroups, d.GroupDN(next))
		}
	}
	if g%10 == 9 {
		made.Strangers = []string{fmt.Sprintf("uid=gone%d,ou=people,dc=elsewhere,dc=example", g)}
	}
	if g%11 == 10 {
		made.Class = "groupOfUniqueNames"
	}
}

// members chooses people without choosing anybody twice: it walks around all of them in steps that have no divisor in
// common with their number.
func (d *Directory) members(size int, r *rand.Rand) []int {
	people := d.options.People
	at, step := r.IntN(people), 1+r.IntN(people)
	for gcd(step, people) != 1 {
		step++
	}
	chosen := make([]int, size)
	for k := range chosen {
		chosen[k] = at
		at = (at + step) % people
	}
	return chosen
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
