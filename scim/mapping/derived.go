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

// derived names the attributes of an entry that hold what was made of other attributes because the client left them out:
// they are not shown. The extras say what was left out; when somebody has entered something else meanwhile, it is shown.
func derived(e *adapter.Entry, extras Extras) []string {
	noFormatted, noFamily := leftOut(extras)
	if e.Kind != adapter.KindPerson || !noFormatted && !noFamily {
		return nil
	}
	given, family, display := e.Attributes.First("given_name"), e.Attributes.First(familyName), e.Attributes.First("display_name")
	last, base := e.Name, e.Name
	if words := strings.Fields(display); len(words) > 0 {
		last, base = words[len(words)-1], display
	}
	var hidden []string
	if noFamily && family == last {
		hidden = append(hidden, familyName)
		family = ""
	}
	if given == "" && family == last {
		family = "" // as the directory's common name is made
	}
	if whole := strings.TrimSpace(given + " " + family); whole != "" {
		base = whole
	}
	if noFormatted && e.Attributes.First(commonName) == base {
		hidden = append(hidden, commonName)
	}
	return hidden
}

// leftOut tells which names the client did not give.
func leftOut(extras Extras) (formatted, family bool) {
	text := extras["name"]
	if len(text) == 0 {
		return false, false
	}
	name, err := resource.DecodeObject(text)
	if err != nil {
		return false, false
	}
	return name["formatted"] == "", name["familyName"] == ""
}
