package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold makes text comparable without regard to letter case: composed (NFC), then
// every letter replaced by one that stands for all letters that Unicode's simple
// folding makes equal to it, a lower-case one where there is one. Unlike FoldName
// it leaves space alone; names that FoldName makes equal are equal after Fold of both.
func Fold(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return strings.Map(foldRune, norm.NFC.String(s))
}

// foldRune gives the letter that stands for all that fold together.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if lower := unicode.ToLower(least); lower == least || foldsTo(least, lower) {
		return lower
	}
	return least
}

func foldsTo(r, other rune) bool {
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		if next == other {
			return true
		}
	}
	return false
}
