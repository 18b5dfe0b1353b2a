package resource

import (
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"

	"portico/scim/schema"
)

// Fold brings text into the form in which attributes without caseExact are compared: NFC, then the simple case folding
// of Unicode. Two texts that differ in letter case only have one form.
func Fold(text string) string {
	plain, lower := true, true
	for i := range len(text) {
		c := text[i]
		if c >= utf8.RuneSelf {
			plain = false
			break
		}
		if c >= 'A' && c <= 'Z' {
			lower = false
		}
	}
	switch {
	case plain && lower:
		return text
	case plain:
		return strings.ToLower(text)
	}
	return strings.Map(foldRune, norm.NFC.String(text))
}

// FoldName prepares a user name as RFC 7644 section 5 asks: width mapping, NFC, case folding.
func FoldName(text string) string {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return Fold(width.Fold.String(text))
		}
	}
	return Fold(text)
}

// foldRune picks one rune for each set of runes that differ in case only: a small letter where there is one, so that
// folded text has the order that the directories' read model sorts by.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	lower := unicode.ToLower(least)
	for next := unicode.SimpleFold(least); next != least; next = unicode.SimpleFold(next) {
		if next == lower {
			return lower
		}
	}
	return least
}

// Key gives the form of a text in which two values of the attribute are the same or not.
func Key(a *schema.Attribute, text string) string {
	switch {
	case a.CaseExact:
		return text
	case a.Name == "userName":
		return FoldName(text)
	}
	return Fold(text)
}

// ParseNumber reads a JSON number exactly. Numbers of absurd length or size are refused: to compare 1e999999999 exactly
// would take all memory.
func ParseNumber(text string) (*big.Rat, bool) {
	if len(text) > 400 {
		return nil, false
	}
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		exponent, err := strconv.Atoi(strings.TrimPrefix(text[at+1:], "+"))
		if err != nil || exponent > 400 || exponent < -400 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}
