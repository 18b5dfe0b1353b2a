package feed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"portico/directory"
	"portico/directory/mapping"
)

// maxRanges bounds the requests for one attribute: 1500 values each.
const maxRanges = 10_000

// whole maps an entry, after asking for the values that Active Directory holds
// back: it answers a long attribute in parts ("member;range=0-1499"). It gives nil
// for entries that are not ours or cannot be used.
func (f *follower) whole(ctx context.Context, from Directory, e *ldap.Entry) (*directory.Entry, error) {
	entry, err := f.m.Entry(e)
	if errors.Is(err, mapping.ErrRanged) {
		if err := fetchRanges(ctx, from, e); err != nil {
			return nil, err
		}
		entry, err = f.m.Entry(e)
	}
	return entry, f.unusable(err)
}

// fetchRanges completes all attributes of an entry that came in part.
func fetchRanges(ctx context.Context, from Directory, e *ldap.Entry) error {
	for _, a := range e.Attributes {
		name, last, part := splitRange(a.Name)
		for n := 0; part && last >= 0; n++ {
			if n == maxRanges {
				return fmt.Errorf("%s of %q does not end: %w", name, e.DN, directory.ErrIncomplete)
			}
			res, err := from.Search(ctx, ldap.NewSearchRequest(e.DN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
				"(objectClass=*)", []string{fmt.Sprintf("%s;range=%d-*", name, last+1)}, nil))
			if err != nil {
				return fmt.Errorf("read the rest of %s of %q: %w", name, e.DN, err)
			}
			before := last
			if last, err = appendRange(a, name, res); err != nil {
				return fmt.Errorf("%q: %w", e.DN, err)
			}
			if last >= 0 && last <= before {
				return fmt.Errorf("%s of %q does not go on: %w", name, e.DN, directory.ErrIncomplete)
			}
		}
		if part {
			a.Name = name
		}
	}
	return nil
}

// appendRange adds the values of an answer and gives its last place, -1 for the end.
func appendRange(a *ldap.EntryAttribute, name string, res *ldap.SearchResult) (int, error) {
	for _, e := range res.Entries {
		for _, more := range e.Attributes {
			if got, last, part := splitRange(more.Name); part && strings.EqualFold(got, name) {
				a.Values, a.ByteValues = append(a.Values, more.Values...), append(a.ByteValues, more.ByteValues...)
				return last, nil
			}
		}
	}
	return 0, fmt.Errorf("the rest of %s is missing: %w", name, directory.ErrIncomplete)
}

// splitRange takes "member;range=0-1499" apart: the name and the last place, -1
// for "-*".
func splitRange(text string) (name string, last int, ok bool) {
	name, option, found := strings.Cut(text, ";")
	rest, isRange := strings.CutPrefix(strings.ToLower(option), "range=")
	_, end, dash := strings.Cut(rest, "-")
	if !found || !isRange || !dash {
		return text, 0, false
	}
	if end == "*" {
		return name, -1, true
	}
	last, err := strconv.Atoi(end)
	return name, last, err == nil && last >= 0
}
