package embedded

import (
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// rule is a matching rule (RFC 4517 §4). Values are brought into a normal form
// once, when they are stored; equality and substrings then compare bytes.
type rule struct {
	oid, name string
	syntaxOID string // of the assertion, for the subschema

	// normalize gives the normal form of an attribute value or assertion.
	// DN rules have none here: they need the schema (see schema.normalize).
	normalize func(string) (string, error)
	// compare orders normal forms; nil where the rule knows no order.
	compare  func(a, b string) int
	ordering bool // the rule itself means "less than" in an extensible match
	// match replaces the comparison of normal forms.
	match func(value, assertion string) bool
	dn    bool
}

func matchingRules() []*rule {
	dirString, ia5, integer := syntaxPrefix+"15", syntaxPrefix+"26", syntaxPrefix+"27"
	clock, oid, octet := syntaxPrefix+"24", syntaxPrefix+"38", syntaxPrefix+"40"
	uuid, csn := "1.3.6.1.1.16.1", "1.3.6.1.4.1.4203.666.11.2.1"
	return []*rule{
		{oid: "2.5.13.0", name: "objectIdentifierMatch", syntaxOID: oid, normalize: normOID},
		{oid: "2.5.13.1", name: "distinguishedNameMatch", syntaxOID: syntaxPrefix + "12", dn: true},
		{oid: "2.5.13.2", name: "caseIgnoreMatch", syntaxOID: dirString, normalize: normIgnore},
		{oid: "2.5.13.3", name: "caseIgnoreOrderingMatch", syntaxOID: dirString, normalize: normIgnore, compare: strings.Compare, ordering: true},
		{oid: "2.5.13.5", name: "caseExactMatch", syntaxOID: dirString, normalize: normExact},
		{oid: "2.5.13.6", name: "caseExactOrderingMatch", syntaxOID: dirString, normalize: normExact, compare: strings.Compare, ordering: true},
		{oid: "2.5.13.8", name: "numericStringMatch", syntaxOID: syntaxPrefix + "36", normalize: normNumeric},
		{oid: "2.5.13.9", name: "numericStringOrderingMatch", syntaxOID: syntaxPrefix + "36", normalize: normNumeric, compare: strings.Compare, ordering: true},
		{oid: "2.5.13.11", name: "caseIgnoreListMatch", syntaxOID: syntaxPrefix + "41", normalize: normIgnore},
		{oid: "2.5.13.13", name: "booleanMatch", syntaxOID: syntaxPrefix + "7", normalize: checked(func(v string) bool { return v == "TRUE" || v == "FALSE" })},
		{oid: "2.5.13.14", name: "integerMatch", syntaxOID: integer, normalize: checked(integerForm.MatchString)},
		{oid: "2.5.13.15", name: "integerOrderingMatch", syntaxOID: integer, normalize: checked(integerForm.MatchString), compare: compareIntegers, ordering: true},
		{oid: "2.5.13.16", name: "bitStringMatch", syntaxOID: syntaxPrefix + "6", normalize: checked(bitForm.MatchString)},
		{oid: "2.5.13.17", name: "octetStringMatch", syntaxOID: octet, normalize: same},
		{oid: "2.5.13.18", name: "octetStringOrderingMatch", syntaxOID: octet, normalize: same, compare: strings.Compare, ordering: true},
		{oid: "2.5.13.20", name: "telephoneNumberMatch", syntaxOID: syntaxPrefix + "50", normalize: normPhone},
		{oid: "2.5.13.23", name: "uniqueMemberMatch", syntaxOID: syntaxPrefix + "34", dn: true},
		{oid: "2.5.13.27", name: "generalizedTimeMatch", syntaxOID: clock, normalize: normTime},
		{oid: "2.5.13.28", name: "generalizedTimeOrderingMatch", syntaxOID: clock, normalize: normTime, compare: strings.Compare, ordering: true},
		{oid: "2.5.13.30", name: "objectIdentifierFirstComponentMatch", syntaxOID: oid, normalize: normOID},
		{oid: "2.5.13.34", name: "certificateExactMatch", syntaxOID: syntaxPrefix + "8", normalize: same},
		{oid: "1.3.6.1.4.1.1466.109.114.1", name: "caseExactIA5Match", syntaxOID: ia5, normalize: normExactIA5},
		{oid: "1.3.6.1.4.1.1466.109.114.2", name: "caseIgnoreIA5Match", syntaxOID: ia5, normalize: normIgnoreIA5},
		{oid: "1.2.840.113556.1.4.803", name: "integerBitAndMatch", syntaxOID: integer, normalize: checked(integerForm.MatchString), match: allBits},
		{oid: "1.2.840.113556.1.4.804", name: "integerBitOrMatch", syntaxOID: integer, normalize: checked(integerForm.MatchString), match: anyBits},
		{oid: "1.3.6.1.1.16.2", name: "UUIDMatch", syntaxOID: uuid, normalize: normUUID},
		{oid: "1.3.6.1.1.16.3", name: "UUIDOrderingMatch", syntaxOID: uuid, normalize: normUUID, compare: strings.Compare, ordering: true},
		{oid: "1.3.6.1.4.1.4203.666.11.2.2", name: "CSNMatch", syntaxOID: csn, normalize: checked(validCSN)},
		{oid: "1.3.6.1.4.1.4203.666.11.2.3", name: "CSNOrderingMatch", syntaxOID: csn, normalize: checked(validCSN), compare: strings.Compare, ordering: true},
	}
}

// normalize gives the normal form of v under rule r. A nil rule keeps v.
func (s *schema) normalize(r *rule, v string) (string, error) {
	switch {
	case r == nil:
		return v, nil
	case !r.dn:
		return r.normalize(v)
	}
	name, tail := v, ""
	if r.oid == "2.5.13.23" {
		name, tail = splitNameUID(v)
	}
	d, err := s.parseDN(name)
	if err != nil {
		return "", errSyntax
	}
	return d.key + tail, nil
}

// splitNameUID cuts the optional "#'0101'B" off a Name And Optional UID.
func splitNameUID(v string) (name, uid string) {
	if i := strings.LastIndexByte(v, '#'); i >= 0 && bitForm.MatchString(v[i+1:]) {
		return v[:i], v[i:]
	}
	return v, ""
}

func same(v string) (string, error) { return v, nil }

func checked(valid func(string) bool) func(string) (string, error) {
	return func(v string) (string, error) {
		if !valid(v) {
			return "", errSyntax
		}
		return v, nil
	}
}

func normOID(v string) (string, error) {
	if !oidForm.MatchString(v) {
		return "", errSyntax
	}
	return strings.ToLower(v), nil
}

// normExact prepares a string as RFC 4518 asks: compatibility composition, and
// runs of spaces count as one, those at the ends as none.
func normExact(v string) (string, error) {
	if v == "" || !utf8.ValidString(v) {
		return "", errSyntax
	}
	return squeeze(norm.NFKC.String(v)), nil
}

func normIgnore(v string) (string, error) {
	if v == "" || !utf8.ValidString(v) {
		return "", errSyntax
	}
	return squeeze(strings.Map(unicode.ToLower, norm.NFKC.String(v))), nil
}

func normExactIA5(v string) (string, error) {
	if !ascii(v) {
		return "", errSyntax
	}
	return squeeze(v), nil
}

func normIgnoreIA5(v string) (string, error) {
	if !ascii(v) {
		return "", errSyntax
	}
	return squeeze(strings.ToLower(v)), nil
}

func normNumeric(v string) (string, error) {
	if !numericForm.MatchString(v) {
		return "", errSyntax
	}
	return strings.ReplaceAll(v, " ", ""), nil
}

func normPhone(v string) (string, error) {
	if !printableForm.MatchString(v) {
		return "", errSyntax
	}
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(v)), nil
}

func normUUID(v string) (string, error) {
	if !uuidForm.MatchString(v) {
		return "", errSyntax
	}
	return strings.ToLower(v), nil
}

// normTime gives a form in which text order is the order of time.
func normTime(v string) (string, error) {
	t, err := parseTime(v)
	if err != nil {
		return "", err
	}
	return t.UTC().Format("20060102150405.000000000"), nil
}

// squeeze drops spaces at the ends and makes one of several. A string of
// spaces alone becomes one space.
func squeeze(s string) string {
	clean := s != "" && s[0] != ' ' && s[len(s)-1] != ' ' && !strings.Contains(s, "  ")
	if clean || s == "" {
		return s
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
	if len(words) == 0 {
		return " "
	}
	return strings.Join(words, " ")
}

// compareIntegers orders decimal numbers of any length in canonical form.
func compareIntegers(a, b string) int {
	na, nb := strings.HasPrefix(a, "-"), strings.HasPrefix(b, "-")
	switch {
	case na && !nb:
		return -1
	case nb && !na:
		return 1
	case na && nb:
		a, b = b[1:], a[1:]
	}
	if len(a) != len(b) {
		if len(a) < len(b) {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

// allBits and anyBits are Active Directory's bit rules: all, or any, of the
// assertion's bits are set in the value.
func allBits(v, mask string) bool {
	a, b, ok := twoNumbers(v, mask)
	return ok && new(big.Int).And(a, b).Cmp(b) == 0
}

func anyBits(v, mask string) bool {
	a, b, ok := twoNumbers(v, mask)
	return ok && new(big.Int).And(a, b).Sign() != 0
}

func twoNumbers(v, w string) (a, b *big.Int, ok bool) {
	a, ok1 := new(big.Int).SetString(v, 10)
	b, ok2 := new(big.Int).SetString(w, 10)
	return a, b, ok1 && ok2
}
