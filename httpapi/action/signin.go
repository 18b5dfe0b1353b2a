package action

import (
	"errors"
	"strconv"

	"portico/adapter"
	"portico/internal/texts"
)

// ping answers that the key is good.
func ping(_ *API, c *call) error {
	c.ok()
	c.close()
	return nil
}

func (c *call) signIn(full bool) adapter.SignIn {
	return adapter.SignIn{
		Caller:          c.caller,
		Client:          c.client,
		Username:        c.name("username"),
		Password:        c.text("password"),
		AppPasswordOnly: c.flag("apppass"),
		FullSignIn:      full,
	}
}

// auth checks a password. A person who may not come in is told why by status,
// whether the password was right or not: a directory often does not say.
func auth(a *API, c *call) error {
	result, err := a.adapter.CheckPassword(c.ctx, c.signIn(false))
	if err != nil {
		return err
	}
	if !result.OK {
		return refused(statusText(result.Status))
	}
	c.ok()
	c.member("msg")
	c.out = appendString(c.out, a.texts.Get(texts.LoginOK))
	c.close()
	return nil
}

// login checks a password as a whole sign-in. The status is told only to those
// who proved the password.
func login(a *API, c *call) error {
	result, err := a.adapter.CheckPassword(c.ctx, c.signIn(true))
	if err != nil {
		return err
	}
	if !result.OK {
		id := texts.LoginIncorrect
		if result.PasswordRight {
			id = statusText(result.Status)
		}
		return refused(id)
	}
	if result.Alert {
		a.mailAlert(c, result.Person)
		c.okBool("alert", true)
		return nil
	}
	c.ok()
	c.close()
	return nil
}

// mailAlert tells the administrator of a sign-in; that it cannot is no reason to
// keep anybody out.
func (a *API) mailAlert(c *call, who *adapter.Person) {
	err := errors.New("no mail server is configured")
	if a.cfg.Alerts != nil {
		err = a.cfg.Alerts.AlertMail(c.ctx, who.Username, a.cfg.SiteTitle, c.client)
	}
	if err != nil {
		a.log.WarnContext(c.ctx, "no alert mail for a sign-in", "uid", who.UID, "error", err)
	}
}

// alertEmail sends the alert mail for an application that found the status itself.
// Why no mail can be sent is told as it is.
func alertEmail(a *API, c *call) error {
	if a.cfg.Alerts == nil {
		return refused("invalid_to_email")
	}
	app := c.text("appname")
	if app == "" {
		app = "???"
	}
	err := a.cfg.Alerts.AlertMail(c.ctx, c.name("username"), app, c.client)
	var e *adapter.Error
	if errors.As(err, &e) && e.Text != "" && e.Kind != adapter.Internal {
		c.refusal(e.Text)
		c.close()
		return nil
	}
	if err != nil {
		return err
	}
	c.ok()
	c.close()
	return nil
}

// statusText says why somebody with that status is not let in.
func statusText(s adapter.Status) texts.ID {
	switch s {
	case adapter.StatusLocked:
		return texts.Locked
	case adapter.StatusTerminated:
		return texts.Terminated
	case adapter.StatusChangePassword:
		return texts.Expired
	case adapter.StatusUnknown, adapter.StatusNormal, adapter.StatusAlert:
		return texts.LoginIncorrect
	default:
		return texts.StateError
	}
}

// accountStatus names the status; nobody's is OTHER_0.
func accountStatus(a *API, c *call) error {
	status, err := a.adapter.AccountStatus(c.ctx, adapter.ByUsername(c.name("username")))
	if err != nil {
		return err
	}
	c.ok()
	c.member("account")
	c.out = append(c.out, '"')
	switch status {
	case adapter.StatusNormal:
		c.out = append(c.out, "NORMAL"...)
	case adapter.StatusLocked:
		c.out = append(c.out, "LOCKED_OR_DISABLED"...)
	case adapter.StatusChangePassword:
		c.out = append(c.out, "CHANGE_PASSWORD"...)
	case adapter.StatusTerminated:
		c.out = append(c.out, "TERMINATED"...)
	case adapter.StatusAlert:
		c.out = append(c.out, "ALERT_ON_ACCESS"...)
	default:
		c.out = append(c.out, "OTHER_"...)
		c.out = strconv.AppendUint(c.out, uint64(status), 10)
	}
	c.out = append(c.out, '"')
	c.close()
	return nil
}
