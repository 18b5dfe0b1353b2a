package action

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"portico/adapter"
)

// Searches: the shortest text that is looked for, in characters, and the most hits.
const (
	minUserSearch  = 3
	minGroupSearch = 2
	maxHits        = 10
)

func userExists(a *API, c *call) error {
	exists, err := a.adapter.PersonExists(c.ctx, c.person())
	if err != nil {
		return err
	}
	c.okBool("exists", exists)
	return nil
}

func userInfo(a *API, c *call) error {
	p, err := a.adapter.Person(c.ctx, c.person())
	if err != nil {
		return err
	}
	out := append(c.out, `{"status":"OK","data":{"uid":`...)
	out = appendID(out, p.UID)
	out = append(out, `,"username":`...)
	out = appendString(out, p.Username)
	out = append(out, `,"name":`...)
	out = appendString(out, p.Name)
	out = append(out, `,"email":`...)
	out = appendEmail(out, p)
	out = append(out, `,"phone":{"1":`...)
	out = appendString(out, p.Phone)
	out = append(out, `,"2":`...)
	out = appendString(out, p.Mobile)
	out = append(out, `},"pin":`...)
	out = strconv.AppendBool(out, p.HasPIN)
	c.out = append(out, "}}"...)
	return nil
}

// appendEmail writes the primary address, or null.
func appendEmail(out []byte, p *adapter.Person) []byte {
	if email := p.Email(); email != "" {
		return appendString(out, email)
	}
	return append(out, "null"...)
}

// tooShort tells whether a search finds nothing by rule.
func tooShort(text string, shortest int) bool {
	return utf8.RuneCountInString(text) < shortest || strings.TrimSpace(text) == ""
}

func userSearch(a *API, c *call) error {
	var found []*adapter.Person
	if text := c.text("search"); !tooShort(text, minUserSearch) {
		var err error
		if found, err = a.adapter.SearchPeople(c.ctx, text, maxHits); err != nil {
			return err
		}
	}
	c.ok()
	list(c, "result", found, func(out []byte, p *adapter.Person) []byte {
		out = append(out, `{"uid":`...)
		out = appendID(out, p.UID)
		out = append(out, `,"username":`...)
		out = appendString(out, p.Username)
		out = append(out, `,"name":`...)
		out = appendString(out, p.Name)
		return append(out, '}')
	})
	c.close()
	return nil
}
