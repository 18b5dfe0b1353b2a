package mapping

import (
	"slices"
	"strconv"
	"strings"
)

// values are the values of one entry by slot, see Mapper.
type values struct {
	dn    string
	slots []slotValues
}

// slotValues are the values of one attribute: the plain ones where there are any,
// else those with options (;lang-de).
type slotValues struct {
	text   []string
	raw    [][]byte
	tagged bool // text and raw came with an option that names a variant
}

type all []test

func (a all) match(v *values) bool {
	for _, t := range a {
		if !t.match(v) {
			return false
		}
	}
	return true
}

type anyOf []test

func (a anyOf) match(v *values) bool {
	for _, t := range a {
		if t.match(v) {
			return true
		}
	}
	return false
}

type not struct{ t test }

func (n not) match(v *values) bool { return !n.t.match(v) }

type present int

func (p present) match(v *values) bool { return len(v.slots[p].text) > 0 }

// equal compares without regard to case and runs of spaces, DNs by their key.
type equal struct {
	slot int
	want string // folded
	key  string // DNKey, "" where the value is not a DN
}

func newEqual(slot int, want string) equal {
	e := equal{slot: slot, want: foldSpaces(want)}
	if LooksLikeDN(want) {
		e.key, _ = DNKey(want)
	}
	return e
}

func (e equal) match(v *values) bool {
	for _, s := range v.slots[e.slot].text {
		if strings.EqualFold(s, e.want) || foldSpaces(s) == e.want {
			return true
		}
		if e.key != "" && strings.Contains(s, "=") {
			if key, err := DNKey(s); err == nil && key == e.key {
				return true
			}
		}
	}
	return false
}

type exact struct {
	slot int
	want string
}

func (e exact) match(v *values) bool {
	return slices.Contains(v.slots[e.slot].text, e.want)
}

// hasClass knows that a class brings its superiors: servers find an entry of
// class inetOrgPerson by (objectClass=person) even where it does not list it.
type hasClass struct {
	slot int
	want string // lower case
}

func (h hasClass) match(v *values) bool {
	for _, s := range v.slots[h.slot].text {
		for class := lower(s); class != ""; class = superior(class) {
			if class == h.want {
				return true
			}
		}
	}
	return h.want == "top"
}

// superior gives the class above one of the common ones (RFC 4519, RFC 2798,
// RFC 2307, Active Directory), "" where there is none.
func superior(class string) string {
	switch class {
	case "inetorgperson", "user", "residentialperson":
		return "organizationalperson"
	case "organizationalperson", "pilotperson", "newpilotperson":
		return "person"
	case "computer":
		return "user"
	case "rfc822localpart":
		return "domain"
	}
	return ""
}

// hasCategory is Active Directory's short form: (objectCategory=person) finds the
// entries whose category is CN=Person,CN=Schema,... A class whose category has
// another name than itself is found too: the category of users is Person.
type hasCategory struct {
	slot int
	want string // lower case, a class
}

func (h hasCategory) match(v *values) bool {
	for _, s := range v.slots[h.slot].text {
		key, err := DNKey(s)
		if err != nil {
			continue
		}
		rdn, _, _ := strings.Cut(key, ",")
		_, category, _ := strings.Cut(rdn, "=")
		category = strings.ReplaceAll(category, "-", "")
		if category == h.want || category == "person" && h.want == "user" {
			return true
		}
	}
	return false
}

// ordered is >= (sign 1) or <= (sign -1): numbers as numbers, everything else,
// such as generalized times of one shape, as folded text.
type ordered struct {
	slot int
	want string
	sign int
}

func (o ordered) match(v *values) bool {
	wantNumber, number := parseInt(o.want)
	for _, s := range v.slots[o.slot].text {
		c := strings.Compare(foldSpaces(s), foldSpaces(o.want))
		if n, ok := parseInt(s); ok && number {
			switch {
			case n > wantNumber:
				c = 1
			case n < wantNumber:
				c = -1
			default:
				c = 0
			}
		}
		if c*o.sign >= 0 {
			return true
		}
	}
	return false
}

// hasBits tests bits of an integer: all of them, or any.
type hasBits struct {
	slot    int
	bits    int64
	allBits bool
}

func (h hasBits) match(v *values) bool {
	for _, s := range v.slots[h.slot].text {
		n, ok := parseInt(s)
		if ok && (h.allBits && n&h.bits == h.bits || !h.allBits && n&h.bits != 0) {
			return true
		}
	}
	return false
}

type substrings struct {
	slot           int
	initial, final string
	inner          []string
}

func (t substrings) match(v *values) bool {
	for _, s := range v.slots[t.slot].text {
		if t.matchOne(foldSpaces(s)) {
			return true
		}
	}
	return false
}

func (t substrings) matchOne(s string) bool {
	s, ok := strings.CutPrefix(s, t.initial)
	if !ok {
		return false
	}
	for _, part := range t.inner {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, t.final)
}

// foldSpaces makes text comparable as caseIgnoreMatch does.
func foldSpaces(s string) string {
	s = strings.ToLower(s)
	if !strings.Contains(s, "  ") && strings.TrimSpace(s) == s {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

func parseInt(s string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return n, err == nil
}
