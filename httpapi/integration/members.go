package integration

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"portico/adapter"
)

// listMembers answers with the user names of the active members, or with their
// mail addresses by user name.
func (a *API) listMembers(c *call) error {
	emails := asked(c.form)
	if emails && !c.caller.Emails {
		return refusal{http.StatusNotImplemented, "Listing mail addresses is off on this server."}
	}
	list, err := a.adapter.Members(c.r.Context())
	if err != nil {
		return err
	}
	slot, build := &a.members, func() any { return usernames(list) }
	if emails {
		slot, build = &a.emails, func() any { return addresses(list) }
	}
	body, err := a.cached(slot, list, build)
	if err == nil {
		a.answer(c, body)
	}
	return err
}

// asked tells whether mail addresses are wanted.
func asked(f form) bool {
	value, ok := f.last("email")
	no := []string{"", "no", "false", "0", "off"}
	return ok && !slices.Contains(no, strings.ToLower(strings.TrimSpace(value)))
}

func usernames(list *adapter.MemberList) []string {
	names := make([]string, len(list.Members))
	for i, m := range list.Members {
		names[i] = m.Username
	}
	return names
}

func addresses(list *adapter.MemberList) object {
	o := make(object, len(list.Members))
	for i, m := range list.Members {
		o[i] = member{m.Username, m.Email}
	}
	return o
}

// object is a JSON object of texts in a given order; the first of a name counts.
type object []member

type member struct{ name, value string }

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	seen := make(map[string]bool, len(o))
	b.WriteByte('{')
	for _, m := range o {
		if seen[m.name] {
			continue
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[m.name] = true
		for i, text := range []string{m.name, m.value} {
			if i == 1 {
				b.WriteByte(':')
			}
			if err := e.Encode(text); err != nil {
				return nil, err
			}
			b.Truncate(b.Len() - 1) // its line end
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func roles(list []adapter.TeamRole) object {
	o := make(object, len(list))
	for i, r := range list {
		o[i] = member{r.Name, r.Title}
	}
	return o
}

// checkMember checks a member's password and answers with the member's data.
func (a *API) checkMember(c *call) error {
	username, ok := c.form.last("username")
	if !ok || strings.TrimSpace(username) == "" {
		return refusal{http.StatusBadRequest, "The field username is missing."}
	}
	c.about = username
	password, ok := c.form.last("password")
	if !ok || password == "" {
		return refusal{http.StatusBadRequest, "The field password is missing."}
	}
	found, err := a.adapter.CheckMember(c.r.Context(), adapter.MemberSignIn{
		Username: username, Password: password, Caller: c.caller.Caller, Client: c.client,
	})
	if err != nil {
		return err
	}
	p := found.Person
	out := struct {
		Username  string  `json:"username"`
		FirstName string  `json:"first_name"`
		LastName  string  `json:"last_name"`
		Email     string  `json:"email"`
		Birthday  *string `json:"birthday"`
		Teams     object  `json:"teams"`
	}{p.Username, p.GivenName, p.FamilyName, p.Email(), nil, roles(found.Teams)}
	if found.Birthday != "" {
		out.Birthday = &found.Birthday
	}
	body, err := encode(out)
	if err == nil {
		a.answer(c, body)
	}
	return err
}
