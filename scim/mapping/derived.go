package mapping

import (
	"strings"

	"portico/adapter"
	"portico/scim/resource"
)

// The attributes that directories demand of people and that are made of others when nobody gave them.
const (
	commonName = "common_name"
	familyName = "family_name"
)

// derived names the attributes of an entry that hold what was made of other attributes: nobody entered them, and they are
// not shown. A family name is one when it is what would have been made of the name that there is, and the common name as
// well. A common name that is put together from given and family name is shown unless the extras say that the client
// left it out.
func derived(e *adapter.Entry, extras Extras) []string {
	common := e.Attributes.First(commonName)
	if e.Kind != adapter.KindPerson || common == "" {
		return nil
	}
	given, family, display := e.Attributes.First("given_name"), e.Attributes.First(familyName), e.Attributes.First("display_name")
	base := display
	if base == "" {
		base = e.Name
	}
	if words := strings.Fields(base); given == "" && common == base && len(words) > 0 {
		last := e.Name
		if display != "" {
			last = words[len(words)-1]
		}
		if family == last {
			return []string{commonName, familyName}
		}
	}
	whole := strings.TrimSpace(given + " " + family)
	if common == whole && leftOut(extras) || whole == "" && common == base {
		return []string{commonName}
	}
	return nil
}

// leftOut tells whether the extras say that the client gave no name.formatted.
func leftOut(extras Extras) bool {
	text := extras["name"]
	if len(text) == 0 {
		return false
	}
	name, err := resource.DecodeObject(text)
	if err != nil {
		return false
	}
	value, there := name["formatted"]
	return there && value == ""
}
