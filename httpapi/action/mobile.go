package action

import (
	"errors"
	"strconv"

	"portico/adapter"
	"portico/httpapi"
	"portico/internal/texts"
)

// mobilePairing is the one action that needs a password in place of a sync code:
// it makes one.
const mobilePairing = "generatesynccode"

// mobilePaths are where the mobile API is, behind the prefix.
func mobilePaths() []string { return []string{"/mobile/index.php", "/mobile/", "/mobile"} }

// runMobile makes the documented checks in the documented order, then the action.
func (a *API) runMobile(c *call, exchange *httpapi.Exchange) error {
	name := c.params.get("action")
	act := a.mobile[name.value]
	switch {
	case !name.scalar():
		act = nil
	case name.value == "ping":
		exchange.SetOperation("mobile/ping")
		return ping(a, c)
	case act != nil:
		exchange.SetOperation("mobile/" + act.name)
	}
	if !a.cfg.Mobile {
		return refused(texts.MobileDisabled)
	}
	username, key := c.params.get("username"), c.params.get("key")
	if username.missing() || c.name("username") == "" || key.missing() || c.name("key") == "" {
		return errMobileNoKey
	}
	if len(username.value) > maxName || len(key.value) > maxName {
		return refused(texts.MobileBadKey)
	}
	if act == nil || act.name != mobilePairing {
		user, err := a.adapter.MobileCaller(c.ctx, adapter.MobileSignIn{
			Username: c.name("username"), Code: c.name("key"), Client: c.client,
		})
		if err != nil {
			return err
		}
		c.user = user
	}
	if act == nil {
		return errMobileNoAction
	}
	c.action = act
	return act.run(a, c)
}

// mobilePassword checks the password of who showed the sync code. Anything but a
// sign-in is an error.
func (a *API) mobilePassword(c *call) error {
	password := c.text("password")
	if password == "" || len(password) > maxText {
		return refused(texts.LoginIncorrect)
	}
	result, err := a.adapter.CheckPassword(c.ctx, adapter.SignIn{
		Client: c.client, Username: c.user.Username, Password: password, FullSignIn: true, Surface: adapter.SurfaceMobile,
	})
	switch {
	case err != nil:
		return err
	case result.OK:
		return nil
	case result.Status == adapter.StatusNormal || result.Status == adapter.StatusUnknown:
		return refused(texts.LoginIncorrect)
	default:
		return refused(texts.TryOnWeb)
	}
}

func mobileCheckPassword(a *API, c *call) error {
	if err := a.mobilePassword(c); err != nil {
		return err
	}
	c.ok()
	c.member("uid")
	c.out = strconv.AppendInt(c.out, c.user.UID, 10)
	c.close()
	return nil
}

func mobileUserInfo(a *API, c *call) error {
	if err := a.mobilePassword(c); err != nil {
		return err
	}
	c.ok()
	c.member("info")
	c.out = append(c.out, `{"uid":`...)
	c.out = strconv.AppendInt(c.out, c.user.UID, 10)
	c.member("username")
	c.out = appendString(c.out, c.user.Username)
	c.member("realname")
	c.out = appendString(c.out, c.user.Name)
	c.member("email")
	c.out = appendEmail(c.out, c.user)
	c.out = append(c.out, "}}"...)
	return nil
}

// mobileStartSession signs the phone's browser in to the pages. Whatever is wrong,
// the answer is the same.
func mobileStartSession(a *API, c *call) error {
	if a.cfg.Sessions == nil {
		a.log.WarnContext(c.ctx, "start_session refused: there are no pages to sign in to")
		return refused(texts.LoginIncorrect)
	}
	err := a.mobilePassword(c)
	if no := (*refusal)(nil); errors.As(err, &no) {
		return refused(texts.LoginIncorrect)
	}
	if err == nil {
		err = a.cfg.Sessions.Begin(c.w, c.r, c.user, true)
	}
	if err != nil {
		return err
	}
	c.ok()
	c.close()
	return nil
}

// mobileGenerateCode gives a code that signs in at a kiosk, see codelogin.
func mobileGenerateCode(a *API, c *call) error {
	if err := a.adapter.MobileGate(c.user.Username, c.client); err != nil {
		return err
	}
	code, err := a.adapter.GenerateCode(c.ctx, c.person())
	if err != nil {
		return err
	}
	c.ok()
	c.member("code")
	c.out = strconv.AppendInt(c.out, int64(code), 10)
	c.close()
	return nil
}

func mobileHasTOTP(_ *API, c *call) error {
	c.okBool("otp", c.user.HasTOTP)
	return nil
}

func mobileNotifications(a *API, c *call) error { return a.notifications(c, true) }

// mobilePair makes a sync code for a name and password. It needs no key, so it
// tells nothing to somebody who did not prove the password: nobody, a wrong
// password and a closed account look alike. People with TOTP pair by other means,
// as this would go around their second factor.
func mobilePair(a *API, c *call) error {
	password := c.text("password")
	if password == "" || len(password) > maxText {
		return refused(texts.LoginIncorrect)
	}
	result, err := a.adapter.CheckPassword(c.ctx, adapter.SignIn{
		Client: c.client, Username: c.name("username"), Password: password, Surface: adapter.SurfaceMobile, AppPasswordOnly: true,
	})
	switch {
	case err != nil:
		return err
	case result.Person == nil || !result.PasswordRight:
		return refused(texts.LoginIncorrect)
	case result.Status != adapter.StatusNormal:
		return refused(texts.TryOnWeb)
	case result.Person.HasTOTP:
		return refused(texts.PairByQR)
	case !result.OK:
		return refused(texts.LoginIncorrect)
	}
	code, err := a.adapter.AddMobileCode(c.ctx, adapter.ByUID(result.Person.UID), c.text("desc"), "", c.client)
	if err != nil {
		return err
	}
	c.ok()
	c.member("code")
	c.out = appendString(c.out, code)
	c.close()
	return nil
}
