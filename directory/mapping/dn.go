package mapping

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a DN. Real ones are far below.
const (
	maxDNLength = 8 << 10
	maxRDNs     = 128
	maxAVAs     = 32 // attribute value pairs of one RDN
)

// ErrBadDN is wrapped by every error of DNKey.
var ErrBadDN = errors.New("not a distinguished name")

// DNKey gives the normal form under which DNs are compared and stored: attribute
// names in lower case and by their short name, values decoded, folded to lower
// case (and to one Unicode form), runs of spaces collapsed, encoded again in one
// way, the parts of a multi-valued RDN sorted. Two spellings of one DN (case,
// spaces, "\," or "\2C" or quotes, ";" as separator, "#" with hexadecimal BER)
// give one key. The key is itself a DN of RFC 4514 in which every "," separates
// RDNs. The empty DN has the empty key. Errors wrap ErrBadDN.
func DNKey(dn string) (string, error) {
	if len(dn) > maxDNLength {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrBadDN, maxDNLength)
	}
	p := dnParser{in: dn}
	p.spaces()
	if p.done() {
		return "", nil
	}
	out := make([]byte, 0, len(dn)+8)
	for rdns := 0; ; rdns++ {
		if rdns == maxRDNs {
			return "", fmt.Errorf("%w: more than %d parts", ErrBadDN, maxRDNs)
		}
		var err error
		var last bool
		if out, last, err = p.rdn(out); err != nil {
			return "", err
		}
		if last {
			return string(out), nil
		}
		out = append(out, ',')
	}
}

// ParentKey is the key of the entry above, "" for a key of one RDN or none. Its
// argument must be a result of DNKey.
func ParentKey(key string) string {
	_, parent, _ := strings.Cut(key, ",")
	return parent
}

// Under tells whether key is base or below it. Both are results of DNKey; the
// empty base holds everything.
func Under(key, base string) bool {
	if base == "" || key == base {
		return true
	}
	return len(key) > len(base) && strings.HasSuffix(key, base) && key[len(key)-len(base)-1] == ','
}

// LooksLikeDN tells whether a name is spelled as a DN ("uid=jdoe,ou=people", or
// "cn=admin" alone): such a name is never looked up as a login name. A single part
// counts only with an attribute that usually names entries, since "=" may stand in
// a login name.
func LooksLikeDN(name string) bool {
	if !strings.Contains(name, "=") {
		return false
	}
	key, err := DNKey(name)
	if err != nil || key == "" {
		return false
	}
	if ParentKey(key) != "" {
		return true
	}
	attribute, _, _ := strings.Cut(key, "=")
	switch attribute {
	case "cn", "uid", "mail", "ou", "o", "dc", "sn", "c", "l", "st", "samaccountname", "userprincipalname", "entryuuid":
		return true
	}
	return false
}

// dnParser walks over one DN.
type dnParser struct {
	in  string
	pos int
	val []byte // decoded value of the pair being read
}

func (p *dnParser) done() bool { return p.pos >= len(p.in) }

func (p *dnParser) spaces() {
	for p.pos < len(p.in) && (p.in[p.pos] == ' ' || p.in[p.pos] == '\n' || p.in[p.pos] == '\r' || p.in[p.pos] == '\t') {
		p.pos++
	}
}

func (p *dnParser) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrBadDN, what, p.pos+1)
}

// rdn appends the normal form of the next RDN; last tells that the DN ends with it.
func (p *dnParser) rdn(out []byte) (_ []byte, last bool, _ error) {
	start := len(out)
	for pairs := 1; ; pairs++ {
		var sep byte
		var err error
		if out, sep, err = p.pair(out); err != nil {
			return nil, false, err
		}
		switch {
		case sep != '+':
			if pairs > 1 {
				out = sortPairs(out, start)
			}
			return out, sep == 0, nil
		case pairs == maxAVAs:
			return nil, false, p.fail("too many values in one part")
		}
		out = append(out, '+')
	}
}

// sortPairs orders the "+" separated pairs of the RDN that begins at start: no
// "+" stands unescaped inside an encoded value.
func sortPairs(out []byte, start int) []byte {
	pairs := strings.Split(string(out[start:]), "+")
	slices.Sort(pairs)
	return append(out[:start], strings.Join(pairs, "+")...)
}

// pair appends one "type=value" and gives the separator that followed: ',', '+'
// or 0 at the end.
func (p *dnParser) pair(out []byte) ([]byte, byte, error) {
	name, err := p.attribute()
	if err != nil {
		return nil, 0, err
	}
	out = append(append(out, name...), '=')
	for !p.done() && p.in[p.pos] == ' ' {
		p.pos++
	}
	p.val = p.val[:0]
	switch {
	case p.done():
	case p.in[p.pos] == '#':
		err = p.hexValue()
	case p.in[p.pos] == '"':
		err = p.quotedValue()
	default:
		err = p.plainValue()
	}
	if err != nil {
		return nil, 0, err
	}
	out = appendFolded(out, p.val)
	p.spaces()
	if p.done() {
		return out, 0, nil
	}
	sep := p.in[p.pos]
	if sep == ';' {
		sep = ','
	}
	if sep != ',' && sep != '+' {
		return nil, 0, p.fail("text after a value")
	}
	p.pos++
	return out, sep, nil
}

// attribute reads an attribute type up to "=" and gives its short lower-case name.
func (p *dnParser) attribute() (string, error) {
	p.spaces()
	start := p.pos
	for p.pos < len(p.in) && isNameByte(p.in[p.pos]) {
		p.pos++
	}
	name := p.in[start:p.pos]
	p.spaces()
	if name == "" || p.done() || p.in[p.pos] != '=' {
		return "", p.fail("no attribute name followed by '='")
	}
	p.pos++
	return shortName(lower(name)), nil
}

// lower is strings.ToLower for attribute names, without work where nothing is to do.
func lower(name string) string {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf {
			return strings.ToLower(name)
		}
	}
	return name
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

// shortName maps the long names and numbers of RFC 4519's naming attributes onto
// the short ones.
func shortName(name string) string {
	name = strings.TrimPrefix(name, "oid.")
	switch name {
	case "2.5.4.3", "commonname":
		return "cn"
	case "2.5.4.4", "surname":
		return "sn"
	case "2.5.4.6", "countryname":
		return "c"
	case "2.5.4.7", "localityname":
		return "l"
	case "2.5.4.8", "stateorprovincename":
		return "st"
	case "2.5.4.9", "streetaddress":
		return "street"
	case "2.5.4.10", "organizationname":
		return "o"
	case "2.5.4.11", "organizationalunitname":
		return "ou"
	case "0.9.2342.19200300.100.1.1", "userid":
		return "uid"
	case "0.9.2342.19200300.100.1.3", "rfc822mailbox":
		return "mail"
	case "0.9.2342.19200300.100.1.25", "domaincomponent":
		return "dc"
	}
	return name
}

// plainValue decodes an unquoted value up to its separator; unescaped spaces at
// the end do not belong to it.
func (p *dnParser) plainValue() error {
	keep := 0 // p.val[:keep] ends with a character that is no unescaped space
	for p.pos < len(p.in) {
		c := p.in[p.pos]
		switch c {
		case ',', '+', ';':
			p.val = p.val[:keep]
			return nil
		case '"', '<', '>', 0:
			return p.fail("unescaped special character")
		case '\\':
			b, err := p.escape()
			if err != nil {
				return err
			}
			p.val = append(p.val, b)
			keep = len(p.val)
			continue
		}
		p.val = append(p.val, c)
		p.pos++
		if c != ' ' {
			keep = len(p.val)
		}
	}
	p.val = p.val[:keep]
	return nil
}

// quotedValue decodes a value between quotes (RFC 2253 §4; some programs still
// write it).
func (p *dnParser) quotedValue() error {
	p.pos++
	for p.pos < len(p.in) {
		switch c := p.in[p.pos]; c {
		case '"':
			p.pos++
			return nil
		case '\\':
			b, err := p.escape()
			if err != nil {
				return err
			}
			p.val = append(p.val, b)
		default:
			p.val = append(p.val, c)
			p.pos++
		}
	}
	return p.fail("quote that is not closed")
}

// escape decodes "\," or "\2C" at the current position.
func (p *dnParser) escape() (byte, error) {
	rest := p.in[p.pos+1:]
	if len(rest) >= 2 {
		if hi, lo := unhex(rest[0]), unhex(rest[1]); hi >= 0 && lo >= 0 {
			p.pos += 3
			return byte(hi<<4 | lo), nil
		}
	}
	if rest != "" && strings.IndexByte(` "#+,;<=>\`, rest[0]) >= 0 {
		p.pos += 2
		return rest[0], nil
	}
	return 0, p.fail("bad escape")
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// hexValue decodes "#" and the hexadecimal BER of one string (RFC 4514 §2.4).
func (p *dnParser) hexValue() error {
	start := p.pos + 1
	end := start
	for end < len(p.in) && unhex(p.in[end]) >= 0 {
		end++
	}
	raw, err := hex.DecodeString(p.in[start:end])
	if err != nil || len(raw) < 2 {
		return p.fail("bad '#' value")
	}
	p.pos = end
	size, content := int(raw[1]), raw[2:]
	if raw[1] >= 0x80 { // length of the length; two bytes hold more than any DN
		n := int(raw[1] & 0x7f)
		if n == 0 || n > 2 || len(content) < n {
			return p.fail("bad '#' value")
		}
		size = 0
		for _, b := range content[:n] {
			size = size<<8 | int(b)
		}
		content = content[n:]
	}
	if size != len(content) {
		return p.fail("bad '#' value")
	}
	p.val = append(p.val, content...)
	return nil
}

// appendFolded appends a value in the key's one spelling.
func appendFolded(out, val []byte) []byte {
	for _, c := range val {
		if c >= utf8.RuneSelf {
			if utf8.Valid(val) {
				val = norm.NFKC.Bytes([]byte(strings.ToLower(norm.NFKC.String(string(val)))))
			}
			break
		}
	}
	start, pending := len(out), false
	for _, c := range val {
		switch {
		case c == ' ':
			pending = len(out) > start
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		if pending {
			out, pending = append(out, ' '), false
		}
		if c < ' ' || c == 0x7f || strings.IndexByte(`"+,;<>\`, c) >= 0 || c == '#' && len(out) == start {
			out = append(out, '\\', hexDigits[c>>4], hexDigits[c&15])
			continue
		}
		out = append(out, c)
	}
	return out
}

const hexDigits = "0123456789abcdef"
