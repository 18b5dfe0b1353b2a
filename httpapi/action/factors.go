package action

import (
	"portico/adapter"
	"portico/internal/texts"
)

// hasTOTP says no for nobody.
func hasTOTP(a *API, c *call) error {
	p, err := a.adapter.Person(c.ctx, c.person())
	if err != nil && !isNobody(err) {
		return err
	}
	c.okBool("otp", p != nil && p.HasTOTP)
	return nil
}

func verifyTOTP(a *API, c *call) error {
	valid, err := a.adapter.VerifyTOTP(c.ctx, c.person(), c.text("code"), c.client)
	if err != nil && !isNobody(err) {
		return err
	}
	if valid {
		c.okBool("valid", true)
		return nil
	}
	c.refusal(a.texts.Get(texts.CodeIncorrect))
	c.member("valid")
	c.out = append(c.out, "false"...)
	c.close()
	return nil
}

// checkPIN has an answer of its own, without a text, for a person without a PIN.
func checkPIN(a *API, c *call) error {
	result, err := a.adapter.CheckPIN(c.ctx, c.person(), c.text("pin"), c.client)
	if err != nil {
		return err
	}
	if !result.Set {
		c.out = append(c.out, `{"status":"ERROR","pinvalid":false,"nopinset":true}`...)
		return nil
	}
	c.okBool("pinvalid", result.Valid)
	return nil
}

func addAppPassword(a *API, c *call) error {
	password, err := a.adapter.AddAppPassword(c.ctx, c.person(), c.text("desc"), "key "+c.caller.Masked, c.client)
	if err != nil {
		return err
	}
	c.ok()
	c.member("msg")
	c.out = append(c.out, `""`...)
	c.member("pass")
	c.out = appendString(c.out, password)
	c.close()
	return nil
}

func permission(a *API, c *call) error {
	has, err := a.adapter.Permission(c.ctx, c.person(), c.text("code"))
	if err != nil {
		return err
	}
	c.okBool("has_permission", has)
	return nil
}

// isNobody tells whether the error says that there is no such person.
func isNobody(err error) bool {
	return err != nil && adapter.KindOf(err) == adapter.NotFound
}
