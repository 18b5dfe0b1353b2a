package resource

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"portico/scim/fault"
)

// MaxDepth is how deep JSON may be nested.
const MaxDepth = 64

// Decode reads one JSON value strictly: UTF-8 throughout, nothing behind it, at most MaxDepth deep, no two members of an
// object whose names differ in letter case only, no lone surrogates, numbers kept as they are written. The error is a
// 400 invalidSyntax that names the place in bytes.
func Decode(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, fault.Bad(fault.InvalidSyntax, "the body is not UTF-8")
	}
	d := decoder{text: text}
	value, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.blanks(); d.at < len(d.text) {
		return nil, d.wrong("something follows the JSON value")
	}
	return value, nil
}

// DecodeObject reads a JSON object strictly; see Decode.
func DecodeObject(text []byte) (Object, error) {
	value, err := Decode(text)
	if err != nil {
		return nil, err
	}
	object, ok := value.(Object)
	if !ok {
		return nil, fault.Bad(fault.InvalidSyntax, "the body is not a JSON object")
	}
	return object, nil
}

// decoder walks over a text that is known to be UTF-8.
type decoder struct {
	text []byte
	at   int
}

func (d *decoder) wrong(what string) error {
	return fault.Bad(fault.InvalidSyntax, "byte %d: %s", d.at, what)
}

func (d *decoder) blanks() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

// peek gives the next byte behind blanks, 0 at the end.
func (d *decoder) peek() byte {
	if d.blanks(); d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

func (d *decoder) value(depth int) (any, error) {
	switch c := d.peek(); {
	case c == '{':
		return d.object(depth + 1)
	case c == '[':
		return d.list(depth + 1)
	case c == '"':
		return d.string()
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	case c == 't':
		return true, d.word("true")
	case c == 'f':
		return false, d.word("false")
	case c == 'n':
		return nil, d.word("null")
	case c == 0 && d.at >= len(d.text):
		return nil, d.wrong("the JSON ends too early")
	}
	return nil, d.wrong("not JSON")
}

func (d *decoder) word(word string) error {
	if !strings.HasPrefix(string(d.text[d.at:min(len(d.text), d.at+len(word))]), word) {
		return d.wrong("not JSON")
	}
	d.at += len(word)
	return nil
}

func (d *decoder) object(depth int) (Object, error) {
	if depth > MaxDepth {
		return nil, d.wrong("nested too deep")
	}
	d.at++
	object := Object{}
	if d.peek() == '}' {
		d.at++
		return object, nil
	}
	var names nameSet
	for {
		if d.peek() != '"' {
			return nil, d.wrong("want the name of a member")
		}
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		if !names.add(name) {
			return nil, d.wrong("the member " + strconv.Quote(fault.Clip(name)) + " is there twice")
		}
		if d.peek() != ':' {
			return nil, d.wrong("want a colon")
		}
		d.at++
		if object[name], err = d.value(depth); err != nil {
			return nil, err
		}
		switch d.peek() {
		case ',':
			d.at++
		case '}':
			d.at++
			return object, nil
		default:
			return nil, d.wrong("want a comma or the end of the object")
		}
	}
}

func (d *decoder) list(depth int) ([]any, error) {
	if depth > MaxDepth {
		return nil, d.wrong("nested too deep")
	}
	d.at++
	list := []any{}
	if d.peek() == ']' {
		d.at++
		return list, nil
	}
	for {
		value, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
		switch d.peek() {
		case ',':
			d.at++
		case ']':
			d.at++
			return list, nil
		default:
			return nil, d.wrong("want a comma or the end of the list")
		}
	}
}

func (d *decoder) string() (string, error) {
	end, text, ok := Unquote(d.text, d.at)
	if !ok {
		return "", d.wrong("not a JSON string")
	}
	d.at = end
	return text, nil
}

func (d *decoder) number() (any, error) {
	end := ScanNumber(d.text, d.at)
	if end < 0 {
		return nil, d.wrong("not a JSON number")
	}
	text := string(d.text[d.at:end])
	d.at = end
	return json.Number(text), nil
}

// nameSet notices names that are the same but for letter case.
type nameSet struct {
	few  []string
	many map[string]bool
}

func (s *nameSet) add(name string) bool {
	if s.many == nil {
		for _, other := range s.few {
			if strings.EqualFold(other, name) {
				return false
			}
		}
		if s.few = append(s.few, name); len(s.few) < 32 {
			return true
		}
		s.many = map[string]bool{}
		for _, other := range s.few {
			s.many[strings.Map(foldRune, other)] = true
		}
		return true
	}
	folded := strings.Map(foldRune, name)
	if s.many[folded] {
		return false
	}
	s.many[folded] = true
	return true
}

// Text is what JSON is read from.
type Text interface{ ~string | ~[]byte }

// ScanNumber gives the end of the JSON number that begins at a place of a text, -1 when there is none.
func ScanNumber[T Text](text T, at int) int {
	digits := func() bool {
		from := at
		for at < len(text) && text[at] >= '0' && text[at] <= '9' {
			at++
		}
		return at > from
	}
	if at < len(text) && text[at] == '-' {
		at++
	}
	if at < len(text) && text[at] == '0' {
		at++
	} else if !digits() {
		return -1
	}
	if at < len(text) && text[at] == '.' {
		if at++; !digits() {
			return -1
		}
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		if !digits() {
			return -1
		}
	}
	if at < len(text) && (text[at] >= '0' && text[at] <= '9') {
		return -1 // a leading zero
	}
	return at
}

// Unquote decodes the JSON string that begins with the quotation mark at a place of a text, and gives the place behind
// it. Lone surrogates and control characters are no JSON here.
func Unquote[T Text](text T, at int) (end int, decoded string, ok bool) {
	at++
	from := at
	for at < len(text) && text[at] != '"' && text[at] != '\\' && text[at] >= 0x20 {
		at++
	}
	if at < len(text) && text[at] == '"' {
		return at + 1, string(text[from:at]), true
	}
	buffer := append([]byte(nil), text[from:at]...)
	for at < len(text) {
		switch c := text[at]; {
		case c == '"':
			return at + 1, string(buffer), true
		case c < 0x20:
			return at, "", false
		case c != '\\':
			buffer = append(buffer, c)
			at++
		default:
			r, next := escape(text, at)
			if next < 0 {
				return at, "", false
			}
			buffer = utf8.AppendRune(buffer, r)
			at = next
		}
	}
	return at, "", false
}

// escape decodes the escape that begins with the backslash at a place.
func escape[T Text](text T, at int) (rune, int) {
	if at+1 >= len(text) {
		return 0, -1
	}
	if c := text[at+1]; c != 'u' {
		const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		which := strings.IndexByte(from, c)
		if which < 0 {
			return 0, -1
		}
		return rune(to[which]), at + 2
	}
	r := hex4(text, at+2)
	if r < 0 || !utf16.IsSurrogate(r) {
		return r, pick(r < 0, -1, at+6)
	}
	if at+7 >= len(text) || text[at+6] != '\\' || text[at+7] != 'u' {
		return 0, -1
	}
	pair := utf16.DecodeRune(r, hex4(text, at+8))
	return pair, pick(pair == utf8.RuneError, -1, at+12)
}

func pick(first bool, a, b int) int {
	if first {
		return a
	}
	return b
}

func hex4[T Text](text T, at int) rune {
	if at+4 > len(text) {
		return -1
	}
	n, err := strconv.ParseUint(string(text[at:at+4]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
