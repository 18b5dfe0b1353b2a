package console

import "portico/adapter"

func (c *Console) keysPage(x *exchange) (*answer, error) {
	return c.showKeys(x, view{Notice: c.notice(x)}, "")
}

func (c *Console) showKeys(x *exchange, v view, made string) (*answer, error) {
	if !c.cfg.PersonalKeys {
		return nil, errNotFound
	}
	list, err := c.adapter.ListPersonalKeys(x.Context(), x.key())
	if err != nil {
		return nil, err
	}
	data := accessesData{Made: made}
	for _, k := range list {
		data.List = append(data.List, accessLine{ID: k.ID, Description: k.Label, Created: k.Created, LastUsed: k.LastUsed})
	}
	v.Data = data
	return page("keys", v), nil
}

func (c *Console) keyAdd(x *exchange) (*answer, error) {
	description, ok, err := x.described()
	switch {
	case err != nil:
		return nil, err
	case !c.cfg.PersonalKeys:
		return nil, errNotFound
	case !ok:
		return c.showKeys(x, view{Error: c.labels.get("error.description")}, "")
	}
	plain, err := c.adapter.AddPersonalKey(x.Context(), x.key(), description, x.client)
	if err != nil && adapter.KindOf(err) == adapter.Conflict {
		return c.showKeys(x, view{Error: c.labels.get("error.toomany")}, "")
	}
	if err != nil {
		return nil, err
	}
	return c.showKeys(x, view{}, plain)
}

func (c *Console) keyRevoke(x *exchange) (*answer, error) {
	id, err := x.id()
	if err == nil {
		err = c.adapter.RevokePersonalKey(x.Context(), x.key(), id, x.client)
	}
	if err == nil {
		c.notify(x, "keys.revoked")
	}
	return to(c.path("/account/keys")), err
}
