package console

import (
	"html/template"
	"strings"
	"time"

	"portico/adapter"
)

// accessLine is an app password or a phone in its list.
type accessLine struct {
	ID          int64
	Description string
	Created     time.Time
	LastUsed    *time.Time
}

// accessesData is what the pages of app passwords and phones show. Made is there
// in the answer to the wish for a new one only.
type accessesData struct {
	List    []accessLine
	Made    string
	Picture template.URL
	Address string // of the mobile API
	Name    string
	Mobile  bool
}

func (c *Console) appPasswordsPage(x *exchange) (*answer, error) {
	return c.showAppPasswords(x, view{Notice: c.notice(x)}, "")
}

func (c *Console) showAppPasswords(x *exchange, v view, made string) (*answer, error) {
	list, err := c.adapter.ListAppPasswords(x.Context(), x.key())
	if err != nil {
		return nil, err
	}
	data := accessesData{Made: made}
	for _, p := range list {
		data.List = append(data.List, accessLine(p))
	}
	v.Data = data
	return page("apppasswords", v), nil
}

func (c *Console) appPasswordAdd(x *exchange) (*answer, error) {
	description, ok, err := x.described()
	if err != nil {
		return nil, err
	}
	if !ok {
		return c.showAppPasswords(x, view{Error: c.labels.get("error.description")}, "")
	}
	plain, err := c.adapter.AddAppPassword(x.Context(), x.key(), description, "", x.client)
	if adapter.KindOf(err) == adapter.Conflict && err != nil {
		return c.showAppPasswords(x, view{Error: c.labels.get("error.toomany")}, "")
	}
	if err != nil {
		return nil, err
	}
	return c.showAppPasswords(x, view{}, plain)
}

func (c *Console) appPasswordRevoke(x *exchange) (*answer, error) {
	id, err := x.id()
	if err == nil {
		err = c.adapter.RevokeAppPassword(x.Context(), x.key(), id, "", x.client)
	}
	if err == nil {
		c.notify(x, "apppasswords.revoked")
	}
	return to(c.path("/account/apppasswords")), err
}

func (c *Console) phonesPage(x *exchange) (*answer, error) {
	return c.showPhones(x, view{Notice: c.notice(x)}, "")
}

func (c *Console) showPhones(x *exchange, v view, code string) (*answer, error) {
	list, err := c.adapter.ListMobileCodes(x.Context(), x.key())
	if err != nil {
		return nil, err
	}
	data := accessesData{Mobile: c.cfg.Mobile, Address: c.mobileAddress(), Name: x.person.Username}
	if code != "" {
		data.Made = grouped(code, 5)
		if data.Picture, err = qrPicture(c.syncText(x.person.Username, code)); err != nil {
			return nil, err
		}
	}
	for _, p := range list {
		data.List = append(data.List, accessLine(p))
	}
	v.Data = data
	return page("phones", v), nil
}

// mobileAddress is the address of the mobile API, by the configured base URL
// alone: what the request calls us does not count.
func (c *Console) mobileAddress() string {
	return c.cfg.BaseURL + c.cfg.Prefix + "/mobile/index.php"
}

// syncText is what phones read from the QR code (AccountHub notes, section 11).
func (c *Console) syncText(username, code string) string {
	return "bizsync://" + strings.ReplaceAll(c.mobileAddress(), "/", `\`) + "/" + username + "/" + code
}

func (c *Console) phoneAdd(x *exchange) (*answer, error) {
	description, ok, err := x.described()
	switch {
	case err != nil:
		return nil, err
	case !c.cfg.Mobile:
		return nil, errNotFound
	case !ok:
		return c.showPhones(x, view{Error: c.labels.get("error.description")}, "")
	}
	code, err := c.adapter.AddMobileCode(x.Context(), x.key(), description, "", x.client)
	if adapter.KindOf(err) == adapter.Conflict && err != nil {
		return c.showPhones(x, view{Error: c.labels.get("error.toomany")}, "")
	}
	if err != nil {
		return nil, err
	}
	return c.showPhones(x, view{}, code)
}

func (c *Console) phoneRevoke(x *exchange) (*answer, error) {
	id, err := x.id()
	if err == nil {
		err = c.adapter.RevokeMobileCode(x.Context(), x.key(), id, "", x.client)
	}
	if err == nil {
		c.notify(x, "phones.revoked")
	}
	return to(c.path("/account/phones")), err
}
