package console

import (
	"html/template"
	"strings"

	"portico/adapter"
	"portico/internal/texts"
)

func (c *Console) pinPage(x *exchange) (*answer, error) {
	return page("pin", view{Notice: c.notice(x)}), nil
}

func (c *Console) pinSet(x *exchange) (*answer, error) {
	pin, err := x.field("pin")
	if err != nil {
		return nil, err
	}
	again, err := x.field("pin2")
	if err != nil {
		return nil, err
	}
	refuse := func(text texts.ID) (*answer, error) {
		return page("pin", view{Error: c.labels.message(text)}), nil
	}
	switch {
	case pin == "": // would remove it
		return refuse(texts.PINFormat)
	case pin != again:
		return refuse(texts.PINMismatch)
	}
	err = c.adapter.SetPIN(x.Context(), x.key(), pin, "", x.client)
	if adapter.KindOf(err) == adapter.Invalid && err != nil {
		return refuse(texts.PINFormat)
	}
	if err != nil {
		return nil, err
	}
	c.notify(x, string(texts.PINUpdated))
	return to(c.path("/account/pin")), c.endOthers(x, "PIN set")
}

func (c *Console) pinRemove(x *exchange) (*answer, error) {
	if err := c.adapter.SetPIN(x.Context(), x.key(), "", "", x.client); err != nil {
		return nil, err
	}
	c.notify(x, "pin.removed")
	return to(c.path("/account/pin")), c.endOthers(x, "PIN removed")
}

// codesData is what the page of authentication codes shows. Picture and Secret
// are there in the answer to the wish for a new secret only.
type codesData struct {
	Begun   bool
	Picture template.URL
	Secret  string // in groups of four
	Link    template.URL
}

func (c *Console) codesPage(x *exchange) (*answer, error) {
	return page("codes", view{Notice: c.notice(x)}), nil
}

// codesBegin makes a new secret. Somebody who has one shows a fresh code of it
// first; it stays in use until the new one is proven.
func (c *Console) codesBegin(x *exchange) (*answer, error) {
	var secret, address string
	var err error
	if x.person.HasTOTP {
		var code string
		if code, err = x.field("totp"); err != nil {
			return nil, err
		}
		secret, address, err = c.adapter.ReplaceTOTP(x.Context(), x.key(), noBlanks(code), x.client)
	} else {
		secret, address, err = c.adapter.BeginTOTP(x.Context(), x.key())
	}
	if err != nil {
		return c.codesRefused(err, codesData{})
	}
	picture, err := qrPicture(address)
	if err != nil {
		return nil, err
	}
	return page("codes", view{Data: codesData{
		Begun: true, Picture: picture, Secret: grouped(secret, 4),
		Link: template.URL(address), //nolint:gosec // otpauth, every part of it escaped by the adapter
	}}), nil
}

// codesRefused shows that a code was wrong.
func (c *Console) codesRefused(err error, data codesData) (*answer, error) {
	switch kind := adapter.KindOf(err); {
	case kind == adapter.Denied:
		return page("codes", view{Error: c.labels.message(texts.LoginCodeIncorrect), Data: data}), nil
	case kind == adapter.NotFound && adapter.FieldOf(err) == "enrolment":
		return page("codes", view{Error: c.labels.get("codes.toolate")}), nil
	case kind == adapter.Conflict, kind == adapter.NotFound && adapter.FieldOf(err) == "totp":
		return to(c.path("/account/codes")), nil // it was done in another window
	}
	return nil, err
}

func (c *Console) codesConfirm(x *exchange) (*answer, error) {
	code, err := x.field("totp")
	if err != nil {
		return nil, err
	}
	if err := c.adapter.ConfirmTOTP(x.Context(), x.key(), noBlanks(code), x.client); err != nil {
		return c.codesRefused(err, codesData{Begun: true})
	}
	c.notify(x, "codes.on")
	return to(c.path("/account/codes")), c.endOthers(x, "authentication codes set up")
}

func (c *Console) codesRemove(x *exchange) (*answer, error) {
	code, err := x.field("totp")
	if err != nil {
		return nil, err
	}
	if err := c.adapter.RemoveTOTP(x.Context(), x.key(), noBlanks(code), "", x.client); err != nil {
		return c.codesRefused(err, codesData{})
	}
	c.notify(x, "codes.off")
	return to(c.path("/account/codes")), c.endOthers(x, "authentication codes removed")
}

// grouped parts a text into groups of n characters.
func grouped(text string, n int) string {
	var groups []string
	for len(text) > n {
		groups, text = append(groups, text[:n]), text[n:]
	}
	return strings.Join(append(groups, text), " ")
}
