package action

import (
	"strconv"
	"strings"
)

func mobileEnabled(a *API, c *call) error {
	c.okBool("mobile", a.cfg.Mobile)
	return nil
}

// mobileValid does not ask whether the mobile API is on.
func mobileValid(a *API, c *call) error {
	valid, err := a.adapter.MobileCodeValid(c.ctx, c.name("username"), c.text("code"))
	if err != nil {
		return err
	}
	c.okBool("valid", valid)
	return nil
}

func codeLogin(a *API, c *call) error {
	p, err := a.adapter.CodeLogin(c.ctx, c.text("code"), c.client)
	if err != nil {
		return err
	}
	c.ok()
	c.member("user")
	c.out = append(c.out, `{"username":`...)
	c.out = appendString(c.out, p.Username)
	c.member("realname")
	c.out = appendString(c.out, p.Name)
	c.member("uid")
	c.out = appendID(c.out, p.UID)
	c.out = append(c.out, "}}"...)
	return nil
}

// getLoginKey begins a sign-in in the browser and says where to send the person.
func getLoginKey(a *API, c *call) error {
	code, err := a.adapter.NewLoginKey(c.ctx, c.text("appname"), c.text("appicon"))
	if err != nil {
		return err
	}
	c.ok()
	c.member("code")
	c.out = appendString(c.out, code)
	c.member("loginurl")
	c.out = appendString(c.out, a.baseURL(c.r)+a.cfg.Prefix+"/login/")
	c.close()
	return nil
}

// checkLoginKey gives the uid, a number here, once somebody has signed in. Apps
// put codes into URLs as they are, where a "+" becomes a blank.
func checkLoginKey(a *API, c *call) error {
	uid, err := a.adapter.CheckLoginKey(c.ctx, strings.ReplaceAll(c.text("code"), " ", "+"))
	if isNobody(err) {
		c.refusal("")
		c.close()
		return nil
	}
	if err != nil {
		return err
	}
	c.ok()
	c.member("uid")
	c.out = strconv.AppendInt(c.out, uid, 10)
	c.close()
	return nil
}
