package console

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"portico/adapter"
	"portico/internal/texts"
)

// The kinds of sign-in and their steps. The first step is the empty one.
const (
	flowApp     = "app"
	flowAccount = "account"

	stepName     = ""
	stepPassword = "password"
	stepCode     = "code"
	stepChange   = "change" // the password must be changed first
)

// signinData is what the sign-in page shows.
type signinData struct {
	Step     string
	Name     string
	AppName  string
	AppIcon  string
	Restart  string // address that begins anew; "" on the first step
	ByPost   bool   // Restart wants a POST
	MinWords string
}

// outcome is what a step came to: done, or a text to show with the next step.
type outcome struct {
	done  bool
	alert bool
	uid   int64
	text  string // why not
	info  string
}

// step does one step of a sign-in with what was typed, and moves on in the
// session. Whether an account exists shows in no step before the password.
func (c *Console) step(x *exchange) (outcome, error) {
	ctx := x.Context()
	switch c.sessions.GetString(ctx, keyFlowStep) {
	case stepPassword:
		return c.passwordStep(x)
	case stepCode:
		return c.codeStep(x)
	case stepChange:
		return c.changeStep(x)
	default:
		name, err := x.field("username")
		if err != nil {
			return outcome{}, err
		}
		if name = strings.TrimSpace(name); name == "" {
			return outcome{text: c.labels.get("signin.noname")}, nil
		}
		c.sessions.Put(ctx, keyFlowName, name)
		c.sessions.Put(ctx, keyFlowStep, stepPassword)
		return outcome{}, nil
	}
}

func (c *Console) passwordStep(x *exchange) (outcome, error) {
	ctx := x.Context()
	password, err := x.field("password")
	if err != nil {
		return outcome{}, err
	}
	if password == "" {
		return outcome{text: c.labels.get("signin.nopassword")}, nil
	}
	result, err := c.adapter.CheckPassword(ctx, adapter.SignIn{
		Surface: adapter.SurfacePortal, Client: x.client,
		Username: c.sessions.GetString(ctx, keyFlowName), Password: password,
	})
	if err != nil {
		return c.hindered(err)
	}
	c.noteEpoch(ctx, result)
	switch {
	case result.OK:
		return outcome{done: true, alert: result.Alert, uid: result.Person.UID}, nil
	case result.NeedsCode:
		return outcome{}, c.moveOn(ctx, stepCode, result.Person.UID)
	case result.AppPassword:
		return outcome{text: c.labels.message(texts.NoAppPasswords)}, nil
	case !result.PasswordRight:
		return outcome{text: c.labels.message(texts.PasswordIncorrect)}, nil
	case result.Status == adapter.StatusChangePassword && result.Person.HasTOTP:
		return outcome{}, c.moveOn(ctx, stepCode, result.Person.UID)
	case result.Status == adapter.StatusChangePassword:
		return outcome{}, c.moveOn(ctx, stepChange, result.Person.UID)
	}
	c.clearFlow(ctx)
	return outcome{text: c.statusText(result.Status)}, nil
}

// noteEpoch notes that the person was looked at before anything that closes the
// account from now on.
func (c *Console) noteEpoch(ctx context.Context, result *adapter.SignInResult) {
	if result.Person != nil && result.PasswordRight {
		c.sessions.Put(ctx, keyEpoch, strconv.FormatInt(result.Person.Epoch, 10))
	}
}

func (c *Console) statusText(s adapter.Status) string {
	switch s {
	case adapter.StatusLocked:
		return c.labels.message(texts.Locked)
	case adapter.StatusTerminated:
		return c.labels.message(texts.Terminated)
	case adapter.StatusChangePassword:
		return c.labels.message(texts.Expired)
	default:
		return c.labels.message(texts.StateError)
	}
}

// moveOn goes to a step that only somebody with the right password sees: under a
// new token.
func (c *Console) moveOn(ctx context.Context, step string, uid int64) error {
	c.sessions.Put(ctx, keyFlowStep, step)
	c.sessions.Put(ctx, keyFlowUID, strconv.FormatInt(uid, 10))
	return c.renew(ctx)
}

// renew gives the session a new token.
func (c *Console) renew(ctx context.Context) error {
	if err := c.sessions.RenewToken(ctx); err != nil {
		return err
	}
	c.limitStranger(ctx)
	if began := c.number(ctx, keyBegan); began != 0 {
		c.sessions.SetDeadline(ctx, time.Unix(began, 0).Add(c.cfg.MaxAge).UTC())
	}
	return nil
}

func (c *Console) codeStep(x *exchange) (outcome, error) {
	ctx := x.Context()
	code, err := x.field("totp")
	if err != nil {
		return outcome{}, err
	}
	uid := c.number(ctx, keyFlowUID)
	right, err := c.adapter.CheckTOTP(ctx, adapter.ByUID(uid), noBlanks(code), x.client)
	if err != nil {
		return c.hindered(err)
	}
	if !right {
		return outcome{text: c.labels.message(texts.LoginCodeIncorrect)}, nil
	}
	status, err := c.adapter.AccountStatus(ctx, adapter.ByUID(uid))
	switch {
	case err != nil:
		return c.hindered(err)
	case status == adapter.StatusChangePassword:
		c.sessions.Put(ctx, keyFlowCoded, "1")
		return outcome{}, c.moveOn(ctx, stepChange, uid)
	case !status.MaySignIn():
		c.clearFlow(ctx)
		return outcome{text: c.statusText(status)}, nil
	}
	return outcome{done: true, alert: status == adapter.StatusAlert, uid: uid}, nil
}

func noBlanks(code string) string { return strings.ReplaceAll(code, " ", "") }

// changeStep changes the password and then signs in with the new one.
func (c *Console) changeStep(x *exchange) (outcome, error) {
	ctx := x.Context()
	uid := c.number(ctx, keyFlowUID)
	changed, text, err := c.changePassword(x, adapter.ByUID(uid))
	if err != nil || !changed {
		return outcome{text: text}, err
	}
	newPassword, err := x.field("newpassword")
	if err != nil {
		return outcome{}, err
	}
	result, err := c.adapter.CheckPassword(ctx, adapter.SignIn{
		Surface: adapter.SurfacePortal, Client: x.client,
		Username: c.sessions.GetString(ctx, keyFlowName), Password: newPassword,
	})
	if err == nil {
		c.noteEpoch(ctx, result)
	}
	if err == nil && (result.OK || result.NeedsCode && c.sessions.GetString(ctx, keyFlowCoded) != "") {
		return outcome{done: true, alert: result.Alert, uid: uid}, nil
	}
	// Changed, but not in: begin with the new password.
	c.clearFlow(ctx)
	return outcome{info: c.labels.get("password.changed.signin")}, nil
}

// changePassword reads the three fields, changes the password and gives this
// session a new token: all others have ended. text says why it was not changed.
func (c *Console) changePassword(x *exchange, key adapter.PersonKey) (changed bool, text string, err error) {
	var values [3]string
	for i, name := range [...]string{"oldpassword", "newpassword", "newpassword2"} {
		if values[i], err = x.field(name); err != nil {
			return false, "", err
		}
	}
	switch {
	case values[0] == "" || values[1] == "" || values[2] == "":
		return false, c.labels.message(texts.FillInAll), nil
	case values[1] != values[2]:
		return false, c.labels.message(texts.PasswordMismatch), nil
	}
	err = c.adapter.ChangePassword(x.Context(), key, values[0], values[1], x.client)
	if err != nil {
		text, err = c.passwordRefusal(err)
		return false, text, err
	}
	return true, "", c.renew(x.Context())
}

// hindered turns what somebody can wait for into a text on the same step.
func (c *Console) hindered(err error) (outcome, error) {
	switch adapter.KindOf(err) {
	case adapter.Throttled:
		return outcome{text: c.labels.message(texts.SlowDown)}, nil
	case adapter.Unavailable:
		return outcome{text: c.labels.message(texts.DirectoryError)}, nil
	case adapter.Invalid, adapter.NotFound, adapter.Ambiguous:
		return outcome{text: c.labels.message(texts.PasswordIncorrect)}, nil
	}
	return outcome{}, err
}

// alert sends the mail that is owed. The sign-in does not wait for the outcome.
func (c *Console) alert(x *exchange, o outcome, appName string) {
	if !o.alert || c.alerts == nil {
		return
	}
	person, err := c.adapter.Person(x.Context(), adapter.ByUID(o.uid))
	if err == nil {
		err = c.alerts.AlertMail(x.Context(), person.Username, appName, x.client)
	}
	if err != nil && adapter.KindOf(err) != adapter.Throttled { // throttled: one has just gone out
		c.log.ErrorContext(x.Context(), "no alert mail for a sign-in", "uid", o.uid, "error", err)
	}
}

// signinPage shows the step at which signing in to self service is.
func (c *Console) signinPage(x *exchange) (*answer, error) {
	ctx := x.Context()
	if c.sessions.GetString(ctx, keyFlowKind) != flowAccount {
		c.clearFlow(ctx)
	}
	return c.showSignin(x, outcome{info: c.notice(x)}), nil
}

func (c *Console) showSignin(x *exchange, o outcome) *answer {
	ctx := x.Context()
	step := c.sessions.GetString(ctx, keyFlowStep)
	data := signinData{Step: step, Name: c.sessions.GetString(ctx, keyFlowName)}
	if step != stepName {
		data.Restart, data.ByPost = c.path("/account/signin/restart"), true
	}
	return page("signin", view{Title: "page.signin", Error: o.text, Notice: o.info, Data: data})
}

func (c *Console) signinStep(x *exchange) (*answer, error) {
	ctx := x.Context()
	if c.sessions.GetString(ctx, keyFlowKind) != flowAccount {
		c.clearFlow(ctx)
		c.sessions.Put(ctx, keyFlowKind, flowAccount)
		c.limitStranger(ctx)
	}
	if wanted := "/account/" + x.URL.Query().Get("to"); isPage(wanted) {
		c.sessions.Put(ctx, keyFlowTo, wanted)
	}
	o, err := c.step(x)
	if err != nil {
		return nil, err
	}
	if !o.done {
		return c.showSignin(x, o), nil
	}
	next := c.sessions.GetString(ctx, keyFlowTo)
	if next == "" {
		next = "/account/"
	}
	c.clearFlow(ctx)
	if err := c.sessions.RenewToken(ctx); err != nil {
		return nil, err
	}
	c.enter(ctx, o.uid)
	c.alert(x, o, c.cfg.Title)
	return to(c.path(next)), nil
}

func (c *Console) signinRestart(x *exchange) (*answer, error) {
	c.clearFlow(x.Context())
	return to(c.path("/account/signin")), nil
}

// limitStranger lets a session in which nobody is signed in end soon.
func (c *Console) limitStranger(ctx context.Context) {
	if c.sessions.GetString(ctx, keyUID) == "" {
		c.sessions.SetDeadline(ctx, c.now().Add(strangersAge).UTC())
	}
}

// restartAddress begins an application's sign-in anew.
func (c *Console) restartAddress(code, redirect string) string {
	return c.path("/login/") + "?reset=1&code=" + url.QueryEscape(code) + "&redirect=" + url.QueryEscape(redirect)
}
