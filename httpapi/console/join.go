package console

import (
	"context"
	"net/http"
	"strings"

	"portico/adapter"
	"portico/adapter/collaboration"
	"portico/internal/texts"
)

// Collaborations answers the invitations and requests that came by mail. Who
// holds the token of a mail may look; a GET changes nothing, as programs that
// scan mail follow every link.
type Collaborations interface { //nolint:interfacebloat // three answers to two kinds of mail
	ByToken(ctx context.Context, token string) (*collaboration.InviteView, error)
	Accept(ctx context.Context, token string, uid int64, client adapter.Client) (*collaboration.InviteView, error)
	SignUp(ctx context.Context, in collaboration.SignUp, client adapter.Client) (*collaboration.InviteView, *adapter.Person, error)
	Decline(ctx context.Context, token string, uid int64, client adapter.Client) error
	RequestByToken(ctx context.Context, token string) (*collaboration.RequestView, error)
	AnswerRequest(ctx context.Context, token string, approve bool, reason string, client adapter.Client) error
}

// joinPath is the page of an invitation.
const joinPath = "/account/join"

// joinData is what the page of an invitation shows.
type joinData struct {
	Invite  *collaboration.InviteView
	Token   string
	Inviter string
	Done    string               // what has become of it, "" while it is open
	Decline bool                 // the link was the one to decline
	Form    collaboration.SignUp // what a stranger typed, without passwords
}

// tokenOf gives the token of the address, or the one that waits in the session
// since before the sign-in.
func (c *Console) tokenOf(x *exchange) string {
	if token := x.URL.Query().Get("token"); token != "" {
		return token
	}
	return c.sessions.GetString(x.Context(), keyJoin)
}

func (c *Console) joinPage(x *exchange) (*answer, error) {
	if c.collabs == nil {
		return nil, errNotFound
	}
	return c.showJoin(x, collaboration.SignUp{Token: c.tokenOf(x)}, "")
}

func (c *Console) showJoin(x *exchange, form collaboration.SignUp, fault string) (*answer, error) {
	v, err := c.collabs.ByToken(x.Context(), form.Token)
	if err != nil {
		return c.joinOver(err)
	}
	if x.person, err = c.signedIn(x.Context()); err != nil {
		return nil, err
	}
	inviter := v.Inviter
	for _, other := range []string{v.Sender, v.OrgTitle} {
		if inviter == "" {
			inviter = other
		}
	}
	if v.Begun {
		form.Username = v.SignUpName
	}
	return page("join", view{Title: "page.join", Error: fault, Data: joinData{
		Invite: v, Token: form.Token, Inviter: inviter, Decline: strings.HasSuffix(x.URL.Path, "/decline"), Form: form,
	}}), nil
}

// joinOver tells that an invitation cannot be answered.
func (c *Console) joinOver(err error) (*answer, error) {
	if adapter.KindOf(err) != adapter.Conflict {
		return nil, err
	}
	a := page("join", view{Title: "page.join", Error: c.labels.get("join.over"), Data: joinData{}})
	a.status = http.StatusConflict
	return a, nil
}

// joinAccept makes who is signed in a member; a stranger signs in first and
// comes back.
func (c *Console) joinAccept(x *exchange) (*answer, error) {
	token, err := c.posted(x)
	if err != nil {
		return nil, err
	}
	person, err := c.signedIn(x.Context())
	if err != nil {
		return nil, err
	}
	if person == nil {
		if _, err := c.collabs.ByToken(x.Context(), token); err != nil {
			return c.joinOver(err)
		}
		c.limitStranger(x.Context())
		c.sessions.Put(x.Context(), keyJoin, token)
		return to(c.path("/account/signin?to=join")), nil
	}
	x.person = person
	v, err := c.collabs.Accept(x.Context(), token, person.UID, x.client)
	c.sessions.Remove(x.Context(), keyJoin)
	if err != nil {
		return c.joinOver(err)
	}
	return page("join", view{Title: "page.join", Notice: c.labels.get("join.accepted", "name", v.Collaboration.Name), Data: joinData{Done: "accepted"}}), nil
}

// joinSignUp makes an account for a stranger, who becomes a member with it.
func (c *Console) joinSignUp(x *exchange) (*answer, error) {
	token, err := c.posted(x)
	if err != nil {
		return nil, err
	}
	in := collaboration.SignUp{Token: token}
	var again string
	for name, to := range map[string]*string{
		"username": &in.Username, "newpassword": &in.Password, "newpassword2": &again, "givenname": &in.GivenName, "familyname": &in.FamilyName,
	} {
		if *to, err = x.field(name); err != nil {
			return nil, err
		}
	}
	shown := in
	shown.Password = ""
	if in.Password != again {
		return c.showJoin(x, shown, c.labels.message(texts.PasswordMismatch))
	}
	v, person, err := c.collabs.SignUp(x.Context(), in, x.client)
	if err == nil {
		text := c.labels.get("join.signedup", "name", v.Collaboration.Name, "username", person.Username)
		return page("join", view{Title: "page.join", Notice: text, Data: joinData{Done: "signed up"}}), nil
	}
	if adapter.KindOf(err) == adapter.Conflict && (adapter.FieldOf(err) == "invitation" || adapter.FieldOf(err) == "collaboration") {
		return c.joinOver(err)
	}
	text, err := c.signUpRefusal(err)
	if err != nil {
		return nil, err
	}
	return c.showJoin(x, shown, text)
}

// signUpRefusal says why no account was made, or gives the error back.
func (c *Console) signUpRefusal(err error) (string, error) {
	switch kind, field := adapter.KindOf(err), adapter.FieldOf(err); {
	case kind == adapter.Conflict && field == "mail", kind == adapter.Denied && field == "signup":
		return c.labels.get("join.known"), nil
	case kind == adapter.Invalid && (field == "given_name" || field == "family_name"):
		return c.labels.get("join.names"), nil
	case kind == adapter.NotFound && field == "invitation":
		return "", err
	}
	return c.invitationRefusal(err)
}

// posted reads the token of a form.
func (c *Console) posted(x *exchange) (string, error) {
	if c.collabs == nil {
		return "", errNotFound
	}
	return x.field("token")
}

func (c *Console) joinDecline(x *exchange) (*answer, error) {
	token, err := c.posted(x)
	if err != nil {
		return nil, err
	}
	if x.person, err = c.signedIn(x.Context()); err != nil {
		return nil, err
	}
	uid := int64(0)
	if x.person != nil {
		uid = x.person.UID
	}
	if err := c.collabs.Decline(x.Context(), token, uid, x.client); err != nil {
		return c.joinOver(err)
	}
	c.sessions.Remove(x.Context(), keyJoin)
	return to(c.path(joinPath + "/done")), nil
}

func (c *Console) joinDone(x *exchange) (*answer, error) {
	return page("join", view{Title: "page.join", Notice: c.labels.get("join.declined"), Data: joinData{Done: "declined"}}), nil
}

// connectionData is what the page of a connection request shows.
type connectionData struct {
	Request *collaboration.RequestView
	Token   string
}

func (c *Console) connectionPage(x *exchange) (*answer, error) {
	if c.collabs == nil {
		return nil, errNotFound
	}
	token := x.URL.Query().Get("token")
	v, err := c.collabs.RequestByToken(x.Context(), token)
	if err != nil {
		return c.connectionOver(err)
	}
	return page("connection", view{Title: "page.connection", Data: connectionData{Request: v, Token: token}}), nil
}

func (c *Console) connectionOver(err error) (*answer, error) {
	if adapter.KindOf(err) != adapter.Conflict {
		return nil, err
	}
	a := page("connection", view{Title: "page.connection", Error: c.labels.get("connection.over"), Data: connectionData{}})
	a.status = http.StatusConflict
	return a, nil
}

func (c *Console) connectionAnswer(x *exchange) (*answer, error) {
	token, err := c.posted(x)
	if err != nil {
		return nil, err
	}
	reason, err := x.field("reason")
	if err != nil {
		return nil, err
	}
	decision, err := x.field("answer")
	if err != nil || decision != "approve" && decision != "deny" {
		return nil, errBadForm
	}
	if err := c.collabs.AnswerRequest(x.Context(), token, decision == "approve", strings.TrimSpace(reason), x.client); err != nil {
		return c.connectionOver(err)
	}
	label := "connection.denied"
	if decision == "approve" {
		label = "connection.approved"
	}
	return page("connection", view{Title: "page.connection", Notice: c.labels.get(label), Data: connectionData{}}), nil
}

// SignedInPerson tells who is signed in to the pages with the cookie of a request
// to an API, nil for nobody. A request from another site is nobody's.
func (c *Console) SignedInPerson(r *http.Request) (*adapter.Person, error) {
	if err := c.cross.Check(r); err != nil {
		return nil, nil //nolint:nilerr // as good as nobody
	}
	cookie, err := r.Cookie(c.sessions.Cookie.Name)
	if err != nil || len(cookie.Value) > 128 {
		return nil, nil //nolint:nilerr // no session
	}
	ctx, err := c.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return nil, err
	}
	return c.signedIn(ctx)
}
