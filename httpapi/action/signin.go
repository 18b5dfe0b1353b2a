package action

import (
	"strconv"

	"portico/adapter"
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
		c.refusal(a.texts.get(statusText(result.Status)))
		c.close()
		return nil
	}
	c.ok()
	c.member("msg")
	c.out = appendString(c.out, a.texts.get(textLoginOK))
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
		id := textLoginIncorrect
		if result.PasswordRight {
			id = statusText(result.Status)
		}
		c.refusal(a.texts.get(id))
		c.close()
		return nil
	}
	c.ok()
	if result.Alert {
		c.member("alert")
		c.out = append(c.out, "true"...)
	}
	c.close()
	return nil
}

// statusText says why somebody with that status is not let in.
func statusText(s adapter.Status) textID {
	switch s {
	case adapter.StatusLocked:
		return textLocked
	case adapter.StatusTerminated:
		return textTerminated
	case adapter.StatusChangePassword:
		return textExpired
	case adapter.StatusUnknown, adapter.StatusNormal, adapter.StatusAlert:
		return textLoginIncorrect
	default:
		return textStateError
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
