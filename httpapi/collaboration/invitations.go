package collaboration

import (
	"net/http"
	"strconv"

	"portico/adapter"
	collab "portico/adapter/collaboration"
)

func (a *API) invite(x *call) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	in := collab.Bulk{
		ShortName: f.text("short_name"), Collaboration: f.text("collaboration_identifier"),
		Message: f.text("message"), Sender: f.text("sender_name"),
		Expires: f.date("invitation_expiry_date", "invitation_expiration_date"), MemberEnds: f.date("membership_expiry_date", "membership_expiration_date"),
		Groups: f.list("groups"),
	}
	var role any = ""
	if f.present("intended_role") {
		role = string(f.values["intended_role"])
	}
	if role == `"admin"` { // any other value is a member
		in.Role = collab.Admin
	}
	if f.fault != nil {
		return f.fault
	}
	if err := f.need("invites"); err != nil {
		return err
	}
	in.Emails = f.emails("invites")
	shape := f.fault
	if shape != nil {
		in.Emails = nil // which collaboration comes first; it is refused in any case
	}
	sent, err := a.adapter.Invite(x.Context(), x.caller, in)
	if err != nil {
		if shape != nil && adapter.KindOf(err) == adapter.Invalid && adapter.FieldOf(err) == "invites" {
			return shape
		}
		return err
	}
	return x.answer(http.StatusCreated, a.sent(x, sent))
}

func (a *API) sent(x *call, sent []collab.Sent) []byte {
	var b buffer
	wrapped := a.cfg.Envelope || x.URL.Query().Get("envelope") == "invitations"
	if wrapped {
		b.open('{')
		b.name("invitations")
	}
	b.open('[')
	for i := range sent {
		b.open('{')
		b.text("email", sent[i].Email)
		b.date("invitation_expiry_date", sent[i].Expires)
		b.text("status", sent[i].Status)
		b.text("invitation_id", sent[i].Identifier)
		if sent[i].Note != "" {
			b.text("note", sent[i].Note)
		}
		b.close('}')
	}
	b.close(']')
	if wrapped {
		b.close('}')
	}
	return b.bytes
}

func (a *API) invitationAnswer(x *call, status int, v *collab.InviteView, err error) error {
	if err != nil {
		return err
	}
	e := a.encoder()
	e.invitation(v)
	return x.answer(status, e.bytes)
}

func (a *API) invitation(x *call) error {
	v, err := a.adapter.Invitation(x.Context(), x.caller, x.identifier("invitation"))
	return a.invitationAnswer(x, http.StatusOK, v, err)
}

func (a *API) openInvitations(x *call) error {
	id := int64(0)
	if n, err := strconv.ParseInt(x.vars["co"], 10, 64); err == nil && n > 0 {
		id = n
	}
	list, err := a.adapter.Invitations(x.Context(), x.caller, x.identifier("co"), id)
	if err != nil {
		return err
	}
	e := a.encoder()
	e.open('[')
	for i := range list {
		e.invitation(&list[i])
	}
	e.close(']')
	return x.answer(http.StatusOK, e.bytes)
}

func (a *API) withdraw(x *call) error {
	if err := a.adapter.Withdraw(x.Context(), x.caller, x.identifier("invitation")); err != nil {
		return err
	}
	return x.answer(http.StatusNoContent, nil)
}

func (a *API) resend(x *call) error {
	v, err := a.adapter.Resend(x.Context(), x.caller, x.identifier("invitation"))
	return a.invitationAnswer(x, http.StatusCreated, v, err)
}

func (a *API) updateInvitation(x *call) error {
	f, err := object(x.body)
	if err != nil {
		return err
	}
	var change collab.InviteChange
	if f.present("intended_role") {
		role := f.text("intended_role")
		change.Role = &role
	}
	if f.present("groups") {
		groups := f.list("groups")
		change.Groups = &groups
	}
	if f.fault != nil {
		return f.fault
	}
	v, err := a.adapter.UpdateInvitation(x.Context(), x.caller, x.identifier("invitation"), change)
	return a.invitationAnswer(x, http.StatusCreated, v, err)
}

// token reads the one member of a request that answers an invitation.
func token(x *call) (string, error) {
	f, err := object(x.body)
	if err != nil {
		return "", err
	}
	text := f.text("token")
	if f.fault == nil && text == "" {
		return "", bad("token", "missing: token")
	}
	return text, f.fault
}

// accept answers for a person who signs in with the request, or is signed in to
// the pages.
func (a *API) accept(x *call) error {
	person, err := a.who(x)
	if err != nil {
		return err
	}
	text, err := token(x)
	if err != nil {
		return err
	}
	v, err := a.adapter.Accept(x.Context(), text, person.UID, x.client)
	return a.invitationAnswer(x, http.StatusOK, v, err)
}

// decline needs the token only.
func (a *API) decline(x *call) error {
	text, err := token(x)
	if err != nil {
		return err
	}
	if err := a.adapter.Decline(x.Context(), text, 0, x.client); err != nil {
		return err
	}
	return x.answer(http.StatusNoContent, nil)
}

// who finds the person: by user name and password (RFC 7617), or by the session
// of the pages. Whoever has a second factor needs an app password here.
func (a *API) who(x *call) (*adapter.Person, error) {
	nobody := &adapter.Error{Kind: adapter.Unauthenticated, Field: "person", Text: "sign in with user name and password"}
	username, password, ok := x.BasicAuth()
	if !ok {
		if a.sessions == nil || x.Header.Get("Authorization") != "" {
			return nil, nobody
		}
		person, err := a.sessions.SignedInPerson(x.Request)
		if err == nil && person == nil {
			err = nobody
		}
		return person, err
	}
	if username == "" || password == "" {
		return nil, nobody
	}
	result, err := a.people.CheckPassword(x.Context(), adapter.SignIn{
		Surface: adapter.SurfaceAPI, Client: x.client, Username: username, Password: password, AppPasswordOnly: true,
	})
	if err != nil {
		return nil, err
	}
	if !result.OK {
		return nil, nobody
	}
	return result.Person, nil
}
