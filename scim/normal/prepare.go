package normal

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"portico/scim/resource"
	"portico/scim/schema"
)

// prepare readies names and passwords as RFC 7644 section 5 asks, along the lines of RFC 8265: a name holds nothing that
// cannot be seen, and keeps its form, as it is prepared again for each comparison; a password is composed and has plain
// blanks, so that it can be typed on any keyboard.
func prepare(path schema.Path, a *schema.Attribute, text string) (any, error) {
	if path.Extension != "" || path.Sub != nil {
		return text, nil
	}
	switch a.Name {
	case "userName":
		if strings.ContainsFunc(text, invisible) {
			return nil, wrong(path, "text without control and invisible characters")
		}
		if strings.TrimSpace(resource.FoldName(text)) == "" {
			return nil, wrong(path, "a name that can be seen")
		}
	case "password":
		if strings.ContainsFunc(text, unicode.IsControl) {
			return nil, wrong(path, "text without control characters")
		}
		return norm.NFC.String(strings.Map(plainBlank, text)), nil
	}
	return text, nil
}

// invisible tells whether a character cannot be seen: controls, formats such as a blank of no width, private ones.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r&0xFFFE == 0xFFFE
}

func plainBlank(r rune) rune {
	if unicode.Is(unicode.Zs, r) {
		return ' '
	}
	return r
}
