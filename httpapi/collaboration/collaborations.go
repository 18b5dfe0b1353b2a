package collaboration

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	collab "portico/adapter/collaboration"
)

func (a *API) create(x *call) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	var in collab.NewCollaboration
	if in.Logo, in.LogoAddress, err = collab.ReadLogo(f.text("logo")); err != nil {
		return err
	}
	if f.fault != nil {
		return f.fault
	}
	err = f.need("name", "description", "disable_join_requests", "disclose_member_information", "disclose_email_information", "administrators")
	if err != nil {
		return err
	}
	in.Name, in.Description = f.text("name"), f.text("description")
	in.NoRequests, in.ShowMembers = f.boolean("disable_join_requests"), f.boolean("disclose_member_information")
	in.ShowMail, in.Administrators = f.boolean("disclose_email_information"), f.list("administrators")
	in.ShortName, in.Administrator, in.Message = f.text("short_name"), f.text("administrator"), f.text("message")
	in.Tags, in.Units, in.Website = f.list("tags"), f.list("units"), f.text("website_url")
	in.Expires = f.date("expiry_date", "expiration_date")
	if f.fault != nil {
		return f.fault
	}
	v, err := a.adapter.Create(x.Context(), x.caller, in)
	if err != nil {
		return err
	}
	return x.answer(http.StatusCreated, a.summary(v))
}

// summary is the answer that shows neither memberships nor groups' members.
func (a *API) summary(v *collab.View) []byte {
	e := a.encoder()
	e.collaboration(v, v.Organisation)
	e.name("groups")
	e.open('[')
	for i := range v.Groups {
		e.groupHead(&v.Groups[i])
		e.close('}')
	}
	e.close(']')
	e.close('}')
	return e.bytes
}

func (a *API) get(x *call) error {
	v, err := a.adapter.Get(x.Context(), x.caller, x.identifier("co"))
	if err != nil {
		return err
	}
	e := a.encoder()
	e.collaboration(v, v.Organisation)
	e.full(v)
	return x.answer(http.StatusOK, e.bytes)
}

// identifier gives a UUID of the path as it is stored; what is none fits nothing.
func (x *call) identifier(name string) string {
	text := strings.ToLower(x.vars[name])
	if !uuidForm.MatchString(text) {
		return "none"
	}
	return text
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func (a *API) remove(x *call) error {
	if err := a.adapter.Delete(x.Context(), x.caller, x.identifier("co")); err != nil {
		return err
	}
	return x.answer(http.StatusNoContent, nil)
}

func (a *API) setRole(x *call) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	if err := f.need("uid", "role"); err != nil {
		return err
	}
	uid, role := f.uid(), f.text("role")
	if f.fault != nil {
		return f.fault
	}
	m, user, err := a.adapter.SetRole(x.Context(), x.caller, x.identifier("co"), uid, role)
	if err != nil {
		return err
	}
	e := a.encoder()
	e.membership(m, map[int64]collab.User{m.UID: *user})
	return x.answer(http.StatusCreated, e.bytes)
}

// uid reads the member "uid": a string, or a number where those are numbers.
func (f *fields) uid() string {
	var number json.Number
	if json.Unmarshal(f.values["uid"], &number) == nil && len(f.values["uid"]) > 0 && f.values["uid"][0] != '"' {
		return number.String()
	}
	return f.text("uid")
}

func (a *API) removeMember(x *call) error {
	if err := a.adapter.RemoveMember(x.Context(), x.caller, x.identifier("co"), x.vars["uid"]); err != nil {
		return err
	}
	return x.answer(http.StatusNoContent, nil)
}

func (a *API) setUnits(x *call) error {
	if err := strictJSON(x.body); err != nil {
		return bad("body", err.Error())
	}
	var names []string
	if json.Unmarshal(x.body, &names) != nil || names == nil {
		return bad("units", "the body must be an array of unit names")
	}
	v, err := a.adapter.SetUnits(x.Context(), x.caller, x.identifier("co"), names)
	if err != nil {
		return err
	}
	return x.answer(http.StatusCreated, a.summary(v))
}

// revive changes how long a collaboration lives: "expiry_date", where null and 0
// are never, and "status", which can only become "active".
func (a *API) revive(x *call) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	var change collab.Revival
	for name := range f.values {
		switch name {
		case "expiry_date", "expiration_date":
			ends := f.date("expiry_date", "expiration_date")
			change.Expires = &ends
		case "status":
			if f.text("status") != collab.Active {
				return bad("status", "status can only be set to active")
			}
			change.Reactivate = true
		default:
			return bad(name, "only expiry_date and status can be changed")
		}
	}
	if f.fault != nil {
		return f.fault
	}
	v, err := a.adapter.Revive(x.Context(), x.caller, x.identifier("co"), change)
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, a.summary(v))
}

func (a *API) organisation(x *call) error {
	query := x.URL.Query()
	f := collab.Filter{Units: words(query["units"]), Tags: words(query["tags"]), Services: words(query["services"])}
	for _, number := range []struct {
		name string
		to   *int
	}{{"offset", &f.Offset}, {"limit", &f.Limit}} {
		text := query.Get(number.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return bad(number.name, number.name+" must be a whole number")
		}
		*number.to = n
	}
	v, err := a.adapter.Organisation(x.Context(), x.caller, f)
	if err != nil {
		return err
	}
	e := a.encoder()
	e.plainly = true
	members := 0
	for i := range v.Collaborations {
		members += len(v.Collaborations[i].Memberships)
	}
	e.bytes = make([]byte, 0, 4096+1024*len(v.Collaborations)+700*members) // about what it takes
	e.organisation(v)
	return a.conditional(x, e.bytes)
}

// words reads comma-separated values.
func words(values []string) []string {
	var list []string
	for _, value := range values {
		for word := range strings.SplitSeq(value, ",") {
			if word = strings.TrimSpace(word); word != "" {
				list = append(list, word)
			}
		}
	}
	return list
}
