package embedded

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// errSyntax is the one answer to a value that its syntax does not allow; the
// caller names the attribute.
var errSyntax = errors.New("value invalid per syntax")

// syntax is one LDAP syntax (RFC 4517 §3.3). pretty, where set, gives the form
// in which a valid value is kept.
type syntax struct {
	oid    string
	desc   string
	binary bool // values may be asked for with ;binary
	valid  func(string) bool
}

const syntaxPrefix = "1.3.6.1.4.1.1466.115.121.1."

var (
	integerForm   = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)
	numericForm   = regexp.MustCompile(`^[0-9 ]+$`)
	printableForm = regexp.MustCompile(`^[A-Za-z0-9 '()+,./:?=-]+$`)
	oidForm       = regexp.MustCompile(`^([0-9]+(\.[0-9]+)*|[A-Za-z][A-Za-z0-9-]*)$`)
	bitForm       = regexp.MustCompile(`^'[01]*'B$`)
	uuidForm      = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	countryForm   = regexp.MustCompile(`^[A-Za-z0-9 '()+,./:?=-]{2}$`)
	timeForm      = regexp.MustCompile(`^(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)?)?(?:[.,](\d+))?(Z|[+-]\d\d(?:\d\d)?)$`)
)

func any8(string) bool              { return true }
func directoryString(v string) bool { return v != "" && utf8.ValidString(v) }

func ascii(v string) bool {
	for i := range len(v) {
		if v[i] >= 0x80 {
			return false
		}
	}
	return true
}

// syntaxes lists what the schema uses. DNs are checked where they are parsed,
// because that needs the schema.
func syntaxes() []*syntax {
	human := func(n, desc string, valid func(string) bool) *syntax {
		return &syntax{oid: syntaxPrefix + n, desc: desc, valid: valid}
	}
	octets := func(n, desc string, valid func(string) bool) *syntax {
		return &syntax{oid: syntaxPrefix + n, desc: desc, binary: true, valid: valid}
	}
	return []*syntax{
		octets("4", "Audio", any8),
		octets("5", "Binary", any8),
		human("6", "Bit String", bitForm.MatchString),
		human("7", "Boolean", func(v string) bool { return v == "TRUE" || v == "FALSE" }),
		octets("8", "Certificate", func(v string) bool { return strings.HasPrefix(v, "\x30") }),
		human("11", "Country String", countryForm.MatchString),
		human("12", "Distinguished Name", any8),
		human("14", "Delivery Method", directoryString),
		human("15", "Directory String", directoryString),
		human("22", "Facsimile Telephone Number", printableForm.MatchString),
		octets("23", "Fax", any8),
		human("24", "Generalized Time", func(v string) bool { _, err := parseTime(v); return err == nil }),
		human("25", "Guide", directoryString),
		human("26", "IA5 String", ascii),
		human("27", "Integer", integerForm.MatchString),
		octets("28", "JPEG", any8),
		human("34", "Name And Optional UID", any8),
		human("36", "Numeric String", numericForm.MatchString),
		human("38", "OID", oidForm.MatchString),
		octets("40", "Octet String", any8),
		human("41", "Postal Address", directoryString),
		human("44", "Printable String", printableForm.MatchString),
		human("50", "Telephone Number", printableForm.MatchString),
		human("51", "Teletex Terminal Identifier", printableForm.MatchString),
		human("52", "Telex Number", printableForm.MatchString),
		human("3", "Attribute Type Description", directoryString),
		human("30", "Matching Rule Description", directoryString),
		human("37", "Object Class Description", directoryString),
		human("54", "LDAP Syntax Description", directoryString),
		{oid: "1.3.6.1.1.16.1", desc: "UUID", valid: uuidForm.MatchString},
		{oid: "1.3.6.1.4.1.4203.666.11.2.1", desc: "CSN", valid: validCSN},
	}
}

// isDN tells whether values of the syntax are distinguished names.
func (s *syntax) isDN() bool { return s.oid == syntaxPrefix+"12" }

// isNameUID tells whether values are DNs with an optional bit string behind.
func (s *syntax) isNameUID() bool { return s.oid == syntaxPrefix+"34" }

func (s *syntax) isInteger() bool { return s.oid == syntaxPrefix+"27" }

// parseTime reads a GeneralizedTime as LDAP allows it (RFC 4517 §3.3.13).
// OpenLDAP's "000001010000Z", the mark of a disabled account, is valid syntax
// too: it gives the zero time.
func parseTime(v string) (time.Time, error) {
	m := timeForm.FindStringSubmatch(v)
	if m == nil {
		return time.Time{}, errSyntax
	}
	if m[1] == "0000" {
		return time.Time{}, nil
	}
	layout, text := "20060102150405", m[1]+m[2]+m[3]+m[4]+orZero(m[5])+orZero(m[6])
	t, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, errSyntax
	}
	if m[7] != "" {
		unit := time.Second
		switch {
		case m[5] == "":
			unit = time.Hour
		case m[6] == "":
			unit = time.Minute
		}
		frac, err := time.ParseDuration("0." + m[7] + "s")
		if err != nil {
			return time.Time{}, errSyntax
		}
		t = t.Add(frac * (unit / time.Second)) //nolint:durationcheck // a fraction of the unit: frac is in seconds
	}
	if m[8] != "Z" {
		zone := m[8]
		if len(zone) == 3 {
			zone += "00"
		}
		z, err := time.Parse("-0700", zone)
		if err != nil {
			return time.Time{}, errSyntax
		}
		_, offset := z.Zone()
		t = t.Add(-time.Duration(offset) * time.Second)
	}
	return t, nil
}

func orZero(s string) string {
	if s == "" {
		return "00"
	}
	return s
}

// formatTime writes a GeneralizedTime with seconds.
func formatTime(t time.Time) string { return t.UTC().Format("20060102150405Z") }

// formatMicros writes a GeneralizedTime with microseconds.
func formatMicros(t time.Time) string { return t.UTC().Format("20060102150405.000000Z") }
