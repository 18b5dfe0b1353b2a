package action

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a parameter was sent as.
type kind uint8

const (
	kindAbsent kind = iota // not sent, or JSON null
	kindText               // form, query, path, or a JSON string
	kindNumber             // JSON number, as written
	kindTrue               // JSON true
	kindFalse              // JSON false
	kindEmptyList
	kindList // JSON array or object, or a form name with brackets
)

// param is one parameter as it was sent.
type param struct {
	name  string
	value string // text, or the digits of a number
	kind  kind
}

// params are all parameters of a request, the ones that win last.
type params []param

// maxParams bounds what one request may bring.
const maxParams = 1000

// get gives the parameter that wins, or an absent one.
func (p params) get(name string) param {
	for _, v := range slices.Backward(p) {
		if v.name == name {
			return v
		}
	}
	return param{}
}

// missing is the rule for "not given": absent, "", "0", 0, false, null, [].
func (p param) missing() bool {
	switch p.kind {
	case kindAbsent, kindFalse, kindEmptyList:
		return true
	case kindText:
		return p.value == "" || p.value == "0"
	case kindNumber:
		f, err := strconv.ParseFloat(p.value, 64)
		return err == nil && f == 0
	}
	return false
}

// scalar tells whether the parameter can stand for a text. JSON numbers do, as
// they were written; booleans, arrays and objects do not.
func (p param) scalar() bool { return p.kind == kindText || p.kind == kindNumber }

// number reads a number or numeric text: white space, sign, digits, fraction,
// exponent. Fractions are cut off; what no id can be becomes -1 (see uid).
func (p param) number() (float64, bool) {
	if !p.scalar() {
		return 0, false
	}
	s := strings.TrimLeft(p.value, " \t\n\r\v\f")
	if !numeric(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// numeric tells whether s is [+-] digits [. digits] [e [+-] digits], with at least
// one digit before the exponent.
func numeric(s string) bool {
	i, digits := 0, 0
	skip := func() {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
			digits++
		}
	}
	sign := func() {
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
	}
	sign()
	skip()
	if i < len(s) && s[i] == '.' {
		i++
		skip()
	}
	if digits == 0 {
		return false
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		sign()
		digits = 0
		skip()
		if digits == 0 {
			return false
		}
	}
	return i == len(s)
}

// maxID is the largest id that clients can keep.
const maxID = math.MaxInt32

// nobody is the id that no person and no group has.
const nobody = -1

// id reads the number as an id; numbers that no id can be are nobody.
func (p param) id() int64 {
	f, ok := p.number()
	if f = math.Trunc(f); !ok || f < 1 || f > maxID {
		return nobody
	}
	return int64(f)
}

// cleanText makes a value fit for every store and directory: bytes that are not
// UTF-8 and NUL become U+FFFD, which is in no name, so that such a value finds
// nobody instead of causing an error further in.
func cleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// add appends a parameter; errTooMany when there are too many.
func (p *params) add(name, value string, k kind) error {
	if len(*p) >= maxParams {
		return errTooMany
	}
	*p = append(*p, param{name: name, value: cleanText(value), kind: k})
	return nil
}
