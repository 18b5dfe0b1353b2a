package configs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Limits of filters and DNs. Compiling a filter takes time quadratic in its
// nesting, so its text is measured first.
const (
	maxFilterLength = 4096
	maxFilterDepth  = 32
	maxDNLength     = 1024
)

// oneOf demands one of a few words.
func oneOf(key, value string, words ...string) check {
	text := fmt.Sprintf("%s is not one of %s", shown(value), strings.Join(words, ", "))
	if near := nearest(value, words); near != "" {
		text += "; did you mean " + near + "?"
	}
	return check{!slices.Contains(words, value), key, text}
}

// between demands a number in a range, both ends included.
func between(key string, n, low, high int) check { //nolint:unparam // reads better with both ends
	return check{n < low || n > high, key, fmt.Sprintf("%d is not from %d to %d", n, low, high)}
}

// sizeBetween demands a size in a range, both ends included.
func sizeBetween(key string, s, low, high Size) check { //nolint:unparam // reads better with both ends
	return check{s < low || s > high, key, fmt.Sprintf("%s is not from %s to %s", s, low, high)}
}

// timeBetween demands a time in a range, both ends included.
func timeBetween(key string, d, low, high time.Duration) check {
	return check{d < low || d > high, key, fmt.Sprintf("%s is not from %s to %s", spell(d), spell(low), spell(high))}
}

// spell writes a time as people do: 1h, not 1h0m0s.
func spell(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// duplicates adds a fault for each text that stands twice in a list, letter
// case aside. The text is not shown: it may be a URL with a password.
func (r *report) duplicates(key string, texts []string) {
	seen := make(map[string]int)
	for i, text := range texts {
		folded := strings.ToLower(text)
		if first, twice := seen[folded]; twice && text != "" {
			r.fault(key+"["+itoa(i)+"]", "stands in the list twice, first as number %d; remove one", first+1)
			continue
		}
		seen[folded] = i
	}
}

// file demands that a named file exists, and warns of a private one that
// everybody can read. What is in it is for the user of the file to judge.
func (r *report) file(key, path string, private bool) {
	if path == "" {
		return
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		r.fault(key, "%s: %s", shown(path), reason(err))
	case !info.Mode().IsRegular():
		r.fault(key, "%s: is not a regular file", shown(path))
	case private && worldReadable(path):
		r.warn(true, key, "%s: every user of this machine can read it; chmod 0600 it", shown(path))
	}
}

// dn checks a DN that may be empty, and gives it parsed; nil for none or a bad one.
func (r *report) dn(key, text string) *ldap.DN {
	if text == "" {
		return nil
	}
	var parsed *ldap.DN
	err := errors.New("too long")
	if len(text) <= maxDNLength {
		parsed, err = ldap.ParseDN(text)
	}
	if err != nil || len(parsed.RDNs) == 0 {
		r.fault(key, "%s is no DN; write attribute=value pairs from the entry up to the root, such as ou=people,dc=example,dc=org", shown(text))
		return nil
	}
	return parsed
}

// below demands a DN that is the base or lies below it.
func (r *report) below(key, text string, base *ldap.DN) {
	parsed := r.dn(key, text)
	if parsed == nil || base == nil || base.EqualFold(parsed) || base.AncestorOfFold(parsed) {
		return
	}
	r.fault(key, "%s is not below the directory's base_dn; nothing outside of that is read", shown(text))
}

// filterProblem says what is wrong with an LDAP filter, or "".
func filterProblem(filter string) string {
	const example = "; write it like (objectClass=person)"
	if len(filter) > maxFilterLength {
		return fmt.Sprintf("is longer than %d characters", maxFilterLength)
	}
	if nesting(filter) > maxFilterDepth {
		return fmt.Sprintf("is nested deeper than %d brackets", maxFilterDepth)
	}
	if strings.Contains(filter, "%s") || strings.Contains(filter, "{") {
		return shown(filter) + " has a placeholder; say only which entries count, Portico adds the login name by itself"
	}
	if _, err := ldap.CompileFilter(filter); err != nil {
		text := " is no LDAP filter"
		var ldapErr *ldap.Error
		if errors.As(err, &ldapErr) && ldapErr.Err != nil {
			text += " (" + strings.TrimPrefix(ldapErr.Err.Error(), "ldap: ") + ")"
		}
		return shown(filter) + text + example
	}
	return ""
}

// nesting counts how deep brackets open; an escaped bracket of a value has no
// bracket in its text (\28).
func nesting(filter string) int {
	depth, deepest := 0, 0
	for i := range len(filter) {
		switch filter[i] {
		case '(':
			depth++
			deepest = max(deepest, depth)
		case ')':
			depth--
		}
	}
	return deepest
}
