package console

import (
	"net/http"

	"portico/adapter"
	"portico/internal/texts"
)

// InvitationPath is the page that accepts an invitation, below the prefix. The
// token is its parameter t.
const InvitationPath = "/account/invitation"

// invitationData is what the page shows.
type invitationData struct {
	Invitation *adapter.OpenInvitation
	Token      string
	Username   string
	Zone       string
	Zones      []string
	Done       *adapter.Accepted // after accepting
	Other      bool              // somebody else than the owner of the address is signed in
}

// zones are those that the page offers; the invitation may be accepted with any
// other by a program.
func zones() []string {
	return []string{
		"UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Argentina/Buenos_Aires",
		"America/Bogota", "America/Chicago", "America/Denver", "America/Halifax", "America/Los_Angeles", "America/Mexico_City",
		"America/New_York", "America/Sao_Paulo", "America/Toronto", "Asia/Bangkok", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Jakarta",
		"Asia/Jerusalem", "Asia/Karachi", "Asia/Kolkata", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo",
		"Australia/Perth", "Australia/Sydney", "Europe/Amsterdam", "Europe/Athens", "Europe/Berlin", "Europe/Brussels",
		"Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon", "Europe/London", "Europe/Madrid",
		"Europe/Moscow", "Europe/Paris", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich",
		"Pacific/Auckland", "Pacific/Honolulu",
	}
}

// gone is the page for a link that opens nothing (any more). It does not tell why.
func (c *Console) gone() *answer {
	a := page("error", view{Title: "page.invitation", Error: c.labels.get("invitation.gone")})
	a.status = http.StatusNotFound
	return a
}

// invitationPage shows an invitation. Whose entry is there already goes on to sign
// in; the token waits in the session.
func (c *Console) invitationPage(x *exchange) (*answer, error) {
	token := x.URL.Query().Get("t")
	return c.showInvitation(x, invitationData{Token: token}, "")
}

func (c *Console) showInvitation(x *exchange, data invitationData, fault string) (*answer, error) {
	if data.Token == "" || len(data.Token) > 200 {
		return c.gone(), nil
	}
	open, err := c.adapter.Invitation(x.Context(), data.Token)
	if err != nil {
		if adapter.KindOf(err) == adapter.NotFound {
			return c.gone(), nil
		}
		return nil, err
	}
	if open.Link {
		c.sessions.Put(x.Context(), keyInvitation, data.Token)
		c.limitStranger(x.Context())
		return to(c.path(InvitationPath + "/confirm")), nil
	}
	data.Invitation, data.Zones = open, zones()
	return page("invitation", view{Error: fault, Data: data}), nil
}

// invitationAccept takes what the person chose.
func (c *Console) invitationAccept(x *exchange) (*answer, error) {
	var in adapter.Acceptance
	for name, to := range map[string]*string{"token": &in.Token, "username": &in.Username, "timezone": &in.TimeZone} {
		var err error
		if *to, err = x.field(name); err != nil {
			return nil, err
		}
	}
	data := invitationData{Token: in.Token, Username: in.Username, Zone: in.TimeZone}
	if _, asked := x.PostForm["newpassword"]; asked {
		again, err := x.field("newpassword2")
		if err != nil {
			return nil, err
		}
		if in.Password, err = x.field("newpassword"); err != nil {
			return nil, err
		}
		if in.Password != again {
			return c.showInvitation(x, data, c.labels.message(texts.PasswordMismatch))
		}
	}
	done, err := c.adapter.AcceptInvitation(x.Context(), in, x.client)
	if err != nil {
		text, err := c.invitationRefusal(err)
		if err != nil {
			return nil, err
		}
		return c.showInvitation(x, data, text)
	}
	return page("invitation", view{Data: invitationData{Done: done}}), nil
}

// invitationRefusal says why an invitation was not accepted, or gives the error
// back.
func (c *Console) invitationRefusal(err error) (string, error) {
	switch kind, field := adapter.KindOf(err), adapter.FieldOf(err); {
	case kind == adapter.NotFound && field == "invitation":
		return c.labels.get("invitation.gone"), nil
	case kind == adapter.Conflict && field == "username":
		return c.labels.get("invitation.taken"), nil
	case kind == adapter.Conflict:
		return c.labels.get("invitation.busy"), nil
	case kind == adapter.Invalid && field == "username":
		return c.labels.get("invitation.badname"), nil
	case kind == adapter.Invalid && (field == "password" || field == adapter.FieldNewPassword):
		return c.passwordRefusal(err)
	case kind == adapter.Invalid, kind == adapter.Unauthenticated:
		return c.labels.get("error.form"), nil
	case kind == adapter.Unavailable:
		return c.labels.message(texts.DirectoryError), nil
	case kind == adapter.Denied:
		return c.labels.get("invitation.refused"), nil
	}
	return "", err
}

// confirmPage lets the owner of the entry confirm, once signed in.
func (c *Console) confirmPage(x *exchange) (*answer, error) {
	return c.showConfirm(x, "")
}

func (c *Console) showConfirm(x *exchange, fault string) (*answer, error) {
	token := c.sessions.GetString(x.Context(), keyInvitation)
	if token == "" {
		return c.gone(), nil
	}
	open, err := c.adapter.Invitation(x.Context(), token)
	if err != nil {
		if adapter.KindOf(err) == adapter.NotFound {
			return c.gone(), nil
		}
		return nil, err
	}
	return page("confirm", view{Title: "page.invitation", Error: fault, Data: invitationData{Invitation: open, Zones: zones()}}), nil
}

func (c *Console) confirmAccept(x *exchange) (*answer, error) {
	zone, err := x.field("timezone")
	if err != nil {
		return nil, err
	}
	done, err := c.adapter.AcceptInvitation(x.Context(), adapter.Acceptance{
		Token: c.sessions.GetString(x.Context(), keyInvitation), TimeZone: zone, SignedIn: x.person,
	}, x.client)
	switch {
	case err == nil:
		c.sessions.Remove(x.Context(), keyInvitation)
		return page("invitation", view{Data: invitationData{Done: done}}), nil
	case adapter.KindOf(err) == adapter.Denied && adapter.FieldOf(err) == "user":
		return c.showConfirm(x, c.labels.get("invitation.other"))
	}
	text, err := c.invitationRefusal(err)
	if err != nil {
		return nil, err
	}
	return c.showConfirm(x, text)
}
